"""The People page in a real browser, against a real server process."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page, Route

CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
START_TIMEOUT_S = 30
FIRST_PEOPLE = [("Kent", "Brockman"), ("Bunny", "Easter"), ("Doug", "Farrell")]


def unavailable(reason: str) -> None:
    """Skip for that reason, or fail where every test has to run."""
    if os.environ.get("DEMIJOHN_REQUIRE_ALL") == "1":
        pytest.fail(f"{reason}, and DEMIJOHN_REQUIRE_ALL is set")
    pytest.skip(reason)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        unavailable("Playwright is not installed")
    if not Path(CHROMIUM).exists():
        unavailable("Chromium is not installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def server(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run the application as its users do, and give its address."""
    folder = tmp_path_factory.mktemp("people")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = folder / "log"
    command = [str(Path(sys.executable).with_name("demijohn")), "run", str(Path(__file__).parents[1])]
    with log.open("w") as output:
        process = subprocess.Popen(
            [*command, "--port", str(port)],
            env={**os.environ, "DATABASE_URL": f"sqlite:///{folder / 'people.sqlite'}"},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            wait_until_answered(process, port, log)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            try:
                process.wait(timeout=15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def wait_until_answered(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    for _ in range(START_TIMEOUT_S * 20):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            try:
                process.wait(timeout=0.05)
            except subprocess.TimeoutExpired:
                continue
            break
    pytest.fail(f"the server does not answer: {log.read_text()}")


@dataclass(slots=True)
class Api:
    """The API beside the page: what the server really has."""

    url: str

    def call(self, method: str, path: str = "", body: object = None) -> Any:
        request = urllib.request.Request(
            f"{self.url}/api/people{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"} if body is not None else {},
        )
        with urllib.request.urlopen(request, timeout=10) as response:
            content = response.read()
        return json.loads(content) if content else None

    def people(self) -> list[tuple[str, str]]:
        return [(person["fname"], person["lname"]) for person in self.call("GET")]

    def create(self, fname: str, lname: str) -> None:
        self.call("POST", body={"fname": fname, "lname": lname})

    def delete(self, lname: str) -> None:
        self.call("DELETE", f"/{quote(lname, safe='')}")


@pytest.fixture
def api(server: str) -> Api:
    """Give the API with only the first people in it."""
    api = Api(server)
    for _, lname in api.people():
        api.delete(lname)
    for fname, lname in FIRST_PEOPLE:
        api.create(fname, lname)
    return api


@dataclass(slots=True)
class Demo:
    """The page, by the names under which its users find things."""

    page: Page
    errors: list[str] = field(default_factory=list)
    hosts: set[str] = field(default_factory=set)

    def open(self, url: str) -> None:
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", lambda message: self.errors.append(message.text))
        self.page.on("request", lambda request: self.hosts.add(urlsplit(request.url).netloc))
        self.page.goto(url)

    @property
    def first_name(self) -> Locator:
        return self.page.get_by_role("textbox", name="First name", exact=True)

    @property
    def last_name(self) -> Locator:
        return self.page.get_by_role("textbox", name="Last name", exact=True)

    @property
    def status(self) -> Locator:
        return self.page.get_by_role("status")

    @property
    def alert(self) -> Locator:
        return self.page.get_by_role("alert")

    @property
    def table(self) -> Locator:
        return self.page.get_by_role("table")

    @property
    def rows(self) -> Locator:
        return self.table.locator("tbody").get_by_role("row")

    def row(self, lname: str) -> Locator:
        return self.rows.filter(has=self.page.get_by_role("rowheader", name=lname, exact=True))

    def press(self, button: str) -> None:
        self.page.get_by_role("button", name=button, exact=True).click()

    def type(self, fname: str, lname: str) -> None:
        self.first_name.fill(fname)
        self.last_name.fill(lname)

    def names(self) -> list[tuple[str, str]]:
        """Wait until the table is settled, and read it."""
        self.page.wait_for_selector("table[aria-busy=false]")
        cells = [row.get_by_role("cell").or_(row.get_by_role("rowheader")) for row in self.rows.all()]
        return [(cell.nth(0).inner_text(), cell.nth(1).inner_text()) for cell in cells]


@pytest.fixture
def open_demo(browser: Browser, server: str, api: Api) -> Iterator[Callable[..., Demo]]:
    """Give a function that opens the page in a new browser context with the given options."""
    contexts = []

    def open_it(prepare: Callable[[Page], object] | None = None, **options: Any) -> Demo:
        contexts.append(browser.new_context(**options))
        demo = Demo(contexts[-1].new_page())
        if prepare is not None:
            prepare(demo.page)
        demo.open(f"{server}/")
        return demo

    yield open_it
    for context in contexts:
        context.close()


@pytest.fixture
def demo(open_demo: Callable[..., Demo]) -> Iterator[Demo]:
    """Open the page, and check at the end that nothing went wrong behind it."""
    demo = open_demo()
    assert demo.names() == FIRST_PEOPLE
    yield demo
    # The browser itself writes down every answer that is an error; the page must not add anything.
    assert [error for error in demo.errors if "the server responded with a status of 4" not in error] == []
    assert demo.hosts == {urlsplit(demo.page.url).netloc}


def expect(locator: Locator) -> Any:
    from playwright.sync_api import expect

    return expect(locator)


def test_the_page_shows_the_people(demo: Demo) -> None:
    expect(demo.page.get_by_role("heading", level=1, name="People Demo Application")).to_be_visible()
    headers = demo.table.get_by_role("columnheader").all_inner_texts()
    assert headers == ["First name", "Last name", "Update time", "Edit"]
    expect(demo.table.locator("caption")).to_have_text("3 people by last name; times in UTC")
    time = demo.row("Farrell").get_by_role("time")
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", time.inner_text())
    assert time.get_attribute("datetime") == time.inner_text().replace(" ", "T") + "Z"
    assert demo.errors == []


def test_create_adds_a_person(demo: Demo, api: Api) -> None:
    demo.type("Lisa", "Simpson")
    demo.press("Create")
    expect(demo.status).to_have_text("Created Lisa Simpson.")
    assert demo.names() == [*FIRST_PEOPLE, ("Lisa", "Simpson")] == api.people()
    expect(demo.last_name).to_have_value("")


def test_blanks_around_a_name_are_left_out(demo: Demo, api: Api) -> None:
    demo.type(" Lisa ", " Simpson ")
    demo.press("Create")
    expect(demo.status).to_have_text("Created Lisa Simpson.")
    assert ("Lisa", "Simpson") in api.people()


def test_enter_in_a_field_creates(demo: Demo) -> None:
    demo.type("Lisa", "Simpson")
    demo.last_name.press("Enter")
    expect(demo.status).to_have_text("Created Lisa Simpson.")


def test_a_double_click_takes_a_row_into_the_editor(demo: Demo) -> None:
    demo.row("Brockman").dblclick()
    expect(demo.first_name).to_have_value("Kent")
    expect(demo.last_name).to_have_value("Brockman")


def test_update_changes_the_first_name(demo: Demo, api: Api) -> None:
    demo.row("Farrell").dblclick()
    demo.first_name.fill("Douglas")
    demo.press("Update")
    expect(demo.status).to_have_text("Updated Douglas Farrell.")
    assert demo.names()[2] == ("Douglas", "Farrell") == api.people()[2]


def test_delete_removes_a_person_by_the_last_name_alone(demo: Demo, api: Api) -> None:
    demo.last_name.fill("Easter")
    demo.press("Delete")
    expect(demo.status).to_have_text("Deleted Bunny Easter.")
    assert demo.names() == [("Kent", "Brockman"), ("Doug", "Farrell")] == api.people()


def test_undo_brings_a_deleted_person_back(demo: Demo, api: Api) -> None:
    demo.last_name.fill("Easter")
    demo.press("Delete")
    demo.press("Undo: create Bunny Easter again")
    expect(demo.status).to_have_text("Created Bunny Easter.")
    assert demo.names() == FIRST_PEOPLE == api.people()
    expect(demo.page.locator("#undo")).to_be_hidden()


def test_reset_empties_fields_and_messages(demo: Demo) -> None:
    demo.type("Doug", "Farrell")
    demo.press("Create")
    expect(demo.alert).not_to_be_empty()
    demo.press("Reset")
    expect(demo.first_name).to_have_value("")
    expect(demo.last_name).to_have_value("")
    expect(demo.alert).to_be_empty()
    expect(demo.last_name).not_to_have_attribute("aria-invalid", "true")


def test_everything_works_from_the_keyboard(demo: Demo, api: Api) -> None:
    keyboard = demo.page.keyboard
    demo.page.get_by_role("button", name="Edit Kent Brockman").focus()
    keyboard.press("Enter")
    expect(demo.first_name).to_be_focused()
    expect(demo.first_name).to_have_value("Kent")
    keyboard.type("Kenneth")
    create, update = (demo.page.get_by_role("button", name=name) for name in ("Create", "Update"))
    for stop in (demo.last_name, create, update):
        keyboard.press("Tab")
        expect(stop).to_be_focused()
    keyboard.press("Space")
    expect(demo.status).to_have_text("Updated Kenneth Brockman.")
    assert ("Kenneth", "Brockman") in api.people()
    demo.names()
    expect(update).to_be_focused()


def test_the_focus_can_be_seen(demo: Demo) -> None:
    demo.page.keyboard.press("Tab")
    while not demo.page.evaluate("document.activeElement.matches('tbody tr:last-child button')"):
        outline = demo.page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline == "solid", demo.page.evaluate("document.activeElement.outerHTML")
        demo.page.keyboard.press("Tab")


def test_a_taken_last_name_is_told_at_its_field(demo: Demo) -> None:
    demo.type("Ann", "Farrell")
    demo.press("Create")
    expect(demo.alert).to_have_text("The last name is taken")
    expect(demo.last_name).to_have_attribute("aria-invalid", "true")
    told = "There is already a person with the last name Farrell."
    expect(demo.last_name).to_have_accessible_description(told)
    expect(demo.last_name).to_be_focused()
    expect(demo.first_name).not_to_have_attribute("aria-invalid", "true")
    expect(demo.last_name).to_have_value("Farrell")


def test_all_faults_are_told_at_their_fields(demo: Demo) -> None:
    demo.type("", "a/b")
    demo.press("Create")
    expect(demo.alert).to_have_text("Please correct the marked fields.")
    for one, told in ((demo.first_name, re.compile("at least 1")), (demo.last_name, re.compile("no slash"))):
        expect(one).to_have_attribute("aria-invalid", "true")
        expect(one).to_have_accessible_description(told)
    expect(demo.first_name).to_be_focused()


def test_an_error_goes_away_with_the_next_success(demo: Demo) -> None:
    demo.type("Ann", "Farrell")
    demo.press("Create")
    expect(demo.alert).not_to_be_empty()
    demo.last_name.fill("Adams")
    demo.press("Create")
    expect(demo.status).to_have_text("Created Ann Adams.")
    expect(demo.alert).to_be_empty()
    expect(demo.last_name).not_to_have_attribute("aria-invalid", "true")


@pytest.mark.parametrize("button", ["Update", "Delete"])
def test_a_misspelt_last_name_is_told(demo: Demo, button: str) -> None:
    demo.type("Doug", "Farell")
    demo.press(button)
    expect(demo.alert).to_contain_text("There is no such person")
    expect(demo.last_name).to_have_accessible_description("There is no person with the last name Farell.")


@pytest.mark.parametrize("button", ["Update", "Delete"])
def test_a_missing_last_name_is_told(demo: Demo, api: Api, button: str) -> None:
    demo.first_name.fill("Doug")
    demo.press(button)
    told = f"Enter the last name of the person to {button.lower()}."
    expect(demo.last_name).to_have_accessible_description(told)
    assert api.people() == FIRST_PEOPLE


@pytest.mark.parametrize("lname", ["50% off?", "who#1&2;3", "Ørsted 李 😀", "a\\b+c", 'O\'Brien "x"'])
def test_any_last_name_is_found_again(demo: Demo, api: Api, lname: str) -> None:
    demo.type("Ann", lname)
    demo.press("Create")
    expect(demo.status).to_have_text(f"Created Ann {lname}.")
    demo.row(lname).dblclick()
    demo.first_name.fill("Bob")
    demo.press("Update")
    expect(demo.status).to_have_text(f"Updated Bob {lname}.")
    demo.row(lname).dblclick()
    demo.press("Delete")
    expect(demo.status).to_have_text(f"Deleted Bob {lname}.")
    assert demo.names() == FIRST_PEOPLE == api.people()


def test_a_name_is_text_and_never_markup(demo: Demo) -> None:
    fname = "<img src=x onerror=alert(1)>"
    demo.type(fname, "{{7*7}}<b>")
    demo.press("Create")
    expect(demo.status).to_have_text(f"Created {fname} {{{{7*7}}}}<b>.")
    assert (fname, "{{7*7}}<b>") in demo.names()
    assert demo.page.locator("main img, main b").count() == 0


def test_an_empty_list_is_told(demo: Demo) -> None:
    for _, lname in FIRST_PEOPLE:
        demo.last_name.fill(lname)
        demo.press("Delete")
        expect(demo.row(lname)).to_have_count(0)
    expect(demo.table.locator("caption")).to_have_text("Nobody is here yet. Create the first person.")


def test_more_people_than_one_answer_holds_are_all_shown(open_demo: Callable[..., Demo]) -> None:
    def answer(route: Route) -> None:
        offset = int(route.request.url.rsplit("=", 1)[1])
        count = 1000 if offset == 0 else 7
        person = {"fname": "Ann", "timestamp": "2018-05-10 18:12:42"}
        route.fulfill(json=[person | {"lname": f"A{offset + number}"} for number in range(count)])

    demo = open_demo(lambda page: page.route("**/api/people?*", answer))
    expect(demo.table.locator("caption")).to_have_text("1007 people by last name; times in UTC")
    expect(demo.rows).to_have_count(1007)


def test_a_slow_server_is_waited_for_and_asked_only_once(demo: Demo) -> None:
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    demo.page.route("**/api/people", hold)
    demo.type("Lisa", "Simpson")
    with demo.page.expect_request("**/api/people"):
        demo.press("Create")
    expect(demo.table).to_have_attribute("aria-busy", "true")
    for button in demo.page.get_by_role("button").all():
        expect(button).to_be_disabled()
    demo.last_name.press("Enter")
    demo.page.evaluate("document.querySelector('form').requestSubmit()")
    assert len(held) == 1
    held[0].continue_()
    expect(demo.status).to_have_text("Created Lisa Simpson.")
    expect(demo.table).to_have_attribute("aria-busy", "false")
    expect(demo.page.get_by_role("button", name="Create")).to_be_enabled()
    assert len(held) == 1


def test_a_lost_connection_is_told_and_survived(open_demo: Callable[..., Demo]) -> None:
    demo = open_demo(lambda page: page.route("**/api/people**", lambda route: route.abort()))
    expect(demo.alert).to_contain_text("The server cannot be reached.")
    demo.page.unroute("**/api/people**")
    demo.type("Lisa", "Simpson")
    demo.press("Create")
    expect(demo.status).to_have_text("Created Lisa Simpson.")
    expect(demo.alert).to_be_empty()
    assert len(demo.names()) == 4


def test_an_answer_that_is_no_problem_document_is_told(open_demo: Callable[..., Demo]) -> None:
    def answer(route: Route) -> None:
        route.fulfill(status=502, body="<h1>Bad gateway</h1>", content_type="text/html")

    demo = open_demo(lambda page: page.route("**/api/people**", answer))
    expect(demo.alert).to_have_text("The server answered with status 502")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 1280])
