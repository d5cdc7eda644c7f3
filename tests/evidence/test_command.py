"""`review-flow evidence check`: the published JSON, status 0 for every verdict, 2 and a reason for misuse."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from typer.testing import CliRunner, Result

from review_flow.cli import app
from review_flow.demo import media
from review_flow.evidence.check import CHECKER

if TYPE_CHECKING:
    from pathlib import Path


def run(*words: object, status: int = 0) -> Result:
    """Run the command as typed."""
    done = CliRunner().invoke(app, ["evidence", "check", *map(str, words)], prog_name="review-flow")
    assert done.exit_code == status, (words, done.output, done.exception)
    return done


def test_json_has_the_published_shape(tmp_path: Path, films: dict[str, Path], photos: dict[str, list[Path]]) -> None:
    one, two, _three = photos["grace"]
    sheet = tmp_path / "sheet.png"
    words = (films["grace"], "--reference", one, "--reference", two, "--sheet", sheet, "--json")
    told = json.loads(run(*words).stdout)
    digest = hashlib.sha256(films["grace"].read_bytes()).hexdigest()
    first = ["verdict", "present", "seen", "media", "findings", "cost"]
    rest = ["probability", "presence", "playable", "sha256", "checker", "sheet_px", "alt_text", "copies", "sheet"]
    assert list(told) == [*first, *rest]
    assert (told["presence"]["complete"], told["presence"]["with_teacher"] >= 2) == (False, True)
    assert told["playable"] == {"original": True, "why": "浏览器可以直接播放"}
    assert (told["verdict"], told["present"], told["sha256"], told["checker"]) == (
        "valid",
        True,
        digest,
        f"hog-resnet/1 {CHECKER}",
    )
    assert len(told["seen"]) == 2
    for moment in told["seen"]:
        assert list(moment) == ["at_s", "distance", "probability", "box"]
        left, top, right, bottom = moment["box"]
        assert 0 <= left < right <= 640
        assert 0 <= top < bottom <= 360
    assert told["findings"] == [{"code": "no_sound", "level": "info", "text": "视频没有声音。"}]
    assert (told["media"]["kind"], told["media"]["duration_s"]) == ("video", "10")
    assert list(told["cost"]) == ["wall_s", "frames_decoded", "faces_encoded"]
    assert told["cost"]["frames_decoded"] >= 2
    assert sheet.read_bytes().startswith(b"\x89PNG")


def test_nobody_looked_is_null(tmp_path: Path) -> None:
    told = json.loads(run(media.txt(tmp_path / "a.txt", "四个汉字"), "--json").stdout)
    assert (told["verdict"], told["present"], told["seen"], told["findings"]) == ("valid", None, [], [])


def test_a_refused_file_is_an_answer_not_a_failure(tmp_path: Path) -> None:
    path = media.txt(tmp_path / "a.txt", "四个汉字")
    told = json.loads(run(path, "--min-chars", 5, "--json").stdout)
    assert (told["verdict"], [finding["code"] for finding in told["findings"]]) == ("rejected", ["too_few_chars"])
    shown = run(path, "--slot-kind", "video").stdout
    assert "退回：文件不符合要求" in shown
    assert "✗ 这一项要交视频，交来的却是文档（txt）。" in shown


def test_limits_are_read_as_seconds_or_as_a_clock(films: dict[str, Path]) -> None:
    told = json.loads(run(films["nobody"], "--min-seconds", "0:11", "--json").stdout)
    assert told["findings"][-1]["text"] == "时长 0:10，短于要求的 0:11。请提交不短于 0:11 的视频。"


def test_misuse_says_which_and_why(tmp_path: Path, films: dict[str, Path]) -> None:
    gone = tmp_path / "gone.mp4"
    assert run(gone, status=2).stderr == f"找不到文件：{gone}\n"
    film = films["nobody"]
    assert run(film, "--reference", gone, status=2).stderr == f"找不到参照照片：{gone}\n"
    assert run(film, "--min-seconds", "soon", status=2).stderr == "“soon”不是秒数，请写 300 或 5:00\n"
    assert run(film, "--max-seconds", "-1", status=2).stderr == "“-1”不是秒数，请写 300 或 5:00\n"
    empty = media.lesson_photo(tmp_path / "room.jpg")
    why = "照片里没有找到人脸。请换一张正面、光线好、脸部清楚的照片。"
    assert run(film, "--reference", empty, status=2).stderr == f"参照照片 {empty} 不能用：{why}\n"
    folder = tmp_path / "missing" / "sheet.png"
    said = run(film, "--sheet", folder, status=2).stderr
    assert said == f"一览图写不进去：{folder}（没有这个文件或文件夹）\n"
