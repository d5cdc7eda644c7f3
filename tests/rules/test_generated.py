"""Laws of grading for any scheme that `check` accepts, and any record."""

from copy import deepcopy
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from review_flow.rules.grading import grade
from review_flow.rules.outcome import Outcome
from review_flow.rules.reader import RecordInvalid
from review_flow.rules.scheme import Scheme
from tests.rules.generated import composed, mutated, records

calm = settings(
    deadline=None, max_examples=25, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)
any_scheme = st.one_of(composed(), mutated())
JUNK = [
    None,
    True,
    -1,
    0,
    10**40,
    "",
    "x",
    "1E+999999",
    "1E-999999",
    "NaN",
    [],
    [None],
    [1],
    {},
    {"x": 1},
    1.5,
    "9999-12-31",
]


def graded(scheme: Scheme, record: dict[str, Any]) -> Outcome | RecordInvalid:
    try:
        return grade(scheme, record)
    except RecordInvalid as refused:
        return refused


@given(st.data())
@calm
def test_any_accepted_scheme_grades_any_record_and_replays_to_the_byte(data):
    scheme = data.draw(any_scheme)
    record = data.draw(records(scheme))
    first = graded(scheme, record)
    if isinstance(first, RecordInvalid):  # a mutated scheme may ask for a stranger shape; it says for which field
        assert first.field.split(".")[0].split("[")[0] in record
        return
    again = grade(Scheme.from_document(scheme.document), deepcopy(record))
    assert first.canonical() == again.canonical()
    assert first.grade in scheme.bands.grades
    assert all(line.rule for line in first.ledger)


@given(st.data())
@calm
def test_junk_in_a_record_is_refused_by_the_name_of_its_field_or_graded(data):
    scheme = data.draw(composed())
    record = data.draw(records(scheme).filter(bool))
    target: Any = record
    key = data.draw(st.sampled_from(sorted(record)))
    top = key
    while isinstance(target[key], dict | list) and target[key] and data.draw(st.booleans()):
        target = target[key]
        key = data.draw(st.sampled_from(sorted(target) if isinstance(target, dict) else range(len(target))))
    target[key] = data.draw(st.sampled_from(JUNK))
    outcome = graded(scheme, record)
    if isinstance(outcome, RecordInvalid):
        assert outcome.field.split(".")[0].split("[")[0] == top
        assert outcome.problem
    else:
        assert outcome.grade in scheme.bands.grades


def places(record: dict[str, Any]) -> list[tuple[Any, Any]]:
    """Where a record holds marks: (container, key)."""
    found: list[tuple[Any, Any]] = []
    for holder in (record.get("marks", {}), *record.get("abilities", ())):
        found += [
            (holder[source], at) for source in ("peer", "panel", "self") for at in range(len(holder.get(source, ())))
        ]
    marked = record.get("components", {})
    return found + [(marked, key) for key, value in marked.items() if isinstance(value, str)]


@given(st.data())
@calm
def test_a_higher_mark_never_gives_a_lower_score_or_grade(data):
    """An arbiter's mark, which takes the farthest one's place, and the wish for agreement are rules of their own."""
    scheme = data.draw(composed())
    record = data.draw(records(scheme).filter(places))
    holder, key = data.draw(st.sampled_from(range(len(places(record)))).map(lambda at: places(record)[at]))
    before = grade(scheme, record)
    holder[key] = data.draw(st.decimals(holder[key], 100, places=2).map(str))
    after = grade(scheme, record)
    grades = scheme.bands.grades
    assert grades.index(after.grade) <= grades.index(before.grade)
    assert (after.score is None and before.score is None) or after.score >= before.score
