"""Review forms as JSON files: an empty one with what is asked, a filled one read back."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from review_flow.cli.common import read_json
from review_flow.db import settings
from review_flow.outside.storage import storage_at
from review_flow.rules.rubric import form_fields
from review_flow.steps.evidence import neutral_name, require_open, slots_filled, standing_evidence
from review_flow.steps.rounds import round_scheme

if TYPE_CHECKING:
    from models import Submission
    from review_flow.cli.common import Desk

ASKED = "asked"


def empty(desk: Desk, work: Submission | None) -> dict[str, Any]:
    """Return an empty form: `asked` tells the items, the marks of each level and the slots, and is dropped again."""
    scheme = round_scheme(desk.session, round_=desk.round)
    slots = slots_filled(desk.session, scheme=scheme, submission=work) if work else []
    return {
        "components": {one.id: {"items": [], "mark": ""} for one in scheme.rated_components()},
        "evidence_levels": {slot.id: "" for slot in slots},
        "comment": "",
        ASKED: form_fields(scheme, slots),
    }


def filled(path: Path) -> dict[str, Any]:
    """Return the form of a file; a component left as it came is 未涉及."""
    form = read_json(path)
    form.pop(ASKED, None)
    components = form.get("components")
    if isinstance(components, dict):
        form["components"] = {key: one for key, one in components.items() if one != {"items": [], "mark": ""}}
    return form


def copied(desk: Desk, work: Submission, folder: Path) -> list[Path]:
    """Copy a work's files into a folder, named by slot: a file's own name may tell whose it is."""
    storage = storage_at(settings().storage)
    folder.mkdir(parents=True, exist_ok=True)
    made = []
    for one in standing_evidence(desk.session, submission=work):
        require_open(one, scanned=settings().scanner is not None)
        made.append(folder / neutral_name(one))
        with storage.path(one.storage_key) as source:
            shutil.copyfile(source, made[-1])
    return made
