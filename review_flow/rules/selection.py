"""The choice of abilities by a school and by a teacher: what is missing, said by name (N20–N22, C9)."""

from collections.abc import Sequence
from dataclasses import dataclass

from review_flow.i18n import _, listed, say
from review_flow.rules.catalogue import Catalogue
from review_flow.rules.scheme import Scheme


@dataclass(frozen=True)
class Problem:
    """One thing in the way: `code` stable for programs, `text` a Chinese sentence."""

    code: str
    text: str


def selection_problems(
    scheme: Scheme,
    catalogue: Catalogue,
    school_list: Sequence[str],
    chosen: Sequence[str],
    *,
    tier: str | None,
) -> list[Problem]:
    """Return why a teacher of this tier cannot take these abilities; empty when nothing is in the way. 001-A-19."""
    rule = scheme.teacher_selection(tier)
    problems = _codes(catalogue, chosen)
    if rule.within == "school_list":
        outside = [code for code in chosen if catalogue.get(code) and code not in school_list]
        problems += [Problem("outside_list", say(_("{code}不在本校的微能力清单里。"), code=code)) for code in outside]
    problems += _amount(len(set(chosen)), rule.min, rule.max)
    within = school_list if rule.within == "school_list" else [ability.code for ability in catalogue.abilities]
    return problems + _dimensions(catalogue, chosen, rule.min_dimensions, within)


def school_list_problems(scheme: Scheme, catalogue: Catalogue, school_list: Sequence[str]) -> list[Problem]:
    """Return why a school cannot take this list: wrong count or environment, or one no teacher could choose from (X-32)."""
    rule = scheme.select.school
    least = rule.min if rule.exactly is None else rule.exactly
    spans = [scheme.teacher_selection(tier.id) for tier in scheme.select.tiers] or [scheme.teacher_selection()]
    demanded = max([rule.min_dimensions or 0, *(span.min_dimensions for span in spans)])
    return [
        *_codes(catalogue, school_list),
        *_elsewhere(catalogue, school_list, rule.environments),
        *_amount(len(set(school_list)), max([least, *(span.min for span in spans)]), rule.exactly),
        *_dimensions(catalogue, school_list, demanded, [ability.code for ability in catalogue.abilities]),
    ]


def _codes(catalogue: Catalogue, codes: Sequence[str]) -> list[Problem]:
    unknown = [
        Problem("unknown", say(_("微能力目录里没有“{code}”。"), code=code)) for code in codes if not catalogue.get(code)
    ]
    twice = [code for code in dict.fromkeys(codes) if codes.count(code) > 1]
    return unknown + [Problem("twice", say(_("{code}选了两次。"), code=code)) for code in twice]


def _elsewhere(catalogue: Catalogue, codes: Sequence[str], environments: Sequence[str]) -> list[Problem]:
    """Name the abilities of an environment the school does not have (001-B-02)."""
    known = [ability for ability in map(catalogue.get, codes) if ability is not None]
    strange = [one.code for one in known if environments and one.environment not in environments]
    text = _("{codes}不属于本校的教学环境（{environments}）。")
    return (
        [Problem("environment", say(text, codes=listed(strange), environments=listed(environments)))] if strange else []
    )


def _amount(count: int, least: int, most: int | None) -> list[Problem]:
    if count < least:
        text = say(_("至少选{least}项，还差{short}项。"), least=least, short=least - count)
        return [Problem("too_few", text)]
    if most is not None and count > most:
        text = say(_("最多选{most}项，多了{extra}项。"), most=most, extra=count - most)
        return [Problem("too_many", text)]
    return []


def _dimensions(catalogue: Catalogue, chosen: Sequence[str], least: int, within: Sequence[str]) -> list[Problem]:
    covered = catalogue.dimensions_of(chosen)
    if len(covered) >= least:
        return []
    open_ones = [dimension for dimension in catalogue.dimensions_of(within) if dimension not in covered]
    names = {"short": least - len(covered), "least": least, "covered": listed(covered) or say(_("0个"))}
    if len(open_ones) < least - len(covered):
        text = say(_("还差{short}个维度（应覆盖{least}个，现有{covered}），清单里没有可补的。"), **names)
    else:
        text = say(
            _("还差{short}个维度（应覆盖{least}个，现有{covered}），可从{open}中选。"),
            open=listed(open_ones),
            **names,
        )
    return [Problem("dimensions", text)]
