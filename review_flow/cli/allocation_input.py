"""The pool that `review-flow allocate` reads: ids as they are given, every mistake named with its field and entry."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, fields
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeVar

from review_flow.cli.json_input import parse
from review_flow.errors import BadInput
from review_flow.i18n import _, say
from review_flow.rules.allocation import AllocationRules, AllocationWeights, Facts, Groups, Reviewer, Work

if TYPE_CHECKING:
    from collections.abc import Iterable

    from review_flow.rules.allocation import Pair

FIXED, MOVABLE = ("begun", "done"), "assigned"
MOST = 10**9  # of any number
DECIMALS = 60  # of an affinity
_NAMES = {
    "": ("k", "reviewers", "submissions", "conflicts", "former", "affinity", "existing", "balance", "weights", "rules"),
    "reviewers": ("id", "cap", "groups"),
    "submissions": ("id", "authors", "demand", "groups"),
    "existing": ("reviewer", "submission", "state"),
    "rules": ("own_workshop", "other_subject"),
    "weights": tuple(field.name for field in fields(AllocationWeights)),
}
Kind = TypeVar("Kind")


@dataclass(frozen=True)
class Input:
    """The facts with ids of our own, and the ids as they were given."""

    facts: Facts
    reviewers: Mapping[int, Any]
    submissions: Mapping[int, Any]
    fixed: tuple[Pair, ...]


def read(content: bytes) -> Input:
    """Return the pool of a JSON file. Raises BadInput naming field and entry."""
    return _Reader(_map(parse(content, decimal=Decimal), "", "")).input()


class _Reader:
    def __init__(self, data: dict[str, Any]) -> None:
        self.data = data
        self.reviewers = self._things("reviewers")
        self.submissions = self._things("submissions")
        self.column = _numbered(self.reviewers, "reviewers")
        self.row = _numbered(self.submissions, "submissions")
        # Everybody has a number before anything hangs on it, or the order of the works would decide.
        wrote = {author for one in self.submissions for author in self._authors(one)}
        others = sorted(wrote - self.column.keys())
        self.authors = self.column | {author: number for number, author in enumerate(others, start=len(self.column))}

    def input(self) -> Input:
        existing = self._existing()
        fixed = [pair for pair, state in existing.items() if state in FIXED]
        load, got = Counter(reviewer for reviewer, _row in fixed), Counter(row for _reviewer, row in fixed)
        default = _whole(self.data["k"], "k") if "k" in self.data else None
        affinity = self._affinity()
        return Input(
            facts=Facts(
                reviewers=[self._reviewer(one, load) for one in self.reviewers],
                works=[self._work(one, got, default) for one in self.submissions],
                conflicts=[*self._pairs("conflicts").values()],
                held=fixed,
                standing=[pair for pair, state in existing.items() if state == MOVABLE],
                former=[*self._pairs("former").values()],
                affinity=affinity,
                rules=self._rules(plain=not affinity or any(one.get("groups") for one in self.reviewers)),
            ),
            reviewers={self.column[_key(one["id"])]: one["id"] for one in self.reviewers},
            submissions={self.row[_key(one["id"])]: one["id"] for one in self.submissions},
            fixed=tuple(fixed),
        )

    def _things(self, name: str) -> list[dict[str, Any]]:
        """Return the entries of a list, each with an id that no other has."""
        found = [_map(one, name, _entry(name, nth)) for nth, one in enumerate(_list(self.data.get(name), name))]
        for nth, one in enumerate(found):
            if "id" not in one:
                raise BadInput(field=_entry(name, nth), problem=say(_("缺少 id。")))
            _id(one["id"], f"{_entry(name, nth)}.id")
        return found

    def _reviewer(self, one: dict[str, Any], load: Counter[int]) -> Reviewer:
        number, name = self.column[_key(one["id"])], f"reviewers {one['id']}"
        most = load[number] + len(self.submissions)
        cap = most if one.get("cap") is None else min(most, _whole(one["cap"], f"{name} cap"))
        return Reviewer(id=number, cap=cap, load=load[number], groups=_groups(one, name))

    def _work(self, one: dict[str, Any], got: Counter[int], default: int | None) -> Work:
        number, name = self.row[_key(one["id"])], f"submissions {one['id']}"
        demand = default if one.get("demand") is None else _whole(one["demand"], f"{name} demand")
        if demand is None:
            raise BadInput(field="k", problem=say(_("缺少；或者给每份成果写明 demand。")))
        return Work(
            id=number,
            authors=frozenset(self.authors[author] for author in self._authors(one)),
            demand=demand - got[number],
            groups=_groups(one, name),
        )

    def _authors(self, one: dict[str, Any]) -> list[str]:
        field = f"submissions {one['id']} authors"
        return [_id(author, field) for author in _list(one.get("authors", []), field)]

    def _pair(self, reviewer: object, submission: object, field: str) -> Pair:
        found = []
        for given, known, what in ((reviewer, self.column, _("评审人")), (submission, self.row, _("成果"))):
            number = known.get(_id(given, field))
            if number is None:
                raise BadInput(field=field, problem=say(_("没有编号为“{key}”的{what}。"), key=given, what=say(what)))
            found.append(number)
        return found[0], found[1]

    def _pairs(self, name: str) -> dict[str, Pair]:
        found = {}
        for nth, one in enumerate(_list(self.data.get(name, []), name)):
            field = _entry(name, nth)
            match one:
                case [reviewer, submission]:
                    found[field] = self._pair(reviewer, submission, field)
                case _other:
                    raise BadInput(field=field, problem=say(_("应是 [评审人, 成果]。")))
        return found

    def _existing(self) -> dict[Pair, str]:
        found: dict[Pair, str] = {}
        for nth, one in enumerate(_list(self.data.get("existing", []), "existing")):
            field = _entry("existing", nth)
            task = _map(one, "existing", field)
            pair = self._pair(task.get("reviewer"), task.get("submission"), field)
            if task.get("state") not in (*FIXED, MOVABLE):
                raise BadInput(field=f"{field}.state", problem=say(_("应是 begun、done 或 assigned。")))
            if pair in found:
                raise BadInput(field=field, problem=say(_("同一评审人与成果写了两次。")))
            found[pair] = task["state"]
        return found

    def _affinity(self) -> dict[Pair, Decimal]:
        found = {}
        for reviewer, row in _dict(self.data.get("affinity", {}), "affinity").items():
            for submission, value in _dict(row, f"affinity.{reviewer}").items():
                field = f"affinity.{reviewer}.{submission}"
                if isinstance(value, bool) or not isinstance(value, int | Decimal):
                    raise BadInput(field=field, problem=say(_("应是数。")))
                number = Decimal(value)
                if abs(number) > MOST or int(number.as_tuple().exponent) < -DECIMALS:
                    raise BadInput(field=field, problem=say(_("数太大，或小数超过 60 位。")))
                found[self._pair(reviewer, submission, field)] = number
        return found

    def _rules(self, *, plain: bool) -> AllocationRules:
        """Return the rules; with affinities alone these are all that counts, unless the input says otherwise."""
        weights = _map(self.data.get("weights", {}), "weights", "weights")
        values = dict.fromkeys(_NAMES["weights"], 0) if not plain else {}
        values |= {name: _whole(value, f"weights.{name}") for name, value in weights.items()}
        rules = _map(self.data.get("rules", {}), "rules", "rules")
        for name, value in rules.items():
            if value not in ("avoid", "forbid"):
                raise BadInput(field=f"rules.{name}", problem=say(_("应是 avoid 或 forbid。")))
        balance = self.data.get("balance", plain)
        if not isinstance(balance, bool):
            raise BadInput(field="balance", problem=say(_("应是 true 或 false。")))
        return AllocationRules(even_load=balance, weights=AllocationWeights(**values), **rules)


def _numbered(things: Iterable[dict[str, Any]], name: str) -> dict[str, int]:
    """Return a number for each id that doesn't hang on the order of the list."""
    keys = sorted(_key(one["id"]) for one in things)
    for key, count in Counter(keys).items():
        if count > 1:
            raise BadInput(field=name, problem=say(_("编号“{key}”出现了 {count} 次。"), key=key, count=count))
    return {key: number for number, key in enumerate(keys)}


