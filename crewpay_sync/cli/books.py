"""`crewpay pay verify|diff|project|retro|recoveries|export`: what the books say, proved, compared and made good."""

from __future__ import annotations

import csv
import sys
from contextlib import closing
from typing import Any
from uuid import UUID

import click
import psycopg

from crewpay_sync.cli.arguments import Span, When, enterprise_option, login_option, parse_periods, parse_when
from crewpay_sync.cli.chosen import (
    choose_enterprise,
    chosen_periods,
    crew_keys,
    one_snapshot,
    open_database,
    rows,
)
from crewpay_sync.cli.pay import pay
from crewpay_sync.cli.progress import spinner
from crewpay_sync.output import FINDINGS, USAGE, CrewPayError, json_option, print_json, print_table, say
from crewpay_sync.statements import Row, Statements
from crewpay_sync.tenants import act_as

asked = Statements("books").rows


def covered(conn: psycopg.Connection[Any], when: When | Span) -> list[Row]:
    """The periods of a month, day or span, whatever their state. CP214 when there is none."""
    found = [p for p in rows(conn, "periods") if when.covers(p)]
    if not found:
        raise CrewPayError(
            "CP214", f"there is no pay period in {when}", hint="List them: crewpay pay periods"
        )
    return found


def named(period: Row) -> str:
    return f"{period['start_date']} to {period['end_date']}"


@pay.command()
@click.argument("period", type=parse_periods, metavar="PERIOD")
@click.option("--all", "every", is_flag=True, help="Also replaced runs, and those of back pay.")
@enterprise_option
@json_option
def verify(period: Span, every: bool, enterprise: str | None, as_json: bool) -> None:
    """Compute the run of PERIOD again, from facts and terms as of the run, and compare line by line.

    PERIOD is a month (2013-01: all its periods), a day, or a span (2013-01..2013-12). Exit code 1: something differs.
    """
    done: list[Row] = []
    with closing(open_database()) as conn:
        slug = choose_enterprise(conn, enterprise)
        with act_as(conn, slug, "payroll"):
            for found in covered(conn, period):
                for run in asked(conn, "runs_of_period", period=found["id"], every=every):
                    with spinner(f"verify {named(found)}"):
                        findings = asked(conn, "verify", run=run["id"])
                    done.append({
                        "period": named(found), "kind": run["kind"], "as_of": run["as_of"], "crew": run["crew_count"], "lines": run["line_count"],
                        "amount": run["total_amount"], "differences": len(findings), "run_id": run["id"], "findings": findings,
                    })  # fmt: skip
    if not done:
        raise CrewPayError("CP311", f"no run of {period} is published", hint="Run it: crewpay pay run")
    wrong = sum(each["differences"] for each in done)
    if as_json:
        print_json(done, status="findings" if wrong else "ok", enterprise=slug)
    else:
        kinds = ["kind", "as_of"] if every else []
        print_table(done, columns=["period", *kinds, "crew", "lines", "amount", "differences"])
        for each in done:
            if each["findings"]:
                click.echo("")
                print_table(
                    each["findings"],
                    columns=["kind", "employee_id", "term_code", "level", "node", "stored", "recomputed", "detail"],
                )  # fmt: skip
    if wrong:
        sys.exit(FINDINGS)


@pay.command()
@click.argument("period", type=parse_when, metavar="PERIOD")
@click.option(
    "--first", type=click.UUID, metavar="RUN", help="A run of the period.  [default: the last but one]"
)
@click.option("--second", type=click.UUID, metavar="RUN", help="Another.  [default: the last]")
@enterprise_option
@json_option
def diff(
    period: When, first: UUID | None, second: UUID | None, enterprise: str | None, as_json: bool
) -> None:
    """Say why two runs of PERIOD differ: by crew member, component and cause.

    PERIOD is a month or a day. Causes: fact, rate, term, rule graph, override, adjustment; engine where equal inputs gave
    other amounts.
    """
    done: list[Row] = []
    compared = 0
    with closing(open_database()) as conn:
        slug = choose_enterprise(conn, enterprise)
        with act_as(conn, slug, "payroll"):
            periods = covered(conn, period)
            if (first or second) and len(periods) > 1:
                raise click.UsageError(f"{period} has several periods: name the one of the runs by a day")
            for found in periods:
                runs = [run["id"] for run in asked(conn, "last_runs", period=found["id"])]
                pair = (first or (runs[0] if runs else None), second or (runs[-1] if runs else None))
                if None in pair or pair[0] == pair[1]:
                    say(f"{named(found)}: there are no two runs to compare")
                    continue
                compared += 1
                done += [{"period": named(found), **row} for row in asked(conn, "diff", first=pair[0], second=pair[1])]  # fmt: skip
    if not compared:
        raise CrewPayError(
            "CP311", f"nothing of {period} was run twice",
            hint="Name two runs with --first and --second: select id, kind, as_of from pay.pay_runs.",
        )  # fmt: skip
    if as_json:
        print_json(done, enterprise=slug)
    else:
        print_table(
            done, columns=["period", "employee_id", "component", "cause", "first_amount", "second_amount", "difference"]
        )  # fmt: skip


