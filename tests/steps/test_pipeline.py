"""Works rise level by level: consents, votes, marks, shares, and a library of what was published."""

from __future__ import annotations

import copy
from decimal import Decimal
from fractions import Fraction

import pytest
from sqlalchemy import select

from models import Evidence, LibraryEntry, Nomination, NominationMove, NominationVoice, Person
from review_flow import schemes as scheme_files
from review_flow.errors import BadInput, NotAllowed
from review_flow.rules.lifecycle import RoundPhase
from review_flow.rules.scheme import Scheme
from review_flow.rules.words import NominationKind, NominationState, RoleKind, WorkConsent
from review_flow.steps import enrolments, levels, library, nominations, people, work_consents
from review_flow.steps.nominations import NotNominable, NotRising, NotYourJudgement, OtherWay, Work
from review_flow.steps.rounds import WrongPhase
from review_flow.steps.work_consents import ConsentMissing
from tests.cast import kept, queries
from tests.steps.test_groups import FUYU, QUANZHOU, Shop

pytestmark = pytest.mark.usefixtures("clock")
F30, F50 = scheme_files.load("fuqing-30"), scheme_files.load("fuqing-50")
AUTHOR, PUBLICATION = WorkConsent.AUTHOR, WorkConsent.PUBLICATION


def changed(scheme: Scheme, number: int, **values: object) -> Scheme:
    document = copy.deepcopy(scheme.document)
    document["pipeline"][number].update(values)
    return Scheme.from_document(document)


def yes(shop: Shop, work: Nomination, about: WorkConsent = AUTHOR, *, given: bool = True, **value):
    value = ({"pupils": False} if about is PUBLICATION else {}) | value
    author = next(one for one in shop.school.teachers if one.id == work.author_id)
    return work_consents.say_consent(shop.session, actor=author, nomination=work, about=about, given=given, **value)


def up(shop: Shop, step: str, by=None, **value) -> list[str]:
    from review_flow.steps.rounds import round_scheme

    found = next(one for one in round_scheme(shop.session, round_=shop.round).pipeline if one.id == step)
    chosen = levels.advance_level(shop.session, actor=by or shop.school.admin, round_=shop.round, step=found, **value)
    return [one.title for one in chosen]


def test_a_workshop_votes_and_its_best_goes_on_with_its_authors_consent(session) -> None:
    """fuqing-30: seed members by vote."""
    shop = Shop(session, changed(F30, 0, most=1))
    one, other, third = shop.school.teachers[1:4]
    works = [shop.work(person, title) for person, title in ((one, "浮力"), (other, "压强"), (third, "杠杆"))]
    for voter in (shop.leader, other):
        nominations.vote(session, actor=voter, nomination=works[0])
        assert nominations.vote(session, actor=voter, nomination=works[0]).judge_id == voter.id  # again: the same
    nominations.vote(session, actor=one, nomination=works[1])
    with pytest.raises(NotYourJudgement):
        nominations.vote(session, actor=one, nomination=works[0])
    with pytest.raises(NotAllowed):
        nominations.vote(session, actor=shop.school.members[0], nomination=works[0])
    with pytest.raises(OtherWay):
        nominations.mark_work(session, actor=other, nomination=works[0], mark=Decimal(90))
    assert len(session.scalars(select(NominationVoice)).all()) == 3
    with pytest.raises(BadInput, match="指明工作坊"):
        up(shop, "seed_vote")
    with pytest.raises(NotAllowed):
        up(shop, "seed_vote", by=shop.member, workshop=shop.workshop)
    with pytest.raises(ConsentMissing):
        up(shop, "seed_vote", workshop=shop.workshop)
    yes(shop, works[0])
    assert up(shop, "seed_vote", by=shop.leader, workshop=shop.workshop) == ["浮力"]
    assert [work.state for work in works] == [NominationState.CHOSEN, NominationState.LEFT, NominationState.LEFT]
    moves = session.scalars(select(NominationMove).order_by(NominationMove.nomination_id)).all()
    assert [(move.passed, move.basis) for move in moves] == [(True, "vote 2"), (False, "vote 1"), (False, "vote 0")]
    with pytest.raises(NotRising):
        nominations.vote(session, actor=other, nomination=works[0])
    with pytest.raises(BadInput, match="没有待评选"):
        up(shop, "seed_vote", workshop=shop.workshop)


