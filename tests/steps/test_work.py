from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from models import DueWork, Message, Person
from review_flow.clock import now
from review_flow.db import transaction
from review_flow.rules.words import WorkKind
from review_flow.steps import people, work
from review_flow.steps.work import FIRST_PAUSE, MOST_ATTEMPTS, LeaseLost
from tests.cast import Clock

LEASE = timedelta(minutes=5)
KINDS = [WorkKind.CHECK_EVIDENCE]


def rows(session: Session) -> list[DueWork]:
    return list(session.scalars(select(DueWork).order_by(DueWork.id)))


def put(session: Session, subject_id: int = 1, **names) -> None:
    work.enqueue(session, kind=WorkKind.CHECK_EVIDENCE, subject_id=subject_id, **names)


def take(session: Session, worker: str = "甲", *, lease: timedelta = LEASE) -> DueWork | None:
    return work.claim(session, kinds=KINDS, worker=worker, lease=lease)


def token_of(item: DueWork | None) -> tuple[int, str]:
    assert item is not None
    assert item.lease_token is not None
    return item.id, item.lease_token


def by_threads(count: int, lane: Callable[[int], None]) -> None:
    """Run a lane in so many threads that begin together; raise what one of them raised."""
    begin = threading.Barrier(count)
    errors: list[BaseException] = []

    def guarded(number: int) -> None:
        try:
            begin.wait()
            lane(number)
        except BaseException as error:  # noqa: BLE001 - raised again in the test's own thread
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def test_sixteen_threads_do_each_of_a_hundred_items_exactly_once(engine: Engine) -> None:
    with transaction(engine) as session:
        _school, admin = people.found_school(session, name="实验中学", admin_number="A01", admin_name="陈静")
        for subject_id in range(100):
            put(session, subject_id)

    def lane(number: int) -> None:
        while True:
            with transaction(engine) as session:
                item = take(session, f"线程{number}")
                if item is None:
                    return
                work_id, token = token_of(item)
            with transaction(engine) as session:
                session.add(Message(person_id=admin.id, kind="done", text=f"{work_id}", created_at=now()))
                work.finish(session, work_id=work_id, token=token)

    by_threads(16, lane)
    with transaction(engine) as session:
        effects = Counter(session.scalars(select(Message.text)))
        assert effects == {str(item.id): 1 for item in rows(session)}
        assert len(effects) == 100
        assert {(item.attempts, item.lease_token) for item in rows(session)} == {(0, None)}
        assert all(item.done_at for item in rows(session))


def test_two_enqueues_at_once_leave_one_row(engine: Engine) -> None:
    for subject_id in range(10):

        def lane(_number: int, subject_id: int = subject_id) -> None:
            with transaction(engine) as session:
                put(session, subject_id)

        by_threads(4, lane)
    with transaction(engine) as session:
        assert [item.subject_id for item in rows(session)] == list(range(10))


def test_an_enqueue_that_comes_second_still_moves_the_row_forward(engine: Engine, clock: Clock) -> None:
    """Between the look and the insert somebody else's row came, due later than ours."""
    if engine.dialect.name == "sqlite":
        pytest.skip("SQLite's immediate transactions follow each other: nothing comes between")
    later = now() + timedelta(hours=1)
    first_inserted, second_looked = threading.Event(), threading.Event()

    def lane(number: int) -> None:
        with transaction(engine) as session:
            if number == 0:
                put(session, due_at=later)
                first_inserted.set()
                second_looked.wait(2)
                return
            first_inserted.wait()
            threading.Timer(0.2, second_looked.set).start()
            put(session)

    by_threads(2, lane)
    with transaction(engine) as session:
        assert [item.due_at for item in rows(session)] == [now()]


