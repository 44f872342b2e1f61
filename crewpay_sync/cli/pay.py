"""`crewpay pay`: run a period, explain a result, list periods."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import UUID

import click
import psycopg

from crewpay_sync.database import connect
from crewpay_sync.output import (
    FINDINGS,
    REFUSED,
    USAGE,
    CrewPayError,
    json_option,
    print_json,
    print_table,
    say,
)
from crewpay_sync.pay_workers import run_on_workers
from crewpay_sync.statements import Row, Statements
from crewpay_sync.tenants import act_as

FIRST_FINDINGS = 10


@dataclass(frozen=True)
class When:
    """What a PERIOD on the command line means: a whole month, or the period around one day."""

    day: date
    whole_month: bool

    def covers(self, period: Row) -> bool:
        if self.whole_month:
            return bool(period["month"] == self.day)
        return bool(period["start_date"] <= self.day <= period["end_date"])

    def __str__(self) -> str:
        return f"{self.day:%Y-%m}" if self.whole_month else self.day.isoformat()


def parse_when(text: str) -> When:
    """2013-01 is a month, 2013-01-16 a day."""
    for pattern, whole_month in (("%Y-%m", True), ("%Y-%m-%d", False)):
        try:
            return When(datetime.strptime(text, pattern).date(), whole_month)
        except ValueError:
            continue
    raise click.BadParameter(f"{text!r} is neither a month (2013-01) nor a day (2013-01-16)")


@dataclass(frozen=True)
class Span:
    """What PERIOD means where several may be named: all periods from one month or day to another."""

    first: When
    last: When

    def covers(self, period: Row) -> bool:
        month = period["month"] or period["contract_month"]
        return bool(
            (month if self.first.whole_month else period["end_date"]) >= self.first.day
            and (month if self.last.whole_month else period["start_date"]) <= self.last.day
        )

    def __str__(self) -> str:
        return str(self.first) if self.first == self.last else f"{self.first}..{self.last}"


def parse_periods(text: str) -> Span:
    """2013-01, 2013-01-16, or from one to another: 2013-01..2013-12."""
    first, dots, last = text.partition("..")
    span = Span(parse_when(first), parse_when(last if dots else first))
    if span.last.day < span.first.day:
        raise click.BadParameter(f"{text!r} ends before it begins")
    return span


def parse_month(text: str) -> When:
    """2013-01; a statement is of a month, with all its periods."""
    when = parse_when(text)
    if not when.whole_month:
        raise click.BadParameter(f"{text!r} is a day: give the month, {when.day:%Y-%m}")
    return when


def parse_amount(text: str) -> Decimal:
    """12.34, or -12.34: what is taken back."""
    try:
        return Decimal(text)
    except InvalidOperation:
        raise click.BadParameter(f"{text!r} is not an amount: write 12.34 or -12.34") from None


@contextmanager
def spinner(label: str) -> Iterator[None]:
    """A spinner with the time spent so far when stderr is a terminal; silent otherwise."""
    if not sys.stderr.isatty() or os.environ.get("CI"):
        yield
        return
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        bar.add_task(label, total=None)
        yield


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


def open_worker() -> psycopg.Connection[Any]:
    """One more connection to the same database, for a worker of a run."""
    return connect(direct=True, autocommit=True, application_name="crewpay pay worker")


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


def run_on_one_snapshot(
    conn: psycopg.Connection[Any], period: UUID, crew: list[UUID] | None, *, refresh: bool = False
) -> Row:
    """One pay.run() or pay.refresh() as of one moment."""
    with one_snapshot(conn):
        if refresh:
            return rows(conn, "refresh", {"period": period})[0]
        return rows(conn, "run", {"period": period, "crew": crew})[0]


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


enterprise_option = click.option(
    "--enterprise", metavar="SLUG", help="Enterprise.  [default: the only one there is]"
)


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
