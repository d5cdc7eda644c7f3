"""审核链: the approvals an ability needs before it passes, each after the one before (001-C-07).

A link is given or refused by people; the link that peer review is (`approval.peers`) is given when the work goes on to
the panel. The links before it open the work to colleagues, or their days do when they are over: nobody waits for ever.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING

from sqlalchemy import String, and_, case, exists, false, func, or_, select, true, type_coerce

from models import Enrolment, Fact, Round, Submission
from review_flow.clock import SCHOOL_ZONE, days_after, first_second_of, now
from review_flow.i18n import _, say
from review_flow.rules.lifecycle import SubmissionState
from review_flow.rules.record import OVERDUE
from review_flow.rules.words import FactKind, RoleKind, WorkKind
from review_flow.steps.corrections import ask_correction
from review_flow.steps.messages import tell
from review_flow.steps.people import conflicting_with, has_role
from review_flow.steps.work import enqueue

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import BindParameter, ColumnElement, Select
    from sqlalchemy.orm import Session

    from models import Person
    from review_flow.rules.scheme import Scheme
    from review_flow.steps.programme import Telling

_Told = dict[str, str | None]
"""link → the word on it; None: a refusal of what was since put right and sealed again."""
GIVEN, REFUSED = "given", "refused"
OPEN_TO_LINKS = (SubmissionState.SEALED, SubmissionState.SUBMITTED, SubmissionState.IN_PEER_REVIEW)
REVIEWED = (SubmissionState.IN_PANEL, SubmissionState.IN_ARBITRATION, SubmissionState.GRADED)
BY_VALUE = {one.value: one for one in SubmissionState}


def links_before_peers(scheme: Scheme) -> tuple[str, ...]:
    """Return the links that a work needs before colleagues review it; none where peer review is no link."""
    chain, peers = scheme.approval.chain, scheme.approval.peers
    return () if peers is None else chain[: chain.index(peers)]


def ends_at(scheme: Scheme, submission: Submission) -> datetime | None:
    """Return when the links before peer review should be given; None before the work is sealed."""
    sealed_at, days = submission.statement_at, scheme.approval.days
    return None if sealed_at is None or days is None else days_after(sealed_at, days)


def open_to_peers(scheme: Scheme) -> ColumnElement[bool]:
    """Whether a work's links before peer review are given, or their days are over; for a query over Submission."""
    return let_through(links_before_peers(scheme), overdue=overdue_before(scheme))


def overdue_before(scheme: Scheme) -> datetime:
    """Return the moment before which a statement must have come for its links' days to be over now."""
    return first_second_of(now().astimezone(SCHOOL_ZONE).date() - timedelta(days=scheme.approval.days or 0))


def let_through(links: Sequence[str], *, overdue: datetime | BindParameter[datetime]) -> ColumnElement[bool]:
    """Return what `open_to_peers` does, of these links; with that moment, or a name for it."""
    if not links:
        return true()
    given = (
        exists().where(
            Fact.enrolment_id == Submission.enrolment_id,
            Fact.kind == FactKind.APPROVAL,
            Fact.about == Submission.ability + f":{link}",
            Fact.word == GIVEN,
            Fact.struck_at.is_(None),
        )
        for link in links
    )
    return or_(Submission.statement_at < overdue, and_(*given))


def approvals_of(
    session: Session, *, enrolment: Enrolment, scheme: Scheme, works: Sequence[Submission]
) -> dict[str, dict[str, bool | str]]:
    """Return ability → link → given or not, or overdue where the scheme takes that as given; what nobody said is absent."""
    sealed = {one.ability: one.statement_at for one in works}
    told: dict[str, _Told] = defaultdict(dict)
    for fact in session.scalars(
        select(Fact)
        .where(Fact.enrolment_id == enrolment.id, Fact.kind == FactKind.APPROVAL, Fact.struck_at.is_(None))
        .order_by(Fact.id)
    ):
        ability, _colon, link = fact.about.partition(":")
        again = sealed.get(ability)
        outlived = fact.word == REFUSED and again is not None and fact.recorded_at < again
        told[ability][link] = None if outlived else fact.word
    ended = overdue_before(scheme)
    over = {ability: at is not None and at < ended for ability, at in sealed.items()}
    return {one.ability: _approvals(scheme, one.state, told[one.ability], over=over[one.ability]) for one in works}


