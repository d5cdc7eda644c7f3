"""Certificates: numbers that nobody can make up, which are granted by a confirmed result, and what one rests on.

A number is sixteen signs: ten by chance, six that only this installation's key can make of them (HMAC-SHA-256). So a
made-up number is told without a database: one guess in 2^30 passes, and then the database does not know it.
"""

from __future__ import annotations

import hashlib
import hmac
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from review_flow.rules.abilities import choose_counting, judge_all
from review_flow.rules.expressions import Value, names, parse
from review_flow.rules.facts import earned_hours, readings_of
from review_flow.rules.following import certificates_of
from review_flow.rules.record import read_record

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from review_flow.rules.programme import Certificate
    from review_flow.rules.scheme import Scheme

SIGNS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base 32: no I, L, O or U, which people misread."""
MISREAD = str.maketrans("OIL", "011", "- \t")
BITS = 5
CHANCE, CHECK, GROUP = 10, 6, 4
CHANCE_BYTES = 8


class CertificateState(StrEnum):
    """证书: issued, or revoked; both stay (N29)."""

    ISSUED = "issued"
    REVOKED = "revoked"


def number_of(chance: bytes, *, key: bytes) -> str:
    """Return the number that eight random bytes give under a key: `7K3D-9QXM-R2HV-8TWC`."""
    drawn = _signs(chance, CHANCE)
    whole = drawn + _check(drawn, key)
    return "-".join(whole[place : place + GROUP] for place in range(0, len(whole), GROUP))


def genuine(text: str, *, keys: Sequence[bytes]) -> str | None:
    """Return the number as it is written on the certificate, or None when none of these keys made it.

    Small letters, blanks and the letters O, I and L for 0 and 1 are taken as they are meant.
    """
    read = text.upper().translate(MISREAD)
    if len(read) != CHANCE + CHECK or not set(read) <= set(SIGNS):
        return None
    if not any(hmac.compare_digest(read[CHANCE:], _check(read[:CHANCE], key)) for key in keys):
        return None
    return "-".join(read[place : place + GROUP] for place in range(0, len(read), GROUP))


def _check(drawn: str, key: bytes) -> str:
    return _signs(hmac.digest(key, f"certificate:{drawn}".encode(), hashlib.sha256), CHECK)


def _signs(data: bytes, count: int) -> str:
    number = int.from_bytes(data)
    return "".join(SIGNS[number >> (BITS * place) & 31] for place in range(count))


def masked(name: str) -> str:
    """Return a name as a stranger may read it: 王*, 欧***."""
    return name[:1] + "*" * (len(name) - 1) if len(name) > 1 else "*"


def certificates_granted(
    scheme: Scheme, record: Mapping[str, object], outcome: Mapping[str, Any], *, confirmed: str | None
) -> set[str]:
    """Return the ids of the certificates that a result grants by its confirmed grade (T17, T22); none before it.

    `outcome` is what `grade` made of the record, as plain data. It judged them by the grade it proposed; where the panel
    lowered that one, they are judged by what it confirmed.
    """
    if confirmed is None:
        return set()
    if outcome["grade"] == confirmed:
        return {one["id"] for one in outcome.get("certificates", ()) if one["granted"]}
    teacher = read_record(scheme, record)
    abilities = choose_counting(scheme, judge_all(scheme, teacher), teacher.tier)
    known: dict[str, Value] = {
        "grade": confirmed,
        "score": None if outcome["score"] is None else Decimal(outcome["score"]),
        "gates.passed": all(gate["passed"] is not False for gate in outcome["gates"]),
    }
    return {one.id for one in certificates_of(scheme, readings_of(scheme, teacher, abilities), known) if one.granted}


def rests_on(certificate: Certificate) -> tuple[str, ...]:
    """Return the ids of the certificates that this one asks for (003-18: the provincial one rests on two)."""
    parts = [name.split(".") for name in names(parse(certificate.when))]
    return tuple(part[1] for part in parts if part[0] == "cert")


def resting_on(certificates: Iterable[Certificate], ids: Sequence[str]) -> set[str]:
    """Return the ids of the certificates that rest on one of these, at whatever remove; a later one asks for an earlier."""
    found = set(ids)
    for one in certificates:
        if found.intersection(rests_on(one)):
            found.add(one.id)
    return found - set(ids)


def ledger_hours(scheme: Scheme, record: Mapping[str, object], certificate: Certificate) -> Decimal | None:
    """Return the hours of the certificate's ledger in a record; None where it counts none."""
    if certificate.ledger is None:
        return None
    return earned_hours(scheme, read_record(scheme, record)).get(certificate.ledger)
