"""`python -m tests.bench` (make bench): what a run of pay takes, beside what was promised and beside others.

Everything is on: keys, checks, row-level security, audit triggers. Each size has databases of its own on the configured
server, dropped at the end: one with a single month loaded, one with the elaborate contract, one with twelve months loaded
and paid. Figures of one run of this program belong together; ratios are of runs that took turns.
"""

from __future__ import annotations

import math
import os
import platform
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import UUID

import click
import psycopg

from crewpay_sync.database import Target, direct_target
from crewpay_sync.deploy import scratch
from crewpay_sync.deploy.source import Tree
from crewpay_sync.importers.contract import load_contract, sample_contract
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
from crewpay_sync.output import CrewPayError, json_option, print_json, print_table, report_errors, say
from crewpay_sync.pay_workers import run_on_workers
from crewpay_sync.tenants import act_as
from tests.bench.memory import Peak

MONTH = date(2026, 7, 1)
ENTERPRISE = "bench"
SECONDS = {1_000: 0.5, 10_000: 2.0, 100_000: 25.0}  # promised, by crew members
WAL_PER_LINE, HISTORY_RATIO, EXPONENT, SIMPLE_MS, MEMORY_MB = 40, 1.3, 1.15, 5.0, 1000
ONE_MS, COMPILE_MS, MARKING_RATIO = 50, 30, 1.3
ELABORATE = sample_contract().with_name("elaborate_contract.yaml")

Figure = dict[str, Any]


def figure(what: str, measured: float, unit: str, promise: float | None = None, digits: int = 2) -> Figure:
    """A line of the report: measured, and what was promised as an upper limit."""
    return {
        "what": what,
        "measured": f"{measured:,.{digits}f} {unit}".strip(),
        "promise": "" if promise is None else f"≤ {promise:g} {unit}".strip(),
        "holds": "" if promise is None else "yes" if measured <= promise else "NO",
    }


@dataclass
class Loaded:
    """A database with synthetic months; the connection acts as its payroll clerk."""

    target: Target
    conn: psycopg.Connection[Any]
    period: UUID


@contextmanager
def loaded(server: Target, tree: Tree, crew: int, months: int, contract: Path) -> Iterator[Loaded]:
    """Deployed and loaded, dropped at the end; all months but the last are paid."""
    purpose = f"bench_{crew}_{months}_{contract.stem}"
    with scratch.temporary(server, purpose, tree) as target, closing(target.connect(autocommit=True)) as conn:
        counts = load_synthetic(
            conn, crew=crew, month=MONTH, months=months, enterprise=ENTERPRISE, with_contract=False
        )
        say(f"{purpose}: {counts['legs']} legs loaded in {counts['seconds']} s")
        load_contract(conn, ENTERPRISE, contract)
        with act_as(conn, ENTERPRISE, "payroll"):
            period = newest_period(conn)["id"]
            for other in rows(conn, "other_periods", {"period": period}):
                measure_run(conn, other["id"], Runs(), keep=True)
        conn.execute("vacuum analyze")
        with act_as(conn, ENTERPRISE, "payroll"):
            yield Loaded(target, conn, period)


def two_backends(db: Loaded, into: Runs) -> None:
    """One run on two backends, kept: committed, as it can't be otherwise."""
    started = time.perf_counter()
    run = run_on_workers(db.conn, lambda: db.target.connect(autocommit=True), ENTERPRISE, db.period, 2)
    into.seconds.append(time.perf_counter() - started)
    into.crew, into.legs, into.lines = run["crew_count"], run["leg_count"], run["line_count"]
    into.result_hash = run["result_hash"]


def best_ms(conn: psycopg.Connection[Any], name: str, values: Figure, repeat: int) -> float:
    """Best milliseconds of a statement of sql/measure.sql, rolled back."""
    taken = []
    for _ in range(repeat + 1):
        with conn.transaction(force_rollback=True):
            started = time.perf_counter()
            rows(conn, name, values)
            taken.append(time.perf_counter() - started)
    return min(taken) * 1000


def compile_ms(db: Loaded, repeat: int) -> float:
    """Best milliseconds of compiling the larger contract, as operator."""
    with closing(db.target.connect(autocommit=True)) as conn:
        return best_ms(conn, "compile", {"enterprise": ENTERPRISE, "month": MONTH}, repeat)


