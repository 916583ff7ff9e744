"""One routing decision: which template a path belongs to."""

from __future__ import annotations

import time

import pytest

from demijohn.compile.routes import Resource, Routes, normal_path


def routes(*templates: str) -> Routes:
    return Routes([Resource(template, {}, "OPTIONS") for template in templates])


def found(table: Routes, path: str) -> tuple[str, tuple[str, ...]] | None:
    match = table.match(normal_path(path))
    return None if match is None else (match.resource.template, match.captures)


@pytest.mark.parametrize("order", [1, -1])
def test_a_concrete_path_beats_a_templated_one_in_any_order(order: int) -> None:
    table = routes(*["/u/{id}", "/u/me"][::order])
    assert found(table, "/u/me") == ("/u/me", ())
    assert found(table, "/u/you") == ("/u/{id}", ("you",))


def test_a_path_falls_back_where_the_concrete_branch_ends() -> None:
    table = routes("/u/me", "/u/{id}/posts", "/u/me/cars")
    assert found(table, "/u/me/posts") == ("/u/{id}/posts", ("me",))
    assert found(table, "/u/me/cars") == ("/u/me/cars", ())
    assert found(table, "/u/me/boats") is None


@pytest.mark.parametrize(
    ("template", "path", "captures"),
    [
        ("/{id}.json", "/7.json", ("7",)),
        ("/{id}.json", "/a.json.json", ("a.json",)),
        ("/{id}.json", "/.json", None),
        ("/{id}.json", "/7.xml", None),
        ("/v{major}.{minor}", "/v1.2.3", ("1", "2.3")),
        ("/v{major}.{minor}", "/v1.", None),
        ("/{from}..{to}", "/a..b", ("a", "b")),
        ("/{from}..{to}", "/a.b", None),
        ("/{a}{b}", "/xyz", ("x", "yz")),
        ("/{a}{b}", "/x", None),
        ("/x{a}x", "/xx", None),
        ("/x{a}x", "/x", None),
        ("/report.{format}", "/report.csv", ("csv",)),
    ],
)
def test_partial_segments(template: str, path: str, captures: tuple[str, ...] | None) -> None:
    assert found(routes(template), path) == (None if captures is None else (template, captures))


def test_a_segment_with_more_fixed_text_beats_one_with_less() -> None:
    table = routes("/{name}", "/{name}.gz", "/{name}.tar.gz")
    assert found(table, "/a.tar.gz") == ("/{name}.tar.gz", ("a",))
    assert found(table, "/a.gz") == ("/{name}.gz", ("a",))
    assert found(table, "/a") == ("/{name}", ("a",))


def test_a_partial_segment_falls_back_to_the_bare_parameter() -> None:
    table = routes("/{a}.json/x", "/{b}/y")
    assert found(table, "/1.json/x") == ("/{a}.json/x", ("1",))
    assert found(table, "/1.json/y") == ("/{b}/y", ("1.json",))


def test_an_encoded_slash_stays_within_its_segment() -> None:
    assert found(routes("/p/{name}"), "/p/a%2fb") == ("/p/{name}", ("a%2Fb",))


@pytest.mark.parametrize("path", ["/caf%C3%A9", "/caf%c3%a9", "/%63af%C3%A9"])
def test_equal_escapes_match_fixed_text(path: str) -> None:
    assert found(routes("/café"), path) == ("/café", ())
    assert found(routes("/café/{x}"), path + "/1") == ("/café/{x}", ("1",))


def test_trailing_slashes_are_as_written() -> None:
    table = routes("/a", "/b/", "/c/{id}/")
    assert found(table, "/a/") is None
    assert found(table, "/b") is None
    assert found(table, "/b/") == ("/b/", ())
    assert found(table, "/c/1") is None
    assert found(table, "/c/1/") == ("/c/{id}/", ("1",))


def test_a_parameter_is_never_empty() -> None:
    assert found(routes("/a/{x}"), "/a/") is None
    assert found(routes("/a/{x}/b"), "/a//b") is None


def test_the_root_is_a_path_of_its_own() -> None:
    assert found(routes("/", "/{x}"), "/") == ("/", ())


def test_a_shape_forgets_the_names() -> None:
    table = routes("/a/{x}.{y}")
    assert table.resources[0].shape == "/a/{}.{}"


def test_matching_does_not_slow_down_with_the_number_of_operations() -> None:
    few = routes(*(f"/r{index}/{{id}}/x" for index in range(10)))
    many = routes(*(f"/r{index}/{{id}}/x" for index in range(5000)))

    def cost(table: Routes) -> float:
        best = 1.0
        for _ in range(20):
            start = time.perf_counter()
            for _ in range(200):
                table.match("/r7/abc/x")
            best = min(best, time.perf_counter() - start)
        return best

    assert cost(many) < 4 * cost(few)


def test_a_long_segment_is_matched_in_linear_time() -> None:
    table = routes("/{a}-{b}-{c}-{d}-{e}.json")
    start = time.process_time()
    assert table.match("/" + "-" * 100_000) is None
    assert time.process_time() - start < 0.1


def test_a_reserved_path_beats_a_template_and_loses_to_a_concrete_path() -> None:
    resources = [Resource(template, {}, "") for template in ("/{x}", "/kept")]
    table = Routes(resources, reserved=["/ui", "/kept"])
    assert table.match("/ui") is None
    assert found(table, "/kept") == ("/kept", ())
    assert found(table, "/other") == ("/{x}", ("other",))
