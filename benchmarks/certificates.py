"""How long certificates take on paper: a round's as one PDF, and one file each.

    nice -n 10 python benchmarks/certificates.py [--teachers 1000]

Prints milliseconds per certificate, the PDF's size, and the memory at the peak.
"""

from __future__ import annotations

import argparse
import resource
import time
from datetime import UTC, datetime

from review_flow.outside.certificates import Page, TypstPrinter
from review_flow.outside.typesetting import chinese_family
from review_flow.rules.certificates import number_of


def page(place: int) -> Page:
    number = number_of(place.to_bytes(8), key=bytes(32))
    return Page(
        number=number,
        title="网络研修与教学实践合格证明",
        holder=f"王芳{place}",
        school="实验中学",
        round="2026年春季校本应用考核",
        ledger="校本研修",
        hours="30",
        issuers=("培训机构", "教师进修学校"),
        issued_on="2026年5月6日",
        url=f"https://review.school.cn/verify/{number}",
    )


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--teachers", type=int, default=1000)
    pages = [page(place) for place in range(asked.parse_args().teachers)]
    printer, moment = TypstPrinter(), datetime.now(UTC)
    began = time.perf_counter()
    print(f"font: {chinese_family()} ({(time.perf_counter() - began) * 1000:.0f} ms to find, once)")
    began = time.perf_counter()
    whole = printer.pdf(pages, made_at=moment)
    spent = time.perf_counter() - began
    print(f"one PDF of {len(pages)}: {spent:.1f} s, {spent / len(pages) * 1000:.1f} ms each, {len(whole) / 1e6:.1f} MB")
    few = pages[:100]
    began = time.perf_counter()
    size = sum(len(printer.pdf([one], made_at=moment)) for one in few)
    spent = time.perf_counter() - began
    print(f"one file each ({len(few)}): {spent / len(few) * 1000:.1f} ms, {size / len(few) / 1000:.0f} KB each")
    print(f"memory at the peak: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


if __name__ == "__main__":
    main()
