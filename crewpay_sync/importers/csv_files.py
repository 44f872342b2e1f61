"""CSV files of flights, crew, trips, assignments and payments, through the checks of the database.

Rows go to the database in pieces; SQL functions check them set-based, write the good ones and keep the others with a
reason. (COPY is refused on tables under row-level security, and every importing login is.)
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
from psycopg.types.json import Jsonb

from crewpay_sync.output import USAGE, CrewPayError
from crewpay_sync.statements import query
from crewpay_sync.tenants import act_as, enterprise_id

PIECE = 5000  # rows sent at once
FLIGHT = ("flight_number", "scheduled_departure", "origin_airport")
# Kind -> columns that a file must have, and those it may have.
COLUMNS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "flights": (
        FLIGHT,
        (
            "destination_airport", "scheduled_arrival", "actual_departure", "actual_arrival", "status", "delay_minutes",
            "delay_code", "delay_reason", "aircraft_type", "aircraft_registration",
        ),
    ),
    "crew": (
        ("employee_id",),
        (
            "first_name", "last_name", "position", "base_location", "hire_date", "seniority_number", "base_hourly_rate",
            "union_status", "contract_type", "termination_date",
        ),
    ),
    "trips": (
        ("employee_id", "trip_number", "scheduled_start_at"),
        (
            "scheduled_end_at", "start_at", "end_at", "base_location", "pickup", "from_reserve", "awarded_credit_minutes",
        ),
    ),
    "assignments": (
        ("employee_id", "duty_start_time"),
        (
            *FLIGHT, "activity", "position", "position_flown", "duty_end_time", "check_in_time", "check_out_time",
            "published_credit_minutes", "trip_number",
        ),
    ),
    "payments": (
        ("reference", "employee_id", "period_start", "component", "amount"),
        ("quantity", "paid_on", *FLIGHT),
    ),
    # Another payroll's results, to be compared with ours.
    "parallel": (
        ("employee_id", "period_start", "component", "amount"),
        ("quantity", *FLIGHT),
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Result:
    """What became of a file's rows, and the first of those that were refused."""

    batch: UUID
    kind: str
    rows: int
    inserted: int
    updated: int
    unchanged: int
    rejected: int
    rejects: list[dict[str, Any]]
    rate_change: UUID | None = None  # asks a second person for the rates that the file changes
    rates_asked: int = 0


def read_rows(kind: str, file: Path) -> Iterator[dict[str, str | None]]:
    """The rows of a file, cells as text. CP925 when its header does not fit the kind, or it can't be read."""
    required, optional = COLUMNS[kind]
    try:
        with file.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.reader(stream, strict=True)
            header = [name.strip().lower() for name in next(reader, [])]
            wrong = sorted(set(header) - {*required, *optional}) + sorted(
                {n for n in header if header.count(n) > 1}
            )
            missing = [name for name in required if name not in header]
            if wrong or missing:
                raise CrewPayError(
                    "CP925",
                    f"the header of {file.name} does not fit {kind}",
                    detail="; ".join(
                        text
                        for text in (
                            f"missing: {', '.join(missing)}" if missing else "",
                            f"unknown or twice: {', '.join(wrong)}" if wrong else "",
                        )
                        if text
                    ),
                    hint=f"Columns of {kind}: {', '.join((*required, *optional))}.",
                    exit_code=USAGE,
                )
            for cells in reader:
                row: dict[str, str | None] = dict(
                    zip(header, (c.replace("\0", "\ufffd") for c in cells), strict=False)
                )
                if len(cells) != len(header):
                    row["_fields"] = str(len(cells))
                yield row
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CrewPayError("CP925", f"{file} can't be read", detail=str(error), exit_code=USAGE) from None


def import_file(
    conn: psycopg.Connection[Any],
    kind: str,
    file: Path,
    enterprise_slug: str,
    *,
    shown: int = 20,
    progress: Callable[[int], None] = lambda _: None,
) -> Result:
    """Imports a file into an enterprise, in one transaction, as its payroll; `shown` refused rows come back."""
    with (
        conn.transaction(),
        _tenant(conn, enterprise_slug),
        conn.cursor(row_factory=psycopg.rows.tuple_row) as cursor,
    ):
        batch = _one(cursor.execute(query("csv_files", "begin"), (kind, file.name)))[0]
        piece: list[dict[str, str | None]] = []
        first = 2  # the header is row 1
        for row in read_rows(kind, file):
            piece.append(row)
            if len(piece) == PIECE:
                cursor.execute(query("csv_files", "stage"), (batch, first, Jsonb(piece)))
                first += len(piece)
                progress(len(piece))
                piece = []
        if piece:
            cursor.execute(query("csv_files", "stage"), (batch, first, Jsonb(piece)))
            progress(len(piece))
        counts = _one(cursor.execute(query("csv_files", "finish"), (batch,)))
        with conn.cursor(row_factory=psycopg.rows.dict_row) as reader:
            rejects = reader.execute(query("csv_files", "rejects"), (batch, shown)).fetchall()
        asked = cursor.execute(query("csv_files", "waiting_rates")).fetchone() if kind == "crew" else None
    rows, inserted, updated, unchanged, rejected = counts
    change, rates = asked or (None, 0)
    return Result(
        batch,
        kind,
        rows,
        inserted,
        updated,
        unchanged,
        rejected,
        rejects,
        rate_change=change,
        rates_asked=rates,
    )


@contextmanager
def _tenant(conn: psycopg.Connection[Any], slug: str) -> Iterator[None]:
    enterprise_id(conn, slug)
    with act_as(conn, slug, "payroll"):
        yield


def _one(cursor: psycopg.Cursor[Any]) -> Any:
    row = cursor.fetchone()
    if row is None:
        raise AssertionError("the function answers with a row")
    return row
