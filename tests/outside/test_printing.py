import io
import json
from dataclasses import replace

import pytest
import typst
from docx import Document
from docx.shared import Cm
from pypdf import PdfReader
from typer.testing import CliRunner

from review_flow import schemes
from review_flow.cli.scheme import app
from review_flow.outside.print_docx import docx
from review_flow.outside.print_markdown import markdown
from review_flow.outside.print_pdf import TEMPLATE, UNDATED, data_of, pdf
from review_flow.outside.typesetting import MissingFont, MissingSign, NotTypeset, typeset
from review_flow.schemes.plan import Table, plan_of

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
XIAN = "xian-2022-appraisal"
A4 = (595, 842)


@pytest.fixture(scope="module")
def plan():
    return plan_of(schemes.load(XIAN))


def tables(plan):
    blocks = [block for article in plan.articles for block in article.blocks]
    blocks += [block for _title, more in plan.appendices for block in more]
    return [block for block in blocks if isinstance(block, Table)]


def test_markdown_has_every_article_and_cell(plan):
    text = markdown(plan)
    assert text.startswith(f"# {plan.title}\n")
    for article in plan.articles:
        assert f"**{article.name}　{article.title}**" in text
    for table in tables(plan):
        for row in table.rows:
            assert f"| {' | '.join(row)} |" in text
    assert "单位（盖章）：" in text


def test_docx_has_the_same_articles_and_tables(plan):
    read = Document(io.BytesIO(docx(plan)))
    headings = [one.text for one in read.paragraphs if one.style.name == "Heading 2"]
    assert headings == [f"{one.name}　{one.title}" for one in plan.articles]
    assert [[[cell.text for cell in row.cells] for row in table.rows] for table in read.tables] == [
        [list(table.head), *map(list, table.rows)] for table in tables(plan)
    ]
    assert [one.text.partition("：")[0] for one in read.paragraphs if "＿" in one.text] == list(plan.signatures)


def test_docx_is_a4_with_page_numbers_and_tables_no_wider_than_the_text(plan):
    read = Document(io.BytesIO(docx(plan)))
    section = read.sections[0]
    assert (section.page_width.mm, section.page_height.mm) == pytest.approx((210, 297), abs=0.1)
    assert 'w:instr="PAGE"' in section.footer.paragraphs[0]._p.xml
    room = section.page_width - section.left_margin - section.right_margin
    for table in read.tables:
        assert sum(cell.width for cell in table.rows[0].cells) <= room + Cm(0.1)
        assert "w:tblHeader" in table.rows[0]._tr.xml


def test_pdf_is_a4_with_every_article(plan):
    pages = PdfReader(io.BytesIO(pdf(plan))).pages
    assert {tuple(round(side) for side in page.mediabox[2:]) for page in pages} == {A4}
    text = "".join(page.extract_text() for page in pages)
    for article in plan.articles:
        assert f"{article.name}　{article.title}" in text
    assert f"共{len(pages)}页" in text.replace(" ", "")


def test_without_a_chinese_font_no_pdf_is_made(plan):
    bare = typst.Fonts(include_system_fonts=False, include_embedded_fonts=True)
    with pytest.raises(MissingFont):
        typeset(TEMPLATE.read_text(encoding="utf-8"), data_of(plan), made_at=UNDATED, found=bare)


def test_a_sign_no_font_has_is_told_instead_of_printed_as_a_box(plan):
    with pytest.raises(MissingSign) as refused:
        pdf(replace(plan, title="\U0010fffd考核"))
    assert "\U0010fffd" in str(refused.value)


def test_the_same_plan_gives_the_same_bytes(plan):
    assert pdf(plan) == pdf(plan)


def test_what_typst_warns_of_is_refused():
    with pytest.raises(NotTypeset) as refused:
        typeset("#set page(height: auto)\n#let x = 1\n*bold**", {}, made_at=UNDATED)
    assert str(refused.value).startswith("排版没有成功：")


@pytest.mark.parametrize("name", [one.id for one in schemes.available()])
def test_every_scheme_is_typeset(name):
    assert pdf(plan_of(schemes.load(name))).startswith(b"%PDF")


def test_the_command_writes_the_file(tmp_path):
    for kind, start in (("md", b"# "), ("pdf", b"%PDF"), ("docx", b"PK")):
        out = tmp_path / f"plan.{kind}"
        done = CliRunner().invoke(app, ["print", XIAN, "--to", kind, "--out", str(out)])
        assert (done.exit_code, done.output) == (0, f"已写入 {out}\n")
        assert out.read_bytes().startswith(start)
    refused = CliRunner().invoke(app, ["print", XIAN, "--out", str(tmp_path / "no" / "plan.docx")])
    assert refused.exit_code == 2


def test_text_of_a_scheme_is_never_read_as_typst(plan):
    sly = replace(plan, title='#panic("x") *a* $b$ \\ "c"')
    assert '#panic("x") *a* $b$' in PdfReader(io.BytesIO(pdf(sly))).pages[0].extract_text()
    assert json.dumps(sly.title)
