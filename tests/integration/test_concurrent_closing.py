"""Eight sessions write facts, run, approve, close, correct, reopen and read at once, for 15 seconds or five minutes.

Nobody sees a deadlock, nothing is written into a closed period, and the trail has no gap.
"""

from __future__ import annotations

import os
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import date
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg import sql
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from crewpay_sync.database import Target
from crewpay_sync.importers.synthetic import load_synthetic
from crewpay_sync.tenants import ensure_login, enterprise_id

SECONDS = 300 if os.environ.get("CREWPAY_TEST_LONG") else 15
SLUG = "closers"
Conn = psycopg.Connection[dict[str, Any]]
# What a session is told in the ordinary course of things; anything else fails the test.
ORDINARY = {
    "CP210", "CP211",  # a run is in progress; the period is closed
    "CP311", "CP312", "CP313", "CP314",  # nothing to approve; not approved; changed since; another state
    "CP316", "CP319",  # not of a closed period; facts changed since the run
}  # fmt: skip
FACTS = """
    select md5(string_agg(concat_ws('|', f.id, f.delay_reason), ',' order by f.id)) as hash
    from crew.flights f
    where f.id in (
      select a.flight_id from crew.crew_assignments a, pay.pay_periods p
      where p.id = %s and a.duty_start_time >= p.start_date + interval '2 days' and a.duty_start_time < p.end_date - interval '2 days')
"""


class Shared:
    """The airline, and what the sessions did."""

    def __init__(self, conn: Conn) -> None:
        self.id = enterprise_id(conn, SLUG)
        self.periods: list[UUID] = [
            r["id"] for r in conn.execute("select id from pay.pay_periods order by start_date")
        ]
        self.flights: dict[UUID, list[UUID]] = {
            p: [
                r["id"]
                for r in conn.execute(
                    "select distinct a.flight_id as id from crew.crew_assignments a, pay.pay_periods p where p.id = %s"
                    " and a.duty_start_time >= p.start_date + interval '2 days' and a.duty_start_time < p.end_date - interval '2 days'"
                    " and a.flight_id is not null order by 1 limit 40", (p,),
                )
            ]
            for p in self.periods
        }  # fmt: skip
        self.closed: dict[UUID, str] = {}
        self.written: dict[str, int] = {}
        self.seen: Counter[str] = Counter()
        self.errors: list[str] = []


@pytest.fixture(scope="module")
def logins(database: Target) -> Iterator[dict[str, str]]:
    """Logins by what they do: four persons, so that who approves had no part in what is approved."""
    names = {who: f"closers_{os.getpid()}_{who}" for who in ("writer", "clerk", "chief", "crew")}
    with closing(database.connect(autocommit=True, row_factory=dict_row)) as conn:
        load_synthetic(conn, crew=25, month=date(2026, 7, 1), months=2, enterprise=SLUG)
        air = enterprise_id(conn, SLUG)
        for who, role in (("writer", "admin"), ("clerk", "payroll"), ("chief", "admin")):
            user = uuid4()
            conn.execute(
                "insert into platform.users (enterprise_id, id, email) values (%s, %s, %s)",
                (air, user, f"{who}@closers.example"),
            )
            ensure_login(conn, names[who], air, role, user=user)  # type: ignore[arg-type]
        row = conn.execute("select id from crew.crew_members order by id limit 1").fetchone()
        assert row is not None
        ensure_login(conn, names["crew"], air, "crew", crew_member=row["id"])
        yield names
        for name in (*names.values(), *(f"{SLUG}_{r}" for r in ("admin", "payroll", "bi", "agent"))):
            conn.execute("delete from auth.principals where login = %s", (name,))
            conn.execute(sql.SQL("drop role if exists {}").format(sql.Identifier(name)))


