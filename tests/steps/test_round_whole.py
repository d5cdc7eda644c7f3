from __future__ import annotations

from review_flow.rules.lifecycle import ResultState, RoundPhase
from review_flow.steps import advance, results
from tests.cast import School


def test_a_round_goes_from_the_first_to_the_last_step(school: School, clock) -> None:
    school.open().whole()
    advance.advance(school.session, round_=school.round)
    assert school.round.phase is RoundPhase.SCORING
    made = school.compose()
    assert [result.score for result in made] == [85] * 5
    assert {result.proposed_grade for result in made} == {"优秀"}
    results.confirm_all(school.session, actor=school.members[0], round_=school.round)
    results.publish(school.session, actor=school.admin, round_=school.round)
    clock.day(4, 20)
    advance.advance(school.session, round_=school.round)
    results.sign(school.session, actor=school.teachers[0], result=made[0])
    clock.day(5, 20)
    advance.advance(school.session, round_=school.round)
    assert {result.state for result in made} == {ResultState.FINAL}
    advance.close(school.session, actor=school.admin, round_=school.round)
    assert school.round.phase is RoundPhase.CLOSED
