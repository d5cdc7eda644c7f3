from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from review_flow.rules.codes import number, plain


def test_full_width_signs_and_spaces_are_slips() -> None:
    assert [plain(one) for one in ("Ｔ００４", " T 004\u3000", "T004\n", "", "\u3000")] == [
        "T004",
        "T004",
        "T004",
        "",
        "",
    ]


@given(st.text())
@example("A \u0304")
def test_a_plain_code_is_plain(code: str) -> None:
    assert plain(plain(code)) == plain(code)


def test_a_number_is_read_from_any_keyboard() -> None:
    typed = ("85.5", " ８５．５ ", "85。5", "８５｡５", "１２", "")
    assert [number(one) for one in typed] == ["85.5", "85.5", "85.5", "85.5", "12", ""]
