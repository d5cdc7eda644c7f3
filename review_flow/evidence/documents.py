"""Documents of unknown origin: their text and its length, counted as Word's 字数 counts."""

from __future__ import annotations

import io
import re
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from xml.etree.ElementTree import Element, ParseError

from review_flow.i18n import _, say
from review_flow.rules.verdict import Finding, Level

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

MAX_UNPACKED = 400_000_000  # bytes an Office file may unpack to
MAX_ENTRIES = 20_000  # files within an Office file; a document of 500 pictures has some 600
MAX_TEXT = 20_000_000  # bytes of a plain text file read for counting
MAX_XML = 40_000_000  # bytes of an Office file's text parts together; as a tree they take up to 20 times as much
# Office never writes these; entity bombs and references to other files need them.
DECLARATIONS = tuple(
    mark.encode(code) for mark in ("<!DOCTYPE", "<!ENTITY") for code in ("utf-8", "utf-16-le", "utf-16-be")
)
WORD_XML = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
DRAWING_XML = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
FALLBACK = "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"
# One for each Chinese character or full-width mark, one for each run of anything else: 「技术2.0支持」 is 5.
WORDS = re.compile(
    r"[\u2e80-\u303f\u3040-\u9fff\uac00-\ud7af\uf900-\ufaff\ufe30-\ufe4f\uff00-\uffef\u2014\u2018-\u201d\u2026"
    r"\U00020000-\U0003ffff]|[^\s\u2e80-\u303f\u3040-\u9fff\uac00-\ud7af\uf900-\ufaff\ufe30-\ufe4f\uff00-\uffef"
    r"\u2014\u2018-\u201d\u2026\U00020000-\U0003ffff]+"
)


class DocumentRefused(Exception):  # noqa: N818 - it is an answer, not a fault
    """The file can't be read as the document it seems to be; `finding` says why and what to do."""

    def __init__(self, code: str, sentence: str, *, level: Level = Level.REJECT, **names: object) -> None:
        super().__init__(code)
        self.finding = Finding(code, level, say(sentence, **names))


@dataclass(frozen=True, slots=True)
class Text:
    """A document's text and, where the format has them, its pages or slides, with a form feed between them."""

    text: str
    pages: int | None = None

    @property
    def chars(self) -> int:
        """The length as `count_chars` gives it."""
        return count_chars(self.text)


def count_chars(text: str) -> int:
    """Return Word's 字数: every Chinese character or mark is one, and so is every run of other signs."""
    return sum(1 for _word in WORDS.finditer(text))


def office_format(path: Path) -> str | None:
    """Return docx, pptx, xlsx or None for a ZIP file; DocumentRefused for a bomb or a broken one."""
    try:
        with path.open("rb") as file, zipfile.ZipFile(file) as archive:
            entries = archive.infolist()
    except Exception as broken:  # zipfile raises more than it says: NotImplementedError, struct.error …
        raise _broken() from broken
    if len(entries) > MAX_ENTRIES or sum(entry.file_size for entry in entries) > MAX_UNPACKED:
        raise _too_large()
    names = {entry.filename for entry in entries}
    marks = {"word/document.xml": "docx", "ppt/presentation.xml": "pptx", "xl/workbook.xml": "xlsx"}
    return next((name for mark, name in marks.items() if mark in names), None)


def _too_large() -> DocumentRefused:
    text = _("文件展开后太大，无法安全打开。请删去多余的内容或压缩其中的图片后再传。")
    return DocumentRefused("document_too_large", text)


def _broken() -> DocumentRefused:
    return DocumentRefused("broken_document", _("文档已损坏，打不开。请用办公软件重新保存一份再传。"))


def read(path: Path, name: str) -> Text:
    """Return the text of a docx, pptx, xlsx, pdf or txt file; DocumentRefused when it can't be read."""
    readers = {"docx": _docx, "pptx": _pptx, "xlsx": _xlsx, "pdf": _pdf, "txt": _txt}
    try:
        return readers[name](path)
    except DocumentRefused:
        raise
    except RecursionError as deep:
        text = _("文档的结构嵌套得太深，无法安全打开。请用办公软件另存为新文件，或导出为 PDF 后再传。")
        raise DocumentRefused("document_too_deep", text) from deep
    except (MemoryError, ImportError):  # ours, not the file's: a locked child can load nothing any more
        raise
    except Exception as broken:  # the readers raise whatever a hostile file makes them trip over
        raise _broken() from broken


def _parts(path: Path, pattern: str) -> list[Element]:
    """Parse the XML parts of an Office file whose names match, in order of the number in the name."""
    from xml.etree.ElementTree import XMLParser

    roots = []
    with path.open("rb") as file, zipfile.ZipFile(file) as archive:
        entries = [entry for entry in archive.infolist() if re.fullmatch(pattern, entry.filename)]
        if sum(entry.file_size for entry in entries) > MAX_XML:  # no more is ever unpacked than is declared
            raise _too_large()
        for entry in sorted(entries, key=lambda entry: (len(entry.filename), entry.filename)):
            data = archive.read(entry)
            if any(mark in data for mark in DECLARATIONS):
                raise ParseError(entry.filename)
            parser = XMLParser()  # noqa: S314 - entities are refused above, and this is a limited child
            parser.feed(data)
            roots.append(parser.close())
    if not roots:
        raise ParseError(pattern)
    return roots