def test_equal_votes_at_the_last_place_are_nobodys_to_draw(session) -> None:
    shop = Shop(session, changed(F30, 0, most=1))
    one, other = shop.school.teachers[1:3]
    works = [shop.work(one, "浮力"), shop.work(other, "压强")]
    for work in works:
        nominations.vote(session, actor=shop.leader, nomination=work)
        yes(shop, work)
    with pytest.raises(levels.Tied, match="浮力、压强"):
        up(shop, "seed_vote", workshop=shop.workshop)
    nominations.vote(session, actor=other, nomination=works[0])
    assert up(shop, "seed_vote", workshop=shop.workshop) == ["浮力"]


def test_a_share_of_the_candidates_rounds_down(session) -> None:
    shop = Shop(session, changed(F30, 0, share="0.5", most=5))
    works = [shop.work(person, f"作品{number}") for number, person in enumerate(shop.school.teachers)]
    assert levels.room(F30.pipeline[0], 5) == 5  # neither a share nor a number: everybody may go on
    for number, work in enumerate(works):
        yes(shop, work)
        for voter in [one for one in shop.school.teachers if one.id != work.author_id][:number]:
            nominations.vote(session, actor=voter, nomination=work)
    assert up(shop, "seed_vote", workshop=shop.workshop) == ["作品4", "作品3"]
    assert [work.state for work in works] == [NominationState.LEFT] * 3 + [NominationState.CHOSEN] * 2


def test_a_work_rises_by_marks_and_is_published_with_a_second_consent(session) -> None:
    """quanzhou-2016-80: school, county, city, province; 003-25, 003-27."""
    shop = Shop(session, changed(QUANZHOU, 0, most=1))
    work, other = shop.work(shop.member, "浮力课例", video=True), shop.work(shop.leader, "压强课例")
    panel = shop.school.members
    with pytest.raises(ConsentMissing, match="同意推送出坊"):
        nominations.mark_work(session, actor=panel[0], nomination=work, mark=Decimal(90))
    yes(shop, work)
    yes(shop, other)
    for mark in ("101", "-1", "90.123", "NaN"):
        with pytest.raises(BadInput):
            nominations.mark_work(session, actor=panel[0], nomination=work, mark=Decimal(mark))
    with pytest.raises(NotAllowed):
        nominations.mark_work(session, actor=shop.school.teachers[3], nomination=work, mark=Decimal(90))
    with pytest.raises(OtherWay):
        nominations.vote(session, actor=panel[0], nomination=work)
    nominations.mark_work(session, actor=panel[0], nomination=work, mark=Decimal(60))
    nominations.mark_work(session, actor=panel[0], nomination=work, mark=Decimal("90.5"))
    nominations.mark_work(session, actor=shop.school.admin, nomination=work, mark=Decimal(81))
    nominations.mark_work(session, actor=panel[1], nomination=other, mark=Decimal(85))
    assert len(session.scalars(select(NominationVoice)).all()) == 4  # the first mark is kept
    with pytest.raises(NotAllowed):
        up(shop, "school", by=shop.leader)
    assert up(shop, "school") == ["浮力课例"]
    assert session.scalars(select(NominationMove.basis).order_by(NominationMove.id)).all() == ["mark 85.75", "mark 85"]
    # Nobody stands above the school here: what was decided elsewhere is written down, with its letter.
    with pytest.raises(BadInput, match="上级"):
        up(shop, "county", named=[work])
    with pytest.raises(NotRising):
        up(shop, "county", named=[other], basis="县工程办〔2017〕3号")
    assert up(shop, "county", named=[work], basis="县工程办〔2017〕3号") == ["浮力课例"]
    # From here an organization above does it itself.
    above = shop.county()
    with pytest.raises(NotAllowed):
        nominations.mark_work(session, actor=shop.school.hearers[1], nomination=work, mark=Decimal(88))
    nominations.mark_work(session, actor=above, nomination=work, mark=Decimal(88))
    assert up(shop, "city", by=above) == ["浮力课例"]
    nominations.mark_work(session, actor=above, nomination=work, mark=Decimal(91))
    with pytest.raises(ConsentMissing, match="同意公开发布"):
        up(shop, "province", by=above)
    with pytest.raises(library.NotPublishable, match="选出"):
        library.publish_work(session, actor=shop.school.admin, nomination=work)
    yes(shop, work, PUBLICATION, show_name=True)
    assert up(shop, "province", by=above) == ["浮力课例"]
    assert library.library_of(session, actor=shop.leader) == []  # chosen, and not yet published
    entry = library.publish_work(session, actor=shop.school.admin, nomination=work)
    with pytest.raises(library.NotPublishable, match="已在"):
        library.publish_work(session, actor=shop.school.admin, nomination=work)
    assert library.library_of(session, actor=shop.leader) == [
        {
            "id": work.id, "title": "浮力课例", "subject": shop.member.subject, "ability": None, "category": None,
            "author": shop.member.name, "evidence": None, "at": entry.published_at,
        }
    ]  # fmt: skip


