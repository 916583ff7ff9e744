"""FastAPI: the catalogue of the Library, its search and one book, asynchronous, with one session for each request.

With `CACHE_S` in the environment, answers are kept in memory for so many seconds by fastapi-cache2.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Annotated, Any

from fastapi import Depends, FastAPI, HTTPException, Query, Request
from fastapi_cache import FastAPICache
from fastapi_cache.backends.inmemory import InMemoryBackend
from fastapi_cache.decorator import cache
from pydantic import BaseModel, ConfigDict
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from peers.books import MOST_PER_PAGE, PER_PAGE, Book, envelope, found
from peers.fastapi_shapes import Id
from peers.people import new_async_engine

CACHE_S = int(os.environ.get("CACHE_S", "0"))

new_session = async_sessionmaker(new_async_engine(), expire_on_commit=False)


def address(function: Any, namespace: str, *, request: Request, **others: Any) -> str:
    """Return what an answer is kept under: by default the arguments, with another session each time."""
    return f"{namespace}:{request.url.path}?{request.url.query}"


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Open the cache."""
    FastAPICache.init(InMemoryBackend(), expire=CACHE_S, key_builder=address, enable=CACHE_S > 0)
    yield


app = FastAPI(lifespan=lifespan)


class BookOut(BaseModel):
    """A book as the catalogue shows it."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    title: str
    authors: list[str]
    isbn: str | None
    isbn13: str | None
    year: int | None
    language: str | None
    average_rating: float | None
    ratings_count: int
    copies: int
    available: int
    cover_url: str | None
    goodreads_id: int | None
    created_at: datetime
    updated_at: datetime


class BookPage(BaseModel):
    """A page of books."""

    model_config = ConfigDict(from_attributes=True)

    books: list[BookOut]
    total: int
    page: int
    pages: int


async def get_session() -> AsyncIterator[AsyncSession]:
    """Open a session for one request."""
    async with new_session() as session:
        yield session


SessionDep = Annotated[AsyncSession, Depends(get_session)]


@app.get("/books")
@cache()
async def list_books(
    session: SessionDep,
    q: Annotated[str | None, Query(max_length=100)] = None,
    page: Annotated[int, Query(ge=1, le=1_000_000)] = 1,
    per_page: Annotated[int, Query(ge=1, le=MOST_PER_PAGE)] = PER_PAGE,
) -> BookPage:
    """Answer one page of what was found, by title."""
    query = found(q)
    total = await session.scalar(select(func.count()).select_from(query.subquery())) or 0
    books = await session.scalars(query.order_by(Book.title, Book.id).limit(per_page).offset((page - 1) * per_page))
    return BookPage.model_validate(envelope(list(books), total, page, per_page))


@app.get("/books/{id}")
@cache()
async def read_book(session: SessionDep, id: Id) -> BookOut:
    """Answer one book, or 404."""
    book = await session.get(Book, id)
    if book is None:
        raise HTTPException(404, f"No book has the id {id}.")
    return BookOut.model_validate(book)
