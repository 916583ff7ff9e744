"""Where a value of the contract stands, and where a `$ref` in it leads.

References stay inside: into the same file, into another file below the contract's own folder, or to an
identity (`$id`, `$self`) that a file already read declares. Nothing is ever fetched.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit

from demijohn.contract.limits import Limits
from demijohn.contract.model import Place
from demijohn.contract.pointers import escape, split
from demijohn.contract.report import Report
from demijohn.contract.sources import Source, read
from demijohn.errors import ContractError, Finding

__all__ = ["BrokenReferenceError", "Documents", "Node", "join"]

# Values that are data: an `$id` or `$ref` in them means nothing.
_DATA = frozenset({"const", "default", "enum", "example", "examples"})
_IDENTITIES = ("$id", "$anchor", "$dynamicAnchor", "$self")


@dataclass(frozen=True, slots=True)
class Node:
    """Point at one value of a document. `base` is the URI that references in it are relative to."""

    value: Any
    source: Source
    pointer: str
    base: str

    @property
    def place(self) -> Place:
        return Place(self.source.name, self.pointer)

    @property
    def key(self) -> tuple[str, str]:
        """Return what tells this place from every other."""
        return (self.source.name, self.pointer)

    def child(self, key: str | int) -> Node:
        """Return the member under `key`, which must be there."""
        container: Any = self.value
        return Node(container[key], self.source, f"{self.pointer}/{escape(str(key))}", self.base)

    def get(self, key: str) -> Node | None:
        """Return the member under `key`, or None."""
        if isinstance(self.value, dict) and key in self.value:
            return self.child(key)
        return None

    def text(self, key: str, default: str = "") -> str:
        """Return the text under `key`; the default if there is none, or no text."""
        found = self.value.get(key) if isinstance(self.value, dict) else None
        return found if isinstance(found, str) else default

    def flag(self, key: str, default: bool = False) -> bool:
        """Return the boolean under `key`; the default if there is none, or no boolean."""
        found = self.value.get(key) if isinstance(self.value, dict) else None
        return found if isinstance(found, bool) else default

    def texts(self, key: str) -> tuple[str, ...]:
        """Return the texts in the list under `key`."""
        found = self.value.get(key) if isinstance(self.value, dict) else None
        return tuple(item for item in found if isinstance(item, str)) if isinstance(found, list) else ()

    def items(self, key: str | None = None) -> Iterator[tuple[str, Node]]:
        """Yield the members of this mapping, or of the mapping under `key`."""
        node = self if key is None else self.get(key)
        if node is not None and isinstance(node.value, dict):
            for name in node.value:
                yield name, node.child(name)

    def fields(self, key: str | None = None) -> Iterator[tuple[str, Node]]:
        """Yield the members as `items` does, but without the extensions, whose names start with `x-`."""
        return ((name, node) for name, node in self.items(key) if not name.startswith("x-"))

    def elements(self, key: str) -> Iterator[Node]:
        """Yield the items of the list under `key`."""
        node = self.get(key)
        if node is not None and isinstance(node.value, list):
            for index in range(len(node.value)):
                yield node.child(index)

    def extensions(self) -> dict[str, Any]:
        """Return the `x-` members."""
        if not isinstance(self.value, dict):
            return {}
        return {key: value for key, value in self.value.items() if key.startswith("x-")}


def join(base: str, uri: str) -> str:
    """Return the absolute URI of a reference or identity, without its fragment."""
    try:
        return urljoin(base, uri).partition("#")[0]
    except ValueError:
        return uri  # no URI at all: it is only equal to itself


class BrokenReferenceError(Exception):
    """Say why a reference leads nowhere: what was found, what is allowed."""

    def __init__(self, found: str, allowed: str) -> None:
        super().__init__(found)
        self.found = found
        self.allowed = allowed


_INSIDE = "a reference leads into the contract's own file or into another file below its folder"


class Documents:
    """Hold the files of one contract, each read once and when it is first referred to.

    The limits of size and number of values hold for all files together.
    """

    def __init__(self, path: Path, limits: Limits, report: Report) -> None:
        self._limits = limits
        self._report = report
        self._by_name: dict[str, Source] = {}
        self._broken: dict[str, BrokenReferenceError] = {}
        self._identified: dict[str, Node] = {}
        self._hints = 20
        self.main = self._keep(read(path, path.name or str(path), limits))
        self._folder = path.parent.resolve()

    @property
    def sources(self) -> tuple[Source, ...]:
        return tuple(self._by_name.values())

    @property
    def root(self) -> Node:
        return self._whole(self.main)

    def resolve(self, reference: str, origin: Node) -> Node:
        """Return the node that `reference`, written at `origin`, names, or raise `BrokenReferenceError`."""
        uri, _, fragment = reference.partition("#")
        if uri:
            start = self._identified.get(join(origin.base, uri)) or self._other_file(uri, origin.source)
        else:
            start = self._identified.get(origin.base) or self._whole(origin.source)
        fragment = unquote(fragment)
        if not fragment:
            return start
        if fragment.startswith("/"):
            try:
                return self._walk(start, fragment, reference)
            except BrokenReferenceError:
                # In a schema with an `$id` a pointer starts at that schema; many mean the document all the same.
                whole = self._whole(origin.source)
                if uri or whole.base == start.base:
                    raise
                return self._walk(whole, fragment, reference)
        anchored = self._identified.get(f"{start.base}#{fragment}")
        if anchored is None:
            raise BrokenReferenceError(
                f"`{_short(reference)}` leads nowhere: no `$anchor` has the name `{_short(fragment)}`",
                "name an anchor, or write a pointer such as `#/components/schemas/Pet`",
            )
        return anchored

    def chain(self, node: Node) -> list[Node]:
        """Return `node` and each step of the chain of `$ref` that starts there; the last is no reference."""
        steps = [node]
        seen = {node.key}
        while isinstance(node.value, dict) and isinstance(node.value.get("$ref"), str):
            reference = node.value["$ref"]
            node = self.resolve(reference, node)
            if node.key in seen:
                raise BrokenReferenceError(
                    f"`{_short(reference)}` is a reference that leads back to itself",
                    "let the chain end in a value",
                )
            seen.add(node.key)
            steps.append(node)
        return steps

    def _whole(self, source: Source) -> Node:
        base = "file:///" + source.name
        declared = source.value.get("$self") if isinstance(source.value, dict) else None
        if not isinstance(declared, str):
            declared = source.value.get("$id") if isinstance(source.value, dict) else None
        if isinstance(declared, str):
            base = join(base, declared)
        return Node(source.value, source, "", base)

    def _walk(self, start: Node, fragment: str, reference: str) -> Node:
        value, base = start.value, start.base
        pointer = start.pointer
        for token in split(fragment):
            if isinstance(value, dict) and token in value:
                value = value[token]
            elif isinstance(value, list) and token.isdecimal() and int(token) < len(value):
                value = value[int(token)]
            else:
                where = "the contract" if start.source is self.main else f"`{start.source.name}`"
                raise BrokenReferenceError(
                    f"`{_short(reference)}` leads nowhere: {where} has no `{_short(token)}` there",
                    self._near(token, value) or "name a value that exists",
                )
            pointer += f"/{escape(token)}"
            if self._identified and isinstance(value, dict) and isinstance(value.get("$id"), str):
                base = join(base, value["$id"])
        return Node(value, start.source, pointer, base)

    def _near(self, token: str, value: Any) -> str:
        """Suggest the nearest key that exists; comparing is slow, so only for the first few."""
        if not isinstance(value, dict) or self._hints == 0:
            return ""
        self._hints -= 1
        close = get_close_matches(token, list(value)[:1000], 1)
        return f"did you mean `{close[0]}`?" if close else ""

    def _other_file(self, uri: str, origin: Source) -> Node:
        shown = _short(uri)
        try:
            parts = urlsplit(uri)
        except ValueError:
            raise BrokenReferenceError(f"`{shown}` is not a reference", _INSIDE) from None
        if parts.scheme or uri.startswith(("/", "\\")) or parts.netloc:
            raise BrokenReferenceError(f"`{shown}` leads out of the contract's folder and is not followed", _INSIDE)
        name = posixpath.normpath(posixpath.join(posixpath.dirname(origin.name), unquote(parts.path)))
        if name in self._broken:
            raise self._broken[name]
        if name not in self._by_name:
            try:
                self._keep(self._read(name, shown))
            except BrokenReferenceError as error:
                self._broken[name] = error
                raise
        return self._whole(self._by_name[name])

    def _read(self, name: str, shown: str) -> Source:
        try:
            path = (self._folder / name).resolve()
            is_file = path.is_file()
        except (OSError, ValueError, RuntimeError):
            raise BrokenReferenceError(f"`{shown}` is not the name of a file", _INSIDE) from None
        if name == ".." or name.startswith("../") or not path.is_relative_to(self._folder):
            raise BrokenReferenceError(f"`{shown}` leads out of the contract's folder and is not followed", _INSIDE)
        if not is_file:
            raise BrokenReferenceError(f"`{shown}` leads nowhere: there is no such file", _INSIDE)
        left = Limits(
            self._limits.bytes - sum(len(source.raw) for source in self.sources),
            self._limits.depth,
            self._limits.nodes - sum(source.nodes for source in self.sources),
        )
        try:
            return read(path, name, left)
        except ContractError as error:
            self._report.add(error.problems)
            first = error.problems[0]
            reason = first.found if isinstance(first, Finding) else first
            raise BrokenReferenceError(f"`{shown}` cannot be read: {reason}", "correct that file") from None

    def _keep(self, source: Source) -> Source:
        self._by_name[source.name] = source
        if any(identity.encode() in source.raw for identity in _IDENTITIES):
            self._identify(self._whole(source))
        return source

    def _identify(self, root: Node) -> None:
        """Note each `$id` and anchor below `root`."""
        self._identified.setdefault(root.base, root)
        nodes = [root]
        seen: set[int] = set()
        while nodes:
            node = nodes.pop()
            if id(node.value) in seen:
                continue
            if isinstance(node.value, dict | list):
                seen.add(id(node.value))
            value, base = node.value, node.base
            if isinstance(value, dict):
                identity = value.get("$id")
                if isinstance(identity, str) and node is not root:
                    base = join(base, identity)
                    node = Node(value, node.source, node.pointer, base)
                    self._identified.setdefault(base, node)
                for keyword in ("$anchor", "$dynamicAnchor"):
                    anchor = value.get(keyword)
                    if isinstance(anchor, str):
                        self._identified.setdefault(f"{base}#{anchor}", node)
                named = node.pointer.endswith("/properties")
                nodes.extend(node.child(key) for key in value if named or key not in _DATA)
            elif isinstance(value, list):
                nodes.extend(node.child(index) for index in range(len(value)))


def _short(text: str) -> str:
    return text if len(text) <= 80 else text[:77] + "..."
