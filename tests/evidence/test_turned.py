"""A film recorded with the phone on its side: stored turned, shown upright, boxes in what is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

import av
import numpy as np
import pytest

from review_flow.rules.words import Verdict

if TYPE_CHECKING:
    from pathlib import Path

    from review_flow.evidence.faces import Encoding
    from review_flow.evidence.sandbox import Sandbox


def turned(source: Path, path: Path, degrees: int) -> Path:
    """Store the pictures turned clockwise; the display matrix asks for the same angle back."""
    with av.open(str(source)) as upright, av.open(str(path), "w") as film:
        stream = film.add_stream("libx264", rate=12, options={"g": "12", "preset": "ultrafast"})
        stream.width, stream.height = (360, 640) if degrees % 180 else (640, 360)
        stream.pix_fmt = "yuv420p"
        stream.set_display_rotation(degrees)
        for frame in upright.decode(video=0):
            pixels = np.ascontiguousarray(np.rot90(frame.to_ndarray(format="rgb24"), k=-degrees // 90))
            film.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        film.mux(stream.encode())
    return path


@pytest.mark.parametrize(("degrees", "rotation"), [(90, 90), (-90, 270), (180, 180)])
def test_a_turned_film_is_stood_up_and_the_teacher_found_where_shown(
    box: Sandbox, films: dict[str, Path], grace: list[Encoding], tmp_path: Path, *, degrees: int, rotation: int
) -> None:
    upright = box.check(films["grace"], references=grace)
    report = box.check(turned(films["grace"], tmp_path / "turned.mp4", degrees), references=grace)
    assert (report.verdict, report.present) == (Verdict.VALID, True)
    assert [report.media[name] for name in ("width", "height", "rotation")] == [640, 360, rotation]
    assert [moment["at_s"] for moment in report.seen] == [moment["at_s"] for moment in upright.seen]
    for moment, known in zip(report.seen, upright.seen, strict=True):
        assert np.abs(np.subtract(moment["box"], known["box"])).max() <= 24  # noise of re-encoding and detection
