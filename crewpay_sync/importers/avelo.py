"""The Avelo sample: fifteen crew of a small carrier over three months, with pay, discrepancies and claims that agree.

The roster of a month depends on the month alone, so that loads on different days add up; what has been flown, and which
periods are closed, depends on the day. Pay comes from the engine, and what is claimed or found comes from pay.
"""

from __future__ import annotations

import csv
import time
from calendar import monthrange
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from importlib import resources
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import psycopg
import yaml
from psycopg.types.json import Jsonb

from crewpay_sync.importers.airports import airports, load_airports
from crewpay_sync.importers.contract import load_contract
from crewpay_sync.statements import Row, query
from crewpay_sync.tenants import (
    act_as,
    ensure_enterprise,
    ensure_login,
    ensure_standard_logins,
    login_name,
    stable_id,
)

SLUG = "avelo"
NAME = "Avelo Airlines"
REPORT_BEFORE = timedelta(minutes=60)
RELEASE_AFTER = timedelta(minutes=15)
LEAST_TURN = timedelta(minutes=30)
CREW_LOGINS = ("XP001", "XP201")

Step = Callable[[str], None]
Connection = psycopg.Connection[Any]


@dataclass
class Summary:
    """What is in the sample after the load, and what the load added."""

    enterprise: str = SLUG
    crew: int = 0
    flights: int = 0
    trips: int = 0
    legs: int = 0
    periods: int = 0
    results: int = 0
    discrepancies: int = 0
    claims: int = 0
    notifications: int = 0
    added: int = 0
    runs: int = 0
    seconds: float = 0.0
    logins: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Leg:
    """One flight as scheduled and as flown; a cancelled one has no actual times."""

    number: str
    origin: str
    destination: str
    tail: str
    scheduled_out: datetime
    scheduled_in: datetime
    actual_out: datetime | None
    actual_in: datetime | None
    delay: int = 0
    code: str | None = None
    reason: str | None = None


@dataclass(frozen=True)
class Duty:
    report: datetime
    release: datetime
    scheduled_release: datetime
    legs: tuple[Leg, ...]


@dataclass(frozen=True)
class Trip:
    """A pairing on a day."""

    number: str
    base: str
    duties: tuple[Duty, ...]


def _sample(name: str) -> str:
    return resources.files("crewpay_sync").joinpath("samples", name).read_text(encoding="utf-8")


@lru_cache
def roster_plan() -> dict[str, Any]:
    """One month of flights, pairings, lines and delays."""
    plan: dict[str, Any] = yaml.safe_load(_sample("avelo_roster.yaml"))
    return plan


def crew() -> list[dict[str, str]]:
    """The crew members, as in the CSV file."""
    return list(csv.DictReader(_sample("avelo_crew.csv").splitlines()))


def month_before(month: date) -> date:
    return (month - timedelta(days=1)).replace(day=1)


def month_after(month: date) -> date:
    return (month + timedelta(days=31)).replace(day=1)


def months_of(first: date, today: date) -> Iterator[date]:
    """Contract months from the first to that of today."""
    month = first
    while month <= today:
        yield month
        month = month_after(month)


def periods_of(month: date) -> tuple[tuple[date, date, date], ...]:
    """Both halves of a month: first day, last day, day of payment. The halves are paid half a month later."""
    last = month.replace(day=monthrange(month.year, month.month)[1])
    middle = month.replace(day=15)
    return (month, middle, last), (middle + timedelta(days=1), last, month_after(month).replace(day=15))


def _event(kind: str, number: str, day: int) -> dict[str, Any] | None:
    return next((e for e in roster_plan()[kind] if e["flight"] == number and e["day"] == day), None)


