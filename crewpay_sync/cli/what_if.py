"""`crewpay contract what-if`: what a proposed contract would have cost, against the books."""

from __future__ import annotations

import json
import time
from contextlib import closing
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import click
import psycopg
from psycopg.types.json import Jsonb, set_json_loads

from crewpay_sync.cli.arguments import enterprise_option, parse_month
from crewpay_sync.cli.chosen import choose_enterprise, open_database
from crewpay_sync.cli.contract import contract, file_argument, rows
from crewpay_sync.cli.progress import spinner
from crewpay_sync.importers.contract import read_contract
from crewpay_sync.output import CrewPayError, json_option, print_json, print_table, say
from crewpay_sync.statements import Row
from crewpay_sync.tenants import act_as

GROUPS = {"by_component": "component", "by_position": "position", "by_base": "base", "by_decile": "decile"}


def exact(text: str | bytes) -> Any:
    """JSON with money as decimals."""
    return json.loads(text, parse_float=Decimal)


def parse_months(text: str) -> tuple[date, date]:
    """2013-01..2013-12, or one month."""
    first, _, last = text.partition("..")
    months = parse_month(first).day, parse_month(last or first).day
    if months[1] < months[0]:
        raise click.BadParameter(f"{text!r} ends before it begins")
    return months


def cost(conn: psycopg.Connection[Any], periods: list[Row], changes: dict[str, Any]) -> Row:
    """The report of pay.what_if(), every fact read as of one moment."""
    set_json_loads(exact, conn)
    conn.set_isolation_level(psycopg.IsolationLevel.REPEATABLE_READ)
    try:
        with conn.transaction(), spinner(f"what-if over {len(periods)} periods"):
            told: Row = rows(
                conn, "what_if", {"periods": [p["id"] for p in periods], "changes": Jsonb(changes)}
            )[0]["told"]
    finally:
        if not conn.closed:
            conn.set_isolation_level(None)
    return told


def percent(row: Row) -> str:
    return f"{100 * row['difference'] / row['books']:+.2f} %" if row["books"] else ""


def print_report(told: Row) -> None:
    """The report for people: total, each grouping, who gains and who loses most."""
    total = {key: told[key] for key in ("crew", "books", "proposed", "difference")}
    print_table([{**total, "change": percent(total), "currency": told["currency"]}])
    for part, name in GROUPS.items():
        click.echo("")
        print_table([
            {name: row["name"], "crew": row["crew"], "books": row["books"], "proposed": row["proposed"],
             "difference": row["difference"], "change": percent(row)}
            for row in told[part]
        ])  # fmt: skip
    for part in ("winners", "losers"):
        if told[part]:
            click.echo(
                f"\n{part}: {told['gaining' if part == 'winners' else 'losing']} crew members, the first of them"
            )
            print_table(
                told[part],
                columns=["employee_id", "crew_position", "base", "books", "proposed", "difference"],
            )


@contract.command("what-if")
@file_argument
@click.option("--periods", required=True, metavar="MONTHS", help="Months, for example 2013-01..2013-12.")
@enterprise_option
@json_option
def what_if(file: Path, periods: str, enterprise: str | None, as_json: bool) -> None:
    """Cost the terms in FILE over real periods, against what the books say. Nothing in the books changes.

    FILE is a contract, or only the terms that would be different: of a term on record its code and what changes are
    enough, code and expires remove it. Dates don't matter: the proposal holds throughout.
    """
    first, last = parse_months(periods)
    changes = read_contract(file)
    started = time.monotonic()
    with closing(open_database()) as conn:
        slug = choose_enterprise(conn, enterprise)
        with act_as(conn, slug, "admin"):
            found = rows(conn, "periods", {"first": first, "last": last})
            if not found:
                raise CrewPayError(
                    "CP214", f"there is no pay period in {periods}", hint="List them: crewpay pay periods"
                )
            told = cost(conn, found, changes)
    say(f"{len(found)} periods in {time.monotonic() - started:.1f} s; findings: {told['findings']}")
    if as_json:
        print_json(told, enterprise=slug)
    else:
        print_report(told)
