"""Runs: who may run what, what a run refuses, and that readers see the old result or the new, never half."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import closing
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql

from crewpay_sync.database import Target
from crewpay_sync.tenants import ensure_login

DUTY = {
    "crew": "A",
    "report": "2013-01-10 08:00",
    "release": "12:00",
    "legs": [{"leg": "JFK-BOS", "scheduled": "09:00-10:00"}],
}
CASE: dict[str, Any] = {
    "crew": {"A": {"rate": 60}, "B": {"rate": 90}},
    "terms": {"R_3.A": {"type": "leg_credit", "basis": "actual"}},
    "duties": [DUTY, {**DUTY, "crew": "B"}],
}


@pytest.fixture
def airline(airlines: Callable[[], Any]) -> Any:
    made = airlines()
    made.build(CASE)
    made.load(made.contract(CASE))
    return made


def refused(code: str, run: Callable[[], Any]) -> psycopg.Error:
    with pytest.raises(psycopg.Error) as caught:
        run()
    assert caught.value.sqlstate == code, caught.value
    return caught.value


def published(airline: Any) -> list[Any]:
    return [(airline.lines(crew), airline.totals(crew)) for crew in airline.crew]


def runs(airline: Any) -> list[tuple[str, bool]]:
    return airline.conn.execute(
        "select state::text, whole_period from pay.pay_runs where enterprise_id = %s order by started_at",
        (airline.id,),
    ).fetchall()


def test_unknown_period(airline: Any) -> None:
    airline.periods.append(uuid4())
    error = refused("CP214", lambda: airline.run(2))
    assert error.diag.message_hint


def test_period_of_another_enterprise(airline: Any, airlines: Callable[[], Any]) -> None:
    other = airlines()
    other.build(CASE)
    airline.periods.append(other.periods[0])
    refused("CP214", lambda: airline.run(2))


@pytest.mark.parametrize("states", [["CLOSED"], ["CLOSED", "PAID"]])
def test_period_that_is_not_open(airline: Any, states: list[str]) -> None:
    airline.run()
    before = published(airline)
    for status in states:
        airline.conn.execute(
            "update pay.pay_periods set status = %s where enterprise_id = %s", (status, airline.id)
        )
    error = refused("CP211", airline.run)
    assert states[-1] in str(error)
    assert error.diag.message_hint
    assert published(airline) == before


def test_month_without_terms(airlines: Callable[[], Any]) -> None:
    made = airlines()
    made.build({"crew": {"A": {"rate": 60}}})
    error = refused("CP213", made.run)
    assert error.diag.message_hint
    assert runs(made) == []


def test_position_without_terms(airline: Any) -> None:
    """Terms for some positions only: who has none is named, and nobody is paid."""
    made = airline
    made.add_crew("C", {"position": "CHECK_AIRMAN", "rate": 60})
    made.conn.execute(
        "update rules.union_contract_terms set applies_to = '{FIRST_OFFICER}' where enterprise_id = %s",
        (made.id,),
    )
    error = refused("CP212", made.run)
    assert "C" in str(error)
    assert error.diag.message_hint


def test_enterprise_of_somebody_else(airline: Any, airlines: Callable[[], Any]) -> None:
    other = airlines()
    other.build(CASE)
    with pytest.raises(psycopg.errors.InsufficientPrivilege) as caught, airline.acting("payroll") as conn:
        conn.execute("select pay.run(%s, %s)", (other.id, other.periods[0]))
    assert caught.value.diag.message_hint


def test_crew_cannot_run(airline: Any) -> None:
    ensure_login(airline.conn, airline.logins["crew"], airline.id, "crew", crew_member=airline.crew["A"])
    with pytest.raises(psycopg.errors.InsufficientPrivilege), airline.acting("crew") as conn:
        conn.execute("select pay.run(%s, %s)", (airline.id, airline.periods[0]))


def test_somebody_without_a_principal_cannot_run(airline: Any) -> None:
    with pytest.raises(psycopg.Error) as caught:
        airline.conn.execute("select pay.run(%s, %s)", (airline.id, airline.periods[0]))
    assert caught.value.sqlstate == "42501"


def test_two_runs_at_once(airline: Any, database: Target) -> None:
    """The second session is refused at once, does not wait, and the first is none the worse."""
    with closing(database.connect()) as first:
        first.autocommit = False
        first.execute(
            sql.SQL("set session authorization {}").format(sql.Identifier(airline.logins["payroll"]))
        )
        first.execute("select set_config('app.current_enterprise_id', %s, false)", (str(airline.id),))
        first.execute("select pay.run(%s, %s)", (airline.id, airline.periods[0]))  # computed, not committed
        error = refused("CP210", airline.run)
        assert error.diag.message_detail
        assert error.diag.message_hint
        first.commit()
    assert runs(airline) == [("published", True)]
    airline.run()
    assert runs(airline) == [("superseded", True), ("published", True)]


def test_rolled_back_run_leaves_the_last_result(airline: Any) -> None:
    airline.run()
    before = published(airline)
    airline.conn.execute(
        "update crew.crew_members set base_hourly_rate = 99 where enterprise_id = %s", (airline.id,)
    )
    with airline.acting("payroll") as conn, conn.transaction(force_rollback=True):
        conn.execute("select pay.run(%s, %s)", (airline.id, airline.periods[0]))
    assert published(airline) == before
    assert runs(airline) == [("published", True)]


def test_killed_run_leaves_the_last_result(airline: Any, database: Target) -> None:
    """The backend dies in the middle of a run: held there by a lock on its results, terminated, and gone without a trace."""
    airline.run()
    before = published(airline)
    airline.conn.execute(
        "update crew.crew_members set base_hourly_rate = 99 where enterprise_id = %s", (airline.id,)
    )
    failures: list[psycopg.Error] = []
    with closing(database.connect()) as blocker, closing(database.connect()) as victim:
        blocker.autocommit = False
        victim.autocommit = True
        # Writers of results wait for this; the period is locked and the run row made by then.
        blocker.execute("lock table pay.calculation_versions in exclusive mode")
        pid = victim.info.backend_pid
        victim.execute(
            sql.SQL("set session authorization {}").format(sql.Identifier(airline.logins["payroll"]))
        )
        victim.execute("select set_config('app.current_enterprise_id', %s, false)", (str(airline.id),))

        def run() -> None:
            try:
                victim.execute("select pay.run(%s, %s)", (airline.id, airline.periods[0]))
            except psycopg.Error as error:
                failures.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        # Waits until the run stands at the lock; pg_blocking_pids names the blocker then.
        waiting = (
            "do $$ begin for i in 1..1000 loop perform pg_stat_clear_snapshot(); "
            f"exit when {blocker.info.backend_pid} = any (pg_blocking_pids({pid})); perform pg_sleep(0.01); end loop; end $$"
        )
        airline.conn.execute(waiting)
        assert airline.conn.execute(
            "select %s = any (pg_blocking_pids(%s))", (blocker.info.backend_pid, pid)
        ).fetchone() == (True,), "the run is in the middle"
        refused("CP210", airline.run)
        airline.conn.execute("select pg_terminate_backend(%s, 10000)", (pid,))
        thread.join(30)
        blocker.rollback()
    assert failures, "the victim's session ended"
    assert failures[0].sqlstate in (None, "57P01")
    assert published(airline) == before
    assert runs(airline) == [("published", True)]
    airline.run()
    assert airline.totals("A")["total"] == 99
