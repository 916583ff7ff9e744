"""A contract and its functions to plans."""

from demijohn.compile.answers import NoContent
from demijohn.compile.compiler import compile_contract
from demijohn.compile.functions import importable
from demijohn.compile.plan import Plan
from demijohn.compile.resolvers import MethodViewResolver, RelativeResolver, Resolver, RestyResolver
from demijohn.compile.routes import Resource

__all__ = [
    "MethodViewResolver",
    "NoContent",
    "Plan",
    "RelativeResolver",
    "Resolver",
    "Resource",
    "RestyResolver",
    "compile_contract",
    "importable",
]
