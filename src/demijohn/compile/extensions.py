"""What a contract says to Demijohn in keys of its own, where that can be judged without functions and models."""

from __future__ import annotations

from demijohn.compile.cors import compile_cors
from demijohn.compile.guards import Report
from demijohn.compile.rates import compile_rate_policy
from demijohn.compile.reuse import cache_wish
from demijohn.contract import Contract

__all__ = ["check_extensions"]


def check_extensions(contract: Contract, report: Report) -> None:
    """Report what is wrong with the keys that the start will read, for who has nothing but the contract."""
    compile_cors(contract, frozenset(), report)
    for operation in contract.operations:
        compile_rate_policy(operation, contract, "", None, report)
        cache_wish(operation, contract, report)
