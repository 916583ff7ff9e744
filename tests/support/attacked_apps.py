"""The applications that are attacked, as an attacker knows them: where accounts are, what is whose, what is kept out.

What the contract of an application says is read from it; here is what it does not say.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from served_site import Member, Site

__all__ = ["APPLICATIONS", "BLOG", "LIBRARY", "Application", "Owner"]


@dataclass(frozen=True)
class Owner:
    """Be a user with something of each kind; `ids` are their numbers by the names of path parameters."""

    member: Member
    ids: Mapping[str, int]


@dataclass(frozen=True)
class Application:
    """Describe an application below `examples/`."""

    name: str
    """Its package, which is also who issues its tokens and for whom they are."""
    realm: str
    accounts: str
    """Where the operations of accounts are."""
    tables: tuple[str, ...]
    """What it writes to; the first has the users."""
    owned: frozenset[str]
    """The path parameters that name what belongs to a user."""
    public: tuple[str, ...]
    """Lists that everybody may read, with one page each."""
    views: tuple[str, ...]
    """Views beside the contract, for those who have a role."""
    item: str
    """What everybody may read and only `staff` may delete, as a pattern with a number."""
    staff: str
    """The role that it takes."""
    written: tuple[str, dict[str, Any]]
    """What any member may write: where, and a body, whose first property takes no more than its own values."""
    changes: tuple[tuple[str, str, str | None], ...]
    """What users may do with what they have: method, path and body; the first removes what can be read at its path."""
    created: tuple[str, dict[str, Any]]
    """What everybody may read once it is written: where, and a body."""
    author: str
    """The role that writes that."""
    max_body_bytes: int
    login_failures: int
    registrations: int
    """How many may register from one address, in `registrations_s`."""
    registrations_s: int
    shown: frozenset[str]
    """Properties that the contract shows, though they are nobody's business elsewhere."""
    own: Callable[[Site, Member], dict[str, int]]
    """Let a user have something of each kind; return the numbers, by the names of path parameters."""
    with_more: str
    """How it gets the contract `more.yaml` beside its own; `application` is its package."""
    bodies: Mapping[str, Callable[[Site], dict[str, Any]]] = field(default_factory=dict)
    """What changes the example of the contract into a good body, by `METHOD /path`."""
    ready: Mapping[str, Callable[[Site, Owner], None]] = field(default_factory=dict)
    """What has to have happened before, by `METHOD /path`."""
    more_settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def me(self) -> str:
        return f"{self.accounts}/me"


def _own_of_blog(site: Site, member: Member) -> dict[str, int]:
    post = site.ask("POST", "/posts", {"title": "Hello", "body": "This is the first one."}, token=member.access)
    assert post.status == 201
    columns = {"name": f"mug {next(site.numbers)}", "price": 12.5, "stock": 3}
    return {"user_id": member.id, "post_id": post.json["id"], "product_id": site.add("products", **columns)}


BLOG = Application(
    name="blog",
    realm="Blog",
    accounts="/auth",
    tables=("users", "posts", "products"),
    owned=frozenset(("user_id", "post_id")),
    public=("/posts?limit=2&sort=title", "/products?page=1"),
    views=("/reports/monthly?year=2026",),
    item="/products/{}",
    staff="admin",
    written=("/posts", {"title": "Hello", "body": "x"}),
    changes=(("DELETE", "/posts/{post_id}", None), ("PATCH", "/users/{user_id}", '{"username":"other"}')),
    created=("/posts", {"title": "Hello", "body": "New."}),
    author="member",
    max_body_bytes=128 * 1024,
    login_failures=10,
    registrations=20,
    registrations_s=3600,
    shown=frozenset(),
    own=_own_of_blog,
    with_more="""\
class More(demijohn.Demijohn):
    def add_contract(self, path, **options):
        super().add_contract(path, **options)
        super().add_contract(MORE, **options)


application.Demijohn = More
""",
)

LINE = {"title": "Theogony", "authors": ["Hesiod"], "quantity": 1, "unit_price": "9.99"}


def _book(site: Site, copies: int, *, shared: str = "") -> int:
    """Add a book, or return the one that is there for all."""
    if shared in site.kept:
        return site.kept[shared]
    body = {"title": f"Book {next(site.numbers)}", "authors": ["X"], "copies": copies}
    made = site.ask("POST", "/books", body, token=site.worker().access)
    assert made.status == 201, made.body
    number: int = made.json["id"]
    if shared:
        site.kept[shared] = number
    return number


def _own_of_library(site: Site, member: Member) -> dict[str, int]:
    asked = {
        "loan_id": ("/loans", {"book_id": _book(site, 1000, shared="plenty")}),
        "hold_id": ("/holds", {"book_id": _book(site, 0, shared="waited for")}),
        "order_id": ("/orders", {"kind": "buy", "lines": [LINE]}),
    }
    ids = {"user_id": member.id, "book_id": _book(site, 1)}
    for name, (path, body) in asked.items():
        made = site.ask("POST", path, body, token=member.access)
        assert made.status == 201, made.body
        ids[name] = made.json["id"]
    return ids


def _order_is(status: str) -> Callable[[Site, Owner], None]:
    return lambda site, owner: site.change("orders", owner.ids["order_id"], status=status)


def _isbn_free(site: Site) -> dict[str, Any]:
    return {"isbn": None, "isbn13": None, "goodreads_id": None}


LIBRARY = Application(
    name="library",
    realm="Library",
    accounts="/users",
    tables=("users", "books", "loans", "holds", "orders"),
    owned=frozenset(("user_id", "loan_id", "hold_id", "order_id")),
    public=("/books?per_page=2&sort=-year",),
    views=(),
    item="/books/{}",
    staff="librarian",
    written=("/orders", {"kind": "buy", "lines": [LINE]}),
    changes=(("DELETE", "/holds/{hold_id}", None),),
    created=("/books", {"title": "The Odyssey", "authors": ["Homer"]}),
    author="librarian",
    max_body_bytes=256 * 1024,
    login_failures=5,
    registrations=200,
    registrations_s=24 * 3600,
    shown=frozenset(("is_disabled",)),
    own=_own_of_library,
    with_more="application.resources.api.add_contract(MORE)\n",
    bodies={
        "POST /loans": lambda site: {"book_id": _book(site, 1000, shared="also plenty")},
        "POST /holds": lambda site: {"book_id": _book(site, 0, shared="also waited for")},
        "POST /orders": lambda site: {"kind": "buy", "lines": [LINE]},
        "POST /books": _isbn_free,
    },
    ready={
        "POST /orders/{order_id}/order": _order_is("approved"),
        "POST /orders/{order_id}/receive": _order_is("ordered"),
    },
)
APPLICATIONS = {one.name: one for one in (BLOG, LIBRARY)}
