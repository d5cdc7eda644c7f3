from __future__ import annotations

import os
import subprocess
import sys

from review_flow.lifeline import HELD

ENDS = "from review_flow.lifeline import hold_on; hold_on(); import time; time.sleep(0.2)"


def test_a_part_that_ends_before_its_parent_ends_without_a_word() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", ENDS], stdin=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, HELD: "1"}
    ) as part:
        assert part.stderr is not None
        assert (part.stderr.read(), part.wait(10)) == (b"", 0)
