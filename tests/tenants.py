"""Airlines whose logins are persons, and a second session: for what takes two people or two sessions at once."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg import sql
from psycopg.rows import dict_row

from crewpay_sync.database import Target
from crewpay_sync.tenants import STANDARD_LOGINS, ensure_standard_logins, login_name
from tests.golden.conftest import AIRPORTS, Airline


class Tenant(Airline):
    """An airline whose logins are persons: `<slug>_admin`, `_payroll`, `_bi`, `_agent`."""

    def __init__(self, conn: psycopg.Connection[Any], own: dict[str, str]) -> None:
        super().__init__(conn, own)
        ensure_standard_logins(conn, self.id, self.slug)
        for login in own.values():
            conn.execute(
                "delete from auth.principals where login = %s and enterprise_id = %s", (login, self.id)
            )
        self.logins = {suffix: login_name(self.slug, suffix) for suffix, _, _ in STANDARD_LOGINS}

    def call(
        self, role: str, statement: str, *values: Any, conn: psycopg.Connection[Any] | None = None
    ) -> dict[str, Any]:
        with self.acting(role, conn) as acting, acting.cursor(row_factory=dict_row) as cursor:
            row = cursor.execute(statement, values).fetchone()  # type: ignore[call-overload]
        assert row is not None
        found: dict[str, Any] = row
        return found

    def refused(self, code: str, role: str, statement: str, *values: Any) -> psycopg.Error:
        with pytest.raises(psycopg.Error) as refused:
            self.call(role, statement, *values)
        assert refused.value.sqlstate == code, refused.value
        return refused.value

    def approve(self, period: int = 1) -> UUID:
        run: UUID = self.run(period)["id"]
        self.call("admin", "select (pay.approve_run(%s)).id", run)
        return run

    def close(self, period: int = 1) -> None:
        self.approve(period)
        self.call("payroll", "select (pay.close_period(%s)).id", self.periods[period - 1])

    def status(self, period: int = 1) -> str:
        row = self.conn.execute(
            "select status from pay.pay_periods where enterprise_id = %s and id = %s",
            (self.id, self.periods[period - 1]),
        ).fetchone()
        assert row is not None
        return str(row[0])


def add_airports(conn: psycopg.Connection[Any]) -> None:
    for iata, (icao, zone, country) in AIRPORTS.items():
        conn.execute(
            "insert into crew.airports (iata, icao, name, time_zone, country) values (%s, %s, %s, %s, %s) on conflict do nothing",
            (iata, icao, iata, zone, country),
        )


@contextmanager
def made_tenant(conn: psycopg.Connection[Any], case: dict[str, Any]) -> Iterator[Tenant]:
    """An airline of a case, its logins dropped afterwards."""
    own = {role: f"own_{os.getpid()}_{role}" for role in ("admin", "payroll")}
    made = Tenant(conn, own)
    made.build(case)
    made.load(made.contract(case))
    yield made
    conn.execute("delete from auth.principals where enterprise_id = %s", (made.id,))
    for login in (*own.values(), *(login_name(made.slug, suffix) for suffix, _, _ in STANDARD_LOGINS)):
        conn.execute(sql.SQL("drop role if exists {}").format(sql.Identifier(login)))


def crewpay(database: Target, tenant: Tenant, *args: str) -> subprocess.CompletedProcess[str]:
    """The command of that airline, in the test's database."""
    return subprocess.run(
        [sys.executable, "-m", "crewpay_sync", *args, "--enterprise", tenant.slug],
        env={**os.environ, "DATABASE_URL": database.conninfo, "DIRECT_URL": ""},
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip


class Session:
    """A second session whose statement may have to wait for the first."""

    def __init__(self, database: Target) -> None:
        self.conn = database.connect(autocommit=True)
        self.pid = self.conn.info.backend_pid
        self.error: psycopg.Error | None = None
        self._thread: threading.Thread | None = None

    def start(self, work: Callable[[psycopg.Connection[Any]], Any]) -> None:
        def body() -> None:
            try:
                work(self.conn)
            except psycopg.Error as error:
                self.error = error

        self._thread = threading.Thread(target=body)
        self._thread.start()

    def wait_until_blocked(self, by: psycopg.Connection[Any], watcher: psycopg.Connection[Any]) -> None:
        """Returns when the server says that this session waits for the other one; fails if it ends instead."""
        assert self._thread is not None
        while self._thread.is_alive():
            row = watcher.execute(
                "select %s = any (pg_blocking_pids(%s)) and exists (select from pg_locks where pid = %s and not granted)",
                (by.info.backend_pid, self.pid, self.pid),
            ).fetchone()
            if row is not None and row[0]:
                return
        raise AssertionError(f"it did not wait: {self.error}")

    def finish(self) -> str | None:
        """SQLSTATE of its error, or nothing."""
        assert self._thread is not None
        self._thread.join(60)
        assert not self._thread.is_alive(), "it still waits"
        return self.error and self.error.sqlstate


@contextmanager
def transaction(conn: psycopg.Connection[Any]) -> Iterator[psycopg.Connection[Any]]:
    conn.execute("begin")
    try:
        yield conn
    finally:
        if conn.info.transaction_status:
            conn.execute("rollback")
