from __future__ import annotations

import pytest
from sqlalchemy import select

from models import DueWork, Message
from review_flow.clock import now
from review_flow.outside.messages import MessageNotDelivered, NullMessenger
from review_flow.rules.words import RoleKind, WorkKind
from review_flow.steps import messages, people
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


def test_one_s_own_messages_the_newest_first_page_by_page(school: School) -> None:
    first, second = school.teachers[:2]
    for text in "甲乙丙":
        tell(school, first, text)
    tell(school, second, "秘密")
    pages = [messages.inbox(school.session, person=first, number=number, each=2) for number in (1, 2, 3)]
    assert [([one.text for one in found], count) for found, count in pages] == [(["丙", "乙"], 3), (["甲"], 3), ([], 3)]


def test_what_was_read_is_no_longer_counted_and_what_came_meanwhile_is(school: School, clock: Clock) -> None:
    first, second = school.teachers[:2]
    read = [tell(school, first, text) for text in "甲乙"]
    other = tell(school, second, "秘密")
    late = tell(school, first, "丙")
    clock.day(3, 2)
    messages.mark_read(school.session, actor=first, newest_id=read[-1].id)
    moment = now()
    clock.day(3, 3)
    messages.mark_read(school.session, actor=first, newest_id=read[-1].id)
    for one in (*read, other, late):
        school.session.refresh(one)
    assert [one.read_at for one in (*read, other, late)] == [moment, moment, None, None]
    assert [one.text for one in messages.unread(school.session, person=first, most=3)] == ["丙"]
    assert [people.head(school.session, person=one).unread for one in (first, second)] == [1, 1]
    messages.mark_read(school.session, actor=first, newest_id=late.id)
    assert people.head(school.session, person=first) == people.Head(
        frozenset({RoleKind.TEACHER}), seated=False, unread=0, to_review=0, review_due_at=None
    )
