"""What a file is, by its content and never by its name; what is wrong with it, and what its owner can do."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from review_flow.evidence import documents, lengths, pictures, video
from review_flow.i18n import _, say
from review_flow.rules.verdict import KIND_WORDS, Facts, Finding, Kind, Level, clock

HEAD_BYTES = 4096
OLD_OFFICE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
VIDEO_NAMES = frozenset(
    [
        "mp4",
        "m4v",
        "mov",
        "avi",
        "mkv",
        "webm",
        "wmv",
        "asf",
        "flv",
        "3gp",
        "3g2",
        "ts",
        "mts",
        "m2ts",
        "mpg",
        "mpeg",
        "rm",
        "rmvb",
        "vob",
    ]
)
PHOTO_NAMES = frozenset(["jpg", "jpeg", "png", "webp", "gif", "bmp", "tif", "tiff", "avif", "heic", "heif"])
OFFICE = frozenset(["doc", "rtf", "docx", "pptx", "xlsx"])
OPENED_AS = {
    **{ending: frozenset([ending]) for ending in ("docx", "pptx", "xlsx", "pdf")},
    **dict.fromkeys(("doc", "wps", "ppt", "dps", "xls", "et", "rtf"), OFFICE),
    **dict.fromkeys(("txt", "md", "csv"), frozenset(["txt"])),
}
"""Which contents the programs open that a document's name calls: the old ones take all of their family."""
DOCUMENT_NAMES = frozenset(OPENED_AS)
AUDIO_NAMES = frozenset(["mp3", "m4a", "aac", "wav", "amr", "ogg", "flac", "wma"])
NAMES_OF = {
    Kind.VIDEO: VIDEO_NAMES,
    Kind.PHOTO: PHOTO_NAMES,
    Kind.DOCUMENT: DOCUMENT_NAMES,
    Kind.AUDIO: AUDIO_NAMES,
}
FILM_HEADS = (b"\x1aE\xdf\xa3", lengths.ASF, b"FLV\x01", b".RMF", b"\x00\x00\x01\xba")
COMPLETE_WITHIN = Decimal(1)  # seconds of film a container may promise too much before it counts as cut off
MAX_SIDE = 8192  # H.264's own largest side; more is a mistake or a bomb


@dataclass(frozen=True, slots=True)
class Media:
    """What is known of a file; fields that don't apply are None. Width and height are as shown, upright."""

    kind: Kind
    format: str
    size: int
    sha256: str
    codec: str | None = None
    seconds: Decimal | None = None
    readable_s: Decimal | None = None
    width: int | None = None
    height: int | None = None
    fps: Decimal | None = None
    rotation: int | None = None
    audio: bool | None = None
    chars: int | None = None
    pages: int | None = None
    properties: dict[str, str] | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the known facts; decimals as exact strings, `duration_s` for the container's length."""
        names = [name for name in self.__slots__ if getattr(self, name) is not None]
        values = {name: getattr(self, name) for name in names}
        plain = {name: format(v, "f") if isinstance(v, Decimal) else v for name, v in values.items()}
        return {("duration_s" if name == "seconds" else name): value for name, value in plain.items()}

    @property
    def facts(self) -> Facts:
        """What a slot's limits are about."""
        return Facts(self.kind, self.format, self.seconds, self.chars)


@dataclass(frozen=True, slots=True)
class Probe:
    """A file's facts and what is wrong with it; `survey` for a film that can be decoded."""

    media: Media
    findings: tuple[Finding, ...]
    survey: video.Survey | None = None


