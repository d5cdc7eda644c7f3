from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from anyio import to_thread
from fastapi import FastAPI
from sqlalchemy import create_engine
from starlette.testclient import TestClient

from review_flow.i18n import language
from review_flow.settings import Settings
from review_flow.web import assets
from review_flow.web.access import UndeclaredError, require_declared
from review_flow.web.app import MOST_CONNECTIONS, create_app
from review_flow.web.assets import Assets, AssetsMissing
from review_flow.web.envelope import POLICY
from tests.web.conftest import browser


def test_an_asset_that_is_not_there_keeps_the_application_from_starting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "static"
    shutil.copytree(assets.STATIC, folder)
    assert Assets(folder).url("vendor/htmx.js") == Assets().url("vendor/htmx.js")
    (folder / "vendor" / "htmx.js").unlink()
    with pytest.raises(AssetsMissing, match=r"vendor/htmx\.js"):
        Assets(folder)
    (folder / "vendor" / "assets.json").unlink()
    with pytest.raises(AssetsMissing, match=r"vendor/assets\.json"):
        Assets(folder)


def test_npm_s_files_are_those_that_the_lock_file_was_asked_for() -> None:
    package = json.loads((Path(__file__).parents[2] / "package.json").read_text(encoding="utf-8"))
    listing = json.loads((assets.STATIC / assets.LISTING).read_text(encoding="utf-8"))
    assert set(listing["files"]) == set(package["assets"])
    assert all(version[0].isdigit() for version in package["dependencies"].values())


def test_it_says_that_it_lives_and_is_ready(anybody: TestClient) -> None:
    assert anybody.get("/healthz").text == "ok"
    assert anybody.get("/readyz").json() == {"ready": True, "working": True}


def test_without_its_tables_it_is_not_ready(settings: Settings) -> None:
    with browser(create_app(settings, engine=create_engine("sqlite://"))) as client:
        assert client.get("/healthz").status_code == 200
        answer = client.get("/readyz")
    assert (answer.status_code, answer.json()) == (503, {"ready": False, "working": False})


def test_every_answer_has_its_id_and_the_headers_that_keep_browsers_strict(anybody: TestClient) -> None:
    for path in ("/healthz", "/nowhere"):
        headers = anybody.get(path).headers
        assert headers["content-security-policy"] == POLICY
        assert "unsafe" not in POLICY
        assert headers["x-frame-options"] == "DENY"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"
        assert headers["cache-control"] == "no-store"
        assert len(headers["x-request-id"]) == 12


def test_styles_and_scripts_are_kept_by_browsers_and_packed(anybody: TestClient) -> None:
    answer = anybody.get(Assets().url("vendor/htmx.js"))
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["content-encoding"] == "gzip"
    assert anybody.get("/static/../app.py").status_code == 404
    assert anybody.get("/static/%2e%2e/app.py").status_code == 404


def test_a_first_page_is_under_100_kb(anybody: TestClient) -> None:
    wanted = ["vendor/bootstrap.css", "app.css", "theme.js", "vendor/htmx.js", "vendor/tus.js", "upload.js", "icon.svg"]
    answers = [anybody.get(Assets().url(name)) for name in wanted]
    assert sum(one.num_bytes_downloaded for one in answers) < 90_000


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"origin": "http://school.test"}, 303),
        ({"origin": "http://school.test:8080"}, 403),
        ({"origin": "http://elsewhere.test"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "", "referer": "http://school.test/me"}, 303),
        ({"origin": "", "referer": "http://elsewhere.test/school.test"}, 403),
        ({"origin": ""}, 403),
        ({"origin": "http://school.test", "sec-fetch-site": "cross-site"}, 403),
        ({"origin": "http://school.test", "sec-fetch-site": "same-site"}, 403),
        ({"origin": "", "sec-fetch-site": "same-origin"}, 303),
    ],
)
def test_only_our_own_pages_do_something(anybody: TestClient, headers: dict[str, str], status: int) -> None:
    answer = anybody.post("/language/en", headers=headers)
    assert answer.status_code == status
    assert ("set-cookie" in answer.headers) == (status == 303)


def test_the_reader_s_language_is_the_chosen_one_then_the_browser_s_then_chinese(anybody: TestClient) -> None:
    assert "找不到" in anybody.get("/nowhere").text
    assert "找不到" in anybody.get("/nowhere", headers={"accept-language": "fr, zh-CN;q=0.9, en;q=0.5"}).text
    assert "Not found" in anybody.get("/nowhere", headers={"accept-language": "fr,en-GB;q=0.9"}).text
    answer = anybody.post("/language/en", headers={"referer": "http://school.test/me"})
    assert answer.headers["location"] == "http://school.test/me"
    page = anybody.get("/nowhere", headers={"accept-language": "zh"}).text
    assert "Not found" in page
    assert '<html lang="en">' in page
    assert anybody.post("/language/fr").status_code == 404
    assert anybody.post("/language/zh", headers={"referer": "http://elsewhere.test/"}).headers["location"] == "/"
    assert language.get() == "zh"


def test_what_is_asked_the_wrong_way_is_said_in_words(anybody: TestClient) -> None:
    assert anybody.get("/nowhere").status_code == 404
    assert anybody.delete("/healthz").status_code == 405
    page = anybody.get("/<script>alert(1)</script>").text
    assert "<script>alert" not in page


def test_a_fault_of_ours_is_a_page_with_its_id_and_no_traceback(app: FastAPI) -> None:
    def broken() -> None:
        raise ZeroDivisionError("secret")

    app.add_api_route("/broken", broken)
    with browser(app) as client:
        answer = client.get("/broken")
    assert answer.status_code == 500
    assert answer.headers["x-request-id"] in answer.text
    assert "secret" not in answer.text
    assert answer.headers["content-security-policy"] == POLICY


def test_a_route_that_does_not_say_who_may_call_it_keeps_the_application_from_starting(app: FastAPI) -> None:
    def open_to_all() -> None:
        """Nobody said so."""

    undeclared = FastAPI(openapi_url=None)
    undeclared.add_api_route("/open", open_to_all)
    with pytest.raises(UndeclaredError, match="open"):
        require_declared(undeclared)


def test_whoever_holds_the_one_connection_gets_a_thread_however_many_wait(anybody: TestClient) -> None:
    """With the forty threads of a default, fifty at once all waited: for the connection, and its holder for a thread."""

    async def threads() -> float:
        return to_thread.current_default_thread_limiter().total_tokens

    assert anybody.portal is not None
    assert anybody.portal.call(threads) == MOST_CONNECTIONS
