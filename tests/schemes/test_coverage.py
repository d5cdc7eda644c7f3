"""Every rule number that binds somebody is the source of a scheme value, or docs/not-automated.md says why not."""

import re
from pathlib import Path

from review_flow import schemes

ROOT = Path(schemes.__file__).parents[2]
NUMBER = re.compile(r"\d{3}-(?:[A-Z0-9]-)?\d+[a-z]?")
BINDING = set("MGNQDC")
RULES = {
    number: set(flags[0]) if flags else set()
    for number, *flags in (
        line.split()
        for line in Path(__file__).with_name("rules.txt").read_text(encoding="utf-8").splitlines()
        if not line.startswith("#")
    )
}


def cited() -> set[str]:
    pages = [schemes.page(one.id).data for one in schemes.available()]
    return {
        number for page in pages for source in page.get("sources", {}).values() for number in NUMBER.findall(source)
    }


def excused() -> set[str]:
    """The numbers of the first table of the document."""
    text = (ROOT / "docs" / "not-automated.md").read_text(encoding="utf-8")
    table = text.split("## No value")[1].split("\n## ")[0]
    return {row.split("|")[1].strip() for row in table.splitlines() if NUMBER.match(row.removeprefix("| "))}


def test_the_table_of_rules_is_whole():
    """As many as the tables of the source documents have rows, and all flags known."""
    assert (len(RULES), sum(bool(flags & BINDING) for flags in RULES.values())) == (254, 170)
    assert set().union(*RULES.values()) == set("MOGNRDQC?")


def test_every_binding_rule_is_cited_or_excused():
    binding = {number for number, flags in RULES.items() if flags & BINDING}
    assert binding - cited() == excused()


def test_no_scheme_cites_a_rule_that_does_not_exist():
    assert cited() - set(RULES) == set()