def _runs(node: Element, namespace: str) -> Iterator[str]:
    """Yield text in reading order; a text box is stored twice, the older copy (Fallback) is left out."""
    if node.tag == FALLBACK:
        return
    if node.tag == f"{namespace}t":
        yield node.text or ""
    elif node.tag in {f"{namespace}tab", f"{namespace}br"}:
        yield " "
    for child in node:
        yield from _runs(child, namespace)
    if node.tag == f"{namespace}p":
        yield "\n"


def _docx(path: Path) -> Text:
    return Text("".join(_runs(_parts(path, r"word/document\.xml")[0], WORD_XML)))


def _pptx(path: Path) -> Text:
    _parts(path, r"ppt/presentation\.xml")
    try:
        slides = _parts(path, r"ppt/slides/slide\d+\.xml")
    except ParseError:
        slides = []
    return Text("".join("".join(_runs(slide, DRAWING_XML)) + "\f" for slide in slides), pages=len(slides))


def _xlsx(path: Path) -> Text:
    """Read a workbook's cells as they are stored; a shared text counts in every cell that shows it."""
    try:
        shared = ["".join(_named(item, "t")) for root in _parts(path, r"xl/sharedStrings\.xml") for item in root]
    except ParseError:  # there are none, or they are broken and the cells fail below
        shared = []
    sheets = _parts(path, r"xl/worksheets/sheet\d+\.xml")
    pages = (" ".join(_cell(cell, shared) for cell in sheet.iter() if _local(cell) == "c") for sheet in sheets)
    return Text("\f".join(pages), pages=len(sheets))


def _local(node: Element) -> str:
    """Return a tag's name without its namespace: there are two sets of them for Office files."""
    return str(node.tag).rpartition("}")[2]


def _named(node: Element, name: str) -> Iterator[str]:
    return (found.text or "" for found in node.iter() if _local(found) == name)


def _cell(cell: Element, shared: list[str]) -> str:
    if cell.get("t") == "inlineStr":
        return "".join(_named(cell, "t"))
    value = "".join(_named(cell, "v"))
    return shared[int(value)] if cell.get("t") == "s" else value


def _pdf(path: Path) -> Text:
    import logging

    from pypdf import PdfReader

    logging.getLogger("pypdf").setLevel(logging.CRITICAL)  # its warnings are about the file, not for our log
    reader = PdfReader(io.BytesIO(path.read_bytes()))
    if reader.is_encrypted and not reader.decrypt(""):
        text = _("PDF 设有打开密码，无法检查。请去掉密码后再传。")
        raise DocumentRefused("locked_document", text)
    pages = [page.extract_text().replace("\f", "\n") for page in reader.pages]
    if not pages:
        raise _broken()
    return Text("\f".join(pages), pages=len(pages))


PROPERTIES = {
    "creator": "author",
    "lastModifiedBy": "last_editor",
    "created": "created",
    "modified": "modified",
    "Application": "application",
    "Template": "template",
    "Company": "company",
}
PDF_PROPERTIES = {
    "/Author": "author",
    "/CreationDate": "created",
    "/ModDate": "modified",
    "/Creator": "application",
    "/Producer": "producer",
}
LONGEST_PROPERTY = 200


def properties(path: Path, name: str) -> dict[str, str]:
    """Return what a document says of its own making: author, last editor, times, application, template.

    Facts for people: anybody can change them, and a shared computer writes somebody else's name.
    """
    try:
        found = _pdf_properties(path) if name == "pdf" else _office_properties(path)
    except (MemoryError, RecursionError):
        raise
    except Exception:  # noqa: BLE001 - a document without readable properties is no worse for it
        return {}
    return {key: value.strip()[:LONGEST_PROPERTY] for key, value in found.items() if value.strip()}


def _office_properties(path: Path) -> dict[str, str]:
    nodes = [node for root in _parts(path, r"docProps/(core|app)\.xml") for node in root]
    named = [(PROPERTIES.get(node.tag.rpartition("}")[2]), node.text or "") for node in nodes]
    return {key: text for key, text in named if key is not None}


def _pdf_properties(path: Path) -> dict[str, str]:
    from pypdf import PdfReader

    written: Mapping[str, Any] = PdfReader(io.BytesIO(path.read_bytes())).metadata or {}
    return {key: str(written[mark]) for mark, key in PDF_PROPERTIES.items() if mark in written}


def decode(data: bytes) -> str | None:
    """Return a plain text file's text (UTF-8, UTF-16 with mark, GB 18030), or None when it is none."""
    marked = data.startswith((b"\xff\xfe", b"\xfe\xff"))
    for encoding in ("utf-16",) if marked else ("utf-8-sig", "gb18030"):
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        odd = sum(1 for sign in text if (sign < " " and sign not in "\t\r\n\f") or sign == "\x7f")
        private = sum(1 for sign in text if "\ue000" <= sign <= "\uf8ff" or sign == "\ufffd")
        if text and odd + private <= len(text) // 200:
            return text
    return None


def _txt(path: Path) -> Text:
    with path.open("rb") as file:
        text = decode(file.read(MAX_TEXT))
    if text is None:
        raise _broken()
    return Text(text)