def published(shop: Shop) -> Nomination:
    """A work of a scheme without levels, published."""
    work = shop.work(shop.member, "浮力")
    yes(shop, work)
    yes(shop, work, PUBLICATION)
    library.publish_work(shop.session, actor=shop.school.admin, nomination=work)
    return work


def test_a_work_is_taken_back_with_a_reason(session) -> None:
    shop = Shop(session)
    work = published(shop)
    with pytest.raises(NotAllowed):
        library.take_back_work(session, actor=shop.leader, nomination=work, reason="不合适")
    with pytest.raises(BadInput):
        library.take_back_work(session, actor=shop.member, nomination=work, reason=" ")
    library.take_back_work(session, actor=shop.school.admin, nomination=work, reason="有误")
    with pytest.raises(library.NotInLibrary):
        library.take_back_work(session, actor=shop.member, nomination=work, reason="再撤")
    assert library.library_of(session, actor=shop.leader) == []


def test_who_withdraws_a_consent_is_no_longer_published(session) -> None:
    shop = Shop(session)
    work = published(shop)
    assert [one["author"] for one in library.library_of(session, actor=shop.leader)] == [None]  # by consent alone
    yes(shop, work, PUBLICATION, given=False)
    assert library.library_of(session, actor=shop.leader) == []
    assert session.scalars(select(LibraryEntry.taken_back_reason)).one() == "作者不同意或撤回了同意"
    assert work.state is NominationState.RISING
    with pytest.raises(ConsentMissing):
        library.publish_work(session, actor=shop.school.admin, nomination=work)


def test_a_refused_work_stays_private(session) -> None:
    """T24."""
    shop = Shop(session)
    work = published(shop)
    yes(shop, work, given=False)
    assert (work.state, library.library_of(session, actor=shop.leader)) == (NominationState.WITHDRAWN, [])
    assert shop.record()["quota"]["excellent_work"] == 0
    again = shop.work(shop.member, "浮力")
    assert again.id != work.id


def test_each_consent_is_the_authors_and_pupils_have_theirs(session) -> None:
    shop = Shop(session)
    work = shop.work(shop.member, "浮力")
    with pytest.raises(NotAllowed):
        work_consents.say_consent(session, actor=shop.leader, nomination=work, about=AUTHOR, given=True)
    for wrong in ({"pupils": None}, {"pupils": True}, {"pupils": True, "pupils_note": " "}):
        with pytest.raises(BadInput):
            yes(shop, work, PUBLICATION, **wrong)
    yes(shop, work, PUBLICATION, pupils=True, pupils_note="教务处档案柜")
    with pytest.raises(ConsentMissing, match="同意推送出坊"):
        library.publish_work(session, actor=shop.school.admin, nomination=work)
    with pytest.raises(NotAllowed):
        library.publish_work(session, actor=shop.leader, nomination=work)
    learner = shop_learner(shop)
    with pytest.raises(library.NotPublishable):
        library.publish_work(session, actor=shop.school.admin, nomination=learner)


def shop_learner(shop: Shop) -> Nomination:
    for number in range(15):
        person = shop.school.person(f"M{number:02}", f"坊员{number}")
        person.workshop_id = shop.workshop.id
        from review_flow.steps import rounds

        rounds.enrol(shop.session, actor=shop.school.admin, round_=shop.round, person=person)
    return shop.work(shop.member, "积极", kind=NominationKind.LEARNER)


