"""How many requests, and how many logins, there may be in a time."""

from demijohn.limits.limiter import Limiter, limiter_of, new_limiter
from demijohn.limits.logins import LoginLimits

__all__ = ["Limiter", "LoginLimits", "limiter_of", "new_limiter"]
