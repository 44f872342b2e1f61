"""`crewpay bench`: load to measure on."""

from __future__ import annotations

from contextlib import closing
from datetime import datetime

import click

from crewpay_sync.cli.imports import steps
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
