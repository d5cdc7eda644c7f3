"""A school's schemes: looked at as a document, kept, listed, and read back as YAML."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from fastapi import Path
from pydantic import Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from models import Person, SchemeVersion
from review_flow import schemes as scheme_files
from review_flow.errors import NotFound
from review_flow.i18n import _
from review_flow.schemes import SchemeInvalid
from review_flow.schemes.document import MOST_CHARACTERS, written
from review_flow.steps import schemes
from review_flow.web import mine
from review_flow.web.access import Db, Key
from review_flow.web.api.access import Administrator
from review_flow.web.api.pages import Asked, listed_part, numbered_part
from review_flow.web.api.routes import reads, router, writes
from review_flow.web.api.shapes import NO_NUL, Code, Day, In, Line, Out, Page, Word
from review_flow.web.own_scheme import SOURCE, in_library, looked_at
from review_flow.web.school import open_values

routes = router("schemes")
Name = Annotated[str, Path(max_length=100)]
Text = Annotated[str, Field(min_length=1, max_length=MOST_CHARACTERS, pattern=NO_NUL, description="YAML.")]


class TextIn(In):
    """A scheme document."""

    text: Text


class SchemeIn(In):
    """A scheme document to keep as a draft; one whose id was published before amends that, with a reason."""

    text: Text
    effective_from: Day
    reason: Line = ""


class MistakeOut(Out):
    """What was found at a line of the document; `level` is "error", or "warning" for what a draft may keep."""

    line: int
    field: str
    text: str
    level: str


class SectionOut(Out):
    """What differs in a section, in sentences."""

    section: str
    sentences: list[str]


class Looked(Out):
    """What was found in a document; where it can be kept, what differs from `origin`, which it derives from."""

    ok: bool
    mistakes: list[MistakeOut]
    digest: str | None
    origin: str | None
    differences: list[SectionOut]


class SchemeOut(Out):
    """A version of the school's, never edited once it is published; `digest` tells its content apart."""

    id: int
    scheme_id: str
    version: int
    title: str
    state: Word
    digest: str
    effective_from: date | None


class SchemeMore(SchemeOut):
    """A version with its document, which is the same scheme again, to the digest; `open`: what is to be confirmed."""

    text: str
    open: list[str]


class OwnScheme(Out):
    """A scheme that comes with the program; its document can be kept as it is, or derived from."""

    id: str
    title: str
    edition: str


class OwnSchemeMore(OwnScheme):
    """A scheme that comes with the program, with its document."""

    text: str


class ValueOut(Out):
    """A value in force: its place in the document, itself in words, and the rule it comes from."""

    path: str
    value: str
    origin: str


class OpenValue(Out):
    """What the source leaves open: the values in force, and whether the school has confirmed them."""

    id: str
    text: str
    values: list[ValueOut]
    confirmed: bool


class ConfirmIn(In):
    """The ids of open values; what is in force is the school's own will from now on."""

    ids: Annotated[list[Code], Field(min_length=1, max_length=200)]


def _facts(one: SchemeVersion) -> SchemeOut:
    return SchemeOut(
        id=one.id,
        scheme_id=one.scheme_id,
        version=one.version,
        title=schemes.scheme_of(one).title_zh,
        state=Word.of(one.state),
        digest=one.digest,
        effective_from=one.effective_from,
    )


def _more(one: SchemeVersion) -> SchemeMore:
    scheme = schemes.scheme_of(one)
    left = [unknown.id for unknown in scheme.unconfirmed() if unknown.id not in one.confirmed]
    return SchemeMore(**_facts(one).model_dump(), text=written(scheme.document), open=left)


@reads(routes, "/schemes")
def list_schemes(session: Db, person: Administrator, part: Asked) -> Page[SchemeOut]:
    """List the school's scheme versions."""
    found = select(SchemeVersion).where(SchemeVersion.organization_id == person.organization_id)
    return listed_part(
        session, found, key=SchemeVersion.id, part=part, shown=lambda rows: [_facts(one) for (one,) in rows]
    )


