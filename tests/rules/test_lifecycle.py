from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from review_flow.rules import lifecycle
from review_flow.rules.lifecycle import (
    TRANSITIONS,
    EnrolmentState,
    IllegalMoveError,
    ResultState,
    RoundPhase,
    SchemeState,
    State,
    SubmissionState,
    allows,
    diagrams,
    document,
    move,
)

MACHINES: list[type[State]] = [SchemeState, RoundPhase, EnrolmentState, SubmissionState, ResultState]
ENDS: dict[type[State], set[State]] = {
    SchemeState: {SchemeState.RETIRED},
    RoundPhase: {RoundPhase.CLOSED},
    EnrolmentState: {EnrolmentState.ASSESSED},
    SubmissionState: {SubmissionState.CLOSED},
    ResultState: {ResultState.SUPERSEDED},
}
PAGE = Path(__file__).parents[2] / "docs" / "lifecycle.md"


def onward(state: State) -> set[State]:
    return {t.target for t in TRANSITIONS if state in t.sources}


def reached(start: State) -> set[State]:
    found = {start}
    while more := {target for state in found for target in onward(state)} - found:
        found |= more
    return found


@pytest.mark.parametrize("machine", MACHINES)
def test_every_state_is_reached_from_the_first(machine: type[State]) -> None:
    assert reached(next(iter(machine))) == set(machine)


@pytest.mark.parametrize("machine", MACHINES)
def test_only_the_ends_lead_nowhere_and_every_state_leads_to_an_end(machine: type[State]) -> None:
    ends = {state for state in machine if not onward(state) - {state}}
    assert ends == ENDS[machine]
    assert [state for state in machine if not reached(state) & ends] == []


def test_a_transition_stays_within_its_machine_and_says_who_and_when() -> None:
    for transition in TRANSITIONS:
        assert {type(source) for source in transition.sources} == {type(transition.target)}
        assert transition.actor
        assert transition.guard


def test_every_rule_of_the_lifecycle_is_there() -> None:
    assert {t.rule for t in TRANSITIONS} == {f"T{number}" for number in range(1, 24)}


def test_a_move_is_taken_or_refused() -> None:
    assert move(SubmissionState.DRAFT, SubmissionState.SEALED) is SubmissionState.SEALED
    assert allows(SubmissionState.DRAFT, SubmissionState.GRADED) is False
    with pytest.raises(IllegalMoveError) as no:
        move(SubmissionState.DRAFT, SubmissionState.GRADED)
    assert str(no.value) == "草稿 → 已定等级"
    assert (no.value.source, no.value.target) == (SubmissionState.DRAFT, SubmissionState.GRADED)


def test_machines_that_share_a_word_do_not_share_a_state() -> None:
    assert SchemeState.PUBLISHED.value == ResultState.PUBLISHED.value
    assert len({SchemeState.PUBLISHED, ResultState.PUBLISHED}) == 2
    assert SchemeState("published") is SchemeState.PUBLISHED


@pytest.mark.parametrize("machine", MACHINES)
def test_no_two_states_of_a_machine_read_the_same(machine: type[State]) -> None:
    assert len({state.label for state in machine}) == len(machine)


def test_a_diagram_draws_every_state_and_every_move() -> None:
    drawn = dict(diagrams())
    assert drawn["Scheme 考核方案"].splitlines() == [
        "stateDiagram-v2",
        "    draft: 草案",
        "    published: 已发布",
        "    retired: 已停用",
        "    draft --> published: T1 领导小组",
        "    published --> retired: T1 领导小组",
    ]
    assert len(drawn) == len(MACHINES)
    arrows = sum(diagram.count("-->") for diagram in drawn.values())
    assert arrows == sum(len(t.sources) for t in TRANSITIONS)


def test_the_documentation_is_what_runs() -> None:
    assert PAGE.read_text(encoding="utf-8") == document()


def test_the_module_writes_the_documentation(capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_path(lifecycle.__file__, run_name="__main__")
    assert capsys.readouterr().out == document()
