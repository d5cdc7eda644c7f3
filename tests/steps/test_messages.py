from __future__ import annotations

import pytest
from sqlalchemy import select

from models import DueWork, Message
from review_flow.clock import now
from review_flow.outside.messages import MessageNotDelivered, NullMessenger
from review_flow.rules.words import WorkKind
from review_flow.steps import messages
from tests.cast import Clock, School


def tell(school: School, person, text: str) -> Message:
    return messages.tell(
        school.session, person_id=person.id, round_id=school.round.id, kind="test", sentence="{text}", text=text
    )


def test_a_message_is_kept_and_its_delivery_asked_for_once_a_person(school: School) -> None:
    first, second = school.teachers[:2]
    made = tell(school, first, "您有1份成果待互评。")
    tell(school, first, "您有2份成果待互评。")
    tell(school, second, "您有3份成果待互评。")
    assert (made.text, made.kind, made.created_at) == ("您有1份成果待互评。", "test", now())
    assert (made.delivered_at, made.delivered_by) == (None, None)
    due = school.session.scalars(select(DueWork).where(DueWork.kind == WorkKind.DELIVER_MESSAGES))
    assert sorted(item.subject_id for item in due) == [first.id, second.id]


def test_nobody_is_told_nothing(school: School) -> None:
    told = {"round_id": school.round.id, "kind": "task.due", "sentence": "请看"}
    messages.tell_many(school.session, people=[], **told)
    assert school.session.scalars(select(Message).where(Message.kind == "task.due")).all() == []


def test_what_waits_for_a_person_goes_out_together_without_what_is_said_twice(school: School, clock: Clock) -> None:
    first, second = school.teachers[:2]
    first.contact = "wang@example.cn"
    mine = [tell(school, first, text) for text in ("甲", "乙", "甲")]
    other = tell(school, second, "秘密")
    messenger = NullMessenger()
    messages.deliver(school.session, person_id=first.id, messenger=messenger)
    assert messenger.sent == [("wang@example.cn", "甲\n乙")]
    assert [(one.delivered_by, one.delivered_at) for one in mine] == [("inbox", now())] * 3
    assert other.delivered_at is None
    messages.deliver(school.session, person_id=first.id, messenger=messenger)
    assert len(messenger.sent) == 1  # nothing waits: nothing goes out


def test_a_message_that_is_not_taken_waits_on(school: School) -> None:
    class Away:
        def send(self, *, to: str | None, text: str) -> str:  # noqa: ARG002 - what a messenger is given
            raise MessageNotDelivered(services="邮件")

    made = tell(school, school.teachers[0], "甲")
    with pytest.raises(MessageNotDelivered) as no:
        messages.deliver(school.session, person_id=school.teachers[0].id, messenger=Away())
    assert (no.value.status, str(no.value)) == (502, "消息未能送达：邮件没有接收。")
    assert (made.delivered_at, made.delivered_by) == (None, None)
