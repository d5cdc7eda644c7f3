from __future__ import annotations

import inspect
import json
import pkgutil
import re
from datetime import timedelta
from importlib import import_module
from pathlib import Path

import pytest
from sqlalchemy import func, select

import review_flow.steps
from models import AuditEvent, DueWork, Message, Webhook, WebhookDelivery
from review_flow.clock import now
from review_flow.errors import BadInput, NotAllowed, NotFound
from review_flow.outside.webhooks import Answer, NotForOutside
from review_flow.rules.webhooks import EVENTS, KEPT_FOR, PAUSES, next_try
from review_flow.rules.words import WorkKind
from review_flow.steps import messages, people, webhooks
from review_flow.steps.sealing import unsealed
from tests.cast import Clock, School, queries

ROOT = Path(__file__).parent.parent.parent
KEYS = (b"k" * 32,)
URL = "https://oa.school.test/hook"
NO, YES = Answer(500), Answer(204)


def make(school: School, *events: str, url: str = URL) -> tuple[Webhook, str]:
    wanted = events or ("result.published",)
    return webhooks.make(school.session, actor=school.admin, url=url, events=wanted, seal_keys=KEYS)


def tell(school: School, kind: str = "result.published") -> Message:
    person = school.teachers[0]
    return messages.tell(school.session, person_id=person.id, round_id=school.round.id, kind=kind, sentence="已公示")


def due(school: School, webhook: Webhook) -> list[webhooks.Telling]:
    return webhooks.due(school.session, webhook_id=webhook.id, seal_keys=KEYS)


def answer(school: School, webhook: Webhook, *said: Answer) -> object:
    found = zip([one.id for one in due(school, webhook)], said, strict=True)
    return webhooks.record(school.session, webhook_id=webhook.id, answers=list(found))


def booked(school: School) -> list[int]:
    rows = select(DueWork.subject_id).where(DueWork.kind == WorkKind.DELIVER_WEBHOOKS)
    return list(school.session.scalars(rows))


def test_news_that_is_wanted_is_booked_with_ids_alone(school: School) -> None:
    webhook, secret = make(school)
    unwanted, _secret = make(school, "round.opened")
    message = tell(school)
    [telling] = due(school, webhook)
    assert (telling.url, telling.public_id[:4], secret[:6], len(telling.secret)) == (URL, "msg_", "whsec_", 32)
    assert json.loads(telling.body) == {
        "type": "result.published",
        "timestamp": now().isoformat(),
        "data": {
            "organization_id": school.organization.id,
            "message_id": message.id,
            "person_id": school.teachers[0].id,
            "round_id": school.round.id,
        },
    }
    assert (due(school, unwanted), booked(school)) == ([], [webhook.id])
    assert telling.secret not in webhook.sealed_secret


def test_many_are_told_in_as_many_statements_as_one(school: School) -> None:
    webhook, _secret = make(school, "round.opened")
    make(school, "round.opened", "result.published")

    def asked(count: int) -> int:
        people_ = [one.id for one in school.teachers[:count]]
        with queries(school.session) as sent:
            messages.tell_many(
                school.session, people=people_, round_id=None, kind="round.opened", sentence="考核已经开始"
            )
        return len(sent)

    asked(4)  # from now on everything that is to be done is asked for already
    assert asked(1) == asked(3)
    told = [json.loads(one.body)["data"]["person_id"] for one in due(school, webhook)]
    assert told == [school.teachers[number].id for number in (0, 1, 2, 3, 0, 0, 1, 2)]


def test_every_kind_of_message_is_known_to_webhooks() -> None:
    told = set()
    for module in pkgutil.iter_modules(review_flow.steps.__path__, "review_flow.steps."):
        steps = import_module(module.name)
        source = inspect.getsource(steps)
        told |= {getattr(steps, name) for name in re.findall(r"\bkind=([A-Z_]+),", source)}
        told |= set(re.findall(r'kind="([a-z_]+\.[a-z_]+)"', source))
        told |= set(re.findall(r'kind="[a-z_.]+" if \w+ else "([a-z_]+\.[a-z_]+)"', source))
    assert set(EVENTS) == told
    assert list(EVENTS) == sorted(EVENTS)
    listed = (ROOT / "docs" / "api.md").read_text(encoding="utf-8").split("\nEvents: ")[1].split(".\n")[0]
    assert re.findall(r"`([a-z_.]+)`", listed) == list(EVENTS)


def test_what_failed_is_tried_again_later_and_later_then_given_up(school: School, clock: Clock) -> None:
    webhook, _secret = make(school)
    tell(school)
    for pause in PAUSES:
        assert answer(school, webhook, NO) == now() + pause
        assert due(school, webhook) == []
        clock.to(now() + pause)
    assert answer(school, webhook, NO) is None
    [telling] = school.session.scalars(select(WebhookDelivery))
    assert (telling.attempts, telling.status, telling.next_at, telling.delivered_at) == (10, 500, None, None)
    assert next_try(10, at=now()) is None


def test_what_arrived_is_not_sent_again(school: School) -> None:
    webhook, _secret = make(school)
    tell(school)
    tell(school)
    assert answer(school, webhook, NO, YES) == now() + PAUSES[0]
    first, second = school.session.scalars(select(WebhookDelivery).order_by(WebhookDelivery.id))
    assert (first.delivered_at, second.delivered_at, second.next_at) == (None, now(), None)
    assert webhook.failing_since is None


