"""Read an archive without a database, and say what in it does not hold: sums, audit chain, and every grade replayed.

A manifest made anew over changed files would pass on its own; so the school keeps the archive's SHA-256, which the
audit chain holds (`export.make`), and every number here is computed again from what it came from.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections import Counter
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from models import AuditEvent
from review_flow.i18n import _, listed, say
from review_flow.rules.certificates import CertificateState, certificates_granted
from review_flow.rules.grading import grade
from review_flow.rules.scheme import Scheme
from review_flow.steps.audit import GENESIS, digest
from review_flow.steps.exports_archive import FORMAT, MANIFEST

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MOST_BYTES = 1 << 30
GROUPS = "groups/results.json"
NEEDED = ("scheme.json", "round.json", "results.json", GROUPS, "signatures.json", "certificates.json", "audit.jsonl")
Files = dict[str, bytes]


class _BrokenError(Exception):
    """Nothing further can be checked."""


def verify(path: Path) -> list[str]:
    """Return what does not hold, in Chinese sentences; an empty list: the archive is whole and replays to the byte."""
    try:
        files = _files(path)
        return list(_problems(files))
    except _BrokenError as broken:
        return [str(broken)]


def _files(path: Path) -> Files:
    try:
        with zipfile.ZipFile(path) as bundle:
            entries = bundle.infolist()
            names = [entry.filename for entry in entries]
            if len(set(names)) != len(names):
                raise _BrokenError(say(_("压缩包里有重名的文件。")))
            if sum(entry.file_size for entry in entries) > MOST_BYTES:
                raise _BrokenError(say(_("压缩包展开后过大。")))
            return {name: bundle.read(name) for name in names}
    except (OSError, zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, ValueError) as error:
        raise _BrokenError(say(_("不是完整的归档文件：{error}"), error=error)) from error


def _problems(files: Files) -> Iterator[str]:
    yield from _sums(files)
    missing = [name for name in NEEDED if name not in files]
    if missing:
        raise _BrokenError(say(_("归档中缺少{names}。"), names=listed(missing)))
    yield from _chain(files["audit.jsonl"])
    yield from _replays(files)
    yield from _group_replays(files)
    yield from _certificates(files)


def _sums(files: Files) -> Iterator[str]:
    manifest = _json(files, MANIFEST)
    if (
        not isinstance(manifest, dict)
        or manifest.get("format") != FORMAT
        or not isinstance(manifest.get("files"), dict)
    ):
        raise _BrokenError(say(_("清单 manifest.json 不是可识别的格式。")))
    listed = manifest["files"]
    for name in sorted({*listed, *files} - {MANIFEST}):
        if name not in files:
            yield say(_("清单中的{name}不在归档里。"), name=name)
        elif name not in listed:
            yield say(_("{name}不在清单里。"), name=name)
        elif listed[name] != hashlib.sha256(files[name]).hexdigest():
            yield say(_("{name}与清单中的校验和不符。"), name=name)


def _json(files: Files, name: str) -> Any:
    try:
        return json.loads(files[name])
    except (KeyError, ValueError, RecursionError) as error:
        raise _BrokenError(say(_("{name}缺失或无法读取。"), name=name)) from error


def _chain(lines: bytes) -> Iterator[str]:
    """Follow the chain from its first event, each holding the hash of the one before."""
    number, tip = 0, GENESIS
    for place, line in enumerate(lines.splitlines(), start=1):
        try:
            row = json.loads(line)
            event = AuditEvent(**{**row, "at": datetime.fromisoformat(row["at"])})
            whole = digest(event) == event.hash
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise _BrokenError(say(_("审计记录第{place}行无法读取。"), place=place)) from error
        if event.number != number + 1:
            yield say(_("审计记录第{place}行：编号不连续。"), place=place)
        if event.previous_hash != tip:
            yield say(_("审计记录第{place}行：与前一条不相连。"), place=place)
        if not whole:
            yield say(_("审计记录第{place}行：内容与其校验和不符。"), place=place)
        number, tip = event.number, event.hash


def _replays(files: Files) -> Iterator[str]:
    """Grade every record again under the archive's scheme, and compare to the byte (design rule 8)."""
    document, round_, results = (_json(files, name) for name in ("scheme.json", "round.json", "results.json"))
    try:
        scheme = Scheme.from_document(document)
        if round_["scheme_digest"] not in (None, scheme.digest):
            yield say(_("方案与本轮考核锁定的方案不符。"))
        rows = {f"{row['id']}-v{row['version']}.json": row for row in results}
        signed = {row["result_id"]: row["outcome_digest"] for row in _json(files, "signatures.json")}
    except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise _BrokenError(say(_("方案、轮次或结果表无法读取。"))) from error
    held = {name.partition("/")[2] for name in files if name.startswith(("records/", "outcomes/"))}
    for name in sorted({*rows, *held}):
        if name not in rows or f"records/{name}" not in files or f"outcomes/{name}" not in files:
            yield say(_("结果{name}的三份材料（结果表、依据、明细）不全。"), name=name)
        else:
            yield from _replay(scheme, rows[name], files, name, signed)


