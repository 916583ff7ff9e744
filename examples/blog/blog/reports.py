"""A report for administrators: a plain Flask blueprint, with Marshmallow, beside the operations of the contract."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

from flask import Blueprint, current_app, request
from marshmallow import Schema, ValidationError, fields, validate
from sqlalchemy import and_, case, func, select

from demijohn import BadRequest
from demijohn.auth import login_required

from .models import Post, User, db

__all__ = ["reports"]

reports = Blueprint("reports", __name__, url_prefix="/reports")


class MonthlyQuery(Schema):
    """Say what the query may hold."""

    year = fields.Integer(required=True, validate=validate.Range(2000, 2999))


class MonthSchema(Schema):
    """Show one month."""

    month = fields.Integer()
    users = fields.Integer()
    posts = fields.Integer()


class MonthlySchema(Schema):
    """Show one year."""

    year = fields.Integer()
    months = fields.List(fields.Nested(MonthSchema))


@reports.errorhandler(ValidationError)
def refuse(error: ValidationError) -> Any:
    """Answer what Marshmallow finds wrong with a query as Demijohn answers what it finds itself."""
    found = error.messages_dict
    errors = [
        {"detail": str(text).rstrip("."), "in": "query", "name": name}
        for name, texts in found.items()
        for text in texts
    ]
    return current_app.handle_user_exception(BadRequest("The query is not as it has to be; see errors.", errors=errors))


@reports.get("/monthly")
@login_required("admin")
def monthly() -> dict[str, Any]:
    """Answer how many users and posts each month of a year brought."""
    year: int = MonthlyQuery().load(request.args.to_dict())["year"]
    users, posts = per_month(User.created_at, year), per_month(Post.created_at, year)
    months = [
        {"month": month, "users": new_users, "posts": new_posts}
        for month, (new_users, new_posts) in enumerate(zip(users, posts, strict=True), 1)
    ]
    report: dict[str, Any] = MonthlySchema().dump({"year": year, "months": months})
    return report


def per_month(moment: Any, year: int) -> list[int]:
    """Return how many rows each month of a year has, by the column `moment`: 12 numbers, in UTC."""
    starts = [datetime(year + index // 12, index % 12 + 1, 1, tzinfo=UTC) for index in range(13)]
    counts = [func.count(case((and_(moment >= start, moment < end), 1))) for start, end in pairwise(starts)]
    # The index on the column serves the year.
    return list(db.session.execute(select(*counts).where(moment >= starts[0], moment < starts[-1])).one())
