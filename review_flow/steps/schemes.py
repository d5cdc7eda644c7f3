"""考核方案 in a school: adopted as a draft, its open values confirmed, published, amended with a reason."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import func, select

from models import SchemeVersion
from review_flow.clock import SCHOOL_ZONE, now
from review_flow.errors import NotFound, Refusal
from review_flow.i18n import _, listed, say
from review_flow.rules.amendment import amendment_refusal
from review_flow.rules.lifecycle import SchemeState, move
from review_flow.rules.scheme import Scheme
from review_flow.steps import audit
from review_flow.steps.people import require_admin
from review_flow.steps.turn import take_turn

if TYPE_CHECKING:
    from datetime import date

    from sqlalchemy.orm import Session

    from models import Person


class AmendmentRefused(Refusal):
    """The lock of the method, or a missing reason (001-A-05, 001-A-06)."""

    status, text = 409, _("不能这样修订方案：{why}")


class StillUnconfirmed(Refusal):
    """A scheme whose open values the school has not confirmed can't be published (T1)."""

    status, text = 409, _("方案还有{count}项“本校待确认”：{names}。请逐项确认后再发布。")


class SchemeInUse(Refusal):
    """A published version is never edited."""

    status, text = 409, _("方案第{version}版已发布，不能改动；请另存修订版。")


_built: dict[str, Scheme] = {}
MOST_BUILT = 32


def built_of(digest: str | None) -> Scheme | None:
    """Return the scheme of a digest where this process has built it; None where not, or where nothing is frozen yet."""
    return None if digest is None else _built.get(digest)


def scheme_of(version: SchemeVersion) -> Scheme:
    """Return the scheme of a stored version; built once for each digest, since building takes some milliseconds."""
    scheme = _built.get(version.digest)
    if scheme is None:
        while len(_built) >= MOST_BUILT:
            _built.pop(next(iter(_built)))
        scheme = _built[version.digest] = Scheme.from_document(version.document)
    return scheme


def adopt(
    session: Session,
    *,
    actor: Person,
    organization_id: int,
    scheme: Scheme,
    effective_from: date,
    reason: str | None = None,
) -> SchemeVersion:
    """Take a scheme into the school as a draft; one whose id was published before amends that, with a reason.

    Raises AmendmentRefused where the published one's lock or the missing reason forbids it (001-A-05/06, X-46).
    A draft locks nothing: nobody was assessed by it.
    """
    require_admin(session, actor=actor, organization_id=organization_id)
    take_turn(session, organization_id=organization_id)
    earlier = list(
        session.scalars(
            select(SchemeVersion)
            .where(SchemeVersion.organization_id == organization_id, SchemeVersion.scheme_id == scheme.id)
            .order_by(SchemeVersion.version.desc())
        )
    )
    in_force = next((one for one in earlier if one.state is not SchemeState.DRAFT), None)
    if in_force is not None:
        _require_amendable(in_force, scheme, effective_from=effective_from, reason=reason or "")
    version = SchemeVersion(
        organization_id=organization_id,
        scheme_id=scheme.id,
        version=earlier[0].version + 1 if earlier else 1,
        digest=scheme.digest,
        document=dict(scheme.document),
        state=SchemeState.DRAFT,
        confirmed={},
        effective_from=effective_from,
        reason=reason,
    )
    session.add(version)
    session.flush()
    audit.record(
        session, organization_id=organization_id, actor=actor, deed="scheme.adopt", about=version, digest=version.digest
    )
    return version


def _require_amendable(in_force: SchemeVersion, scheme: Scheme, *, effective_from: date, reason: str) -> None:
    since = in_force.effective_from
    assert since is not None  # `adopt` always dates a version
    why = amendment_refusal(
        scheme_of(in_force), scheme, effective_from=since, on=now().astimezone(SCHOOL_ZONE).date(), reason=reason
    )
    if why is None and effective_from < since:  # dated back, it would shorten its own lock
        why = say(_("修订版的生效日不能早于现行版的生效日{since}。"), since=since.isoformat())
    if why:
        raise AmendmentRefused(why=why)


def confirm(session: Session, *, actor: Person, version: SchemeVersion, unknown_id: str) -> None:
    """Tick one value of 本校待确认: the default in force is the school's own will from now on."""
    require_admin(session, actor=actor, organization_id=version.organization_id)
    take_turn(session, organization_id=version.organization_id)
    if version.state is not SchemeState.DRAFT:
        raise SchemeInUse(version=version.version)
    if unknown_id not in {unknown.id for unknown in scheme_of(version).unknowns}:
        raise NotFound(what=say(_("待确认事项")), key=unknown_id)
    version.confirmed = {**version.confirmed, unknown_id: {"by": actor.id, "at": now().isoformat()}}
    audit.record(
        session,
        organization_id=version.organization_id,
        actor=actor,
        deed="scheme.confirm",
        about=version,
        unknown=unknown_id,
    )


def publish(session: Session, *, actor: Person, version: SchemeVersion) -> None:
    """Publish a draft whose open values are all confirmed; the version before it retires for new rounds (T1)."""
    require_admin(session, actor=actor, organization_id=version.organization_id)
    take_turn(session, organization_id=version.organization_id)
    open_ = [u for u in scheme_of(version).unconfirmed() if u.id not in version.confirmed]
    if open_:
        raise StillUnconfirmed(count=len(open_), names=listed(u.text_zh for u in open_))
    if version.state is not SchemeState.DRAFT:
        raise SchemeInUse(version=version.version)
    for older in session.scalars(
        select(SchemeVersion).where(
            SchemeVersion.organization_id == version.organization_id,
            SchemeVersion.scheme_id == version.scheme_id,
            SchemeVersion.state == SchemeState.PUBLISHED,
        )
    ):
        older.state = move(older.state, SchemeState.RETIRED)
    version.state = move(version.state, SchemeState.PUBLISHED)
    version.published_by_id = actor.id
    audit.record(session, organization_id=version.organization_id, actor=actor, deed="scheme.publish", about=version)


def newest(session: Session, *, organization_id: int, scheme_id: str) -> SchemeVersion:
    """Return the highest version of a scheme in this school, or raise NotFound."""
    number = select(func.max(SchemeVersion.version)).where(
        SchemeVersion.organization_id == organization_id, SchemeVersion.scheme_id == scheme_id
    )
    version = session.scalars(
        select(SchemeVersion).where(
            SchemeVersion.organization_id == organization_id,
            SchemeVersion.scheme_id == scheme_id,
            SchemeVersion.version == number.scalar_subquery(),
        )
    ).first()
    if version is None:
        raise NotFound(what=say(_("考核方案")), key=scheme_id)
    return version