def size(
    server: Target, tree: Tree, crew: int, repeat: int, history: bool, against: bool
) -> tuple[list[Figure], Runs, Runs]:
    """All figures of one size, and the runs on one backend and on two."""
    figures: list[Figure] = []
    label = f"{crew:,} crew"
    with ExitStack() as stack:
        one = stack.enter_context(loaded(server, tree, crew, 1, sample_contract()))
        with Peak(one.conn) as peak:
            first = measure_runs(one.conn, one.period, repeat)
        figures += [
            figure(
                f"{label}: run of a month, one backend, best of {repeat}", first.best, "s", SECONDS.get(crew)
            ),
            figure(f"{label}: the same, median", first.median, "s"),
            figure(f"{label}: legs", first.legs, "", digits=0),
            figure(f"{label}: lines", first.lines, "", digits=0),
            figure(f"{label}: WAL of the run", first.wal_bytes / 1e6, "MB"),
            figure(f"{label}: WAL per line", first.wal_per_line, "B", WAL_PER_LINE, 1),
        ]
        if peak.mb:
            figures.append(figure(f"{label}: peak memory of the backend", peak.mb, "MB", MEMORY_MB, 0))
        if history:
            figures += with_history(server, tree, crew, repeat, one, label)
        again = measure_runs(one.conn, one.period, min(repeat, 3), keep=True)
        pair, elsewhere = Runs(), Runs()
        with Peak(database=one.target) as peak:
            for _ in range(min(repeat, 3)):
                two_backends(one, pair)
        if {again.result_hash, pair.result_hash} != {first.result_hash}:
            raise SystemExit("a repeated run gave other lines")
        figures += [
            figure(f"{label}: repeated run, replaced results kept, one backend, best", again.best, "s"),
            figure(f"{label}: WAL per line of the repeated run", again.wal_per_line, "B", None, 1),
            figure(f"{label}: the same on two backends, best", pair.best, "s", SECONDS.get(crew)),
            figure(f"{label}: median", pair.median, "s"),
        ]
        if peak.mb:
            figures.append(
                figure(f"{label}: peak memory of all its backends together", peak.mb, "MB", MEMORY_MB, 0)
            )
        figures += [
            figure(
                f"{label}: run of one crew member, best",
                best_ms(one.conn, "run_some", {"period": one.period, "count": 1}, 5),
                "ms",
                ONE_MS,
                0,
            ),
            figure(f"{label}: a group's terms compiled, best", compile_ms(one, 5), "ms", COMPILE_MS, 0),
        ]
        figures += refreshed(one, label, again.best)
        figures += reads(one.conn, label, one.period)
        if against:
            figures += race(one, label, repeat)
        elaborate = stack.enter_context(loaded(server, tree, crew, 1, ELABORATE))
        measure_run(elaborate.conn, elaborate.period, Runs(), keep=True)
        for _ in range(min(repeat, 3)):
            measure_run(elaborate.conn, elaborate.period, elsewhere, keep=False)
        figures.append(
            figure(
                f"{label}, elaborate contract: a group's terms compiled, best",
                compile_ms(elaborate, 5),
                "ms",
                COMPILE_MS,
                0,
            )
        )
        figures.append(figure(f"{label}, elaborate contract: lines", elsewhere.lines, "", digits=0))
        figures.append(
            figure(f"{label}, elaborate contract: repeated run, one backend, best", elsewhere.best, "s")
        )
        elsewhere.seconds.clear()
        for _ in range(min(repeat, 3)):
            two_backends(elaborate, elsewhere)
        figures.append(figure(f"{label}, elaborate contract: two backends, best", elsewhere.best, "s"))
    return figures, first, pair


def refreshed(db: Loaded, label: str, run_seconds: float) -> list[Figure]:
    """What marking costs a writer, taking turns with the same update unmarked, and a refresh after 1 % of the crew changed."""
    marked: list[float] = []
    unmarked: list[float] = []
    refresh: list[float] = []
    with closing(db.target.connect(autocommit=True)) as operator:
        for turn in range(6):
            for into, mode in ((marked, "enable"), (unmarked, "disable")):
                with operator.transaction(force_rollback=True):
                    operator.execute(f"alter table crew.flights {mode} trigger flights_90_dirty_updated")  # type: ignore[call-overload]
                    started = time.perf_counter()
                    rows(operator, "delay_flights")
                    if turn:
                        into.append(time.perf_counter() - started)
    for _ in range(4):
        with db.conn.transaction(force_rollback=True):
            db.conn.execute("reset session authorization")
            rows(db.conn, "raise_some", {"share": 100})
            with act_as(db.conn, ENTERPRISE, "payroll"):
                started = time.perf_counter()
                rows(db.conn, "refresh", {"period": db.period})
                refresh.append(time.perf_counter() - started)
    return [
        figure(f"{label}: update of every tenth flight, marked, as a multiple of unmarked", min(marked) / min(unmarked), "×", MARKING_RATIO),
        figure(f"{label}: refresh after 1 % of the crew changed, best", min(refresh), "s"),
        figure(f"{label}: the same as a share of a run of everybody", min(refresh) / run_seconds, "×"),
    ]  # fmt: skip


