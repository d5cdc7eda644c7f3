"""Every mistake of a scheme file, with its line and field, in Chinese: first its form, then its contradictions."""

import difflib
import json
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from review_flow import schemes
from review_flow.errors import NotFound
from review_flow.i18n import _, listed, say
from review_flow.rules.paths import key_of
from review_flow.rules.scheme import Scheme
from review_flow.schemes.contradictions import contradictions
from review_flow.schemes.document import Mistake, Page, SchemeInvalid, read_page

SCHEMA = Path(__file__).parent / "scheme.schema.json"
TYPES = {
    "object": _("一组字段"), "array": _("列表"), "string": _("文字"), "integer": _("整数"),
    "number": _("数字"), "boolean": _("true 或 false"), "null": _("空"),
}  # fmt: skip


def check(text: str, *, source: str, ready: bool = False) -> list[Mistake]:
    """Return the mistakes of a scheme text in the order of its lines; warnings are those a draft may keep.

    With `ready`, values the school still has to confirm are errors: such a scheme cannot open a round.
    """
    try:
        page = read_page(text, source=source)
    except SchemeInvalid as refused:
        return refused.mistakes
    return mistakes_of(page, ready=ready)


def mistakes_of(page: Page, *, ready: bool = False) -> list[Mistake]:
    """Return the mistakes of a scheme text that was read already."""
    # Each missing field is found alone, and its sentence names all of them: it is said once.
    mistakes = list(dict.fromkeys((*_form(page), *_twice(page, "", page.data), *_strangers(page))))
    if not mistakes:
        scheme = Scheme.from_document(schemes.resolved(page.data))
        mistakes = [page.mistake(*found) for found in contradictions(scheme, page.data, ready=ready)]
    return sorted(mistakes, key=lambda mistake: (mistake.line, mistake.field))


@cache
def _validator() -> Any:
    from jsonschema import Draft202012Validator

    return Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8")))


def _form(page: Page) -> Iterator[Mistake]:
    for error in _validator().iter_errors(page.data):
        deepest = _deepest(error)
        path = _dotted(page.data, deepest.absolute_path)
        if deepest.validator == "additionalProperties":
            known = list(deepest.schema["properties"])
            for key in sorted(set(deepest.instance) - set(known)):
                near = difflib.get_close_matches(key, known, n=1)
                hint = say(_("，是不是“{near}”？"), near=near[0]) if near else say(_("。"))
                yield page.mistake(_below(path, key), say(_("不认识的字段“{key}”{hint}"), key=key, hint=hint))
        else:
            yield page.mistake(path, _sentence(deepest))


def _deepest(error: Any) -> Any:
    """Of the branches of an anyOf, take the one that got farthest: it is the one the author meant."""
    while error.validator == "anyOf" and error.context:
        deeper = max(error.context, key=lambda inner: len(inner.absolute_path))
        if len(deeper.absolute_path) == len(error.absolute_path):
            break
        error = deeper
    return error


SENTENCES = {
    "enum": _("应为以下之一：{value}。"),
    "minimum": _("不能小于{value}。"),
    "minItems": _("至少要有{value}个。"),
    "minProperties": _("至少要有{value}个。"),
    "maxItems": _("最多只能有{value}个。"),
    "const": _("应为{value}。"),
    "type": _("应为{value}。"),
    "required": _("缺少{value}。"),
    "uniqueItems": _("有重复的值。"),
}


def _sentence(error: Any) -> str:
    value = error.validator_value
    if error.validator not in SENTENCES:
        about = error.schema.get("description", "")
        shown = json.dumps(error.instance, ensure_ascii=False)
        return say(
            _("写法不对：{shown}{about}。"), shown=shown[:60], about=about and say(_("（{about}）"), about=about)
        )
    if error.validator == "type":
        value = say(TYPES[value])
    elif error.validator == "required":
        value = [key for key in value if key not in error.instance]
    words = listed(value) if isinstance(value, list) else json.dumps(value, ensure_ascii=False).strip('"')
    return say(SENTENCES[error.validator], value=words)


def _twice(page: Page, path: str, node: Any) -> Iterator[Mistake]:
    """Find two items of one list with the same name: a path could not tell them apart."""
    if isinstance(node, dict):
        for key, value in node.items():
            yield from _twice(page, _below(path, key), value)
    elif isinstance(node, list):
        names = [key_of(item, index) for index, item in enumerate(node)]
        for index, item in enumerate(node):
            field = _below(path, names[index])
            if names[index] in names[:index]:
                yield page.mistake(field, say(_("“{name}”写了两次。"), name=names[index]))
            yield from _twice(page, field, item)


def _strangers(page: Page) -> Iterator[Mistake]:
    """Find ids of schemes and catalogues that do not exist."""
    inherits = page.data.get("inherits")
    parents = inherits if isinstance(inherits, dict) else {}
    asked = [(f"inherits.{key}", schemes.document, name) for key, name in parents.items()]
    asked.append(("catalogue", schemes.catalogue_document, page.data.get("catalogue")))
    for field, fetch, name in asked:
        if not isinstance(name, str):  # the form says so
            continue
        try:
            fetch(name)
        except NotFound as refused:
            yield page.mistake(field, str(refused))


def _dotted(data: Any, steps: Sequence[Any]) -> str:
    path, node = "", data
    for step in steps:
        name = key_of(node[step], step) if isinstance(node, list) else str(step)
        path, node = _below(path, name), node[step]
    return path


def _below(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key
