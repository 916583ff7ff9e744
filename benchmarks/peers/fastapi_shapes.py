"""What the two FastAPI peers take and give."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import Path, Query
from pydantic import BaseModel, ConfigDict, EmailStr, Field

Name = Annotated[str, Field(min_length=1, max_length=100)]
Email = Annotated[EmailStr, Field(max_length=120)]
Country = Annotated[str, Field(pattern=r"^[A-Z]{2}$")]
Score = Annotated[int, Field(ge=0, le=1000)]

Id = Annotated[int, Path(ge=1)]
Limit = Annotated[int, Query(ge=1, le=100)]
CountryFilter = Annotated[str | None, Query(pattern=r"^[A-Z]{2}$")]
Sort = Literal["name", "-name", "created_at", "-created_at"] | None


class PersonOut(BaseModel):
    """A person as the API shows it: plain types, since EmailStr would parse each stored address again."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    name: str
    email: str
    country: str
    score: int
    created_at: datetime


class NewPerson(BaseModel):
    """A person as a client makes it."""

    model_config = ConfigDict(extra="forbid")

    name: Name
    email: Email
    country: Country
    score: Score


class PersonUpdate(BaseModel):
    """What a client may change of a person."""

    model_config = ConfigDict(extra="forbid")

    name: Name | None = None
    score: Score | None = None
