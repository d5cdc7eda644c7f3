"""What it costs to look for a teacher in a lesson's film: ours, two usual ways, and the floor. Run alone: `python -m benchmarks.evidence`.

The clip is ten minutes of 1080p H.264 at a phone's 10 Mb/s with a keyframe each second, made once per run from a seed:
a wandering camera with grain, three people of `../shared/media/video` moving about, and a fourth (a talk) who is there
always, for 30 s, for 3 s, or never. Half a minute is rendered with and one without the fourth; the ten minutes are put
together from their seconds without encoding anew. References are frames of the same talk: this measures cost and that
the short appearance is found, not how well people are told apart (`benchmarks/faces.py` does).

All numbers are CPU seconds of this process, all ways in one run. The two usual ways are run on a part and
extrapolated, which the table says. Options: --keep DIR keeps and uses the clips of an earlier run.
"""

from __future__ import annotations

import argparse
import functools
import os
import resource
import tempfile
import time
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from review_flow.demo.media import _still_life
from review_flow.evidence import faces, glance, probe, video
from review_flow.evidence.check import check
from review_flow.evidence.presence import Search
from review_flow.evidence.sandbox import Sandbox

BESIDE = Path(__file__).resolve().parents[2] / "shared" / "media"
MEDIA = Path(os.environ.get("REVIEW_FLOW_TEST_MEDIA") or BESIDE) / "video"
SIZE, FPS, SECONDS, LOOP = (1920, 1080), 30, 600, 30
FACE = 130  # px across of the fourth person's face in the film
OTHERS = {"student.mkv": (60, 520), "school.mkv": (620, 560), "book.mkv": (1180, 540)}
CASES = {"always": range(SECONDS), "30 s": range(300, 330), "3 s": range(437, 440), "never": range(0)}


PATIENT = Search(wall_s=3600)  # a busy machine changes what is looked at within a time, not what looking costs


def frames_of(name: str) -> list[np.ndarray]:
    with av.open(str(MEDIA / name)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def scaled(frames: list[np.ndarray], face: int) -> list[np.ndarray]:
    wide = max(box.width for frame in frames[:8] for box in faces.detect(frame, upsample=1)[:1])
    return [cv2.resize(frame, None, fx=face / wide, fy=face / wide, interpolation=cv2.INTER_AREA) for frame in frames]


def minute(path: Path, *, person: bool) -> None:
    """Render a minute; closed groups of pictures, so that seconds can be exchanged."""
    chance = np.random.default_rng(4)
    wall = np.asarray(_still_life(*SIZE))
    grain = [chance.integers(0, 14, (SIZE[1], SIZE[0], 3), dtype=np.uint8) for _ in range(5)]
    crowd = {at: scaled(frames_of(name), 140) for name, at in OTHERS.items()}
    speaker = scaled(frames_of("katie_hill_talk.mp4"), FACE)
    options = {"preset": "veryfast", "x264-params": f"keyint={FPS}:min-keyint={FPS}:scenecut=0:open-gop=0:bframes=0"}
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS, options=options)
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = *SIZE, "yuv420p", 10_000_000
        for number in range(LOOP * FPS):
            now = number / FPS
            left, top = (round(room * (0.5 + 0.5 * np.sin(now / slow))) for room, slow in ((480, 5), (270, 7)))
            picture = wall[top : top + SIZE[1], left : left + SIZE[0]].copy()
            for (across, down), shots in crowd.items():
                put(picture, shots, number, across + 40 * np.sin(now / 3), down - top / 2)
            if person:
                put(picture, speaker, number, 900 + 300 * np.sin(now / 6), 90 + 30 * np.cos(now / 2))
            picture = cv2.cvtColor(cv2.add(picture, grain[number % 5]), cv2.COLOR_RGB2YUV_I420)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="yuv420p")))
        container.mux(stream.encode())


