"""`demijohn import` and `demijohn export`: rows of a resource from a file, and into one."""

from __future__ import annotations

import csv
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO, TypeVar, get_args

import click
import orjson
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from sqlalchemy import inspect
from sqlalchemy.exc import SQLAlchemyError

from demijohn.app import State
from demijohn.cli.problems import count
from demijohn.cli.resources import open_resources
from demijohn.cli.target import Found, find, state_of
from demijohn.compile import importable
from demijohn.contract.limits import Limits
from demijohn.errors import Unavailable
from demijohn.resources import Bindings
from demijohn.resources.database import create_missing
from demijohn.resources.intake import Intake
from demijohn.resources.mapping import Mapping, read_mapping
from demijohn.resources.rows import FORMATS, BadRow, Format, StreamError, read_rows, write_rows
from demijohn.resources.subject import Subject, find_subject
from demijohn.resources.transfer import BATCH_ROWS, Counts, OnConflict, export_rows, import_rows
from demijohn.resources.view import Field
from demijohn.settings import Settings

__all__ = ["export", "import_"]

# More refused rows than these are only counted, and in the file of --report.
SHOWN_REFUSALS = 20

_T = TypeVar("_T")
_format = click.option("--format", "form", type=click.Choice(get_args(Format)), help="Goes before the file's suffix.")


@click.command("import", short_help="Write the rows of a file into the table of a resource.")
@click.argument("target")
@click.argument("resource")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True))
@_format
@click.option("--mapping", type=click.Path(), help="A file that says how columns become properties.")
@click.option(
    "--on-conflict",
    type=click.Choice(get_args(OnConflict)),
    default="error",
    show_default=True,
    help="What becomes of a row whose key is there already.",
)
@click.option("--dry-run", is_flag=True, help="Check everything, the rules of the database too, and change nothing.")
@click.option("--report", type=click.Path(dir_okay=False), help="Write refused rows to this file: .csv or .jsonl.")
@click.option(
    "--batch", type=click.IntRange(1, 5000), default=BATCH_ROWS, show_default=True, help="Rows in one transaction."
)
def import_(
    target: str,
    resource: str,
    file: str,
    form: Format | None,
    mapping: str | None,
    on_conflict: OnConflict,
    dry_run: bool,
    report: str | None,
    batch: int,
) -> None:
    """Write the rows of FILE into the table of RESOURCE, a model or a schema of the contract.

    FILE is CSV, JSON lines or a JSON array; - is the standard input. Each row is checked as a request would be.
    One that is refused is told with its line and left out; the exit status is 1 then.
    """
    form = _form(form, file)
    found = find(target)
    app, resources = open_resources(found, target)
    state = state_of(app)
    intake = Intake(
        _subject(resource, resources, state), _mapping(mapping, found, state.settings), is_text=form == "csv"
    )
    if unfit := intake.wrong_mapping():
        raise click.ClickException("\n".join(f"{mapping}: {one}" for one in unfit))
    counts = Counts()
    with ExitStack() as stack:
        stream = stack.enter_context(_reading(file))
        refuse = stack.enter_context(_refusals(file, report))
        try:
            reader = read_rows(stream, form, state.settings.max_body_bytes)
            wrong = intake.wrong_header(reader.columns) if reader.columns is not None else []
            if wrong:
                raise click.ClickException("\n".join(f"{file}:1: {one}" for one in wrong))
            import_rows(
                intake,
                stack.enter_context(_with_progress(reader.rows, stream)),
                resources.database,
                on_conflict=on_conflict,
                dry_run=dry_run,
                batch_rows=batch,
                refuse=refuse,
                counts=counts,
            )
        except StreamError as error:
            raise click.ClickException(f"{file}: {error}. {_so_far(counts, dry_run)}") from error
        except Unavailable as error:
            raise click.ClickException(f"{error.detail or error.title} {_so_far(counts, dry_run)}") from error
    click.echo(f"{file}: {_summary(counts, dry_run)}")
    if counts.refused:
        raise SystemExit(1)


