"""The scheme documents, the catalogue data, and their loader.

scheme = schemes.load("xian-2022-appraisal")     # or the path of a school's own file
schemes.catalogue("micro30").get("A1")
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from review_flow.errors import NotFound
from review_flow.i18n import _, say
from review_flow.rules.build import build
from review_flow.rules.catalogue import Catalogue
from review_flow.rules.scheme import Scheme
from review_flow.schemes.document import Mistake, Page, SchemeInvalid, read_own, read_page
from review_flow.schemes.resolve import complete, expand

__all__ = ["Listed", "Mistake", "SchemeInvalid", "available", "catalogue", "load", "parse"]

HERE = Path(__file__).parent
DEFAULTS = "defaults"


@dataclass(frozen=True)
class Listed:
    """A scheme that comes with the program."""

    id: str
    title_zh: str
    edition: str
    file: Path


def load(name: str | Path) -> Scheme:
    """Return a scheme by its id, or from a YAML file; SchemeInvalid lists its mistakes, NotFound when there is none."""
    if str(name) in _files():
        return _built_in(str(name))
    path = Path(name)
    if not path.is_file():
        raise NotFound(what=say(_("考核方案")), key=str(name))
    return parse(path.read_text(encoding="utf-8-sig"), source=str(path))


def parse(text: str, *, source: str) -> Scheme:
    """Return the scheme of a YAML text; `source` is the file name its mistakes are told under."""
    from review_flow.schemes.check import mistakes_of

    read = read_page(text, source=source)
    mistakes = [mistake for mistake in mistakes_of(read) if mistake.level == "error"]
    if mistakes:
        raise SchemeInvalid(mistakes)
    return Scheme.from_document(resolved(read.data))


def available() -> list[Listed]:
    """Return the schemes that come with the program, by id."""
    pages = {file: page(name) for name, file in _files().items() if name != DEFAULTS}
    return [Listed(read.data["id"], read.data["title_zh"], read.data["edition"], file) for file, read in pages.items()]


@cache
def catalogue(name: str) -> Catalogue:
    """Return a catalogue by its id; NotFound when there is none."""
    return build(Catalogue, catalogue_document(name))


@cache
def catalogue_document(name: str) -> dict[str, Any]:
    """Return a catalogue as plain data, every ability with its own slots."""
    path = HERE / f"{name}.yaml"
    if not path.is_file() or name in _files():
        raise NotFound(what=say(_("微能力目录")), key=name)
    return expand(read_own(path.read_text(encoding="utf-8"), source=path.name).data)


def resolved(written: dict[str, Any]) -> dict[str, Any]:
    """Return the complete document of what an author wrote."""
    return complete(written, scheme=document, catalogue=catalogue_document, defaults=page(DEFAULTS).data)


@cache
def document(name: str) -> dict[str, Any]:
    """Return the complete document of a built-in scheme; NotFound when there is none."""
    return resolved(page(name).data)


@cache
def page(name: str) -> Page:
    """Return the parsed file of a built-in scheme; NotFound when there is none."""
    if name not in _files():
        raise NotFound(what=say(_("考核方案")), key=name)
    path = _files()[name]
    return read_own(path.read_text(encoding="utf-8"), source=path.name)


@cache
def _built_in(name: str) -> Scheme:
    return Scheme.from_document(document(name))


@cache
def _files() -> dict[str, Path]:
    """Return the built-in scheme files by id; the file is named as its scheme."""
    paths = sorted(HERE.glob("*.yaml"))
    return {path.stem: path for path in paths if "\nschema: kaohe/1\n" in path.read_text(encoding="utf-8")}
