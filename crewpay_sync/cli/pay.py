"""`crewpay pay`: run a period, explain a result, list periods."""

from __future__ import annotations

import sys
import time
from contextlib import closing
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import click
import psycopg

from crewpay_sync.cli.arguments import When, enterprise_option, parse_month, parse_when
from crewpay_sync.cli.chosen import (
    choose_enterprise,
    chosen_periods,
    crew_keys,
    one_snapshot,
    open_database,
    rows,
)
from crewpay_sync.cli.progress import spinner
from crewpay_sync.database import connect
from crewpay_sync.output import (
    FINDINGS,
    REFUSED,
    CrewPayError,
    json_option,
    print_json,
    print_table,
    say,
)
from crewpay_sync.pay_workers import run_on_workers
from crewpay_sync.statements import Row
from crewpay_sync.tenants import act_as

FIRST_FINDINGS = 10


def run_on_one_snapshot(
    conn: psycopg.Connection[Any], period: UUID, crew: list[UUID] | None, *, refresh: bool = False
) -> Row:
    """One pay.run() or pay.refresh() as of one moment."""
    with one_snapshot(conn):
        if refresh:
            return rows(conn, "refresh", {"period": period})[0]
        return rows(conn, "run", {"period": period, "crew": crew})[0]


def open_worker() -> psycopg.Connection[Any]:
    """One more connection to the same database, for a worker of a run."""
    return connect(direct=True, autocommit=True, application_name="crewpay pay worker")


def run_period(
    conn: psycopg.Connection[Any],
    period: Row,
    crew: list[UUID] | None = None,
    *,
    slug: str = "",
    workers: int = 1,
    refresh: bool = False,
) -> Row:
    """Runs one period as the session's principal; counts, seconds and the first findings."""
    name = f"{period['start_date']} to {period['end_date']}"
    started = time.monotonic()
    with spinner(f"pay run {name}"):
        if workers > 1:
            run = run_on_workers(conn, open_worker, slug, period["id"], workers)
        else:
            run = run_on_one_snapshot(conn, period["id"], crew, refresh=refresh)
    seconds = round(time.monotonic() - started, 2)
    findings = []
    if run["finding_count"]:
        findings = rows(conn, "findings", {"run": run["id"], "limit": FIRST_FINDINGS})
    return {
        "period": name, "crew": run["crew_count"], "legs": run["leg_count"], "lines": run["line_count"],
        "amount": run["total_amount"], "currency": rows(conn, "currency")[0]["currency"], "seconds": seconds,
        "findings": run["finding_count"], "run_id": run["id"], "as_of": run["as_of"],
        "result_hash": run["result_hash"], "refreshed": run.get("refreshed"), "first_findings": findings,
    }  # fmt: skip


def print_findings(summary: Row, say_line: Any = click.echo) -> None:
    """The first findings of a run, what to do about each kind, and where the rest is."""
    first = summary["first_findings"]
    if not first:
        return
    say_line("")
    say_line(f"findings of {summary['period']}: what could not be paid")
    print_table(first, columns=["code", "at", "detail"])
    for code, hint in {f["code"]: f["hint"] for f in first}.items():
        say_line(f"{code}: {hint}")
    if summary["findings"] > len(first):
        say_line(f"{summary['findings'] - len(first)} more: pay.run_findings, run_id {summary['run_id']}")


@click.group()
def pay() -> None:
    """Compute and explain crew pay."""


@pay.command()
@click.argument("period", type=parse_when, required=False, metavar="[PERIOD]")
@enterprise_option
@click.option(
    "--crew", "employees", multiple=True, metavar="EMPLOYEE", help="Only this crew member; may be repeated."
)
@click.option(
    "--workers",
    default=1,
    show_default=True,
    type=click.IntRange(1, 64),
    help="Backends that share the crew.",
)
@json_option
def run(
    period: When | None, enterprise: str | None, employees: tuple[str, ...], workers: int, as_json: bool
) -> None:
    """Compute the pay of a period and publish it in one step.

    PERIOD is a month (2013-01: all its periods, in order) or a day (2013-01-16: the period around it); without
    one, the newest open period. The run is the payroll login's of the enterprise, or the connected login's if that
    is one of its principals. Exit code 1: something could not be paid; see the findings.
    """
    if employees and workers > 1:
        raise click.UsageError("--workers is for everybody's pay; leave it out with --crew")
    with closing(open_database()) as conn:
        slug = choose_enterprise(conn, enterprise)
        with act_as(conn, slug, "payroll") as login:
            crew = crew_keys(conn, employees)
            done = [
                run_period(conn, chosen, crew, slug=slug, workers=workers)
                for chosen in chosen_periods(conn, period)
            ]
    found = sum(summary["findings"] for summary in done)
    if as_json:
        print_json(done, status="findings" if found else "ok", enterprise=slug, login=login)
    else:
        print_table(
            done,
            columns=["period", "crew", "legs", "lines", "amount", "currency", "seconds", "findings"],
        )
        for summary in done:
            print_findings(summary)
    if found:
        sys.exit(FINDINGS)


