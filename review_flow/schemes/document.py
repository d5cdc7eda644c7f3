"""YAML with line numbers: plain data in which no number has become a binary float, and where each value stands."""

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.composer import Composer
from ruamel.yaml.constructor import RoundTripConstructor, SafeConstructor
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import AliasEvent
from ruamel.yaml.nodes import MappingNode

from review_flow.errors import Refusal
from review_flow.i18n import _, say
from review_flow.rules.paths import key_of


@dataclass(frozen=True)
class Mistake:
    """One thing wrong in a file: where, in which field (dotted path), and a Chinese sentence.

    `level` is "error", or "warning" for what may stay while a scheme is a draft.
    """

    file: str
    line: int
    field: str
    text: str
    level: str = "error"

    def __str__(self) -> str:
        text = say(_("{field}：{problem}"), field=self.field, problem=self.text) if self.field else self.text
        return f"{self.file}:{self.line} {text}"


class SchemeInvalid(Refusal):
    """A scheme document cannot be used; `mistakes` lists every reason."""

    status, text = 422, _("考核方案有{count}处错误：{first}")

    def __init__(self, mistakes: list[Mistake]) -> None:
        super().__init__(count=len(mistakes), first=str(mistakes[0]))
        self.mistakes = mistakes


class _Exact(RoundTripConstructor):
    """Reads 0.40 as the text "0.40" and 2022-03-01 as text: what was written is what is kept."""


class _ExactData(SafeConstructor):
    """Reads the same data, without where it stands."""


def _literal(_constructor: SafeConstructor, node: Any) -> str:
    return str(node.value)


for _tag in ("float", "timestamp"):
    for _reader in (_Exact, _ExactData):
        _reader.add_constructor(f"tag:yaml.org,2002:{_tag}", _literal)


MOST_CHARACTERS, DEEPEST = 150_000, 40


class _UnwantedError(MarkedYAMLError):
    """Correct YAML that no scheme needs; `problem` is the sentence for its author."""


class _Plain(Composer):
    """Takes what says its values itself: references can make a page of nothing, or one without an end."""

    depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        """Compose a node, but no alias, no merged mapping, and not deeper than anybody writes."""
        event = self.parser.peek_event()
        if isinstance(event, AliasEvent):
            raise _UnwantedError(
                problem=say(_("请不要用引用（*{name}），把值写出来。"), name=event.anchor),
                problem_mark=event.start_mark,
            )
        if self.depth >= DEEPEST:
            raise _UnwantedError(
                problem=say(_("层次太深（超过{most}层）。"), most=DEEPEST), problem_mark=event.start_mark
            )
        self.depth += 1
        node = super().compose_node(parent, index)
        self.depth -= 1
        if isinstance(node, MappingNode):
            for key, _value in node.value:
                if key.tag == MERGE:
                    raise _UnwantedError(
                        problem=say(_("请不要用合并（<<），把值写出来。")), problem_mark=key.start_mark
                    )
        return node


MERGE = "tag:yaml.org,2002:merge"


@dataclass(frozen=True)
class Page:
    """A parsed file: its plain data, and the tree that knows the lines."""

    file: str
    data: dict[str, Any]
    read_tree: Callable[[], CommentedMap]

    @cached_property
    def tree(self) -> CommentedMap:
        """The tree, read when a line is first asked for."""
        return self.read_tree()

    def line(self, path: str) -> int:
        """Return the 1-based line of a dotted path, or of the nearest part above it that the file has."""
        node: Any = self.tree
        line = 0
        for part in path.split(".") if path else ():
            if isinstance(node, CommentedMap) and part in node:
                line, node = node.lc.key(part)[0], node[part]
            elif isinstance(node, CommentedSeq):
                index = next((at for at, item in enumerate(node) if key_of(item, at) == part), None)
                if index is None:
                    break
                line, node = node.lc.item(index)[0], node[index]
            else:
                break
        return line + 1

    def mistake(self, field: str, text: str, level: str = "error") -> Mistake:
        """Return a mistake at a dotted path of this page."""
        return Mistake(self.file, self.line(field), field, text, level)


def read_own(text: str, *, source: str) -> Page:
    """Return the page of a text that comes with the program, in a sixth of the time: nobody asks for its lines."""
    yaml = YAML(typ="safe")
    yaml.Constructor = _ExactData
    return Page(source, plain(yaml.load(text)), lambda: _tree(text, source=source))


def read_page(text: str, *, source: str) -> Page:
    """Return the page of a YAML text; SchemeInvalid when it is not YAML, no mapping, or more than any scheme is."""
    tree = _tree(text, source=source)
    return Page(source, plain(tree), lambda: tree)


def _tree(text: str, *, source: str) -> CommentedMap:
    if len(text) > MOST_CHARACTERS:
        raise SchemeInvalid([Mistake(source, 1, "", say(_("方案太长（超过{most}字）。"), most=MOST_CHARACTERS))])
    yaml = YAML(typ="rt")
    yaml.Constructor, yaml.Composer = _Exact, _Plain
    try:
        tree = yaml.load(text)
    except _UnwantedError as error:
        raise SchemeInvalid([Mistake(source, error.problem_mark.line + 1, "", error.problem)]) from None
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        what = say(_("不是正确的 YAML：{problem}"), problem=error.problem or error.context or "")
        raise SchemeInvalid([Mistake(source, line, "", what)]) from None
    except (YAMLError, ValueError):  # a number of thousands of digits is the latter
        raise SchemeInvalid([Mistake(source, 1, "", say(_("不是正确的 YAML。")))]) from None
    if not isinstance(tree, CommentedMap):
        raise SchemeInvalid([Mistake(source, 1, "", say(_("方案应是一组“字段: 值”。")))])
    return tree


def written(document: Mapping[str, Any]) -> str:
    """Return a document as YAML that `schemes.parse` makes the same document of, to the digest."""
    yaml, out = YAML(typ="safe", pure=True), io.StringIO()
    yaml.default_flow_style, yaml.allow_unicode, yaml.width = None, True, 120
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]  # None by default, and so its type
    yaml.representer.ignore_aliases = lambda _value: True
    yaml.dump(plain(document), out)
    return out.getvalue()


def plain(node: Any) -> Any:
    """Return YAML nodes as dicts, lists, strings, ints, truths and None."""
    if isinstance(node, Mapping):
        return {str(key): plain(value) for key, value in node.items()}
    if isinstance(node, list):
        return [plain(item) for item in node]
    if isinstance(node, bool) or node is None:
        return node
    return int(node) if isinstance(node, int) else str(node)
