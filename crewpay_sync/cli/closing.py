"""`crewpay pay approve|close|reopen|rates`: what a second person approves; periods closed and reopened."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import Any
from uuid import UUID

import click
import psycopg

from crewpay_sync.cli.arguments import When, enterprise_option, login_option, parse_when
from crewpay_sync.cli.chosen import choose_enterprise, open_database, rows
from crewpay_sync.cli.pay import pay
from crewpay_sync.output import CrewPayError, json_option, print_json, print_table, say
from crewpay_sync.statements import Row, Statements
from crewpay_sync.tenants import act_as

Step = Callable[[psycopg.Connection[Any], Row], Row]

period_argument = click.argument("period", type=parse_when, metavar="PERIOD")

STATEMENTS = Statements("closing")
ask = STATEMENTS.row


def told(row: Row | None) -> Row:
    if row is None:
        raise AssertionError("a function returns a row")
    return row


def for_each_period(when: When, enterprise: str | None, role: str, as_json: bool, step: Step) -> None:
    """Does a step for every period asked for, as one login, and prints what became of each."""
    with closing(open_database()) as conn:
        slug = choose_enterprise(conn, enterprise)
        with act_as(conn, slug, role) as login:
            found = [p for p in rows(conn, "periods") if when.covers(p)]
            if not found:
                raise CrewPayError(
                    "CP214", f"there is no pay period in {when}", hint="List them: crewpay pay periods"
                )
            done = [
                {"period": f"{p['start_date']} to {p['end_date']}", **step(conn, p), "login": login}
                for p in found
            ]
    if as_json:
        print_json(done, enterprise=slug, login=login)
    else:
        print_table(done)


@pay.command()
@period_argument
@enterprise_option
@click.option("--reason", metavar="TEXT", help="For the audit trail.")
@login_option
@json_option
def approve(
    period: When, enterprise: str | None, reason: str | None, role: str | None, as_json: bool
) -> None:
    """Approve the published run of a period.

    PERIOD is a month (2013-01: all its periods) or a day. Another person than who ran it or put its facts on record
    approves: the administrator's login of the enterprise, or the connected login if that is one of its principals.
    """

    def step(conn: psycopg.Connection[Any], period: Row) -> Row:
        run = ask(conn, "standing_run", period=period["id"])
        if run is None:
            raise CrewPayError(
                "CP311", f"{period['start_date']} to {period['end_date']} has no published run",
                hint="Run it first: crewpay pay run",
            )  # fmt: skip
        approval = told(ask(conn, "approve_run", run=run["id"], reason=reason))
        return {
            "crew": run["crew_count"], "lines": run["line_count"], "amount": run["total_amount"],
            "findings": run["finding_count"], "run_by": approval["requested_by"],
        }  # fmt: skip

    for_each_period(period, enterprise, role or "admin", as_json, step)


@pay.command()
@period_argument
@enterprise_option
@click.option("--paid", is_flag=True, help="Mark closed periods as paid instead.")
@login_option
@json_option
def close(period: When, enterprise: str | None, paid: bool, role: str | None, as_json: bool) -> None:
    """Close a period whose run is approved; its facts then change with two people only.

    PERIOD is a month (2013-01: all its periods) or a day. Acts as the payroll login of the enterprise, or the
    connected login if that is one of its principals.
    """
    name = "mark_paid" if paid else "close_period"
    for_each_period(
        period,
        enterprise,
        role or "payroll",
        as_json,
        lambda conn, found: told(ask(conn, name, period=found["id"])),
    )


@pay.command()
@period_argument
@enterprise_option
@click.option("--reason", metavar="TEXT", help="Why; needed to ask.")
@click.option("--approve", "approved", is_flag=True, help="Approve what another person asked for.")
@login_option
@json_option
def reopen(
    period: When,
    enterprise: str | None,
    reason: str | None,
    approved: bool,
    role: str | None,
    as_json: bool,
) -> None:
    """Ask that a closed period be opened again, or --approve that.

    PERIOD is a month (2013-01: all its periods) or a day. Asking acts as the payroll login of the enterprise,
    approving as its administrator's, or as the connected login if that is one of its principals.
    """
    name = "approve_reopen" if approved else "request_reopen"
    for_each_period(
        period,
        enterprise,
        role or ("admin" if approved else "payroll"),
        as_json,
        lambda conn, found: told(ask(conn, name, period=found["id"], reason=reason)),
    )


@pay.command()
@click.option(
    "--approve", "change", type=click.UUID, metavar="ID", help="Apply what another person asked for."
)
@click.option("--reason", metavar="TEXT", help="The approver's own words.")
@enterprise_option
@login_option
@json_option
def rates(
    change: UUID | None, reason: str | None, enterprise: str | None, role: str | None, as_json: bool
) -> None:
    """List the rates and contracts that wait for a second person, or --approve one.

    Once an airline pays by them, rates of crew members and the contract change by two people: an import asks for the
    rates it changes, pay.request_rates() and rules.request_contract() for others. Acts as the administrator's login
    of the enterprise, or as the connected login if that is one of its principals.
    """
    with closing(open_database()) as conn:
        slug = choose_enterprise(conn, enterprise)
        with act_as(conn, slug, role or "admin") as login:
            if change is None:
                found = STATEMENTS.rows(conn, "waiting_rates")
            else:
                found = [told(ask(conn, "approve_rates", change=change, reason=reason))]
    if as_json:
        print_json(found, enterprise=slug, login=login)
    elif found:
        print_table(found)
    else:
        say("no rate waits for a second person")
