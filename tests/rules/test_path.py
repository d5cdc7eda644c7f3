from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from review_flow.rules.lifecycle import EnrolmentState, ResultState, SubmissionState
from review_flow.rules.path import Stage, way

E, S, R = EnrolmentState, SubmissionState, ResultState


@pytest.mark.parametrize(
    ("enrolment", "works", "left", "result", "stage"),
    [
        (E.REGISTERED, [], 0, None, Stage.READ),
        (E.INFORMED, [], 0, None, Stage.SELF_TEST),
        (E.SELF_TESTED, [], 0, None, Stage.CHOOSE),
        (E.SELECTED, [S.DRAFT, S.SEALED], 2, None, Stage.EVIDENCE),
        (E.SELECTED, [S.CORRECTING, S.IN_PANEL], 0, None, Stage.EVIDENCE),
        (E.SELECTED, [S.SEALED, S.SUBMITTED], 1, None, Stage.REVIEW),
        (E.SELECTED, [S.SEALED, S.SUBMITTED], 0, None, Stage.SUBMIT),
        (E.SELECTED, [S.SUBMITTED, S.GRADED], 0, None, Stage.WAIT),
        (E.ASSESSED, [S.GRADED], 0, R.BANDED, Stage.WAIT),
        (E.ASSESSED, [S.GRADED], 0, R.TO_SIGN, Stage.SIGN),
        (E.ASSESSED, [S.SEALED], 3, R.PUBLISHED, Stage.SIGN),
        (E.ASSESSED, [S.GRADED], 0, R.FINAL, Stage.DONE),
    ],
)
def test_the_next_stage(enrolment: E, works: list[S], left: int, result: R | None, stage: Stage) -> None:
    assert way(enrolment, works, reviews_left=left, result=result).stage is stage


def test_a_scheme_without_abilities_leads_from_the_self_test_to_the_panel() -> None:
    found = way(E.SELF_TESTED, [], reviews_left=0, result=None, chooses=False)
    assert (found.stage, len(found.stages)) == (Stage.WAIT, 5)


def test_who_need_not_choose_and_did_hands_it_in_like_everybody() -> None:
    stages = [
        way(enrolment, [work], reviews_left=0, result=None, chooses=False).stage
        for enrolment, work in ((E.SELF_TESTED, S.DRAFT), (E.SELECTED, S.SEALED), (E.SELECTED, S.GRADED))
    ]
    assert stages == [Stage.EVIDENCE, Stage.SUBMIT, Stage.WAIT]


@given(
    enrolment=st.sampled_from(E),
    works=st.lists(st.sampled_from(S)),
    left=st.integers(0, 3),
    result=st.none() | st.sampled_from(R),
    chooses=st.booleans(),
)
def test_there_is_always_a_next_stage(
    enrolment: E, works: list[S], left: int, result: R | None, *, chooses: bool
) -> None:
    found = way(enrolment, works, reviews_left=left, result=result, chooses=chooses)
    assert found.stages[found.at] is found.stage
