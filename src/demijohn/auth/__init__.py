"""WHO: who is calling: users, passwords, tokens, sessions, keys.

What is exported here is for the application's own views; the operations of a contract need none of it.
"""

from demijohn.auth.context import current_caller, current_user, login_required

__all__ = ["current_caller", "current_user", "login_required"]
