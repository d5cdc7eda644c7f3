from __future__ import annotations

import pytest
from sqlalchemy import select

from models import Assignment, Review
from review_flow.errors import NotAllowed
from review_flow.steps import advance, charts, results
from review_flow.steps.charts import Chart
from tests.cast import Clock, School, queries


def drawn(school: School) -> dict[str, Chart]:
    return {one.id: one for one in charts.of_round(school.session, actor=school.admin, round_=school.round)}


def test_a_round_that_has_not_begun_has_nothing_to_draw(school: School) -> None:
    assert drawn(school) == {}
    with pytest.raises(NotAllowed):
        charts.of_round(school.session, actor=school.teachers[0], round_=school.round)


def test_every_chart_counts_what_there_is(marked: School, clock: Clock) -> None:
    found = drawn(marked)
    assert list(found) == ["progress", "loads", "agreement", "abilities"]
    assert (found["progress"].labels, found["progress"].series) == (
        ["2026-03-02"],
        {"封存的成果": [15], "提交的成果": [15], "完成的互评": [45], "考核组评分": [45]},
    )
    assert sum(found["loads"].series["已完成"]) == 5
    assert sum((at + 1) * people for at, people in enumerate(found["loads"].series["已完成"])) == 45
    assert found["agreement"].series == {"成果数": [15, 0, 0, 0, 0]}
    assert (found["abilities"].labels, found["abilities"].series) == (["A1", "A3", "A5"], {"合格": [15, 15, 15]})
    clock.day(4, 4)
    advance.advance(marked.session, round_=marked.round)
    made = marked.compose()
    made[0].score, kept = None, made[0].score  # a scheme may grade without a number
    assert sum(drawn(marked)["scores"].series[made[0].proposed_grade]) == 4
    made[0].score = kept
    found = drawn(marked)
    assert (found["grades"].labels, found["grades"].series) == (["优秀", "合格", "不合格"], {"人数": [5, 0, 0]})
    assert sum(found["scores"].series[made[0].proposed_grade]) == 5
    results.confirm_all(marked.session, actor=marked.members[0], round_=marked.round)
    assert drawn(marked)["grades"].as_json() == {
        "kind": "bars",
        "axis": "等级",
        "labels": ["优秀", "合格", "不合格"],
        "series": [{"name": "人数", "values": [5, 0, 0]}],
    }


def test_a_day_is_the_school_s_and_adds_to_those_before(opened: School, clock: Clock) -> None:
    clock.day(3, 3, 1)  # still the day before in UTC
    opened.ready(opened.teachers[0])
    opened.seal(opened.teachers[0])
    clock.day(3, 5, 23)
    opened.ready(opened.teachers[1])
    opened.seal(opened.teachers[1])
    opened.session.flush()
    found = drawn(opened)["progress"]
    assert (found.labels, found.series) == (["2026-03-03", "2026-03-05"], {"封存的成果": [3, 6]})


def test_marks_far_apart_are_seen(opened: School) -> None:
    for person in opened.teachers:
        opened.ready(person)
        opened.seal(person)
    opened.allocate()
    for person, mark in zip(opened.teachers, ("60", "62", "70", "85", "95"), strict=True):
        opened.do_reviews(person, mark=mark)
    found = drawn(opened)["agreement"]
    assert found.labels == ["5分以内", "10分以内", "15分以内", "20分以内", "超过20分"]
    marks: dict[int, list[int]] = {}
    rows = select(Assignment.submission_id, Review.mark).join(Review, Review.assignment_id == Assignment.id)
    for work, mark in opened.session.execute(rows):
        marks.setdefault(work, []).append(int(mark))
    apart = [max(given) - min(given) for given in marks.values()]
    ends = [(-1, 5), (5, 10), (10, 15), (15, 20), (20, 100)]
    assert found.series["成果数"] == [sum(low < one <= high for one in apart) for low, high in ends]
    assert {sum(apart) > 0, len(set(apart)) > 1} == {True}


def test_questions_do_not_grow_with_the_round(marked: School) -> None:
    with queries(marked.session) as sent:
        drawn(marked)
    assert len(sent) == 9
