"""The documentation is true: its blocks run, its links lead somewhere, and nothing is missing from it.

A page is read from top to bottom in a folder of its own. What a block of code is stands in the comment above it,
which no reader sees:

    <!-- file: openapi.yaml -->     the block is written to that file
    <!-- run -->                    the Python code is run
    <!-- not run: REASON -->        the block is left alone

A Python block with `>>>` is a doctest. In a `console` block, `demijohn run TARGET` chooses the application that
`curl` talks to, which is built anew when a file has changed since; `demijohn check` and `demijohn plan` are run.
What a command prints must be what stands below it, and `...` stands for anything. Blocks of other languages are read
(`json`, `yaml`) or left alone.
"""

from __future__ import annotations

import argparse
import doctest
import importlib
import inspect
import json
import os
import re
import shlex
import sys
import textwrap
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from http import HTTPStatus
from io import BytesIO
from pathlib import Path
from types import FunctionType
from typing import Any
from urllib.parse import urlencode, urlsplit

import click
import pytest
import yaml
from click.testing import CliRunner
from flask import Flask
from werkzeug.test import TestResponse

import demijohn
from demijohn import Problem, errors
from demijohn.cli import main
from demijohn.cli.target import Options, find, open_application
from demijohn.secret import VARIABLE
from demijohn.settings import PREFIX, Settings

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
READ = [*PAGES, ROOT / "README.md"]


def shown(page: Path) -> str:
    return str(page.relative_to(ROOT))


# Blocks


@dataclass(frozen=True)
class Block:
    """Hold one fenced block of a page; `mark` is the comment above it."""

    page: Path
    line: int
    language: str
    mark: str
    text: str

    @property
    def file(self) -> str | None:
        return self.mark.removeprefix("file:").strip() if self.mark.startswith("file:") else None

    def __str__(self) -> str:
        return f"{shown(self.page)}:{self.line}"


_MARK = re.compile(r"<!-- (file: .+|run|not run: .+) -->")


def blocks_of(page: Path) -> Iterator[Block]:
    mark, lines = "", iter(enumerate(page.read_text(encoding="utf-8").splitlines(), 1))
    for number, line in lines:
        if line.startswith("```"):
            text = ""
            for _, inner in lines:
                if inner == "```":
                    break
                text += inner + "\n"
            yield Block(page, number, line[3:], mark, text)
        found = _MARK.fullmatch(line)
        mark = found[1] if found else mark if not line else ""


BLOCKS = [block for page in READ for block in blocks_of(page)]


@dataclass
class Book:
    """Run the blocks of one page, in its folder."""

    folder: Path
    options: Options | None = None
    app: Flask | None = None
    before: frozenset[str] = field(default_factory=lambda: frozenset(sys.modules))

    def run(self, block: Block) -> None:
        if block.file is not None:
            path = self.folder / block.file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text, encoding="utf-8")
            self.forget()
        elif block.mark.startswith("not run"):
            return
        elif ">>> " in block.text:
            self.test(block)
        elif block.mark == "run":
            self.forget()
            exec(compile(block.text, str(block), "exec"), {"__name__": "__main__"})
        elif block.language == "console":
            for command, expected in commands_of(block):
                printed = self.execute(command)
                if expected or not command.startswith("demijohn run "):
                    assert_printed(printed, expected, f"{block}: {command}")
        elif block.language == "python":
            pytest.fail(f"{block}: say above the block what it is: file, run or not run")

    def test(self, block: Block) -> None:
        examples = doctest.DocTestParser().get_doctest(block.text, {}, str(block), str(block.page), block.line)
        told: list[str] = []
        doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(examples, out=told.append)
        if told:
            pytest.fail("".join(told), pytrace=False)

    def execute(self, command: str) -> str:
        """Return what a command prints."""
        command, _, pipe = command.partition(" | ")
        program, *words = shlex.split(command)
        if program == "curl":
            assert pipe in ("", "python -m json.tool")
            printed = curl(self.served(), words)
            return json.dumps(json.loads(printed), indent=4) + "\n" if pipe else printed
        assert program == "demijohn", f"there is no way to run {command!r}; mark the block as not run"
        self.forget()
        result = CliRunner().invoke(main, words, catch_exceptions=False)
        return result.output if result.exit_code else result.stdout

    def serve(self, options: Options, line: str, *_: Any) -> None:
        """Stand in for the server: remember what it would serve."""
        self.options = options
        click.echo(line)

    def served(self) -> Flask:
        """Return the application that the page has come to."""
        if self.app is None:
            assert self.options is not None, "there is no `demijohn run` above this"
            self.app = open_application(find(self.options.target), self.options)
        return self.app

    def forget(self) -> None:
        """Forget the application and the modules of the page: its files have changed, or something else is to come."""
        self.app = None
        for name in sys.modules.keys() - self.before:
            module = sys.modules[name]
            places = [getattr(module, "__file__", None) or "", *getattr(module, "__path__", ())]
            if any(place.startswith(str(self.folder)) for place in places):
                del sys.modules[name]
        importlib.invalidate_caches()


