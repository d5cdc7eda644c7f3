from __future__ import annotations

import asyncio
import base64
import fcntl
import random
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from sqlalchemy import select
from starlette.requests import Request
from starlette.testclient import TestClient

from models import Evidence, Submission, Upload
from review_flow.clock import now
from review_flow.outside.storage import read
from review_flow.settings import Settings
from review_flow.steps import evidence, uploads
from review_flow.web import envelope, upload
from tests.cast import Clock, School
from tests.web.conftest import Web

FILM = b"\x00\x00\x00\x18ftypmp42" + random.Random(1).randbytes(300_000)
PATCH = {"content-type": "application/offset+octet-stream", "tus-resumable": "1.0.0"}


def metadata(**facts: object) -> str:
    return ",".join(f"{word} {base64.b64encode(str(value).encode()).decode()}" for word, value in facts.items())


def begin(client: TestClient, web: Web, school: School, *, size: int = len(FILM), **facts: object) -> tuple[int, str]:
    work = school.ready(school.teachers[0])[0] if "work" not in facts else None
    web.release()
    slot = school.scheme.slots("A1")[0].id
    told = {"work": work and work.id, "slot": slot, "filename": "课.mp4", **facts}
    headers = {"upload-length": str(size), "upload-metadata": metadata(**told)}
    answer = client.post("/uploads", headers=headers)
    return answer.status_code, answer.headers.get("location", answer.text)


def send(client: TestClient, address: str, content: bytes, offset: int) -> int:
    return client.patch(address, content=content, headers={**PATCH, "upload-offset": str(offset)}).status_code


def here(client: TestClient, address: str) -> str:
    return client.head(address).headers["upload-offset"]


def handed(web: Web) -> list[Evidence]:
    found = list(web.session.scalars(select(Evidence)))
    web.session.commit()
    return found


def test_a_file_in_pieces_from_one_browser_and_on_from_another(web: Web, opened: School, settings: Settings) -> None:
    with web.of("T01") as phone:
        status, address = begin(phone, web, opened)
        assert status == 201
        assert send(phone, address, FILM[:100_000], 0) == 204
    with web.of("T01") as desk:
        assert here(desk, address) == "100000"
        assert "100 KB / 300 KB" in desk.get(f"/works/{waiting(web).submission_id}").text
        assert send(desk, address, FILM[200_000:], 200_000) == 409
        assert send(desk, address, FILM[100_000:], 100_000) == 204
        assert desk.head(address).status_code == 404
    [file] = handed(web)
    assert (file.file_name, read(web.app.state.storage, file.storage_key)) == ("课.mp4", FILM)
    assert list((settings.home / "uploads").iterdir()) == []


def waiting(web: Web) -> Upload:
    found = web.session.scalars(select(Upload)).one()
    web.session.commit()
    return found


def test_all_bytes_here_but_the_power_went_the_last_one_is_asked_for_again(
    web: Web, opened: School, settings: Settings
) -> None:
    with web.of("T01") as client:
        _status, address = begin(client, web, opened)
        (settings.home / "uploads" / waiting(web).token).write_bytes(FILM)
        assert here(client, address) == str(len(FILM) - 1)
        assert send(client, address, FILM[-1:], len(FILM) - 1) == 204
    [file] = handed(web)
    assert read(web.app.state.storage, file.storage_key) == FILM


def test_more_bytes_than_were_said_are_refused_and_what_is_here_stays(web: Web, opened: School) -> None:
    with web.of("T01") as client:
        _status, address = begin(client, web, opened, size=1000)
        assert send(client, address, FILM[:400], 0) == 204
        assert send(client, address, FILM[400:2000], 400) == 415
        assert here(client, address) == "400"


def test_what_is_no_film_picture_or_document_is_refused_at_its_end_with_a_sentence(
    web: Web, opened: School, settings: Settings
) -> None:
    with web.of("T01") as client:
        _status, address = begin(client, web, opened, size=6, filename="课.mp4")
        answer = client.patch(address, content=b"<html>", headers={**PATCH, "upload-offset": "0"})
        assert (answer.status_code, answer.text.startswith("“课.mp4”不是视频")) == (415, True)
        assert client.head(address).status_code == 404
    assert handed(web) == []
    assert list((settings.home / "uploads").iterdir()) == []