@click.command(short_help="Write the rows of a resource to a file.")
@click.argument("target")
@click.argument("resource")
@click.argument("file", type=click.Path(dir_okay=False, allow_dash=True), default="-")
@_format
@click.option("--fields", metavar="NAMES", help="Only these properties, joined by commas.")
def export(target: str, resource: str, file: str, form: Format | None, fields: str | None) -> None:
    """Write the rows of RESOURCE, a model or a schema of the contract, to FILE.

    FILE is CSV, JSON lines or a JSON array; - is the standard output, which gets JSON lines unless --format says
    something else. Rows are in the order of the primary key, and can be imported again.
    """
    form = "jsonl" if file == "-" and form is None else _form(form, file)
    app, resources = open_resources(find(target), target)
    subject = _subject(resource, resources, state_of(app))
    shown = _fields(subject, fields)
    rows = export_rows(subject.model, shown, resources.database)
    write = write_rows(form, tuple(one.name for one in shown))
    try:
        with _writing(file) as stream, _with_progress(rows, None) as told:
            for piece in write(told):
                stream.write(piece)
            stream.flush()
    except Unavailable as error:
        raise click.ClickException(error.detail or error.title) from error
    except BrokenPipeError:
        # Who reads has had enough. Python would complain once more when it flushes what is left.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _form(form: Format | None, file: str) -> Format:
    if form is not None:
        return form
    by_suffix = FORMATS.get(Path(file).suffix.lower())
    if by_suffix is None:
        raise click.UsageError(f"What is in {file}? Its name does not end in {', '.join(FORMATS)}: give --format.")
    return by_suffix


def _subject(resource: str, resources: Bindings, state: State) -> Subject:
    shapes = list(resources.shapes.values())
    subject = find_subject(resource, resources.models.all, shapes, [api.contract for api in state.apis])
    table, database = subject.model.table, resources.database
    try:
        create_missing(database, resources.metadatas)
        if not inspect(database.engine).has_table(table.name, schema=table.schema):
            raise click.ClickException(f"The database has no table {table.fullname}: run `demijohn db create`.")
    except SQLAlchemyError as error:
        cause = getattr(error, "orig", None) or error
        raise click.ClickException(f"The database cannot be used: {str(cause).strip()}") from error
    return subject


def _mapping(file: str | None, found: Found, settings: Settings) -> Mapping:
    if file is None:
        return Mapping()
    path = Path(file)
    limits = Limits(settings.max_contract_bytes, settings.max_contract_depth, settings.max_contract_nodes)
    with importable([path.resolve().parent, found.folder.resolve(), Path.cwd()]):
        return read_mapping(path, limits)


def _fields(subject: Subject, names: str | None) -> list[Field]:
    """Return the properties to export: all of an item, and what says below which item it lies."""
    view = subject.shown or subject.made
    found = {} if view is None else {name: one for name, one in view.fields.items() if not one.write_only}
    found |= {name: one for name, one in subject.stored.items() if one in subject.owners}
    if names is None:
        return list(found.values())
    wanted = [name.strip() for name in names.split(",")]
    unknown = [name for name in wanted if name not in found]
    if unknown:
        raise click.BadParameter(
            f"there is no {' and no '.join(unknown)}; there are {', '.join(found)}", param_hint="--fields"
        )
    return [found[name] for name in wanted]


@contextmanager
def _reading(file: str) -> Iterator[BinaryIO]:
    if file == "-":
        yield sys.stdin.buffer
    else:
        with Path(file).open("rb") as stream:
            yield stream


