"""Nine sessions write, correct and read at once: nobody sees a deadlock, and every change is in the trail."""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import date, timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg import sql
from psycopg.rows import dict_row

from crewpay_sync.database import Target
from crewpay_sync.importers.synthetic import load_synthetic
from crewpay_sync.tenants import ensure_login, enterprise_id

SECONDS = 300 if os.environ.get("CREWPAY_TEST_LONG") else 10
SLUG = "writers"
CREW = 40
Conn = psycopg.Connection[dict[str, Any]]
Step = Callable[[Conn, random.Random, str], int]


class Airline:
    """The shared rows that everybody writes to."""

    def __init__(self, conn: Conn) -> None:
        self.id = enterprise_id(conn, SLUG)
        self.crew: list[UUID] = [
            r["id"] for r in conn.execute("select id from crew.crew_members order by id")
        ]
        self.flights: list[UUID] = [
            r["id"] for r in conn.execute("select id from crew.flights order by id limit 30")
        ]
        self.period: UUID = conn.execute("select id from pay.pay_periods").fetchone()["id"]  # type: ignore[index]


@pytest.fixture(scope="module")
def logins(database: Target) -> Iterator[dict[str, str]]:
    names = {role: f"writers_{os.getpid()}_{role}" for role in ("admin", "payroll", "crew")}
    with closing(database.connect(autocommit=True, row_factory=dict_row)) as conn:
        load_synthetic(conn, crew=CREW, month=date(2026, 7, 1), months=1, enterprise=SLUG)
        air = Airline(conn)
        ensure_login(conn, names["admin"], air.id, "admin")
        ensure_login(conn, names["payroll"], air.id, "payroll")
        ensure_login(conn, names["crew"], air.id, "crew", crew_member=air.crew[0])
        yield names
        for name in (*names.values(), *(f"{SLUG}_{r}" for r in ("admin", "payroll", "bi", "agent"))):
            conn.execute("delete from auth.principals where login = %s", (name,))
            conn.execute(sql.SQL("drop role {}").format(sql.Identifier(name)))


def steps(air: Airline) -> list[tuple[str, Step]]:
    """Role and what a session does over and over; each returns how many entries of the trail it must have made."""

    def correct_flights(conn: Conn, choose: random.Random, request: str) -> int:
        # Several rows in one transaction, in the order of their keys, as whoever changes several must.
        made = 0
        for flight in sorted(choose.sample(air.flights, 3)):
            made += conn.execute(
                "update crew.flights set delay_reason = %s where id = %s", (request + str(made), flight)
            ).rowcount
        return made

    def change_rates(conn: Conn, choose: random.Random, request: str) -> int:
        crew = choose.choice(air.crew[:5])
        return conn.execute(
            "update crew.crew_members set attributes = jsonb_build_object('r', %s::text) where id = %s",
            (request, crew),
        ).rowcount

    def plan_months(conn: Conn, choose: random.Random, request: str) -> int:
        month = date(2030, 1, 1) + timedelta(days=31 * choose.randrange(2000))
        return conn.execute(
            "insert into crew.crew_months (enterprise_id, crew_member_id, month) values (%s, %s, date_trunc('month', %s::date))"
            " on conflict do nothing", (air.id, choose.choice(air.crew), month),
        ).rowcount  # fmt: skip

    def configure(conn: Conn, choose: random.Random, request: str) -> int:
        row = conn.execute(
            "select platform.put_config('writers.key', to_jsonb(%s::text)) as version", (request,)
        ).fetchone()
        assert row is not None
        return 1 if row["version"] == 1 else 2

    def pay(conn: Conn, choose: random.Random, request: str) -> int:
        return conn.execute(
            "insert into pay.payroll_payments (enterprise_id, crew_member_id, pay_period_id, component, amount, paid_on, reference)"
            " values (%s, %s, %s, 'flight_pay', 1, '2026-08-05', %s)", (air.id, choose.choice(air.crew), air.period, request),
        ).rowcount  # fmt: skip

    def compute(conn: Conn, choose: random.Random, request: str) -> int:
        conn.execute("select pay.run(%s, %s, %s)", (air.id, air.period, choose.sample(air.crew, 5)))
        return 0  # counted by the run, not by rows

    def read(conn: Conn, choose: random.Random, request: str) -> int:
        conn.execute("select count(*), sum(total_gross_pay) from pay.pay_calculations").fetchall()
        conn.execute("select f.* from crew.flights f order by f.id limit 50").fetchall()
        return 0

    return [
        ("admin", correct_flights), ("admin", correct_flights), ("admin", change_rates), ("admin", plan_months),
        ("admin", configure), ("admin", configure), ("payroll", pay), ("payroll", compute), ("crew", read),
    ]  # fmt: skip


