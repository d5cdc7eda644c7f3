from __future__ import annotations

import io
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np
import pypdf
import pytest
import typst

from review_flow.outside.certificates import NoPrinter, NullPrinter, Page, TypstPrinter, printed, qr_svg
from review_flow.outside.typesetting import MissingFont, MissingSign, NotTypeset, chinese_family, fonts, typeset

AT = datetime(2026, 5, 6, tzinfo=UTC)
NUMBER = "7K3D-9QXM-R2HV-8TWC"
PAGE = Page(
    number=NUMBER,
    title="网络研修与教学实践合格证明",
    holder="王芳",
    school="实验中学",
    round="2026春",
    ledger="校本研修",
    hours="30",
    issuers=("培训机构", "教师进修学校"),
    issued_on="2026年5月6日",
    url=f"https://review.school.cn/verify/{NUMBER}",
)


def texts(pdf: bytes) -> list[str]:
    """The words of each page, without the blanks that a reader puts between Chinese and figures."""
    return ["".join(page.extract_text().split()) for page in pypdf.PdfReader(io.BytesIO(pdf)).pages]


def test_a_certificate_says_what_it_certifies_and_can_be_read_out() -> None:
    made = TypstPrinter().pdf([PAGE, replace(PAGE, holder="李伟", url=None, hours=None)], made_at=AT)
    assert made.startswith(b"%PDF-1.7")
    first, second = texts(made)
    assert first == (
        "教师信息技术应用能力网络研修与教学实践合格证明王芳老师："
        "您在实验中学“2026春”中经考核达到规定要求，计“校本研修”30学时，特发此证。"
        f"盖章处培训机构盖章处教师进修学校编号{NUMBER}2026年5月6日扫码核验真伪"
    )
    assert "李伟老师：您在实验中学“2026春”中经考核达到规定要求，特发此证。" in second
    assert second.endswith("向学校核验真伪：review-flowcertificateverify编号")
    width, height = (float(one) for one in pypdf.PdfReader(io.BytesIO(made)).pages[0].mediabox[2:])
    assert (round(width), round(height)) == (842, 595)  # A4, landscape


def test_the_code_opens_the_verification_page() -> None:
    picture = cv2.imdecode(np.frombuffer(printed([PAGE], made_at=AT, to="png"), np.uint8), cv2.IMREAD_COLOR)
    found, _corners, _straight = cv2.QRCodeDetector().detectAndDecode(picture)
    assert found == PAGE.url
    without = printed([replace(PAGE, url=None)], made_at=AT, to="png")
    picture = cv2.imdecode(np.frombuffer(without, np.uint8), cv2.IMREAD_COLOR)
    assert cv2.QRCodeDetector().detectAndDecode(picture)[0] == ""
    assert qr_svg("https://a.cn").startswith("<svg")


def test_the_same_certificates_give_the_same_bytes() -> None:
    assert TypstPrinter().pdf([PAGE], made_at=AT) == TypstPrinter().pdf([PAGE], made_at=AT)


def test_a_name_is_never_read_as_markup() -> None:
    name = '#panic("x") *王* $1$ \\ "'
    assert "".join(name.split()) in texts(TypstPrinter().pdf([replace(PAGE, holder=name)], made_at=AT))[0]


@pytest.mark.parametrize("issuers", [1, 2, 3, 4, 8])
def test_a_certificate_is_one_page_however_much_it_has_to_say(issuers: int) -> None:
    long = replace(
        PAGE,
        title="全市中小学教师信息技术应用能力提升工程校本应用考核网络研修与教学实践优秀学员荣誉证书",
        school="某某市某某县第一高级中学附属实验初级中学校",
        round="某某县2026学年第二学期提升工程2.0校本应用考核（第一批）",
        issuers=tuple(f"某某省某某市教师发展中心{n}" for n in range(issuers)),
    )
    assert len(texts(TypstPrinter().pdf([long], made_at=AT))) == 1


def test_a_rare_sign_is_refused_by_name_not_printed_as_a_box() -> None:
    with pytest.raises(MissingSign) as no:
        TypstPrinter().pdf([replace(PAGE, holder="王\U0010fffd")], made_at=AT)
    assert no.value.names == {"font": chinese_family(), "sign": "\U0010fffd"}


def test_without_a_chinese_font_nothing_is_printed(tmp_path: Path) -> None:
    none = typst.Fonts(include_system_fonts=False)
    with pytest.raises(MissingFont) as no:
        chinese_family(none)
    assert "apt-get install fonts-noto-cjk" in str(no.value)
    with pytest.raises(MissingFont):
        typeset("中", {}, made_at=AT, found=none)


def test_a_font_that_a_source_names_and_is_not_there_is_refused() -> None:
    with pytest.raises(MissingFont):
        typeset('#text(font: "Nowhere Song", "abc")', {}, made_at=AT)
    with pytest.raises(NotTypeset) as no:
        typeset('#panic("why")', {}, made_at=AT)
    assert str(no.value) == "排版没有成功：panicked with: why"
    assert fonts() is fonts()


def test_nobody_is_told_that_something_was_printed_which_was_not() -> None:
    with pytest.raises(NoPrinter):
        NullPrinter().pdf([PAGE], made_at=AT)
