"""`review-flow template …`: an empty report form, its check, its export. No database."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from review_flow import schemes
from review_flow.cli.common import AsJson
from review_flow.cli.scheme import MISTAKES, Name, load_scheme, misuse, print_json, read_text
from review_flow.errors import Refusal
from review_flow.i18n import _, say
from review_flow.schemes.document import Mistake
from review_flow.schemes.form import blank, check_form

app = typer.Typer(help=_("上报模板：空白表、检查、导出（不需要数据库）"), no_args_is_help=True)
Filled = Annotated[Path, typer.Argument(help=_("填好的表（YAML 或 JSON）"))]
