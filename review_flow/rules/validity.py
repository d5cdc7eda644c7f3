"""Is evidence valid? 001-A-29: invalid when the teacher is not to be seen, OR the authorship is undetermined."""

from collections.abc import Sequence
from dataclasses import dataclass

from review_flow.i18n import _, say
from review_flow.rules.scheme import Scheme


@dataclass(frozen=True)
class ItemFacts:
    """What people found of one piece: whether it shows the teacher, and is surely the teacher's work."""

    name_zh: str
    shows_teacher: bool
    attributable: bool


@dataclass(frozen=True)
class Validity:
    """The finding of the rule; `reasons` are Chinese sentences, empty when valid."""

    valid: bool
    reasons: tuple[str, ...]


def validity(scheme: Scheme, items: Sequence[ItemFacts]) -> Validity:
    """Return whether a submission's evidence is valid (X-34, N23, N24).

    Scope `submission`: one item must show the teacher; scope `item`: each must. Authorship is asked of every item.
    """
    rule = scheme.evidence.validity
    reasons = []
    if "no_teacher_image" in rule.invalid_if_any:
        if rule.scope == "submission" and not any(item.shows_teacher for item in items):
            reasons.append(say(_("没有一件证据出现教师本人的影像。")))
        if rule.scope == "item":
            hidden = [item for item in items if not item.shows_teacher]
            reasons += [say(_("“{item}”中没有教师本人的影像。"), item=item.name_zh) for item in hidden]
    if "authorship_undetermined" in rule.invalid_if_any:
        doubtful = [item for item in items if not item.attributable]
        reasons += [say(_("不能确定“{item}”是教师本人制作。"), item=item.name_zh) for item in doubtful]
    return Validity(valid=not reasons, reasons=tuple(reasons))
