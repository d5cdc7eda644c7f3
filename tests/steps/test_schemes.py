from __future__ import annotations

import copy
from datetime import date
from typing import Any

import pytest
from sqlalchemy.orm import Session

from models import Organization, Person, SchemeVersion
from review_flow import schemes as scheme_files
from review_flow.clock import now
from review_flow.errors import NotAllowed, NotFound
from review_flow.rules.lifecycle import SchemeState
from review_flow.rules.scheme import Scheme
from review_flow.steps import people, schemes
from review_flow.steps.schemes import AmendmentRefused, SchemeInUse, StillUnconfirmed
from tests.cast import Clock, School

BASE = scheme_files.load("xian-2022-appraisal")


def changed(scheme: Scheme = BASE, **values: Any) -> Scheme:
    """The scheme with other values at dotted paths, written with two underscores."""
    document = copy.deepcopy(dict(scheme.document))
    for path, value in values.items():
        *folders, last = path.split("__")
        place = document
        for folder in folders:
            place = place[folder]
        place[last] = value
    return Scheme.from_document(document)


@pytest.fixture
def founded(session: Session, clock: Clock) -> tuple[Organization, Person]:
    return people.found_school(session, name="实验中学", admin_number="A01", admin_name="陈静")


def adopt(session: Session, founded: tuple[Organization, Person], scheme: Scheme = BASE, **names: Any) -> SchemeVersion:
    organization, admin = founded
    names = {"effective_from": date(2026, 3, 1), **names}
    return schemes.adopt(session, actor=admin, organization_id=organization.id, scheme=scheme, **names)


def publish(session: Session, founded: tuple[Organization, Person], version: SchemeVersion) -> SchemeVersion:
    for unknown in schemes.scheme_of(version).unknowns:
        schemes.confirm(session, actor=founded[1], version=version, unknown_id=unknown.id)
    schemes.publish(session, actor=founded[1], version=version)
    return version


def test_a_scheme_is_adopted_as_a_draft_with_its_digest(session: Session, founded) -> None:
    version = adopt(session, founded)
    assert (version.version, version.state, version.scheme_id) == (1, SchemeState.DRAFT, "xian-2022-appraisal")
    assert (version.digest, version.confirmed, version.effective_from) == (BASE.digest, {}, date(2026, 3, 1))
    assert schemes.scheme_of(version).document == BASE.document


def test_only_an_administrator_of_the_school_adopts_confirms_and_publishes(session: Session, founded) -> None:
    _other, stranger = people.found_school(session, name="第二中学", admin_number="A01", admin_name="吴静")
    version = adopt(session, founded)
    sentence = "您没有权限做这件事：这需要校级管理员的角色。"
    with pytest.raises(NotAllowed) as no:
        adopt(session, (founded[0], stranger))
    assert str(no.value) == sentence
    with pytest.raises(NotAllowed) as no:
        schemes.confirm(session, actor=stranger, version=version, unknown_id="weights")
    assert str(no.value) == sentence
    with pytest.raises(NotAllowed) as no:
        schemes.publish(session, actor=stranger, version=version)
    assert str(no.value) == sentence
    assert (version.confirmed, version.state) == ({}, SchemeState.DRAFT)


def test_every_open_value_is_ticked_before_a_scheme_is_published(session: Session, founded) -> None:
    version = adopt(session, founded)
    *others, last = BASE.unknowns
    for unknown in others:
        schemes.confirm(session, actor=founded[1], version=version, unknown_id=unknown.id)
    assert version.confirmed["weights"] == {"by": founded[1].id, "at": now().isoformat()}
    with pytest.raises(StillUnconfirmed) as no:
        schemes.publish(session, actor=founded[1], version=version)
    assert str(no.value) == f"方案还有1项“本校待确认”：{last.text_zh}。请逐项确认后再发布。"
    schemes.confirm(session, actor=founded[1], version=version, unknown_id=last.id)
    schemes.publish(session, actor=founded[1], version=version)
    assert (version.state, version.published_by_id) == (SchemeState.PUBLISHED, founded[1].id)


def test_there_is_nothing_to_confirm_beyond_the_schemes_own_open_values(session: Session, founded) -> None:
    with pytest.raises(NotFound) as no:
        schemes.confirm(session, actor=founded[1], version=adopt(session, founded), unknown_id="secret")
    assert str(no.value) == "找不到待确认事项“secret”。"


