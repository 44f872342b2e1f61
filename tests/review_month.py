"""A small month of an airline, paid and looked at: what the tests of detection and claims share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import dict_row, tuple_row

from crewpay_sync.database import Target
from crewpay_sync.tenants import STANDARD_LOGINS, login_name
from tests.golden.conftest import AIRPORTS
from tests.integration.test_closing import Tenant

D = Decimal
PILOTS = ["CAPTAIN", "FIRST_OFFICER"]
CASE: dict[str, Any] = {
    "crew": {
        "cap": {"position": "CAPTAIN", "months": {"2013-01": {}}},
        "fo": {"position": "FIRST_OFFICER", "hired": "2013-01-17", "months": {"2013-01": {}}},
        "fa": {"position": "FLIGHT_ATTENDANT", "rate": 30, "months": {"2013-01": {}}},
    },
    "periods": ["2013-01", "2013-02"],
    "terms": [
        {"code": "RATES", "formula": {"type": "hourly_rate", "steps": [
            {"position": "CAPTAIN", "year": 1, "rate": 90}, {"position": "CAPTAIN", "year": 5, "rate": 120},
            {"position": "FIRST_OFFICER", "year": 1, "rate": 60}]}, "applies_to": PILOTS},
        {"code": "BLOCK", "formula": {"type": "leg_credit", "basis": "greater", "compare_at": "leg"}},
        {"code": "RIG", "formula": {"type": "duty_rig", "ratio": 2}},
        {"code": "NIGHT", "formula": {"type": "premium", "level": "leg", "basis": "block", "multiplier": 1.5,
                                      "window": {"from": "22:00", "to": "06:00", "clock": "departure"}}},
        {"code": "DELAY", "formula": {"type": "delay_pay", "over_minutes": 30, "factor": 0.5, "codes": ["MX"]}},
        {"code": "PER_DIEM", "formula": {"type": "per_diem", "rate": 2.50, "per": "hour"}},
        {"code": "GUARANTEE", "formula": {"type": "monthly_guarantee", "hours": 30, "proration": "calendar_days"}},
    ],
    "trips": [
        # 12:00 of duty, legs 1:15 (scheduled) and 1:40 (flown): the rig adds 3:05.
        {"trip": "T1", "crew": "cap", "duties": [{"report": "2013-01-10 08:00", "release": "20:00", "legs": [
            {"leg": "JFK-BOS", "number": "XP1", "scheduled": "09:00-10:15", "actual": "09:00-10:05"},
            {"leg": "BOS-JFK", "number": "XP2", "scheduled": "18:00-19:20", "actual": "18:00-19:40"}]}]},
        # Two duties of 8:00 with one leg each way of 1:00: the rig adds 2:00 to each.
        *({"trip": f"T{day}", "crew": "cap", "duties": [{"report": f"2013-01-{day} 08:00", "release": "16:00", "legs": [
            {"leg": "JFK-BOS", "number": f"XP{day}1", "scheduled": "09:00-10:00"},
            {"leg": "BOS-JFK", "number": f"XP{day}2", "scheduled": "14:00-15:00"}]}]} for day in (15, 17)),
        # A night: 1:30 before midnight and the way back, late for maintenance.
        {"trip": "T20", "crew": "cap", "duties": [{"report": "2013-01-20 21:00", "release": "04:00", "legs": [
            {"leg": "JFK-BOS", "number": "XP5", "scheduled": "22:00-23:30"},
            {"leg": "BOS-JFK", "number": "XP6", "scheduled": "01:00-03:10", "delay": 40, "code": "MX"}]}]},
        # Over the month's end.
        {"trip": "T31", "crew": "cap", "duties": [
            {"report": "2013-01-31 12:00", "release": "16:00", "legs": [{"leg": "JFK-ORD", "number": "XP7", "scheduled": "13:00-15:30"}]},
            {"report": "2013-02-01 12:00", "release": "16:00", "legs": [{"leg": "ORD-JFK", "number": "XP8", "scheduled": "13:00-15:20"}]}]},
        {"trip": "F18", "crew": "fo", "duties": [{"report": "2013-01-18 08:00", "release": "12:00", "legs": [
            {"leg": "JFK-BOS", "number": "XP11", "scheduled": "09:00-11:05"}]}]},
        {"trip": "A9", "crew": "fa", "duties": [{"report": "2013-01-09 08:00", "release": "12:00", "legs": [
            {"leg": "JFK-BOS", "number": "XP12", "scheduled": "09:00-11:05"}]}]},
    ],
}  # fmt: skip


@dataclass
class Month:
    """The small month: an airline, its operator's connection, and what its people do."""

    airline: Tenant
    conn: psycopg.Connection[Any]

    def rows(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        with self.conn.cursor(row_factory=tuple_row) as cursor:
            return cursor.execute(statement, values).fetchall()  # type: ignore[arg-type]

    @property
    def period(self) -> Any:
        return self.airline.periods[0]

    def call(self, role: str, statement: str, *values: Any) -> dict[str, Any]:
        """One row, as one of the airline's people; an error undoes this call only."""
        with self.conn.transaction(), self.conn.cursor(row_factory=dict_row) as cursor:
            cursor.execute(
                sql.SQL("set local session authorization {}").format(sql.Identifier(self.login(role)))
            )
            row = cursor.execute(statement, values).fetchone()  # type: ignore[arg-type]
            cursor.execute("set local session authorization default")
        assert row is not None
        return row

    def login(self, role: str) -> str:
        return login_name(self.airline.slug, role)

    def run(self, period: int = 1) -> None:
        self.call("payroll", "select (pay.run(%s, %s)).id", self.airline.id, self.airline.periods[period - 1])

    def pay(self, by_leg: bool = True) -> None:
        """Payroll pays what is recorded: legs with their flight, everything else in one sum a component."""
        self.conn.execute(
            """
            insert into pay.payroll_payments (enterprise_id, crew_member_id, pay_period_id, component, flight_id, quantity, amount, paid_on, reference)
            select l.enterprise_id, l.crew_member_id, l.pay_period_id, l.component, x.flight_id,
              case when l.component = 'flight_pay' then round(sum(l.quantity) / 60, 2) end, sum(l.amount), '2013-02-10',
              concat_ws('-', m.employee_id, l.component, x.flight_id)
            from pay.pay_lines l
            join crew.crew_members m on m.enterprise_id = l.enterprise_id and m.id = l.crew_member_id
            left join crew.crew_assignments a on %(by_leg)s and l.level = 'leg' and a.enterprise_id = l.enterprise_id and a.leg_no = l.node
            cross join lateral (select a.flight_id) x
            where l.enterprise_id = %(enterprise)s and l.pay_period_id = %(period)s
            group by l.enterprise_id, l.crew_member_id, l.pay_period_id, l.component, x.flight_id, m.employee_id
            """,
            {"enterprise": self.airline.id, "period": self.period, "by_leg": by_leg},
        )

    def payment(
        self, crew: str, component: str, flight: str | None = None, *, delta: Any = None, amount: Any = None
    ) -> None:
        """Changes what was paid: by an amount, or to one; to nothing at all with amount=0."""
        done = self.conn.execute(
            """update pay.payroll_payments p set amount = coalesce(%(amount)s, p.amount + %(delta)s)
               where p.enterprise_id = %(enterprise)s and p.crew_member_id = %(crew)s and p.component = %(component)s::pay.component
                 and p.flight_id is not distinct from (select f.id from crew.flights f where f.enterprise_id = p.enterprise_id and f.flight_number = %(flight)s)""",
            {
                "enterprise": self.airline.id, "crew": self.airline.crew[crew], "component": component, "flight": flight,
                "amount": amount, "delta": delta,
            },
        )  # fmt: skip
        assert done.rowcount == 1
        if amount == 0:
            self.conn.execute(
                "delete from pay.payroll_payments where enterprise_id = %s and amount = 0", (self.airline.id,)
            )

    def add_payment(
        self, crew: str, component: str, amount: Any, flight: str | None = None, quantity: Any = None
    ) -> None:
        self.conn.execute(
            """insert into pay.payroll_payments (enterprise_id, crew_member_id, pay_period_id, component, flight_id, quantity, amount, reference)
               select %s, %s, %s, %s, (select f.id from crew.flights f where f.enterprise_id = %s and f.flight_number = %s), %s, %s, gen_random_uuid()::text""",
            (self.airline.id, self.airline.crew[crew], self.period, component, self.airline.id, flight, quantity, amount),
        )  # fmt: skip

    def paid(self, crew: str, component: str, flight: str | None = None) -> Decimal:
        ((amount,),) = self.rows(
            """select p.amount from pay.payroll_payments p
               where p.enterprise_id = %s and p.crew_member_id = %s and p.component = %s::pay.component
                 and p.flight_id is not distinct from (select f.id from crew.flights f where f.enterprise_id = p.enterprise_id and f.flight_number = %s)""",
            self.airline.id, self.airline.crew[crew], component, flight,
        )  # fmt: skip
        return D(amount)

    def detect(
        self,
        *,
        crew: list[str] | None = None,
        recompute: bool = True,
        role: str = "payroll",
        period: int = 1,
    ) -> dict[str, Any]:
        members = None if crew is None else [self.airline.crew[c] for c in crew]
        return self.call(
            role,
            "select * from review.detect(%s, %s, %s::uuid[], %s)",
            self.airline.id,
            self.airline.periods[period - 1],
            members,
            recompute,
        )

    def found(self) -> list[tuple[Any, ...]]:
        """Open discrepancies: crew member, type, reason, flight, expected, actual."""
        return self.rows(
            """select m.employee_id, d.discrepancy_type::text, d.reason::text, f.flight_number, d.expected_amount, d.actual_amount
               from review.discrepancies d
               join crew.crew_members m on m.enterprise_id = d.enterprise_id and m.id = d.crew_member_id
               left join crew.flights f on f.enterprise_id = d.enterprise_id and f.id = d.flight_id
               where d.enterprise_id = %s and d.resolution_status = 'OPEN'
               order by 1, 2, 3, 4, 5""",
            self.airline.id,
        )

    def everything(self) -> list[tuple[Any, ...]]:
        return self.rows(
            "select d::text from review.discrepancies d where enterprise_id = %s order by id", self.airline.id
        )


@contextmanager
def small_month(database: Target, name: str) -> Iterator[Month]:
    """The month in a database of a test module, run once; its logins go with it."""
    with closing(database.connect(autocommit=True)) as conn:
        for iata, (icao, zone, country) in AIRPORTS.items():
            conn.execute(
                "insert into crew.airports (iata, icao, name, time_zone, country) values (%s, %s, %s, %s, %s) on conflict do nothing",
                (iata, icao, iata, zone, country),
            )
        own = {role: f"{name}_{os.getpid()}_{role}" for role in ("admin", "payroll")}
        airline = Tenant(conn, own)
        airline.build(CASE)
        airline.load(airline.contract(CASE))
        airline.run(1)
        # What detection may put right by itself is a test of its own.
        airline.call("admin", "select platform.put_config('review.auto_fix', '{\"enabled\": false}')")
        yield Month(airline, conn)
        conn.execute("delete from auth.principals where enterprise_id = %s", (airline.id,))
        for login in (*own.values(), *(login_name(airline.slug, suffix) for suffix, _, _ in STANDARD_LOGINS)):
            conn.execute(sql.SQL("drop role if exists {}").format(sql.Identifier(login)))


# Two crew members paid for January, before a flight of the 22nd is created: what payroll lacks is small for ada and large for bo.
ONE_FLIGHT: dict[str, Any] = {
    "crew": {
        "ada": {"position": "FIRST_OFFICER", "rate": 30, "months": {"2013-01": {}}},
        "bo": {"position": "CAPTAIN", "rate": 200, "months": {"2013-01": {}}},
    },
    "periods": ["2013-01", "2013-02"],
    "terms": [
        {"code": "BLOCK", "formula": {"type": "leg_credit", "basis": "greater", "compare_at": "leg"}},
        {"code": "DELAY", "formula": {"type": "delay_pay", "over_minutes": 30, "factor": 0.5, "codes": ["MX"]}},
    ],
    "trips": [
        {"trip": f"T-{who}", "crew": who, "duties": [{"report": "2013-01-10 06:00", "release": "20:00", "legs": [
            {"leg": "JFK-LAX", "number": f"XP{n}1", "scheduled": "07:00-12:00"},
            {"leg": "LAX-JFK", "number": f"XP{n}2", "scheduled": "13:30-18:30"}]}]}
        for n, who in enumerate(("ada", "bo"), start=1)
    ],
}  # fmt: skip


def fly(month: Month) -> None:
    """A flight is created, ada and bo are assigned to it, and it arrives 50 minutes late for maintenance."""
    flight = month.call(
        "admin",
        """insert into crew.flights (enterprise_id, flight_number, origin_airport, destination_airport, scheduled_departure, scheduled_arrival)
           values (%s, 'XP900', 'JFK', 'BOS', '2013-01-22 14:00Z', '2013-01-22 15:30Z') returning id""",
        month.airline.id,
    )["id"]
    for who in ("ada", "bo"):
        month.call(
            "admin",
            """insert into crew.crew_assignments (enterprise_id, crew_member_id, flight_id, duty_start_time, duty_end_time)
               values (%s, %s, %s, '2013-01-22 13:00Z', '2013-01-22 17:00Z') returning id""",
            month.airline.id, month.airline.crew[who], flight,
        )  # fmt: skip
    month.call(
        "admin",
        """update crew.flights set status = 'ARRIVED', actual_departure = '2013-01-22 14:45Z', actual_arrival = '2013-01-22 16:20Z',
             delay_minutes = 50, delay_code = 'MX' where enterprise_id = %s and id = %s returning id""",
        month.airline.id, flight,
    )  # fmt: skip