@contextmanager
def _writing(file: str) -> Iterator[BinaryIO]:
    """Write to a file that is there when it is whole; one that is no ordinary file is written as it is."""
    path = Path(file)
    if file == "-":
        yield sys.stdout.buffer
    elif path.exists() and not path.is_file():
        with path.open("wb") as stream:
            yield stream
    else:
        part = path.with_name(f"{path.name}.part")
        try:
            with part.open("wb") as stream:
                yield stream
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)


@contextmanager
def _refusals(file: str, report: str | None) -> Iterator[Callable[[BadRow], None]]:
    """Return what tells of refused rows: the first of them at once, all of them in the report."""
    told = 0
    with ExitStack() as stack:
        write: Callable[[BadRow], None] | None = None
        if report is not None:
            write = stack.enter_context(_report(report))

        def refuse(row: BadRow) -> None:
            nonlocal told
            told += 1
            if write is not None:
                write(row)
            if told <= SHOWN_REFUSALS:
                for fault in row.faults:
                    place = f"`{'.'.join(map(str, fault.path))}` " if fault.path else ""
                    click.echo(f"{file}:{row.line}: {place}{fault.detail}", err=True)

        yield refuse
        if told > SHOWN_REFUSALS:
            where = f"all are in {report}" if report is not None else "--report FILE has them all"
            click.echo(f"... and {count(told - SHOWN_REFUSALS, 'refused row')} more; {where}", err=True)


@contextmanager
def _report(file: str) -> Iterator[Callable[[BadRow], None]]:
    with Path(file).open("w", encoding="utf-8", errors="backslashreplace", newline="") as stream:
        if _form(None, file) == "csv":
            writer = csv.writer(stream, lineterminator="\n")
            writer.writerow(["line", "property", "detail"])

            def write(row: BadRow) -> None:
                writer.writerows([row.line, ".".join(map(str, fault.path)), fault.detail] for fault in row.faults)

            yield write
        else:

            def write_line(row: BadRow) -> None:
                errors = [{"pointer": fault.pointer, "detail": fault.detail} for fault in row.faults]
                line = {"line": row.line, "errors": errors, "row": row.values}
                stream.write(orjson.dumps(line, default=str).decode() + "\n")

            yield write_line


@contextmanager
def _with_progress(rows: Iterable[_T], stream: BinaryIO | None) -> Iterator[Iterator[_T]]:
    """Show, on a terminal, how far it has come: in the bytes of a file that is read, else in rows."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield iter(rows)
        return
    size = _size(stream)
    text = TextColumn("{task.fields[rows]:,} rows")
    columns = (BarColumn(), TaskProgressColumn(), TimeRemainingColumn()) if size else ()
    with Progress(text, *columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=size, rows=0)

        def told() -> Iterator[_T]:
            for number, row in enumerate(rows):
                if number % BATCH_ROWS == 0:
                    progress.update(task, rows=number, completed=_place(stream))
                yield row

        yield told()


def _size(stream: BinaryIO | None) -> int | None:
    return os.fstat(stream.fileno()).st_size or None if stream is not None and stream.seekable() else None


def _place(stream: BinaryIO | None) -> int:
    """Return how much of a file has been read; what is around it has read ahead."""
    raw = getattr(stream, "raw", stream)
    return raw.tell() if raw is not None and raw.seekable() else 0


def _summary(counts: Counts, dry_run: bool) -> str:
    parts = [
        (counts.updated, "updated"),
        (counts.skipped, "skipped"),
        (counts.left_out, "left out"),
        (counts.refused, "refused"),
    ]
    done = [f"{counts.inserted:,} inserted", *(f"{number:,} {what}" for number, what in parts if number)]
    text = f"{counts.read:,} row{'' if counts.read == 1 else 's'} read: {', '.join(done)}"
    return f"{text}; nothing is changed (--dry-run)" if dry_run else text


def _so_far(counts: Counts, dry_run: bool) -> str:
    if dry_run or not counts.line:
        return "Nothing is changed."
    return f"What comes before is done, up to the row on line {counts.line}: {_summary(counts, False)}."
