"""Schemes put together from every section of the language, and records with the structure a scheme asks for."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from datetime import date
from typing import Any

from hypothesis import assume
from hypothesis import strategies as st

from review_flow import schemes
from review_flow.rules.scheme import Scheme
from review_flow.schemes.check import _validator
from review_flow.schemes.contradictions import LOOKS
from review_flow.schemes.document import plain

ROLES, TIERS, SLOTS = ("leader", "member"), ("core", "rest"), ("plan", "film", "text")
SCALES = (
    [("优秀", 80, 100), ("合格", 60, 80), ("不合格", 0, 60)],
    [("甲", 100, 100), ("乙", 70, 100), ("丙", "40.5", 70), ("丁", 0, "40.5")],
    [("通过", 50, 100), ("不通过", 0, 50)],
)
METRICS = ("hours.total", "minutes.course", "attendance.meetings", "slots.plan", "themes.done", "peer.given")
SOURCES = ({"peer": "0.4", "panel": "0.6"}, {"panel": 1}, {"peer": 1, "panel": 0, "self": 0}, {"peer": "0.2", "panel": "0.5", "self": "0.3"})  # fmt: skip
# What a higher mark can only help is asked for upwards; the rest in any way.
UPWARDS = ("abilities.passed >= {n}", "abilities.dimensions > {n}", "abilities.excellent >= {n}")
ANYHOW = (
    "hours.total {op} {n}", "minutes.course {op} {n}", "hours.met", "not hours.met", "attendance.meetings {op} {n}",
    "slots.film {op} {n}", "role.leader", "not role.member", "test.final == 合格", "test.final in [不合格]",
    'tier == "core"', 'tier != "core"', "themes.done {op} {n}", "years_to_retirement < {n}", "quotas.met", "tasks.met",
    "quota.share.met", "self_test.done", "ack.scheme", "evidence.valid", "exempt", "true", "false",
    "peer.given >= peer.required",
)  # fmt: skip
ops = st.sampled_from([">=", "<=", ">", "<", "==", "!="])
orders = st.sampled_from([">=", "<=", ">", "<", "=="])
small = st.integers(0, 4)


@st.composite
def expressions(draw: st.DrawFn, names: list[str], *, results: bool = False) -> str:
    upwards = [*UPWARDS, *(f"component.{one}.done" for one in names)]
    upwards += [f"component.{one}.points >= {{n}}" for one in names]
    upwards += ["gates.passed", "score >= {n}"] if results else []
    parts = [
        draw(st.sampled_from([*upwards, *ANYHOW])).format(n=draw(small), op=draw(ops))
        for _ in range(draw(st.integers(1, 3)))
    ]
    return draw(st.sampled_from([" and ", " or "])).join(f"({part})" if "not" in part else part for part in parts)


@st.composite
def needs(draw: st.DrawFn) -> list[dict[str, Any]]:
    need = st.fixed_dictionaries(
        {"slot": st.sampled_from(SLOTS), "count": st.integers(1, 3)},
        optional={
            "on": st.sampled_from(["any", "others"]),
            "accept_also": st.lists(st.sampled_from(SLOTS), max_size=1),
        },
    )
    return draw(st.lists(need, min_size=1, max_size=2))


@st.composite
def leaf(draw: st.DrawFn, points: int | None) -> dict[str, Any]:
    kind = draw(st.sampled_from(
        ["completion", "per_unit", "threshold", "periodic", "ratio", "score", "external", "checklist", "rubric"]
    ))  # fmt: skip
    node: dict[str, Any] = {"scoring": {"type": kind}}
    rule = node["scoring"]
    if kind == "completion":
        node["needs"] = draw(needs())
    if kind in {"completion", "score"}:
        node |= draw(
            st.sampled_from([{}, {"by_role": {"leader": draw(needs())}}, {"by_tier": {"core": draw(needs())}}])
        )
    if kind == "per_unit":
        rule |= {"slot": draw(st.sampled_from(SLOTS)), "each": draw(st.integers(0, 5))}
        rule |= {"cap": points} if points is not None else draw(st.sampled_from([{}, {"cap": 7}]))
    if kind == "threshold":
        rule |= {"metric": draw(st.sampled_from(METRICS)), "op": draw(orders), "value": draw(small)}
        rule |= draw(st.sampled_from([{}, {"by_tier": {"core": 3}}]))
    if kind == "periodic":
        rule |= {"value": draw(st.integers(1, 3)), "grace": draw(st.integers(0, 2))}
    if kind == "ratio":
        rule |= {"metric": draw(st.sampled_from(METRICS)), "of": draw(st.integers(1, 9))}
        rule |= draw(st.sampled_from([{}, {"cap": 100}, {"cap": 60}]))
    if kind == "checklist":
        node["items"] = [{"id": one, "text_zh": one} for one in ("a", "b", "c")[: draw(st.integers(1, 3))]]
    return node


@st.composite
def node(draw: st.DrawFn, number: list[int], points: int | None, depth: int) -> dict[str, Any]:
    number[0] += 1
    named: dict[str, Any] = {"id": f"n{number[0]}", "name_zh": f"项{number[0]}", "mandatory": draw(st.booleans())}
    if points is not None:
        named["points"] = points
    if depth and draw(st.booleans()):
        kind = draw(st.sampled_from(["sum", "completion"]))
        shares = parted(draw, points) if points is not None else [None] * draw(st.integers(1, 3))
        parts = [draw(node(number, one, depth - 1)) for one in shares]
        parts[0]["zero_parent"] = draw(st.booleans())
        return {**named, "scoring": {"type": kind}, "components": parts}
    only = draw(st.sampled_from([{}, {}, {"only": "leader"}]))
    return {**draw(leaf(points)), **named, **only}


def parted(draw: st.DrawFn, points: int) -> list[int]:
    """Points in one to three parts."""
    cuts = sorted(draw(st.lists(st.integers(0, points), max_size=2)))
    return [high - low for low, high in zip([0, *cuts], [*cuts, points], strict=True)]


def _tree(draw: st.DrawFn, compose: str) -> list[dict[str, Any]]:
    number = [0]
    if compose == "sum_points":
        return [draw(node(number, one, 2)) for one in parted(draw, 100)]
    roots = [draw(node(number, None, 2)) for _ in range(draw(st.integers(1, 3)))]
    if compose == "weighted_components":
        for root, share in zip(roots, ([100], [30, 70], [20, 30, 50])[len(roots) - 1], strict=True):
            root["weight"] = f"{share / 100:.2f}"
    return roots


@st.composite
def written(draw: st.DrawFn) -> dict[str, Any]:
    """What an author of a scheme might write."""
    compose = draw(st.sampled_from(["weighted_mean", "sum_points", "weighted_components"]))
    tree = _tree(draw, compose)
    names = [one["id"] for root in tree for one in _all(root)]
    sources = draw(st.sampled_from([*SOURCES, {}])) if compose == "weighted_mean" else {}
    numbered = compose != "weighted_mean" or bool(sources)
    scale = draw(st.sampled_from(SCALES))
    if numbered and draw(st.booleans()):
        bands = [{"grade": grade, "min": low, "max": high, "modal": "shall"} for grade, low, high in scale]
    else:
        asked = [draw(expressions(names, results=True)) for _ in scale[:-1]]
        # a better grade asks for all that the worse ones ask
        bands = [
            {"grade": grade, "when": " and ".join(f"({one})" for one in asked[at:]) or "true", "modal": "may"}
            for at, (grade, _low, _high) in enumerate(scale)
        ]
    grade = scale[-1][0]
    gates = [
        {"id": f"g{at}", "text_zh": "门槛", "expr": draw(expressions(names)), "on_fail": {"grade": grade}}
        for at in range(draw(st.integers(0, 2)))
    ]
    known = {
        "schema": "kaohe/1", "id": "made-up", "version": 1, "title_zh": "随机方案", "edition": "2.0", "based_on": [],
        "catalogue": "micro30", "effective_from": "2022-02-28", "roles": dict.fromkeys(ROLES, "角色"),
        "applies_to": {"who": "教师", "exemptions": [{"id": "old", "text_zh": "临近退休", "expr": "years_to_retirement < 5"}]},
        "select": {"teacher": {"min": draw(st.integers(0, 3)), "max": None, "min_dimensions": 0, "within": "catalogue"},
                   "tiers": [{"id": one, "name_zh": one, "min": at} for at, one in enumerate(TIERS)]},
        "hours": {"ledgers": [{"id": "total", "name_zh": "总学时", "min": 3},
                              {"id": "part", "name_zh": "实践", "min": 1, "share": "0.5", "base": "total", "of": draw(st.sampled_from(["required", "earned"]))}],
                  "minutes": [{"id": "course", "name_zh": "课程"}]},
        "deliverables": [{"id": one, "name_zh": one, "kind": "any", **draw(st.sampled_from([{}, {"min_chars": 10}, {"min_seconds": 3, "max_seconds": 9}]))} for one in SLOTS],
        "activities": [{"id": one, "name_zh": one, "series": "meetings", "makeup": draw(st.booleans())} for one in ("first", "second")],
        "themes": [{"id": "t1", "name_zh": "一", "hours": {"total": "1.5"}}, {"id": "t2", "name_zh": "二", "hours": {}}],
        "tests": [{"id": "final", "name_zh": "测评", "combine": draw(st.sampled_from(["all", "any"])), "parts": [{"id": "a", "name_zh": "甲"}, {"id": "b", "name_zh": "乙"}]}],
        "quotas": [{"id": "share", "name_zh": "份额", "of": "works", "op": draw(st.sampled_from([">=", "<=", ">", "<"])), "value": "0.15", "share_of": "members", "strict": draw(st.sampled_from(["must", "suggested"])), "each_needs": draw(st.sampled_from([[], ["photo"]]))}],
        "phases": [{"id": "p", "name_zh": "阶段", "tasks": [{"id": "x", "text_zh": "事", "by": "02-29"}]}],
        "components": tree, "compose": {"rule": compose, "sources": sources},
        "ability": {"rule": draw(st.sampled_from(["average", "official_conjunctive"])), "levels": ["优秀", "合格", "不合格"], "pass_level": "合格"},
        "bands": {"boundary": draw(st.sampled_from(["lower_inclusive", "upper_inclusive"])), "list": bands,
                  "rounding": {"mode": draw(st.sampled_from(["half_up", "half_even", "down"])), "scale": draw(st.integers(0, 2)), "band_on": draw(st.sampled_from(["rounded", "raw"]))}},
        "gates": gates,
        "adjust": {"order": ["compose", "deduct", "bonus", "clamp"], "clamp": [0, 100],
                   "deductions": [{"id": "late", "name_zh": "迟到", "each": -1, "unless": ["leave"]}],
                   "bonuses": [{"id": "award", "name_zh": "获奖", "table": "表", "cap": 5, "may_cross_pass": "when" in bands[0] or draw(st.booleans())}]},
        "certificates": [{"id": "one", "name_zh": "证书一", "when": draw(expressions(names, results=True))}, {"id": "two", "name_zh": "证书二", "when": f"cert.one and grade != {grade}"}],
        "consequences": [{"id": "c", "text_zh": "后果", "when": draw(expressions(names, results=True)), "kind": "note", "value": 2}],
        "targets": [{"id": "t", "name_zh": "目标", "op": ">", "value": "0.95"}],
        "groups": {"told": {"works": "作品", "t": "目标"}},
    }  # fmt: skip
    return {**known, "sources": dict.fromkeys((key for key in known if key not in {"schema", "id"}), "default")}


def _all(root: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [root, *(one for part in root.get("components", ()) for one in _all(part))]


def accepted(document: dict[str, Any]) -> Scheme | None:
    """The scheme of what an author wrote, None where `check` finds an error."""
    document = plain(document)
    if not _validator().is_valid(document):
        return None
    scheme = Scheme.from_document(schemes.resolved(document))
    wrong = any(True for look in LOOKS for _found in look(scheme))
    return None if wrong else scheme


@st.composite
def composed(draw: st.DrawFn) -> Scheme:
    scheme = accepted(draw(written()))
    assert scheme is not None
    return scheme


@st.composite
def mutated(draw: st.DrawFn) -> Scheme:
    """A built-in scheme in which a few values were left out, doubled or changed, as far as `check` takes it."""
    document = deepcopy(schemes.page(draw(st.sampled_from([one.id for one in schemes.available()]))).data)
    for _ in range(draw(st.integers(1, 3))):
        _spoil(draw, document)
    scheme = accepted(document)
    assume(scheme is not None)
    assert scheme is not None
    return scheme


def _spoil(draw: st.DrawFn, document: dict[str, Any]) -> None:
    sections = [
        key
        for key in document
        if isinstance(document[key], dict | list) and key not in {"sources", "based_on"} and document[key]
    ]
    target: Any = document[draw(st.sampled_from(sections))]
    while True:
        keys = [*target] if isinstance(target, dict) else [*range(len(target))]
        key = draw(st.sampled_from(keys))
        below = target[key]
        if isinstance(below, dict | list) and below and draw(st.integers(0, 4)):
            target = below
            continue
        value = draw(st.sampled_from([0, 1, 2, 100, "0.5", "1.0", True, None, "true", below, [], "gates.passed"]))
        if draw(st.integers(0, 3)) == 0:
            del target[key]
        else:
            target[key] = value
        return


marks = st.decimals(0, 100, places=2).map(str)
numbers = st.decimals(0, 60, places=1).map(str)
truths = st.booleans()


def _some(draw: st.DrawFn, ids: list[str], values: st.SearchStrategy[Any]) -> dict[str, Any]:
    return {one: draw(values) for one in ids if draw(st.integers(0, 3))}


@st.composite
def records(draw: st.DrawFn, scheme: Scheme) -> dict[str, Any]:
    """Facts with the structure the scheme asks for, any of them absent."""
    pieces = st.lists(
        st.fixed_dictionaries({}, optional={"chars": st.integers(5, 1200), "seconds": numbers, "on": st.sampled_from(["own", "others"])}),
        max_size=3,
    )  # fmt: skip
    leaves = {one.id: one.scoring.type if one.scoring else "completion" for one in scheme.leaves()}
    tests = {one.id: [part.id for part in one.parts] for one in scheme.tests}
    verdicts = st.sampled_from(["合格", "不合格"])
    counts = sorted({name for one in scheme.quotas for name in (one.of, one.share_of) if name})
    levels = st.sampled_from(scheme.ability.levels)
    tasks = [task.id for phase in scheme.phases for task in phase.tasks]
    whole: dict[str, Any] = {
        "ack": draw(truths), "self_test": draw(truths), "role": draw(st.lists(st.sampled_from([*scheme.roles]), max_size=2)) if scheme.roles else None,
        "tier": draw(st.sampled_from([one.id for one in scheme.select.tiers])) if scheme.select.tiers else None,
        "hours": _some(draw, [one.id for one in scheme.hours.ledgers], numbers),
        "minutes": _some(draw, [one.id for one in scheme.hours.minutes], st.integers(900, 1100)),
        "peer": {"given": draw(small), "required": draw(small)},
        "abilities": [draw(abilities(code, levels)) for code in draw(st.lists(st.sampled_from(["A1", "A2", "A5", "A11", "B1"]), unique=True, max_size=4))],
        "marks": {"peer": draw(st.lists(marks, max_size=3)), "panel": draw(st.lists(marks, max_size=3)), "self": draw(st.lists(marks, max_size=1))},
        "slots": _some(draw, [one.id for one in scheme.deliverables], st.one_of(st.integers(0, 3), pieces)),
        "attendance": _some(draw, [one.id for one in scheme.activities], st.one_of(truths, st.just("made_up"))),
        "periods": _some(draw, [one for one, kind in leaves.items() if kind == "periodic"], st.lists(st.integers(0, 3), max_size=5)),
        "themes": draw(st.lists(st.sampled_from([one.id for one in scheme.themes]))) if scheme.themes else None,
        "tests": {one: _some(draw, parts, verdicts) if parts else draw(verdicts) for one, parts in tests.items()},
        "components": {one: draw(marks) if kind != "rubric" else draw(st.lists(levels, max_size=3)) for one, kind in leaves.items() if kind in {"score", "external", "rubric"} and draw(st.booleans())},
        "checklists": {one.id: draw(st.lists(st.integers(0, len(one.items) - 1))) for one in scheme.rated_components()},
        "retires_on": draw(st.dates(min_value=date(1990, 1, 1), max_value=date(2060, 1, 1))).isoformat(),
        "joins": draw(truths), "quota": _some(draw, counts, st.integers(0, 40)), "school_year": draw(st.integers(1999, 2101)),
        "tasks": _some(draw, tasks, st.sampled_from(["2022-02-28T23:59:59+08:00", "2026-03-01T00:00:00+08:00"])), "as_of": "2023-01-01T00:00:00+08:00",
        "targets": _some(draw, [one.id for one in scheme.targets], st.fixed_dictionaries({"have": st.integers(0, 9), "of": st.integers(0, 9)})),
        "events": [{"kind": one.id, "on": "2022-03-01"} for one in scheme.adjust.deductions if draw(truths)], "awards": draw(st.lists(numbers, max_size=2)),
    }  # fmt: skip
    absent = draw(st.sets(st.sampled_from(sorted(whole)), max_size=6))
    return {key: value for key, value in whole.items() if key not in absent and value is not None}


@st.composite
def abilities(draw: st.DrawFn, code: str, levels: st.SearchStrategy[str]) -> dict[str, Any]:
    given = {"code": code, "valid": draw(truths), "evidence_levels": draw(st.lists(levels, max_size=2)),
             "peer": draw(st.lists(marks, max_size=4)), "panel": draw(st.lists(marks, max_size=4))}  # fmt: skip
    return {key: value for key, value in given.items() if draw(st.integers(0, 5))} | {"code": code}
