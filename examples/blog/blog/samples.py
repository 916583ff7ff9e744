"""Something to see in a new blog: a few users, what they wrote, and products. Nobody can log in as one of them."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import click
from flask import Blueprint, current_app
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from .models import Post, Product, User, db, now

__all__ = ["ROLES", "load_samples", "samples"]

ROLES = ("admin", "member")
"""For whom `demijohn demo` makes an account, with a password of its own."""

# No hash, and so no password has it. `demijohn user password` gives one.
NO_PASSWORD = "!"  # noqa: S105  # it is none

# Who they are, and how many days ago they came; what they wrote, and when.
USERS = {"maya": 75, "tom": 40, "ines": 12}
POSTS = [
    ("maya", 74, "Hello", "This is the first post of this blog.\nIt has two lines."),
    ("maya", 51, "Corks", "Natural ones breathe. The others do not, which is the point of them."),
    ("tom", 39, "What a demijohn is", "A large bottle with a narrow neck, most often in a basket of wicker."),
    ("tom", 20, "How much goes in", "From four to sixty litres, which is five to eighty bottles of wine."),
    ("ines", 11, "Elderflower, again", "Two dozen heads, four litres of water, sugar, lemons, and a week."),
    ("maya", 2, "It is still fermenting", "Give it time."),
]
PRODUCTS = [
    ("Demijohn, 5 litres", "24.90", 12),
    ("Demijohn, 10 litres", "34.50", 7),
    ("Airlock", "2.75", 140),
    ("Cork, bored", "1.20", 300),
    ("Wicker basket", "18.00", 0),
]

samples = Blueprint("samples", __name__, cli_group=None)


@samples.cli.command("samples")
def command() -> None:
    """Put a few users, posts and products into an empty blog."""
    made = load_samples()
    told = f"Made {made} rows; `demijohn user password` gives a user a password."
    click.echo(told if made else "There is something already.")


def load_samples() -> int:
    """Put the samples into the database of the current application, where it is empty; return how many rows were made.

    An SQLite file gets its tables by this; elsewhere they have to be there.
    """
    # Demijohn's question comes first: the first one makes the tables of an SQLite file.
    if current_app.extensions["blog"].list(limit=1) or db.session.scalar(select(User.id).limit(1)) is not None:
        return 0
    rows = [*users(), *(Product(name=name, price=Decimal(price), stock=stock) for name, price, stock in PRODUCTS)]
    db.session.add_all(rows)
    try:
        db.session.commit()
    except IntegrityError:  # somebody else has just done the same
        db.session.rollback()
        return 0
    return len(rows) + len(POSTS)


def users() -> list[User]:
    """Return the users with their posts."""
    today = now()
    made = {
        name: User(
            username=name,
            email=f"{name}@example.org",
            password_hash=NO_PASSWORD,
            created_at=today - timedelta(days=days),
        )
        for name, days in USERS.items()
    }
    for name, days, title, body in POSTS:
        at = today - timedelta(days=days)
        made[name].posts.append(Post(title=title, body=body, created_at=at, updated_at=at))
    return list(made.values())
