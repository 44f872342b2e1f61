"""`crewpay demo`: a real month imported, paid and explained."""

from __future__ import annotations

import shutil
import sys
import time
from collections import Counter
from contextlib import closing
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click
import psycopg

from crewpay_sync.cli.chosen import open_database, rows
from crewpay_sync.cli.pay import run_period
from crewpay_sync.cli.progress import spinner, steps
from crewpay_sync.cli.review import asked
from crewpay_sync.importers.contract import load_contract
from crewpay_sync.output import FINDINGS, json_option, print_json, print_table, say
from crewpay_sync.statements import query
from crewpay_sync.tenants import act_as

ENTERPRISE, CARRIER, BASE, MONTH = "mq", "MQ", "LGA", date(2013, 1, 1)
STATEMENT_LINES = 45


def month_is_loaded(conn: psycopg.Connection[Any]) -> bool:
    """Whether the month with its roster, period and contract is there already."""
    found = rows(
        conn, "month_is_loaded", {"enterprise": ENTERPRISE, "trips": f"{BASE}{MONTH:%y%m}-", "month": MONTH}
    )
    return bool(found and found[0]["loaded"])


def load_month(conn: psycopg.Connection[Any]) -> None:
    """A month of Envoy's real departures from LaGuardia with an invented roster, unless it is there."""
    if month_is_loaded(conn):
        say(f"{CARRIER} {BASE} {MONTH:%Y-%m}: here already")
        loaded = load_contract(conn, ENTERPRISE)
        if loaded["added"] or loaded["changed"]:
            say(f"sample contract: {loaded['added']} clauses added, {loaded['changed']} changed")
        return
    from crewpay_sync.importers.month import import_month

    with steps(13) as step:
        done = import_month(conn, carrier=CARRIER, base=BASE, month=MONTH, enterprise=ENTERPRISE, step=step)
    say(
        f"{CARRIER} {BASE} {MONTH:%Y-%m}: {done.flights} real departures, {done.inferred} inferred returns, "
        f"{done.crew} crew, {done.legs} legs in {done.seconds} s"
    )


def load_avelo(conn: psycopg.Connection[Any]) -> None:
    """A small airline with months of pay, discrepancies and claims."""
    from crewpay_sync.importers.avelo import load_avelo as load

    with spinner("Avelo sample"):
        done = load(conn)
    say(
        f"Avelo sample: {done.crew} crew, {done.legs} legs, {done.periods} periods, {done.claims} claims "
        f"in {done.seconds} s"
    )


def parallel_run(conn: psycopg.Connection[Any]) -> list[dict[str, Any]]:
    """Another payroll's results of the month with errors planted, compared with ours: each error, and whether it was found.

    What was found and not planted comes as a row without error. The file is imported once; what it is made from is the
    month's pay as it is.
    """
    from crewpay_sync.importers.csv_files import import_file
    from crewpay_sync.importers.legacy import write_legacy

    name = f"legacy_payroll_{MONTH:%Y-%m}.csv"
    with TemporaryDirectory() as folder, spinner("parallel run"):
        file = Path(folder) / name
        with act_as(conn, ENTERPRISE, "payroll"):
            period = next(p for p in rows(conn, "periods") if p["contract_month"] == MONTH)
            planted = write_legacy(conn, period, file)
            known = conn.execute(query("legacy", "batch"), {"file": name}).fetchone()
        batch = known[0] if known else import_file(conn, "parallel", file, ENTERPRISE).batch
        with act_as(conn, ENTERPRISE, "payroll"):
            found = asked(conn, "variance", batch=batch, tolerance="0.01")
    left = Counter((f["employee_id"], f["component"], f["reason"], f["expected"], f["actual"]) for f in found)
    report = []
    for error in planted:
        is_found = left[error.key] > 0
        left[error.key] -= is_found
        report.append({
            "planted": error.error, "employee_id": error.employee_id, "component": error.component, "reason": error.reason,
            "expected": error.expected, "theirs": error.actual, "found": "yes" if is_found else "NO",
        })  # fmt: skip
    return report + [
        {"planted": None, "employee_id": who, "component": component, "reason": reason, "expected": expected, "theirs": actual,
         "found": "not planted"}
        for (who, component, reason, expected, actual), copies in left.items() for _ in range(copies)
    ]  # fmt: skip


