"""A printed plan as docx, by python-docx: A4, page numbers, table heads repeated on every page."""

import io
from collections.abc import Sequence
from typing import Any

from review_flow.schemes.plan import Block, Plan, Table

WIDTH_CM = 16.0  # A4 without its margins
FONT = "宋体"  # what a Chinese office computer has; a reader without it takes its own


def docx(plan: Plan) -> bytes:
    """Return the bytes of the docx."""
    paper = Paper(footer=plan.footer)
    paper.heading(plan.title, 0)
    paper.centred(plan.subtitle)
    for chapter in plan.chapters:
        paper.heading(f"{chapter.name}　{chapter.title}", 1)
        for article in chapter.articles:
            paper.heading(f"{article.name}　{article.title}", 2)
            for block in article.blocks:
                paper.block(block)
            if article.sources:
                paper.note(f"依据：{'、'.join(article.sources)}")
    paper.signatures(plan.signatures)
    for title, blocks in plan.appendices:
        paper.page_break()
        paper.heading(title, 1)
        for block in blocks:
            paper.block(block)
    return paper.saved()


class Paper:
    """A docx while it is written."""

    def __init__(self, *, footer: str = "") -> None:
        from docx import Document
        from docx.shared import Cm

        self.document: Any = Document()
        section = self.document.sections[0]
        section.page_width, section.page_height = Cm(21), Cm(29.7)
        section.left_margin = section.right_margin = Cm(2.5)
        section.top_margin = section.bottom_margin = Cm(2.5)
        self._fonts()
        self._page_number(section.footer.paragraphs[0], footer)

    def heading(self, text: str, level: int) -> None:
        """Write a heading; level 0 is the title."""
        from docx.enum.text import WD_ALIGN_PARAGRAPH

        written = self.document.add_heading(text, level)
        if level <= 1:
            written.alignment = WD_ALIGN_PARAGRAPH.CENTER

    def centred(self, text: str) -> None:
        """Write a line in the middle."""
        from docx.enum.text import WD_ALIGN_PARAGRAPH

        self.document.add_paragraph(text).alignment = WD_ALIGN_PARAGRAPH.CENTER

    def paragraph(self, text: str) -> None:
        """Write a paragraph, its first line two signs in."""
        from docx.shared import Pt

        self.document.add_paragraph(text).paragraph_format.first_line_indent = Pt(22)

    def line(self, text: str) -> None:
        """Write a line that begins at the margin."""
        self.document.add_paragraph(text)

    def note(self, text: str) -> None:
        """Write a small grey line."""
        from docx.shared import Pt, RGBColor

        run = self.document.add_paragraph().add_run(text)
        run.font.size, run.font.color.rgb = Pt(8), RGBColor(0x66, 0x66, 0x66)

    def block(self, block: Block) -> None:
        """Write a paragraph, lines or a table."""
        if isinstance(block, str):
            self.paragraph(block)
        elif isinstance(block, Table):
            if block.caption:
                self.centred(block.caption)
            self.table(block.head, block.rows, block.widths)
        else:
            for place, line in enumerate(block.lines, 1):
                self.paragraph(f"（{place}）{line}")

    def table(self, head: Sequence[str], rows: Sequence[Sequence[str]], widths: Sequence[int]) -> None:
        """Write a table as wide as the text; its head comes again on every page, no row is torn apart."""
        from docx.oxml import OxmlElement
        from docx.shared import Cm, Pt

        table = self.document.add_table(rows=0, cols=len(head), style="Table Grid")
        table.autofit = False
        for number, line in enumerate((head, *rows)):
            row = table.add_row()
            properties = row._tr.get_or_add_trPr()  # noqa: SLF001 - python-docx has no word of its own for these
            properties.append(OxmlElement("w:cantSplit"))
            if number == 0:
                properties.append(OxmlElement("w:tblHeader"))
            for cell, text, share in zip(row.cells, line, widths, strict=True):
                cell.width = Cm(WIDTH_CM * share / sum(widths))
                run = cell.paragraphs[0].add_run(text)
                run.font.size, run.bold = Pt(9.5), number == 0
        self.document.add_paragraph().paragraph_format.space_after = Pt(0)

    def signatures(self, places: Sequence[str]) -> None:
        """Write the places for signatures and seal, kept on one page."""
        from docx.shared import Pt

        for place in places:
            written = self.document.add_paragraph(f"{place}：＿＿＿＿＿＿＿＿＿＿＿＿")
            written.paragraph_format.keep_with_next = place != places[-1]
            written.paragraph_format.space_before = Pt(18)
            written.paragraph_format.left_indent = Pt(200)

    def page_break(self) -> None:
        """Begin a new page."""
        self.document.add_page_break()

    def saved(self) -> bytes:
        """Return the file."""
        kept = io.BytesIO()
        self.document.save(kept)
        return kept.getvalue()

    def _fonts(self) -> None:
        from docx.oxml.ns import qn
        from docx.shared import Pt, RGBColor

        sizes = {"Normal": 11, "Title": 18, "Heading 1": 14, "Heading 2": 11}
        for name, size in sizes.items():
            style = self.document.styles[name]
            style.font.name, style.font.size, style.font.color.rgb = "Times New Roman", Pt(size), RGBColor(0, 0, 0)
            fonts = style.element.get_or_add_rPr().get_or_add_rFonts()
            for kind in ("w:asciiTheme", "w:hAnsiTheme", "w:eastAsiaTheme", "w:cstheme"):
                fonts.attrib.pop(qn(kind), None)
            fonts.set(qn("w:eastAsia"), FONT)

    def _page_number(self, paragraph: Any, text: str) -> None:
        from docx.enum.text import WD_ALIGN_PARAGRAPH
        from docx.oxml import OxmlElement
        from docx.oxml.ns import qn

        paragraph.alignment = WD_ALIGN_PARAGRAPH.CENTER
        paragraph.add_run(f"{text}　第" if text else "第")
        field = OxmlElement("w:fldSimple")
        field.set(qn("w:instr"), "PAGE")
        paragraph._p.append(field)  # noqa: SLF001 - python-docx has no word of its own for a field
        paragraph.add_run("页")
