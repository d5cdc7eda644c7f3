"""Every deed that the code records has its words, and no words stand for nothing."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import review_flow
from models.base import Base
from review_flow.rules.deeds import DEEDS, DETAILS, PRIVATE, THINGS

STEPS = Path(review_flow.__file__).parent / "steps"


def named(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def texts(node: ast.AST) -> set[str]:
    return {one.value for one in ast.walk(node) if isinstance(one, ast.Constant) and isinstance(one.value, str)}


def places(tree: ast.Module) -> dict[str, int]:
    """The module's own functions that take a deed by its place, and which place that is."""
    functions = [one for one in ast.walk(tree) if isinstance(one, ast.FunctionDef)]
    taking = {one.name: [arg.arg for arg in one.args.args] for one in functions}
    return {name: args.index("deed") for name, args in taking.items() if "deed" in args}


def recorded(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Yield every deed of a module with the name of the function that records it."""
    by_place = places(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and {"deed", "DEED"} & {
            getattr(one, "id", "") for one in ast.walk(node.targets[0])
        }:
            yield from ((deed, "") for deed in texts(node.value) if re.fullmatch(r"[a-z]+(\.[a-z_]+)?", deed))
        if isinstance(node, ast.Call):
            said = [one.value for one in node.keywords if one.arg == "deed"]
            said += [node.args[at] for name, at in by_place.items() if name == named(node) and len(node.args) > at]
            for one in said:
                assert not isinstance(one, ast.JoinedStr), f"a deed is written out: {ast.unparse(node)}"
                yield from ((deed, named(node)) for deed in texts(one))


def test_every_deed_has_its_words_and_all_words_are_of_a_deed() -> None:
    modules = [ast.parse(path.read_text(encoding="utf-8")) for path in sorted(STEPS.glob("*.py"))]
    found = [pair for module in modules for pair in recorded(module)]
    assert {deed for deed, _by in found} == set(DEEDS)
    kept_apart = {deed for deed, by in found if by == "record_private"}
    assert kept_apart - {deed for deed, by in found if by != "record_private"} == PRIVATE


FRAME = {None, "organization_id", "actor", "deed", "about", "nomination"}


def noted(tree: ast.Module) -> Iterator[str]:
    """Yield every key under which a module notes something of a deed; counts are noted as they are gathered."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and named(node) in {"record", "record_private"}:
            said = {one.arg: one.value for one in node.keywords}
            assert None not in said or ast.unparse(said[None]) in {"counts", "data"}
            yield from (str(key) for key in said.keys() - FRAME if "deed" in said)
        gathered = isinstance(node, (ast.Assign, ast.AnnAssign)) and "counts" in ast.unparse(node).partition("=")[0]
        made = node.value if gathered else node
        if isinstance(made, ast.Dict) and (gathered or "**counts" in ast.unparse(made)):
            yield from (key.value for key in made.keys if isinstance(key, ast.Constant))


def test_everything_noted_of_a_deed_has_its_words() -> None:
    found = {key for path in sorted(STEPS.glob("*.py")) for key in noted(ast.parse(path.read_text(encoding="utf-8")))}
    assert found == set(DETAILS)


def test_words_tell_deeds_apart() -> None:
    assert len(set(DEEDS.values())) == len(DEEDS)
    assert len(set(THINGS.values())) == len(THINGS)
    assert set(THINGS) <= set(Base.metadata.tables)