def _approvals(scheme: Scheme, state: SubmissionState, told: _Told, *, over: bool) -> dict[str, bool | str]:
    """Return link → given or not of one work; `over`: the days for the links before peer review are."""
    found: dict[str, bool | str] = {}
    for link in scheme.approval.chain:
        said = told.get(link)
        if said is not None:
            found[link] = said == GIVEN
        elif link == scheme.approval.peers and state in REVIEWED:
            found[link] = True
        elif over and link in links_before_peers(scheme) and scheme.approval.overdue == GIVEN:
            found[link] = OVERDUE
    return found


def work_of(session: Session, *, enrolment: Enrolment, ability: str) -> Submission | None:
    """Return the teacher's standing work for an ability."""
    return session.scalars(
        select(Submission).where(
            Submission.enrolment_id == enrolment.id,
            Submission.ability == ability,
            Submission.state != SubmissionState.REPLACED,
        )
    ).first()


def out_of_order(session: Session, *, enrolment: Enrolment, scheme: Scheme, telling: Telling) -> str | None:
    """Return, in Chinese, why a link can't be told now; None: it can.

    Each link comes after those before it were given, and only of a work that is sealed. Peer review as a link is told
    only when it is over; the links before it refuse only while the work can still go back.
    """
    ability, _colon, link = telling.about.partition(":")
    work = work_of(session, enrolment=enrolment, ability=ability)
    if work is None or work.state not in (*OPEN_TO_LINKS, *REVIEWED):
        return say(_("“{ability}”还没有封存提交"), ability=ability)
    chain = scheme.approval.chain
    known = approvals_of(session, enrolment=enrolment, scheme=scheme, works=[work])[ability]
    for earlier in chain[: chain.index(link)]:
        if known.get(earlier) is False:
            return say(_("前一步“{link}”没有通过"), link=earlier)
        if earlier not in known:
            return say(_("须先完成前一步“{link}”"), link=earlier)
    if link == scheme.approval.peers and work.state not in REVIEWED:
        return say(_("互评结束后才能登记"))
    return _refused_badly(scheme, work, link, telling) if telling.word == REFUSED else None


def _refused_badly(scheme: Scheme, work: Submission, link: str, telling: Telling) -> str | None:
    if not str(telling.details.get("reason", "")).strip():
        return say(_("不通过须写明理由"))
    if link in links_before_peers(scheme) and work.state not in OPEN_TO_LINKS:
        return say(_("互评已经结束，不能再退回"))
    return None


def follow(session: Session, *, actor: Person, enrolment: Enrolment, scheme: Scheme, telling: Telling) -> None:
    """Do what a link leads to: given, colleagues may review; refused, the work goes back, or its author is told why."""
    ability, _colon, link = telling.about.partition(":")
    work = work_of(session, enrolment=enrolment, ability=ability)
    assert work is not None  # `out_of_order` has seen it
    if telling.word == GIVEN:
        enqueue(session, kind=WorkKind.ALLOCATE_REVIEWS, subject_id=enrolment.round_id)
    elif link in links_before_peers(scheme):
        reason = say(_("{link}未通过：{reason}"), link=link, reason=telling.details["reason"])
        ask_correction(session, scheme=scheme, submission=work, reasons=reason, actor=actor)
    else:
        tell(
            session,
            person_id=enrolment.person_id,
            round_id=enrolment.round_id,
            kind="approval.refused",
            sentence=_("您的“{ability}”未通过{link}：{reason}。提交期内可改选其他微能力。"),
            ability=ability,
            link=link,
            reason=telling.details["reason"],
        )


