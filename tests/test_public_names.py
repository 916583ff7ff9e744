"""Public names are exported once, in a sorted `__all__`."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from types import ModuleType

import pytest

import demijohn

PUBLIC = [
    "BadRequest",
    "BindingError",
    "Conflict",
    "ContractError",
    "Demijohn",
    "DemijohnError",
    "Forbidden",
    "MethodViewResolver",
    "NoContent",
    "NotFound",
    "Problem",
    "ProblemException",
    "RelativeResolver",
    "RestyResolver",
    "SettingError",
    "Settings",
    "StartError",
    "Unauthorized",
    "problem",
]
# `python -m` runs these; nobody imports from them.
SCRIPTS = {"__main__"}


def names_of_modules() -> list[str]:
    below = pkgutil.walk_packages(demijohn.__path__, "demijohn.")
    return ["demijohn", *(one.name for one in below if one.name.rpartition(".")[2] not in SCRIPTS)]


MODULES = names_of_modules()


def order(name: str) -> tuple[int, str]:
    """Return what isort, and ruff's RUF022, sort by: constants, then classes, then the rest."""
    return 0 if name.isupper() and len(name) > 1 else 1 if name[0].isupper() else 2, name


def exports_of(module: ModuleType) -> list[str]:
    assert hasattr(module, "__all__"), f"{module.__name__} has no __all__"
    return list(module.__all__)


def test_the_package_exports_what_the_documentation_promises() -> None:
    assert exports_of(demijohn) == PUBLIC


@pytest.mark.parametrize("name", MODULES)
def test_exports_are_sorted_and_each_is_there_once(name: str) -> None:
    names = exports_of(importlib.import_module(name))
    assert names == sorted(set(names), key=order)


@pytest.mark.parametrize("name", MODULES)
def test_every_exported_name_exists(name: str) -> None:
    module = importlib.import_module(name)
    assert [one for one in exports_of(module) if not hasattr(module, one)] == []


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_function_and_class_says_what_it_is(name: str) -> None:
    public = getattr(demijohn, name)
    if inspect.isclass(public) or inspect.isfunction(public):
        assert (public.__doc__ or "").partition("\n")[0].endswith("."), "the first line is a whole sentence"
