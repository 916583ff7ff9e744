"""Demijohn: one OpenAPI contract in, one production REST API out."""

from demijohn.app import Demijohn
from demijohn.compile import MethodViewResolver, NoContent, RelativeResolver, RestyResolver
from demijohn.errors import (
    BadRequest,
    BindingError,
    Conflict,
    ContractError,
    DemijohnError,
    Forbidden,
    NotFound,
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
