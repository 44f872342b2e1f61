"""`crewpay claims`: submit, review, decide, appeal and pay claims; the calendar that their deadlines are counted by."""

from __future__ import annotations

import json
import mimetypes
from contextlib import closing
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import click
import psycopg
from psycopg.types.json import Jsonb

from crewpay_sync.cli.arguments import When, enterprise_option, parse_amount, parse_when
from crewpay_sync.cli.chosen import choose_enterprise, open_database
from crewpay_sync.cli.review import as_option, periods_of
from crewpay_sync.output import CrewPayError, json_option, print_json, print_table, print_text, say
from crewpay_sync.statements import Row, Statements
from crewpay_sync.tenants import act_as

TYPES = ["UNDERPAYMENT", "MISSING_FLIGHT", "MISSING_PREMIUM", "PER_DIEM", "DELAY_PAY", "GUARANTEE", "OVERTIME", "OTHER"]  # fmt: skip
COMPONENTS = ["flight_pay", "overtime", "per_diem", "premium", "delay_pay", "guarantee"]
DECISIONS = ["APPROVE", "PARTIAL_APPROVE", "DENY"]
LISTED = ["claim", "employee_id", "period", "type", "claimed", "status", "recommended", "supported", "approved", "payment", "answer_due"]  # fmt: skip


claimant_option = click.option(
    "--as",
    "claimant",
    required=True,
    metavar="EMPLOYEE",
    help="The claimant: acts as the login <slug>_EMPLOYEE.",
)

asked = Statements("claims").rows


def key_of(conn: psycopg.Connection[Any], number: str) -> Any:
    """The key of the claim of that number. CP404 when there is none that the login sees."""
    found = asked(conn, "key", number=number.upper())
    if not found:
        raise CrewPayError("CP404", f"there is no claim {number}", hint="List them: crewpay claims list")
    return found[0]["id"]


def parse_line(text: str) -> Row:
    """NO=AMOUNT: what is approved of a line."""
    number, _, amount = text.partition("=")
    if not number.strip().isdigit():
        raise click.BadParameter(f"{text!r} is no line: write 1=12.34")
    return {"line": int(number), "amount": parse_amount(amount.strip())}


def run(name: str, number: str, enterprise: str | None, role: str, as_json: bool, **values: Any) -> None:
    """One statement about one claim, as a login of the enterprise; its rows are printed."""
    with closing(open_database()) as conn:
        slug = choose_enterprise(conn, enterprise)
        with act_as(conn, slug, role) as login:
            done = asked(conn, name, claim=key_of(conn, number), **values)
    if as_json:
        print_json(done, enterprise=slug, login=login)
    else:
        print_table(done)


@click.group()
def claims() -> None:
    """Pay claims: submit, review, decide, pay; deadlines."""


@claims.command("list")
@click.option("--all", "everything", is_flag=True, help="Decided and withdrawn ones as well.")
@enterprise_option
@as_option
@json_option
def list_command(everything: bool, enterprise: str | None, role: str, as_json: bool) -> None:
    """List claims, the next due first."""
    with closing(open_database()) as conn:
        slug = choose_enterprise(conn, enterprise)
        with act_as(conn, slug, role) as login:
            found = asked(conn, "list", everything=everything)
    if as_json:
        print_json(found, enterprise=slug, login=login)
    else:
        print_table(found, columns=LISTED)


@claims.command()
@click.argument("employee")
@click.argument("period", type=parse_when)
@click.argument("amount", type=parse_amount)
@click.option("--type", "kind", type=click.Choice(TYPES, case_sensitive=False), required=True)
@click.option("--text", required=True, help="What is claimed and why.")
@click.option("--component", type=click.Choice(COMPONENTS, case_sensitive=False), help="Component of pay; else by the type.")  # fmt: skip
@click.option("--flight", "flights", multiple=True, metavar="FLIGHT", help="Number and local day (XP101 2026-07-01), or id; may be repeated.")  # fmt: skip
@click.option("--key", metavar="KEY", help="Submitted again with the same key, it is the same claim.")
@enterprise_option
@as_option
@json_option
def submit(
    employee: str, period: When, amount: Decimal, kind: str, text: str, component: str | None, flights: tuple[str, ...], key: str | None,
    enterprise: str | None, role: str, as_json: bool,
) -> None:  # fmt: skip
    """Submit a claim of AMOUNT for EMPLOYEE in PERIOD (2013-01, or a day); crew with --as EMPLOYEE for themselves."""
    with closing(open_database()) as conn:
        slug = choose_enterprise(conn, enterprise)
        with act_as(conn, slug, role) as login:
            made = asked(
                conn, "submit", period=periods_of(conn, period)[-1]["id"], kind=kind.upper(), amount=amount, text=text,
                component=component and component.lower(), flights=list(flights), key=key, employee=employee,
            )  # fmt: skip
    if as_json:
        print_json(made, enterprise=slug, login=login)
    else:
        print_table(made)