def put(picture: np.ndarray, shots: list[np.ndarray], number: int, across: float, down: float) -> None:
    turn = number % (2 * len(shots) - 2)  # forth and back
    shot = shots[min(turn, 2 * len(shots) - 2 - turn)]
    top, left = max(0, round(down)), max(0, round(across))
    room = picture[top : top + shot.shape[0], left : left + shot.shape[1]]
    room[:] = shot[: room.shape[0], : room.shape[1]]


def assemble(path: Path, without: Path, within: Path, there: range) -> None:
    """Put ten minutes together from the seconds of two, by copying packets."""
    with av.open(str(without)) as one, av.open(str(within)) as two, av.open(str(path), "w") as out:
        stream = out.add_stream_from_template(one.streams.video[0])
        stream.time_base = Fraction(1, FPS)
        seconds = [[[] for _ in range(LOOP)] for _ in range(2)]
        for container, parts in zip((one, two), seconds, strict=True):
            packets = [packet for packet in container.demux(video=0) if packet.size]
            for number, packet in enumerate(packets):
                parts[number // FPS].append((bytes(packet), packet.is_keyframe))
        for second in range(SECONDS):
            for number, (data, key) in enumerate(seconds[second in there][second % LOOP]):
                packet = av.Packet(data)
                packet.stream, packet.time_base = stream, Fraction(1, FPS)
                packet.pts = packet.dts = second * FPS + number
                packet.duration, packet.is_keyframe = 1, key
                out.mux(packet)


def cpu(work):
    began = time.process_time()
    value = work()
    return time.process_time() - began, value


class Stages:
    """CPU by stage, measured by wrapping the functions of a stage while the block lasts."""

    PLACES = (
        ("survey", video, "survey"),
        ("decode", video.Reader, "keyframe"),
        ("glance", glance, "find"),
        ("confirm", glance, "confirm"),
        ("encode", faces.HogResnet, "encode"),
    )

    def __enter__(self):
        self.spent = {name: [0.0, 0] for name, _place, _function in self.PLACES}
        self.kept = [(place, function, getattr(place, function)) for _name, place, function in self.PLACES]
        for (name, place, function), (_place, _function, original) in zip(self.PLACES, self.kept, strict=True):
            setattr(place, function, self.timed(name, original))
        return self

    def __exit__(self, *failure):
        for place, function, original in self.kept:
            setattr(place, function, original)

    def timed(self, name, original):
        @functools.wraps(original)
        def wrapper(*positional, **named):
            began = time.process_time()
            try:
                return original(*positional, **named)
            finally:
                self.spent[name][0] += time.process_time() - began
                self.spent[name][1] += 1

        return wrapper


def floor(path: Path) -> dict[str, float]:
    def read() -> None:
        with path.open("rb") as file:
            while file.read(1 << 20):
                pass

    def decode() -> int:
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            stream.thread_count = 1
            stream.codec_context.skip_frame = "NONKEY"
            return sum(1 for _frame in container.decode(stream))

    return {"reading the file": cpu(read)[0], "decoding all keyframes": cpu(decode)[0]}


def every_frame(path: Path, known: np.ndarray, *, part: int = 4) -> float:
    """The library's README: every frame, full size, default settings; a few frames spread over the clip."""
    import face_recognition

    spent, step = 0.0, SECONDS // part
    for start in range(0, SECONDS, step):
        with av.open(str(path)) as container:
            container.seek(start * av.time_base)
            frames = container.decode(video=0)
            next(frames)
            spent += cpu(
                lambda frames=frames: compare(face_recognition, next(frames).to_ndarray(format="rgb24"), known)
            )[0]
    return spent / part * SECONDS * FPS


def one_a_second(path: Path, known: np.ndarray, *, part: int = 8) -> float:
    """The usual economy: cv2 seeks to each second, half size, default settings; some of the seconds."""
    import face_recognition

    film_ = cv2.VideoCapture(str(path))

    def look(second: int) -> None:
        film_.set(cv2.CAP_PROP_POS_MSEC, second * 1000 + 500)
        _good, picture = film_.read()
        half = cv2.resize(picture, None, fx=0.5, fy=0.5)
        compare(face_recognition, np.ascontiguousarray(half[:, :, ::-1]), known)

    spent = sum(cpu(lambda s=second: look(s))[0] for second in range(0, SECONDS, SECONDS // part))
    return spent / part * SECONDS


def compare(library, picture: np.ndarray, known: np.ndarray) -> None:
    for face in library.face_encodings(picture, library.face_locations(picture)):
        library.compare_faces([known], face)


def memory(path: Path, references: list[np.ndarray]) -> float:
    with Sandbox() as box:
        box.check(path, references=references)
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024


def clips(folder: Path) -> dict[str, Path]:
    made = {case: folder / f"{case.replace(' ', '')}.mp4" for case in CASES}
    if not all(path.exists() for path in made.values()):
        print("making the clips …", flush=True)
        parts = folder / "without.mp4", folder / "within.mp4"
        for path, person in zip(parts, (False, True), strict=True):
            minute(path, person=person)
        for case, path in made.items():
            assemble(path, *parts, CASES[case])
    return made


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--only-ours", action="store_true")
    parser.add_argument("--cases", nargs="+", default=list(CASES), choices=CASES)
    options = parser.parse_args()
    if not MEDIA.is_dir():
        print(f"skipped: no real people at {MEDIA} to make the clip of")
        return
    av.logging.set_level(None)
    cv2.setNumThreads(1)
    faces.preload()
    for filters in (glance.FORWARD, glance.STRAIGHT):  # each is made when it is first asked
        glance.find(np.zeros((360, 640), np.uint8), filters=filters)
    with tempfile.TemporaryDirectory() as folder:
        measure(clips(options.keep or Path(folder)), options.cases, only_ours=options.only_ours)


def measure(made: dict[str, Path], cases: list[str], *, only_ours: bool) -> None:
    talk = frames_of("katie_hill_talk.mp4")
    references = [faces.encode(talk[n], faces.detect(talk[n], upsample=1)[0]) for n in (0, 70, 140)]
    low = floor(made["never"])
    print(f"\nclip: {made['never'].stat().st_size / 1e6:.0f} MB, {SECONDS} s, {SIZE[0]}×{SIZE[1]}, faces of {FACE} px")
    for name, seconds in low.items():
        print(f"floor: {name}: {seconds:.2f} s")
    ways = {"every frame": 0.0, "one a second": 0.0}
    if not only_ours:
        ways = {
            "every frame": every_frame(made["always"], references[0]),
            "one a second": one_a_second(made["always"], references[0]),
        }
        for name, seconds in ways.items():
            print(f"usual way, {name} (extrapolated from a part): {seconds:.0f} s")
    for case in cases:
        path = made[case]
        hashed, digest = cpu(lambda path=path: probe.sha256_of(path))
        with Stages() as stages:
            spent, report = cpu(
                lambda path=path, digest=digest: check(path, references=references, sha256=digest, search=PATIENT)
            )
        ratios = ", ".join(f"{seconds / spent:,.0f}× cheaper than {name}" for name, seconds in ways.items())
        print(
            f"\n{case}: present {report.present}, {spent:.2f} s (its hash, known since the upload: {hashed:.2f} s): {ratios}"
        )
        print(
            f"  {spent / low['decoding all keyframes']:.2f} × the floor; seen at {[moment['at_s'] for moment in report.seen]}"
        )
        print("  " + ", ".join(f"{name} {seconds:.2f} s/{count}" for name, (seconds, count) in stages.spent.items()))
        print(f"  { ({k: v for k, v in (report.presence or {}).items() if k != 'spans'}) }")
    print(f"\nmemory of the child, at most: {memory(made['never'], references):.0f} MB")


if __name__ == "__main__":
    main()
