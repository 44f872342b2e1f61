"""`crewpay pay override|overrides`: amounts that a person sets in place of what is computed."""

from __future__ import annotations

from contextlib import closing
from decimal import Decimal

import click

from crewpay_sync.cli.arguments import When, enterprise_option, login_option, parse_amount, parse_when
from crewpay_sync.cli.chosen import choose_enterprise, chosen_periods, crew_keys, open_database
from crewpay_sync.cli.pay import pay
from crewpay_sync.output import CrewPayError, json_option, print_json, print_table
from crewpay_sync.statements import Statements
from crewpay_sync.tenants import act_as

COMPONENTS = ["flight_pay", "overtime", "per_diem", "premium", "delay_pay", "guarantee"]

asked = Statements("overrides").rows


@pay.command(context_settings={"ignore_unknown_options": True})
@click.argument("employee")
@click.argument("component", type=click.Choice(COMPONENTS))
@click.argument("amount", type=parse_amount)
@click.argument("period", type=parse_when, required=False, metavar="[PERIOD]")
@click.option("--reason", required=True, metavar="TEXT", help="Why; the statement says it.")
@click.option(
    "--line",
    type=(str, str, int),
    metavar="TERM LEVEL NODE",
    help="Only this line, as crewpay pay export --lines names it.",
)
@enterprise_option
@login_option
@json_option
def override(
    employee: str,
    component: str,
    amount: Decimal,
    period: When | None,
    reason: str,
    line: tuple[str, str, int] | None,
    enterprise: str | None,
    role: str | None,
    as_json: bool,
) -> None:
    """Set COMPONENT of EMPLOYEE's pay to AMOUNT; every run of the period pays it until it is reset.

    PERIOD is a month (2013-01) or a day; without one, the newest open period. What is computed stays beside it. Above
    the setting pay.adjustment_limit a second person decides: crewpay pay overrides --approve NO.
    """
    term, level, node = line or (None, None, None)
    with closing(open_database()) as conn:
        slug = choose_enterprise(conn, enterprise)
        with act_as(conn, slug, role or "payroll") as login:
            keys = crew_keys(conn, [employee])
            found = chosen_periods(conn, period)[-1]
            done = asked(
                conn, "override", crew_member=keys and keys[0], period=found["id"], component=component, amount=amount,
                reason=reason, term=term, level=level, node=node,
            )  # fmt: skip
    told = {"employee_id": employee, "period": f"{found['start_date']} to {found['end_date']}", **done[0]}
    if as_json:
        print_json(told, enterprise=slug, login=login)
    else:
        print_table([told])


@pay.command()
@click.option("--approve", type=int, metavar="NO", help="Approve the override of that number.")
@click.option("--reset", type=int, metavar="NO", help="Take the override of that number back; give --reason.")
@click.option("--reason", metavar="TEXT", help="Why; needed to reset.")
@enterprise_option
@login_option
@json_option
def overrides(
    approve: int | None,
    reset: int | None,
    reason: str | None,
    enterprise: str | None,
    role: str | None,
    as_json: bool,
) -> None:
    """List overrides; --approve or --reset one.

    Approving acts as the administrator's login of the enterprise, everything else as payroll's.
    """
    if approve is not None and reset is not None:
        raise click.UsageError("--approve or --reset, not both")
    number = approve if approve is not None else reset
    with closing(open_database()) as conn:
        slug = choose_enterprise(conn, enterprise)
        with act_as(conn, slug, role or ("payroll" if approve is None else "admin")) as login:
            if number is None:
                done = asked(conn, "overrides")
            else:
                key = asked(conn, "override_key", number=number)
                if not key:
                    raise CrewPayError(
                        "CP311", f"there is no override {number}", hint="List them: crewpay pay overrides"
                    )
                name = "reset_override" if approve is None else "approve_override"
                done = asked(conn, name, override=key[0]["id"], reason=reason)
    if as_json:
        print_json(done, enterprise=slug, login=login)
    else:
        print_table(done)