def test_who_takes_nothing_for_days_is_switched_off_and_the_administrators_told(school: School, clock: Clock) -> None:
    webhook, _secret = make(school, "webhook.disabled", "result.published")
    other, _secret = make(school, "webhook.disabled")
    tell(school)
    began = now()
    answer(school, webhook, Answer(None, "TimeoutError"))
    clock.to(began + timedelta(days=5))
    tell(school)
    assert answer(school, webhook, NO, NO) is None
    assert (webhook.disabled_at, webhook.disabled_reason) == (now(), "连续多日没有送达，或对方已不再接收")
    told = school.session.scalars(select(Message).where(Message.kind == "webhook.disabled")).one()
    assert (told.person_id, "已停用" in told.text) == (school.admin.id, True)
    assert [json.loads(one.body)["type"] for one in due(school, other)] == ["webhook.disabled"]
    assert due(school, webhook) == []
    tell(school)
    assert (
        len(school.session.scalars(select(WebhookDelivery).where(WebhookDelivery.webhook_id == webhook.id)).all()) == 2
    )


def test_who_says_they_are_gone_is_believed_once(school: School) -> None:
    webhook, _secret = make(school)
    tell(school)
    tell(school)
    assert answer(school, webhook, Answer(410), Answer(410)) is None
    assert webhook.disabled_at is not None
    webhooks.record(school.session, webhook_id=webhook.id, answers=[])
    deeds = school.session.scalars(select(AuditEvent.deed).where(AuditEvent.deed.like("webhook.%"))).all()
    assert deeds == ["webhook.make", "webhook.disable"]


def test_switched_on_again_it_gets_what_waited(school: School, clock: Clock) -> None:
    webhook, _secret = make(school)
    tell(school)
    webhooks.change(school.session, actor=school.admin, webhook=webhook, events=["round.opened"], on=False)
    assert (due(school, webhook), webhook.disabled_reason) == ([], "由管理员停用")
    webhooks.change(school.session, actor=school.admin, webhook=webhook, events=["round.opened"], on=False)
    webhooks.change(school.session, actor=school.admin, webhook=webhook, events=["round.opened"], on=True)
    assert (len(due(school, webhook)), webhook.events, webhook.disabled_reason) == (1, ["round.opened"], None)
    webhooks.test(school.session, actor=school.admin, webhook=webhook)
    assert [json.loads(one.body)["type"] for one in due(school, webhook)] == ["result.published", "webhook.test"]
    on_its_way = due(school, webhook)[0].id
    webhooks.remove(school.session, actor=school.admin, webhook=webhook)
    assert due(school, webhook) == []
    assert webhooks.record(school.session, webhook_id=webhook.id, answers=[(on_its_way, YES)]) is None
    with pytest.raises(NotFound):
        webhooks.webhook_of(school.session, actor=school.admin, key=webhook.id)
    assert school.session.scalars(webhooks.deliveries(webhook)).all() == []


def test_what_arrived_is_forgotten_after_a_time(school: School, clock: Clock) -> None:
    webhook, _secret = make(school)
    for said in (YES, NO):
        tell(school)
        answer(school, webhook, said)
    other, _secret = make(school, "round.opened")
    tell(school, "round.opened")
    answer(school, other, YES)
    first = now()
    clock.to(first + KEPT_FOR)
    tell(school)
    answer(school, webhook, YES, YES)
    assert school.session.scalar(select(func.count()).select_from(WebhookDelivery)) == 4
    clock.to(now() + timedelta(seconds=1))
    tell(school)
    answer(school, webhook, YES)
    kept = school.session.scalars(select(WebhookDelivery).order_by(WebhookDelivery.id)).all()
    assert [(one.webhook_id, one.created_at - first) for one in kept] == [
        (other.id, timedelta(0)),
        (webhook.id, KEPT_FOR),
        (webhook.id, KEPT_FOR + timedelta(seconds=1)),
    ]


def test_only_a_school_s_administrator_sets_up_where_it_may(school: School) -> None:
    session = school.session
    webhook, _secret = make(school)
    _other, stranger = people.found_school(session, name="第二中学", admin_number="Z01", admin_name="吴静")
    with pytest.raises(NotAllowed):
        webhooks.make(session, actor=school.teachers[0], url=URL, events=["round.opened"], seal_keys=KEYS)
    with pytest.raises(NotFound):
        webhooks.webhook_of(session, actor=stranger, key=webhook.id)
    with pytest.raises(NotFound):
        webhooks.webhook_of(session, actor=school.admin, key=987_654)
    assert webhooks.webhook_of(session, actor=school.admin, key=webhook.id) is webhook
    with pytest.raises(NotForOutside):
        make(school, url="https://127.0.0.1/hook")
    with pytest.raises(BadInput, match="没有这样的事件：nothing"):
        make(school, "nothing.known", "round.opened")
    with pytest.raises(BadInput, match="至少选一项"):
        webhooks.make(session, actor=school.admin, url=URL, events=[], seal_keys=KEYS)
    for _time in range(webhooks.MOST - 1):
        make(school)
    with pytest.raises(webhooks.TooManyWebhooks):
        make(school)


def test_another_school_s_news_is_not_told(school: School) -> None:
    _other, stranger = people.found_school(school.session, name="第二中学", admin_number="Z01", admin_name="吴静")
    theirs, _secret = webhooks.make(
        school.session, actor=stranger, url=URL, events=["result.published"], seal_keys=KEYS
    )
    tell(school)
    assert due(school, theirs) == []


def test_a_changed_key_still_signs_as_before_and_is_sealed_anew(school: School) -> None:
    webhook, secret = make(school)
    changed = (b"n" * 32, *KEYS)
    assert [webhooks.seal_anew(school.session, seal_keys=changed).count for _time in range(2)] == [1, 0]
    sealed = school.session.get_one(Webhook, webhook.id).sealed_secret
    opened = unsealed(changed[:1], sealed, bound_to=webhooks._owner(webhook.organization_id))
    assert webhooks.shown_secret(opened) == secret
