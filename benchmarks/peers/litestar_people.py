"""Litestar: a controller, msgspec structs in, SQLAlchemy's DTO out, Advanced Alchemy's plugin for the session."""

from typing import Annotated, Literal

from advanced_alchemy.extensions.litestar import (
    AsyncSessionConfig,
    SQLAlchemyAsyncConfig,
    SQLAlchemyDTO,
    SQLAlchemyPlugin,
)
from litestar import Controller, Litestar, get, patch, post
from litestar.exceptions import ClientException, NotFoundException
from litestar.params import Parameter
from msgspec import UNSET, Meta, Struct, UnsetType
from msgspec.structs import asdict
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from peers.people import EMAIL, Person, new_async_engine, order

Name = Annotated[str, Meta(min_length=1, max_length=100)]
Score = Annotated[int, Meta(ge=0, le=1000)]


class NewPerson(Struct, forbid_unknown_fields=True):
    """A person as a client makes it."""

    name: Name
    email: Annotated[str, Meta(max_length=120, pattern=EMAIL)]
    country: Annotated[str, Meta(pattern="^[A-Z]{2}$")]
    score: Score


class PersonUpdate(Struct, forbid_unknown_fields=True):
    """What a client may change of a person."""

    name: Name | UnsetType = UNSET
    score: Score | UnsetType = UNSET


class PeopleController(Controller):
    """Serve people."""

    path = "/api/people"
    return_dto = SQLAlchemyDTO[Person]

    @get()
    async def list_people(
        self,
        db_session: AsyncSession,
        limit: Annotated[int, Parameter(ge=1, le=100)] = 20,
        country: Annotated[str | None, Parameter(pattern="^[A-Z]{2}$")] = None,
        sort: Literal["name", "-name", "created_at", "-created_at"] | None = None,
    ) -> list[Person]:
        """Answer the first people."""
        query = select(Person).order_by(order(sort)).limit(limit)
        if country is not None:
            query = query.where(Person.country == country)
        return list(await db_session.scalars(query))

    @get("/{person_id:int}")
    async def read_person(self, db_session: AsyncSession, person_id: int) -> Person:
        """Answer one person, or 404."""
        return await existing(db_session, person_id)

    @post()
    async def create_person(self, db_session: AsyncSession, data: NewPerson) -> Person:
        """Store a new person, or answer 409."""
        person = Person(**asdict(data))
        db_session.add(person)
        try:
            await db_session.commit()
        except IntegrityError:
            raise ClientException("Somebody has this e-mail address.", status_code=409) from None
        return person

    @patch("/{person_id:int}")
    async def change_person(self, db_session: AsyncSession, person_id: int, data: PersonUpdate) -> Person:
        """Change a person, or answer 404."""
        person = await existing(db_session, person_id)
        for name, value in asdict(data).items():
            if value is not UNSET:
                setattr(person, name, value)
        await db_session.commit()
        return person


async def existing(session: AsyncSession, person_id: int) -> Person:
    """Return one person, or answer 404."""
    person = await session.get(Person, person_id)
    if person is None:
        raise NotFoundException(f"Nobody has the id {person_id}.")
    return person


config = SQLAlchemyAsyncConfig(
    engine_instance=new_async_engine(), session_config=AsyncSessionConfig(expire_on_commit=False)
)
app = Litestar([PeopleController], plugins=[SQLAlchemyPlugin(config)])