def test_a_lease_lost_rolls_the_effect_back_and_the_item_comes_back(engine: Engine, clock: Clock) -> None:
    with transaction(engine) as session:
        _school, admin = people.found_school(session, name="实验中学", admin_number="A01", admin_name="陈静")
        put(session)
    with transaction(engine) as session:
        work_id, stale = token_of(take(session, "慢"))
    clock.to(now() + LEASE)
    with transaction(engine) as session:
        assert take(session, "快") is None  # the lease's last moment still counts
    clock.to(now() + timedelta(seconds=1))
    with transaction(engine) as session:
        again, token = token_of(take(session, "快"))
        assert again == work_id
        assert token != stale
    with pytest.raises(LeaseLost) as lost:
        finish_with_effect(engine, admin, work_id=work_id, token=stale)
    assert (lost.value.status, str(lost.value)) == (409, "这项工作的租约已到期并由他人接手，本次结果作废。")
    with pytest.raises(LeaseLost), transaction(engine) as session:
        work.fail(session, work_id=work_id, token=stale, reason="慢")
    with pytest.raises(LeaseLost), transaction(engine) as session:
        work.give_back(session, work_id=work_id, token=stale)
    with transaction(engine) as session:
        session.add(Message(person_id=admin.id, kind="done", text="快", created_at=now()))
        work.finish(session, work_id=work_id, token=token)
    with transaction(engine) as session:
        assert list(session.scalars(select(Message.text))) == ["快"]


def finish_with_effect(engine: Engine, person: Person, *, work_id: int, token: str) -> None:
    with transaction(engine) as session:
        session.add(Message(person_id=person.id, kind="done", text="慢", created_at=now()))
        work.finish(session, work_id=work_id, token=token)


def test_a_lease_is_renewed_by_its_holder_only(session: Session, clock: Clock) -> None:
    put(session)
    work_id, token = token_of(take(session))
    clock.to(now() + timedelta(minutes=4))
    assert work.renew(session, work_id=work_id, token=token, lease=LEASE) is True
    assert work.renew(session, work_id=work_id, token="0" * 32, lease=LEASE) is False
    clock.to(now() + timedelta(minutes=4))
    assert take(session) is None
    work.finish(session, work_id=work_id, token=token)
    session.flush()
    assert work.renew(session, work_id=work_id, token=token, lease=LEASE) is False


def test_a_failing_item_waits_longer_and_longer_then_is_parked_until_resumed(session: Session, clock: Clock) -> None:
    put(session)
    put(session, 2, due_at=now() + timedelta(days=1))
    pauses = []
    for _attempt in range(MOST_ATTEMPTS):
        work_id, token = token_of(take(session))
        work.fail(session, work_id=work_id, token=token, reason="读不出文件")
        session.flush()
        item = session.get_one(DueWork, work_id)
        if item.parked_at is None:
            pauses.append(item.due_at - now())
            assert take(session) is None  # it rests
            clock.to(item.due_at)
    assert pauses == [FIRST_PAUSE * n for n in (1, 3, 9, 27)]
    assert (item.parked_at, item.parked_reason, item.attempts) == (now(), "读不出文件", MOST_ATTEMPTS)
    assert take(session) is None
    assert work.due_kinds(session) == {}
    work.resume(session, work_id=work_id)
    session.flush()
    assert (item.parked_at, item.parked_reason, item.due_at) == (None, None, now())
    resumed = take(session)
    assert resumed is item
    assert resumed.attempts == 1


def test_a_parked_item_wakes_when_it_is_asked_for_again(session: Session, clock: Clock) -> None:
    put(session)
    item = park(session)
    put(session, due_at=now() + timedelta(days=1))
    assert (item.parked_at, item.parked_reason, item.attempts) == (None, None, 0)
    assert take(session) is item


def park(session: Session) -> DueWork:
    for _attempt in range(MOST_ATTEMPTS):
        item = session.scalars(select(DueWork)).one()
        item.due_at = now()
        session.flush()
        work_id, token = token_of(take(session))
        work.fail(session, work_id=work_id, token=token, reason="坏")
    session.flush()
    assert item.parked_reason == "坏"
    return item


