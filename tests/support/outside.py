"""What a test does that lacks something from outside: a program, a server, a folder."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest


def skip_or_fail(reason: str) -> NoReturn:
    """Skip a test that lacks something from outside; fail where everything has to be there."""
    if os.environ.get("DEMIJOHN_REQUIRE_ALL") == "1":
        pytest.fail(reason)
    pytest.skip(reason)
