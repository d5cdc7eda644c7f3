"""A filled form of a scheme's template as docx, in the prescribed order: same headings, same tables, nothing between."""

from collections.abc import Mapping
from typing import Any

from review_flow.outside.print_docx import Paper
from review_flow.rules.template import Template, TemplateField, TemplateSection, TemplateTable
from review_flow.schemes.plan import chinese_number

NONE = "无"


def form_docx(template: Template, data: Mapping[str, Any]) -> bytes:
    """Return the bytes of the docx of a form that `check_form` has nothing against."""
    paper = Paper()
    paper.heading(template.title_zh, 0)
    for number, section in enumerate(template.sections, 1):
        paper.heading(f"{chinese_number(number)}、{section.name_zh}", 1)
        _section(paper, section, data[section.id])
    return paper.saved()


def _section(paper: Paper, section: TemplateSection, data: Mapping[str, Any]) -> None:
    for field in section.fields:
        _field(paper, section, field, data.get(field.id))
    for table in section.tables:
        _table(paper, section, table, data[table.id])
    for field in section.after_fields:
        _field(paper, section, field, data.get(field.id))


def _field(paper: Paper, section: TemplateSection, field: TemplateField, value: object) -> None:
    text = "、".join(map(str, value)) if isinstance(value, list) else str(value or NONE).strip()
    if not field.long:
        paper.line(f"{field.name_zh}：{text}")
        return
    if field.name_zh != section.name_zh:
        paper.heading(field.name_zh, 2)
    for part in text.splitlines():
        paper.paragraph(part)


def _table(paper: Paper, section: TemplateSection, table: TemplateTable, value: Any) -> None:
    if table.name_zh != section.name_zh:
        paper.heading(table.name_zh, 2)
    for group in table.groups or ("",):
        if group:
            paper.centred(group)
        rows = [[str(row[column]) for column in table.columns] for row in (value[group] if group else value)]
        paper.table(table.columns, rows, [_width(rows, place) for place in range(len(table.columns))])


def _width(rows: list[list[str]], column: int) -> int:
    """Return the relative width of a column: a reason needs more room than an age."""
    return max(2, min(8, max(len(row[column]) for row in rows) // 3))
