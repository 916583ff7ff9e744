"""Some people to look at, for the demonstration."""

from __future__ import annotations

from flask import current_app

__all__ = ["load_samples"]

PEOPLE: dict[tuple[str, str], list[tuple[str, str, str | None, str]]] = {
    ("Ann Lee", "ann@example.org"): [("12 Elm Street", "Springfield", "62701", "US")],
    ("José García", "jose@example.org"): [
        ("Calle Mayor 7", "Madrid", "28013", "ES"),
        ("4 Queens Road", "Hong Kong", None, "HK"),
    ],
    ("Mia Berger", "mia@example.org"): [("Ringstraße 3", "Wien", "1010", "AT")],
    ("Noor de Vries", "noor@example.org"): [("Keizersgracht 21", "Amsterdam", "1015 CJ", "NL")],
    ("Tomás Ruiz", "tomas@example.org"): [],
}


def load_samples() -> None:
    """Add the people and their addresses to the current application, as a client would."""
    client = current_app.test_client()
    for (name, email), addresses in PEOPLE.items():
        person = client.post("/api/people", json={"name": name, "email": email})
        assert person.status_code == 201, person.text
        for street, city, postcode, country in addresses:
            address = {"street": street, "city": city, "postcode": postcode, "country": country}
            added = client.post(f"{person.headers['Location']}/addresses", json=address)
            assert added.status_code == 201, added.text
