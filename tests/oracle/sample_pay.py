"""A month's pay by the text of the sample contract (crewpay_sync/samples/contract.yaml), worked out a second time.

Written from the clauses, without a look at the engine: plain arithmetic with fractions, one crew member after the other.
Amounts are rounded to the cent, half a cent up, line by line. Only the rates are read from the contract's file; holidays
are worked out by the calendar.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from fractions import Fraction
from functools import cache
from math import floor
from typing import Any

import yaml

from crewpay_sync.importers.contract import sample_contract
from tests.oracle.facts import Duty, Leg, Member, Trip, each_minute, epoch_minute, minutes

Key = tuple[str, str, str, int]  # employee, clause, level, node


@dataclass(frozen=True)
class Line:
    quantity: Fraction  # minutes
    cents: int


@dataclass(frozen=True)
class Agreement:
    """What pilots and cabin crew have in other numbers. Credit is in minutes, money in dollars."""

    union: str
    deadhead: Fraction
    minimum_duty: tuple[str, int]
    duty_rig: tuple[str, int]
    trip_rig: tuple[str, Fraction]
    per_diem: tuple[str, Fraction]
    guarantee: tuple[str, int]
    holiday: tuple[str, Fraction]


PILOTS = Agreement(
    union="ALPA", deadhead=Fraction(1, 2), minimum_duty=("6.D", 225), duty_rig=("6.E", 3),
    trip_rig=("6.F", Fraction(4)), per_diem=("8.D", Fraction(5, 2)), guarantee=("5.A", 70 * 60), holiday=("12.D", Fraction(1)),
)  # fmt: skip
CABIN = Agreement(
    union="AFA", deadhead=Fraction(1), minimum_duty=("6.B", 240), duty_rig=("6.A", 2),
    trip_rig=("6.C", Fraction(7, 2)), per_diem=("9.A", Fraction(9, 4)), guarantee=("7.B", 75 * 60), holiday=("12.A", Fraction(1, 2)),
)  # fmt: skip
CREDIT, PROTECTION, OVERTIME = "4.A", "4.B", "10.A"
RED_EYE, DELAY = "12.C", "13.B"  # pilots alone


def cents(dollars: Fraction) -> int:
    return floor(dollars * 100 + Fraction(1, 2))


def whole_years(since: date, day: date) -> int:
    return day.year - since.year - ((day.month, day.day) < (since.month, since.day))


@cache
def steps() -> dict[str, list[tuple[int, Fraction]]]:
    """Position -> (year of service from which it is paid, hourly rate)."""
    found: dict[str, list[tuple[int, Fraction]]] = defaultdict(list)
    contract: dict[str, Any] = yaml.safe_load(sample_contract().read_text(encoding="utf-8"))
    for term in contract["terms"]:
        if term["formula"]["type"] == "hourly_rate":
            for step in term["formula"]["steps"]:
                found[step["position"]].append((step["year"], Fraction(str(step["rate"]))))
    return found


def hourly_rate(member: Member, day: date) -> Fraction:
    """Section 3.A: the rate of the position held and the year of service begun."""
    year = whole_years(member.hired, day) + 1
    return max(step for step in steps()[member.position] if step[0] <= max(1, year))[1]


def _nth(year: int, month: int, weekday: int, n: int) -> date:
    first = date(year, month, 1)
    return first + timedelta((weekday - first.weekday()) % 7 + 7 * (n - 1))


@cache
def holidays(year: int) -> set[date]:
    """Sections 12.D.1 and 12.A: New Year's Day, Memorial Day, Independence Day, Labor Day, Thanksgiving Day and Christmas Day."""
    end_of_may = date(year, 5, 31)
    return {
        date(year, 1, 1), end_of_may - timedelta(end_of_may.weekday()), date(year, 7, 4), _nth(year, 9, 0, 1), _nth(year, 11, 3, 4), date(year, 12, 25),
    }  # fmt: skip


