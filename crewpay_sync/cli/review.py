"""`crewpay review`: detect discrepancies, list and resolve them, compare with another payroll's results."""

from __future__ import annotations

import sys
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import click
import psycopg

from crewpay_sync.cli.arguments import When, enterprise_option, parse_amount, parse_when
from crewpay_sync.cli.chosen import choose_enterprise, crew_keys, open_database, rows
from crewpay_sync.cli.progress import rows_bar, spinner
from crewpay_sync.output import FINDINGS, PARTIAL, CrewPayError, json_option, print_json, print_table, say
from crewpay_sync.statements import Row, Statements
from crewpay_sync.tenants import act_as

DETECTED = ["period", "found", "new", "changed", "cured", "fixed", "seconds"]
LISTED = ["no", "employee_id", "type", "reason", "severity", "flight", "component", "expected", "actual", "difference", "status", "found_on"]  # fmt: skip
CHECKS = ["check", "enabled", "severity", "min_amount", "others", "auto_fixable", "title"]
VARIANCE = ["employee_id", "component", "flight", "expected", "actual", "difference", "reason"]

asked = Statements("review").rows


as_option = click.option(
    "--as", "role", default="payroll", show_default=True, metavar="WHO",
    help="Act as the enterprise's login <slug>_WHO.",
)  # fmt: skip


def periods_of(conn: psycopg.Connection[Any], when: When | None) -> list[Row]:
    """The periods asked for, in any state; without one, the newest that has results. CP214 when there is none."""
    known = rows(conn, "periods")
    found = [p for p in known if when.covers(p)] if when else [p for p in known if p["crew"]][-1:]
    if not found:
        raise CrewPayError(
            "CP214", f"there is no pay period in {when}" if when else "no period has results yet",
            hint="List them: crewpay pay periods",
        )  # fmt: skip
    return found


@click.group()
def review() -> None:
    """Find errors in pay: detection, discrepancies, comparison with another payroll."""


@review.command()
@click.argument("period", type=parse_when, required=False, metavar="[PERIOD]")
@click.option("--crew", "employees", multiple=True, metavar="EMPLOYEE", help="Only this crew member; may be repeated.")  # fmt: skip
@click.option("--stored", is_flag=True, help="Compare stored results with payments only; recompute nothing.")
@enterprise_option
@as_option
@json_option
def detect(
    period: When | None,
    employees: tuple[str, ...],
    stored: bool,
    enterprise: str | None,
    role: str,
    as_json: bool,
) -> None:
    """Look for discrepancies in PERIOD: a month (2013-01) or a day; without one, the newest with results.

    Pay is recomputed and compared with what is recorded, and what is recorded with what payroll paid. Exit code 1:
    something is wrong; see crewpay review list.
    """
    done = []
    with closing(open_database()) as conn:
        slug = choose_enterprise(conn, enterprise)
        with act_as(conn, slug, role) as login:
            crew = crew_keys(conn, employees)
            for chosen in periods_of(conn, period):
                with spinner(f"detect {chosen['start_date']} to {chosen['end_date']}"):
                    done += asked(conn, "detect", period=chosen["id"], crew=crew, recompute=not stored)
    found = sum(row["found"] for row in done)
    if as_json:
        print_json(done, status="findings" if found else "ok", enterprise=slug, login=login)
    else:
        print_table(done, columns=DETECTED)
    if found:
        sys.exit(FINDINGS)


@review.command("list")
@click.argument("period", type=parse_when, required=False, metavar="[PERIOD]")
@click.option("--crew", "employees", multiple=True, metavar="EMPLOYEE", help="Only this crew member; may be repeated.")  # fmt: skip
@click.option("--all", "everything", is_flag=True, help="Resolved and closed ones as well.")
@click.option("--rollup", is_flag=True, help="Counts and money by base, type, severity and age.")
@enterprise_option
@as_option
@json_option
def list_command(
    period: When | None,
    employees: tuple[str, ...],
    everything: bool,
    rollup: bool,
    enterprise: str | None,
    role: str,
    as_json: bool,
) -> None:
    """List discrepancies, the worst first; of PERIOD or of all."""
    with closing(open_database()) as conn:
        slug = choose_enterprise(conn, enterprise)
        with act_as(conn, slug, role) as login:
            keys = None if period is None else [p["id"] for p in periods_of(conn, period)]
            found = asked(
                conn, "rollup" if rollup else "list", periods=keys, crew=crew_keys(conn, employees),
                everything=everything,
            )  # fmt: skip
    if as_json:
        print_json(found, enterprise=slug, login=login)
    else:
        print_table(found, columns=None if rollup else LISTED)