def commands_of(block: Block) -> Iterator[tuple[str, str]]:
    """Yield each command of a console block and what stands below it."""
    for piece in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
        command, _, printed = re.sub(r"\\\n\s*", "", piece).partition("\n")
        yield command, printed


def assert_printed(printed: str, expected: str, where: str) -> None:
    """Compare line by line; of what `curl -i` prints, a page may leave headers out and order them."""
    head, _, rest = printed.partition("\n\n")
    if head.startswith("HTTP/"):
        wanted_head, _, expected = expected.partition("\n\n")
        lines = _headers(head)
        for wanted in _headers(wanted_head):
            if not any(_like(wanted, line) for line in lines):
                pytest.fail(f"{where}\n\nno header is like {wanted!r}:\n{head}", pytrace=False)
        printed = rest
    if not _like(expected.strip(), printed.strip()) and not _same_json(expected, printed):
        pytest.fail(f"{where}\n\nexpected:\n{expected}\nprinted:\n{printed}", pytrace=False)


def _headers(head: str) -> list[str]:
    """Return status and headers; each server has its own words for a status."""
    status, *lines = head.lower().splitlines()
    return [status[: len("http/1.1 200")], *lines]


def _like(pattern: str, text: str) -> bool:
    return re.fullmatch(".*".join(map(re.escape, pattern.split("..."))), text, re.DOTALL) is not None


def _same_json(one: str, other: str) -> bool:
    """Tell whether two texts are the same JSON, however a page has broken its lines."""
    try:
        return bool(json.loads(one) == json.loads(other))
    except ValueError:
        return False


def _curl_options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("curl", exit_on_error=False)
    parser.add_argument("url")
    for flag in ("-i", "-s", "-g", "-I", "-G"):
        parser.add_argument(flag, action="store_true")
    parser.add_argument("-X", dest="method")
    parser.add_argument("-d", "--data", dest="data", action="append", default=[])
    parser.add_argument("--json")
    parser.add_argument("-u", dest="user")
    parser.add_argument("-b", dest="cookie")
    parser.add_argument("-H", dest="headers", action="append", default=[])
    parser.add_argument("-F", dest="parts", action="append", default=[])
    parser.add_argument("--data-urlencode", dest="encoded", action="append", default=[])
    return parser


CURL = _curl_options()


def curl(app: Flask, words: list[str]) -> str:
    """Do what curl does with the options that the pages use, without a socket."""
    given = CURL.parse_args(words)
    url = urlsplit(given.url if "://" in given.url else f"http://{given.url}")
    headers = [("Accept", "*/*")]
    body: Any = None
    query = url.query
    if given.json is not None:
        headers = [("Content-Type", "application/json"), ("Accept", "application/json")]
        body = given.json.encode()
    elif given.parts:
        body = dict(map(_part, given.parts))
    elif given.data or given.encoded:
        text = "&".join([*given.data, *(urlencode([one.split("=", 1)]) for one in given.encoded)])
        if given.G:
            query = "&".join(filter(None, (query, text)))
        else:
            headers.append(("Content-Type", "application/x-www-form-urlencoded"))
            body = text.encode()
    if given.cookie:
        headers.append(("Cookie", given.cookie))
    for header in given.headers:
        name, _, value = header.partition(": ")
        headers = [pair for pair in headers if pair[0].lower() != name.lower()] + [(name, value)]
    method = given.method or ("HEAD" if given.I else "POST" if body is not None and not given.G else "GET")
    response = app.test_client(use_cookies=False).open(
        url.path or "/",
        method=method,
        base_url=f"{url.scheme}://{url.netloc}",
        query_string=query,
        headers=headers,
        data=body,
        auth=tuple(given.user.split(":", 1)) if given.user else None,
    )
    return _head(response) + response.text if given.i or given.I else response.text