@pay.command()
@click.argument("period", type=parse_when, required=False, metavar="[PERIOD]")
@enterprise_option
@json_option
def refresh(period: When | None, enterprise: str | None, as_json: bool) -> None:
    """Compute again only those crew members whose facts, terms or adjustments have changed, and publish in one step.

    PERIOD is a month (2013-01: all its periods, in order) or a day; without one, the newest open period. The result is
    that of a run of everybody. Exit code 1: something could not be paid; see the findings.
    """
    with closing(open_database()) as conn:
        slug = choose_enterprise(conn, enterprise)
        with act_as(conn, slug, "payroll") as login:
            done = [run_period(conn, chosen, refresh=True) for chosen in chosen_periods(conn, period)]
    found = sum(summary["findings"] for summary in done)
    if as_json:
        print_json(done, status="findings" if found else "ok", enterprise=slug, login=login)
    else:
        print_table(
            done,
            columns=["period", "refreshed", "crew", "lines", "amount", "currency", "seconds", "findings"],
        )
        for summary in done:
            print_findings(summary)
    if found:
        sys.exit(FINDINGS)


@pay.command()
@click.argument("employee")
@click.argument("month", type=parse_month, metavar="MONTH")
@enterprise_option
@json_option
def explain(employee: str, month: When, enterprise: str | None, as_json: bool) -> None:
    """Print the pay statement of EMPLOYEE in MONTH (2013-01).

    Every amount has its clause and its arithmetic; in parentheses stand the alternatives of a greatest-of that did
    not win. With --json: the rows of pay.explain().
    """
    with closing(open_database()) as conn:
        slug = choose_enterprise(conn, enterprise)
        with act_as(conn, slug, "payroll"):
            if as_json:
                print_json(_explained(conn, employee, month), enterprise=slug, employee_id=employee)
                return
            lines = rows(conn, "statement", {"employee": employee, "month": month.day})
    for line in lines:
        click.echo(line["line"].rstrip())


def _explained(conn: psycopg.Connection[Any], employee: str, month: When) -> list[Row]:
    results = rows(conn, "results", {"employee": employee, "month": month.day})
    if not results:
        raise CrewPayError(
            "CP214", f"no result for {employee} in {month.day:%Y-%m}",
            hint="Run the period first (crewpay pay run), and ask for a crew member whose pay you may see.",
            exit_code=REFUSED,
        )  # fmt: skip
    return [
        {"start_date": r["start_date"], "end_date": r["end_date"], **item}
        for r in results
        for item in rows(conn, "explain", {"crew_member": r["crew_member_id"], "period": r["pay_period_id"]})
    ]


CYCLES = {"month": "1 month", "half-month": "1 month", "four-week": "28 days"}


def parse_span(text: str) -> tuple[date, date]:
    """2026-01..2026-12, or from day to day: first day and last day."""
    first, separator, last = text.partition("..")
    begins, ends = parse_when(first), parse_when(last if separator else first)
    if ends.whole_month:
        return begins.day, (ends.day + timedelta(31)).replace(day=1) - timedelta(1)
    return begins.day, ends.day


def parse_starts(text: str) -> list[date]:
    """First days of contract months, and the day after the last."""
    try:
        return [date.fromisoformat(day.strip()) for day in text.split(",")]
    except ValueError as error:
        raise click.BadParameter(f"{text!r} is not a list of days (2026-01-01,2026-01-31)") from error


@pay.command()
@enterprise_option
@click.option(
    "--add",
    type=parse_span,
    metavar="FIRST..LAST",
    help="Make periods: 2026-01..2026-12, or from day to day.",
)
@click.option(
    "--cycle", type=click.Choice(list(CYCLES)), default="month", show_default=True, help="What is made."
)
@click.option(
    "--starts",
    type=parse_starts,
    metavar="DAY,DAY,…",
    help="Make periods of bid months: their first days, and the day after the last.",
)
@click.option("--pay-after", default=10, show_default=True, help="Days from a period's end to its pay date.")
@json_option
def periods(
    enterprise: str | None,
    add: tuple[date, date] | None,
    cycle: str,
    starts: list[date] | None,
    pay_after: int,
    as_json: bool,
) -> None:
    """List pay periods with their status and what is computed so far; make them with --add or --starts.

    A month of four weeks, or a bid month, becomes the contract month in which guarantee and overtime are counted.
    """
    if add and starts:
        raise click.UsageError("--add and --starts are two ways to say the same: give one")
    with closing(open_database()) as conn:
        slug = choose_enterprise(conn, enterprise)
        if add or starts:
            with act_as(conn, slug, "admin"):
                made = rows(conn, "add_periods", {
                    "starts": starts, "first": add and add[0], "last": add and add[1], "step": CYCLES[cycle],
                    "halves": cycle == "half-month", "pay_after": pay_after,
                })  # fmt: skip
            if as_json:
                print_json(made, enterprise=slug)
            else:
                print_table(made, columns=["start_date", "end_date", "pay_date", "contract_month", "status"])
                say(f"{len(made)} made")
            return
        with act_as(conn, slug, "payroll"):
            found = rows(conn, "periods")
            currency = rows(conn, "currency")[0]["currency"]
    if as_json:
        print_json(found, enterprise=slug, currency=currency)
        return
    for period in found:
        period["currency"] = currency
        if period["calculated_at"]:
            period["calculated_at"] = f"{period['calculated_at']:%Y-%m-%d %H:%M}"
    print_table(
        found,
        columns=["start_date", "end_date", "pay_date", "status", "crew", "lines", "total_gross_pay", "currency",
                 "validated", "calculated_at"],
    )  # fmt: skip
    if not found:
        say("no pay periods yet: crewpay import nycflights")


import crewpay_sync.cli.adjustments  # noqa: E402
import crewpay_sync.cli.books  # noqa: E402
import crewpay_sync.cli.closing  # noqa: E402
import crewpay_sync.cli.overrides  # noqa: E402, F401  (more commands of this group, made from what stands above)