def sha256_of(path: Path) -> str:
    """Return the file's SHA-256 in hex, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def probe(path: Path, *, name: str | None = None, sha256: str | None = None) -> Probe:
    """Look at a file without trust; `name` is what its owner called it (default: the path's own name).

    `sha256` is its hash where that is known: it takes longer than finding somebody in a large film.

    Never raises for a bad file: that is a finding. Meant to run inside the sandbox.
    """
    facts: dict[str, Any] = {"size": path.stat().st_size, "sha256": sha256 or sha256_of(path)}
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    seen = _look(path, head, facts)
    mismatch = _name_mismatch(seen.media.kind, seen.media.format, Path(name or path.name).suffix)
    return Probe(seen.media, (*seen.findings, mismatch), seen.survey) if mismatch else seen


def _reject(code: str, sentence: str, **names: object) -> Finding:
    return Finding(code, Level.REJECT, say(sentence, **names))


def _ask(code: str, sentence: str, **names: object) -> Finding:
    return Finding(code, Level.HUMAN, say(sentence, **names))


def _look(path: Path, head: bytes, facts: dict[str, Any]) -> Probe:  # noqa: PLR0911 - a list of cases, the first that holds
    if not head:
        text = _("文件是空的（0 字节），可能上传时中断了。请在本机确认能打开后重新上传。")
        return _unknown(facts, _reject("empty", text))
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if start.startswith((b"#extm3u", b"ffconcat", b"[playlist]")):
        text = _("这只是一个播放列表，不含视频本身。请把视频导出为 MP4 文件再传。")
        return _unknown(facts, _reject("playlist", text))
    if start.startswith((b"<!doctype", b"<html", b"<script", b"<svg", b"<?xml")):
        text = _("这是网页文件，不是证据材料。请把内容导出为视频、照片或 PDF/Word 文档再传。")
        return _unknown(facts, _reject("web_page", text))
    if start.startswith(b"#!") or head.startswith((b"MZ", b"\x7fELF")):
        return _unknown(facts, _reject("program", _("这是程序文件，不能作为证据。请提交视频、照片或文档。")))
    document = _document_format(path, head)
    if isinstance(document, Finding):
        return _unknown(facts, document)
    if document:
        return _document(path, document, facts)
    if _is_picture(head):
        return _picture(path, head, facts)
    film = _film(path, head, facts)
    if film:
        return film
    return _text_or_unknown(path, head, facts)


def _unknown(facts: dict[str, Any], finding: Finding) -> Probe:
    return Probe(Media(Kind.UNKNOWN, "unknown", **facts), (finding,))


def _document_format(path: Path, head: bytes) -> str | Finding | None:
    if head.startswith(b"%PDF-"):
        return "pdf"
    if head.startswith(b"{\\rtf"):
        return "rtf"
    if head.startswith(OLD_OFFICE):
        return "doc"
    if not head.startswith(b"PK\x03\x04"):
        return None
    try:
        office = documents.office_format(path)
    except documents.DocumentRefused as refused:
        return refused.finding
    text = _("这是压缩包。请解压后把里面的文件逐个上传。")
    return office or _reject("archive", text)


def _document(path: Path, name: str, facts: dict[str, Any]) -> Probe:
    if name in {"doc", "rtf"}:
        text = _(
            "这是旧格式的办公文档（.doc/.ppt/.xls/.wps/.rtf），系统数不了字数，将由人工查看。另存为 .docx 或 PDF 可自动检查。"
        )
        return Probe(Media(Kind.DOCUMENT, name, **facts), (_ask("old_document", text),))
    try:
        content = documents.read(path, name)
    except documents.DocumentRefused as refused:
        return Probe(Media(Kind.DOCUMENT, name, **facts), (refused.finding,))
    written = documents.properties(path, name) or None
    media = Media(Kind.DOCUMENT, name, **facts, chars=content.chars or None, pages=content.pages, properties=written)
    if not content.chars:
        text = _("文档里没有可读的文字（可能是扫描件或只有图片），将由人工查看。")
        return Probe(media, (_ask("no_text", text),))
    return Probe(media, ())


def _is_picture(head: bytes) -> bool:
    signs = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF87a", b"GIF89a", b"BM", b"II*\0", b"MM\0*")
    return (
        head.startswith((*signs[:4], *signs[5:]))
        or (head.startswith(signs[4]) and head[6:10] == b"\x00\x00\x00\x00")
        or (head.startswith(b"RIFF") and head[8:12] == b"WEBP")
        or (head[4:8] == b"ftyp" and head[8:12] in {b"avif", b"avis"})
        or pictures.is_heif(head)
    )


def _picture(path: Path, head: bytes, facts: dict[str, Any]) -> Probe:
    """Decode once, small: a truncated photo shows itself only then."""
    try:
        found = pictures.read_picture(path, longest=64).facts
    except pictures.PictureRefused as refused:
        return Probe(Media(Kind.PHOTO, "unknown", **facts), (refused.finding,))
    media = Media(Kind.PHOTO, found.format, **facts, width=found.width, height=found.height)
    findings = []
    if head.startswith(b"\xff\xd8") and pictures.trailing(path) == "zip":
        text = _("照片后面还藏着一个压缩包，请人工确认来源；如非有意，请重新导出照片再传。")
        findings.append(_ask("hidden_archive", text))
    if found.moving and found.format != "jpg":
        findings.append(Finding("animated", Level.INFO, say(_("这是动图，只检查了第一帧。"))))
    return Probe(media, tuple(findings))


def _film(path: Path, head: bytes, facts: dict[str, Any]) -> Probe | None:
    """Return what FFmpeg makes of the file, or None when it makes nothing of it."""
    import av

    try:
        found = video.survey(path)
        promise = lengths.promised(head, facts["size"])
    except (av.FFmpegError, OSError, ValueError):
        return None
    if found.undecodable:
        text = _("视频的编码方式无法识别，放不出画面。请导出为普通 MP4（H.264）再传。")
        media = Media(Kind.VIDEO, found.format, **facts, seconds=found.seconds, audio=found.audio)
        return Probe(media, (_reject("unknown_codec", text),))
    if found.codec is None and not found.audio:
        return None
    if found.codec is None:
        text = _("文件里只有声音，没有画面。请提交带画面的视频。")
        media = Media(Kind.AUDIO, found.format, **facts, seconds=found.seconds, audio=True)
        return Probe(media, (Finding("no_pictures", Level.HUMAN, say(text)),))
    if promise is not None:
        found = replace(found, seconds=max(promise, found.seconds or promise))
    return _survey_of(path, found, facts)


def _survey_of(path: Path, found: video.Survey, facts: dict[str, Any]) -> Probe:
    size, turn, decodes = (found.width, found.height), 0, False
    if max(size) <= MAX_SIDE:
        first = _first_picture(path, found)
        decodes = first is not None
        turn = first.source.rotation if first else 0
    if turn % 180:
        size = (size[1], size[0])
    media = Media(
        Kind.VIDEO,
        found.format,
        **facts,
        codec=found.codec,
        seconds=found.seconds,
        readable_s=found.readable,
        width=size[0],
        height=size[1],
        fps=found.fps,
        rotation=turn % 360,
        audio=found.audio,
    )
    findings = list(_film_faults(found, decodes=decodes))
    playable = not any(finding.level is Level.REJECT for finding in findings)
    return Probe(media, tuple(findings), found if playable else None)


def _first_picture(path: Path, found: video.Survey) -> video.Frame | None:
    with video.Reader(path, found, video.Tally()) as reader:
        tries = (reader.keyframe(index) for index in video.bit_reversed(len(found.stamps)))
        return next((frame for frame in tries if frame), None)


def _film_faults(found: video.Survey, *, decodes: bool) -> list[Finding]:
    if max(found.width, found.height) > MAX_SIDE:
        text = _("视频画面太大（{width}×{height}），无法检查。请导出为 1080p（1920×1080）再传。")
        return [_reject("picture_too_large", text, width=found.width, height=found.height)]
    promised = found.seconds or Decimal(0)
    if promised - found.readable > max(COMPLETE_WITHIN, promised / 20):
        text = _("视频不完整：全长 {all}，只有前 {some} 秒能读。请重新导出后再传。")
        if found.readable < 1:
            text = _("视频不完整：全长 {all}，几乎读不出画面。请重新导出后再传。")
        return [_reject("incomplete", text, all=clock(promised), some=int(found.readable))]
    if not decodes:
        text = _("视频里没有一幅能显示的画面，可能已损坏。请在本机播放确认后重新导出再传。")
        return [_reject("no_readable_frame", text)]
    if not found.audio:
        return [Finding("no_sound", Level.INFO, say(_("视频没有声音。")))]
    return []


def _text_or_unknown(path: Path, head: bytes, facts: dict[str, Any]) -> Probe:
    if b"moov" not in head and head[4:8] in {b"ftyp", b"wide", b"mdat"}:
        text = _("视频不完整：文件结尾缺失（没有索引），无法播放。请重新导出或重新上传完整的文件。")
        return _unknown(facts, _reject("incomplete", text))
    if head.startswith(FILM_HEADS) or head[4:8] in {b"ftyp", b"moov"} or (head[:4], head[8:12]) == (b"RIFF", b"AVI "):
        text = _("视频不完整或已损坏：只有开头能认出来，放不出画面。请重新导出或重新上传完整的文件。")
        return _unknown(facts, _reject("incomplete", text))
    try:
        content = documents.read(path, "txt")
    except documents.DocumentRefused:
        text = _("无法识别这个文件：它不是能打开的视频、照片或文档，可能已损坏。请在本机确认能打开后再传。")
        return _unknown(facts, _reject("unrecognised", text))
    return Probe(Media(Kind.DOCUMENT, "txt", **facts, chars=content.chars), ())


def _name_mismatch(kind: Kind, found: str, suffix: str) -> Finding | None:
    """Say when a name promises another kind of file, or a document that no program opens by it.

    A name that promises nothing is no lie.
    """
    ending = suffix.lower().lstrip(".")
    promised = next((kind for kind, endings in NAMES_OF.items() if ending in endings), None)
    if kind is promised is Kind.DOCUMENT and found not in OPENED_AS[ending]:
        text = _(
            "文件名以 .{ending} 结尾，内容却是 {format} 格式，评审的人会打不开。请在编辑软件里另存为真正的 .{ending}（不要加密，也不要只改扩展名），或把扩展名改对后再传。"
        )
        return _reject("name_mismatch", text, ending=ending, format=found)
    if promised is None or kind in {promised, Kind.UNKNOWN} or (kind, promised) == (Kind.AUDIO, Kind.VIDEO):
        return None
    text = _("文件名以 .{ending} 结尾，内容却是{got}（{format}）。请提交真正的{wanted}，或把扩展名改对后再传。")
    names = {"got": say(KIND_WORDS[kind]), "wanted": say(KIND_WORDS[promised])}
    return _reject("name_mismatch", text, ending=ending, format=found, **names)