class Month:
    """The pay of one crew member for a period within one contract month."""

    def __init__(self, member: Member, month: date, first: date, last: date) -> None:
        self.member = member
        self.month, self.month_end = month, (month + timedelta(31)).replace(day=1) - timedelta(1)
        self.first, self.last = first, last
        self.by = CABIN if member.position == "FLIGHT_ATTENDANT" else PILOTS
        self.lines: dict[Key, Line] = {}
        self.credit_before, self.credit = Fraction(0), Fraction(0)

    def pay(self) -> dict[Key, Line]:
        member = self.member
        if member.hired > self.last or (member.left and member.left < self.month):
            return {}
        credit = {id(duty): self.duty(duty) for duty in member.duties}
        for trip in member.trips:
            self.trip(trip, sum((credit[id(duty)] for duty in trip.duties), Fraction(0)))
        if self.last == self.month_end:
            self.guarantee()
        self.overtime()
        return self.lines

    # ---- Books ----------------------------------------------------------------------------------------------------

    def day(self, time: datetime) -> date:
        """Section 1.A: on the clock of the base."""
        return time.astimezone(self.member.base).date()

    def is_paid(self, day: date) -> bool:
        return self.first <= day <= self.last

    def book(self, day: date, credit: Fraction) -> None:
        """Credit of the month, and how much of it belongs to periods of the month before this one."""
        if self.month <= day < self.first:
            self.credit_before += credit
        elif self.is_paid(day):
            self.credit += credit

    def put(self, clause: str, level: str, node: int, quantity: Fraction, dollars: Fraction) -> None:
        key = (self.member.employee_id, f"{self.by.union}_Section_{clause}", level, node)
        assert key not in self.lines
        self.lines[key] = Line(quantity, cents(dollars))

    def at_rate(
        self,
        clause: str,
        level: str,
        node: int,
        quantity: Fraction,
        day: date,
        factor: Fraction = Fraction(1),
    ) -> None:
        self.put(clause, level, node, quantity, quantity * factor * hourly_rate(self.member, day) / 60)

    # ---- Legs -----------------------------------------------------------------------------------------------------

    def leg(self, leg: Leg) -> Fraction:
        """Sections 4.A and 4.B: the greater of scheduled and actual block; a cancelled leg at its scheduled block."""
        credit = Fraction(max(minutes(*leg.planned), minutes(*leg.flown) if leg.flown else 0))
        if leg.deadhead:
            credit *= self.by.deadhead
        day = self.day(leg.departure)
        self.book(day, credit)
        if self.is_paid(day):
            self.at_rate(PROTECTION if leg.cancelled else CREDIT, "leg", leg.no, credit, day)
            if leg.flown and not leg.deadhead:
                self.premium(leg, day)
            if self.by is PILOTS:
                self.delay(leg, day)
        return credit

    def premium(self, leg: Leg, day: date) -> None:
        """Sections 12.C, 12.D and 12.A: for a leg with holiday block the holiday premium replaces that of the night."""
        assert leg.flown
        clause, factor = self.by.holiday
        on_holiday = sum(self.day(m) in holidays(self.day(m).year) for m in each_minute(*leg.flown))
        if on_holiday:
            self.at_rate(clause, "leg", leg.no, Fraction(on_holiday), day, factor)
        elif self.by is PILOTS:
            hours = (m.astimezone(leg.origin).hour for m in each_minute(*leg.flown))
            at_night = sum(hour >= 22 or hour < 6 for hour in hours)
            if at_night:
                self.at_rate(RED_EYE, "leg", leg.no, Fraction(at_night), day, Fraction(1, 2))

    def delay(self, leg: Leg, day: date) -> None:
        """Section 13.B: a delay of more than 30 minutes within the company's control at half the rate."""
        if leg.delay_code in ("MX", "OPS", "CREW") and leg.delay_minutes > 30:
            self.at_rate(DELAY, "leg", leg.no, Fraction(leg.delay_minutes, 2), day)

    # ---- Duties and trips -----------------------------------------------------------------------------------------

    def duty(self, duty: Duty) -> Fraction:
        """Sections 6.A, 6.B, 6.D and 6.E: no less than the minimum, nor than a share of the duty; the clause first in order where both are equal."""
        flown = sum((self.leg(leg) for leg in duty.legs), Fraction(0))
        least, ratio = self.by.minimum_duty, self.by.duty_rig
        offers = sorted(
            [
                (least[0], Fraction(least[1])),
                (ratio[0], Fraction(minutes(duty.report, duty.release), ratio[1])),
            ]
        )
        clause, credit = max(offers, key=lambda offer: offer[1])
        if credit <= flown:
            return flown
        day = self.day(duty.report)
        self.book(day, credit - flown)
        if self.is_paid(day):
            self.at_rate(clause, "duty", epoch_minute(duty.report), credit - flown, day)
        return credit

    def trip(self, trip: Trip, credit: Fraction) -> None:
        """Sections 6.C and 6.F: no less than a share of the time away; 8.D and 9.A: per diem for all of it."""
        day = self.day(trip.start)
        away = Fraction(minutes(trip.start, trip.end))
        clause, ratio = self.by.trip_rig
        rig = away / ratio - credit
        if rig > 0:
            self.book(day, rig)
        if self.is_paid(day):
            if rig > 0:
                self.at_rate(clause, "trip", trip.no, rig, day)
            clause, dollars = self.by.per_diem
            self.put(clause, "trip", trip.no, away, away * dollars / 60)

    # ---- The month ------------------------------------------------------------------------------------------------

    def guarantee(self) -> None:
        """Sections 5.A and 7.B: prorated by the days of the month on which the crew member is employed and not on unpaid leave."""
        member, days = self.member, self.month_end.day
        absent = max(0, (member.hired - self.month).days) + member.unpaid_days
        if member.left:
            absent += max(0, (self.month_end - member.left).days)
        clause, full = self.by.guarantee
        missing = Fraction(full * (days - absent), days) - self.credit_before - self.credit
        if missing > 0:
            self.at_rate(clause, "month", 0, missing, self.last)

    def overtime(self) -> None:
        """Section 10.A: credit above the hours of the guarantee at another half; what earlier periods of the month paid is not paid again."""
        rate = hourly_rate(self.member, self.last) / 2 / 60
        before = max(Fraction(0), self.credit_before - self.by.guarantee[1])
        until = max(Fraction(0), self.credit_before + self.credit - self.by.guarantee[1])
        if until > before:
            key = (self.member.employee_id, f"{self.by.union}_Section_{OVERTIME}", "month", 0)
            self.lines[key] = Line(until - before, cents(until * rate) - cents(before * rate))


def pay(crew: list[Member], month: date, first: date, last: date) -> dict[Key, Line]:
    """All lines of a period, by crew member, clause and node; those of nothing for nothing are none."""
    lines: dict[Key, Line] = {}
    for member in crew:
        lines |= Month(member, month, first, last).pay()
    return {key: line for key, line in lines.items() if line.quantity or line.cents}
