"""Evidence handed in by a program: the same upload as the pages', with a token."""

from __future__ import annotations

from starlette.testclient import TestClient

from review_flow.outside.storage import read
from review_flow.rules.tokens import Scope
from tests.cast import School
from tests.web.api.conftest import Program
from tests.web.conftest import Web
from tests.web.test_upload import FILM, PATCH, handed, metadata

HERE = "http://school.test"


def begin(client: TestClient, web: Web, school: School, key: str, **facts: object) -> TestClient:
    """The answer to a creation for the first slot of T01's first work."""
    work = school.ready(school.teachers[0])[0]
    web.release()
    told = {"work": work.id, "slot": school.scheme.slots("A1")[0].id, "filename": "课.mp4", **facts}
    headers = {"upload-length": str(len(FILM)), "upload-metadata": metadata(**told), "idempotency-key": key}
    return client.post("/uploads", headers=headers)


def send(client: TestClient, address: str, content: bytes, offset: int) -> int:
    return client.patch(address, content=content, headers={**PATCH, "upload-offset": str(offset)}).status_code


def test_a_program_hands_a_file_in_by_pieces_and_reads_what_became_of_it(
    web: Web, opened: School, program: Program
) -> None:
    with program("T01") as client:
        work = opened.ready(opened.teachers[0])[0].id
        first, again = (begin(client, web, opened, "one") for _time in range(2))
        address = HERE + first.headers["location"]
        assert (first.status_code, again.status_code, again.headers["idempotency-replayed"]) == (201, 201, "true")
        assert (again.json(), again.headers["location"]) == (first.json(), first.headers["location"])
        assert (first.headers["tus-resumable"], again.headers["tus-resumable"]) == ("1.0.0", "1.0.0")
        assert send(client, address, FILM[:100_000], 0) == 204
        [waits] = client.get(f"/submissions/{work}/uploads").json()["items"]
        assert (waits["url"], waits["offset_bytes"], waits["size_bytes"]) == (
            first.headers["location"],
            100_000,
            len(FILM),
        )
        assert client.head(address).headers["upload-offset"] == "100000"
        assert send(client, address, FILM[100_000:], 100_000) == 204
        assert client.get(f"/submissions/{work}/uploads").json() == {"items": [], "next": None}
        [told] = client.get(f"/submissions/{work}/evidence").json()["items"]
    [file] = handed(web)
    assert (told["id"], told["file_name"], told["verdict"]) == (file.id, "课.mp4", None)
    assert read(web.app.state.storage, file.storage_key) == FILM


def test_a_piece_may_be_longer_than_any_other_request(web: Web, opened: School, program: Program) -> None:
    film = FILM + bytes(3_000_000)
    with program("T01") as client:
        work = opened.ready(opened.teachers[0])[0]
        web.release()
        told = metadata(work=work.id, slot=opened.scheme.slots("A1")[0].id, filename="课.mp4")
        made = client.post("/uploads", headers={"upload-length": str(len(film)), "upload-metadata": told})
        assert send(client, HERE + made.headers["location"], film, 0) == 204
    assert [one.size_bytes for one in handed(web)] == [len(film)]


def test_an_upload_is_its_owner_s_whose_token_is_for_that(web: Web, opened: School, program: Program) -> None:
    with program("T01") as client, program("T02") as colleague, program("T01", Scope.READ) as narrow:
        address = HERE + begin(client, web, opened, "one").headers["location"]
        for one, status in ((colleague, 404), (narrow, 403)):
            assert send(one, address, b"x", 0) == status
            assert (one.head(address).status_code, one.delete(address).status_code) == (status, status)
        assert begin(colleague, web, opened, "two").status_code == 404
        assert begin(narrow, web, opened, "two").status_code == 403
        with web.of("T01") as browser:
            assert browser.patch(address, content=b"x", headers={**PATCH, "upload-offset": "0"}).status_code == 401
        assert client.options("/uploads").headers["tus-extension"] == "creation,termination,expiration"
        assert client.delete(address).status_code == 204
        assert client.head(address).status_code == 404


def test_what_can_t_be_taken_is_a_problem_with_its_code(web: Web, opened: School, program: Program) -> None:
    with program("T01") as client:
        for facts, code in (
            ({"slot": "none"}, "unknown-slot"),
            ({"work": "9" * 30}, "not-tus"),
            ({"filename": "a\0.mp4"}, "not-tus"),
            ({"replaces": "9" * 30}, "bad-input"),
            ({"replaces": "999"}, "not-found"),
        ):
            assert (facts, begin(client, web, opened, "wrong", **facts).json()["code"]) == (facts, code)
        address = HERE + begin(client, web, opened, "one").headers["location"]
        assert send(client, address, FILM, 5) == 409
        plain = client.patch(address, content=b"x", headers={"upload-offset": "0", "content-type": "text/plain"})
        assert (plain.status_code, plain.json()["code"]) == (415, "not-tus")
        for number in range(19):
            assert begin(client, web, opened, f"more {number}".replace(" ", "-")).status_code == 201
        full = begin(client, web, opened, "full")
        assert (full.status_code, full.json()["code"], full.headers.get("retry-after")) == (
            429,
            "too-many-uploads",
            None,
        )