@review.command()
@enterprise_option
@as_option
@json_option
def checks(enterprise: str | None, role: str, as_json: bool) -> None:
    """List the checks, with the settings in force for the enterprise."""
    with closing(open_database()) as conn:
        slug = choose_enterprise(conn, enterprise)
        with act_as(conn, slug, role) as login:
            found = asked(conn, "checks")
    if as_json:
        print_json(found, enterprise=slug, login=login)
    else:
        print_table(found, columns=CHECKS)


@review.command()
@click.argument("number", type=int, metavar="NO")
@click.option("--reason", required=True, metavar="TEXT", help="Why; kept with it and in the audit trail.")
@click.option(
    "--status",
    type=click.Choice(["INVESTIGATING", "ESCALATED", "RESOLVED", "CLOSED"], case_sensitive=False),
    default="RESOLVED",
    show_default=True,
)
@enterprise_option
@as_option
@json_option
def resolve(number: int, reason: str, status: str, enterprise: str | None, role: str, as_json: bool) -> None:
    """Move the discrepancy of that number on: investigate, escalate, resolve, close."""
    with closing(open_database()) as conn:
        slug = choose_enterprise(conn, enterprise)
        with act_as(conn, slug, role) as login:
            key = asked(conn, "key", number=number)
            if not key:
                raise CrewPayError("CP402", f"there is no discrepancy {number}", hint="List them: crewpay review list")  # fmt: skip
            done = asked(conn, "move", discrepancy=key[0]["id"], status=status.upper(), reason=reason)
    if as_json:
        print_json(done, enterprise=slug, login=login)
    else:
        print_table(done)


@review.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=False)
@click.option(
    "--batch", type=click.UUID, metavar="ID", help="Compare an import made before, instead of a file."
)
@click.option("--tolerance", type=parse_amount, metavar="AMOUNT", default="0.01", show_default=True, help="Amounts that differ by no more are equal.")  # fmt: skip
@click.option("--rollup", is_flag=True, help="Rolled up to every level instead of line by line.")
@enterprise_option
@json_option
def variance(
    file: Path | None,
    batch: UUID | None,
    tolerance: Decimal,
    rollup: bool,
    enterprise: str | None,
    as_json: bool,
) -> None:
    """Compare another payroll's results (a CSV FILE) with ours, line by line, each difference with its cause.

    Columns: docs/review.md. Nothing that is paid changes. Exit code 1: they differ; 5: rows could not be read.
    """
    from crewpay_sync.importers.csv_files import import_file

    if (file is None) == (batch is None):
        raise click.UsageError("give a FILE, or --batch")
    rejects: list[Row] = []
    with closing(open_database()) as conn:
        slug = choose_enterprise(conn, enterprise)
        if file is not None:
            with rows_bar() as progress:
                result = import_file(conn, "parallel", file, slug, progress=progress)
            batch, rejects = result.batch, result.rejects
            say(f"{result.inserted} lines read, {result.rejected} refused; again: --batch {batch}")
        with act_as(conn, slug, "payroll") as login:
            found = asked(conn, "variance_rollup" if rollup else "variance", batch=batch, tolerance=tolerance)
    code = PARTIAL if rejects else FINDINGS if found else 0
    if as_json:
        print_json(
            found, status="partial" if rejects else "findings" if found else "ok", enterprise=slug, login=login,
            batch=str(batch), rejects=rejects,
        )  # fmt: skip
    else:
        print_table(found, columns=None if rollup else VARIANCE)
        print_table(rejects)
    if code:
        sys.exit(code)