def work(
    target: Target, login: str, step: Step, seed: int, until: float, done: dict[str, int], errors: list[str]
) -> None:
    """One session: a transaction a step, each under a request id of its own."""
    choose = random.Random(seed)  # noqa: S311
    with closing(target.connect(row_factory=dict_row)) as conn:
        conn.execute(sql.SQL("set session authorization {}").format(sql.Identifier(login)))
        conn.execute("set statement_timeout = '30s'")
        conn.commit()
        while time.monotonic() < until and not errors:
            request = str(uuid4())
            try:
                conn.execute("select set_config('app.request_id', %s, true)", (request,))
                made = step(conn, choose, request)
                conn.commit()
            except psycopg.Error as error:
                errors.append(f"{step.__name__}: {error.sqlstate} {error}")
                return
            done[request] = made
            if step.__name__ != "correct_flights":
                time.sleep(0.002)


def test_nobody_sees_a_deadlock_and_nothing_is_lost(database: Target, logins: dict[str, str]) -> None:
    with closing(database.connect(autocommit=True, row_factory=dict_row)) as conn:
        air = Airline(conn)
        done: dict[str, int] = {}
        errors: list[str] = []
        until = time.monotonic() + SECONDS
        plan = steps(air)
        threads = [
            threading.Thread(
                target=work, args=(database, logins[role], step, seed, until, done, errors), daemon=True
            )
            for seed, (role, step) in enumerate(plan)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(SECONDS + 60)
        assert not any(thread.is_alive() for thread in threads), "every session came to its end"
        assert errors == []
        trail = {
            r["request_id"]: r["n"]
            for r in conn.execute(
                "select request_id, count(*) as n from audit.audit_log where request_id is not null"
                " and entity_type <> all ('{pay.pay_runs,pay.pay_calculations}') group by 1"
            )
        }
        expected = {request: made for request, made in done.items() if made}
        assert len(expected) > SECONDS * 10, "the sessions were busy"
        assert trail == expected, "every change has its entry, and every entry its change"
        # Before of each entry is the after of the one before it: nothing came between unseen.
        broken = conn.execute(
            """select l.entity_id from (
                 select entity_id, changes -> 'delay_reason' as d, lag(changes -> 'delay_reason') over w as before,
                        count(*) over (partition by entity_id) as n
                 from audit.audit_log where entity_type = 'crew.flights' and action = 'UPDATED' and changes ? 'delay_reason'
                 window w as (partition by entity_id order by created_at)) l
               join crew.flights f on f.id = l.entity_id
               where not exists (
                 select from audit.audit_log a where a.entity_id = l.entity_id and a.changes -> 'delay_reason' -> 1 = to_jsonb(f.delay_reason))"""
        ).fetchall()
        assert broken == []
        chain = conn.execute(
            """select entity_id from audit.audit_log where entity_type = 'crew.flights' and action = 'UPDATED' and changes ? 'delay_reason'
               group by entity_id
               having count(*) - 1 <> count(distinct changes -> 'delay_reason' -> 0) filter (where jsonb_typeof(changes -> 'delay_reason' -> 0) = 'string')"""
        ).fetchall()
        assert chain == [], "each value but the last was the value before of exactly one entry"
        active = conn.execute(
            "select count(*) as active, (select max(version) = count(*) from platform.system_configs where key = 'writers.key') as numbered"
            " from platform.system_configs where key = 'writers.key' and is_active"
        ).fetchone()
        assert active == {"active": 1, "numbered": True}
