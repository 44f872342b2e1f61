"""What commands print: tables or a JSON envelope on stdout, progress and errors on stderr, and exit codes."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar
from uuid import UUID

import click
import psycopg

OK, FINDINGS, USAGE, CONNECTION, REFUSED, PARTIAL = 0, 1, 2, 3, 4, 5

Command = TypeVar("Command", bound=Callable[..., Any])


class CrewPayError(Exception):
    """An error for the operator: a CPnnn code, what happened, detail, what to do, and the exit code."""

    def __init__(
        self,
        code: str,
        message: str,
        *,
        detail: str | None = None,
        hint: str | None = None,
        exit_code: int = REFUSED,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.detail = detail
        self.hint = hint
        self.exit_code = exit_code


def json_option(command: Command) -> Command:
    """Click option --json, handed to the command as `as_json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")(command)


def redact(text: str) -> str:
    """The text without passwords of connection strings."""
    text = re.sub(r"(\w+://[^\s/@:]*):[^\s@]*@", r"\1:***@", text)
    return re.sub(r"(?i)\b((?:ssl)?password|pwd)\s*=\s*('[^']*'|[^\s&]+)", r"\1=***", text)


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return str(value)  # money stays exact
    if isinstance(value, date | datetime):
        return value.isoformat()
    if isinstance(value, timedelta):
        return str(value)
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, set | tuple):
        return list(value)
    raise TypeError(f"cannot print {type(value).__name__} as JSON")


def print_json(data: Any, *, status: str = "ok", **more: Any) -> None:
    """The JSON envelope: {"status": ..., "data": ..., ...}."""
    click.echo(json.dumps({"status": status, "data": data, **more}, default=_plain, ensure_ascii=False))


def _tame(text: str) -> str:
    """Without control characters: what somebody wrote can't steer the terminal."""
    return re.sub(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", "\ufffd", text)


def print_table(
    rows: Sequence[Mapping[str, Any]],
    *,
    columns: Sequence[str] | None = None,
    as_json: bool = False,
    **more: Any,
) -> None:
    """Rows as a table, or in the JSON envelope. Numbers are aligned to the right; null prints as an empty cell."""
    if as_json:
        print_json(list(rows), **more)
        return
    columns = list(columns or (rows[0] if rows else []))
    if not columns:
        return
    cells = [["" if row.get(c) is None else _tame(str(row.get(c))) for c in columns] for row in rows]
    right = [
        bool(rows)
        and all(
            isinstance(r.get(c), int | float | Decimal | None) and not isinstance(r.get(c), bool)
            for r in rows
        )
        for c in columns
    ]
    widths = [
        max(len(c), *(len(line[i]) for line in cells)) if cells else len(c) for i, c in enumerate(columns)
    ]

    def line(values: Sequence[str]) -> str:
        padded = (v.rjust(w) if r else v.ljust(w) for v, w, r in zip(values, widths, right, strict=True))
        return "  ".join(padded).rstrip()

    click.echo(line(list(columns)))
    click.echo("  ".join("-" * w for w in widths))
    for values in cells:
        click.echo(line(values))


def print_text(text: str) -> None:
    """What people or the database wrote, line by line."""
    for line in text.splitlines():
        click.echo(_tame(line))


def say(message: str) -> None:
    """One line of progress, on stderr."""
    click.echo(message, err=True)


Item = TypeVar("Item")


def progress(items: Iterable[Item], label: str, total: int | None = None) -> Iterator[Item]:
    """Iterate with a progress bar when stderr is a terminal; silently otherwise."""
    if not sys.stderr.isatty() or os.environ.get("CI"):
        yield from items
        return
    from rich.console import Console
    from rich.progress import track

    yield from track(items, description=label, total=total, console=Console(stderr=True), transient=True)


def print_error(error: CrewPayError) -> None:
    """CODE: message, DETAIL and HINT on stderr, without secrets."""
    click.echo(redact(f"{error.code}: {error.message}"), err=True)
    if error.detail:
        click.echo(redact(f"DETAIL: {error.detail}"), err=True)
    if error.hint:
        click.echo(redact(f"HINT: {error.hint}"), err=True)


def from_database(error: psycopg.Error) -> CrewPayError:
    """An error of the database in our form: its SQLSTATE is the code, and decides the exit code."""
    state = error.sqlstate
    lost = state is None or state[:2] in {"08", "28", "3D", "57"}
    if lost and isinstance(error, psycopg.OperationalError | psycopg.ProgrammingError):
        return CrewPayError(
            state if state and state.startswith("CP") else "CP910",
            "no connection to the database",
            detail=(error.diag.message_primary or str(error)).strip(),
            hint=error.diag.message_hint
            or "Check DATABASE_URL, or start the private cluster with: make setup",
            exit_code=CONNECTION,
        )
    return CrewPayError(
        state or "XX000",
        (error.diag.message_primary or str(error)).strip(),
        detail=error.diag.message_detail,
        hint=error.diag.message_hint,
        exit_code=REFUSED,
    )


@contextmanager
def report_errors() -> Iterator[None]:
    """Turns errors into messages on stderr and exit codes; a traceback only with CREWPAY_DEBUG=1."""
    try:
        yield
    except CrewPayError as error:
        failure = error
    except psycopg.Error as error:
        if os.environ.get("CREWPAY_DEBUG"):
            raise
        failure = from_database(error)
    except KeyboardInterrupt:
        click.echo("interrupted", err=True)
        sys.exit(130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(OK)
    else:
        return
    print_error(failure)
    sys.exit(failure.exit_code)
