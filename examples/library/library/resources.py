"""What the contract and the models become: the API, and what stands for each model in the functions beside it."""

from __future__ import annotations

from demijohn import Demijohn

from .models import Book, Hold, Loan, Order, User
from .rules import is_isbn

__all__ = ["api", "books", "holds", "loans", "orders"]

api = Demijohn()
books = api.resource(Book)
loans = api.resource(Loan)
holds = api.resource(Hold)
orders = api.resource(Order)
api.accounts(
    User,
    login=("email", "username"),
    password="password_hash",  # noqa: S106  # the name of a column
    roles="role",
    disabled="is_disabled",
    default_role="member",
)
api.add_format("isbn", is_isbn)
api.add_contract("openapi.yaml")
