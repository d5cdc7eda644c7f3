import hashlib
import json
from copy import deepcopy
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

import pytest

from review_flow import schemes
from review_flow.rules.amendment import amendment_refusal, changed_paths
from review_flow.rules.build import build
from review_flow.rules.duty import k_eff, remaining
from review_flow.rules.paths import Source, is_under, key_of, leaves, source_of, value_at
from review_flow.rules.scheme import Scheme
from review_flow.rules.sections import Component, Duration, Item, Scoring
from review_flow.rules.validity import ItemFacts, validity

XIAN = schemes.load("xian-2022-appraisal")


def test_a_scheme_is_its_document():
    again = Scheme.from_document(json.loads(json.dumps(XIAN.document)))
    assert again == XIAN
    canonical = json.dumps(XIAN.document, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    assert again.digest == hashlib.sha256(canonical.encode()).hexdigest()
    other = deepcopy(dict(XIAN.document))
    other["compose"]["sources"]["peer"] = "0.41"
    assert Scheme.from_document(other).digest != XIAN.digest


def test_the_rules_of_001_a():
    assert XIAN.compose.sources == {"peer": Decimal("0.40"), "panel": Decimal("0.60")}
    assert {one.id: one.each for one in XIAN.adjust.deductions} == {
        "late_material": -1,
        "late_arrival": -1,
        "absence": -5,
    }
    assert XIAN.calendar.correction == Duration(days=5, working_days=True, times=1)
    assert (XIAN.calendar.lease.hours, XIAN.calendar.peer.days, XIAN.calendar.panel.working_days) == (48, 10, True)
    assert [component.id for component in XIAN.rated_components()] == ["prepare", "teach", "tutor", "data", "research"]


def test_binary_floats_are_refused():
    document = deepcopy(dict(XIAN.document))
    document["compose"]["sources"]["peer"] = 0.4
    with pytest.raises(TypeError, match="never binary floats"):
        Scheme.from_document(document)


def test_sources_nearest_first():
    sources = {"a": "001", "a.b": "default (X-01)", "c.d.e": "002", "c.d.f": "003"}
    assert source_of(sources, "a.b.c") == Source("default", "X-01")
    assert str(source_of(sources, "a.b")) == "default (X-01)"
    assert source_of(sources, "a.x").rule == "001"
    assert source_of(sources, "c.d") == Source("002")
    assert source_of(sources, "z") == Source("")
    assert [source_of(sources, path).is_default for path in ("a", "a.b")] == [False, True]


def test_paths():
    document = {
        "gates": [{"id": "G", "expr": "true"}],
        "bands": {"list": [{"grade": "优秀", "min": 80}]},
        "plain": ["x"],
    }
    assert value_at(document, "gates.G.expr") == "true"
    assert value_at(document, "bands.list.优秀.min") == 80
    assert value_at(document, "plain.0") == "x"
    assert value_at(document, "plain.x") is None
    assert value_at(document, "plain.0.more") is None
    assert list(leaves(document)) == [
        ("gates.G.expr", "true"),
        ("bands.list.优秀.grade", "优秀"),
        ("bands.list.优秀.min", 80),
        ("plain", ["x"]),
    ]
    assert key_of({"name": "x"}, 3) == "3"
    assert [is_under("a.b", root) for root in ("a", "a.b", "a.bc")] == [True, True, False]


def test_slots_with_the_schemes_limits():
    assert [slot.id for slot in XIAN.slots("A1")] == ["plan", "report"]
    limits = {"A1": {"report": {"max_seconds": "240.5", "formats": ["mp4"]}}}
    tight = replace(XIAN, evidence=replace(XIAN.evidence, limits=limits))
    report = tight.slots("A1")[1]
    assert (report.max_seconds, report.formats, report.kind) == (Decimal("240.5"), ("mp4",), "video")
    assert XIAN.slots("K1") == XIAN.evidence.slots


def test_questions_still_open():
    names = [unknown.id for unknown in XIAN.unconfirmed()]
    assert "weights" in names
    assert names == [unknown.id for unknown in XIAN.unknowns]
    weights = next(unknown for unknown in XIAN.unknowns if unknown.id == "weights")
    assert XIAN.in_force(weights) == {"compose.sources.peer": "0.40", "compose.sources.panel": "0.60"}
    confirmed = replace(XIAN, confirmed=("weights",))
    assert "weights" not in [unknown.id for unknown in confirmed.unconfirmed()]
    document = {**XIAN.document, "sources": {**XIAN.document["sources"], "compose.sources": "校务会2022-3"}}
    assert "weights" not in [unknown.id for unknown in Scheme.from_document(document).unconfirmed()]
    assert XIAN.value("compose.sources.peer") == "0.40"


def test_every_default_in_force_is_among_the_questions():
    for name in (one.id for one in schemes.available()):
        scheme = schemes.load(name)
        asked = {path for unknown in scheme.unknowns for path in scheme.in_force(unknown)}
        assert asked == {path for path, _value in scheme.values() if scheme.source(path).is_default}


def test_components_nest():
    leaf = Component("b", "乙", Scoring("checklist"), (Item("x", "做到"),))
    scheme = replace(XIAN, components=(Component("a", "甲", components=(leaf, Component("c", "丙", scored=False))),))
    assert scheme.rated_components() == (leaf,)


def test_the_lock_ends_with_the_month():
    document = {**XIAN.document, "method": ["self_test"]}
    new = Scheme.from_document(document)
    assert changed_paths(XIAN, new) == ["method"]
    short = replace(XIAN, lock=replace(XIAN.lock, consistency_months=1))
    for start, end in ((date(2022, 1, 31), date(2022, 3, 1)), (date(2022, 11, 30), date(2022, 12, 30)), (date(2022, 12, 31), date(2023, 1, 31))):  # fmt: skip
        before = end.replace(day=end.day - 1) if end.day > 1 else date(2022, 2, 28)
        assert amendment_refusal(short, new, effective_from=start, on=before, reason="x") is not None
        assert amendment_refusal(short, new, effective_from=start, on=end, reason="x") is None


def test_a_lock_of_eleven_months_over_the_new_year():
    short = replace(XIAN, lock=replace(XIAN.lock, consistency_months=11))
    new = Scheme.from_document({**XIAN.document, "method": ["self_test"]})
    refused = amendment_refusal(short, new, effective_from=date(2022, 12, 31), on=date(2023, 11, 30), reason="x")
    assert refused == "method在2023-12-01之前不能修改（考核方法至少保持11个月一致）。"


def test_nothing_changed_needs_no_reason_nor_where_none_is_asked():
    when = {"effective_from": date(2022, 1, 1), "on": date(2022, 2, 1)}
    assert amendment_refusal(XIAN, XIAN, **when, reason="") is None
    easy = replace(XIAN, lock=replace(XIAN.lock, amend_needs=()))
    new = Scheme.from_document({**XIAN.document, "gates": []})
    assert amendment_refusal(easy, new, **when, reason="") is None


def test_build_leaves_out_what_it_does_not_know_and_misses_what_must_be_there():
    @dataclass(frozen=True)
    class Pair:
        numbers: tuple[Decimal, Decimal]
        name: str = "无名"

    assert build(Pair, {"numbers": [1, "2.50"], "other": 3}) == Pair((Decimal(1), Decimal("2.50")))
    with pytest.raises(TypeError):
        build(Pair, {})


def test_duty():
    assert (k_eff(3, pool=10, samples=5).total, k_eff(0, pool=0, samples=0).total) == (3, 0)
    assert remaining(k_eff(3, pool=1, samples=1), given=4) == 0


def test_validity_asks_only_what_the_scheme_asks():
    lax = replace(XIAN, evidence=replace(XIAN.evidence, validity=replace(XIAN.evidence.validity, invalid_if_any=())))
    assert validity(lax, [ItemFacts("课件", shows_teacher=False, attributable=False)]).valid is True
    assert validity(XIAN, []).reasons == ("没有一件证据出现教师本人的影像。",)
