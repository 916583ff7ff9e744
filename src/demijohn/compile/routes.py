"""All path templates of an application to one table that finds the template of a path.

A path without parameters is one dictionary look-up. The others walk a tree, a step for each segment, so
the cost grows with the path and not with the number of operations. At each step a fixed segment beats one
with a fixed part (`{id}.json`), which beats a bare parameter: a concrete path always wins
(OpenAPI 3.1.1, section 4.8.8 "Paths Object").
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote

if TYPE_CHECKING:
    from demijohn.compile.caching import Headers
    from demijohn.compile.cors import Cors
    from demijohn.compile.plan import Plan

__all__ = ["Match", "Resource", "Routes", "normal_path"]

_PARAMETER = re.compile(r"\{([^{}]*)\}")
_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")


@dataclass(frozen=True, slots=True)
class Resource:
    """Hold what stands behind the paths of one template: a plan for each method, and the exact `Allow`.

    Templates that differ in the names of their parameters only are one resource; `template` is the first.
    `cors` says which other origins may use it, and `preflight` what a preflight is told besides.
    """

    template: str
    plans: Mapping[str, Plan]
    allow: str
    cors: Cors | None = None
    preflight: Headers = ()

    @property
    def shape(self) -> str:
        """Return the shape of the template."""
        return shape_of(self.template)


class Match(NamedTuple):
    """Hold the one routing decision of a request; `captures` are still percent-encoded."""

    resource: Resource
    captures: tuple[str, ...] = ()


@dataclass(slots=True)
class _Node:
    """Stand for one segment of the paths that share the segments before it."""

    fixed: dict[str, _Node] = field(default_factory=dict)
    partial: list[tuple[tuple[str, ...], _Node]] = field(default_factory=list)
    parameter: _Node | None = None
    resource: Resource | None = None


class Routes:
    """Find the resource of a path. Immutable once built: adding a contract builds another one.

    `reserved` are concrete paths that are served elsewhere, such as the contract's own document; like every
    concrete path they beat templated ones.
    """

    def __init__(self, resources: Iterable[Resource], reserved: Iterable[str] = ()) -> None:
        self.resources = tuple(resources)
        self.reserved = frozenset(reserved)
        self._exact: dict[str, Match] = {}
        self._items: dict[str, Resource] = {}
        self._root = _Node()
        for resource in self.resources:
            if _PARAMETER.search(resource.template):
                self._insert(resource)
            else:
                self._exact[normal_path(_quoted(resource.template))] = Match(resource)
        _sort(self._root)
        self._note_items(self._root, "")

    def match(self, path: str) -> Match | None:
        """Return the decision for `path` (as `normal_path` gives it), None where no template fits."""
        exact = self._exact.get(path)
        if exact is not None or path in self.reserved:
            return exact
        head, _, tail = path.rpartition("/")
        item = self._items.get(head)
        if item is not None and tail:
            return Match(item, (tail,))
        captures: list[str] = []
        resource = _walk(self._root, path.split("/"), 1, captures)
        return Match(resource, tuple(captures)) if resource is not None else None

    def _note_items(self, node: _Node, path: str) -> None:
        """Note the folders whose every member is the same resource, such as `/people` with its `/people/{id}`.

        Most requests are for such a one; one look finds it. A way to the same path through parameters could only
        be a worse kind of segment, so it never goes first.
        """
        item = node.parameter
        is_only = not node.partial and all(child.resource is None for child in node.fixed.values())
        if item is not None and item.resource is not None and is_only:
            self._items[path] = item.resource
        for segment, child in node.fixed.items():
            self._note_items(child, f"{path}/{segment}")

    def _insert(self, resource: Resource) -> None:
        node = self._root
        for segment in resource.template.split("/")[1:]:
            literals = tuple(_quoted(part) for part in _PARAMETER.split(segment)[::2])
            if len(literals) == 1:
                node = node.fixed.setdefault(normal_path(literals[0]), _Node())
            elif literals == ("", ""):
                node.parameter = node.parameter or _Node()
                node = node.parameter
            else:
                known = next((child for known, child in node.partial if known == literals), None)
                if known is None:
                    known = _Node()
                    node.partial.append((literals, known))
                node = known
        node.resource = resource


def shape_of(template: str) -> str:
    """Return a path template without the names of its parameters: equal shapes match the same paths."""
    return _PARAMETER.sub("{}", template)


def names_of(template: str) -> tuple[str, ...]:
    """Return the parameter names of a path template, in order."""
    return tuple(_PARAMETER.findall(template))


def normal_path(path: str) -> str:
    """Return `path` with the escapes undone that mean nothing, and the others in upper case.

    `/%70eople/a%2fb` is `/people/a%2Fb`: equal by RFC 3986 section 6.2.2, and safe to compare as text.
    """
    if "%" not in path:
        return path

    def undo(escape: re.Match[str]) -> str:
        code = int(escape[1], 16)
        return chr(code) if code in _UNRESERVED else escape[0].upper()

    return _ESCAPE.sub(undo, path)


def _quoted(literal: str) -> str:
    return quote(literal, safe="/!$&'()*+,;=:@~%")


def _sort(node: _Node) -> None:
    """Put the patterns with the most fixed text first: `{id}.tar.gz` before `{id}.gz`."""
    node.partial.sort(key=lambda entry: (-sum(map(len, entry[0])), len(entry[0])))
    children = [*node.fixed.values(), *(child for _, child in node.partial)]
    for child in children if node.parameter is None else [*children, node.parameter]:
        _sort(child)


def _walk(node: _Node, segments: list[str], depth: int, captures: list[str]) -> Resource | None:
    """Walk the tree, best kind of segment first; each node is visited at most once."""
    if depth == len(segments):
        return node.resource
    segment = segments[depth]
    child = node.fixed.get(segment)
    if child is not None:
        found = _walk(child, segments, depth + 1, captures)
        if found is not None:
            return found
    if not segment:
        return None
    held = len(captures)
    for literals, partial in node.partial:
        values = _split(segment, literals)
        if values is not None:
            captures.extend(values)
            found = _walk(partial, segments, depth + 1, captures)
            if found is not None:
                return found
            del captures[held:]
    if node.parameter is not None:
        captures.append(segment)
        found = _walk(node.parameter, segments, depth + 1, captures)
        if found is not None:
            return found
        del captures[held:]
    return None


def _split(segment: str, literals: tuple[str, ...]) -> list[str] | None:
    """Return the values between `literals`, each as short as possible and never empty; linear in the segment."""
    first, *middle, last = literals
    end = len(segment) - len(last)
    if not segment.startswith(first) or not segment.endswith(last) or end < len(first):
        return None
    values = []
    start = len(first)
    for literal in middle:
        # An empty literal between two parameters, as in `{a}{b}`, leaves one character for the first.
        found = segment.find(literal, start + 1, end)
        if found < 0:
            return None
        values.append(segment[start:found])
        start = found + len(literal)
    if start >= end:
        return None
    values.append(segment[start:end])
    return values