def _replay(scheme: Scheme, row: dict[str, Any], files: Files, name: str, signed: dict[int, str]) -> Iterator[str]:
    outcome = files[f"outcomes/{name}"]
    if row.get("scheme_digest") != scheme.digest:
        yield say(_("结果{name}所用的方案不是归档中的方案。"), name=name)
    if row["id"] in signed and signed[row["id"]] != hashlib.sha256(outcome).hexdigest():
        yield say(_("结果{name}与教师签名时的不同。"), name=name)
    try:
        again = grade(scheme, _json(files, f"records/{name}"))
        shown = (again.score, again.grade)
        stated = (None if row["score"] is None else Decimal(row["score"]), row["proposed_grade"])
    except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError) as error:
        yield say(_("结果{name}无法重算：{error}"), name=name, error=error)
        return
    if again.canonical() != outcome:
        yield say(_("结果{name}重算后与存档的明细不一致。"), name=name)
    if shown != stated:
        yield say(_("结果{name}的得分或等级与明细不一致。"), name=name)


def _group_replays(files: Files) -> Iterator[str]:
    """Grade every workshop's record again, as people's are; a signature is of the very outcome (design rule 8)."""
    scheme = Scheme.from_document(_json(files, "scheme.json"))
    try:
        signed = {row["group_result_id"]: row["outcome_digest"] for row in _json(files, "signatures.json")}
        for row in _json(files, GROUPS):
            yield from _group_replay(scheme, row, signed)
    except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise _BrokenError(say(_("工作坊结果表无法读取。"))) from error


def _group_replay(scheme: Scheme, row: dict[str, Any], signed: dict[int, str]) -> Iterator[str]:
    name = say(_("工作坊结果{id}-v{version}"), id=row["id"], version=row["version"])
    if row["scheme_digest"] != scheme.digest:
        yield say(_("结果{name}所用的方案不是归档中的方案。"), name=name)
    if row["id"] in signed and signed[row["id"]] != hashlib.sha256(row["outcome"].encode()).hexdigest():
        yield say(_("结果{name}与签名时的不同。"), name=name)
    again = grade(scheme, json.loads(row["record"]))
    if again.canonical().decode() != row["outcome"]:
        yield say(_("结果{name}重算后与存档的明细不一致。"), name=name)
    if again.grade != row["proposed_grade"]:
        yield say(_("结果{name}的得分或等级与明细不一致。"), name=name)


def _certificates(files: Files) -> Iterator[str]:
    """See that every number is there once, and that what stands is granted by a standing result, both versions kept."""
    rows, results = _json(files, "certificates.json"), _json(files, "results.json")
    scheme = Scheme.from_document(_json(files, "scheme.json"))
    try:
        by_id = {row["id"]: row for row in results}
        numbers = Counter(row["number"] for row in rows)
        for number in sorted(number for number, times in numbers.items() if times > 1):
            yield say(_("证书编号{number}有重复。"), number=number)
        versions = {(row["enrolment_id"], row["kind"], row["version"]) for row in rows}
        for row in rows:
            enrolment, kind, version = row["enrolment_id"], row["kind"], row["version"]
            if version > 1 and (enrolment, kind, version - 1) not in versions:
                yield say(_("证书{number}的前一版不在归档里。"), number=row["number"])
            if row["state"] == CertificateState.ISSUED and not _granted(scheme, row, by_id[row["result_id"]], files):
                yield say(_("证书{number}没有现行结果作依据。"), number=row["number"])
    except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise _BrokenError(say(_("证书表无法读取。"))) from error


def _granted(scheme: Scheme, row: dict[str, Any], result: dict[str, Any], files: Files) -> bool:
    name = f"{result['id']}-v{result['version']}.json"
    outcome = files.get(f"outcomes/{name}")
    if outcome is None or f"records/{name}" not in files:
        return False
    grants = certificates_granted(
        scheme, _json(files, f"records/{name}"), json.loads(outcome), confirmed=result["grade"]
    )
    return (
        result["current"] is True
        and result["enrolment_id"] == row["enrolment_id"]
        and row["outcome_digest"] == hashlib.sha256(outcome).hexdigest()
        and row["kind"] in grants
    )