def test_two_at_once_at_one_file_one_waits(web: Web, opened: School, settings: Settings) -> None:
    with web.of("T01") as client:
        _status, address = begin(client, web, opened)
        with Path(settings.home / "uploads" / waiting(web).token).open("ab") as other:
            fcntl.flock(other, fcntl.LOCK_EX)
            assert send(client, address, FILM[:10], 0) == 423
            assert client.head(address).status_code == 423
        assert send(client, address, FILM[:10], 0) == 204


def test_an_upload_is_its_owner_s_and_can_be_dropped(web: Web, opened: School, settings: Settings) -> None:
    with web.of("T01") as client, web.of("T02") as colleague, web.stranger() as nobody:
        _status, address = begin(client, web, opened)
        assert [send(one, address, b"x", 0) for one in (colleague, nobody)] == [404, 401]
        assert [one.head(address).status_code for one in (colleague, nobody)] == [404, 401]
        assert [one.delete(address).status_code for one in (colleague, nobody)] == [404, 401]
        assert begin(colleague, web, opened, work=waiting(web).submission_id)[0] == 404
        assert client.delete(address).status_code == 204
        assert client.head(address).status_code == 404
    assert list((settings.home / "uploads").iterdir()) == []


@pytest.mark.parametrize(
    ("facts", "size", "status"),
    [
        ({"slot": "none"}, 10, 422),
        ({"work": "x"}, 10, 415),
        ({"replaces": "x"}, 10, 422),
        ({"replaces": "999"}, 10, 404),
        ({}, 0, 422),
        ({}, 5_000_000_000, 413),
    ],
)
def test_what_can_t_be_taken_is_said_before_the_first_byte(
    web: Web, opened: School, facts: dict[str, object], size: int, status: int
) -> None:
    with web.of("T01") as client:
        answer, text = begin(client, web, opened, size=size, **facts)
        assert answer == status
        assert "<html" not in text


def test_what_is_not_tus_is_refused(web: Web, opened: School) -> None:
    with web.of("T01") as client:
        _status, address = begin(client, web, opened)
        assert client.patch(address, content=b"x", headers={"upload-offset": "0"}).status_code == 422
        headers = {"upload-offset": "0", "content-type": "text/plain"}
        assert client.patch(address, content=b"x", headers=headers).status_code == 415
        assert client.post("/uploads", headers={"upload-length": "1", "upload-metadata": "work %%%"}).status_code == 415
        spoken = client.options("/uploads").headers
        assert (spoken["tus-version"], spoken["tus-extension"]) == ("1.0.0", "creation,termination,expiration")


