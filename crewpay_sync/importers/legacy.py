"""Another payroll's results of a real month, with errors of every known kind planted: what a parallel run has to find.

The file is made from the recorded pay: legs with their flight, everything else in one sum a component. Each error hits
a crew member of its own, the first by employee number that it fits, so that the same month gives the same file.
docs/review.md lists the errors; `Planted` says of each what the comparison must report.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import dict_row

from crewpay_sync.statements import query

CENT = Decimal("0.01")
COLUMNS = (
    "employee_id", "period_start", "component", "flight_number", "scheduled_departure", "origin_airport", "quantity",
    "amount",
)  # fmt: skip


def cents(amount: Decimal) -> Decimal:
    """Rounded half up, as payrolls do."""
    return amount.quantize(CENT, ROUND_HALF_UP)


@dataclass(frozen=True)
class Planted:
    """An error in the file, and how the comparison must report it."""

    error: str
    employee_id: str
    component: str | None
    reason: str
    expected: Decimal
    actual: Decimal

    @property
    def key(self) -> tuple[str, str | None, str, Decimal, Decimal]:
        return (self.employee_id, self.component, self.reason, self.expected, self.actual)


@dataclass
class Row:
    """A row of the file with the lines it sums up."""

    employee_id: str
    component: str
    flight: dict[str, Any] | None
    quantity: Decimal
    amount: Decimal
    lines: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class Employee:
    """A crew member's rows of the file."""

    id: str
    position: str
    rates: list[Decimal]
    rows: list[Row] = field(default_factory=list)

    def of(self, component: str, *, by_flight: bool) -> list[Row]:
        return [r for r in self.rows if r.component == component and (r.flight is not None) == by_flight]

    def legs(self, **is_: Any) -> list[Row]:
        """Rows of flight pay for a leg, of trips inside the month unless said otherwise."""
        wanted = {"crosses": False, **is_}
        return [
            r for r in self.of("flight_pay", by_flight=True)
            if len(r.lines) == 1 and all(r.lines[0][name] == value for name, value in wanted.items())
        ]  # fmt: skip

    def other_rate(self) -> Decimal | None:
        """The rate of the year of service before the own one."""
        legs = self.legs()
        if not legs:
            return None
        longest = max(legs, key=lambda r: r.quantity)
        own = longest.amount * 60 / longest.quantity
        return max((r for r in self.rates if r < own - 1), default=None)

    def total(self) -> Decimal:
        return sum((r.amount for r in self.rows), Decimal(0))


Plant = Callable[[Employee, list[Employee]], Planted | None]


def _change(employee: Employee, row: Row, amount: Decimal, error: str, reason: str) -> Planted | None:
    if amount == row.amount:
        return None
    found = Planted(error, employee.id, row.component, reason, row.amount, amount)
    row.amount = amount
    return found


def _remove(employee: Employee, row: Row, error: str, reason: str) -> Planted:
    employee.rows.remove(row)
    return Planted(error, employee.id, row.component, reason, row.amount, Decimal(0))


def _first(items: list[Row]) -> Row | None:
    return items[0] if items else None


def rig_not_applied(e: Employee, _: list[Employee]) -> Planted | None:
    """The minimum of a duty day was never applied, all month."""
    row = _first(e.of("flight_pay", by_flight=False))
    if row is None:
        return None
    term = [line for line in row.lines if line["term_code"].endswith("6.D")]
    if len(term) < 5 or len({line["term_code"] for line in row.lines}) < 2:
        return None
    gone = sum((line["amount"] for line in term), Decimal(0))
    return _change(e, row, row.amount - gone, "minimum of a duty day never applied", "RIG_NOT_APPLIED")


def lesser_alternative(e: Employee, _: list[Employee]) -> Planted | None:
    """Of one duty the legs were paid instead of its minimum."""
    row = _first(e.of("flight_pay", by_flight=False))
    if row is None:
        return None
    amounts = [line["amount"] for line in row.lines]
    once = [a for a in amounts if amounts.count(a) == 1 and a > 20]
    return (
        _change(e, row, row.amount - once[0], "the legs instead of the duty's minimum", "WRONG_WINNER")
        if len(once) > 2
        else None
    )