def _leg(number: str, first: date, scheduled_out: datetime, ready: datetime | None) -> Leg:
    """A flight of the trip that begins on `first`; `ready` is when the aircraft can leave."""
    plan = roster_plan()["flights"][number]
    block = timedelta(minutes=plan["block"])
    common = (number, plan["from"], plan["to"], plan["tail"], scheduled_out, scheduled_out + block)
    if cancelled := _event("cancelled", number, first.day):
        return Leg(*common, None, None, 0, cancelled["code"], cancelled["reason"])
    # Flown blocks differ from the schedule by up to five minutes, the same every month.
    flown = block + timedelta(minutes=(first.day * 7 + int(number[2:])) % 11 - 5)
    code = reason = None
    out = scheduled_out
    if delay := _event("delays", number, first.day):
        out, flown = out + timedelta(minutes=delay["minutes"]), block
        code, reason = delay["code"], delay["reasons"][first.month % 3]
    elif ready is not None and ready > out:
        out, code, reason = ready, "LATE", "Late arrival of the aircraft"
    late = max(0, int((out + flown - common[-1]).total_seconds()) // 60)
    return Leg(*common, out, out + flown, late, code, reason)


def build_trip(pairing: str, first: date) -> Trip:
    """The pairing that begins on a day, as scheduled and as flown."""
    plan = roster_plan()["pairings"][pairing]
    clock = datetime.strptime(plan["report"], "%H:%M").time()
    report = datetime.combine(first, clock, ZoneInfo(airports()[plan["base"]]["tz"])).astimezone(UTC)
    duties: list[Duty] = []
    for duty in plan["duties"]:
        if duties:
            report = duties[-1].scheduled_release + timedelta(minutes=duty["rest"])
        legs: list[Leg] = []
        for number in duty["legs"]:
            if legs:
                turn = timedelta(minutes=roster_plan()["flights"][number]["turn"])
                scheduled, inbound = legs[-1].scheduled_in + turn, legs[-1].actual_in
                legs.append(_leg(number, first, scheduled, inbound + LEAST_TURN if inbound else None))
            else:
                legs.append(_leg(number, first, report + REPORT_BEFORE, None))
        arrived = max(leg.actual_in for leg in legs if leg.actual_in)
        duties.append(
            Duty(report, arrived + RELEASE_AFTER, legs[-1].scheduled_in + RELEASE_AFTER, tuple(legs))
        )
    return Trip(f"{pairing}-{first:%m%d}", plan["base"], tuple(duties))


class _Rows:
    """Rows of the sample. Keys depend on names only."""

    def __init__(self, enterprise: UUID, months: list[date], today: date) -> None:
        self.enterprise, self.months, self.today = enterprise, months, today
        self.members = {m["employee_id"]: self.key("crew", m["employee_id"]) for m in crew()}
        self.trips_flown = [
            (employee, trip)
            for month in months
            for employee, lines in roster_plan()["lines"].items()
            for pairing, days in lines.items()
            for trip in (build_trip(pairing, month.replace(day=day)) for day in days)
            if max(trip.duties[-1].release, trip.duties[-1].scheduled_release).date() < today
        ]

    def key(self, *parts: object) -> UUID:
        return stable_id(self.enterprise, *parts)

    def period(self, first: date) -> UUID:
        return self.key("period", first)

    def flight(self, leg: Leg) -> UUID:
        return self.key("flight", leg.number, leg.scheduled_out.isoformat())

    def flight_of(self, pairing: str, first: date, number: str) -> UUID:
        legs = [leg for duty in build_trip(pairing, first).duties for leg in duty.legs]
        return self.flight(next(leg for leg in legs if leg.number == number))

    def crew(self) -> Iterator[Row]:
        for m in crew():
            yield {
                **m,
                "id": self.members[m["employee_id"]],
                "person_id": self.key("person", m["employee_id"]),
            }

    def periods(self) -> Iterator[Row]:
        for month in self.months:
            for first, last, pay_date in periods_of(month):
                if first <= self.today:
                    yield {
                        "id": self.period(first), "start_date": first, "end_date": last, "pay_date": pay_date,
                        "contract_month": month,
                    }  # fmt: skip

    def flights(self) -> Iterator[Row]:
        legs = {leg for _, trip in self.trips_flown for duty in trip.duties for leg in duty.legs}
        for leg in sorted(legs, key=lambda leg: (leg.scheduled_out, leg.number)):
            yield {
                "id": self.flight(leg), "flight_number": leg.number, "origin_airport": leg.origin,
                "destination_airport": leg.destination, "scheduled_departure": leg.scheduled_out,
                "scheduled_arrival": leg.scheduled_in, "actual_departure": leg.actual_out,
                "actual_arrival": leg.actual_in, "delay_minutes": leg.delay, "delay_code": leg.code,
                "delay_reason": leg.reason, "aircraft_registration": leg.tail,
                "status": "ARRIVED" if leg.actual_in else "CANCELLED",
            }  # fmt: skip

    def trips(self) -> Iterator[Row]:
        for employee, trip in self.trips_flown:
            first, last = trip.duties[0], trip.duties[-1]
            yield {
                "id": self.key("trip", trip.number, first.report.isoformat(), employee),
                "crew_member_id": self.members[employee], "trip_number": trip.number, "base_location": trip.base,
                "start_at": first.report, "end_at": last.release, "scheduled_start_at": first.report,
                "scheduled_end_at": last.scheduled_release,
                "from_reserve": employee in roster_plan()["reserve"],
            }  # fmt: skip

    def legs(self) -> Iterator[Row]:
        for employee, trip in self.trips_flown:
            trip_id = self.key("trip", trip.number, trip.duties[0].report.isoformat(), employee)
            for duty in trip.duties:
                for leg in duty.legs:
                    yield {
                        "id": self.key("leg", self.flight(leg), employee), "crew_member_id": self.members[employee],
                        "flight_id": self.flight(leg), "trip_id": trip_id, "duty_start_time": duty.report,
                        "duty_end_time": duty.release, "check_out_time": duty.release,
                        "check_in_time": duty.report - timedelta(minutes=int(employee[2:]) % 7),
                    }  # fmt: skip

    def crew_months(self) -> Iterator[Row]:
        plan = roster_plan()
        for month in self.months:
            for employee, lines in plan["lines"].items():
                duties = sum(len(days) * len(plan["pairings"][p]["duties"]) for p, days in lines.items())
                yield {
                    "crew_member_id": self.members[employee], "month": month, "work_days": duties,
                    "line_type": "RESERVE" if employee in plan["reserve"] else "LINE",
                }  # fmt: skip

    def faa_rules(self) -> Iterator[Row]:
        for rule in yaml.safe_load(_sample("avelo_rules.yaml"))["faa_rules"]:
            yield {
                "id": stable_id("faa_rule", rule["code"]), "rule_code": rule["code"], "rule_category": rule["category"],
                "rule_title": rule["title"], "rule_text": rule["text"], "effective_date": rule["effective"],
                "applies_to": rule["applies_to"],
            }  # fmt: skip

    def interpretations(self) -> Iterator[Row]:
        for given in yaml.safe_load(_sample("avelo_rules.yaml"))["interpretations"]:
            yield {**given, "id": self.key("interpretation", given["name"])}


def _at(day: date, hour: int, minute: int = 0) -> datetime:
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=UTC)