def test_an_item_that_ends_its_worker_every_time_is_parked_too(session: Session, clock: Clock) -> None:
    put(session)
    put(session, 2, due_at=now() + timedelta(hours=1))
    for _attempt in range(MOST_ATTEMPTS):
        assert take(session) is not None
        clock.to(now() + LEASE + timedelta(seconds=1))
    clock.to(now() + timedelta(hours=1))
    survivor = take(session)
    assert survivor is not None
    assert survivor.subject_id == 2  # the others are not held up
    deadly = session.scalars(select(DueWork).where(DueWork.subject_id == 1)).one()
    assert (deadly.parked_at, deadly.lease_token, deadly.attempts) == (now(), None, MOST_ATTEMPTS)
    assert deadly.parked_reason == "连续5次没有做完：执行它的进程中断，或租约到期。"


def test_what_is_asked_for_during_a_lease_is_booked_by_finish(session: Session, clock: Clock) -> None:
    put(session)
    work_id, token = token_of(take(session))
    put(session, due_at=now() + timedelta(hours=2))
    put(session, due_at=now() + timedelta(hours=1))
    put(session, due_at=now() + timedelta(hours=3))
    work.finish(session, work_id=work_id, token=token)
    session.flush()
    (item,) = rows(session)
    assert (item.done_at, item.again_at, item.due_at) == (None, None, now() + timedelta(hours=1))
    clock.to(item.due_at)
    work_id, token = token_of(take(session))
    work.finish(session, work_id=work_id, token=token, again_at=now() + timedelta(hours=5))
    session.flush()
    assert (item.done_at, item.due_at) == (None, now() + timedelta(hours=5))


def test_a_finished_item_is_done_and_the_next_wish_is_a_row_of_its_own(session: Session, clock: Clock) -> None:
    put(session)
    work_id, token = token_of(take(session))
    work.finish(session, work_id=work_id, token=token)
    session.flush()
    put(session)
    assert [item.done_at for item in rows(session)] == [now(), None]


def test_a_waiting_item_moves_forward_and_never_back(session: Session, clock: Clock) -> None:
    put(session, due_at=now() + timedelta(hours=2))
    put(session, due_at=now() + timedelta(hours=1))
    put(session, due_at=now() + timedelta(hours=3))
    assert [item.due_at for item in rows(session)] == [now() + timedelta(hours=1)]
    assert take(session) is None


def test_the_most_urgent_then_the_longest_due_of_the_asked_kinds_comes_first(session: Session, clock: Clock) -> None:
    put(session, 1, due_at=now() - timedelta(minutes=1))
    put(session, 2, due_at=now() - timedelta(minutes=2))
    put(session, 3, priority=5)
    work.enqueue(session, kind=WorkKind.PURGE_FACES, subject_id=4, due_at=now() - timedelta(days=1))
    assert work.due_kinds(session) == {WorkKind.CHECK_EVIDENCE: 3, WorkKind.PURGE_FACES: 1}
    taken = [take(session) for _turn in range(4)]
    assert [item.subject_id if item else None for item in taken] == [3, 2, 1, None]
    assert work.due_kinds(session) == {WorkKind.PURGE_FACES: 1}


def test_an_item_given_back_is_free_at_once_and_no_attempt_is_counted(session: Session, clock: Clock) -> None:
    put(session)
    work_id, token = token_of(take(session))
    work.give_back(session, work_id=work_id, token=token)
    session.flush()
    (item,) = rows(session)
    assert (item.attempts, item.lease_token, item.lease_until, item.leased_by) == (0, None, None, None)
    assert take(session) is item


def test_what_nobody_takes_for_minutes_is_behind(session: Session, clock: Clock) -> None:
    assert work.is_behind(session) is False
    work.enqueue(session, kind=WorkKind.CHECK_EVIDENCE, subject_id=1)
    session.flush()
    clock.to(now() + timedelta(minutes=4))
    assert work.is_behind(session) is False
    clock.to(now() + timedelta(minutes=2))
    assert work.is_behind(session) is True
    assert work.claim(session, kinds=[WorkKind.CHECK_EVIDENCE], worker="w", lease=timedelta(seconds=60)) is not None
    assert work.is_behind(session) is False
