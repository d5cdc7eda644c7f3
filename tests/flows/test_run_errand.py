"""What somebody asked for is done once, in transactions of its own."""

from __future__ import annotations

from contextlib import closing

from flows import run_errand
from flows.drain import Item
from models import Errand
from review_flow import db
from review_flow.rules.words import WorkKind
from review_flow.steps import errands
from tests.cast import Clock, School
from tests.due import do_due


def test_an_errand_is_done_and_its_answer_kept(installed: None) -> None:
    with closing(Clock().stack), db.transaction() as session:
        asked = errands.ask_chain(session, actor=School(session, teachers=1).admin).id
    item = Item(id=1, kind=WorkKind.RUN_ERRAND, subject_id=asked, token="")
    assert do_due(WorkKind.RUN_ERRAND) == 1
    with db.transaction() as session:
        assert run_errand.tags_of(session, item) == (f"errand:{asked}",)
        assert session.get_one(Errand, asked).answer["wrong"] == []
    assert do_due(WorkKind.RUN_ERRAND) == 0
