"""An airline for one case: rows built from a readable description, its contract loaded by its administrator, its pay run by payroll.

A case is a mapping (see cases/README.md). Clock times are of the base clock; a trailing Z says UTC.
"""

from __future__ import annotations

import datetime
import os
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from decimal import Decimal
from itertools import count
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import psycopg
import pytest
from psycopg import sql
from psycopg.rows import dict_row, tuple_row
from psycopg.types.json import Jsonb

from crewpay_sync.database import Target
from crewpay_sync.importers.contract import read_contract, sample_contract
from crewpay_sync.tenants import ensure_enterprise, ensure_login, stable_id

UTC = datetime.UTC
# IATA: ICAO, zone, country.
AIRPORTS = {
    "JFK": ("KJFK", "America/New_York", "US"),
    "BOS": ("KBOS", "America/New_York", "US"),
    "MIA": ("KMIA", "America/New_York", "US"),
    "ORD": ("KORD", "America/Chicago", "US"),
    "DEN": ("KDEN", "America/Denver", "US"),
    "PHX": ("KPHX", "America/Phoenix", "US"),
    "LAX": ("KLAX", "America/Los_Angeles", "US"),
    "SEA": ("KSEA", "America/Los_Angeles", "US"),
    "ANC": ("PANC", "America/Anchorage", "US"),
    "LHR": ("EGLL", "Europe/London", "GB"),
    "CUN": ("MMUN", "America/Cancun", "MX"),
}
_numbers = count(1)


def minutes(value: Any) -> Decimal:
    """A quantity as written in a case: "1:25" is 85 minutes, a number is itself."""
    if isinstance(value, str) and ":" in value:
        hours, rest = value.split(":")
        return Decimal(hours) * 60 + Decimal(rest)
    return Decimal(str(value))