def _part(text: str) -> tuple[str, Any]:
    name, _, value = text.partition("=")
    if not value.startswith("@"):
        return name, value
    file, _, kind = value[1:].partition(";type=")
    return name, (BytesIO(Path(file).read_bytes()), file, kind or "application/octet-stream")


def _head(response: TestResponse) -> str:
    status = f"{response.status_code} {HTTPStatus(response.status_code).phrase}"
    lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in response.headers)]
    return "\n".join(lines) + "\n\n"


@pytest.fixture
def book(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Book]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    for name in os.environ:
        if name.startswith(PREFIX):
            monkeypatch.delenv(name)
    monkeypatch.setenv(VARIABLE, "")  # so that what a page's .env brings is gone after it
    monkeypatch.delenv(VARIABLE)
    book = Book(tmp_path)
    monkeypatch.setattr("demijohn.cli.run._serve", book.serve)
    monkeypatch.setattr("demijohn.cli.run.claim", lambda host, port: (host, port))
    yield book
    book.forget()


@pytest.mark.parametrize("page", READ, ids=shown)
def test_the_blocks_of_a_page_run(page: Path, book: Book) -> None:
    for block in blocks_of(page):
        book.run(block)


@pytest.mark.parametrize("block", [block for block in BLOCKS if block.language in ("json", "yaml")], ids=str)
def test_data_can_be_read(block: Block) -> None:
    if block.language == "json":
        json.loads(block.text)
    else:
        yaml.safe_load(block.text)


# Completeness


