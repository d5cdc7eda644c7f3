"""雷同: what a file has in common with those handed in before, by anybody, in any year. Rule 001-A-29.

A hit is a question to people and never a verdict. It belongs to the file that came later. Who sees a finding learns
that a colleague's file is alike, not whose; the panel and the administrator see both sides (`side_by_side`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, and_, delete, func, insert, or_, select

from models import (
    FINGERPRINT_KEY,
    CommonSource,
    CopyHit,
    Evidence,
    Fingerprint,
    Organization,
    Person,
    Round,
    Submission,
)
from models import Finding as FindingRow
from review_flow.clock import now
from review_flow.errors import NotAllowed
from review_flow.evidence import copies
from review_flow.evidence.check import duplicate
from review_flow.evidence.copies import Match, Print
from review_flow.i18n import _, say
from review_flow.rules.verdict import Finding, Level
from review_flow.rules.words import CopyKind, EvidenceState, SeatKind, Verdict
from review_flow.steps import audit
from review_flow.steps.people import conflicting_with, has_seat, require_admin
from review_flow.steps.turn import take_turn

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sqlalchemy.orm import Session

SHARED_KEYS = 2
"""Keys two files must share to be compared: one is shared by chance."""
NEAREST = 16
"""Files of a kind that are compared closely, those sharing the rarest keys first."""
MOST_HOLDERS = 200
"""Files that may hold one key. What more of them share (a black frame, a form's heading) tells no two apart."""
MOST_SAID = 5
"""Other files named in findings; `side_by_side` has all."""
ELSEWHERE = _("另一所学校的成果")
LOOKERS = tuple(SeatKind)


@dataclass(frozen=True, slots=True)
class Near:
    """A fingerprint worth comparing: somebody's evidence, or (None) a common source's."""

    id: int
    evidence_id: int | None
    print: Print


Compared = dict[int, Match | None]


def tree_of(session: Session, *, organization_id: int) -> list[int]:
    """Return the ids of all organizations under the same root, this one among them."""
    parents = dict(session.execute(select(Organization.id, Organization.parent_id)).tuples().all())

    def root(of: int) -> int:
        above = parents[of]
        return of if above is None else root(above)

    return [one for one in parents if root(one) == root(organization_id)]


def near(session: Session, *, evidence: Evidence, prints: Iterable[Print]) -> list[Near]:
    """Return the fingerprints that share keys with these, those with the rarest keys first.

    Of the whole school tree and all years; not of the same submission, nor of what its author has replaced.
    """
    submission = session.get_one(Submission, evidence.submission_id)
    tree = tree_of(session, organization_id=session.get_one(Round, submission.round_id).organization_id)
    theirs = and_(Round.organization_id.in_(tree), _others(submission))
    common = and_(CommonSource.organization_id.in_(tree), CommonSource.ended_at.is_(None))
    listed = session.scalars(select(CommonSource.id).where(common)).first() is not None
    return [
        Near(row.id, row.evidence_id, Print(row.kind, (), row.data))
        for one in prints
        for wanted in ((common, theirs) if listed else (theirs,))
        for row in session.execute(_nearest(one, wanted))
    ]


def _others(submission: Submission) -> ColumnElement[bool]:
    replaced = and_(Submission.author_id == submission.author_id, Evidence.state == EvidenceState.SUPERSEDED)
    return and_(Submission.id != submission.id, ~replaced)


def _nearest(one: Print, wanted: ColumnElement[bool]) -> Any:
    """Rank by the keys shared, each weighing less the more files hold it."""
    key = FINGERPRINT_KEY.c
    shared = select(key.value, key.fingerprint_id).where(key.value.in_(one.keys)).cte("shared")
    rarity = select(shared.c.value, (1.0 / func.count()).label("weight")).group_by(shared.c.value).cte("rarity")
    ranked = (
        select(shared.c.fingerprint_id, func.sum(rarity.c.weight).label("weight"))
        .join(rarity, rarity.c.value == shared.c.value)
        .group_by(shared.c.fingerprint_id)
        .having(func.count() >= SHARED_KEYS)
        .subquery("ranked")
    )
    return (
        select(Fingerprint.id, Fingerprint.evidence_id, Fingerprint.kind, Fingerprint.data)
        .join(ranked, ranked.c.fingerprint_id == Fingerprint.id)
        .outerjoin(CommonSource, CommonSource.id == Fingerprint.source_id)
        .outerjoin(Evidence, Evidence.id == Fingerprint.evidence_id)
        .outerjoin(Submission, Submission.id == Evidence.submission_id)
        .outerjoin(Round, Round.id == Submission.round_id)
        .where(Fingerprint.kind == one.kind, Fingerprint.format == copies.FORMAT, wanted)
        .order_by(ranked.c.weight.desc(), Fingerprint.id)
        .limit(NEAREST)
    )


def compare(
    prints: Sequence[Print], found: Iterable[Near], *, known: Mapping[int, Match | None] | None = None
) -> Compared:
    """Compare a file's prints with those near them, by fingerprint id; what is `known` already is not done again.

    Takes some 0.1 s of CPU each: call it outside of any transaction.
    """
    done = dict(known or {})
    for one in found:
        if one.id not in done:
            done[one.id] = next(iter(copies.compare(prints, [one.print])), None)
    return done


def record(
    session: Session, *, evidence: Evidence, prints: Sequence[Print], compared: Mapping[int, Match | None]
) -> list[Finding]:
    """Keep a checked file's fingerprints and where it is like others; return what its check has to say of that.

    `compared` is what `compare` said of those near it a moment ago: who came in between is compared now, under the
    school's turn, so of two files at once the second sees the first. A file already checked that came later than
    this one gets its finding here.
    """
    submission = session.get_one(Submission, evidence.submission_id)
    round_ = session.get_one(Round, submission.round_id)
    take_turn(session, organization_id=round_.organization_id)
    forget(session, evidence=evidence, as_earlier=False)
    found = near(session, evidence=evidence, prints=prints)
    matches = compare(prints, found, known=compared)
    sources = [match for one in found if one.evidence_id is None and (match := matches[one.id]) is not None]
    hits = [(twin, Match(CopyKind.EXACT, 1.0, (), ())) for twin in twins(session, evidence=evidence)]
    same = {twin.id for twin, _match in hits}
    for one in found:
        match = matches[one.id]
        if one.evidence_id is not None and one.evidence_id not in same and match is not None:
            left = copies.unexplained(match, sources)
            hits += [(session.get_one(Evidence, one.evidence_id), left)] if left is not None else []
    said = _record_hits(session, evidence=evidence, hits=hits)
    keep(session, prints=prints, evidence_id=evidence.id)
    audit.record(
        session,
        organization_id=round_.organization_id,
        actor=None,
        deed="evidence.compare",
        about=evidence,
        near=len(found),
        hits=len(hits),
    )
    return said


def twins(session: Session, *, evidence: Evidence) -> list[Evidence]:
    """Return the files of other works, in the whole tree, that are this one to the byte; none for a common source."""
    submission = session.get_one(Submission, evidence.submission_id)
    tree = tree_of(session, organization_id=session.get_one(Round, submission.round_id).organization_id)
    common = select(CommonSource.id).where(
        CommonSource.organization_id.in_(tree),
        CommonSource.sha256 == evidence.sha256,
        CommonSource.ended_at.is_(None),
    )
    return list(
        session.scalars(
            select(Evidence)
            .join(Submission, Submission.id == Evidence.submission_id)
            .join(Round, Round.id == Submission.round_id)
            .where(
                Evidence.sha256 == evidence.sha256,
                Round.organization_id.in_(tree),
                _others(submission),
                ~common.exists(),
            )
            .order_by(Evidence.uploaded_at, Evidence.id)
        )
    )


def came_before(one: Evidence, other: Evidence) -> bool:
    """Whether a file was handed in before another; of two in the same moment, the one noted first."""
    return (one.uploaded_at, one.id) < (other.uploaded_at, other.id)


def place(session: Session, *, evidence: Evidence, other: Evidence) -> str:
    """Return where a file stands, for who sees another's finding: a number of the own school, no more of others."""
    rounds = (session.get_one(Submission, one.submission_id).round_id for one in (evidence, other))
    here, there = (session.get_one(Round, one).organization_id for one in rounds)
    return f"submission:{other.submission_id}" if here == there else say(ELSEWHERE)


def _record_hits(session: Session, *, evidence: Evidence, hits: Iterable[tuple[Evidence, Match]]) -> list[Finding]:
    """Give each hit to the later file of the two; return the findings of this one, one for each other file."""
    said: dict[int, Finding] = {}
    for other, match in hits:
        if came_before(other, evidence):
            session.add(_hit(evidence, other, match))
            said.setdefault(other.id, _finding(session, evidence=evidence, other=other, match=match))
        elif not _stands(session, later=other, earlier=evidence, kind=match.kind):
            turned = match.turned()
            session.add(_hit(other, evidence, turned))
            _add_finding(session, to=other, finding=_finding(session, evidence=other, other=evidence, match=turned))
    session.flush()
    return list(dict.fromkeys(said.values()))[:MOST_SAID]


def _hit(later: Evidence, earlier: Evidence, match: Match) -> CopyHit:
    return CopyHit(
        evidence_id=later.id,
        earlier_id=earlier.id,
        kind=match.kind,
        percent=round(match.score * 100),
        places={"here": [dict(one) for one in match.here], "there": [dict(one) for one in match.there]},
        found_at=now(),
    )


def _stands(session: Session, *, later: Evidence, earlier: Evidence, kind: CopyKind) -> bool:
    standing = select(CopyHit.id).where(
        CopyHit.evidence_id == later.id, CopyHit.earlier_id == earlier.id, CopyHit.kind == kind
    )
    return session.scalars(standing).first() is not None


def _add_finding(session: Session, *, to: Evidence, finding: Finding) -> None:
    """Add to what a check has said; a file it passed is for people to look at now."""
    if to.verdict is None:  # its own check is still to come, and will see this
        return
    last = session.scalars(select(func.max(FindingRow.position)).where(FindingRow.evidence_id == to.id)).one()
    position = 0 if last is None else last + 1
    session.add(
        FindingRow(
            evidence_id=to.id, position=position, code=finding.code, level=finding.level.value, text=finding.text
        )
    )
    session.flush()
    if to.verdict is Verdict.VALID:
        to.verdict = Verdict.HUMAN


def _finding(session: Session, *, evidence: Evidence, other: Evidence, match: Match) -> Finding:
    """Say what was found in one sentence that names nobody; own earlier work is told apart (code `reuse_…`)."""
    if match.kind is CopyKind.EXACT:
        return duplicate(place(session, evidence=evidence, other=other))
    own, whose = relation(session, evidence=evidence, other=other)
    return Finding(f"{'reuse' if own else 'copy'}_{match.kind.value}", Level.HUMAN, copies.sentence(match, whose=whose))


def relation(session: Session, *, evidence: Evidence, other: Evidence) -> tuple[bool, str]:
    """Return whether both files are the same person's, and whose the other is, in words that name nobody."""
    mine, theirs = (session.get_one(Submission, one.submission_id) for one in (evidence, other))
    here, there = (session.get_one(Round, one.round_id) for one in (mine, theirs))
    if mine.author_id == theirs.author_id:
        if here.id == there.id:
            return True, say(_("作者本人在本轮的另一项成果（{ability}）"), ability=theirs.ability)
        return True, say(_("作者本人往年的成果（{round} {ability}）"), round=there.name, ability=theirs.ability)
    if here.organization_id == there.organization_id:
        return False, say(_("本校另一位教师的成果"))
    return False, say(ELSEWHERE)


def keep(
    session: Session, *, prints: Iterable[Print], evidence_id: int | None = None, source_id: int | None = None
) -> None:
    """Keep fingerprints of an evidence or a common source, and their keys but those that too many hold."""
    key = FINGERPRINT_KEY.c
    for one in prints:
        row = Fingerprint(
            evidence_id=evidence_id, source_id=source_id, kind=one.kind, format=copies.FORMAT, data=one.data
        )
        session.add(row)
        session.flush()
        held = select(key.value).where(key.value.in_(one.keys)).group_by(key.value).having(func.count() >= MOST_HOLDERS)
        wanted = set(one.keys).difference(session.scalars(held))
        rows = [{"value": value, "fingerprint_id": row.id} for value in sorted(wanted)]
        if rows:
            session.execute(insert(FINGERPRINT_KEY), rows)


def forget(session: Session, *, evidence: Evidence, as_earlier: bool = True) -> None:
    """Delete a file's fingerprints and hits; what others were told of it stays where not `as_earlier`.

    Where an evidence's row is deleted, the database does the same.
    """
    session.execute(delete(Fingerprint).where(Fingerprint.evidence_id == evidence.id))
    either = or_(CopyHit.evidence_id == evidence.id, CopyHit.earlier_id == evidence.id)
    session.execute(delete(CopyHit).where(either if as_earlier else CopyHit.evidence_id == evidence.id))


def without_prints(session: Session) -> list[Evidence]:
    """Return checked files that were there before the index, or before its present form, oldest first.

    A file that is refused, superseded or gone needs none; one that gave none (too short a text) is returned as well.
    """
    present = select(Fingerprint.id).where(Fingerprint.evidence_id == Evidence.id, Fingerprint.format == copies.FORMAT)
    return list(
        session.scalars(
            select(Evidence)
            .where(
                Evidence.state == EvidenceState.CHECKED,
                Evidence.verdict != Verdict.REJECTED,
                Evidence.removed_at.is_(None),
                ~present.exists(),
            )
            .order_by(Evidence.uploaded_at, Evidence.id)
        )
    )


def index(session: Session, *, evidence: Evidence, prints: Sequence[Print]) -> int:
    """Keep the fingerprints of a file that was checked without them, and its hits; return the new findings' number."""
    compared = compare(prints, near(session, evidence=evidence, prints=prints))
    said = record(session, evidence=evidence, prints=prints, compared=compared)
    told = set(session.scalars(select(FindingRow.text).where(FindingRow.evidence_id == evidence.id)))
    fresh = [one for one in said if one.text not in told]
    for finding in fresh:
        _add_finding(session, to=evidence, finding=finding)
    return len(fresh)


def prints_of(session: Session, *, evidence: Evidence) -> list[Print]:
    """Return the fingerprints kept of a file, with the keys that find them."""
    rows = session.scalars(
        select(Fingerprint)
        .where(Fingerprint.evidence_id == evidence.id, Fingerprint.format == copies.FORMAT)
        .order_by(Fingerprint.id)
    )
    key = FINGERPRINT_KEY.c
    return [
        Print(row.kind, tuple(session.scalars(select(key.value).where(key.fingerprint_id == row.id))), row.data)
        for row in rows
    ]


def side_by_side(session: Session, *, actor: Person, evidence: Evidence) -> list[dict[str, Any]]:
    """Return every hit of a file, earlier or later, with both places: kind, percent, whose, here, there.

    For the panel and the administrator of the file's school. A side has its places, and file, slot, work and author
    where the actor may know them: not of another school, nor of somebody they have to keep away from.
    """
    away = require_looker(session, actor=actor, evidence=evidence)
    hits = session.scalars(
        select(CopyHit)
        .where(or_(CopyHit.evidence_id == evidence.id, CopyHit.earlier_id == evidence.id))
        .order_by(CopyHit.percent.desc(), CopyHit.id)
    )
    return [_sides(session, hit=hit, evidence=evidence, away=away) for hit in hits]


def require_looker(session: Session, *, actor: Person, evidence: Evidence) -> set[int]:
    """Let pass who may look into a file: the panel and the administrator, unless they have to keep away from its author.

    Returns the ids of everybody they have to keep away from. Raises NotAllowed.
    """
    submission = session.get_one(Submission, evidence.submission_id)
    round_ = session.get_one(Round, submission.round_id)
    if not has_seat(session, person_id=actor.id, round_id=round_.id, kinds=LOOKERS):
        require_admin(session, actor=actor, organization_id=round_.organization_id)
    away = conflicting_with(session, person_id=actor.id)
    if submission.author_id in away:
        raise NotAllowed(why=say(_("应回避本人或有关联的教师")))
    return away


def _sides(session: Session, *, hit: CopyHit, evidence: Evidence, away: set[int]) -> dict[str, Any]:
    later = hit.evidence_id == evidence.id
    other = session.get_one(Evidence, hit.earlier_id if later else hit.evidence_id)
    places = [hit.places["here"], hit.places["there"]]
    own, whose = relation(session, evidence=evidence, other=other)
    mine, theirs = places if later else places[::-1]
    known = session.get_one(Submission, other.submission_id)
    school, elsewhere = (
        session.get_one(Round, session.get_one(Submission, one.submission_id).round_id).organization_id
        for one in (evidence, other)
    )
    shown = school == elsewhere and known.author_id not in away
    return {
        "kind": hit.kind.value,
        "percent": hit.percent,
        "own": own,
        "whose": whose,
        "came_later": later,
        "here": {**_side(session, evidence), "places": mine},
        "there": {**(_side(session, other) if shown else {}), "places": theirs},
    }


def _side(session: Session, evidence: Evidence) -> dict[str, Any]:
    submission = session.get_one(Submission, evidence.submission_id)
    author = session.get_one(Person, submission.author_id)
    return {
        "evidence": evidence.id,
        "file": evidence.file_name,
        "slot": evidence.slot,
        "submission": submission.id,
        "ability": submission.ability,
        "author": author.name,
        "uploaded_at": evidence.uploaded_at,
    }