@pay.command()
@click.argument("period", type=parse_when, required=False, metavar="[PERIOD]")
@enterprise_option
@json_option
def project(period: When | None, enterprise: str | None, as_json: bool) -> None:
    """Show what an open period is going to pay: flown as far as it is flown, scheduled for the rest.

    PERIOD is a month or a day; without one, the newest open period. Current results stay.
    """
    done: list[Row] = []
    with closing(open_database()) as conn:
        slug = choose_enterprise(conn, enterprise)
        with act_as(conn, slug, "payroll"):
            for found in chosen_periods(conn, period):
                run = asked(conn, "project", period=found["id"])[0]
                done += [{"period": named(found), **row} for row in asked(conn, "projected", run=run["id"])]
    if as_json:
        print_json(done, enterprise=slug)
    else:
        print_table(
            done, columns=["period", "employee_id", "flight_pay_hours", "flight_pay", "overtime", "per_diem", "premium", "delay_pay",
                           "guarantee", "adjustment", "total"],
        )  # fmt: skip


def denied(conn: psycopg.Connection[Any], subject: UUID, reason: str | None, what: str) -> str:
    """Denies, or withdraws, what waits for a decision; its new state. CP314 when it waits no more."""
    told = asked(conn, "deny", subject=subject, reason=reason)
    if not told:
        raise CrewPayError(
            "CP314", f"{what} is decided already", hint="Only what is proposed is decided: add --list to see."
        )
    return str(told[0]["state"])


@pay.command()
@click.argument("periods", nargs=-1, type=parse_periods, metavar="[PERIOD]...")
@click.option("--reason", metavar="TEXT", help="Why: the statement of those who are paid says it.")
@click.option("--with-rates", is_flag=True, help="Take hourly rates of crew members as they are now.")
@click.option("--list", "listing", is_flag=True, help="List back pay instead.")
@click.option("--approve", type=int, metavar="NO", help="Approve back pay of that number.")
@click.option(
    "--withdraw", type=int, metavar="NO", help="Withdraw or deny back pay of that number; give --reason."
)
@click.option("--pay-in", type=parse_when, metavar="PERIOD", help="Open period that pays it.  [default: the newest]")  # fmt: skip
@enterprise_option
@login_option
@json_option
def retro(
    periods: tuple[Span, ...],
    reason: str | None,
    with_rates: bool,
    listing: bool,
    approve: int | None,
    withdraw: int | None,
    pay_in: When | None,
    enterprise: str | None,
    role: str | None,
    as_json: bool,
) -> None:
    """Compute closed periods again by the terms and facts now known, and propose what is owed.

    PERIOD is a month, a day or a span (2013-01..2013-12); without any, the periods that corrections have queued.
    Another person approves: --approve NO pays what is owed as adjustments of an open period; what was paid too much
    becomes a proposed recovery (crewpay pay recoveries). Who asked withdraws; --as admin --withdraw NO denies.
    """
    number = approve if approve is not None else withdraw
    if sum((listing, approve is not None, withdraw is not None, bool(periods))) > 1:
        raise click.UsageError("periods, --list, --approve or --withdraw: one of them")
    if pay_in is not None and approve is None:
        raise click.UsageError("--pay-in says where --approve pays")
    if with_rates and (listing or number is not None):
        raise click.UsageError("--with-rates is for asking")
    with closing(open_database()) as conn:
        slug = choose_enterprise(conn, enterprise)
        with act_as(conn, slug, role or ("admin" if approve is not None else "payroll")) as login:
            if listing:
                done = asked(conn, "retros")
            elif number is None:
                keys = [p["id"] for when in periods for p in covered(conn, when)] or None
                with spinner("back pay"), one_snapshot(conn):
                    made = asked(
                        conn, "retro", periods=keys, reason=reason or "terms and facts as they are known now", with_rates=with_rates
                    )[0]  # fmt: skip
                done = asked(conn, "back_pay", retro=made["id"])
                say(f"back pay {made['retro_no']}: {made['state']}")
            else:
                key = asked(conn, "retro_key", number=number)
                if not key:
                    raise CrewPayError("CP311", f"there is no back pay {number}", hint="List it: crewpay pay retro --list")  # fmt: skip
                if approve is not None:
                    into = chosen_periods(conn, pay_in)[-1]
                    done = asked(conn, "approve_retro", retro=key[0]["id"], period=into["id"], reason=reason)
                    done = [{"retro_no": number, "state": done[0]["state"], "paid_in": named(into)}]
                else:
                    done = [{"retro_no": number, "state": denied(conn, key[0]["id"], reason, f"back pay {number}")}]  # fmt: skip
    if as_json:
        print_json(done, enterprise=slug, login=login)
    else:
        print_table(done)


