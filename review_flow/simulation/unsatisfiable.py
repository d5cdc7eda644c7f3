"""What no one can do: gates that even an ideal record fails, selections nobody can make, quotas that leave no room."""

import random
from dataclasses import dataclass
from decimal import Decimal

from review_flow.i18n import _, say
from review_flow.rules.grading import grade
from review_flow.rules.programme import Quota
from review_flow.rules.quotas import MINIMUMS, needed
from review_flow.rules.scheme import Scheme
from review_flow.rules.selection import school_list_problems, selection_problems
from review_flow.simulation.people import IDEAL, Assumptions, mark_of
from review_flow.simulation.play import chosen_codes, is_of_groups, school_list
from review_flow.simulation.records import Made, Maker

SIZES = range(1, 61)  # of groups
TRIES = 8  # ideal people, who differ in role alone


@dataclass(frozen=True)
class Impossible:
    """Something that cannot be had, or not by every group: the path in the scheme, and a Chinese sentence."""

    path: str
    text: str

    def as_json(self) -> dict[str, str]:
        """Return it as plain data."""
        return {"path": self.path, "text": self.text}


def unsatisfiable(scheme: Scheme) -> list[Impossible]:
    """Return all that was found, in the scheme's order."""
    found = [*_selections(scheme), *_quotas(scheme), *_ledgers(scheme)]
    return found if is_of_groups(scheme) else [*found, *_gates(scheme)]


def _selections(scheme: Scheme) -> list[Impossible]:
    offered = school_list(scheme)
    within = scheme.teacher_selection().within == "school_list"
    found = [
        Impossible("select.school", say(_("没有学校能列出合规的清单：{problem}"), problem=problem.text))
        for problem in (school_list_problems(scheme, scheme.catalogue, offered) if within else [])
    ]
    chosen = chosen_codes(scheme, random.Random(0), IDEAL)  # noqa: S311 - any order will do
    return found + [
        Impossible("select.teacher", say(_("没有教师能选够：{problem}"), problem=problem.text))
        for problem in selection_problems(scheme, scheme.catalogue, offered, chosen, tier=None)
    ]


def _gates(scheme: Scheme) -> list[Impossible]:
    """Grade ideal people: what none of them passes, nobody can."""
    maker = Maker(scheme, random.Random(0), Assumptions(awarded=0.0))  # noqa: S311 - made-up people
    outcomes = [grade(scheme, _ideal(maker)) for _ in range(TRIES)]
    found = []
    for section, gates in (("prerequisites", scheme.prerequisites), ("gates", scheme.gates)):
        for gate in gates:
            results = [one.passed for outcome in outcomes for one in outcome.gates if one.id == gate.id]
            if True not in results:
                found.append(
                    Impossible(f"{section}.{gate.id}", say(_("样样做到的人也过不了：{gate}"), gate=gate.text_zh))
                )
    best = scheme.bands.grades[0]
    if all(outcome.grade != best for outcome in outcomes):
        found.append(Impossible(f"bands.list.{best}", say(_("样样做到的人也得不到“{grade}”。"), grade=best)))
    return found


def _ideal(maker: Maker) -> Made:
    scheme = maker.scheme
    least = int(max(maker.wanted.get(f"abilities.{name}", Decimal(0)) for name in ("passed", "excellent", "chosen")))
    codes = chosen_codes(scheme, maker.dice, IDEAL, least=least)
    abilities = [maker.ability(IDEAL, code, IDEAL.quality) for code in codes]
    give = scheme.review.peer.give
    marks = [mark_of(maker.dice, IDEAL.quality)] * max(scheme.review.panel.size, scheme.review.peer.receive_min)
    if scheme.compose.sources:
        abilities = [{**one, "peer": marks, "panel": marks[: scheme.review.panel.size]} for one in abilities]
    made = maker.record(IDEAL, chosen=abilities, given=give, required=give)
    return made if abilities or not scheme.compose.sources else {**made, "marks": {"peer": marks, "panel": marks}}


def _quotas(scheme: Scheme) -> list[Impossible]:
    """Quotas of a share: more than the group has, nobody at all, or a minimum above a maximum of the same things."""
    found = []
    for quota in (one for one in scheme.quotas if one.share_of is not None):
        whole = {size: _whole(quota, size) for size in SIZES}
        many = [size for size, number in whole.items() if quota.op in MINIMUMS and number > size]
        none = [size for size, number in whole.items() if quota.op not in MINIMUMS and number == 0]
        path = f"quotas.{quota.id}"
        if many:
            text = say(_("{name}：{sizes}时要求的份数多于总数。"), name=quota.name_zh, sizes=_sizes(many))
            found.append(Impossible(path, text))
        if none:
            text = say(_("{name}：{sizes}时按比例向下取整为0，一个也不能有。"), name=quota.name_zh, sizes=_sizes(none))
            found.append(Impossible(path, text))
    return found + _crossed(scheme)


def _crossed(scheme: Scheme) -> list[Impossible]:
    found = []
    for low in (one for one in scheme.quotas if one.op in MINIMUMS):
        for high in (one for one in scheme.quotas if one.op in {"<=", "<"} and one.of == low.of):
            apart = [size for size in SIZES if _whole(low, size) > _whole(high, size)]
            if apart:
                text = say(
                    _("{low}与{high}：{sizes}时最少多于最多。"), low=low.name_zh, high=high.name_zh, sizes=_sizes(apart)
                )
                found.append(Impossible(f"quotas.{low.id}", text))
    return found


def _whole(quota: Quota, size: int) -> int:
    """Return the least number a minimum is met by, the greatest a maximum is met by."""
    number = needed(quota, Decimal(size)) or Decimal(0)
    strict = {">": 1, "<": -1}.get(quota.op, 0)
    return int(number) + strict


def _sizes(sizes: list[int]) -> str:
    return say(_("基数为{low}—{high}"), low=sizes[0], high=sizes[-1])


def _ledgers(scheme: Scheme) -> list[Impossible]:
    """Where hours come of themes, all themes together must fill each ledger (003-17)."""
    found = []
    for ledger in scheme.hours.ledgers if scheme.themes else ():
        credited = sum((theme.hours.get(ledger.id, Decimal(0)) for theme in scheme.themes), Decimal(0))
        if credited < ledger.min:
            text = say(
                _("{name}：全部主题共{have}学时，要求{need}学时。"), name=ledger.name_zh, have=credited, need=ledger.min
            )
            found.append(Impossible(f"hours.ledgers.{ledger.id}", text))
    return found
