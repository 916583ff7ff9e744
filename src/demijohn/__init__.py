"""Demijohn: one OpenAPI contract in, one production REST API out."""

from demijohn.app import Demijohn
from demijohn.compile import MethodViewResolver, NoContent, RelativeResolver, RestyResolver
from demijohn.errors import (
    BadRequest,
    BindingError,
    ContractError,
    DemijohnError,
    Forbidden,
    Problem,
    ProblemException,
    SettingError,
    StartError,
    Unauthorized,
    problem,
)
from demijohn.settings import Settings

__all__ = [
    "BadRequest",
    "BindingError",
    "ContractError",
    "Demijohn",
    "DemijohnError",
    "Forbidden",
    "MethodViewResolver",
    "NoContent",
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
