from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from models import Message, Review, ReviewSign, Submission
from review_flow.clock import move_to, now
from review_flow.errors import NotAllowed
from review_flow.steps import claims, effort, reviews
from tests.cast import School

LONG = "教学目标清楚，课件制作精细，课堂提问有层次，小组活动充分，建议补充课后反馈材料。"


@pytest.fixture
def ready(school: School) -> School:
    school.open()
    for person in school.teachers[:2]:
        school.ready(person)
        school.seal(person)
    return school


def review(school: School, *, person: int, mark: str, comment: str, seconds: int = 600) -> list[str]:
    """Take a work, read it so long, and hand the review in; returns the signs that were kept."""
    actor = school.teachers[person]
    task = claims.claim(school.session, actor=actor, round_=school.round)
    work = school.session.get_one(Submission, task.submission_id)
    move_to(now() + timedelta(seconds=seconds))
    form = {**school.review_form(mark, submission=work), "comment": comment}
    made = reviews.submit(school.session, actor=actor, assignment=task, form=form)
    signs = select(ReviewSign.sign).where(ReviewSign.review_id == made.id).order_by(ReviewSign.id)
    return list(school.session.scalars(signs))


def told(school: School, person: int) -> list[str]:
    mine = select(Message.text).where(Message.person_id == school.teachers[person].id, Message.kind == "review.effort")
    return list(school.session.scalars(mine.order_by(Message.id)))


def test_a_careful_review_has_no_sign(ready: School) -> None:
    assert review(ready, person=2, mark="85", comment=LONG) == []
    assert told(ready, 2) == []


def test_the_clock_between_two_reviews_bounds_the_time(ready: School) -> None:
    assert review(ready, person=2, mark="85", comment=LONG, seconds=59) == ["hurried"]
    assert review(ready, person=2, mark="80", comment="导入自然流畅，板书设计合理。", seconds=60) == []
    assert told(ready, 2) == ["您刚提交的互评有这些迹象：用时很短。这不影响分数和权重；如果确有原因，可以不必理会。"]


def test_who_writes_several_side_by_side_is_not_hurried(ready: School) -> None:
    session, actor = ready.session, ready.teachers[2]
    tasks = [claims.claim(session, actor=actor, round_=ready.round) for _turn in range(3)]
    for task in tasks[:2]:
        reviews.save_draft(session, actor=actor, assignment=task, draft={"comment": "开头"})
    move_to(now() + timedelta(days=1))
    for task in tasks[:2]:
        reviews.save_draft(session, actor=actor, assignment=task, draft={"comment": "写完了"})
    for place, task in enumerate(tasks):
        move_to(now() + timedelta(seconds=30))
        form = ready.review_form(str(85 - place), submission=session.get_one(Submission, task.submission_id))
        reviews.submit(session, actor=actor, assignment=task, form={**form, "comment": f"{LONG}{place * 7}"[place:]})
    signs = session.execute(
        select(Review.assignment_id, ReviewSign.sign).join(Review, Review.id == ReviewSign.review_id)
    )
    hurried = [task for task, sign in signs if sign == "hurried"]
    assert hurried == [tasks[2].id]  # the third was begun after the second was in


def test_one_text_and_one_mark_for_all(ready: School) -> None:
    found = [review(ready, person=2, mark="85", comment="教学设计很好，值得学习。") for _turn in range(3)]
    assert found == [[], ["same_text"], ["same_text", "straight"]]


def test_a_comment_of_somebody_else_on_the_same_ability(ready: School) -> None:
    assert review(ready, person=2, mark="85", comment=LONG) == []
    assert review(ready, person=3, mark="80", comment="导入自然流畅，板书设计合理。") == []
    assert review(ready, person=4, mark="75", comment=LONG.replace("建议", "请")) == []  # another ability
    made = reviews.add_sample(
        ready.session,
        actor=ready.admin,
        round_=ready.round,
        ability="A1",
        title="样例",
        form=ready.review_form("82"),
    )
    task = claims.take_sample(ready.session, actor=ready.teachers[3], round_=ready.round)
    move_to(now() + timedelta(seconds=600))
    form = {**ready.review_form("70"), "comment": LONG}
    review_ = reviews.submit(ready.session, actor=ready.teachers[3], assignment=task, form=form)
    signs = ready.session.scalars(select(ReviewSign.sign).where(ReviewSign.review_id == review_.id)).all()
    assert (made.ability, signs) == ("A1", ["copied"])


def test_humans_see_a_sign_after_its_reviewer_and_nothing_else_changes(ready: School) -> None:
    review(ready, person=2, mark="85", comment="教学设计很好，值得学习。", seconds=5)
    review(ready, person=2, mark="85", comment="教学设计很好，值得学习。", seconds=5)
    admin, member, session = ready.admin, ready.members[0], ready.session
    assert effort.signs_of(session, actor=admin, round_=ready.round) == []
    move_to(now() + timedelta(hours=24))
    for actor in (admin, member):
        seen = effort.signs_of(session, actor=actor, round_=ready.round)
        assert [(person.number, signs) for person, _review, signs in seen] == [
            ("T03", ["hurried"]),
            ("T03", ["hurried", "same_text"]),
        ]
        assert [str(review.mark) for _person, review, _signs in seen] == ["85.00"] * 2
    for other in (ready.teachers[2], ready.hearers[0]):
        with pytest.raises(NotAllowed):
            effort.signs_of(session, actor=other, round_=ready.round)


def test_a_scheme_that_looks_for_no_copies_reads_no_other_comments(ready: School) -> None:
    from tests.steps.test_disagreement import changed

    review(ready, person=2, mark="85", comment=LONG)
    task = claims.claim(ready.session, actor=ready.teachers[3], round_=ready.round)
    work = ready.session.get_one(Submission, task.submission_id)
    form = {**ready.review_form("80", submission=work), "comment": LONG}
    made = reviews.submit(ready.session, actor=ready.teachers[3], assignment=task, form=form)
    ready.session.query(ReviewSign).delete()
    scheme = changed(effort={"copied_share": "0", "min_seconds": 0})
    assert effort.note(ready.session, scheme=scheme, assignment=task, review=made) == ()