class Session:
    """One thread: a few connections, each as a person, and what it does over and over."""

    def __init__(self, target: Target, shared: Shared, logins: dict[str, str], seed: int) -> None:
        self.shared, self.choose = shared, random.Random(seed)  # noqa: S311
        self._target, self._logins = target, logins
        self._conns: dict[str, Conn] = {}

    def conn(self, who: str) -> Conn:
        if who not in self._conns:
            conn = self._target.connect(row_factory=dict_row)
            conn.execute(sql.SQL("set session authorization {}").format(sql.Identifier(self._logins[who])))
            conn.execute("set statement_timeout = '60s'")
            conn.commit()
            self._conns[who] = conn
        return self._conns[who]

    def attempt(self, what: str, who: str, work: Callable[[Conn], Any]) -> bool:
        """One transaction; whether it was let through."""
        conn = self.conn(who)
        try:
            work(conn)
            conn.commit()
        except psycopg.Error as error:
            conn.rollback()
            self.shared.seen[f"{what} {error.sqlstate}"] += 1
            if error.sqlstate not in ORDINARY:
                self.shared.errors.append(f"{what}: {error.sqlstate} {error}")
            return False
        self.shared.seen[what] += 1
        return True

    def write(self) -> None:
        request = str(uuid4())
        period = self.choose.choice(self.shared.periods)
        flights = sorted(self.choose.sample(self.shared.flights[period], 2))

        def work(conn: Conn) -> None:
            conn.execute("select set_config('app.request_id', %s, true)", (request,))
            for flight in flights:  # in the order of their keys, as whoever changes several must
                conn.execute("update crew.flights set delay_reason = %s where id = %s", (request, flight))

        if self.attempt("write", "writer", work):
            self.shared.written[request] = len(flights)
        time.sleep(self.choose.uniform(0, 0.5))

    def close(self) -> None:
        period = self.choose.choice(self.shared.periods)
        run: list[UUID] = []

        def compute(conn: Conn) -> None:
            row = conn.execute("select (pay.run(%s, %s)).id", (self.shared.id, period)).fetchone()
            assert row is not None
            run.append(row["id"])

        def finish(conn: Conn) -> None:
            conn.execute("select pay.close_period(%s)", (period,))
            row = conn.execute(FACTS, (period,)).fetchone()
            assert row is not None
            self.shared.closed[period] = row["hash"]

        if self.attempt("run", "clerk", compute) and self.attempt(
            "approve", "chief", lambda conn: conn.execute("select pay.approve_run(%s)", (run[0],))
        ):
            self.attempt("close", "clerk", finish)

    def reopen(self) -> None:
        period = self.choose.choice(self.shared.periods)

        def ask(conn: Conn) -> None:
            conn.execute("select pay.request_reopen(%s, 'as agreed')", (period,))

        def finish(conn: Conn) -> None:
            conn.execute("select pay.approve_reopen(%s)", (period,))
            row = conn.execute(FACTS, (period,)).fetchone()
            assert row is not None
            if self.shared.closed.get(period) != row["hash"]:
                self.shared.errors.append(f"facts of {period} changed while it was closed")

        if self.attempt("ask to reopen", "clerk", ask):
            time.sleep(self.choose.uniform(0, 0.3))
            self.attempt("reopen", "chief", finish)
        time.sleep(self.choose.uniform(0, 0.2))

    def correct(self) -> None:
        flight = self.choose.choice(self.shared.flights[self.choose.choice(self.shared.periods)])
        found: list[UUID] = []

        def ask(conn: Conn) -> None:
            row = conn.execute(
                "select (crew.correct('crew.flights', %s, %s, 'log')).id",
                (str(flight), Jsonb({"delay_code": uuid4().hex[:6]})),
            ).fetchone()
            assert row is not None
            found.append(row["id"])

        if self.attempt("ask to correct", "clerk", ask):
            self.attempt(
                "correct",
                "chief",
                lambda conn: conn.execute("select crew.approve_correction(%s)", (found[0],)),
            )
        time.sleep(self.choose.uniform(0, 0.1))

    def read(self) -> None:
        def work(conn: Conn) -> None:
            # A run is seen whole: no crew member twice, every result of one run but for what a partial one replaced.
            rows = conn.execute(
                "select pay_period_id, count(*) as n, count(distinct crew_member_id) as crew, count(distinct run_id) as runs"
                " from pay.pay_calculations group by 1"
            ).fetchall()
            for row in rows:
                if row["n"] != row["crew"] or row["runs"] != 1:
                    self.shared.errors.append(f"half a result: {row}")
            conn.execute(
                "select * from audit.history('crew.flights', %s)",
                (str(self.choose.choice(self.shared.flights[self.shared.periods[0]])),),
            ).fetchall()

        self.attempt("read", "clerk", work)
        self.attempt("read own", "crew", lambda conn: conn.execute("select * from pay.pay_calculations"))

    def work(self, step: Callable[[], None], until: float) -> None:
        try:
            while time.monotonic() < until and not self.shared.errors:
                step()
        finally:
            for conn in self._conns.values():
                conn.close()