class _Load:
    """One load, inside one transaction."""

    def __init__(self, conn: Connection, enterprise: UUID, rows: _Rows) -> None:
        self.conn, self.enterprise, self.rows = conn, enterprise, rows
        self.added = self.runs = 0

    def one(self, name: str, **values: Any) -> Any:
        with self.conn.cursor(row_factory=psycopg.rows.tuple_row) as cursor:
            row = cursor.execute(query("avelo", name), {"enterprise": self.enterprise, **values}).fetchone()
        return row[0] if row else None

    def all(self, name: str, **values: Any) -> list[tuple[Any, ...]]:
        with self.conn.cursor(row_factory=psycopg.rows.tuple_row) as cursor:
            return cursor.execute(query("avelo", name), {"enterprise": self.enterprise, **values}).fetchall()

    def put(self, name: str, rows: Iterator[Row] | list[Row]) -> int:
        """Adds the rows that are missing; how many."""
        plain = [{k: _json(v) for k, v in row.items()} for row in rows]
        done = self.conn.execute(
            query("avelo", name),
            {"enterprise": self.enterprise, "rows": Jsonb(plain), "by": login_name(SLUG, "admin")},
        )
        self.added += done.rowcount
        return done.rowcount

    def pay(self, changed: bool) -> None:
        """Runs what is due as the payroll clerk; what is over the administrator approves and the clerk closes."""
        due = self.all("to_run", changed=changed)
        if due:
            with act_as(self.conn, SLUG, "payroll"):
                for (period,) in due:
                    self.one("run", period=period)
        self.runs = len(due)
        over = self.all("to_close", today=self.rows.today)
        if over:
            with act_as(self.conn, SLUG, "admin"):
                for _, run in over:
                    self.one("approve_run", run=run)
            with act_as(self.conn, SLUG, "payroll"):
                for period, _ in over:
                    self.one("close_period", period=period)
        paid = self.all("to_pay", today=self.rows.today)
        if paid:
            with act_as(self.conn, SLUG, "payroll"):
                for (period,) in paid:
                    self.one("mark_paid", period=period)

    def amount(self, employee: str, first: date, component: str, flight: UUID | None = None) -> Decimal:
        """What the computed lines of a crew member say about a component of the period that begins on `first`."""
        found: Decimal = self.one(
            "component_amount", member=self.rows.members[employee], period=self.rows.period(first),
            component=component, flight=flight,
        )  # fmt: skip
        return found

    def reviews(self) -> None:
        """What payroll paid, with four mistakes in the first load; what was found and claimed about them."""
        rows, this = self.rows, self.rows.today.replace(day=1)
        before, older = month_before(this), month_before(month_before(this))
        older_late, red_eye = older.replace(day=16), rows.flight_of("BUR-R", before.replace(day=12), "XP301")
        late = rows.flight_of("BUR-A", older.replace(day=9), "XP104")
        weather = rows.flight_of("HVN-A", before.replace(day=6), "XP202")
        if self.one("has_reviews"):
            self._pay_out([])
            return

        delay = self.amount("XP101", older, "delay_pay", late)
        guarantee = self.amount("XP203", older_late, "guarantee")
        premium = self.amount("XP001", before, "premium", red_eye)
        per_diem = self.amount("XP103", older, "per_diem")
        short = (per_diem / 10).quantize(Decimal("0.01"))  # paid at $2.25 instead of $2.50
        mistakes = [
            ("XP101", older, "delay_pay", delay), ("XP203", older_late, "guarantee", guarantee),
            ("XP001", before, "premium", premium), ("XP103", older, "per_diem", short),
        ]  # fmt: skip
        self._pay_out(
            [
                {"crew_member_id": str(rows.members[who]), "pay_period_id": str(rows.period(period)),
                 "component": component, "difference": str(difference)}
                for who, period, component, difference in mistakes
            ]
        )  # fmt: skip

        def found(
            name: str,
            who: str,
            period: date,
            component: str,
            kind: str,
            reason: str,
            severity: str,
            expected: Decimal,
            actual: Decimal,
            **more: Any,
        ) -> Row:
            return {
                "id": rows.key("discrepancy", name), "crew_member_id": rows.members[who],
                "pay_period_id": rows.period(period), "flight_id": None, "discrepancy_type": kind, "severity": severity,
                "component": component, "reason": reason,
                "expected_amount": expected, "actual_amount": actual, "detected_by": "SYSTEM_CHECK",
                "resolution_status": "OPEN", **more,
            }  # fmt: skip

        last_of_older, last_of_before = before - timedelta(days=1), this - timedelta(days=1)
        zero = Decimal(0)
        self.put("discrepancies", [
            found("guarantee", "XP203", older_late, "guarantee", "GUARANTEE_SHORTFALL", "GUARANTEE_NOT_PAID", "CRITICAL", guarantee, zero,
                  detected_at=_at(before.replace(day=20), 6)),
            found("premium", "XP001", before, "premium", "MISSING_PREMIUM", "PREMIUM_NOT_PAID", "HIGH", premium, zero, flight_id=red_eye,
                  detected_at=_at(last_of_before, 22)),
            found("per diem", "XP103", older, "per_diem", "PER_DIEM_ERROR", "PER_DIEM", "MEDIUM", per_diem, per_diem - short,
                  detected_by="PROACTIVE_AGENT", resolution_status="INVESTIGATING", detected_at=_at(last_of_older, 22)),
            found("delay pay", "XP101", older, "delay_pay", "UNDERPAYMENT", "PREMIUM_NOT_PAID", "LOW", delay, zero, flight_id=late,
                  detected_by="CREW_CLAIM", resolution_status="RESOLVED", detected_at=_at(before.replace(day=4), 15),
                  resolution_date=_at(before.replace(day=15), 17), resolved_by=login_name(SLUG, "payroll"),
                  resolution_notes="Delay pay under ALPA_Section_13.B paid with the claim."),
        ])  # fmt: skip

        year = before.year
        rate = Decimal(next(m["base_hourly_rate"] for m in crew() if m["employee_id"] == "XP102"))
        weather_pay = (Decimal(48) / 2 / 60 * rate).quantize(Decimal("0.01"))
        approved, denied = rows.key("claim", 1), rows.key("claim", 2)
        self.put("claims", [
            {
                "id": approved, "claim_number": f"CLM-{year}-0001", "crew_member_id": rows.members["XP101"],
                "pay_period_id": rows.period(older), "flight_ids": [str(late)], "claim_type": "DELAY_PAY",
                "description": f"XP104 on {older.replace(day=9)} left 55 minutes late for maintenance; "
                               "no delay pay on my statement.",
                "claimed_amount": delay, "submitted_at": _at(before.replace(day=2), 16, 20), "submitted_by": "XP101",
                "status": "APPROVED", "reviewed_at": _at(before.replace(day=4), 15),
                "reviewed_by": login_name(SLUG, "agent"), "decision": "APPROVE", "approved_amount": delay,
                "decision_rationale": "ALPA_Section_13.B: 55 minutes is more than 30 and code MX is within the company's "
                                      f"control; 55 min x 0.5 at $98.50 an hour is ${delay}. None was paid.",
                "payment_date": before.replace(day=15), "payment_status": "PAID",
            },
            {
                "id": denied, "claim_number": f"CLM-{year}-0002", "crew_member_id": rows.members["XP102"],
                "pay_period_id": rows.period(before), "flight_ids": [str(weather)], "claim_type": "DELAY_PAY",
                "description": f"XP202 on {before.replace(day=6)} was 48 minutes late; I claim delay pay.",
                "claimed_amount": weather_pay, "submitted_at": _at(before.replace(day=8), 1, 5),
                "submitted_by": "XP102", "status": "DENIED", "reviewed_at": _at(before.replace(day=10), 14, 30),
                "reviewed_by": login_name(SLUG, "payroll"), "decision": "DENY",
                "decision_rationale": "ALPA_Section_13.B pays for the codes MX, OPS and CREW. The delay of XP202 is "
                                      "coded WX: weather is outside the company's control.",
            },
        ])  # fmt: skip
        self.conn.execute(
            query("avelo", "claim_payment"),
            {"enterprise": self.enterprise, "member": rows.members["XP101"], "period": rows.period(older),
             "component": "delay_pay", "flight": late, "amount": delay, "paid_on": before.replace(day=15),
             "reference": f"CLM-{year}-0001"},
        )  # fmt: skip

        def told(
            name: str, who: str, kind: str, title: str, message: str, about: tuple[str, UUID], **more: Any
        ) -> Row:
            return {
                "id": rows.key("notification", name), "crew_member_id": rows.members[who], "notification_type": kind,
                "title": title, "message": message, "related_entity_type": about[0], "related_entity_id": about[1],
                "read_at": None, **more,
            }  # fmt: skip

        self.put("notifications", [
            told("approved", "XP101", "CLAIM_STATUS", f"Claim CLM-{year}-0001 approved",
                 f"${delay} of delay pay for XP104 will be paid on {before.replace(day=15)}.", ("claim", approved),
                 sent_at=_at(before.replace(day=4), 15, 5), read_at=_at(before.replace(day=4), 19, 40),
                 delivery_method="EMAIL"),
            told("denied", "XP102", "CLAIM_STATUS", f"Claim CLM-{year}-0002 denied",
                 "The delay of XP202 was due to weather, which ALPA_Section_13.B does not pay.", ("claim", denied),
                 sent_at=_at(before.replace(day=10), 14, 35), delivery_method="APP_PUSH"),
            told("guarantee", "XP203", "DISCREPANCY", "Your guarantee was not paid",
                 f"${guarantee} under AFA_Section_7.B for {older:%B %Y} is missing; payroll is looking into it.",
                 ("discrepancy", rows.key("discrepancy", "guarantee")),
                 sent_at=_at(before.replace(day=20), 6, 10), delivery_method="IN_APP"),
        ])  # fmt: skip

    def _pay_out(self, wrong: list[Row]) -> None:
        done = self.conn.execute(
            query("avelo", "payments"), {"enterprise": self.enterprise, "wrong": Jsonb(wrong)}
        )
        self.added += done.rowcount