def plain(value: Any) -> Any:
    """YAML dates as JSON has them."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value.isoformat() if isinstance(value, datetime.date) else value


class Airline:
    """One enterprise of a test, with an administrator and a payroll clerk."""

    def __init__(self, conn: psycopg.Connection[Any], logins: dict[str, str]) -> None:
        self.conn = conn
        self.logins = logins
        self.slug = f"golden-{next(_numbers)}"
        self.id: UUID = ensure_enterprise(conn, self.slug, self.slug)
        for role in ("admin", "payroll"):
            ensure_login(conn, logins[role], self.id, role)  # type: ignore[arg-type]
        self.crew: dict[str, UUID] = {}
        self.zones: dict[str, ZoneInfo] = {}
        self.periods: list[UUID] = []
        self.legs: dict[str, UUID] = {}
        self._flights = count(1)

    @contextmanager
    def acting(
        self, role: str, conn: psycopg.Connection[Any] | None = None
    ) -> Iterator[psycopg.Connection[Any]]:
        """The session is the airline's principal of that role; given back afterwards unless the transaction failed."""
        conn = conn or self.conn
        conn.execute(sql.SQL("set session authorization {}").format(sql.Identifier(self.logins[role])))
        conn.execute("select set_config('app.current_enterprise_id', %s, false)", (str(self.id),))
        try:
            yield conn
        except psycopg.Error:
            conn.rollback()
            raise
        finally:
            conn.execute("reset session authorization")
            conn.execute("reset app.current_enterprise_id")

    def _time(self, text: Any, zone: ZoneInfo, after: datetime.datetime | None = None) -> datetime.datetime:
        """A time of the base clock: with its date, or the first HH:MM at or after `after`; with Z: UTC."""
        text = str(text)
        if text.endswith("Z"):
            return datetime.datetime.fromisoformat(text[:-1]).replace(tzinfo=UTC)
        if len(text) > 5:
            return datetime.datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(UTC)
        assert after is not None, f"{text} needs a date"
        day = after.astimezone(zone).date()
        clock = datetime.time.fromisoformat(text.zfill(5))
        found = datetime.datetime.combine(day, clock, zone).astimezone(UTC)
        if found < after:
            found = datetime.datetime.combine(day + datetime.timedelta(1), clock, zone).astimezone(UTC)
        return found

    def _span(
        self, text: Any, zone: ZoneInfo, after: datetime.datetime | None
    ) -> tuple[datetime.datetime, datetime.datetime | None]:
        """ "09:00-10:15", or "09:00-" where the end is not known."""
        separator = " to " if " to " in text else "-"
        first, last = (part.strip() for part in text.split(separator))
        start = self._time(first, zone, after)
        return start, self._time(last, zone, start) if last else None

    def add_crew(self, name: str, given: dict[str, Any]) -> None:
        base = given.get("base", "JFK")
        self.zones[name] = ZoneInfo(AIRPORTS[base][1])
        self.crew[name] = stable_id(self.slug, "crew", name)
        self.conn.execute(
            """insert into crew.crew_members (enterprise_id, id, employee_id, first_name, last_name, position, base_location,
                 hire_date, termination_date, seniority_number, base_hourly_rate, attributes)
               values (%s, %s, %s, %s, 'Golden', %s, %s, %s, %s, %s, %s, %s)""",
            (
                self.id, self.crew[name], name, name, given.get("position", "FIRST_OFFICER"), base,
                given.get("hired", "2005-03-01"), given.get("left"), len(self.crew), given.get("rate"),
                Jsonb(given.get("attributes", {})),
            ),
        )  # fmt: skip
        for month, held in given.get("months", {}).items():
            self.conn.execute(
                """insert into crew.crew_months (enterprise_id, crew_member_id, month, line_type, award_credit_minutes, work_days, unpaid_days, days_off)
                   values (%s, %s, %s, %s, %s, %s, %s, %s::date[])""",
                (
                    self.id, self.crew[name], f"{month}-01" if len(str(month)) == 7 else month, held.get("line", "LINE"), held.get("award"),
                    held.get("work_days"), held.get("unpaid_days", 0), held.get("days_off", []),
                ),
            )  # fmt: skip

    def add_duty(self, crew: str, given: dict[str, Any], trip: UUID | None = None) -> None:
        for leg in self.duty_rows(crew, given):
            self.add_leg(crew, leg, trip)

    def duty_rows(self, crew: str, given: dict[str, Any]) -> list[dict[str, Any]]:
        """The legs of a duty with their times resolved."""
        zone = self.zones[crew]
        report = self._time(given["report"], zone)
        release = self._time(given["release"], zone, report) if "release" in given else None
        rows = []
        if "activity" in given:
            rows.append({"activity": given["activity"], "position": given.get("as", "OPERATING"), "report": report, "release": release,
                         "published": given.get("published")})  # fmt: skip
        for leg in given.get("legs", []):
            origin, destination = leg["leg"].split("-")
            scheduled = self._span(leg["scheduled"], zone, report)
            actual: tuple[Any, Any] = scheduled
            if leg.get("actual") == "none":
                actual = (None, None)
            elif "actual" in leg:
                actual = self._span(leg["actual"], zone, report)
            rows.append({
                "activity": "FLIGHT", "position": leg.get("as", "OPERATING"), "report": report, "release": release,
                "origin": origin, "destination": destination, "scheduled": scheduled, "actual": actual,
                "status": leg.get("status", "ARRIVED"), "delay": leg.get("delay", 0), "code": leg.get("code"),
                "published": leg.get("published"), "number": leg.get("number"), "aircraft": leg.get("aircraft"),
                "flown": leg.get("flown"), "attributes": leg.get("attributes", {}), "flight": leg.get("flight", {}),
            })  # fmt: skip
        return rows

    def add_leg(self, crew: str, row: dict[str, Any], trip: UUID | None) -> None:
        flight = None
        if row["activity"] == "FLIGHT":
            number = row["number"] or f"GL{next(self._flights)}"
            flight = stable_id(self.slug, "flight", number, row["scheduled"][0])
            self.conn.execute(
                """insert into crew.flights (enterprise_id, id, flight_number, origin_airport, destination_airport, scheduled_departure,
                     scheduled_arrival, actual_departure, actual_arrival, status, delay_minutes, delay_code, aircraft_type, attributes)
                   values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
                   on conflict do nothing""",
                (
                    self.id, flight, number, row["origin"], row["destination"], *row["scheduled"], *row["actual"],
                    row["status"], row["delay"], row["code"], row["aircraft"],
                    Jsonb(row.get("flight", {})),
                ),
            )  # fmt: skip
        published = None if row["published"] is None else minutes(row["published"])
        self.conn.execute(
            """insert into crew.crew_assignments (enterprise_id, crew_member_id, flight_id, trip_id, position, activity,
                 duty_start_time, duty_end_time, published_credit_minutes, position_flown, attributes)
               values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)""",
            (
                self.id, self.crew[crew], flight, trip, row["position"], row["activity"], row["report"], row["release"], published,
                row.get("flown"), Jsonb(row.get("attributes", {})),
            ),
        )  # fmt: skip

    def depart(self, crew: str, leg: int, actual: str) -> None:
        """The actual times of the n-th leg of a crew member become known."""
        out, into = self._span(actual, self.zones[crew], None)
        self.conn.execute(
            """update crew.flights as f set actual_departure = %s, actual_arrival = %s, status = 'ARRIVED'
               from (select a.flight_id from crew.crew_assignments a where a.enterprise_id = %s and a.crew_member_id = %s
                     order by a.duty_start_time, a.leg_no offset %s limit 1) as flown
               where f.enterprise_id = %s and f.id = flown.flight_id""",
            (out, into, self.id, self.crew[crew], leg - 1, self.id),
        )

    def add_trip(self, given: dict[str, Any]) -> UUID:
        crew = given["crew"]
        zone = self.zones[crew]
        first, last = given["duties"][0], given["duties"][-1]
        start = self._time(given.get("start", first["report"]), zone)
        end = self._time(
            given["end"] if "end" in given else last["release"], zone, self._time(last["report"], zone)
        )
        scheduled_start = self._time(given["scheduled_start"], zone) if "scheduled_start" in given else start
        scheduled_end = (
            self._time(given["scheduled_end"], zone, scheduled_start) if "scheduled_end" in given else end
        )
        trip = stable_id(self.slug, "trip", crew, given["trip"])
        self.conn.execute(
            """insert into crew.trips (enterprise_id, id, crew_member_id, trip_number, base_location, start_at, end_at, scheduled_start_at,
                 scheduled_end_at, pickup, awarded_credit_minutes, from_reserve, attributes)
               select %s, %s, %s, %s, c.base_location, %s, %s, %s, %s, %s, %s, %s, %s
               from crew.crew_members as c where c.enterprise_id = %s and c.id = %s""",
            (
                self.id, trip, self.crew[crew], given["trip"], start, end, scheduled_start, scheduled_end,
                given.get("pickup", "AWARDED"), minutes(given["awarded"]) if "awarded" in given else None,
                given.get("from_reserve", False), Jsonb(given.get("attributes", {})), self.id, self.crew[crew],
            ),
        )  # fmt: skip
        for duty in given["duties"]:
            self.add_duty(crew, duty, trip)
        return trip

    def add_months(self, given: list[Any]) -> None:
        """Contract months that aren't calendar months: first and last day, and the first day of quarter and year where given."""
        for month in given:
            first, last, quarter, year = (*map(str, month), None, None)[:4]
            self.conn.execute(
                "insert into crew.contract_months (enterprise_id, month, last_day, quarter, year) values (%s, %s, %s, %s, %s)",
                (self.id, first, last, quarter, year),
            )

    def add_periods(self, given: list[Any]) -> None:
        for period in given:
            if isinstance(period, str):
                first = datetime.date.fromisoformat(f"{period}-01")
                last = (first + datetime.timedelta(31)).replace(day=1) - datetime.timedelta(1)
            else:
                first, last = (datetime.date.fromisoformat(str(p)) for p in period)
            period_id = stable_id(self.slug, "period", first)
            self.conn.execute(
                """insert into pay.pay_periods (enterprise_id, id, start_date, end_date, pay_date)
                   values (%s, %s, %s, %s, %s)""",
                (self.id, period_id, first, last, last + datetime.timedelta(10)),
            )
            self.periods.append(period_id)

    def build(self, case: dict[str, Any]) -> None:
        """The rows of a case, its contract excepted."""
        self.add_months(case.get("contract_months", []))
        for name, given in case["crew"].items():
            self.add_crew(str(name), given or {})
        for trip in case.get("trips", []):
            self.add_trip(trip)
        for duty in case.get("duties", []):
            self.add_duty(duty["crew"], duty)
        self.add_periods(case.get("periods", ["2013-01"]))
        with self.acting("admin") as conn:
            for fact in case.get("facts", []):
                conn.execute("select rules.declare_fact(%s)", (Jsonb(fact),))

    @staticmethod
    def contract(case: dict[str, Any]) -> dict[str, Any]:
        """The contract document of a case: `terms` is code → formula, or a list where a code has several versions."""
        terms = []
        listed = (
            case["terms"].items()
            if isinstance(case["terms"], dict)
            else ((t["code"], t) for t in case["terms"])
        )
        for code, given in listed:
            given = dict(given)
            given.pop("code", None)
            head = {k: given.pop(k) for k in ("effective", "expires", "priority", "applies_to") if k in given}
            terms.append({
                "code": code, "category": "CREDIT", "title": code, "text": f"Clause {code}.",
                "applies_to": ["CAPTAIN", "FIRST_OFFICER", "FLIGHT_ATTENDANT", "CHECK_AIRMAN", "LINE_CHECK_AIRMAN"],
                "effective": "2012-01-01", **head, "formula": given.pop("formula", given),
            })  # fmt: skip
        known = {s["id"]: s for s in read_contract(sample_contract())["scenarios"]}
        scenarios = [known[s] if isinstance(s, str) else s for s in case.get("scenarios", [])]
        contract: dict[str, Any] = plain({
            "terms": terms, "scenarios": scenarios, "components": case.get("components", []), "edges": case.get("edges", []),
        })  # fmt: skip
        return contract

    def load(self, contract: dict[str, Any]) -> dict[str, Any]:
        with self.acting("admin") as conn, conn.cursor(row_factory=tuple_row) as cursor:
            row = cursor.execute("select rules.load_contract(%s)", (Jsonb(contract),)).fetchone()
        assert row is not None
        loaded: dict[str, Any] = row[0]
        return loaded

    def run(self, period: int = 1, crew: list[str] | None = None) -> dict[str, Any]:
        """Runs the n-th period as payroll; the run's row."""
        members = None if crew is None else [self.crew[c] for c in crew]
        with self.acting("payroll") as conn, conn.cursor(row_factory=dict_row) as cursor:
            row = cursor.execute(
                "select * from pay.run(%s, %s, %s::uuid[])", (self.id, self.periods[period - 1], members)
            ).fetchone()
        assert row is not None
        return row

    def lines(self, crew: str, period: int = 1) -> list[tuple[str, str, str, Decimal, Decimal]]:
        """Level, term code, label, quantity and amount of each line, sorted."""
        with self.conn.cursor(row_factory=tuple_row) as cursor:
            rows = cursor.execute(
                """select level, term_code, label, quantity, amount from pay.pay_lines
                   where enterprise_id = %s and crew_member_id = %s and pay_period_id = %s""",
                (self.id, self.crew[crew], self.periods[period - 1]),
            ).fetchall()
        return sorted(
            (level, code, label, quantity.normalize(), amount)
            for level, code, label, quantity, amount in rows
        )

    def totals(self, crew: str, period: int = 1) -> dict[str, Any]:
        with self.conn.cursor(row_factory=dict_row) as cursor:
            row = cursor.execute(
                """select flight_pay_hours, flight_pay_amount as flight_pay, overtime_hours, overtime_amount as overtime,
                     delay_pay_amount as delay_pay, per_diem_amount as per_diem, premium_pay_amount as premium, guarantee_hours,
                     guarantee_amount as guarantee, total_gross_pay as total
                   from pay.pay_calculations where enterprise_id = %s and crew_member_id = %s and pay_period_id = %s""",
                (self.id, self.crew[crew], self.periods[period - 1]),
            ).fetchone()
        assert row is not None, f"no result for {crew}"
        return row

    def findings(self, run: UUID) -> list[tuple[str, str, str, str]]:
        """Code, crew member, level and term code of each finding of a run."""
        with self.conn.cursor(row_factory=tuple_row) as cursor:
            return cursor.execute(
                """select f.code, c.employee_id, f.level, t.term_code from pay.run_findings as f
                   join crew.crew_members as c on c.enterprise_id = f.enterprise_id and c.id = f.crew_member_id
                   join rules.union_contract_terms as t on t.enterprise_id = f.enterprise_id and t.id = f.term_id
                   where f.enterprise_id = %s and f.run_id = %s order by 2, 4, 3""",
                (self.id, run),
            ).fetchall()


def golden_logins(conn: psycopg.Connection[Any]) -> dict[str, str]:
    return {role: f"golden_{os.getpid()}_{role}" for role in ("admin", "payroll", "crew")}


@pytest.fixture(scope="module")
def airlines(database: Target) -> Iterator[Callable[[], Airline]]:
    """Makes airlines in the module's database, on one connection that commits each statement."""
    with closing(database.connect()) as conn:
        conn.autocommit = True
        for iata, (icao, zone, country) in AIRPORTS.items():
            conn.execute(
                "insert into crew.airports (iata, icao, name, time_zone, country) values (%s, %s, %s, %s, %s) on conflict do nothing",
                (iata, icao, iata, zone, country),
            )
        logins = golden_logins(conn)
        yield lambda: Airline(conn, logins)
        for login in logins.values():
            conn.execute(sql.SQL("drop role if exists {}").format(sql.Identifier(login)))


@pytest.fixture
def airline(airlines: Callable[[], Airline]) -> Airline:
    return airlines()
