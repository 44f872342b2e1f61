"""`python -m tests.bench` (make bench): what a run of pay takes, beside what was promised.

Everything is on: keys, checks, row-level security, audit triggers. Each size has databases of its own on the configured
server, dropped at the end: one with a single month loaded, one with twelve months loaded and paid. Figures of one run of
this program belong together; ratios are of runs that took turns.
"""

from __future__ import annotations

import math
import os
import platform
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import click
import psycopg

from crewpay_sync.database import Target, direct_target
from crewpay_sync.deploy import scratch
from crewpay_sync.deploy.source import Tree
from crewpay_sync.importers.synthetic import load_synthetic
from crewpay_sync.measure import (
    Runs,
    measure_reads,
    measure_run,
    measure_runs,
    newest_period,
    percentile,
    rows,
)
from crewpay_sync.output import json_option, print_json, print_table, report_errors, say
from crewpay_sync.tenants import act_as

MONTH = date(2026, 7, 1)
ENTERPRISE = "bench"
SECONDS = {1_000: 0.5, 10_000: 2.0, 100_000: 25.0}  # promised, by crew members
WAL_PER_LINE, HISTORY_RATIO, EXPONENT, SIMPLE_MS = 40, 1.3, 1.15, 5.0

Figure = dict[str, Any]


def figure(what: str, measured: float, unit: str, promise: float | None = None, digits: int = 2) -> Figure:
    """A line of the report: measured, and what was promised as an upper limit."""
    return {
        "what": what,
        "measured": f"{measured:,.{digits}f} {unit}".strip(),
        "promise": "" if promise is None else f"≤ {promise:g} {unit}".strip(),
        "holds": "" if promise is None else "yes" if measured <= promise else "NO",
    }


@contextmanager
def loaded(server: Target, tree: Tree, crew: int, months: int) -> Iterator[psycopg.Connection[Any]]:
    """A deployed database with synthetic months; the connection acts as its payroll clerk."""
    purpose = f"bench_{crew}_{months}"
    with scratch.temporary(server, purpose, tree) as target, closing(target.connect(autocommit=True)) as conn:
        counts = load_synthetic(conn, crew=crew, month=MONTH, months=months, enterprise=ENTERPRISE)
        say(f"{purpose}: {counts['legs']} legs loaded in {counts['seconds']} s")
        with act_as(conn, ENTERPRISE, "payroll"):
            period = newest_period(conn)["id"]
            for other in rows(conn, "other_periods", {"period": period}):
                measure_run(conn, other["id"], Runs(), keep=True)
        conn.execute("vacuum analyze")
        with act_as(conn, ENTERPRISE, "payroll"):
            yield conn


def size(server: Target, tree: Tree, crew: int, repeat: int, history: bool) -> tuple[list[Figure], Runs]:
    """All figures of one size."""
    figures: list[Figure] = []
    label = f"{crew:,} crew"
    with ExitStack() as stack:
        one = stack.enter_context(loaded(server, tree, crew, 1))
        period = newest_period(one)["id"]
        first = measure_runs(one, period, repeat)
        figures += [
            figure(f"{label}: run of a month, best of {repeat}", first.best, "s", SECONDS.get(crew)),
            figure(f"{label}: the same, median", first.median, "s"),
            figure(f"{label}: legs", first.legs, "", digits=0),
            figure(f"{label}: lines", first.lines, "", digits=0),
            figure(f"{label}: WAL of the run", first.wal_bytes / 1e6, "MB"),
            figure(f"{label}: WAL per line", first.wal_per_line, "B", WAL_PER_LINE, 1),
        ]
        if history:
            twelve = stack.enter_context(loaded(server, tree, crew, 12))
            later = newest_period(twelve)["id"]
            pair = Runs(), Runs()
            measure_run(twelve, later, Runs())
            for _ in range(repeat):
                measure_run(one, period, pair[0])
                measure_run(twelve, later, pair[1])
            figures += [
                figure(f"{label}: run with 12 months loaded, best", pair[1].best, "s"),
                figure(f"{label}: ratio to 1 month loaded", pair[1].best / pair[0].best, "×", HISTORY_RATIO),
            ]
        again = measure_runs(one, period, repeat, keep=True)
        if again.result_hash != first.result_hash:
            raise SystemExit("a repeated run gave other lines")
        figures += [
            figure(f"{label}: repeated run, replaced results kept, best", again.best, "s"),
            figure(f"{label}: WAL per line of the repeated run", again.wal_per_line, "B", None, 1),
        ]
        figures += reads(one, label, period)
    return figures, first


def reads(conn: psycopg.Connection[Any], label: str, period: Any) -> list[Figure]:
    """Reading under row-level security, each of 300 crew members once (statements: 30)."""
    crew = rows(conn, "some_crew", {"count": 300})
    keys = [{"crew": c["id"], "period": period} for c in crew]
    found = []
    for name, what, promise in (
        ("read_result", "one result", SIMPLE_MS), ("read_lines", "lines of one month", None), ("read_legs", "50 legs with flights", None),
    ):  # fmt: skip
        measure_reads(conn, name, keys[:10])
        taken = measure_reads(conn, name, keys)
        found.append(figure(f"{label}: {what}, p99", percentile(taken, 0.99) * 1000, "ms", promise))
    people = [{"employee": c["employee_id"], "month": MONTH} for c in crew[:30]]
    taken = measure_reads(conn, "read_statement", people)
    found.append(figure(f"{label}: pay statement, median", percentile(taken, 0.5) * 1000, "ms", None, 0))
    return found


def machine(server: Target) -> str:
    """What it was measured on."""
    with closing(server.connect(autocommit=True)) as conn:
        values = rows(conn, "server")[0]
    cpu = next(
        (line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line),
        platform.machine(),
    )  # fmt: skip
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{os.cpu_count()} × {cpu}, {memory:.0f} GB, load {os.getloadavg()[0]:.1f}; PostgreSQL {values['version']}, "
        f"shared_buffers {values['shared_buffers']}, synchronous_commit {values['synchronous_commit']}"
    )


@click.command()
@click.option(
    "--size",
    "sizes",
    multiple=True,
    type=click.IntRange(100),
    default=(1000,),
    show_default=True,
    help="Crew members; may be repeated.",
)
@click.option("--repeat", default=5, show_default=True, type=click.IntRange(1, 100), help="Measured runs.")
@click.option(
    "--history/--no-history", default=True, show_default=True, help="Also with twelve months loaded."
)
@json_option
def main(sizes: tuple[int, ...], repeat: int, history: bool, as_json: bool) -> None:
    """Measure pay runs beside the promises."""
    tree = Tree(Path(__file__).resolve().parents[2])
    server = direct_target().with_(dbname="postgres")
    where = machine(server)
    say(where)
    figures: list[Figure] = []
    best: dict[int, float] = {}
    for crew in sorted(set(sizes)):
        found, runs = size(server, tree, crew, repeat, history)
        figures += found
        best[crew] = runs.best
    if len(best) > 1:
        small, large = min(best), max(best)
        exponent = math.log(best[large] / best[small]) / math.log(large / small)
        figures.append(figure(f"growth from {small:,} to {large:,} crew, exponent", exponent, "", EXPONENT))
    if as_json:
        print_json(figures, machine=where)
    else:
        print_table(figures)


if __name__ == "__main__":
    with report_errors():
        main()