def recoveries_of(conn: psycopg.Connection[Any], employee: str | None, period: When | None) -> list[Row]:
    """Recoveries of a crew member, or all; of a period that was paid too much, or of any."""
    keys = None if period is None else [p["id"] for p in covered(conn, period)]
    return asked(conn, "recoveries", employee=employee, periods=keys)


def waiting_recovery(conn: psycopg.Connection[Any], employee: str, period: When | None) -> Row:
    """The one recovery of a crew member that waits. CP311 when there is none, and when there are several."""
    found = [r for r in recoveries_of(conn, employee, period) if r["state"] == "PROPOSED"]
    if not found:
        raise CrewPayError(
            "CP311", f"no recovery of {employee} waits", hint="List them: crewpay pay recoveries"
        )
    if len(found) > 1:
        listed = ", ".join(f"{r['amount']} of {named(r)}" for r in found)
        raise CrewPayError(
            "CP311", f"several recoveries of {employee} wait", detail=f"{listed}.",
            hint="Say which with --of PERIOD.", exit_code=USAGE,
        )  # fmt: skip
    return found[0]


@pay.command()
@click.argument("employee", required=False)
@click.option("--of", "period", type=parse_when, metavar="PERIOD", help="The one of this period that was paid too much.")  # fmt: skip
@click.option("--approve", multiple=True, type=parse_when, metavar="PERIOD", help="Take an instalment in this open period; may be repeated.")  # fmt: skip
@click.option("--deny", is_flag=True, help="It stays paid; give --reason.")
@click.option("--reason", metavar="TEXT", help="The approver's own words.")
@enterprise_option
@login_option
@json_option
def recoveries(
    employee: str | None,
    period: When | None,
    approve: tuple[When, ...],
    deny: bool,
    reason: str | None,
    enterprise: str | None,
    role: str | None,
    as_json: bool,
) -> None:
    """List what was paid too much; approve the plan to recover it from EMPLOYEE, or deny it.

    crewpay pay recoveries E001 --approve 2013-03 --approve 2013-04 takes it back in two instalments. Both are decided
    by another person than who asked for the back pay, and act as the administrator's login.
    """
    if (approve or deny) and employee is None:
        raise click.UsageError("whose recovery? Give EMPLOYEE")
    if approve and deny:
        raise click.UsageError("--approve or --deny, not both")
    with closing(open_database()) as conn:
        slug = choose_enterprise(conn, enterprise)
        with act_as(conn, slug, role or ("admin" if approve or deny else "payroll")) as login:
            if employee is not None:
                crew_keys(conn, [employee])
            if approve or deny:
                found = waiting_recovery(conn, str(employee), period)
                if deny:
                    denied(conn, found["id"], reason, f"the recovery of {employee}")
                else:
                    keys = [p["id"] for when in approve for p in chosen_periods(conn, when)]
                    asked(conn, "approve_recovery", recovery=found["id"], periods=keys, reason=reason)
            done = recoveries_of(conn, employee, period)
    if as_json:
        print_json(done, enterprise=slug, login=login)
    else:
        print_table(done, columns=["employee_id", "retro_no", "start_date", "end_date", "amount", "instalments", "state", "taken_back"])  # fmt: skip


@pay.command()
@click.argument("period", type=parse_when, metavar="PERIOD")
@click.option("--lines", "by_line", is_flag=True, help="A row for each line instead of each crew member.")
@enterprise_option
@json_option
def export(period: When, by_line: bool, enterprise: str | None, as_json: bool) -> None:
    """Write the results of PERIOD as CSV, for a payroll system.

    PERIOD is a month (2013-01: all its periods) or a day. validated_at says when a result was approved; that some are
    not yet is said on stderr.
    """
    with closing(open_database()) as conn:
        slug = choose_enterprise(conn, enterprise)
        with act_as(conn, slug, "payroll"):
            keys = [p["id"] for p in covered(conn, period)]
            done = asked(conn, "export_lines" if by_line else "export_results", periods=keys)
            unapproved = asked(conn, "unapproved", periods=keys)[0]["results"]
    if unapproved:
        say(f"{unapproved} results are not approved: crewpay pay approve")
    if as_json:
        print_json(done, enterprise=slug)
        return
    if done:
        writer = csv.DictWriter(sys.stdout, fieldnames=list(done[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(done)
    else:
        say(f"nothing is computed for {period}: crewpay pay run")