def _entry(name: str, nth: int) -> str:
    return f"{name}[{nth}]"


def _key(given: object) -> str:
    """Return an id as the keys of `affinity` write it."""
    return str(given)


def _id(given: object, field: str) -> str:
    if isinstance(given, bool) or not isinstance(given, int | str):
        raise BadInput(field=field, problem=say(_("编号应是文字或整数。")))
    return _key(given)


def _whole(value: object, field: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MOST:
        raise BadInput(field=field, problem=say(_("应是不小于 0 的整数。")))
    return value


def _list(value: object, field: str) -> list[Any]:
    if not isinstance(value, list):
        raise BadInput(field=field, problem=say(_("应是列表。")))
    return value


def _dict(value: object, field: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise BadInput(field=field, problem=say(_("应是 JSON 对象。")))
    return value


def _map(value: object, kind: str, field: str) -> dict[str, Any]:
    """Return an object that has no names but those of its kind."""
    found = _dict(value, field or say(_("输入")))
    for name in found:
        if name not in _NAMES[kind]:
            raise BadInput(field=field or say(_("输入")), problem=say(_("没有“{name}”这一项。"), name=name))
    return found


def _groups(one: dict[str, Any], field: str) -> Groups:
    groups = _dict(one.get("groups", {}), f"{field} groups")
    for name, value in groups.items():
        if value is not None and not isinstance(value, str):
            raise BadInput(field=f"{field} groups.{name}", problem=say(_("应是文字。")))
    return Groups(**{name: groups.get(name) or None for name in Groups._fields})
