"""A school's schemes: looked at as a document, kept, listed, and read back as YAML."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from pydantic import Field
from sqlalchemy import select

from models import SchemeVersion
from review_flow import schemes as scheme_files
from review_flow.i18n import _
from review_flow.schemes import SchemeInvalid
from review_flow.schemes.document import MOST_CHARACTERS, written
from review_flow.steps import schemes
from review_flow.web import mine
from review_flow.web.access import Db, Key
from review_flow.web.api.access import Administrator
from review_flow.web.api.pages import Asked, listed_part
from review_flow.web.api.routes import reads, router, writes
from review_flow.web.api.shapes import NO_NUL, Day, In, Line, Out, Page, Word
from review_flow.web.own_scheme import SOURCE, looked_at

routes = router("schemes")
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
    return _more(mine.of_school(session, person, SchemeVersion, key, _("考核方案")))


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
    """Take a document into the school as a draft; its open values are confirmed and it is published on the page."""
    made = schemes.adopt(
        session,
        actor=person,
        organization_id=person.organization_id,
        scheme=scheme_files.parse(body.text, source=SOURCE),
        effective_from=body.effective_from,
        reason=body.reason.strip() or None,
    )
    return _more(made)
