"""YAML: libyaml's events under the core schema of YAML 1.2 (https://yaml.org/spec/1.2.2/#103-core-schema).

A date, `on` and `18:00` are strings; a key is its own text: `200` is `"200"`, `null` is `"null"`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, NoReturn, TypeAlias

import yaml

from demijohn.contract.json_text import finite
from demijohn.contract.limits import Limits, twice
from demijohn.contract.pointers import escape
from demijohn.errors import ContractError, Finding

__all__ = ["Lines", "YamlBuilder"]

Lines: TypeAlias = dict[int, list[int]]
"""The lines of the members of each container, in their order, by the container's identity."""

# What such a line, or the one before it, mostly lacks.
_MEND = "look at the indentation and the quotes here and on the line before; a text with `: ` in it needs quotes"
_CORE_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_CORE_BOOL = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_CORE_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_CORE_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_CORE_INFINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_MAY_BE_CORE = frozenset("~nNtTfF+-.0123456789")
_TAG = "tag:yaml.org,2002:"
_KINDS: dict[str, type | tuple[type, ...]] = {
    "null": type(None),
    "bool": bool,
    "int": int,
    "float": (int, float),
}
_MERGE = object()


def _scalar(text: str) -> Any:
    """Return the value of a plain scalar under the core schema; `ValueError` if JSON has no such value."""
    if text and text[0] not in _MAY_BE_CORE:
        return text
    if text in _CORE_NULL:
        return None
    if text in _CORE_BOOL:
        return _CORE_BOOL[text]
    if _CORE_INT.fullmatch(text):
        base = {"0o": 8, "0x": 16}.get(text[:2], 10)
        return int(text, base)
    if _CORE_FLOAT.fullmatch(text):
        return finite(text)
    if _CORE_INFINITE.fullmatch(text):
        raise ValueError(text)
    return text


class _Frame:
    """Collect the members of one mapping or sequence while its events arrive."""

    __slots__ = ("anchor", "height", "key", "key_line", "lines", "merge_line", "merged", "size", "value")

    def __init__(self, value: dict[str, Any] | list[Any], anchor: str | None) -> None:
        self.value = value
        self.anchor = anchor
        self.lines: list[int] = []
        self.key: Any = None
        self.key_line = 0
        self.merged: list[dict[str, Any]] = []
        self.merge_line = 0
        self.size = 1
        self.height = 1


@dataclass(frozen=True, slots=True)
class _Anchored:
    value: Any
    text: str | None
    size: int
    height: int


