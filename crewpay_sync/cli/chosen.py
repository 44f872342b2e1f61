"""What a command is about: the database, the enterprise, its periods and crew members."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import psycopg

from crewpay_sync.cli.arguments import When
from crewpay_sync.database import connect
from crewpay_sync.output import USAGE, CrewPayError, say
from crewpay_sync.statements import Row, Statements

rows = Statements("pay").rows


def open_database() -> psycopg.Connection[Any]:
    """An operator's or principal's connection to a deployed database; CP905 when it is not deployed."""
    conn = connect(direct=True, autocommit=True)
    if not rows(conn, "deployed")[0]["deployed"]:
        conn.close()
        raise CrewPayError(
            "CP905", "CrewPay is not deployed in this database", hint="Deploy it: crewpay db deploy"
        )
    return conn


def choose_enterprise(conn: psycopg.Connection[Any], slug: str | None) -> str:
    """The enterprise asked for; without one, the only one there is. CP920 otherwise."""
    known = [row["slug"] for row in rows(conn, "enterprises")]
    if slug is not None:
        if slug not in known:
            raise CrewPayError(
                "CP920", f"there is no enterprise {slug}", detail=f"There are: {', '.join(known) or 'none'}.",
                hint="Take one of them, or import something: crewpay import nycflights",
            )  # fmt: skip
        return slug
    if len(known) == 1:
        return str(known[0])
    if not known:
        raise CrewPayError(
            "CP920", "there is no enterprise yet", hint="Import a month of flights: crewpay import nycflights"
        )
    raise CrewPayError(
        "CP920", "which enterprise?", detail=f"There are {len(known)}: {', '.join(known)}.",
        hint=f"Say which, for example: --enterprise {known[0]}", exit_code=USAGE,
    )  # fmt: skip


def chosen_periods(conn: psycopg.Connection[Any], when: When | None) -> list[Row]:
    """The periods to compute, first to last: those of the month or day asked for, else the newest open one.

    Of a month the periods that are no longer open are left as they are, unless none is open: then the
    database says why it refuses.
    """
    known = rows(conn, "periods")
    if when is None:
        is_open = [p for p in known if p["status"] == "OPEN"]
        if not is_open:
            raise CrewPayError("CP214", "no pay period is open", hint="List them: crewpay pay periods")
        return is_open[-1:]
    found = [p for p in known if when.covers(p)]
    if not found:
        last = ", ".join(f"{p['start_date']} to {p['end_date']}" for p in known[-6:])
        raise CrewPayError(
            "CP214", f"there is no pay period in {when}",
            detail=f"The newest: {last}." if last else "There is none at all.", hint="List them: crewpay pay periods",
        )  # fmt: skip
    can_run = [p for p in found if p["status"] in ("OPEN", "PROCESSING")]
    for period in found if can_run else []:
        if period not in can_run:
            say(f"{period['start_date']} to {period['end_date']} is {period['status']}: left as it is")
    return can_run or found


def crew_keys(conn: psycopg.Connection[Any], employees: Sequence[str]) -> list[UUID] | None:
    """Keys of crew members by employee number; null means everybody. CP106 when one is unknown."""
    if not employees:
        return None
    found = rows(conn, "crew_ids", {"employees": list(employees)})
    missing = [row["employee_id"] for row in found if row["id"] is None]
    if missing:
        raise CrewPayError(
            "CP106", f"unknown crew member: {', '.join(missing)}",
            hint="Give employee numbers: select employee_id from crew.crew_members.",
        )  # fmt: skip
    return [row["id"] for row in found]


@contextmanager
def one_snapshot(conn: psycopg.Connection[Any]) -> Iterator[None]:
    """A transaction that reads every fact as of one moment; CP210 when another run got in between."""
    conn.set_isolation_level(psycopg.IsolationLevel.REPEATABLE_READ)
    try:
        with conn.transaction():
            yield
    except psycopg.errors.SerializationFailure as error:
        raise CrewPayError(
            "CP210", "another run of this pay period finished in between", hint="Run again."
        ) from error
    finally:
        if not conn.closed:
            conn.set_isolation_level(None)
