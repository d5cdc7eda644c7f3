from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from review_flow.rules.codes import plain


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