def test_a_published_version_is_never_touched_again(session: Session, founded) -> None:
    version = publish(session, founded, adopt(session, founded))
    sentence = "方案第1版已发布，不能改动；请另存修订版。"
    with pytest.raises(SchemeInUse) as no:
        schemes.confirm(session, actor=founded[1], version=version, unknown_id="weights")
    assert str(no.value) == sentence
    with pytest.raises(SchemeInUse) as no:
        schemes.publish(session, actor=founded[1], version=version)
    assert str(no.value) == sentence


def test_an_amendment_retires_the_version_before_it(session: Session, founded) -> None:
    first = publish(session, founded, adopt(session, founded))
    second = adopt(session, founded, changed(compose__sources={"peer": "0.30", "panel": "0.70"}), reason="领导小组决定")
    assert (second.version, first.state, second.reason) == (2, SchemeState.PUBLISHED, "领导小组决定")
    publish(session, founded, second)
    assert (first.state, second.state) == (SchemeState.RETIRED, SchemeState.PUBLISHED)
    find = {"organization_id": founded[0].id, "scheme_id": BASE.id}
    assert schemes.newest(session, **find) is second
    with pytest.raises(NotFound) as no:
        schemes.newest(session, organization_id=founded[0].id, scheme_id="none")
    assert str(no.value) == "找不到考核方案“none”。"


def test_an_amendment_needs_its_reason_and_is_not_dated_back(session: Session, founded) -> None:
    publish(session, founded, adopt(session, founded))
    lighter = changed(compose__sources={"peer": "0.30", "panel": "0.70"})
    with pytest.raises(AmendmentRefused) as no:
        adopt(session, founded, lighter, reason=" ")
    assert str(no.value) == "不能这样修订方案：修改方案须写明理由。"
    with pytest.raises(AmendmentRefused) as no:
        adopt(session, founded, lighter, reason="改", effective_from=date(2020, 1, 1))
    assert str(no.value) == "不能这样修订方案：修订版的生效日不能早于现行版的生效日2026-03-01。"


def test_a_draft_locks_nothing_but_the_published_version_before_it_does(session: Session, founded) -> None:
    adopt(session, founded)
    fewer = changed(review__peer__give=2)
    second = adopt(session, founded, fewer)  # nobody was assessed by the first: it may be mended
    assert second.version == 2
    publish(session, founded, second)
    adopt(session, founded, changed(fewer, compose__sources={"peer": "0.30", "panel": "0.70"}), reason="试改")
    with pytest.raises(AmendmentRefused) as no:
        adopt(session, founded, changed(fewer, review__peer__give=1), reason="再改")
    assert str(no.value) == "不能这样修订方案：review.peer.give在2027-03-01之前不能修改（考核方法至少保持12个月一致）。"


def test_schools_number_their_versions_each_for_itself(session: Session, founded) -> None:
    other = people.found_school(session, name="第二中学", admin_number="A01", admin_name="吴静")
    publish(session, founded, adopt(session, founded))
    assert adopt(session, other, changed(review__peer__give=1)).version == 1


def test_a_scheme_is_built_once_for_its_digest_and_few_are_kept(session: Session, founded, monkeypatch) -> None:
    monkeypatch.setattr(schemes, "_built", {})
    monkeypatch.setattr(schemes, "MOST_BUILT", 2)
    versions = [
        SchemeVersion(digest=one.digest, document=dict(one.document))
        for one in (BASE, changed(review__peer__give=2), changed(review__peer__give=1))
    ]
    built = [schemes.scheme_of(version) for version in versions]
    assert [scheme.review.peer.give for scheme in built] == [3, 2, 1]
    assert schemes.scheme_of(versions[2]) is built[2]
    assert list(schemes._built) == [versions[1].digest, versions[2].digest]


def test_a_round_keeps_the_version_it_opened_with(school: School, clock: Clock) -> None:
    school.open()
    clock.day(8, 3)
    school.publish(changed(school.scheme, compose__sources={"peer": "0.30", "panel": "0.70"}), reason="领导小组决定")
    assert school.version.state is SchemeState.RETIRED
    assert school.round.scheme_version_id == school.version.id
    assert school.round.scheme_digest == school.scheme.digest
