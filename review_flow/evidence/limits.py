"""What a child may use, and what is said of a file when it used more or fell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from review_flow.i18n import _, say
from review_flow.rules.verdict import Finding, Level

if TYPE_CHECKING:
    from review_flow.evidence.presence import Search

LOOK_S = 30  # CPU seconds to say what a small file is; a PDF of 500 pages takes 25
SEARCH_MORE_S = 15  # seconds a search may overrun its own budget: the frame it is at, and the sheet


@dataclass(frozen=True, slots=True)
class Allowance:
    """What one request may use: seconds of wall and CPU time, bytes of its answer and of its output file."""

    wall_s: float
    cpu_s: int
    output_bytes: int = 0
    answer_bytes: int = 32_000_000


@dataclass(frozen=True, slots=True)
class Limits:
    """What one child may use; memory as address space (code and models take 0.45 GB of it, an 8K film 0.8).

    `kept_bytes` is the address space a child may hold on to between files before it is renewed; `cpu_s`, `wall_s`
    are the most that any file gets, `output_bytes` the largest output any request may be allowed.
    """

    memory_bytes: int = 2_000_000_000
    kept_bytes: int = 1_000_000_000
    cpu_s: int = 150
    wall_s: float = 180.0
    start_s: float = 60.0
    open_files: int = 64
    output_bytes: int = 4_000_000_000
    files_per_child: int = 200

    def for_size(self, size: int, search: Search | None = None) -> Allowance:
        """Return what a file of so many bytes gets: a small one 30 CPU seconds and what its search may take."""
        look = LOOK_S + size // 10_000_000
        found = 0.0 if search is None else search.wall_s + SEARCH_MORE_S
        return Allowance(wall_s=min(self.wall_s, 1.5 * look + found), cpu_s=min(self.cpu_s, look))

    def for_search(self, search: Search) -> int:
        """Return the CPU seconds of a search for a face: its own budget of work and a little more."""
        return min(self.cpu_s, round(search.work_s) + SEARCH_MORE_S)


COPYING = Limits(cpu_s=5400, wall_s=7200.0, output_bytes=8_000_000_000)
"""For reviewers' copies: an hour of 4K HEVC takes its time; the verdict doesn't wait for it."""

BLURRING = Limits(cpu_s=21_600, wall_s=28_800.0, output_bytes=8_000_000_000)
"""For copies in which faces are covered: every picture is decoded twice, looked at and encoded; nobody waits."""


class Broken(Exception):  # noqa: N818 - it is an answer, not a fault
    """A child gave no answer; `finding` says so to the teacher and asks a human to look, `why` is for developers."""

    def __init__(self, code: str, sentence: str, why: str = "") -> None:
        super().__init__(code, why)
        self.finding, self.why = Finding(code, Level.HUMAN, say(sentence)), why


TIMED_OUT = (
    "check_timed_out",
    _("文件太复杂，自动检查超时，将由人工查看；也可以重新导出再传（视频用普通 MP4、1080p，文档用 PDF）。"),
)
CRASHED = ("check_crashed", _("自动检查打不开这个文件，将由人工查看；如果您自己也打不开，请重新导出后再传。"))
TOO_MUCH = (
    "check_out_of_memory",
    _("文件展开后太大，自动检查放弃了，将由人工查看；也可以重新导出再传（视频用普通 MP4、1080p，文档用 PDF）。"),
)
NOT_THERE = ("file_missing", _("文件不在了或读不到，将由人工处理。"))
OUTPUT_TOO_LARGE = ("output_too_large", _("转换后的文件太大，没有保存；请人工查看原文件。"))
REASONS = {"memory": TOO_MUCH, "missing": NOT_THERE, "output": OUTPUT_TOO_LARGE}