class YamlBuilder:
    """Turn the events of one YAML document into plain values, without recursion and within the limits.

    Building from events means that a limit is checked as soon as it is passed: a bomb of aliases costs
    one addition for each alias, and nesting ends at the limit, not at the end of the stack.
    """

    def __init__(self, name: str, limits: Limits) -> None:
        self.name = name
        self.limits = limits
        self.lines: Lines = {}
        self.nodes = 0
        self._root: Any = None
        self._documents = 0
        self._stack: list[_Frame] = []
        self._anchors: dict[str, _Anchored] = {}
        self._findings: list[Finding] = []

    def build(self, text: str) -> Any:
        """Return the value of the one document in `text`; raise with everything that is wrong with it."""
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        try:
            get_event = loader(text).get_event
            while (event := get_event()) is not None:
                self._take(event)
        except yaml.reader.ReaderError as error:
            line = text.encode().count(b"\n", 0, error.position) + 1
            self._stop(line, f"this is not YAML: {error.reason}")
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            problem = (error.problem or error.context or "a syntax error").replace("\n", " ")
            self._stop((mark.line if mark else 0) + 1, f"this is not YAML: {problem}", _MEND)
        if self._findings:
            raise ContractError(self._findings)
        return self._root

    def _take(self, event: yaml.Event) -> None:
        kind = type(event)
        if kind is yaml.ScalarEvent:
            self._take_scalar(event)
        elif kind is yaml.MappingStartEvent or kind is yaml.SequenceStartEvent:
            self._open(event, {} if kind is yaml.MappingStartEvent else [])
        elif kind is yaml.MappingEndEvent or kind is yaml.SequenceEndEvent:
            self._close()
        elif kind is yaml.AliasEvent:
            self._take_alias(event)
        elif kind is yaml.DocumentStartEvent:
            self._documents += 1
            if self._documents > 1:
                self._stop(_line(event), "a second document starts here", "a file holds one document")

    def _take_scalar(self, event: Any) -> None:
        stack = self._stack
        line = _line(event)
        if stack and stack[-1].key is None and type(stack[-1].value) is dict:
            plain_merge = event.value == "<<" and event.implicit[0] and event.tag is None
            if event.tag is not None:
                self._value(event, line)
            self._take_key(_MERGE if plain_merge else event.value, line)
            if event.anchor:
                self._anchors[event.anchor] = _Anchored(event.value, event.value, 1, 0)
            return
        value = self._value(event, line)
        if event.anchor:
            self._anchors[event.anchor] = _Anchored(value, event.value, 1, 0)
        self._add(value, 1, 0, line)

    def _value(self, event: Any, line: int) -> Any:
        text: str = event.value
        tag: str | None = event.tag
        try:
            if tag is None:
                return _scalar(text) if event.implicit[0] else text
            if tag in ("!", _TAG + "str"):
                return text
            kind = _KINDS.get(tag.removeprefix(_TAG)) if tag.startswith(_TAG) else None
            if kind is None:
                self._foreign_tag(tag, line)
                return text
            value = _scalar(text)
            if not isinstance(value, kind) or (kind is not bool and isinstance(value, bool)):
                raise ValueError(text)
            return float(text) if tag == _TAG + "float" else value
        except ValueError:
            found = f"found `{text[:40]}`" + (f" as {tag.removeprefix(_TAG)}" if tag else "")
            self._note(
                line,
                f"{found}, which is not a value that JSON has",
                "write a finite number, or quote the text",
            )
            return None

    def _foreign_tag(self, tag: str, line: int) -> None:
        shown = "!!" + tag.removeprefix(_TAG) if tag.startswith(_TAG) else tag
        self._note(line, f"found the tag `{shown[:60]}`", "allowed are plain values, without tags")

    def _take_key(self, key: Any, line: int) -> None:
        frame = self._stack[-1]
        frame.key, frame.key_line = key, line
        if key is _MERGE:
            if frame.merge_line:
                self._findings.append(twice(self.name, line, self._pointer(), "<<", frame.merge_line))
            frame.merge_line = line
        elif key in frame.value:
            first = frame.lines[list(frame.value).index(key)]
            self._findings.append(twice(self.name, line, self._pointer(), key, first))

    def _take_alias(self, event: Any) -> None:
        line = _line(event)
        anchored = self._anchors.get(event.anchor)
        if anchored is None:
            if any(frame.anchor == event.anchor for frame in self._stack):
                self._stop(line, f"the alias `*{event.anchor}` is inside of the value that it names", "use `$ref`")
            self._stop(line, f"the alias `*{event.anchor}` names no anchor", f"write `&{event.anchor}` before it")
        if self._stack and self._stack[-1].key is None and type(self._stack[-1].value) is dict:
            if anchored.text is None:
                self._stop(line, "a mapping or a list is used as a key", "a key is text")
            self._take_key(anchored.text, line)
            return
        self._add(anchored.value, anchored.size, anchored.height, line)

    def _open(self, event: Any, value: dict[str, Any] | list[Any]) -> None:
        line = _line(event)
        stack = self._stack
        if stack and stack[-1].key is None and type(stack[-1].value) is dict:
            self._stop(line, "a mapping or a list is used as a key", "a key is text")
        if event.tag not in (None, "!", _TAG + ("map" if type(value) is dict else "seq")):
            self._foreign_tag(event.tag, line)
        if event.anchor:
            # The anchor is known when its value is complete: until then an alias to it would be a loop.
            self._anchors.pop(event.anchor, None)
        frame = _Frame(value, event.anchor)
        if stack and type(stack[-1].value) is list:
            stack[-1].key_line = line
        stack.append(frame)
        self.limits.check_depth(self.name, line, len(stack))

    def _close(self) -> None:
        frame = self._stack.pop()
        value = frame.value
        if frame.merged:
            value = self._merge(frame)
        self.lines[id(value)] = frame.lines
        if frame.anchor:
            self._anchors[frame.anchor] = _Anchored(value, None, frame.size, frame.height)
        self._add(value, frame.size, frame.height, self._stack[-1].key_line if self._stack else 1)

    def _merge(self, frame: _Frame) -> dict[str, Any]:
        """Return the mapping with what its `<<` brings in; its own keys win, then the earlier source."""
        assert isinstance(frame.value, dict)
        merged: dict[str, Any] = {}
        lines: dict[str, int] = {}
        for mapping in (*reversed(frame.merged), frame.value):
            merged.update(mapping)
            known = frame.lines if mapping is frame.value else self.lines[id(mapping)]
            lines.update(zip(mapping, known, strict=True))
        frame.lines = [lines[key] for key in merged]
        return merged

    def _add(self, value: Any, size: int, height: int, line: int) -> None:
        if not self._stack:
            self._root = value
            self.nodes = size
            return
        frame = self._stack[-1]
        frame.size += size
        self.limits.check_nodes(self.name, line, frame.size)
        if frame.key is _MERGE and type(value) is dict:
            height -= 1  # what is merged becomes part of this mapping, not a level below it
        if height >= frame.height:
            frame.height = height + 1
            self.limits.check_depth(self.name, line, len(self._stack) + height)
        if type(frame.value) is list:
            frame.value.append(value)
            frame.lines.append(line)
        elif frame.key is _MERGE:
            origins = value if type(value) is list else [value]
            if all(type(origin) is dict for origin in origins):
                frame.merged.extend(origins)
            else:
                self._note(line, "`<<` is followed by something that is no mapping", "merge mappings only")
            frame.key = None
        else:
            assert isinstance(frame.value, dict)
            if frame.key not in frame.value:
                frame.lines.append(frame.key_line)
            frame.value[frame.key] = value
            frame.key = None

    def _pointer(self) -> str:
        tokens = []
        for frame in self._stack:
            token = len(frame.value) if type(frame.value) is list else "<<" if frame.key is _MERGE else frame.key
            tokens.append(f"/{escape(str(token))}")
        return "".join(tokens)

    def _note(self, line: int, found: str, allowed: str = "") -> None:
        self._findings.append(Finding(self.name, line, self._pointer(), found, allowed))

    def _stop(self, line: int, found: str, allowed: str = "") -> NoReturn:
        raise ContractError([*self._findings, Finding(self.name, line, "", found, allowed)])


def _line(event: Any) -> int:
    return int(event.start_mark.line) + 1
