"""Certificates on paper: one A4 page each, with a number, places for the seals and a QR code, by Typst; or not at all."""

from __future__ import annotations

import io
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal, Protocol

import segno

from review_flow.errors import Refusal
from review_flow.i18n import _
from review_flow.outside.typesetting import typeset

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime


class NoPrinter(Refusal):
    """This installation prints no certificates."""

    status, text = 502, _("本系统没有启用证书打印；证书本身有效，可按编号核验。")


@dataclass(frozen=True, slots=True)
class Page:
    """What a certificate says. `hours`: of its ledger, as written; None where it counts none. `url`: where it is verified."""

    number: str
    title: str
    holder: str
    school: str
    round: str
    ledger: str | None
    hours: str | None
    issuers: tuple[str, ...]
    issued_on: str
    url: str | None


class CertificatePrinter(Protocol):
    """What puts certificates on paper."""

    def pdf(self, pages: Sequence[Page], *, made_at: datetime) -> bytes:
        """Return one PDF, a page for each certificate; the same pages at the same moment give the same bytes."""
        ...


@dataclass(frozen=True)
class NullPrinter:
    """Prints nothing and says so."""

    def pdf(self, pages: Sequence[Page], *, made_at: datetime) -> bytes:
        """Refuse."""
        del pages, made_at
        raise NoPrinter


@dataclass(frozen=True)
class TypstPrinter:
    """Prints by Typst with a Chinese font of this machine."""

    def pdf(self, pages: Sequence[Page], *, made_at: datetime) -> bytes:
        """Return the PDF. Raises MissingFont, MissingSign for a name that the font cannot write."""
        return printed(pages, made_at=made_at, to="pdf")


def printed(pages: Sequence[Page], *, made_at: datetime, to: Literal["pdf", "png"]) -> bytes:
    """Return the certificates as a PDF, or one certificate as a picture to look at."""
    return typeset(SOURCE, {"pages": [_with_code(page) for page in pages]}, made_at=made_at, to=to)


def _with_code(page: Page) -> dict[str, object]:
    return {**asdict(page), "qr": None if page.url is None else qr_svg(page.url)}


def qr_svg(url: str) -> str:
    """Return a QR code as SVG; a sixth of it may be soiled or folded (level M)."""
    buffer = io.BytesIO()
    segno.make(url, error="m", micro=False).save(buffer, kind="svg", border=2, xmldecl=False, light="#fff")
    return buffer.getvalue().decode()


SOURCE = r"""
#let data = json(bytes(sys.inputs.data))
#let ink = rgb("#22313f")
#let quiet = rgb("#6b7785")
#let gold = rgb("#a98a4b")
#set document(title: "证书", author: "review-flow")
#set text(font: sys.inputs.font, size: 15pt, fill: ink, lang: "zh", region: "cn")
#set par(justify: false, leading: 1.15em)
#set page(
  paper: "a4", flipped: true, margin: (x: 34mm, top: 27mm, bottom: 22mm),
  background: {
    place(center + horizon, rect(width: 100% - 20mm, height: 100% - 20mm, stroke: 1.6pt + gold))
    place(center + horizon, rect(width: 100% - 24mm, height: 100% - 24mm, stroke: 0.5pt + gold))
  },
)
#let fitted(size, floor, body) = layout(room => {
  let points = size
  while points > floor and measure(text(size: points, body)).width > room.width { points -= 1pt }
  text(size: points, body)
})
#let seal(name, radius) = align(center, {
  circle(radius: radius, stroke: (paint: gold.lighten(45%), thickness: 0.6pt, dash: "dashed"),
    align(center + horizon, text(size: 8.5pt, fill: quiet.lighten(35%))[盖章处]))
  v(-3mm)
  set par(leading: 0.6em)
  text(size: 11.5pt, name)
})
#let certificate(one) = {
  align(center, {
    text(size: 12pt, tracking: 0.35em, fill: gold)[教师信息技术应用能力]
    v(0mm)
    fitted(30pt, 16pt, text(tracking: 0.12em, one.title))
  })
  v(5mm)
  align(center, line(length: 46mm, stroke: 0.8pt + gold))
  v(9mm)
  set text(size: 17pt)
  block(width: 100%, {
    text(size: 24pt, one.holder)
    h(0.6em)
    [老师：]
  })
  v(3mm)
  block(width: 100%, {
    h(2em)
    [您在] + one.school + [“] + one.round + [”中经考核达到规定要求]
    if one.hours != none { [，计] + (if one.ledger != none { [“] + one.ledger + [”] }) + text(weight: "bold", one.hours) + [学时] }
    [，特发此证。]
  })
  place(bottom, block(width: 100%, grid(
    columns: (1fr, 46mm), align: (left + bottom, right + bottom), column-gutter: 8mm,
    {
      let many = one.issuers.len()
      grid(columns: (1fr,) * calc.min(many, 4), row-gutter: 5mm, column-gutter: 6mm, align: center + top,
        ..one.issuers.map(name => seal(name, if many > 3 { 11mm } else { 15mm })))
      v(2mm)
      text(size: 10.5pt, fill: quiet)[编号　] + text(size: 11.5pt, one.number)
      h(1fr)
      text(size: 12pt, one.issued_on)
    },
    align(center, if one.qr != none {
      image(bytes(one.qr), format: "svg", width: 34mm, alt: one.url)
      v(-4mm)
      text(size: 9pt, fill: quiet)[扫码核验真伪]
    } else {
      set par(leading: 0.7em)
      text(size: 9pt, fill: quiet)[向学校核验真伪：\ review-flow certificate\ verify 编号]
    }),
  )))
}
#for (place, one) in data.pages.enumerate() {
  if place > 0 { pagebreak() }
  certificate(one)
}
"""