def wrong_year_of_service(e: Employee, _: list[Employee]) -> Planted | None:
    """Every hour of flight pay at the rate of another year of service."""
    rate = e.other_rate()
    if rate is None or e.position != "FIRST_OFFICER":
        return None
    pay = [r for r in e.rows if r.component == "flight_pay"]
    expected = sum((r.amount for r in pay), Decimal(0))
    for row in pay:
        row.amount = cents(sum((line["quantity"] for line in row.lines), Decimal(0)) * rate / 60)
    actual = sum((r.amount for r in pay), Decimal(0))
    return Planted("rate of another year of service", e.id, "flight_pay", "WRONG_LONGEVITY", expected, actual)


def unknown_rate(e: Employee, _: list[Employee]) -> Planted | None:
    """One leg at a rate that nobody has."""
    row = _first(e.legs())
    if row is None:
        return None
    return _change(e, row, cents(row.amount * Decimal("1.0371")), "a leg at a rate nobody has", "WRONG_RATE")


def premium_forgotten(e: Employee, _: list[Employee]) -> Planted | None:
    """The premium of one leg is not there."""
    row = _first(e.of("premium", by_flight=True))
    if row is None:
        return None
    return _remove(e, row, "premium of a leg forgotten", "PREMIUM_NOT_PAID")


def premium_not_due(e: Employee, _: list[Employee]) -> Planted | None:
    """A premium for a leg by day."""
    paid = {r.flight["id"] for r in e.of("premium", by_flight=True) if r.flight}
    row = next((r for r in e.legs() if r.flight and r.flight["id"] not in paid), None)
    if row is None or not paid:
        return None
    e.rows.append(Row(e.id, "premium", row.flight, Decimal(0), Decimal("41.00")))
    return Planted(
        "premium that is not due", e.id, "premium", "PREMIUM_NOT_DUE", Decimal(0), Decimal("41.00")
    )


def leg_forgotten(e: Employee, _: list[Employee]) -> Planted | None:
    """A leg that was flown is not paid."""
    row = _first(e.legs())
    if row is None:
        return None
    return _remove(e, row, "a leg flown and not paid", "LEG_NOT_PAID")


def leg_of_another(e: Employee, others: list[Employee]) -> Planted | None:
    """A leg of somebody else is paid."""
    mine = {r.flight["id"] for r in e.rows if r.flight}
    row = next((r for r in others[-1].legs() if r.flight and r.flight["id"] not in mine), None)
    if row is None:
        return None
    e.rows.append(Row(e.id, "flight_pay", row.flight, row.quantity, row.amount))
    return Planted(
        "a leg paid that another flew", e.id, "flight_pay", "LEG_NOT_FLOWN", Decimal(0), row.amount
    )


def leg_twice(e: Employee, _: list[Employee]) -> Planted | None:
    """A leg stands there twice."""
    row = _first(e.legs())
    if row is None:
        return None
    e.rows.append(Row(e.id, row.component, row.flight, row.quantity, row.amount))
    return Planted("a leg paid twice", e.id, "flight_pay", "DUPLICATE", row.amount, row.amount * 2)


def leg_as_planned(e: Employee, _: list[Employee]) -> Planted | None:
    """A leg that took longer is paid as planned."""
    row = next((r for r in e.legs() if r.lines[0]["flown"] > r.lines[0]["scheduled"] + 10 and r.lines[0]["quantity"] == r.lines[0]["flown"]), None)  # fmt: skip
    if row is None:
        return None
    return _change(
        e, row, cents(row.amount * row.lines[0]["scheduled"] / row.lines[0]["flown"]),
        "a late leg paid as planned", "LATE_CHANGE",
    )  # fmt: skip


def leg_as_flown(e: Employee, _: list[Employee]) -> Planted | None:
    """A leg that took less is paid as flown, though the plan was more."""
    row = next((r for r in e.legs() if r.lines[0]["flown"] + 10 < r.lines[0]["scheduled"] and r.lines[0]["quantity"] == r.lines[0]["scheduled"]), None)  # fmt: skip
    if row is None:
        return None
    return _change(
        e, row, cents(row.amount * row.lines[0]["flown"] / row.lines[0]["scheduled"]),
        "an early leg paid as flown", "WRONG_WINNER",
    )  # fmt: skip


def other_month(e: Employee, _: list[Employee]) -> Planted | None:
    """A leg of a trip over the month's end went to the other month."""
    row = _first(e.legs(crosses=True))
    if row is None:
        return None
    return _remove(e, row, "a leg over the month's end left out", "MONTH_BOUNDARY")


