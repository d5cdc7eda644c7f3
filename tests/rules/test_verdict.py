"""Verdicts on files: limits to the second, and a machine that never fails a teacher."""

from __future__ import annotations

from decimal import Decimal

import pytest

from review_flow.rules.verdict import Facts, Finding, Kind, Level, Slot, clock, limits, shown_seconds, verdict
from review_flow.rules.words import Verdict

NOTE = Finding("no_sound", Level.INFO, "视频没有声音。")
QUESTION = Finding("duplicate", Level.HUMAN, "请人工确认。")
REFUSED = Finding("empty", Level.REJECT, "文件是空的。")
LESSON = Slot.of({"kind": "video", "min_seconds": 180, "max_seconds": 600})


def film(seconds: str, name: str = "mp4") -> Facts:
    """Describe a video of a length."""
    return Facts(Kind.VIDEO, name, seconds=Decimal(seconds))


@pytest.mark.parametrize(
    ("seconds", "codes"),
    [
        ("179", ["too_short"]),
        ("179.999999", ["too_short"]),
        ("180", []),
        ("180.04", []),
        ("600", []),
        ("600.04", []),
        ("600.999999", []),
        ("601", ["too_long"]),
    ],
)
def test_c8_three_to_ten_minutes_inclusive(seconds: str, codes: list[str]) -> None:
    assert [finding.code for finding in limits(film(seconds), LESSON)] == codes


def test_a_length_outside_names_itself_and_the_limit() -> None:
    short, long = limits(film("179.98"), LESSON), limits(film("601"), LESSON)
    assert short == [Finding("too_short", Level.REJECT, "时长 2:59，短于要求的 3:00。请提交不短于 3:00 的视频。")]
    assert long == [Finding("too_long", Level.REJECT, "时长 10:01，超过上限 10:00。请剪到 10:00 以内再传。")]


@pytest.mark.parametrize(("seconds", "codes"), [("300", []), ("300.04", []), ("301", ["too_long"])])
def test_j6_five_minutes_pass_and_a_second_more_does_not(seconds: str, codes: list[str]) -> None:
    slot = Slot.of({"kinds": ["video"], "max_seconds": "300"})
    assert [finding.code for finding in limits(film(seconds), slot)] == codes


def test_a_film_of_unknown_length_is_not_held_against_a_length() -> None:
    assert limits(Facts(Kind.VIDEO, "ts"), LESSON) == []


def test_j5_a_document_for_a_video_slot_is_refused_and_told_only_that() -> None:
    facts = Facts(Kind.DOCUMENT, "pdf", chars=3)
    slot = Slot.of({"kind": "video", "min_seconds": 180, "min_chars": 100})
    text = "这一项要交视频，交来的却是文档（pdf）。请按要求的形式重新提交。"
    assert limits(facts, slot) == [Finding("wrong_kind", Level.REJECT, text)]


def test_several_kinds_are_named_in_a_fixed_order() -> None:
    found = limits(Facts(Kind.AUDIO, "mp3"), Slot.of({"kinds": ["video", "photo"]}))
    assert [finding.text for finding in found] == [
        "这一项要交照片、视频，交来的却是录音（mp3）。请按要求的形式重新提交。"
    ]


def test_formats_are_compared_without_case_or_dot() -> None:
    slot = Slot.of({"kind": "video", "formats": [".MP4", "mov"]})
    assert limits(film("5"), slot) == []
    text = "这一项只收 mov、mp4 格式，交来的是 wmv。请另存为或导出为要求的格式后再传。"
    assert limits(film("5", "wmv"), slot) == [Finding("wrong_format", Level.REJECT, text)]


@pytest.mark.parametrize(("chars", "codes"), [(799, ["too_few_chars"]), (800, []), (None, [])])
def test_characters_count_from_the_limit_on(chars: int | None, codes: list[str]) -> None:
    facts = Facts(Kind.DOCUMENT, "docx", chars=chars)
    assert [finding.code for finding in limits(facts, Slot(min_chars=800))] == codes


def test_characters_are_not_counted_where_none_are_asked() -> None:
    assert limits(Facts(Kind.DOCUMENT, "docx", chars=0), Slot()) == []


def test_too_few_characters_say_both_numbers() -> None:
    found = limits(Facts(Kind.DOCUMENT, "docx", chars=12), Slot(min_chars=800))
    assert [finding.text for finding in found] == ["共 12 字，少于要求的 800 字。请补充后再传。"]


def test_seconds_are_those_a_player_shows() -> None:
    assert shown_seconds(Decimal("300.999")) == 300
    assert [clock(Decimal("59.9")), clock(60), clock(3725)] == ["0:59", "1:00", "62:05"]


def test_a_slot_reads_back_what_it_wrote() -> None:
    slot = Slot.of(
        {"kinds": ["video"], "formats": ["mp4"], "min_seconds": "180", "max_seconds": 600, "min_chars": 5}
        | {"teacher_visible": False}
    )
    assert slot.as_mapping() == {
        "kinds": ["video"],
        "formats": ["mp4"],
        "min_seconds": "180",
        "max_seconds": "600",
        "min_chars": 5,
        "teacher_visible": False,
    }
    assert Slot.of(slot.as_mapping()) == slot
    assert Slot.of(Slot().as_mapping()) == Slot.of(None) == Slot()


def test_a_slot_refuses_a_wish_it_does_not_know() -> None:
    with pytest.raises(TypeError, match="min_second"):
        Slot.of({"min_second": 5})


@pytest.mark.parametrize(
    ("visible", "wanted"),
    [
        (None, [Kind.VIDEO, Kind.PHOTO]),
        (True, list(Kind)),
        (False, []),
    ],
)
def test_pictures_must_show_the_teacher_and_documents_need_not(*, visible: bool | None, wanted: list[Kind]) -> None:
    slot = Slot(teacher_visible=visible)
    assert [kind for kind in Kind if slot.wants_teacher(kind)] == wanted


@pytest.mark.parametrize(
    ("findings", "needed", "present", "expected"),
    [
        ([], False, None, Verdict.VALID),
        ([NOTE], True, True, Verdict.VALID),
        ([], True, False, Verdict.HUMAN),
        ([], True, None, Verdict.HUMAN),
        ([], False, False, Verdict.VALID),
        ([QUESTION], True, True, Verdict.HUMAN),
        ([QUESTION], False, None, Verdict.HUMAN),
        ([NOTE, QUESTION, REFUSED], True, True, Verdict.REJECTED),
        ([REFUSED], False, None, Verdict.REJECTED),
    ],
)
def test_verdicts(*, findings: list[Finding], needed: bool, present: bool | None, expected: Verdict) -> None:
    assert verdict(findings, teacher_needed=needed, present=present) is expected


@pytest.mark.parametrize("present", [True, False, None])
@pytest.mark.parametrize("needed", [True, False])
@pytest.mark.parametrize("findings", [[], [NOTE], [QUESTION], [NOTE, QUESTION]])
def test_only_a_refusing_finding_refuses(*, findings: list[Finding], needed: bool, present: bool | None) -> None:
    outcome = verdict(findings, teacher_needed=needed, present=present)
    assert outcome in {Verdict.VALID, Verdict.HUMAN}
    assert (outcome is Verdict.VALID) == (QUESTION not in findings and (not needed or present is True))
