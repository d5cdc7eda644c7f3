"""The search through a film: short appearances, tracks compared once, budgets of work, films without keyframes."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest

from review_flow.demo import media
from review_flow.demo.media import Span
from review_flow.evidence import film, video
from review_flow.evidence.faces import Encoding
from review_flow.evidence.presence import Search
from review_flow.evidence.sandbox import Sandbox
from review_flow.rules.words import Verdict

LENGTH = 60


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[tuple[bytes, bool]]]:
    """Return packets of 20 s of the same walk of the camera, with each person and with nobody."""
    folder = tmp_path_factory.mktemp("parts")
    packets = {}
    for who in (*media.PEOPLE, "nobody"):
        spans = [] if who == "nobody" else [Span(0, 20, who)]
        path = media.lesson_video(folder / f"{who}.mp4", seconds=20, spans=spans, size=(640, 360))
        with av.open(str(path)) as container:
            packets[who] = [(bytes(one), one.is_keyframe) for one in container.demux(video=0) if one.size]
            packets["path"] = path
    return packets


def assembled(path: Path, parts: Any, who: dict[range, str]) -> Path:
    """Put a minute together from the seconds of the parts."""
    with av.open(str(parts["path"])) as source, av.open(str(path), "w") as out:
        stream = out.add_stream_from_template(source.streams.video[0])
        for second in range(LENGTH):
            name = next((name for span, name in who.items() if second in span), "nobody")
            start = second % 20 * media.FPS
            for number, (data, key) in enumerate(parts[name][start : start + media.FPS]):
                packet = av.Packet(data)
                packet.stream, packet.time_base = stream, Fraction(1, media.FPS)
                packet.pts = packet.dts = second * media.FPS + number
                packet.duration, packet.is_keyframe = 1, key
                out.mux(packet)
    return path


def test_three_seconds_in_a_minute_are_found_among_somebody_else_s(
    box: Sandbox, grace: list[Encoding], parts: Any, tmp_path: Path
) -> None:
    path = assembled(tmp_path / "film.mp4", parts, {range(41, 44): "grace", range(LENGTH): "eileen"})
    report = box.check(path, references=grace)
    assert (report.verdict, report.present) == (Verdict.VALID, True)
    assert all(41 <= moment["at_s"] < 44 for moment in report.seen)
    assert report.seen[-1]["at_s"] - report.seen[0]["at_s"] >= 2


def test_one_person_there_all_the_time_is_compared_a_few_times_only(
    box: Sandbox, grace: list[Encoding], parts: Any, tmp_path: Path
) -> None:
    path = assembled(tmp_path / "film.mp4", parts, {range(LENGTH): "eileen"})
    report = box.check(path, references=grace)
    assert (report.verdict, report.present) == (Verdict.HUMAN, False)
    assert [finding.code for finding in report.findings] == ["no_sound", "not_recognised"]
    assert report.presence is not None
    told = {name: report.presence[name] for name in ("moments", "complete", "with_teacher", "longest_absence_s")}
    assert told == {"moments": LENGTH, "complete": True, "with_teacher": 0, "longest_absence_s": LENGTH}
    assert (report.presence["most_others"], report.presence["spans"]) == (1, [[0.0, LENGTH, "others"]])
    assert report.cost["faces_encoded"] <= 20


def test_the_budget_is_work_and_its_end_is_said(
    box: Sandbox, grace: list[Encoding], parts: Any, tmp_path: Path
) -> None:
    path = assembled(tmp_path / "film.mp4", parts, {})
    report = box.check(path, references=grace, search=Search(work_s=0.2))
    assert [finding.code for finding in report.findings] == ["no_sound", "looked_at_part", "no_faces"]
    assert report.presence is not None
    assert (report.verdict, report.presence["complete"]) == (Verdict.HUMAN, False)
    assert 0 < report.presence["moments"] < LENGTH
    assert report.presence["longest_absence_s"] is None


def test_a_film_with_one_keyframe_is_looked_at_between(box: Sandbox, grace: list[Encoding], tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("libx264", rate=media.FPS, options={"g": "999", "sc_threshold": "0"})
        stream.width, stream.height, stream.pix_fmt = 640, 360, "yuv420p"
        for shot in media._frames((640, 360), 12, [Span(7, 11, "grace")]):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(shot, format="rgb24")))
        container.mux(stream.encode())
    report = box.check(path, references=grace)
    assert (report.verdict, report.present) == (Verdict.VALID, True)
    assert all(7 <= moment["at_s"] < 11 for moment in report.seen)


@pytest.mark.parametrize(
    ("times", "stride"), [([0, 1, 2, 3], 2), ([0, 0.5, 1, 1.5], 4), ([0, 2, 4], 1), ([0, 10], 1), ([0], 1), ([], 1)]
)
def test_first_the_keyframes_two_seconds_apart(times: list[float], stride: int) -> None:
    assert film._stride(times, 2.0) == stride


def test_an_index_tells_what_reading_the_file_tells(films: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    indexed = video.survey(films["grace"])
    monkeypatch.setattr(video, "MIN_INDEXED", 10**9)
    read = video.survey(films["grace"])
    assert (read.keyframe_bytes, indexed.keyframe_bytes > 0) == (0, True)
    assert replace(read, keyframe_bytes=indexed.keyframe_bytes) == indexed


@pytest.mark.parametrize(
    ("times", "stride"),
    [
        ((), 1),
        ((0.0,), 1),
        ((0.0, 1.0, 2.0), 2),
        ((0.0, 0.5, 1.0), 4),
        ((0.0, 5.0), 1),
        ((3.0, 3.0, 3.0), 1),
        ((3.0, 1.0), 1),
    ],
)
def test_how_far_apart_keyframes_are_looked_at_first(times: tuple[float, ...], stride: int) -> None:
    assert film._stride(times, 2.0) == stride
