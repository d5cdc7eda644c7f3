from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from models import DueWork
from review_flow.clock import now
from review_flow.errors import NotAllowed
from review_flow.outside.storage import MemoryStorage
from review_flow.rules.words import ExportKind, WorkKind
from review_flow.steps import exports, jobs, work
from review_flow.steps.jobs import JobAt
from tests.cast import School, queries


def seen(school: School) -> list[tuple[str, JobAt]]:
    return [(one.name, one.at) for one in jobs.of_round(school.session, actor=school.admin, round_=school.round)]


def test_work_is_followed_from_booked_to_done(school: School) -> None:
    assert seen(school) == []
    work.enqueue(
        school.session, kind=WorkKind.FINALISE_ROUND, subject_id=school.round.id, due_at=now() + timedelta(hours=1)
    )
    assert seen(school) == [("合成成绩", JobAt.BOOKED)]
    row = school.session.scalars(select(DueWork).where(DueWork.kind == WorkKind.FINALISE_ROUND)).one()
    row.due_at = now()
    assert seen(school) == [("合成成绩", JobAt.WAITING)]
    row.lease_token, row.lease_until = "held", now() + timedelta(minutes=1)
    assert seen(school) == [("合成成绩", JobAt.RUNNING)]
    row.lease_token = row.lease_until = None
    row.parked_at, row.parked_reason = now(), "磁盘已满"
    assert seen(school) == [("合成成绩", JobAt.PARKED)]
    row.parked_at = row.parked_reason = None
    row.done_at = now()
    assert seen(school) == [("合成成绩", JobAt.DONE)]
    work.enqueue(school.session, kind=WorkKind.FINALISE_ROUND, subject_id=school.round.id)
    assert seen(school) == [("合成成绩", JobAt.WAITING)]


def test_files_are_followed_to_their_end(school: School) -> None:
    asked = exports.start(school.session, actor=school.admin, round_=school.round, kind=ExportKind.RESULTS)
    assert seen(school) == [("考核结果表", JobAt.WAITING)]
    exports.run(school.session, export=asked, storage=MemoryStorage())
    [job] = jobs.of_round(school.session, actor=school.admin, round_=school.round)
    assert (job.at, job.moment, job.export) == (JobAt.DONE, now(), asked)


def test_it_is_the_administrator_s_in_two_questions(school: School) -> None:
    with pytest.raises(NotAllowed):
        jobs.of_round(school.session, actor=school.teachers[0], round_=school.round)
    for _time in range(3):
        exports.start(school.session, actor=school.admin, round_=school.round, kind=ExportKind.RESULTS)
    with queries(school.session) as sent:
        seen(school)
    assert len(sent) == 3  # and whether one may