def test_the_page_fits_and_can_be_read(open_demo: Callable[..., Demo], api: Api, width: int, scheme: str) -> None:
    api.create("W" * 64, "M" * 64)
    demo = open_demo(viewport={"width": width, "height": 700}, color_scheme=scheme, reduced_motion="reduce")
    assert len(demo.names()) == 4
    demo.type("", "/" * 64)
    demo.press("Create")
    expect(demo.alert).not_to_be_empty()
    demo.page.get_by_role("button", name="Reset").hover()
    assert demo.page.evaluate("document.documentElement.scrollWidth") <= width
    assert demo.page.evaluate(OVERFLOWING) == []
    assert demo.page.evaluate(LOW_CONTRAST) == []
    dark = demo.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(17, 23, 20)"
    assert dark == (scheme == "dark")


def test_nothing_moves_for_those_who_want_it_so(open_demo: Callable[..., Demo]) -> None:
    for motion, animation in (("no-preference", "settle"), ("reduce", "none")):
        demo = open_demo(reduced_motion=motion)
        demo.type(motion, "Farrell")
        demo.press("Update")
        expect(demo.page.locator("tr.changed")).to_have_css("animation-name", animation)


def test_the_links_lead_to_the_contract_and_its_documentation(demo: Demo) -> None:
    for name, path in (("API documentation", "/api/ui/"), ("Contract", "/api/openapi.json")):
        link = demo.page.get_by_role("link", name=name)
        assert link.get_attribute("href") == path
        response = demo.page.request.get(demo.page.url.rstrip("/") + path)
        assert response.status == 200


# Every part of the page that sticks out of its box.
OVERFLOWING = """() => [...document.querySelectorAll(".card, td, th:not(.edit)")]
  .filter((element) => element.scrollWidth > element.clientWidth + 1)
  .map((element) => element.outerHTML.slice(0, 80))"""

# Every text on the page with less contrast than WCAG 2.2 asks for, success criterion 1.4.3.
LOW_CONTRAST = """() => {
  const channels = (color) => color.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b]
    .map((c) => c / 255)
    .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (element) => {
    for (let one = element; one; one = one.parentElement) {
      const color = channels(getComputedStyle(one).backgroundColor);
      if (color.length === 3 || color[3] === 1) return color;
    }
    return [255, 255, 255];
  };
  const low = [];
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    if (!own && element.tagName !== "INPUT" || !element.checkVisibility()) continue;
    const pair = [channels(getComputedStyle(element).color), behind(element)].map(light);
    const ratio = (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05);
    if (ratio < 4.5) low.push(`${element.outerHTML.slice(0, 80)}: ${ratio.toFixed(2)}`);
  }
  return low;
}"""
