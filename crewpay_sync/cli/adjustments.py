"""`crewpay pay adjust|adjustments`: amounts that no term pays, booked, decided, listed."""

from __future__ import annotations

from contextlib import closing
from decimal import Decimal

import click

from crewpay_sync.cli.arguments import When, enterprise_option, login_option, parse_amount, parse_when
from crewpay_sync.cli.chosen import choose_enterprise, chosen_periods, crew_keys, open_database, rows
from crewpay_sync.cli.pay import pay
from crewpay_sync.output import CrewPayError, json_option, print_json, print_table
from crewpay_sync.statements import Statements
from crewpay_sync.tenants import act_as

LISTED = ["adjustment_no", "employee_id", "period", "amount", "state", "source", "reason", "requested_by", "approved_by"]  # fmt: skip

asked = Statements("adjustments").rows


@pay.command(context_settings={"ignore_unknown_options": True})
@click.argument("employee")
@click.argument("amount", type=parse_amount)
@click.argument("period", type=parse_when, required=False, metavar="[PERIOD]")
@click.option("--reason", required=True, metavar="TEXT", help="Why; the statement says it.")
@enterprise_option
@login_option
@json_option
def adjust(
    employee: str,
    amount: Decimal,
    period: When | None,
    reason: str,
    enterprise: str | None,
    role: str | None,
    as_json: bool,
) -> None:
    """Book AMOUNT for EMPLOYEE; the next run of the period pays it as a line.

    A negative AMOUNT is taken back. PERIOD is a month (2013-01) or a day; without one, the newest open period.
    Above the setting pay.adjustment_limit the adjustment is proposed, and a second person decides:
    crewpay pay adjustments --approve NO.
    """
    with closing(open_database()) as conn:
        slug = choose_enterprise(conn, enterprise)
        with act_as(conn, slug, role or "payroll") as login:
            keys = crew_keys(conn, [employee])
            found = chosen_periods(conn, period)[-1]
            booked = asked(
                conn, "adjust", crew_member=keys and keys[0], period=found["id"], amount=amount, reason=reason
            )[0]
    done = {"employee_id": employee, "period": f"{found['start_date']} to {found['end_date']}", **booked}
    if as_json:
        print_json(done, enterprise=slug, login=login)
    else:
        print_table([done], columns=["adjustment_no", "employee_id", "period", "amount", "state", "reason"])


@pay.command()
@click.argument("period", type=parse_when, required=False, metavar="[PERIOD]")
@click.option("--approve", type=int, metavar="NO", help="Approve the adjustment of that number.")
@click.option("--withdraw", type=int, metavar="NO", help="Withdraw or deny the adjustment of that number.")
@click.option("--reason", metavar="TEXT", help="Why; needed to withdraw.")
@enterprise_option
@login_option
@json_option
def adjustments(
    period: When | None,
    approve: int | None,
    withdraw: int | None,
    reason: str | None,
    enterprise: str | None,
    role: str | None,
    as_json: bool,
) -> None:
    """List adjustments, of PERIOD or all; --approve or --withdraw one.

    Approving acts as the administrator's login of the enterprise, everything else as payroll's, or as the connected
    login if that is one of its principals.
    """
    if approve is not None and withdraw is not None:
        raise click.UsageError("--approve or --withdraw, not both")
    number = approve if approve is not None else withdraw
    with closing(open_database()) as conn:
        slug = choose_enterprise(conn, enterprise)
        with act_as(conn, slug, role or ("payroll" if approve is None else "admin")) as login:
            if number is None:
                periods = (
                    None if period is None else [p["id"] for p in rows(conn, "periods") if period.covers(p)]
                )
                done = asked(conn, "adjustments", periods=periods)
            else:
                key = asked(conn, "adjustment_key", number=number)
                if not key:
                    raise CrewPayError(
                        "CP311", f"there is no adjustment {number}", hint="List them: crewpay pay adjustments"
                    )
                name = "withdraw_adjustment" if approve is None else "approve_adjustment"
                done = asked(conn, name, adjustment=key[0]["id"], reason=reason)
    if as_json:
        print_json(done, enterprise=slug, login=login)
    else:
        print_table(done, columns=LISTED if number is None else None)