def test_what_is_put_forward_is_the_workshops_own(session) -> None:
    shop = Shop(session, QUANZHOU)

    def put(author: Person, title: str = "浮力", by: Person = shop.leader, **value: str) -> Nomination:
        work = Work(NominationKind.WORK, title, **value)
        return nominations.nominate(session, actor=by, round_=shop.round, author=author, work=work)

    with pytest.raises(NotAllowed):
        put(shop.member, by=shop.member)
    with pytest.raises(NotNominable, match="不在任何工作坊"):
        put(shop.school.members[0])
    with pytest.raises(NotNominable, match="写明名称"):
        put(shop.member, " ")
    with pytest.raises(NotNominable, match="没有“教具”这一类"):
        put(shop.member, category="教具")
    work = put(shop.member, category="微课")
    assert (work.step, work.category) == ("school", "微课")
    with pytest.raises(NotNominable, match="已经推荐过"):
        put(shop.member, "浮力 ")
    enrolments.exempt(
        session, actor=shop.school.admin, enrolment=shop.school.enrolment(shop.school.teachers[2]), reason="近退休"
    )
    with pytest.raises(NotNominable, match="不在本轮"):
        put(shop.school.teachers[2])
    with pytest.raises(NotNominable, match="不附作品"):
        shop.work(shop.member, "积极", kind=NominationKind.LEARNER, video=True)


def test_a_file_that_rises_was_checked_and_is_the_authors(session) -> None:
    shop = Shop(session, F50)
    shop.school.open()
    from review_flow.steps import evidence

    work = enrolments.deliverables_of(session, actor=shop.member, enrolment=shop.school.enrolment(shop.member))
    file: Evidence = evidence.add_evidence(
        session, actor=shop.member, submission=work, slot="summary_text", file_name="总结.docx", stored=kept("总结")
    )

    def put(author: Person) -> Nomination:
        work = Work(NominationKind.WORK, "总结", evidence=file)
        return nominations.nominate(session, actor=shop.leader, round_=shop.round, author=author, work=work)

    with pytest.raises(NotNominable, match="没有通过检查"):
        put(shop.member)
    shop.school.check(file)
    with pytest.raises(NotNominable, match="不是该教师"):
        put(shop.leader)
    assert put(shop.member).evidence_id == file.id


def test_a_named_level_takes_no_more_than_its_number(session) -> None:
    """fuyu: individual → school group → region → project; the first is named in the workshop (004-06)."""
    shop = Shop(session, changed(FUYU, 0, most=1))
    works = [shop.work(shop.member, "浮力"), shop.work(shop.leader, "压强")]
    with pytest.raises(levels.TooManyGoOn):
        up(shop, "person", by=shop.leader, workshop=shop.workshop, named=works)
    with pytest.raises(OtherWay, match="指定"):
        nominations.vote(session, actor=shop.school.teachers[3], nomination=works[0])
    yes(shop, works[0])
    assert up(shop, "person", by=shop.leader, workshop=shop.workshop, named=works[:1]) == ["浮力"]
    assert [work.step for work in works] == ["school", None]


def test_nobody_names_own_work_or_their_household_s(session) -> None:
    shop = Shop(session, FUYU)
    own, near = shop.work(shop.leader, "压强"), shop.work(shop.member, "浮力")
    people.declare_conflict(session, actor=shop.school.admin, one=shop.leader, other=shop.member, reason="夫妻")
    yes(shop, own)
    yes(shop, near)
    for work in (own, near):
        with pytest.raises(NotYourJudgement):
            up(shop, "person", by=shop.leader, workshop=shop.workshop, named=[work])
    assert up(shop, "person", workshop=shop.workshop, named=[own]) == ["压强"]