def with_history(server: Target, tree: Tree, crew: int, repeat: int, one: Loaded, label: str) -> list[Figure]:
    """The run where twelve months are loaded, taking turns with the one where one is."""
    with loaded(server, tree, crew, 12, sample_contract()) as twelve:
        pair = Runs(), Runs()
        measure_run(twelve.conn, twelve.period, Runs())
        for _ in range(repeat):
            measure_run(one.conn, one.period, pair[0])
            measure_run(twelve.conn, twelve.period, pair[1])
    return [
        figure(f"{label}: run with 12 months loaded, best", pair[1].best, "s"),
        figure(f"{label}: ratio to 1 month loaded", pair[1].best / pair[0].best, "×", HISTORY_RATIO),
    ]


def race(db: Loaded, label: str, repeat: int) -> list[Figure]:
    """Runs on two backends and the same by others, taking turns. All start from a month without results."""
    from tests.bench import peers

    measure_run(db.conn, db.period, Runs(), keep=True)
    task = peers.prepare(db.target)
    taken: dict[str, list[dict[str, float]]] = {}
    ours = Runs()
    for turn in range(min(repeat, 3) + 1):
        with closing(db.target.connect(autocommit=True)) as operator:
            operator.execute("set session_replication_role = replica")
            operator.execute("delete from pay.pay_calculations")
        two_backends(db, ours)
        for name in peers.ENGINES:
            found = peers.run(task, name)
            if turn == 0:
                wrong = peers.differences(task)
                if wrong:
                    raise SystemExit(f"{name}: {wrong} of {ours.crew} results differ from ours")
            else:
                taken.setdefault(name, []).append(found)
    ours.seconds = ours.seconds[1:]
    figures = [figure(f"{label}, side by side: ours, two backends, best", ours.best, "s")]
    if ours.crew <= 10_000:
        taken["loop over crew members in PL/pgSQL"] = [peers.run_loop(task)]
        if peers.differences(task):
            raise SystemExit("the loop's results differ from ours")
    for name, rounds in taken.items():
        best = min(rounds, key=lambda each: each["all"])
        figures.append(figure(f"{label}, side by side: {name}, best", best["all"], "s"))
        for part in ("read", "compute", "write"):
            if part in best:
                figures.append(figure(f"{label}, side by side: {name}, {part}", best[part], "s"))
        figures.append(
            figure(f"{label}, side by side: {name} as a multiple of ours", best["all"] / ours.best, "×")
        )
    return figures


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
@click.option(
    "--peers/--no-peers",
    "against",
    default=None,
    help="Also polars, DuckDB and a loop.  [default: if installed]",
)
@json_option
def main(sizes: tuple[int, ...], repeat: int, history: bool, against: bool | None, as_json: bool) -> None:
    """Measure pay runs beside the promises."""
    if against is not False:
        try:
            import tests.bench.peers  # noqa: F401
        except CrewPayError as error:
            if against:
                raise
            say(f"without peers: {error.message}. {error.hint}")
            against = False
    tree = Tree(Path(__file__).resolve().parents[2])
    server = direct_target().with_(dbname="postgres")
    where = machine(server)
    say(where)
    figures: list[Figure] = []
    best: dict[int, tuple[float, float]] = {}
    for crew in sorted(set(sizes)):
        found, alone, pair = size(server, tree, crew, repeat, history, against is not False)
        figures += found
        best[crew] = alone.best, pair.best
    ordered = sorted(best)
    for small, large in pairwise(ordered):
        for which, what in enumerate(("one backend", "two backends")):
            exponent = math.log(best[large][which] / best[small][which]) / math.log(large / small)
            figures.append(
                figure(f"growth from {small:,} to {large:,} crew, {what}, exponent", exponent, "", EXPONENT)
            )
    if as_json:
        print_json(figures, machine=where)
    else:
        print_table(figures)


if __name__ == "__main__":
    with report_errors():
        main()
