"""`demijohn import` and `demijohn export` move rows, each checked by the contract, on each database."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import databases
import pytest
from click.testing import CliRunner, Result
from databases import DATABASES, Kind
from people_app import write_app

from demijohn.cli import main

PEOPLE = """\
name,email,age,wealth,active,tags,nick
Anna,anna@example.org,30,12.50,true,"[""a"",""b""]",
"Bert
the Second",bert@example.org,,,false,,null
"""


@pytest.fixture(params=DATABASES)
def database(request: pytest.FixtureRequest) -> Kind:
    kind: Kind = request.param
    return kind


@pytest.fixture(autouse=True)
def _application(_folder: None, database: Kind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    write_app(tmp_path)
    monkeypatch.setenv("DATABASE_URL", databases.url(database, tmp_path))
    if database != "sqlite":
        assert run("db", "create", ".").exit_code == 0
    yield
    databases.empty(database)


def run(*arguments: str, sent: bytes | None = None) -> Result:
    return CliRunner().invoke(main, arguments, input=sent, catch_exceptions=False)


def import_(text: str | bytes, *options: str, name: str = "people.csv", resource: str = "Person") -> Result:
    Path(name).write_bytes(text.encode() if isinstance(text, str) else text)
    return run("import", ".", resource, name, *options)


def exported(*options: str, resource: str = "Person") -> list[dict[str, Any]]:
    result = run("export", ".", resource, "-", *options)
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def rows(*properties: str, resource: str = "Person") -> list[tuple[Any, ...]]:
    return [tuple(row.get(name) for name in properties) for row in exported(resource=resource)]


def test_rows_are_stored_as_a_create_would_store_them() -> None:
    result = import_(PEOPLE)
    assert result.stdout == "people.csv: 2 rows read: 2 inserted\n"
    assert result.exit_code == 0
    anna, bert = exported()
    created = anna.pop("created_at")
    assert created.endswith("Z")
    assert anna == {
        "id": 1,
        "name": "Anna",
        "email": "anna@example.org",
        "age": 30,
        "wealth": 12.5,
        "active": True,
        "nick": "",
        "tags": ["a", "b"],
        "boss_id": None,
        "shout": "Anna!",
    }
    assert (bert["name"], bert["age"], bert["active"], bert["nick"]) == ("Bert\nthe Second", None, False, "null")


def test_each_refused_row_is_told_with_its_line() -> None:
    result = import_(
        PEOPLE
        + ",bad@example.org,1,,true,,\n"
        + "Dora,no-address,x,,maybe,nothing,\n"
        + "Anna,anna@example.org,5,,true,,\n"
        + "Eve,eve@example.org,-4,,true,,\n"
        + "Zoe,zoe@example.org,4\n"
        + "Finn,finn@example.org,4,1234567890123.5,true,,\n"
        + "Gus,gus@example.org,4,,true,,\n",
        "--report",
        "refused.csv",
    )
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-9:] == [
        "people.csv:5: `name` is required",
        "people.csv:6: `active` must be a boolean",
        "people.csv:6: `age` must be an integer or null",
        "people.csv:6: `email` must be an e-mail address",
        "people.csv:6: `tags` must be an array or null",
        "people.csv:7: `email` is already taken",
        "people.csv:8: `age` breaks a rule for what is stored",
        "people.csv:9: has 3 cells; the header has 7",
        result.stderr.splitlines()[-1],
    ]
    assert result.stderr.splitlines()[-1].startswith("people.csv:10: `wealth` ")
    assert result.stdout == "people.csv: 9 rows read: 3 inserted, 6 refused\n"
    assert [row[0] for row in rows("email")] == ["anna@example.org", "bert@example.org", "gus@example.org"]
    report = list(csv.DictReader(Path("refused.csv").read_text().splitlines()))
    assert len(report) == 9
    assert report[0] == {"line": "5", "property": "name", "detail": "is required"}


def test_a_report_of_json_lines_has_the_rows_themselves() -> None:
    text = '[{"name": "Anna", "email": "anna@example.org"},\n {"name": "", "email": "x", "ago": 3}, 4]'
    result = import_(text, "--report", "refused.jsonl", name="people.json")
    assert result.exit_code == 1
    report = [json.loads(line) for line in Path("refused.jsonl").read_text().splitlines()]
    assert [one["line"] for one in report] == [2, 2]
    assert report[0]["row"] == {"name": "", "email": "x", "ago": 3}
    assert [error["pointer"] for error in report[0]["errors"]] == ["#/ago", "#/email", "#/name"]
    assert report[1] == {"line": 2, "errors": [{"pointer": "#", "detail": "must be an object"}], "row": None}


def test_only_the_first_refused_rows_are_shown() -> None:
    result = import_("name,email\n" + "x,y\n" * 30)
    assert result.stderr.count("people.csv:") == 20
    assert result.stderr.endswith("... and 10 refused rows more; --report FILE has them all\n")
    assert import_("name,email\n" + "x,y\n" * 30, "--report", "all.csv").stderr.endswith("more; all are in all.csv\n")


@pytest.mark.parametrize("name", ["all.csv", "all.jsonl", "all.json"])
def test_what_is_exported_can_be_imported_again(name: str, database: Kind, tmp_path: Path) -> None:
    import_(PEOPLE + 'Zoë,zoe@example.org,1,0.10,true,"[]",x\n')
    assert (
        run("import", ".", "Address", "-", "--format", "jsonl", sent=b'{"person_id": 3, "city": "Bern"}\n').exit_code
        == 0
    )
    before, addresses = exported(), exported(resource="Address")
    assert addresses == [{"id": 1, "city": "Bern", "person_id": 3}]
    assert run("export", ".", "Person", name).exit_code == 0
    assert run("export", ".", "Address", "addresses.csv").exit_code == 0
    databases.empty(database)
    if database == "sqlite":
        Path("demijohn.db").unlink()
        os.environ["DATABASE_URL"] = f"sqlite:///{tmp_path / 'again.db'}"
    else:
        run("db", "create", ".")
    assert run("import", ".", "Person", name).stdout == f"{name}: 3 rows read: 3 inserted\n"
    assert run("import", ".", "Address", "addresses.csv").exit_code == 0
    assert exported() == before
    assert exported(resource="Address") == addresses
    more = import_("name,email\nNew,new@example.org\n")
    assert more.exit_code == 0, more.output
    assert rows("id", "name")[-1] == (4, "New"), "numbers go on behind those of the file"


def test_rows_whose_key_is_there_can_be_skipped_or_updated() -> None:
    import_(PEOPLE)
    again = "id,email,name,age\n1,anna@example.org,Ann,31\n1,anna@example.org,Anne,32\n7,new@example.org,New,1\n"
    result = import_(again, "--on-conflict", "skip")
    assert result.stdout == "people.csv: 3 rows read: 1 inserted, 2 skipped\n"
    assert rows("id", "name", "age") == [(1, "Anna", 30), (2, "Bert\nthe Second", None), (7, "New", 1)]
    result = import_(again + "8,more@example.org,More,2\n", "--on-conflict", "update")
    assert result.stdout == "people.csv: 4 rows read: 1 inserted, 3 updated\n"
    assert rows("id", "name", "age", "active")[0] == (1, "Anne", 32, True)


def test_a_row_is_known_by_a_unique_property_where_the_file_has_no_key() -> None:
    import_(PEOPLE)
    result = import_("email,name\nanna@example.org,Ann\nnew@example.org,New\n", "--on-conflict", "update")
    assert result.stdout == "people.csv: 2 rows read: 1 inserted, 1 updated\n"
    assert rows("name", "age")[0] == ("Ann", 30)


@pytest.mark.parametrize("mode", ["skip", "update"])
def test_a_row_that_is_in_the_way_by_another_key_is_left_alone(mode: str) -> None:
    import_(PEOPLE)
    result = import_("id,email,name\n9,anna@example.org,Ann\n8,new@example.org,New\n", "--on-conflict", mode)
    assert result.stderr.splitlines()[-1] == "people.csv:2: `email` is already taken"
    assert result.stdout == "people.csv: 2 rows read: 1 inserted, 1 refused\n"
    assert rows("id", "name") == [(1, "Anna"), (2, "Bert\nthe Second"), (8, "New")]


def test_a_rehearsal_finds_what_the_database_refuses_and_changes_nothing() -> None:
    import_(PEOPLE)
    text = "name,email\nNew,new@example.org\nOther,new@example.org\nAnna,anna@example.org\n"
    result = import_(text, "--dry-run", "--batch", "1")
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-2:] == [
        "people.csv:3: `email` is already taken",
        "people.csv:4: `email` is already taken",
    ]
    assert result.stdout == "people.csv: 3 rows read: 1 inserted, 2 refused; nothing is changed (--dry-run)\n"
    assert len(exported()) == 2


def test_rows_may_refer_to_rows_before_them() -> None:
    text = "id,name,email,boss_id\n1,Anna,anna@example.org,\n2,Bert,bert@example.org,1\n3,Carl,carl@example.org,9\n"
    result = import_(text)
    assert result.stderr.splitlines()[-1] == "people.csv:4: `boss_id` refers to a boss that does not exist"
    assert rows("id", "boss_id") == [(1, None), (2, 1)]


def test_many_batches_with_bad_rows_here_and_there() -> None:
    text = "name,email\n" + "".join(f"P{n},p{n - n % 50 // 49}@example.org\n" for n in range(500))
    result = import_(text, "--batch", "100")
    assert result.stdout == "people.csv: 500 rows read: 490 inserted, 10 refused\n"
    lines = [int(line.split(":")[1]) for line in result.stderr.splitlines() if line.startswith("people.csv")]
    assert lines == [n + 2 for n in range(500) if n % 50 == 49]


def test_a_mapping_makes_rows_of_a_file_of_somebody_else() -> None:
    Path("repairs.py").write_text(
        "def person(row):\n"
        "    if row['name'] == 'Nobody':\n"
        "        return None\n"
        "    if '@' not in row['email']:\n"
        "        raise ValueError('email', f\"is no address: {row['email']}\")\n"
        "    return row | {'age': int(float(row['age'])) if row['age'] else None}\n"
    )
    Path("people.yaml").write_text(
        'rename: {Full Name: name, Mail: email}\nsplit: {tags: ";"}\nfunction: repairs.person\ndrop: others\n'
    )
    text = "Full Name,Mail,age,tags,noise\nAnna,anna@example.org,30.0,a; b,x\nNobody,,,,\nBert,bert,1.0,,\n"
    result = import_(text, "--mapping", "people.yaml")
    assert result.stderr.splitlines()[-1] == "people.csv:4: `email` is no address: bert"
    assert result.stdout == "people.csv: 3 rows read: 1 inserted, 1 left out, 1 refused\n"
    assert rows("name", "age", "tags") == [("Anna", 30, ["a", "b"])]


def test_a_mapping_says_by_what_a_row_is_known_and_what_it_keeps() -> None:
    import_(PEOPLE)
    Path("people.yaml").write_text("key: [email]\ncreate_only: [age, nick]\n")
    text = (
        "id,name,email,age\n"
        "7,Anne,anna@example.org,31\n"
        "8,Carl,carl@example.org,40\n"
        "1,Anna the Second,second@example.org,50\n"
        "9,Dora,,60\n"
    )
    result = import_(text, "--mapping", "people.yaml", "--on-conflict", "update")
    assert result.stderr.splitlines()[-2:] == [
        "people.csv:4: `id` is already taken",
        "people.csv:5: `email` is required",
    ]
    assert result.stdout == "people.csv: 4 rows read: 1 inserted, 1 updated, 2 refused\n"
    assert rows("id", "name", "age") == [(1, "Anne", 30), (2, "Bert\nthe Second", None), (8, "Carl", 40)]
    again = import_(text, "--mapping", "people.yaml", "--on-conflict", "skip")
    assert again.stdout == "people.csv: 4 rows read: 0 inserted, 2 skipped, 2 refused\n"


def test_a_row_without_the_key_of_the_mapping_is_refused() -> None:
    Path("people.yaml").write_text("key: [id]\n")
    text = "id,name,email\n3,Anna,anna@example.org\n,Bert,bert@example.org\n"
    result = import_(text, "--mapping", "people.yaml", "--on-conflict", "update")
    assert result.stderr.splitlines()[-1] == "people.csv:3: `id` must be given: by it a row is known"
    assert rows("id", "name") == [(3, "Anna")]


def test_a_mapping_with_a_key_that_is_none_is_refused() -> None:
    Path("people.yaml").write_text("key: [mail]\ncreate_only: [years]\n")
    result = import_("name,email\n", "--mapping", "people.yaml")
    assert result.exit_code == 1
    assert "people.yaml: `mail` in `key` is no property; there are id, " in result.stderr
    assert "people.yaml: `years` in `create_only` is no property; there are id, " in result.stderr
    Path("people.yaml").write_text("key: [name]\n")
    result = import_("name,email\n", "--mapping", "people.yaml")
    assert result.stderr.endswith("people.yaml: `key`: nothing in the database says that name is unique\n")


def test_a_mapping_that_is_wrong_is_told_with_its_line() -> None:
    Path("people.yaml").write_text("rename: 3\nfunction: nowhere.person\n")
    result = import_("name,email\n", "--mapping", "people.yaml")
    assert result.exit_code == 1
    assert "people.yaml:1: `rename` is not an object of texts" in result.stderr
    assert "people.yaml:2: `function` 'nowhere.person': there is no module 'nowhere'" in result.stderr
    assert result.stderr.endswith("The mapping is wrong: 2 problems.\n")


def test_a_header_that_does_not_fit_is_refused_at_once() -> None:
    result = import_("name,mail\nAnna,anna@example.org\n")
    assert result.exit_code == 1
    assert "people.csv:1: the column `mail` is no property; there are id, created_at, name, email" in result.stderr
    assert "people.csv:1: there is no column `email`, and the contract requires it" in result.stderr


def test_fields_choose_what_is_exported() -> None:
    import_(PEOPLE)
    assert run("export", ".", "Person", "-", "--format", "csv", "--fields", "email,id").stdout == (
        "email,id\nanna@example.org,1\nbert@example.org,2\n"
    )
    result = run("export", ".", "Person", "--fields", "email,secret")
    assert result.exit_code == 2
    assert "there is no secret; there are id, name, email" in result.stderr


def test_a_long_table_is_exported_in_pages() -> None:
    import_("name,email\n" + "".join(f"P{n},p{n}@example.org\n" for n in range(2500)))
    assert rows("id", "name") == [(n + 1, f"P{n}") for n in range(2500)]
    run("export", ".", "Person", "all.json")
    assert len(json.loads(Path("all.json").read_text())) == 2500


def test_a_schema_is_as_good_a_name_as_a_model() -> None:
    import_(PEOPLE, resource="newperson")
    assert len(exported(resource="PersonWithAddresses")) == 2
    result = run("export", ".", "Persn")
    assert result.exit_code == 1
    assert "`Persn` is no model and no schema of one: did you mean `Person`?" in result.stderr


def test_a_file_without_a_known_suffix_needs_a_format() -> None:
    result = import_("{}", name="people.txt")
    assert result.exit_code == 2
    assert "Its name does not end in .csv, .jsonl, .ndjson, .json: give --format." in result.stderr
    assert import_(b'{"name": "A", "email": "a@example.org"}', "--format", "jsonl", name="people.txt").exit_code == 0


def test_an_array_that_breaks_off_tells_how_far_it_came() -> None:
    text = '[{"name": "A", "email": "a@example.org"},\n{"name": "B", "email": "b@example.org"},\n{"na'
    result = import_(text, "--batch", "1", name="people.json")
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1] == (
        "Error: people.json: line 3: the file ends inside of its array. What comes before is done, up to the row on"
        " line 2: 2 rows read: 2 inserted."
    )
    assert len(exported()) == 2


@pytest.mark.parametrize("database", ["postgresql", "mariadb"])
def test_a_database_without_tables_says_what_to_do(database: Kind) -> None:
    databases.empty(database)
    result = import_(PEOPLE)
    assert result.stderr.splitlines()[-1] == "Error: The database has no table person: run `demijohn db create`."


@pytest.mark.parametrize("database", ["sqlite"])
def test_a_contract_file_has_no_models() -> None:
    result = run("export", "openapi.yaml", "Person")
    assert result.exit_code == 1
    assert "openapi.yaml has no models" in result.stderr


@pytest.mark.parametrize("database", ["sqlite"])
def test_a_reader_that_has_enough_ends_an_export_quietly() -> None:
    import_("name,email\n" + "".join(f"P{n},p{n}@example.org\n" for n in range(5000)))
    command = f"{sys.executable} -m demijohn export . Person 2>errors | head -n 1"
    result = subprocess.run(command, shell=True, capture_output=True, check=True)
    assert json.loads(result.stdout)["id"] == 1
    errors = Path("errors").read_text()
    assert "Traceback" not in errors
    assert "BrokenPipe" not in errors