def test_works_rise_after_the_grades_until_the_round_is_archived(session) -> None:
    shop = Shop(session, changed(F30, 0, most=1))
    shop.school.open()
    work = shop.work(shop.member, "浮力")
    yes(shop, work)
    shop.round.phase = RoundPhase.SIGNING
    shop.work(shop.leader, "压强")
    nominations.vote(session, actor=shop.leader, nomination=work)
    shop.round.phase = RoundPhase.CLOSED
    for late in (
        lambda: shop.work(shop.leader, "杠杆"),
        lambda: nominations.vote(session, actor=shop.school.teachers[3], nomination=work),
        lambda: up(shop, "seed_vote", workshop=shop.workshop),
    ):
        with pytest.raises(WrongPhase):
            late()
    shop.round.phase = RoundPhase.SIGNING
    assert up(shop, "seed_vote", workshop=shop.workshop) == ["浮力"]
    shop.round.phase = RoundPhase.OPEN  # nobody was graded, and the invariants know


def test_what_counts_in_a_workshop_s_grade_is_put_forward_before_it_is_published(session) -> None:
    shop = Shop(session)
    shop.school.open()
    shop.round.phase = RoundPhase.PUBLICITY
    with pytest.raises(WrongPhase):
        shop.work(shop.member, "浮力")
    shop.round.phase = RoundPhase.SCORING
    assert shop.work(shop.member, "浮力").title == "浮力"


def test_one_sees_what_is_ones_own_or_ones_to_judge(session) -> None:
    shop = Shop(session, FUYU)
    work = shop.work(shop.member, "浮力")

    def see(actor: Person) -> list[str]:
        return [one.title for one in nominations.visible(session, actor=actor, round_=shop.round)]

    inside, panel = shop.school.teachers[3], shop.school.members[0]
    assert [see(one) for one in (shop.school.admin, shop.leader, shop.member, inside, panel)] == [["浮力"]] * 4 + [[]]
    yes(shop, work)
    up(shop, "person", by=shop.leader, workshop=shop.workshop, named=[work])
    shop.role(shop.school.arbiter, RoleKind.SUBJECT_EXPERT)
    assert [see(one) for one in (inside, panel, shop.school.arbiter)] == [[], ["浮力"], ["浮力"]]


def test_many_are_seen_with_what_was_said_of_them_in_as_many_questions_as_one(session) -> None:
    shop = Shop(session, changed(FUYU, 0, decide="mark"))
    authors, judge = shop.school.teachers[1:4], shop.school.teachers[4]
    costs = []
    for author in authors:
        work = shop.work(author, f"作品{author.number}")
        for mark, by in (("90", judge), ("80", judge), ("91", shop.leader)):
            nominations.mark_work(session, actor=by, nomination=work, mark=Decimal(mark))
        yes(shop, work)
        yes(shop, work, PUBLICATION, show_name=True)
        yes(shop, work, PUBLICATION, given=False)
        session.expire_all()
        with queries(session) as sent:
            found = nominations.visible(session, actor=judge, round_=shop.round)
            points, consents = levels.known_of(session, actor=shop.leader, round_=shop.round, nominations=found)
            assert library.standing_entries(session, nominations=found) == {}
        costs.append(len(sent))
    assert len(set(costs)) == 1
    assert points == {one.id: Fraction(171, 2) for one in found}
    assert consents == {one.id: [AUTHOR] for one in found}
    found[0].step = None
    assert sorted(nominations.tallies(session, nominations=found)) == [one.id for one in found[1:]]


def test_running_votes_are_for_who_decides_and_need_not_keep_away(session) -> None:
    shop = Shop(session, FUYU)
    inside, risen, own = (
        shop.work(one, title)
        for one, title in ((shop.member, "浮力"), (shop.school.teachers[2], "压强"), (shop.leader, "光"))
    )
    risen.step = "region"
    judge, panel, admin, above = shop.school.teachers[3], shop.school.members[0], shop.school.admin, shop.county()
    yes(shop, inside)

    def known(actor: Person) -> tuple[list[int], list[int]]:
        points, consents = levels.known_of(session, actor=actor, round_=shop.round, nominations=[inside, risen, own])
        return sorted(points), sorted(consents)

    everything = [inside.id, risen.id, own.id]
    assert known(shop.leader) == ([inside.id], everything)
    assert known(admin) == (everything, everything)
    assert known(above) == ([risen.id], everything)
    assert known(shop.member) == ([], [inside.id])
    assert known(judge) == known(panel) == ([], [])
    people.declare_conflict(session, actor=admin, one=shop.leader, other=shop.member, reason="亲属")
    assert known(shop.leader) == ([], everything)