def picture(conn: psycopg.Connection[Any]) -> dict[str, Any]:
    """What the last screen shows, as payroll sees it."""
    pilot = rows(conn, "varied_pilot", {"month": MONTH})[0]["employee_id"]
    statement = [r["line"].rstrip() for r in rows(conn, "statement", {"employee": pilot, "month": MONTH})]
    lines = [line for text in statement for line in text.split("\n")]
    return {
        "employee_id": pilot,
        "statement": lines,
        "by_position": rows(conn, "by_position", {"month": MONTH}),
    }


NEXT = (
    ("crewpay pay explain {pilot} {month} --enterprise {enterprise}", "the whole statement"),
    ("crewpay psql --as {enterprise}_payroll", "the database as payroll sees it"),
    ("  select term_code, count(*), sum(amount) from pay.pay_lines group by 1 order by 3 desc;", ""),
    ("  \\dt+ pay.*    \\df+ pay.*", "tables and functions with descriptions"),
    ("crewpay psql --as {enterprise}_11001", "as one captain sees it"),
    ("  select pay.statement('11001', '{month}-01');", ""),
    ("  select count(*) from crew.crew_members;", "one row: row-level security"),
    ("crewpay psql --as {enterprise}_bi -c 'select * from bi.pay_calculations limit 5'", ""),
    ("crewpay pay run {month} --enterprise {enterprise}", "again: the same lines"),
    ("crewpay review detect {month} --enterprise {enterprise}", "errors in pay, found by themselves"),
    (
        "docs/contracts.md  docs/review.md  docs/security.md  docs/sql-api.md",
        "contracts, rights, SQL reference",
    ),
)


def next_steps(pilot: str) -> list[str]:
    """What to try next: commands, each with what it shows."""
    values = {"pilot": pilot, "month": f"{MONTH:%Y-%m}", "enterprise": ENTERPRISE}
    lines = [f"  {command.format(**values):<55}  {what}".rstrip() for command, what in NEXT]
    if shutil.which("crewpay") is None:
        return [f"Next (crewpay is {sys.argv[0]}):", *lines]
    return ["Next:", *lines]


def excerpt(lines: list[str]) -> list[str]:
    """The beginning of a statement: whole trips, about as many lines as a screen has."""
    if len(lines) <= STATEMENT_LINES:
        return lines
    return lines[: max(i for i, line in enumerate(lines[: STATEMENT_LINES + 1]) if not line)]


@click.command()
@json_option
def demo(as_json: bool) -> None:
    """Import a real month, compute its pay and show one pilot's statement.

    Repeating it changes nothing. Needs an operator's connection, since it makes logins.
    """
    started = time.monotonic()
    with closing(open_database()) as conn:
        load_month(conn)
        load_avelo(conn)
        with act_as(conn, ENTERPRISE, "payroll"):
            period = next(p for p in rows(conn, "periods") if p["contract_month"] == MONTH)
            if period["status"] in ("OPEN", "PROCESSING"):
                summary = run_period(conn, period)
                say(
                    f"pay run: {summary['crew']} crew, {summary['legs']} legs, {summary['lines']} lines, "
                    f"{summary['amount']} {summary['currency']} in {summary['seconds']} s, "
                    f"{summary['findings']} findings"
                )
            else:
                say(f"pay run: the period is {period['status']}, its pay stays as it is")
            shown = picture(conn)
        compared = parallel_run(conn)
    as_planted = all(row["found"] == "yes" for row in compared)
    if as_json:
        print_json(
            {**shown, "parallel_run": compared, "seconds": round(time.monotonic() - started, 1)},
            status="ok" if as_planted else "findings", enterprise=ENTERPRISE,
        )  # fmt: skip
        sys.exit(0 if as_planted else FINDINGS)
    first = excerpt(shown["statement"])
    rest = len(shown["statement"]) - len(first)
    click.echo("\n" + "\n".join(first) + "\n")
    if rest:
        click.echo(
            f"… {rest} more lines: crewpay pay explain {shown['employee_id']} {MONTH:%Y-%m} --enterprise {ENTERPRISE}\n"
        )
    print_table(shown["by_position"])
    click.echo(
        f"\nParallel run: another payroll's file of this month with {sum(r['planted'] is not None for r in compared)} planted "
        f"errors, {sum(r['found'] == 'yes' for r in compared)} found, {sum(r['planted'] is None for r in compared)} reported beside them\n"
    )
    print_table(compared)
    click.echo("\n" + "\n".join(next_steps(shown["employee_id"])))
    if not as_planted:
        sys.exit(FINDINGS)
