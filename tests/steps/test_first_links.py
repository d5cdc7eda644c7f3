from __future__ import annotations

import json

import pytest
from sqlalchemy import select

from models import AuditEvent, IdentityBinding, OneTimeLink, Person
from review_flow.clock import now
from review_flow.errors import NotAllowed
from review_flow.steps import door, first_links, people
from tests.cast import School, queries

GOOD = "correct horse"


def test_everybody_without_a_way_in_gets_a_link_of_their_own(school: School) -> None:
    session, (first, second, third, *_rest) = school.session, school.teachers
    people.found_school(session, name="第二中学", admin_number="Z01", admin_name="吴静")
    door.use_link(session, token=door.make_link(session, actor=school.admin, person=first), password=GOOD)
    session.add(IdentityBinding(person_id=second.id, provider="oidc", subject="x", bound_at=now()))
    third.active = False
    older = door.make_link(session, actor=school.admin, person=school.members[0])
    kept = door.make_link(session, actor=school.admin, person=school.members[1])
    session.flush()
    wanted = session.scalars(
        select(Person.number)
        .where(Person.organization_id == school.organization.id, Person.id.not_in([first.id, second.id, third.id]))
        .order_by(Person.number)
    ).all()
    assert first_links.count_without(session, actor=school.admin) == (len(wanted), 2)
    new = first_links.make_links(session, actor=school.admin)
    assert [one.number for one in new] == [one for one in wanted if one not in {"P1", "P2"}]
    assert door.link_of(session, token=kept).person_id == school.members[1].id  # what was handed out still opens
    with pytest.raises(first_links.AllHaveLinks, match="全部重发"):
        first_links.make_links(session, actor=school.admin)
    with queries(session) as sent:
        made = first_links.make_links(session, actor=school.admin, again=True)
    assert ([one.number for one in made], len({one.token for one in made})) == (wanted, len(wanted))
    assert len(sent) < len(wanted) + 5
    with pytest.raises(door.LinkDead):
        door.link_of(session, token=older)
    by_number = {one.number: one for one in made}
    assert door.use_link(session, token=by_number["P1"].token, password=GOOD) is school.members[0]
    events = session.scalars(select(AuditEvent).where(AuditEvent.deed == "door.links").order_by(AuditEvent.id)).all()
    told = [(one.actor_id, len(json.loads(one.data)["people"])) for one in events]
    assert told == [(school.admin.id, len(wanted) - 2), (school.admin.id, len(wanted))]
    assert {one.expires_at for one in made} == {now() + door.LINK_LASTS}
    again = first_links.make_links(session, actor=school.admin, again=True)
    assert [one.number for one in again] == [one for one in wanted if one != "P1"]
    opens = session.scalars(select(OneTimeLink.id).where(OneTimeLink.used_at.is_(None))).all()
    assert len(opens) == len(again)


def test_only_the_administrator_is_given_them_and_only_where_somebody_wants_one(school: School) -> None:
    with pytest.raises(NotAllowed):
        first_links.make_links(school.session, actor=school.teachers[0])
    with pytest.raises(NotAllowed):
        first_links.count_without(school.session, actor=school.teachers[0])
    for one in school.session.scalars(select(Person)):
        one.active = one.id == school.admin.id
    token = door.make_link(school.session, actor=school.admin, person=school.admin)
    door.use_link(school.session, token=token, password=GOOD)
    with pytest.raises(first_links.EverybodyComesIn, match="人人都能登录了"):
        first_links.make_links(school.session, actor=school.admin)