@claims.command()
@click.argument("number", metavar="CLAIM")
@enterprise_option
@as_option
@json_option
def review(number: str, enterprise: str | None, role: str, as_json: bool) -> None:
    """Review CLAIM: flights, rules, recalculation, comparison, rationale, and what that recommends."""
    with closing(open_database()) as conn:
        slug = choose_enterprise(conn, enterprise)
        with act_as(conn, slug, role) as login:
            claim = key_of(conn, number)
            found, lines = asked(conn, "review", claim=claim), asked(conn, "lines", claim=claim)
    if as_json:
        print_json(found, enterprise=slug, login=login, lines=lines)
    else:
        print_table(found, columns=["recommendation", "supported", "unclear"])
        click.echo()
        print_table(lines)
        click.echo()
        print_text(found[0]["rationale"])


@claims.command()
@click.argument("number", metavar="CLAIM")
@click.argument("decision", type=click.Choice(DECISIONS, case_sensitive=False))
@click.option("--reason", metavar="TEXT", help="Your own words, before clauses and figures.")
@click.option("--line", "lines", multiple=True, type=parse_line, metavar="NO=AMOUNT", help="What is approved of a line (1=12.34), others nothing; may be repeated. Without: what is supported.")  # fmt: skip
@enterprise_option
@as_option
@json_option
def decide(
    number: str, decision: str, reason: str | None, lines: tuple[Row, ...], enterprise: str | None, role: str, as_json: bool
) -> None:  # fmt: skip
    """Decide CLAIM: APPROVE, PARTIAL_APPROVE or DENY. Its lines: crewpay claims review CLAIM."""
    chosen = [{**line, "amount": str(line["amount"])} for line in lines]
    with closing(open_database()) as conn:
        slug = choose_enterprise(conn, enterprise)
        with act_as(conn, slug, role) as login:
            done = asked(
                conn, "decide", claim=key_of(conn, number), decision=decision.upper(), reason=reason,
                lines=Jsonb(chosen) if chosen else None,
            )  # fmt: skip
    if as_json:
        print_json(done, enterprise=slug, login=login)
    else:
        print_table(done, columns=["claim", "status", "decision", "approved", "payment"])
        click.echo()
        print_text(done[0]["rationale"])


@claims.command("pay")
@click.argument("number", metavar="CLAIM")
@enterprise_option
@as_option
@json_option
def pay_command(number: str, enterprise: str | None, role: str, as_json: bool) -> None:
    """Book CLAIM where deciding it could not: above the limit once it is released, or after a failed payment."""
    run("pay", number, enterprise, role, as_json)


@claims.command()
@click.argument("number", metavar="CLAIM")
@click.option("--ask", "reason", metavar="REASON", help="Ask for its release, for this reason; the next step is another person's.")  # fmt: skip
@click.option("--approve", is_flag=True, help="Release it, as somebody who neither asked nor decided it.")
@enterprise_option
@click.option("--as", "role", metavar="WHO", help="Act as the enterprise's login <slug>_WHO.")
@json_option
def release(
    number: str, reason: str | None, approve: bool, enterprise: str | None, role: str | None, as_json: bool
) -> None:
    """Have the payment of CLAIM released, where it is above the limit of one person; then crewpay claims pay.

    Asking acts as the payroll login of the enterprise, --approve as its administrator's.
    """
    if (reason is None) != approve:
        raise click.UsageError("give --ask REASON, or --approve")
    role = role or ("admin" if approve else "payroll")
    run("release" if approve else "ask_release", number, enterprise, role, as_json, reason=reason)


@claims.command()
@click.argument("number", metavar="CLAIM")
@click.option("--reason", required=True, metavar="TEXT", help="Why; kept with it.")
@enterprise_option
@claimant_option
@json_option
def withdraw(number: str, reason: str, enterprise: str | None, claimant: str, as_json: bool) -> None:
    """Withdraw CLAIM before it is decided, as the claimant."""
    run("withdraw", number, enterprise, claimant, as_json, reason=reason)


