"""What the comparison with the Library example is made from: its application, and the same books on every machine."""

import json
import random
import sys
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from shutil import copytree, ignore_patterns

from stores import Data, Row

EXAMPLE = Path(__file__).parents[1] / "examples" / "library"
SEED = 1729
MEMBERS, LIBRARIAN = 100, 101
FIRST = datetime(2026, 1, 1, tzinfo=UTC)

ARTICLES = ("The ", "A ", "")
TEXT = (
    "amber ancient autumn bitter blue broken burning city cold crimson crown daughter dark distant dragon dream dust "
    "echo empire fallen fire forest forgotten garden ghost glass golden harbour heart hidden hollow house hunter ice "
    "iron island journey king lantern last lost memory midnight mirror moon mountain night north ocean orchard paper "
    "promise queen quiet rain red river road rose salt sea secret shadow silent silver sister sky snow song star stone "
    "storm stranger summer sword thief thousand throne time tower valley violet voice war water white wild wind winter "
    "witch wolf wonder"
)
WORDS = TEXT.split()
FIRST_NAMES = ("Ada", "Björn", "Chloé", "Dmitri", "Edith", "Farid", "Grace", "Hedy", "Ines", "Jun", "Kofi", "Lena")
STEMS = ("Al", "Ber", "Cor", "Den", "Eld", "Fen", "Gar", "Hol", "Iva", "Jor", "Kel", "Lun")
ENDINGS = ("den", "mann", "ley", "ston", "wick", "ova", "ez", "sson")
LANGUAGES = ("eng", "eng", "eng", "en-US", "en-US", "fre", "ger", "spa", None)


def application(folder: Path, cache: bool) -> Path:
    """Copy the Library without its rate limits, which a load test is made to meet; return where it is.

    No peer has any. Without `cache`, nothing in its contract is kept.
    """
    below = folder / ("kept" if cache else "fresh")
    copytree(EXAMPLE / "library", below / "library", ignore=ignore_patterns("__pycache__"))
    contract = below / "library" / "openapi.yaml"
    left_out = ("x-rate-limit:",) if cache else ("x-rate-limit:", "x-cache:")
    lines = contract.read_text(encoding="utf-8").splitlines(keepends=True)
    kept = [line for line in lines if not line.lstrip().startswith(left_out)]
    contract.write_text("".join(kept), encoding="utf-8")
    return below


def library(count: int, password_hash: str) -> Data:
    """Return so many books, the members, who all have one password, a librarian, and what was lent and came back."""
    sys.path.append(str(EXAMPLE))
    from library.models import Base

    rows: dict[str, Callable[[], Iterable[Row]]] = {
        "books": lambda: books(count),
        "users": lambda: (user(number, password_hash) for number in range(1, LIBRARIAN + 1)),
        "loans": lambda: (loan(number, count) for number in range(MEMBERS * 10)),
    }
    return Data(f"library_{count}", Base.metadata, rows)


def books(count: int) -> Iterator[Row]:
    """Make the books; all are there often enough that no copy is missed."""
    chance = random.Random(SEED)  # it is no secret
    for number in range(count):
        words = chance.sample(WORDS, chance.randint(2, 5))
        title = f"{chance.choice(ARTICLES)}{' '.join(words)}".capitalize()
        authors = [
            f"{chance.choice(FIRST_NAMES)} {chance.choice(STEMS)}{chance.choice(ENDINGS)}"
            for _ in range(chance.choice((1, 1, 1, 2)))
        ]
        moment = FIRST + timedelta(minutes=7 * number)
        yield (
            number + 1,
            title,
            json.dumps(authors),
            f"{number:09}X",
            f"978{number:010}",
            chance.randint(1850, 2025),
            chance.choice(LANGUAGES),
            chance.randint(250, 490) / 100,
            chance.randint(10, 5_000_000),
            1000,
            0,
            f"https://images.example.org/books/{number:07}m/{number}.jpg",
            number + 1,
            moment,
            moment,
        )


def user(number: int, password_hash: str) -> Row:
    """Make the member with this number, counted from 1, or the librarian, who comes last."""
    role = "librarian" if number == LIBRARIAN else "member"
    return (number, f"user{number}", address(number), password_hash, role, False, FIRST)


def address(number: int) -> str:
    """Return the e-mail address of a user."""
    return f"user{number}@example.org"


def loan(number: int, count: int) -> Row:
    """Make a loan that is over; members take turns."""
    begun = FIRST + timedelta(hours=number)
    book = number * 7919 % count + 1
    return (number + 1, book, number % MEMBERS + 1, begun, begun + timedelta(days=21), begun + timedelta(days=9), 0)
