"""Measuring pay runs on loaded data: seconds, lines and write-ahead log of each run."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from uuid import UUID

import psycopg

from crewpay_sync.output import CrewPayError
from crewpay_sync.statements import Row, Statements


@dataclass
class Runs:
    """Runs of one period, repeated."""

    crew: int = 0
    legs: int = 0
    lines: int = 0
    result_hash: str = ""
    seconds: list[float] = field(default_factory=list)
    wal: list[int] = field(default_factory=list)
    wal_pages: list[int] = field(default_factory=list)

    @property
    def best(self) -> float:
        return min(self.seconds)

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    @property
    def wal_bytes(self) -> int:
        """Of the run that wrote least: page images after a checkpoint are the server's, not the run's."""
        return min(self.wal)

    @property
    def wal_per_line(self) -> float:
        return self.wal_bytes / self.lines if self.lines else 0.0


rows = Statements("measure").rows


def newest_period(conn: psycopg.Connection[Any], month: date | None = None) -> Row:
    """The open period to measure: of the month, or the newest. CP214 when there is none."""
    found = rows(conn, "newest_period", {"month": month})
    if not found:
        raise CrewPayError(
            "CP214", "there is no open pay period to measure", hint="Load one: crewpay bench load"
        )
    return found[0]


def measure_run(conn: psycopg.Connection[Any], period: UUID, into: Runs, *, keep: bool = False) -> None:
    """One run as the session's principal; rolled back unless it is to be kept.

    The session writes nothing else meanwhile, so the log that EXPLAIN counts is the run's own, whatever other sessions do.
    """
    with conn.transaction(force_rollback=not keep):
        started = time.perf_counter()
        plan = rows(conn, "run", {"period": period})[0]["QUERY PLAN"][0]["Plan"]
        seconds = time.perf_counter() - started
        run = rows(conn, "last_run", {"period": period})[0]
    into.crew, into.legs, into.lines = run["crew_count"], run["leg_count"], run["line_count"]
    into.result_hash = run["result_hash"]
    into.seconds.append(seconds)
    into.wal.append(plan["WAL Bytes"])
    into.wal_pages.append(plan["WAL FPI"])


def measure_runs(
    conn: psycopg.Connection[Any],
    period: UUID,
    repeat: int,
    *,
    keep: bool = False,
    step: Callable[[str], None] = lambda _: None,
) -> Runs:
    """A run to warm up, then `repeat` measured ones."""
    step("warm up")
    measure_run(conn, period, Runs(), keep=keep)
    measured = Runs()
    for number in range(repeat):
        step(f"run {number + 1}")
        measure_run(conn, period, measured, keep=keep)
    return measured


def percentile(values: Sequence[float], share: float) -> float:
    """The value that `share` of the values don't exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def measure_reads(conn: psycopg.Connection[Any], name: str, values: Sequence[Row]) -> list[float]:
    """Seconds of a statement for each set of values, rows fetched."""
    taken = []
    for each in values:
        started = time.perf_counter()
        rows(conn, name, each)
        taken.append(time.perf_counter() - started)
    return taken
