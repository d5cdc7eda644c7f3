"""A report that a school fills in and files (002-T): its sections, fields and tables, in the prescribed order."""

from dataclasses import dataclass


@dataclass(frozen=True)
class TemplateField:
    """One field. `long`: a text of several paragraphs; `must_cover`: words the text has to hold (002-T-13)."""

    id: str
    name_zh: str
    required: bool = True
    long: bool = False
    many: bool = False
    options: tuple[str, ...] = ()
    must_cover: tuple[str, ...] = ()
    hint_zh: str = ""
    default_zh: str = ""


@dataclass(frozen=True)
class TemplateTable:
    """A table, or one for each of `groups`. `after`: the field that has to be filled first (002-T-09).

    `numbers`: columns of whole numbers; `abilities`: the column that names abilities of the catalogue.
    """

    id: str
    name_zh: str
    columns: tuple[str, ...]
    groups: tuple[str, ...] = ()
    after: str | None = None
    numbers: tuple[str, ...] = ()
    abilities: str | None = None


@dataclass(frozen=True)
class TemplateSection:
    """A headed part: fields, then tables, then `after_fields`."""

    id: str
    name_zh: str
    fields: tuple[TemplateField, ...] = ()
    tables: tuple[TemplateTable, ...] = ()
    after_fields: tuple[TemplateField, ...] = ()


@dataclass(frozen=True)
class Template:
    """The whole report; without sections the scheme asks for none."""

    title_zh: str = ""
    report_to: str = ""
    strict_layout: bool = False
    sections: tuple[TemplateSection, ...] = ()