def per_diem_short(e: Employee, _: list[Employee]) -> Planted | None:
    """Per diem at a rate of the past."""
    row = _first(e.of("per_diem", by_flight=False))
    if row is None:
        return None
    return _change(e, row, cents(row.amount * Decimal("0.92")), "per diem at a former rate", "PER_DIEM")


def guarantee_forgotten(e: Employee, _: list[Employee]) -> Planted | None:
    """The guarantee is not there."""
    row = _first(e.of("guarantee", by_flight=False))
    if row is None:
        return None
    return _remove(e, row, "guarantee forgotten", "GUARANTEE_NOT_PAID")


def guarantee_halved(e: Employee, _: list[Employee]) -> Planted | None:
    """The guarantee as if for half a month."""
    row = _first(e.of("guarantee", by_flight=False))
    if row is None:
        return None
    return _change(e, row, cents(row.amount / 2), "guarantee of half a month", "GUARANTEE_PRORATION")


def point_slipped(e: Employee, _: list[Employee]) -> Planted | None:
    """Overtime with the point one place off."""
    row = _first(e.of("overtime", by_flight=False))
    if row is None:
        return None
    return _change(e, row, row.amount * 10, "the point one place off", "CLERICAL")


def nobody_paid(e: Employee, _: list[Employee]) -> Planted | None:
    """A crew member is not in the file at all."""
    total = e.total()
    e.rows.clear()
    return Planted("not in the file at all", e.id, None, "NOTHING_PAID", total, Decimal(0))


PLANTS: tuple[Plant, ...] = (
    guarantee_forgotten, guarantee_halved, other_month, rig_not_applied, lesser_alternative, wrong_year_of_service,
    unknown_rate, premium_forgotten, premium_not_due, leg_forgotten, leg_of_another, leg_twice, leg_as_planned,
    leg_as_flown, per_diem_short, point_slipped, nobody_paid,
)  # fmt: skip


def _employees(conn: psycopg.Connection[Any], period: Any) -> list[Employee]:
    """The file as it would be without errors."""
    with conn.cursor(row_factory=dict_row) as cursor:
        lines = cursor.execute(query("legacy", "lines"), {"period": period}).fetchall()
    found: dict[str, Employee] = {}
    rows: dict[tuple[Any, ...], Row] = {}
    for line in lines:
        who = found.setdefault(
            line["employee_id"],
            Employee(line["employee_id"], line["position"], line["rates"]),
        )
        flight = (
            {"id": line["flight_id"], "flight_number": line["flight_number"],
             "scheduled_departure": line["scheduled_departure"].isoformat(), "origin_airport": line["origin_airport"]}
            if line["flight_id"] else None
        )  # fmt: skip
        key = (line["employee_id"], line["component"], line["flight_id"])
        row = rows.get(key)
        if row is None:
            row = rows[key] = Row(line["employee_id"], line["component"], flight, Decimal(0), Decimal(0))
            who.rows.append(row)
        row.quantity += line["quantity"]
        row.amount += line["amount"]
        row.lines.append(line)
    return list(found.values())


def plant(employees: list[Employee]) -> list[Planted]:
    """Plants every error, each with the first crew member that has none yet and that it fits."""
    clean = list(employees)
    done = []
    for error in PLANTS:
        for employee in clean:
            planted = error(employee, clean)
            if planted:
                done.append(planted)
                clean.remove(employee)
                break
    return done


def rows_of(employees: list[Employee], period_start: Any) -> Iterator[dict[str, Any]]:
    """The rows of the file."""
    for employee in employees:
        for row in employee.rows:
            flight = row.flight or {}
            yield {
                "employee_id": row.employee_id, "period_start": period_start, "component": row.component,
                **{name: flight.get(name) for name in ("flight_number", "scheduled_departure", "origin_airport")},
                "quantity": cents(row.quantity / 60) if row.component == "flight_pay" else None, "amount": row.amount,
            }  # fmt: skip


def write_legacy(conn: psycopg.Connection[Any], period: dict[str, Any], file: Path) -> list[Planted]:
    """Writes another payroll's results of a period, as payroll sees it; what is wrong in them comes back."""
    employees = _employees(conn, period["id"])
    planted = plant(employees)
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, COLUMNS)
        writer.writeheader()
        writer.writerows(rows_of(employees, period["start_date"]))
    return planted
