"""The form of a scheme's template (002-T): an empty one to fill in, and every problem of a filled one."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from review_flow.errors import Refusal
from review_flow.i18n import _, listed, say
from review_flow.rules.scheme import Scheme
from review_flow.rules.template import TemplateField, TemplateSection, TemplateTable
from review_flow.schemes.document import Mistake, Page, SchemeInvalid, read_page

EMPTY = '""'


class NoTemplate(Refusal):
    """The scheme has nothing to report."""

    status, text = 422, _("方案“{scheme}”没有上报模板。")


def blank(scheme: Scheme) -> str:
    """Return an empty form as YAML, with what is asked for as comments; NoTemplate where the scheme has none."""
    return "\n".join(_blank(scheme)) + "\n"


def check_form(scheme: Scheme, text: str, *, source: str) -> tuple[dict[str, Any], list[Mistake]]:
    """Return what a form (YAML or JSON) holds, and its problems in the order of its lines."""
    _require(scheme)
    try:
        page = read_page(text, source=source)
    except SchemeInvalid as refused:
        return {}, refused.mistakes
    form = _Form(scheme, page)
    found = [page.mistake(field, problem) for field, problem in form.problems()]
    return page.data, sorted(found, key=lambda mistake: mistake.line)


def _require(scheme: Scheme) -> None:
    if not scheme.template.sections:
        raise NoTemplate(scheme=scheme.id)


def _blank(scheme: Scheme) -> Iterator[str]:
    _require(scheme)
    yield f"# {scheme.template.title_zh}　报送：{scheme.template.report_to}"
    for section in scheme.template.sections:
        yield ""
        yield f"{section.id}: # {section.name_zh}"
        for field in section.fields:
            yield from _blank_field(field)
        for table in section.tables:
            yield from _blank_table(section, table)
        for field in section.after_fields:
            yield from _blank_field(field)


def _blank_field(field: TemplateField) -> Iterator[str]:
    notes = [
        field.name_zh,
        "" if field.required else "可不填",
        f"{'可选几项' if field.many else '选一项'}：{'、'.join(field.options)}" if field.options else "",
        f"须写到：{'、'.join(field.must_cover)}" if field.must_cover else "",
        field.hint_zh,
    ]
    yield f"  # {'；'.join(note for note in notes if note)}"
    yield f"  {field.id}: {'[]' if field.many else field.default_zh or EMPTY}"


def _blank_table(section: TemplateSection, table: TemplateTable) -> Iterator[str]:
    first = next((field.name_zh for field in section.fields if field.id == table.after), None)
    yield f"  # {table.name_zh}{f'；请先填写{first}' if first else ''}"
    yield f"  {table.id}:"
    row = ", ".join(f'{column}: ""' for column in table.columns)
    for group in table.groups:
        yield f"    {group}:"
        yield f"      - {{{row}}}"
    if not table.groups:
        yield f"    - {{{row}}}"


@dataclass(frozen=True)
class _Form:
    """A filled form beside the scheme that asks for it."""

    scheme: Scheme
    page: Page

    def problems(self) -> Iterator[tuple[str, str]]:
        """Yield (path, sentence) for each problem."""
        sections = self.scheme.template.sections
        yield from _strangers("", self.page.data, [section.id for section in sections])
        for section in sections:
            data = self.page.data.get(section.id)
            if not isinstance(data, Mapping):
                yield section.id, say(_("缺少“{name}”一节。"), name=section.name_zh)
                continue
            fields = (*section.fields, *section.after_fields)
            yield from _strangers(
                f"{section.id}.", data, [*(one.id for one in fields), *(one.id for one in section.tables)]
            )
            for field in fields:
                yield from _field(f"{section.id}.{field.id}", field, data.get(field.id))
            for table in section.tables:
                yield from self._table(section, table, data)

    def _table(
        self, section: TemplateSection, table: TemplateTable, data: Mapping[str, Any]
    ) -> Iterator[tuple[str, str]]:
        path, value = f"{section.id}.{table.id}", data.get(table.id)
        first = next((field for field in section.fields if field.id == table.after), None)
        if value and first and not _filled(data.get(first.id)):
            yield path, say(_("请先填写“{first}”，再填“{name}”。"), first=first.name_zh, name=table.name_zh)
        if not table.groups:
            yield from self._rows(path, table, table.name_zh, value)
        elif not isinstance(value, Mapping):
            yield path, say(_("“{name}”应分列：{groups}。"), name=table.name_zh, groups=listed(table.groups))
        else:
            yield from _strangers(f"{path}.", value, table.groups)
            for group in table.groups:
                yield from self._rows(f"{path}.{group}", table, group, value.get(group))

    def _rows(self, path: str, table: TemplateTable, name: str, rows: object) -> Iterator[tuple[str, str]]:
        if not isinstance(rows, list) or not rows:
            yield path, say(_("“{name}”至少要有一行。"), name=name)
            return
        for number, row in enumerate(rows):
            here = f"{path}.{number}"
            if not isinstance(row, Mapping):
                yield here, say(_("第{number}行应有：{columns}。"), number=number + 1, columns=listed(table.columns))
                continue
            yield from _strangers(f"{here}.", row, table.columns)
            for column in table.columns:
                yield from _cell(f"{here}.{column}", table, column, row.get(column), number + 1)
        if table.abilities:
            yield from self._abilities(path, table.abilities, [row for row in rows if isinstance(row, Mapping)])

    def _abilities(self, path: str, column: str, rows: list[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
        """002-T-10: abilities of the catalogue, each once, as many and as wide as the scheme asks a school for."""
        known = {one.name_zh: one.code for one in self.scheme.catalogue.abilities}
        chosen: list[str] = []
        for number, row in enumerate(rows):
            name = str(row.get(column) or "")
            if name and name not in known:
                text = say(_("《{title}》里没有微能力“{name}”。"), title=self.scheme.catalogue.title_zh, name=name)
                yield f"{path}.{number}.{column}", text
            elif name and known[name] in chosen:
                yield f"{path}.{number}.{column}", say(_("“{name}”写了两次。"), name=name)
            elif name:
                chosen.append(known[name])
        rule = self.scheme.select.school
        exactly, over = rule.exactly, len(self.scheme.catalogue.dimensions_of(chosen))
        if exactly is not None and len(chosen) != exactly:
            yield path, say(_("应选{needed}项微能力，现有{have}项。"), needed=exactly, have=len(chosen))
        if len(chosen) < rule.min:
            yield path, say(_("至少选{needed}项微能力，现有{have}项。"), needed=rule.min, have=len(chosen))
        elif over < (rule.min_dimensions or 0):
            yield (
                path,
                say(_("所选微能力至少覆盖{needed}个维度，现有{have}个。"), needed=rule.min_dimensions, have=over),
            )


def _field(path: str, field: TemplateField, value: object) -> Iterator[tuple[str, str]]:
    if not _filled(value):
        if field.required:
            yield path, say(_("“{name}”没有填写。"), name=field.name_zh)
        return
    values = value if isinstance(value, list) else [value]
    if isinstance(value, Mapping) or (isinstance(value, list) and not field.many):
        yield path, say(_("“{name}”应是一段文字。"), name=field.name_zh)
        return
    strange = [one for one in values if field.options and one not in field.options]
    if strange:
        text = _("“{name}”只能填{options}，不能填{strange}。")
        yield path, say(text, name=field.name_zh, options=listed(field.options), strange=listed(strange))
    missing = [word for word in field.must_cover if word not in str(value)]
    if missing:
        yield path, say(_("“{name}”还应写到：{missing}。"), name=field.name_zh, missing=listed(missing))


def _cell(path: str, table: TemplateTable, column: str, value: object, number: int) -> Iterator[tuple[str, str]]:
    if not _filled(value):
        yield path, say(_("第{number}行的“{column}”没有填写。"), number=number, column=column)
    elif isinstance(value, Mapping | list):
        yield path, say(_("“{name}”应是一段文字。"), name=column)
    elif column in table.numbers and not (str(value).isascii() and str(value).isdecimal()):
        yield path, say(_("第{number}行的“{column}”应是整数。"), number=number, column=column)


def _strangers(path: str, data: Mapping[str, Any], known: Sequence[str]) -> Iterator[tuple[str, str]]:
    for key in data:
        if key not in known:
            yield f"{path}{key}", say(_("模板里没有“{key}”，格式不得改动。"), key=key)


def _filled(value: object) -> bool:
    return value not in (None, [], {}) and (not isinstance(value, str) or bool(value.strip()))
