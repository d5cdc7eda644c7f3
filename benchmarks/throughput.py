"""What a deadline evening takes: ``python -m benchmarks.throughput [FILES]``. A queue of mixed files, one checking child.

The same queue is checked twice: in a plain loop (claim, check, record: what the work itself costs) and by the flow
`check_evidence` under a real, embedded Prefect server (what that adds). A third of the files are films with the
teacher, a third photos, the rest documents; every file is another one, and copies of each are looked for.
"""

from __future__ import annotations

import argparse
import os
import resource
import tempfile
import time
from contextlib import closing
from pathlib import Path

HOME = Path(tempfile.mkdtemp(prefix="throughput-"))
os.environ["REVIEW_FLOW_HOME"] = str(HOME)
os.environ["REVIEW_FLOW_EVIDENCE_WORKERS"] = "1"
os.environ["PREFECT_LOGGING_LEVEL"] = "WARNING"

from PIL import Image, ImageEnhance  # noqa: E402 - after the home is set, as all below

import flows  # noqa: E402, F401 - settles Prefect's environment before Prefect is imported
from flows import installation  # noqa: E402 - as above
from flows.check_evidence import check_evidence  # noqa: E402 - as above
from flows.server import PrefectServer  # noqa: E402 - as above
from review_flow import db  # noqa: E402 - as above
from review_flow.demo import media  # noqa: E402 - as above
from review_flow.demo.media import Span  # noqa: E402 - as above
from review_flow.evidence.faces import to_bytes  # noqa: E402 - as above
from review_flow.migrate import upgrade  # noqa: E402 - as above
from review_flow.outside.storage import keep  # noqa: E402 - as above
from review_flow.rules.words import WorkKind  # noqa: E402 - as above
from review_flow.settings import Settings  # noqa: E402 - as above
from review_flow.steps import evidence, faces  # noqa: E402 - as above
from tests.cast import Clock, School  # noqa: E402 - as above
from tests.due import do_due  # noqa: E402 - as above

FILMS = 12  # different ones; each is handed in several times, with a byte more, so that no two files are the same


def made(folder: Path, count: int) -> list[Path]:
    """Make the files, a third of each sort."""
    films = []
    for number in range(FILMS):
        span = Span(number % 5, number % 5 + 6, "grace")
        films.append(media.lesson_video(folder / f"film{number}.mp4", seconds=20, spans=[span], size=(1280, 720)))
    photo = Image.open(media.lesson_photo(folder / "photo.jpg", person="grace"))
    files = []
    for number in range(count):
        path = folder / f"{number}.{('mp4', 'jpg', 'docx')[number % 3]}"
        if number % 3 == 0:
            path.write_bytes(films[number % FILMS].read_bytes() + number.to_bytes(4, "big"))
        elif number % 3 == 1:
            ImageEnhance.Brightness(photo).enhance(0.8 + number / (3 * count)).save(path, quality=85)
        else:
            media.docx(path, media.essay(1200, topic=f"第{number}课"))
        files.append(path)
    return files


def hand_in(files: list[Path]) -> None:
    """Make a school of one teacher with references, and hand everything in for one work."""
    with closing(Clock().stack), db.transaction() as session:
        school = School(session, teachers=1).open()
        [person] = school.teachers
        work = school.ready(person)[0]
        faces.give_consent(session, actor=person)
        encoder, keys = installation.sandbox().recogniser(), db.settings().face_keys
        for photo in media.reference_photos("grace", HOME):
            found = installation.sandbox().enrol(photo).encoding
            assert found is not None
            faces.add_reference(session, actor=person, encoding=to_bytes(found), encoder=encoder, keys=keys)
        slot = "plan"
        for path in files:
            stored = keep(installation.storage(), path)
            evidence.add_evidence(session, actor=person, submission=work, slot=slot, file_name=path.name, stored=stored)


def cpu() -> float:
    """Return the CPU seconds of this process and the children it has ended."""
    own, ended = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + ended.ru_utime + ended.ru_stime


def measured(way: str, count: int, deed: object) -> float:
    assert callable(deed)
    began, spent = time.monotonic(), cpu()
    deed()
    wall = time.monotonic() - began
    installation.close()  # its child's time counts once it has ended
    each = (cpu() - spent) / count
    print(
        f"{way:<34}{count:>6} files {wall:>8.1f} s  {count / wall:>6.2f} a second  CPU {1000 * each:>6.0f} ms a file",
        flush=True,
    )
    return wall


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", type=int, nargs="?", default=200)
    count = parser.parse_args().files
    with tempfile.TemporaryDirectory() as folder:
        files = made(Path(folder), count)
        walls = {}
        for way in ("a plain loop", "the flow under Prefect"):
            db.settings.cache_clear()
            os.environ["REVIEW_FLOW_DATABASE_URL"] = f"sqlite:///{HOME / way.replace(' ', '-')}.db"
            installation.close()
            upgrade(db.engine_for(db.settings().database))
            hand_in(files)
            installation.sandbox().warm()
            if way == "a plain loop":
                walls[way] = measured(way, count, lambda: do_due(WorkKind.CHECK_EVIDENCE))
                continue
            with PrefectServer(Settings()) as server:
                while not (url := server.url()):
                    time.sleep(0.1)
                from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL, temporary_settings

                with temporary_settings({PREFECT_API_URL: url, PREFECT_API_AUTH_STRING: server.proof()}):
                    walls[way] = measured(way, count, check_evidence)
        plain, flow = walls.values()
        print(f"Prefect adds {1000 * (flow - plain) / count:.0f} ms a file ({100 * (flow / plain - 1):.0f} %)")


if __name__ == "__main__":
    main()