def text_of(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def settings_text() -> str:
    """Return what the page of the settings has to say about them."""
    paragraphs = []
    for option in fields(Settings):
        default = str(option.default).lower() if isinstance(option.default, bool) else str(option.default)
        told = f"`{default}`" if default else "empty"
        head = f"### `{option.name}`\n\n`{PREFIX}{option.name.upper()}`, default {told}\n\n"
        paragraphs.append(head + textwrap.fill(option.metadata["help"], 120, break_on_hyphens=False) + "\n")
    return "\n".join(paragraphs)


def test_the_page_of_the_settings_says_what_the_code_says() -> None:
    page = text_of("reference/settings.md")
    told = page.partition("<!-- settings -->\n")[2].partition("<!-- end -->")[0]
    assert told.strip() == settings_text().strip()


def problem_classes(parent: type[Problem] = Problem) -> Iterator[type[Problem]]:
    yield parent
    for child in parent.__subclasses__():
        if child.__module__.startswith("demijohn"):
            yield from problem_classes(child)


def test_the_page_of_the_errors_has_each_code_and_no_other() -> None:
    row = re.compile(r"^## `([a-z-]+)`, (\d+)\n\n\*\*(.+)\*\* \(`(\w+)`\)", re.MULTILINE)
    rows = row.findall(text_of("reference/errors.md"))
    told = {(code, int(status), title, name) for code, status, title, name in rows}
    known = {(one.code, one.status, one().title, one.__name__) for one in problem_classes() if "code" in vars(one)}
    assert told == {row for row in known if row[3] != "Problem"}


def test_the_page_of_the_errors_names_each_class() -> None:
    page = text_of("reference/errors.md")
    assert [name for name in errors.__all__ if f"`{name}`" not in page and f"`{name}(" not in page] == []


def test_the_page_of_the_api_has_each_public_name_with_its_signature() -> None:
    page = text_of("reference/api.md")
    assert sorted(re.findall(r"^### `(\w+)`$", page, re.MULTILINE)) == sorted(demijohn.__all__)
    for name in demijohn.__all__:
        section = page.partition(f"### `{name}`\n")[2].partition("\n### ")[0]
        block = re.search(r"```text\n(.*?)\n```", section, re.DOTALL)
        told = re.sub(r"\n {4}", " ", block[1]).splitlines() if block else []
        assert told == signatures_of(name), name


def signatures_of(name: str) -> list[str]:
    """Return how a public name, and each method of its own, is called."""
    public = getattr(demijohn, name)
    found = {name: public}
    if isinstance(public, type):
        own = [key for key, one in vars(public).items() if isinstance(one, FunctionType | classmethod)]
        found |= {f"{name}.{key}": getattr(public, key) for key in own if not key.startswith("_")}
    return [key + signature for key, one in found.items() if (signature := signature_of(one))]


def signature_of(public: Any) -> str:
    """Return the arguments without annotations; nothing for what is not called, or without arguments of its own."""
    try:
        signature = inspect.signature(public)
    except (TypeError, ValueError):
        return ""
    bare = [one.replace(annotation=one.empty) for one in signature.parameters.values() if one.name != "self"]
    return str(signature.replace(parameters=bare, return_annotation=signature.empty))


def commands(group: click.Group, before: str = "") -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from commands(command, f"{before}{name} ")
        else:
            yield before + name, command


@pytest.mark.parametrize(("name", "command"), [*commands(main)])
def test_the_page_of_the_commands_names_each_option(name: str, command: click.Command) -> None:
    section = text_of("reference/commands.md").partition(f"# demijohn {name}\n")[2]
    section = re.split(r"^##+ ", section, maxsplit=1, flags=re.MULTILINE)[0]
    options = [option for one in command.params if isinstance(one, click.Option) for option in one.opts]
    assert section
    assert [option for option in options if f"`{option}" not in section] == []
    assert set(re.findall(r"`(--[\w-]+)", section)) <= {*options, "--help"}


def test_the_changelog_has_the_version_of_the_project() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    assert re.search(rf"^## {re.escape(version)}\b", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)


# Links and hosts

_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
_HOST = re.compile(r"https?://([^/\s\"'`)>\]{]+)")
_BARE_HOST = re.compile(r"(?<![\w./-])(?:[a-z0-9-]+\.)+(?:com|dev|io|net|org)\b")
_ALLOWED_HOSTS = {"example.org", "example.com", "127.0.0.1", "localhost"}
_SPECIFICATIONS = {"github.com", "json-schema.org", "semver.org", "spec.openapis.org", "www.rfc-editor.org"}


def prose_of(page: Path) -> str:
    """Return a page without its blocks of code."""
    return re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


def anchors_of(page: Path) -> set[str]:
    """Return the anchors that GitHub gives to the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", prose_of(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", READ, ids=shown)
def test_every_link_inside_leads_somewhere(page: Path) -> None:
    for link in _LINK.findall(prose_of(page)):
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), f"{shown(page)}: {link}"
        assert target.resolve().is_relative_to(ROOT), f"{shown(page)}: {link}"
        if anchor:
            assert anchor in anchors_of(target), f"{shown(page)}: {link}"


@pytest.mark.parametrize("page", READ, ids=shown)
def test_no_host_is_named_but_examples_and_specifications(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    hosts = {host.rpartition("@")[2].partition(":")[0] for host in _HOST.findall(text)}
    assert hosts | {*_BARE_HOST.findall(text)} <= _ALLOWED_HOSTS | _SPECIFICATIONS


def test_every_page_can_be_reached_from_the_first() -> None:
    reached, waiting = set(), [DOCS / "index.md"]
    while waiting:
        page = waiting.pop()
        if page not in reached:
            reached.add(page)
            links = [link.partition("#")[0] for link in _LINK.findall(prose_of(page)) if "://" not in link]
            waiting += [(page.parent / link).resolve() for link in links if link.endswith(".md")]
    assert set(PAGES) - reached == set()


@pytest.mark.parametrize("page", [page for page in PAGES if page.name != "decisions.md"], ids=shown)
def test_lines_are_short(page: Path) -> None:
    lines = page.read_text(encoding="utf-8").splitlines()
    assert [number for number, line in enumerate(lines, 1) if len(line) > 120 and not line.startswith("|")] == []
