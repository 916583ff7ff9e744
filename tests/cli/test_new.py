"""`demijohn new` writes a project that runs, passes its tests, and is as clean as the code that wrote it."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from projects import assert_clean, run_in

from demijohn.cli import main
from demijohn.cli.target import Options, find, open_application

ROOT = Path(__file__).parents[2]


def new(*words: str) -> Result:
    return CliRunner().invoke(main, ["new", *words], catch_exceptions=False)


@pytest.mark.parametrize("options", [[], ["--accounts"]], ids=["plain", "accounts"])
def test_a_new_project_passes_its_tests_and_the_linter(tmp_path: Path, options: list[str]) -> None:
    result = new("wine_shelf", *options)
    assert (result.exit_code, result.stdout.splitlines()[0]) == (0, "Wrote wine_shelf. Next:")
    assert " passed" in run_in(tmp_path / "wine_shelf", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider")
    assert_clean(tmp_path / "wine_shelf")


def test_new_projects_are_typed(tmp_path: Path) -> None:
    new("plain_shelf")
    new("shelf_of_users", "--accounts")
    files = [f"{project}/{project}" for project in ("plain_shelf", "shelf_of_users")]
    options = ["--strict", "--python-version", "3.11", "--cache-dir", str(ROOT / ".mypy_cache")]
    run_in(tmp_path, "mypy", *options, *files)


def test_a_new_project_has_everything_under_its_own_name(tmp_path: Path) -> None:
    new("wine_shelf")
    files = {file.relative_to(tmp_path).as_posix() for file in (tmp_path / "wine_shelf").rglob("*") if file.is_file()}
    assert files == {
        "wine_shelf/.env.example",
        "wine_shelf/.gitignore",
        "wine_shelf/README.md",
        "wine_shelf/pyproject.toml",
        "wine_shelf/tests/test_tasks.py",
        *(f"wine_shelf/wine_shelf/{name}" for name in ("__init__.py", "handlers.py", "models.py", "openapi.yaml")),
    }
    texts = [(tmp_path / file).read_text(encoding="utf-8") for file in files]
    for text in texts:
        assert [word for word in ("project_name", "project-name", "Project Title", ">>>", "<<<") if word in text] == []
    project = tomllib.loads((tmp_path / "wine_shelf" / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert (project["name"], project["description"]) == ("wine-shelf", "Wine shelf: a REST API.")


def test_a_new_project_is_served_by_its_folder_and_by_its_factory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new("wine_shelf")
    monkeypatch.chdir(tmp_path / "wine_shelf")
    for target in (".", "wine_shelf:create_app"):
        app = open_application(find(target), Options(target))
        assert app.test_client().get("/api/tasks").get_json() == []


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "wine_shelf").mkdir()
    (tmp_path / "wine_shelf" / "mine.txt").write_text("mine")
    (tmp_path / "wine_cellar").write_text("mine, too")
    for name in ("wine_shelf", "wine_cellar"):
        result = new(name)
        assert (result.exit_code, "is there already" in result.stderr) == (1, True)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["mine.txt", "wine_cellar", "wine_shelf"]


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("wine-shelf", "wine_shelf would do"),
        ("9lives", "api_9lives would do"),
        ("Größe", "gr_e would do"),
        ("a/b", "a_b would do"),
        ("../up", "up would do"),
        ("-_-", ""),
        ("json", "json_api would do"),
        ("flask", "flask_api would do"),
        ("class", "class_api would do"),
        ("tests", "tests_api would do"),
        ("x" * 41, "x" * 40 + " would do"),
    ],
)
def test_a_name_that_no_package_can_have_gets_a_suggestion(tmp_path: Path, name: str, told: str) -> None:
    result = new("--", name)
    assert (result.exit_code, told in result.stderr) == (2, True), result.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "rename", refuse)
    result = new("wine_shelf")
    assert (result.exit_code, result.stderr) == (1, "Error: wine_shelf cannot be written: Permission denied.\n")
    assert list(tmp_path.iterdir()) == []