def _json(value: Any) -> Any:
    """A value as the JSON rows carry it."""
    if isinstance(value, date):  # datetimes too
        return value.isoformat()
    return str(value) if isinstance(value, UUID | Decimal) else value


def load_avelo(conn: Connection, *, today: date | None = None, step: Step = lambda _: None) -> Summary:
    """Loads the sample as of a day (the server's) in one transaction. Needs an operator's connection.

    It makes logins and writes as owner. A repeat on the same day changes nothing; on a later day it adds what has been
    flown and paid since.
    """
    started = time.monotonic()
    summary = Summary()
    with conn.transaction(), conn.cursor(row_factory=psycopg.rows.dict_row) as cursor:
        if today is None:
            row = cursor.execute("select current_date as today").fetchone()
            today = row["today"] if row else date.today()
        step("airports")
        load_airports(conn)
        tenant = ensure_enterprise(conn, SLUG, NAME)
        earlier = cursor.execute(query("avelo", "first_month"), {"enterprise": tenant}).fetchone()
        this = today.replace(day=1)
        first = min(filter(None, [earlier and earlier["min"], month_before(month_before(this))]))
        rows = _Rows(tenant, list(months_of(first, today)), today)
        load = _Load(conn, tenant, rows)
        step("crew")
        load.put("crew", rows.crew())
        summary.logins = ensure_standard_logins(conn, tenant, SLUG)
        for employee in CREW_LOGINS:
            summary.logins.append(
                ensure_login(
                    conn, login_name(SLUG, employee), tenant, "crew", crew_member=rows.members[employee]
                )
            )
        step("contract")
        load_contract(conn, SLUG, _contract())
        load.put("faa_rules", rows.faa_rules())
        load.put("interpretations", rows.interpretations())
        step("flights")
        load.put("months", rows.crew_months())
        load.put("periods", rows.periods())
        load.put("flights", rows.flights())
        load.put("trips", rows.trips())
        changed = load.put("legs", rows.legs()) > 0
        step("pay")
        load.pay(changed)
        step("reviews")
        load.reviews()
        step("analyze")
        if load.added:
            conn.execute(query("avelo", "analyze"))
        for name, value in (
            cursor.execute(query("avelo", "counts"), {"enterprise": tenant}).fetchone() or {}
        ).items():
            setattr(summary, name, value)
    summary.added, summary.runs = load.added, load.runs
    summary.seconds = round(time.monotonic() - started, 2)
    return summary


def _contract() -> Any:
    return resources.files("crewpay_sync").joinpath("samples", "avelo_contract.yaml")
