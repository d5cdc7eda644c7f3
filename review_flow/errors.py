"""Every "no" is a subclass of Refusal, declared beside the rule that says it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, ClassVar, Self

from review_flow.i18n import _, say

if TYPE_CHECKING:
    from collections.abc import Iterable


class Refusal(Exception):  # noqa: N818 - it is an answer, not a fault
    """A refused deed: `status` as in HTTP, `text` a sentence with {names}, `code` stable for programs.

    Raise it with the names its text asks for: ``raise TooFewAbilities(missing="学业评价")``.
    """

    status: ClassVar[int] = 409
    text: ClassVar[str] = _("现在不能这样做。")
    fields: tuple[tuple[str, str], ...] = ()
    """Of a form that was refused: the path of each field to be mended, and what is wrong there."""

    def __init__(self, **names: object) -> None:
        super().__init__(type(self).__name__, names)
        self.names = names

    @classmethod
    def of_fields(cls, fields: Iterable[tuple[str, str]]) -> Self:
        """Return the refusal of a form whose text asks for {problems}."""
        named = tuple(fields)
        refused = cls(problems=" ".join(text for _field, text in named))
        refused.fields = named
        return refused

    @classmethod
    def code_of(cls) -> str:
        """Return the class name in kebab case: TooFewAbilities → too-few-abilities."""
        return re.sub(r"(?<!^)(?=[A-Z])", "-", cls.__name__).lower()

    @property
    def code(self) -> str:
        """Return what programs know the refusal by."""
        return self.code_of()

    def __str__(self) -> str:
        return say(self.text, **self.names)


class NotAllowed(Refusal):
    """The actor is not one of those who may do this."""

    status, text = 403, _("您没有权限做这件事：{why}。")


class NotFound(Refusal):
    """There is no such thing, or not for this actor."""

    status, text = 404, _("找不到{what}“{key}”。")


class BadInput(Refusal):
    """A value that cannot be taken: names the field and says what to do."""

    status, text = 422, _("{field}：{problem}")
