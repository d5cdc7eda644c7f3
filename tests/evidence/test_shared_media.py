"""Real people and odd files from a folder beside the repository that never enters it; REVIEW_FLOW_TEST_MEDIA names another."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import av
import pytest
from PIL import Image

from review_flow.evidence.presence import Search
from review_flow.rules.words import Verdict

if TYPE_CHECKING:
    from review_flow.evidence.faces import Encoding
    from review_flow.evidence.sandbox import Sandbox

BESIDE = Path(__file__).resolve().parents[3] / "shared" / "media"
MEDIA = Path(os.environ.get("REVIEW_FLOW_TEST_MEDIA") or BESIDE)
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (MEDIA / "odd").is_dir(), reason=f"no real media at {MEDIA}"),
]
BRIEFLY = Search(fine_frames=1, work_s=1.5, wall_s=5)  # six hours of film and 8K pictures would take 10 s each
NOT_SEEN = {"no_faces", "not_recognised", "unsure", "seen_once", "looked_at_part"}


def enrolled(box: Sandbox, person: str, *numbers: int) -> list[Encoding]:
    """Return references of a person of the folder; each of its photos is good enough to be one."""
    photos = [next((MEDIA / "faces" / person).glob(f"{number}.*")) for number in numbers]
    outcomes = [box.enrol(photo) for photo in photos]
    assert [outcome.problems for outcome in outcomes] == [()] * len(numbers)
    return [outcome.encoding for outcome in outcomes if outcome.encoding is not None]


@pytest.fixture(scope="module")
def obama(box: Sandbox) -> list[Encoding]:
    return enrolled(box, "obama", 1, 2)


@pytest.fixture(scope="module")
def biden(box: Sandbox) -> list[Encoding]:
    return enrolled(box, "biden", 1, 2)


def test_a_person_s_other_photo_is_theirs_and_a_stranger_s_is_not(
    box: Sandbox, obama: list[Encoding], biden: list[Encoding]
) -> None:
    photo = MEDIA / "faces" / "obama" / "3.jpg"
    own, other = box.check(photo, references=obama), box.check(photo, references=biden)
    assert (own.verdict, own.present) == (Verdict.VALID, True)
    assert (other.verdict, other.present) == (Verdict.HUMAN, False)
    assert [finding.code for finding in other.findings] == ["not_recognised"]


def test_each_of_two_people_in_a_photo_is_found_at_their_own_place(
    box: Sandbox, obama: list[Encoding], biden: list[Encoding]
) -> None:
    photo = MEDIA / "faces" / "obama_and_biden.jpg"
    reports = [box.check(photo, references=references) for references in (obama, biden)]
    assert [report.present for report in reports] == [True, True]
    assert [len(report.seen) for report in reports] == [1, 1]
    left, right = sorted(report.seen[0]["box"] for report in reports)
    assert left[2] <= right[0]
    assert [problem.code for problem in box.enrol(photo).problems] == ["several_faces"]


def test_a_talk_by_somebody_else_is_for_people_to_judge(box: Sandbox, obama: list[Encoding]) -> None:
    report = box.check(MEDIA / "video" / "katie_hill_talk.mp4", references=obama)
    assert (report.verdict, report.present, report.seen) == (Verdict.HUMAN, False, ())
    assert [finding.code for finding in report.findings] == ["not_recognised"]
    assert report.cost["faces_encoded"] >= 2


def test_a_talk_by_the_person_of_the_reference_shows_them(box: Sandbox, tmp_path: Path) -> None:
    talk = MEDIA / "video" / "katie_hill_talk.mp4"
    with av.open(str(talk)) as container:
        pixels = next(container.decode(video=0)).to_ndarray(format="rgb24")
    Image.fromarray(pixels).save(tmp_path / "reference.jpg", quality=92)
    outcome = box.enrol(tmp_path / "reference.jpg")
    assert outcome.problems == ()
    assert outcome.encoding is not None
    report = box.check(talk, references=[outcome.encoding])
    assert (report.verdict, report.present, len(report.seen)) == (Verdict.VALID, True, 2)
    assert report.seen[1]["at_s"] - report.seen[0]["at_s"] >= 2


Outcome = tuple[str, Verdict, bool | None, list[str]]
PLAYS: Outcome = ("video", Verdict.HUMAN, False, [])
SILENT: Outcome = ("video", Verdict.HUMAN, False, ["no_sound"])
HEARD: Outcome = ("audio", Verdict.HUMAN, None, ["no_pictures"])
SHOWS: Outcome = ("photo", Verdict.VALID, True, [])


def refused(kind: str, *codes: str) -> Outcome:
    """Return the outcome of a file that is sent back."""
    return (kind, Verdict.REJECTED, None, list(codes))


ODD: dict[str, Outcome] = {
    "anim.gif": ("photo", Verdict.HUMAN, False, ["animated"]),
    "audio_only.mp4": HEARD,
    "av1.mp4": PLAYS,
    "bitflip_body.mp4": PLAYS,
    "bomb_12k.png": refused("photo", "too_many_pixels"),
    "bomb_60k_1bit.png": refused("photo", "too_many_pixels"),
    "bomb_claim.png": refused("photo", "too_many_pixels"),
    "concat_abs.mp4": refused("unknown", "playlist"),
    "concat_rel.mp4": refused("unknown", "playlist"),
    "cover.mp3": HEARD,
    "doc.docx.as.mp4": refused("document", "broken_document", "name_mismatch"),
    "file.pdf.as.mp4": refused("document", "broken_document", "name_mismatch"),
    "h263.3gp": SILENT,
    "hevc10_hlg.mov": PLAYS,
    "hevc_iphone.mov": PLAYS,
    "hls.mp4": refused("unknown", "playlist"),
    "hls_http.mp4": refused("unknown", "playlist"),
    "huge8k.mp4": SILENT,
    "jpg_as.mp4": refused("photo", "name_mismatch"),
    "jpg_zip.jpg": ("photo", Verdict.HUMAN, False, ["hidden_archive"]),
    "long6h.mp4": SILENT,
    "mp4_in_jpg.jpg": refused("video", "no_sound", "name_mismatch"),
    "noaudio.mp4": SILENT,
    "obama.avif": SHOWS,
    "obama.heic": SHOWS,
    "obama.webp": SHOWS,
    "obama_cmyk.jpg": SHOWS,
    "obama_exif6.jpg": SHOWS,
    "obama_trunc.jpg": refused("photo", "broken_picture"),
    "random.mp4": refused("unknown", "unrecognised"),
    "rot90.mp4": PLAYS,
    "rv20.rmvb": PLAYS,
    "script.mp4": refused("unknown", "web_page"),
    "slides.pptx.as.mp4": refused("document", "broken_document", "name_mismatch"),
    "trunc_end_50.mp4": refused("unknown", "incomplete"),
    "trunc_fast_50.mp4": refused("video", "incomplete"),
    "trunc_fast_firstframe.mp4": refused("video", "incomplete"),
    "vp9.webm": PLAYS,
    "wmv2.wmv": PLAYS,
    "xvid.avi": PLAYS,
    "zero.mp4": refused("unknown", "empty"),
}


def test_files_we_do_not_know_end_in_a_report_too(box: Sandbox, obama: list[Encoding]) -> None:
    unknown = [path for path in sorted((MEDIA / "odd").iterdir()) if path.name not in ODD]
    for path in unknown:
        assert box.check(path, references=obama, search=BRIEFLY).as_json()["verdict"] in {"valid", "human", "rejected"}


@pytest.mark.parametrize("name", ODD)
def test_odd_files(box: Sandbox, obama: list[Encoding], name: str) -> None:
    report = box.check(MEDIA / "odd" / name, references=obama, search=BRIEFLY)
    codes = [finding.code for finding in report.findings]
    rest = [code for code in codes if code not in NOT_SEEN]
    assert (report.media["kind"], report.verdict, report.present, rest) == ODD[name]
    assert any(code in NOT_SEEN for code in codes) == (report.present is False)
    assert all(finding.text.endswith("。") for finding in report.findings)
