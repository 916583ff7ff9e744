"""flask-smorest: method views, marshmallow schemas, Flask-SQLAlchemy."""

from datetime import datetime
from typing import Any

from flask import Flask
from flask.views import MethodView
from flask_smorest import Api, Blueprint, abort
from flask_sqlalchemy import SQLAlchemy
from marshmallow import Schema, fields
from marshmallow.validate import Length, OneOf, Range, Regexp
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import DeclarativeBase

from peers.people import POOL_SIZE, SORTS, PersonColumns, database_url, prepare


class Base(DeclarativeBase):
    """The declarative registry of this peer."""


db = SQLAlchemy(model_class=Base)


class Person(PersonColumns, db.Model):  # type: ignore[name-defined]
    """A person."""


class Moment(fields.DateTime):
    """A moment in UTC, written with a Z."""

    def _serialize(self, value: datetime | None, attr: str | None, obj: Any, **kwargs: Any) -> str | None:
        return None if value is None else value.isoformat().replace("+00:00", "Z")


class NewPersonSchema(Schema):
    """A person as a client makes it; unknown properties are refused, as marshmallow does by itself."""

    name = fields.String(required=True, validate=Length(1, 100))
    email = fields.Email(required=True, validate=Length(max=120))
    country = fields.String(required=True, validate=Regexp("^[A-Z]{2}$"))
    score = fields.Integer(required=True, validate=Range(0, 1000))


class PersonSchema(NewPersonSchema):
    """A person as the API shows it."""

    id = fields.Integer(dump_only=True)
    created_at = Moment(dump_only=True)


class PersonUpdateSchema(Schema):
    """What a client may change of a person."""

    name = fields.String(validate=Length(1, 100))
    score = fields.Integer(validate=Range(0, 1000))


class ListSchema(Schema):
    """What a client may ask of a list."""

    limit = fields.Integer(load_default=20, validate=Range(1, 100))
    country = fields.String(validate=Regexp("^[A-Z]{2}$"))
    sort = fields.String(validate=OneOf(SORTS))


blueprint = Blueprint("people", __name__, url_prefix="/api/people")


@blueprint.route("")
class People(MethodView):
    """Serve the list."""

    @blueprint.arguments(ListSchema, location="query")
    @blueprint.response(200, PersonSchema(many=True))
    def get(self, given: dict[str, Any]) -> Any:
        """Answer the first people."""
        sort = given.get("sort", "id")
        column = getattr(Person, sort.lstrip("-"))
        query = select(Person).order_by(column.desc() if sort.startswith("-") else column).limit(given["limit"])
        if "country" in given:
            query = query.where(Person.country == given["country"])
        return db.session.scalars(query)

    @blueprint.arguments(NewPersonSchema)
    @blueprint.response(201, PersonSchema)
    def post(self, new: dict[str, Any]) -> Any:
        """Store a new person, or answer 409."""
        person = Person(**new)
        db.session.add(person)
        try:
            db.session.commit()
        except IntegrityError:
            abort(409, message="Somebody has this e-mail address.")
        return person


@blueprint.route("/<int:person_id>")
class OnePerson(MethodView):
    """Serve one person."""

    @blueprint.response(200, PersonSchema)
    def get(self, person_id: int) -> Any:
        """Answer one person, or 404."""
        return db.get_or_404(Person, person_id)

    @blueprint.arguments(PersonUpdateSchema)
    @blueprint.response(200, PersonSchema)
    def patch(self, update: dict[str, Any], person_id: int) -> Any:
        """Change a person, or answer 404."""
        person = db.get_or_404(Person, person_id)
        for name, value in update.items():
            setattr(person, name, value)
        db.session.commit()
        return person


def create_app() -> Flask:
    """Make the application."""
    app = Flask(__name__)
    app.config.update(
        API_TITLE="People",
        API_VERSION="1",
        OPENAPI_VERSION="3.0.3",
        SQLALCHEMY_DATABASE_URI=database_url(),
        SQLALCHEMY_ENGINE_OPTIONS={"pool_size": POOL_SIZE},
    )
    db.init_app(app)
    with app.app_context():
        prepare(db.engine)
    Api(app).register_blueprint(blueprint)
    return app
