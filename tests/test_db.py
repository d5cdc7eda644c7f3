from __future__ import annotations

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from review_flow.db import Unstorable


@pytest.mark.parametrize("value", ["a\0b", "\ud800", "x\udfff", 2**63, -(2**63) - 1])
def test_what_one_database_cannot_hold_is_refused_by_both_before_they_are_asked(
    session: Session, value: object
) -> None:
    with pytest.raises(Unstorable):
        session.execute(text("SELECT :value"), {"value": value})
    with pytest.raises(Unstorable):
        session.execute(text("DELETE FROM person WHERE id = :value"), [{"value": 1}, {"value": value}])


@pytest.mark.parametrize("value", ["", "王芳\r\n\t", "\u202e\u200b", "𠮷😀"])
def test_everything_else_is_kept_as_it_is(session: Session, value: str) -> None:
    assert session.scalar(text("SELECT CAST(:value AS TEXT)"), {"value": value}) == value
