from __future__ import annotations

import json
import re
from typing import Any

from tests.cli.test_password import run as run  # noqa: PLC0414 - a fixture

FOUND = ("school", "found", "实验中学", "--admin-number", "A01", "--admin-name", "陈静")


def test_a_token_is_printed_once_listed_and_revoked(run: Any) -> None:
    assert run(*FOUND).exit_code == 0
    made = run("token", "make", "--name", "校务平台", "--scope", "read", "--scope", "admin")
    assert re.fullmatch(r"rft_[0-9a-f]{8}_[\w-]{43}\n", made.output)
    [row] = json.loads(run("token", "list", "--json").output)
    assert (row["id"], row["prefix"], row["scopes"], row["used_at"]) == (1, made.output[:12], "read、admin", None)
    assert run("token", "revoke", "1").output == "已撤销。\n"
    assert run("token", "list").output == "还没有令牌。\n"
    assert run("token", "revoke", "7").exit_code == 1