def test_nothing_gets_into_a_closed_period(database: Target, logins: dict[str, str]) -> None:
    with closing(database.connect(autocommit=True, row_factory=dict_row)) as conn:
        shared = Shared(conn)
        until = time.monotonic() + SECONDS
        threads = []
        for seed, name in enumerate(
            ("write", "write", "write", "close", "close", "reopen", "correct", "read")
        ):
            session = Session(database, shared, logins, seed)
            threads.append(
                threading.Thread(target=session.work, args=(getattr(session, name), until), daemon=True)
            )
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(SECONDS + 120)
        assert not any(thread.is_alive() for thread in threads), "every session came to its end"
        assert shared.errors == []
        print(dict(sorted(shared.seen.items())))
        for what in ("write", "write CP211", "close", "correct", "reopen", "read", "read own"):
            assert shared.seen[what] > 0, f"{what} happened: {dict(shared.seen)}"

        trail = {
            r["request_id"]: r["n"]
            for r in conn.execute(
                "select request_id, count(*) as n from audit.audit_log where request_id is not null group by 1"
            )
        }
        assert trail == shared.written, "every change has its entry, and every entry its change"
        # Each value was put in place of the one that the entry before it had written: nothing came between unseen.
        assert (
            conn.execute(
                """select l.entity_id from (
                     select entity_id, changes -> 'delay_reason' -> 0 as before,
                            lag(changes -> 'delay_reason' -> 1) over (partition by entity_id order by entry_no) as earlier
                     from audit.audit_log where entity_type = 'crew.flights' and action = 'UPDATED' and changes ? 'delay_reason') l
                   where l.earlier is not null and l.before <> l.earlier"""
            ).fetchall()
            == []
        )
        # States of a period in the order of the trail: each begins where the one before it ended.
        assert (
            conn.execute(
                """select p.entity_id from (
                     select entity_id, changes -> 'status' ->> 0 as before,
                            lag(changes -> 'status' ->> 1, 1, 'OPEN') over (partition by entity_id order by entry_no) as earlier
                     from audit.audit_log where entity_type = 'pay.pay_periods' and action = 'UPDATED' and changes ? 'status') p
                   where p.before <> p.earlier"""
            ).fetchall()
            == []
        )
        # An applied correction has one entry of the fact, and nobody else wrote that column.
        corrected = conn.execute(
            """select (select count(*) from crew.corrections where applied_at is not null) as applied,
                      (select count(*) from audit.audit_log l join crew.corrections c on c.applied_in = l.transaction_id
                       where l.entity_type = 'crew.flights' and l.changes ? 'delay_code') as entries,
                      (select count(*) from audit.audit_log l where l.entity_type = 'crew.flights' and l.action = 'UPDATED' and l.changes ? 'delay_code') as all_entries"""
        ).fetchone()
        assert corrected == {
            "applied": shared.seen["correct"], "entries": shared.seen["correct"], "all_entries": shared.seen["correct"],
        }  # fmt: skip
        numbered = conn.execute(
            "select count(*) = count(distinct entry_no) as ok from audit.audit_log"
        ).fetchone()
        assert numbered == {"ok": True}