@claims.command()
@click.argument("number", metavar="CLAIM")
@click.option("--reason", required=True, metavar="TEXT", help="Why the decision is wrong.")
@enterprise_option
@claimant_option
@json_option
def appeal(number: str, reason: str, enterprise: str | None, claimant: str, as_json: bool) -> None:
    """Appeal the decision of CLAIM, as the claimant; another person than who decided looks at it."""
    run("appeal", number, enterprise, claimant, as_json, reason=reason)


@claims.command()
@click.argument("number", metavar="CLAIM")
@click.option("--title", required=True, metavar="TEXT", help="What it is.")
@click.option("--text", required=True, metavar="TEXT", help="What it says.")
@click.option("--file", "file", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="A document of up to 2 MB.")  # fmt: skip
@enterprise_option
@as_option
@json_option
def evidence(
    number: str, title: str, text: str, file: Path | None, enterprise: str | None, role: str, as_json: bool
) -> None:
    """Add evidence to CLAIM; it stays."""
    kind = mimetypes.guess_type(file.name)[0] if file else None
    run(
        "evidence", number, enterprise, role, as_json,
        title=title, text=text, kind=kind or ("application/octet-stream" if file else "text/plain"),
        content=file.read_bytes() if file else None,
    )  # fmt: skip


@claims.command()
@click.argument("number", metavar="CLAIM")
@enterprise_option
@as_option
@json_option
def dossier(number: str, enterprise: str | None, role: str, as_json: bool) -> None:
    """Print everything that bears on CLAIM, as JSON."""
    with closing(open_database()) as conn:
        slug = choose_enterprise(conn, enterprise)
        with act_as(conn, slug, role) as login:
            found = asked(conn, "dossier", claim=key_of(conn, number))[0]["dossier"]
    if as_json:
        print_json(found, enterprise=slug, login=login)
    else:
        # As ASCII: what people wrote can't steer the terminal.
        click.echo(json.dumps(found, indent=2))


@claims.command()
@click.argument("number", metavar="CLAIM")
@click.option("--apply", "reason", metavar="REASON", help="Submit these claims, for this reason.")
@enterprise_option
@as_option
@json_option
def remedy(number: str, reason: str | None, enterprise: str | None, role: str, as_json: bool) -> None:
    """Show whom the error that CLAIM made good affects as well; --apply submits a claim for each."""
    with closing(open_database()) as conn:
        slug = choose_enterprise(conn, enterprise)
        with act_as(conn, slug, role) as login:
            claim = key_of(conn, number)
            done = asked(conn, "preview_remedy", claim=claim)
            if reason is not None and done:
                done = asked(conn, "apply_remedy", claim=claim, hash=done[0]["preview_hash"], reason=reason)
    if not done:
        say(
            "nobody else lacks money by the same error: it rests on what detection found, crewpay review detect"
        )
    if as_json:
        print_json(done, enterprise=slug, login=login)
    else:
        print_table([{k: v for k, v in row.items() if k != "preview_hash"} for row in done])


@claims.command()
@click.option("--country", default="US", show_default=True, metavar="CODE", help="ISO 3166 code.")
@click.option("--years", default=3, show_default=True, type=click.IntRange(1, 20), help="From this year on.")
@enterprise_option
@json_option
def calendar(country: str, years: int, enterprise: str | None, as_json: bool) -> None:
    """Keep the public holidays that deadlines skip, from the holidays library; what is there stays."""
    import holidays

    this = date.today().year
    try:
        found = sorted(holidays.country_holidays(country.upper(), years=range(this, this + years)).items())
    except NotImplementedError:
        raise click.BadParameter(f"the library has no holidays of {country!r}") from None
    with closing(open_database()) as conn:
        slug = choose_enterprise(conn, enterprise)
        with act_as(conn, slug, "admin"):
            added = asked(
                conn, "put_holidays", country=country.upper(), days=[d for d, _ in found], names=[n for _, n in found]
            )[0]["added"]  # fmt: skip
    if as_json:
        print_json({"country": country.upper(), "holidays": len(found), "added": added})
    else:
        say(
            f"{len(found)} holidays of {country.upper()} from {this} to {this + years - 1}, {added} of them new"
        )