@reads(routes, "/schemes/{key}")
def get_scheme(session: Db, person: Administrator, key: Key) -> SchemeMore:
    """Tell a version of the school's, with its document."""
    return _more(_version(session, person, key))


def _version(session: Session, person: Person, key: int) -> SchemeVersion:
    return mine.of_school(session, person, SchemeVersion, key, _("考核方案"))


@writes(routes, "POST", "/scheme-checks")
def check_scheme(session: Db, person: Administrator, body: TextIn) -> Looked:  # noqa: ARG001 - every write has them
    """Look at a document: every finding by its line, and what differs from the scheme it derives from. Keeps nothing."""
    found = looked_at(body.text)
    scheme = found["scheme"]
    return Looked(
        ok=not found["wrong"],
        mistakes=[
            MistakeOut(line=one.line, field=one.field, text=one.text, level=one.level)
            for one, _line in found["mistakes"]
        ],
        digest=scheme and scheme.digest,
        origin=found.get("origin"),
        differences=[SectionOut(section=name, sentences=said) for name, said in found.get("differences", [])],
    )


@writes(routes, "POST", "/schemes", status=201, refuses=[SchemeInvalid, schemes.AmendmentRefused])
def keep_scheme(session: Db, person: Administrator, body: SchemeIn) -> SchemeMore:
    """Take a document into the school as a draft; its open values are confirmed before it is published."""
    made = schemes.adopt(
        session,
        actor=person,
        organization_id=person.organization_id,
        scheme=scheme_files.parse(body.text, source=SOURCE),
        effective_from=body.effective_from,
        reason=body.reason.strip() or None,
    )
    return _more(made)


@reads(routes, "/scheme-library")
def list_own_schemes(person: Administrator, part: Asked) -> Page[OwnScheme]:  # noqa: ARG001 - the guard is its point
    """List the schemes that come with the program."""
    found = [OwnScheme(id=one.id, title=one.title_zh, edition=one.edition) for one in scheme_files.available()]
    return numbered_part(found, part=part)


@reads(routes, "/scheme-library/{name}")
def get_own_scheme(person: Administrator, name: Name) -> OwnSchemeMore:  # noqa: ARG001 - the guard is its point
    """Tell a scheme that comes with the program, with its document."""
    one = in_library(name)
    return OwnSchemeMore(id=one.id, title=one.title_zh, edition=one.edition, text=one.file.read_text(encoding="utf-8"))


@reads(routes, "/schemes/{key}/open-values")
def list_open_values(session: Db, person: Administrator, key: Key, part: Asked) -> Page[OpenValue]:
    """List what the school has to confirm before a version is published, each value with where it comes from."""
    version = _version(session, person, key)
    cut = numbered_part(open_values(version, schemes.scheme_of(version)), part=part)
    told = [
        OpenValue(
            id=one["unknown"].id,
            text=one["unknown"].text_zh,
            values=[ValueOut(**value) for value in one["values"]],
            confirmed=one["confirmed"] is not None,
        )
        for one in cut.items
    ]
    return Page(items=told, next=cut.next)


@writes(routes, "POST", "/schemes/{key}/confirm", refuses=[schemes.SchemeInUse, NotFound])
def confirm_values(session: Db, person: Administrator, key: Key, body: ConfirmIn) -> SchemeMore:
    """Confirm open values of a draft."""
    version = _version(session, person, key)
    for one in body.ids:
        schemes.confirm(session, actor=person, version=version, unknown_id=one)
    return _more(version)


@writes(routes, "POST", "/schemes/{key}/publish", refuses=[schemes.StillUnconfirmed, schemes.SchemeInUse])
def publish_scheme(session: Db, person: Administrator, key: Key) -> SchemeMore:
    """Publish a draft whose open values are all confirmed: it is never edited again."""
    version = _version(session, person, key)
    schemes.publish(session, actor=person, version=version)
    return _more(version)