def lacks_link(session: Session, *, scheme: Scheme, submission: Submission) -> bool:
    """Whether nobody gave one of the links before peer review, in its days or after."""
    enrolment = session.get_one(Enrolment, submission.enrolment_id)
    known = approvals_of(session, enrolment=enrolment, scheme=scheme, works=[submission])[submission.ability]
    return any(known.get(link) is not True for link in links_before_peers(scheme))


def next_links(
    session: Session, *, person: Person, round_: Round, scheme: Scheme, work: Submission | None = None
) -> list[tuple[int, str]]:
    """Return the works (ids) on which this person may say the link that people say next, each with that link.

    An administrator's are all but their own, a member's those of nobody they keep away from. A work that was refused
    waits for its author, and one before peer review for its colleagues. With a work: of that one alone.
    """
    if not scheme.approval.chain:
        return []
    admin = has_role(
        session, person_id=person.id, organization_id=round_.organization_id, kinds=[RoleKind.SCHOOL_ADMIN]
    )
    away = {person.id} if admin else conflicting_with(session, person_id=person.id)
    told: dict[int, _Told] = defaultdict(dict)
    for key, about, word in session.execute(_words(round_, scheme, work)):
        told[key][about.partition(":")[2]] = word
    works = select(
        Submission.id,
        type_coerce(Submission.state, String),  # thousands of rows: no word is looked up for each
        func.coalesce(Submission.statement_at < overdue_before(scheme), false()),
    ).where(
        Submission.round_id == round_.id,
        Submission.state.in_((*OPEN_TO_LINKS, *REVIEWED)),
        Submission.author_id.not_in(away),
        *_only(work),
    )

    @cache  # most works of a school stand alike
    def link_of(state: str, words: tuple[tuple[str, str | None], ...], over: bool) -> str | None:  # noqa: FBT001 - kept by place
        return _next(scheme, _approvals(scheme, BY_VALUE[state], dict(words), over=over))

    rows = session.execute(works.order_by(Submission.id))
    found = [(key, link_of(state, tuple(told.get(key, {}).items()), over)) for key, state, over in rows]
    return [(key, link) for key, link in found if link is not None]


def _only(work: Submission | None) -> list[ColumnElement[bool]]:
    return [] if work is None else [Submission.id == work.id]


def _words(round_: Round, scheme: Scheme, work: Submission | None) -> Select[tuple[int, str, str | None]]:
    """Select of what was said on links: of which work, on which link, and the word as `_Told` has it."""
    outlived = and_(Fact.word == REFUSED, Fact.recorded_at < Submission.statement_at)
    return (
        select(Submission.id, Fact.about, case((outlived, None), else_=Fact.word))
        .join(Fact, Fact.enrolment_id == Submission.enrolment_id)
        .where(
            Submission.round_id == round_.id,
            Fact.kind == FactKind.APPROVAL,
            Fact.struck_at.is_(None),
            Fact.about.in_([Submission.ability + f":{link}" for link in scheme.approval.chain]),
            *_only(work),
        )
        .order_by(Fact.id)
    )


def _next(scheme: Scheme, known: dict[str, bool | str]) -> str | None:
    left = (link for link in scheme.approval.chain if not known.get(link))
    link = next(left, None)
    return None if link in known or link == scheme.approval.peers else link


def waiting(session: Session, *, round_: Round, scheme: Scheme) -> list[Submission]:
    """Return the sealed works that colleagues can't review yet, for want of a link before that."""
    return list(
        session.scalars(
            select(Submission)
            .where(
                Submission.round_id == round_.id,
                Submission.state.in_(OPEN_TO_LINKS),
                ~open_to_peers(scheme),
            )
            .order_by(Submission.id)
        )
    )
