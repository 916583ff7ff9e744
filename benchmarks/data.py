"""Make the SQLite file that every peer reads: the same people on every machine and in every run."""

from datetime import datetime, timedelta

from model import Base, Person, engine, new_session

PEOPLE = 1_000
FIRST_NAMES = ("Ada", "Björn", "Chloé", "Dmitri", "Edith", "Farid", "Grace", "Hedy", "Ines", "Jun")
STEMS = ("Almond", "Barley", "Cedar", "Dill", "Elder", "Fennel", "Ginger", "Hazel", "Iris", "Juniper")
KNOWN_LAST_NAME = "Fennel0555"
UNKNOWN_LAST_NAME = "Nobody"


def person(number: int) -> Person:
    """Make the person with this number, counted from 0."""
    return Person(
        lname=f"{STEMS[number % len(STEMS)]}{number:04}",
        fname=FIRST_NAMES[number // len(STEMS) % len(FIRST_NAMES)],
        timestamp=datetime(2026, 1, 1) + timedelta(minutes=7 * number),
    )


def create() -> None:
    """Create the table and its rows in an empty database file."""
    Base.metadata.create_all(engine)
    with new_session.begin() as session:
        session.add_all(person(number) for number in range(PEOPLE))
    engine.dispose()


if __name__ == "__main__":
    create()