def test_where_there_is_a_scanner_nobody_opens_a_file_before_it_was_looked_at(
    web: Web, opened: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    with web.of("T01") as client:
        _status, address = begin(client, web, opened)
        work = waiting(web).submission_id
        send(client, address, FILM, 0)
        link = client.get(f"/works/{work}").text.split('href="/files/')[1].split('"')[0]
        guarded = web.app.state.settings.model_copy(update={"scanner": "/run/clamav/clamd.ctl"})
        monkeypatch.setattr(web.app.state, "settings", guarded)
        page = client.get(f"/works/{work}").text
        assert ("课.mp4" in page, 'href="/files/' in page) == (True, False)
        no = client.get(f"/files/{link}")
        assert (no.status_code, "还在查毒" in no.text) == (409, True)
        [file] = handed(web)
        file.checked_at = now()
        web.session.commit()
        assert client.get(f"/files/{link}").content == FILM


def test_a_file_is_given_to_its_own_person_by_parts_and_for_a_while(web: Web, opened: School, clock: Clock) -> None:
    with web.of("T01") as client, web.of("T02") as colleague:
        _status, address = begin(client, web, opened)
        work = waiting(web).submission_id
        send(client, address, FILM, 0)
        page = client.get(f"/works/{work}").text
        link = page.split('href="/files/')[1].split('"')[0]
        whole = client.get(f"/files/{link}")
        assert whole.content == FILM
        assert whole.headers["content-disposition"] == "inline; filename*=UTF-8''%E8%AF%BE.mp4"
        assert (whole.headers["x-content-type-options"], whole.headers["cache-control"]) == ("nosniff", "no-store")
        for asked, part, told in (
            ("bytes=0-9", FILM[:10], "0-9"),
            ("bytes=300000-", FILM[300000:], f"300000-{len(FILM) - 1}"),
            ("bytes=-5", FILM[-5:], f"{len(FILM) - 5}-{len(FILM) - 1}"),
        ):
            answer = client.get(f"/files/{link}", headers={"range": asked})
            assert (answer.status_code, answer.content) == (206, part)
            assert answer.headers["content-range"] == f"bytes {told}/{len(FILM)}"
        assert client.get(f"/files/{link}", headers={"range": "bytes=9999999-"}).status_code == 416
        assert client.get(f"/files/{link}", headers={"range": "bytes=0-1,5-6"}).content == FILM
        assert colleague.get(f"/files/{link}").status_code == 404
        assert client.get(f"/files/{link[:-2]}xx").status_code == 404
        assert client.get("/files/x.y").status_code == 404
        clock.to(now() + timedelta(hours=6))
        assert client.get(f"/files/{link}").status_code == 404


def test_a_finished_file_can_take_another_s_place(web: Web, opened: School) -> None:
    with web.of("T01") as client:
        _status, address = begin(client, web, opened)
        work = waiting(web).submission_id
        send(client, address, FILM, 0)
        [first] = handed(web)
        _status, again = begin(client, web, opened, work=work, replaces=first.id, size=20)
        send(client, again, FILM[:20], 0)
    found = evidence.standing_evidence(web.session, submission=web.session.get_one(Submission, work))
    assert [one.size_bytes for one in found] == [20]


@pytest.fixture
def room(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """How full the disk is said to be; the rest of it is the machine's own."""
    free = {"bytes": 3_000_000_000}
    monkeypatch.setattr(upload.shutil, "disk_usage", lambda _path: SimpleNamespace(free=free["bytes"]))
    return free


def test_a_disk_that_fills_up_is_said_and_what_is_here_stays(web: Web, opened: School, room: dict[str, int]) -> None:
    with web.of("T01") as client:
        _status, address = begin(client, web, opened)
        assert send(client, address, FILM[:1000], 0) == 204
        room["bytes"] = 1_000_000_500
        answer = client.patch(address, content=FILM[1000:], headers={**PATCH, "upload-offset": "1000"})
        assert (answer.status_code, answer.text.startswith("服务器的磁盘空间不够了")) == (507, True)
        assert (begin(client, web, opened, work=waiting(web).submission_id)[0], here(client, address)) == (507, "1000")
        room["bytes"] = 3_000_000_000
        assert send(client, address, FILM[1000:], 1000) == 204
    assert len(handed(web)) == 1


def test_a_whole_file_without_room_for_its_copy_waits(web: Web, opened: School, room: dict[str, int]) -> None:
    with web.of("T01") as client:
        _status, address = begin(client, web, opened)
        assert send(client, address, FILM[:-1], 0) == 204
        room["bytes"] = 1_000_000_000 + len(FILM) - 1
        assert send(client, address, FILM[-1:], len(FILM) - 1) == 507
        room["bytes"] = 3_000_000_000
        assert send(client, address, FILM[-1:], int(here(client, address))) == 204
    assert len(handed(web)) == 1


def test_a_full_disk_takes_what_it_can(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with upload._locked(tmp_path / "file") as file:
        upload._append(file, b"begun")
    with upload.FileIO("/dev/full", "ab") as full, pytest.raises(uploads.NoRoom):
        upload._append(full, b"more")


def test_a_line_that_fell_silent_lets_go_of_its_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(envelope, "SILENT_S", 0.01)
    scope = {"type": "http", "method": "PATCH", "path": "/uploads/x", "headers": [], "query_string": b""}

    async def silent() -> dict[str, str]:
        await asyncio.sleep(60)
        return {}

    assert asyncio.run(envelope.body_of(Request(scope, silent))()) == {"type": "http.disconnect"}


def test_a_place_that_is_not_ours_and_a_work_closed_for_files_are_told_apart(web: Web, opened: School) -> None:
    with web.of("T01") as client:
        _status, address = begin(client, web, opened)
        elsewhere = client.patch(address, content=FILM[:9], headers={**PATCH, "upload-offset": "5"})
        assert (elsewhere.status_code, elsewhere.headers["refusal"]) == (409, "elsewhere")
        opened.seal(opened.teachers[0])
        sealed = opened.session.scalars(select(Submission).order_by(Submission.id)).first()
        assert sealed is not None
        slot = opened.scheme.slots("A1")[0].id
        web.release()
        told = metadata(work=sealed.id, slot=slot, filename="课.mp4")
        closed = client.post("/uploads", headers={"upload-length": "9", "upload-metadata": told})
        last = client.patch(address, content=FILM, headers={**PATCH, "upload-offset": "0"})
    assert [(one.status_code, one.headers["refusal"]) for one in (closed, last)] == [(409, "not-editable")] * 2
