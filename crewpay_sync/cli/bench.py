"""`crewpay bench`: load to measure on."""

from __future__ import annotations

from contextlib import closing
from datetime import datetime

import click

from crewpay_sync.cli.progress import steps
from crewpay_sync.database import connect
from crewpay_sync.output import json_option, print_json, print_table


@click.group()
def bench() -> None:
    """Make synthetic load and measure on it."""


@bench.command()
@click.option(
    "--crew", default=1000, show_default=True, type=click.IntRange(5, 1_000_000), help="Crew members."
)
@click.option(
    "--month", default="2026-07", show_default=True, type=click.DateTime(["%Y-%m"]), help="Last month."
)
@click.option(
    "--months", default=1, show_default=True, type=click.IntRange(1, 60), help="How many months of history."
)
@click.option("--seed", default=1, show_default=True, help="Number that the load is drawn from.")
@click.option(
    "--enterprise", default="bench", show_default=True, metavar="SLUG", help="Enterprise to load into."
)
@click.option(
    "--contract/--no-contract", default=True, show_default=True, help="Load the sample contract as well."
)
@json_option
def load(
    crew: int, month: datetime, months: int, seed: int, enterprise: str, contract: bool, as_json: bool
) -> None:
    """Load made-up crew, flights and trips: about 40 legs per crew member and month.

    Needs a superuser: the rows go in without triggers and audit.
    """
    from crewpay_sync.importers.synthetic import STATEMENTS, load_synthetic

    with closing(connect(direct=True)) as conn, steps(len(STATEMENTS) + 4) as step:
        counts = load_synthetic(
            conn, crew=crew, month=month.date().replace(day=1), months=months, seed=seed, enterprise=enterprise,
            with_contract=contract, step=step,
        )  # fmt: skip
    if as_json:
        print_json(counts)
        return
    counts.pop("logins")
    print_table([{"what": name, "value": value} for name, value in counts.items()])


@bench.command()
@click.option(
    "--enterprise", default="bench", show_default=True, metavar="SLUG", help="Enterprise to measure."
)
@click.option("--month", type=click.DateTime(["%Y-%m"]), help="Month to pay.  [default: the newest open one]")
@click.option("--repeat", default=5, show_default=True, type=click.IntRange(1, 100), help="Measured runs.")
@json_option
def run(enterprise: str, month: datetime | None, repeat: int, as_json: bool) -> None:
    """Measure pay runs of a month on this database; nothing is kept.

    Each run is rolled back. WAL is the run's own, whatever other sessions write.
    """
    from crewpay_sync.measure import measure_runs, newest_period
    from crewpay_sync.tenants import act_as

    with (
        closing(connect(direct=True, autocommit=True)) as conn,
        act_as(conn, enterprise, "payroll"),
        steps(repeat + 1) as step,
    ):
        period = newest_period(conn, month.date().replace(day=1) if month else None)
        measured = measure_runs(conn, period["id"], repeat, step=step)
    row = {
        "period": f"{period['start_date']} to {period['end_date']}", "crew": measured.crew, "legs": measured.legs,
        "lines": measured.lines, "best_seconds": round(measured.best, 3), "median_seconds": round(measured.median, 3),
        "wal_bytes": measured.wal_bytes, "wal_per_line": round(measured.wal_per_line, 1),
    }  # fmt: skip
    if as_json:
        print_json({**row, "seconds": [round(s, 3) for s in measured.seconds]}, enterprise=enterprise)
    else:
        print_table([row])
