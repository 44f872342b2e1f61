"""Runs on several backends give what pay.run gives, and nobody sees them before they are published."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import date
from threading import Event
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg import IsolationLevel, sql

from crewpay_sync import pay_workers
from crewpay_sync.database import Target
from crewpay_sync.importers.synthetic import load_synthetic
from crewpay_sync.pay_workers import compute_slice, compute_slices, row, run_on_workers
from crewpay_sync.tenants import ensure_login

SLUG = "bench"
RESULTS = (
    "select crew_member_id, pay_period_id, ruleset_id, flight_pay_hours, flight_pay_amount, overtime_amount, delay_pay_amount,"
    " per_diem_amount, premium_pay_amount, guarantee_hours, guarantee_amount, adjustment_amount, total_gross_pay,"
    " line_term, line_node, line_quantity, line_cents, calculation_date = (select as_of from pay.pay_runs r where r.id = run_id)"
    " from pay.pay_calculations order by crew_member_id"
)
RUN = (
    "select crew_count, leg_count, line_count, finding_count, total_amount, result_hash, input_hash, engine_version, whole_period"
    " from pay.pay_runs where state = 'published'"
)
FINDINGS = (
    "select finding_no, code, crew_member_id, term_id, level, node, detail from pay.run_findings"
    " where run_id = (select id from pay.pay_runs where state = 'published') order by finding_no"
)
LEFT = (
    "select (select count(*) from pay.pay_runs where state = 'building'), (select count(*) from pay.run_slices),"
    " (select count(*) from pay.slice_results)"
)


@pytest.fixture(scope="module")
def loaded(database: Target) -> Target:
    """Twenty crew members and a month; each has a flight that can't be paid, and a number that looks like a plan's token."""
    with closing(database.connect(autocommit=True)) as conn:
        load_synthetic(conn, crew=20, month=date(2026, 7, 1))
        conn.execute("update crew.crew_members set employee_id = employee_id || '@enterprise@'")
        conn.execute(
            "update crew.flights set status = 'DIVERTED', actual_arrival = null where id in ("
            " select distinct on (crew_member_id) flight_id from crew.crew_assignments"
            " where flight_id is not null order by crew_member_id, duty_start_time)"
        )
    return database


@pytest.fixture
def operator(loaded: Target) -> Iterator[psycopg.Connection[Any]]:
    with closing(loaded.connect(autocommit=True)) as conn:
        yield conn


@contextmanager
def session(database: Target, login: str) -> Iterator[psycopg.Connection[Any]]:
    with closing(database.connect(autocommit=True)) as conn:
        conn.execute(sql.SQL("set session authorization {}").format(sql.Identifier(login)))
        yield conn


@pytest.fixture
def payroll(loaded: Target) -> Iterator[psycopg.Connection[Any]]:
    with session(loaded, "bench_payroll") as conn:
        yield conn


@pytest.fixture
def period(operator: psycopg.Connection[Any]) -> UUID:
    return one(operator, "select id from pay.pay_periods")


def one(conn: psycopg.Connection[Any], statement: str) -> Any:
    found = conn.execute(statement).fetchone()  # type: ignore[call-overload]
    assert found is not None
    return found[0] if len(found) == 1 else found


def state(conn: psycopg.Connection[Any]) -> list[Any]:
    return [conn.execute(s).fetchall() for s in (RESULTS, RUN, FINDINGS)]  # type: ignore[call-overload]


def run(conn: psycopg.Connection[Any], period: UUID) -> None:
    conn.execute("select pay.run(auth.enterprise_id(), %s)", (period,))


@contextmanager
def half_done(payroll: psycopg.Connection[Any], database: Target, period: UUID) -> Iterator[UUID]:
    """A run whose first slice of two is committed; its coordinator is still there."""
    begun = row(payroll, "begin", {"period": period})["id"]
    with (
        session(database, "bench_payroll") as coordinator,
        session(database, "bench_payroll") as worker,
        coordinator.transaction(force_rollback=True),
    ):
        snapshot = row(coordinator, "hold", {"run": begun})["snapshot"]
        assert compute_slice(worker, snapshot, begun, 1, 2, 1)
        yield begun
    row(payroll, "purge", {"run": begun})


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_as_one_session_would(
    loaded: Target, operator: psycopg.Connection[Any], payroll: psycopg.Connection[Any], period: UUID, workers: int
) -> None:  # fmt: skip
    run(payroll, period)
    alone = state(operator)
    assert len(alone[0]) == 20
    assert alone[2], "there are findings to compare"
    told = run_on_workers(payroll, lambda: loaded.connect(autocommit=True), SLUG, period, workers)
    together = state(operator)
    assert together == alone
    assert told["result_hash"] == alone[1][0][5]
    assert one(operator, LEFT) == (0, 0, 0)
    assert one(operator, "select count(*) from pay.pay_runs where state = 'published'") == 1
    run(payroll, period)
    assert state(operator) == alone


def test_more_slices_than_crew(
    loaded: Target, operator: psycopg.Connection[Any], payroll: psycopg.Connection[Any], period: UUID
) -> None:
    run(payroll, period)
    alone = state(operator)
    begun = row(payroll, "begin", {"period": period})["id"]
    with session(loaded, "bench_payroll") as worker, payroll.transaction():
        snapshot = row(payroll, "hold", {"run": begun})["snapshot"]
        compute_slices([worker], snapshot, begun, 22)
        row(payroll, "publish", {"run": begun})
    assert state(operator) == alone


def test_nobody_sees_a_run_in_progress(
    loaded: Target, operator: psycopg.Connection[Any], payroll: psycopg.Connection[Any], period: UUID
) -> None:
    run(payroll, period)
    crew = one(operator, "select id from crew.crew_members order by employee_id limit 1")
    enterprise = one(operator, "select id from platform.enterprises")
    ensure_login(operator, "bench_crew", enterprise, "crew", crew_member=crew)
    # BI reads through its own schema; here it is shown that the policies hold without that.
    operator.execute("grant usage on schema pay to crewpay_bi")
    seen: dict[str, list[int]] = {}
    try:
        with half_done(payroll, loaded, period) as begun:
            for table in ("slice_results", "run_findings"):
                found = one(operator, f"select count(*) from pay.{table} where run_id = '{begun}'")
                assert found > 0, f"{table} has rows of the run"
            for login in ("bench_crew", "bench_bi", "bench_payroll", "bench_admin", "bench_agent"):
                with session(loaded, login) as conn:
                    seen[login] = [
                        one(conn, f"select count(*) from pay.{table} where run_id = '{begun}'")
                        for table in ("calculation_versions", "pay_calculations", "pay_lines")
                    ]
                    if login != "bench_crew":
                        assert (
                            one(conn, f"select count(*) from pay.run_findings where run_id = '{begun}'") == 0
                        )
                    expected = 0 if login in ("bench_crew", "bench_bi") else 1
                    assert one(conn, f"select count(*) from pay.pay_runs where id = '{begun}'") == expected
                    with pytest.raises(psycopg.errors.InsufficientPrivilege):
                        conn.execute("select from pay.run_slices")
                    with pytest.raises(psycopg.errors.InsufficientPrivilege):
                        conn.execute("select from pay.slice_results")
    finally:
        operator.execute("revoke usage on schema pay from crewpay_bi")
    assert list(seen.values()) == [[0, 0, 0]] * 5


def test_one_run_at_a_time_and_purge(
    loaded: Target, operator: psycopg.Connection[Any], payroll: psycopg.Connection[Any], period: UUID
) -> None:
    run(payroll, period)
    before = state(operator)
    aged = "update pay.pay_runs set started_at = started_at - interval '2 hours' where state = 'building'"
    begun = row(payroll, "begin", {"period": period})["id"]
    with session(loaded, "crewpay_jobs") as jobs:
        operator.execute(aged)
        with (
            session(loaded, "bench_payroll") as coordinator,
            session(loaded, "bench_payroll") as worker,
            coordinator.transaction(force_rollback=True),
        ):
            snapshot = row(coordinator, "hold", {"run": begun})["snapshot"]
            compute_slice(worker, snapshot, begun, 2, 2, 1)
            for refused in (
                lambda: run(payroll, period),
                lambda: row(payroll, "begin", {"period": period}),
            ):
                with pytest.raises(psycopg.Error) as caught:
                    refused()
                assert caught.value.sqlstate == "CP210"
            assert one(jobs, "select pay.purge_runs()") == 0, "it is alive"
            with pytest.raises(psycopg.Error) as caught, coordinator.transaction():
                row(coordinator, "publish", {"run": begun})
            assert caught.value.sqlstate == "CP212"
        assert one(jobs, "select pay.purge_runs()") == 1
        assert one(jobs, "select current_setting('app.current_enterprise_id', true)") in (None, "")
    assert one(operator, LEFT) == (0, 0, 0)
    fresh = row(payroll, "begin", {"period": period})["id"]
    assert one(payroll, "select pay.purge_runs()") == 0, "a run just begun is left alone"
    assert row(payroll, "purge", {"run": fresh})["runs"] == 1
    assert state(operator) == before


def test_slices_under_two_snapshots_are_refused(
    loaded: Target, payroll: psycopg.Connection[Any], period: UUID
) -> None:
    begun = row(payroll, "begin", {"period": period})["id"]
    for number in (1, 2):
        with closing(loaded.connect()) as other:
            other.execute("set session authorization bench_payroll")
            other.commit()
            other.set_isolation_level(IsolationLevel.REPEATABLE_READ)
            row(other, "slice", {"run": begun, "slice": number, "slices": 2, "group": 1})
            other.commit()
    with pytest.raises(psycopg.Error, match="one snapshot"):
        row(payroll, "publish", {"run": begun})
    row(payroll, "purge", {"run": begun})


@pytest.mark.parametrize(
    "parts",
    [
        pytest.param([(1, 2, 2), (2, 2, 2)], id="a group is missing"),
        pytest.param([(1, 1, 1), (1, 2, 2), (2, 2, 2)], id="groups in other slices"),
        pytest.param([(1, 1, 2), (2, 1, 2), (1, 2, 2)], id="a slice of the last group is missing"),
    ],
)
def test_every_part_must_be_there(
    loaded: Target, payroll: psycopg.Connection[Any], period: UUID, parts: list[tuple[int, int, int]]
) -> None:
    begun = row(payroll, "begin", {"period": period})["id"]
    with session(loaded, "bench_payroll") as worker, payroll.transaction(force_rollback=True):
        snapshot = row(payroll, "hold", {"run": begun})["snapshot"]
        for slice_no, group_no, slices in parts:
            assert compute_slice(worker, snapshot, begun, slice_no, slices, group_no) is not None
        with pytest.raises(psycopg.Error, match="slices are missing") as caught:
            row(payroll, "publish", {"run": begun})
    assert caught.value.sqlstate == "CP212"
    row(payroll, "purge", {"run": begun})


def test_after_a_failure_no_further_part_is_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between two groups there is no statement that could be cancelled."""
    begun: list[tuple[int, int]] = []
    both, failed = Event(), Event()

    def computed(_conn: Any, _snapshot: str, _run: UUID, slice_no: int, _slices: int, group_no: int) -> int:
        begun.append((slice_no, group_no))
        if slice_no == 1:
            assert both.wait(10)
            raise psycopg.errors.DivisionByZero
        both.set()
        assert failed.wait(10)
        return 0

    monkeypatch.setattr(pay_workers, "compute_slice", computed)
    monkeypatch.setattr(pay_workers, "stop", lambda _: failed.set())
    with pytest.raises(psycopg.errors.DivisionByZero):
        compute_slices([None, None], "", uuid4(), 2)  # type: ignore[list-item]
    assert sorted(begun) == [(1, 1), (2, 1)]


def test_misuse_is_refused(loaded: Target, payroll: psycopg.Connection[Any], period: UUID) -> None:
    begun = row(payroll, "begin", {"period": period})["id"]
    with pytest.raises(psycopg.errors.ActiveSqlTransaction):
        row(payroll, "slice", {"run": begun, "slice": 1, "slices": 2, "group": 1})
    payroll.set_isolation_level(IsolationLevel.REPEATABLE_READ)
    with pytest.raises(psycopg.errors.InvalidParameterValue), payroll.transaction():
        row(payroll, "slice", {"run": begun, "slice": 3, "slices": 2, "group": 1})
    with pytest.raises(psycopg.errors.ActiveSqlTransaction), payroll.transaction():
        row(payroll, "hold", {"run": begun})
    payroll.set_isolation_level(None)
    for name in ("hold", "take", "publish"):
        with pytest.raises(psycopg.Error) as caught:
            row(payroll, name, {"run": uuid4()})
        assert caught.value.sqlstate == "CP214"
    row(payroll, "purge", {"run": begun})
    with session(loaded, "bench_bi") as bi:
        for call in (
            "begin_run(null, null)",
            "hold_run(null)",
            "compute_slice(null, 1, 1, 1)",
            "take_slices(null)",
            "publish_run(null)",
            "purge_runs()",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                bi.execute(f"select pay.{call}")  # type: ignore[arg-type]


def test_all_slices_read_the_facts_of_one_moment(
    loaded: Target, operator: psycopg.Connection[Any], payroll: psycopg.Connection[Any], period: UUID,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    run(payroll, period)
    before = state(operator)

    def disturbed(
        workers: list[psycopg.Connection[Any]], snapshot: str, run: UUID, slices: int, take: Callable[[], Any]
    ) -> None:
        operator.execute(
            "update crew.flights set actual_departure = actual_departure - interval '20 minutes'"
        )
        compute_slices(workers, snapshot, run, slices, take)

    monkeypatch.setattr(pay_workers, "compute_slices", disturbed)
    operator.execute("update crew.flights set actual_departure = actual_departure - interval '20 minutes'")
    run_on_workers(payroll, lambda: loaded.connect(autocommit=True), SLUG, period, 2)
    operator.execute("update crew.flights set actual_departure = actual_departure + interval '20 minutes'")
    together = state(operator)
    assert together != before
    run(payroll, period)
    assert state(operator) == together


def test_terms_changed_in_the_middle_start_it_again(
    loaded: Target, operator: psycopg.Connection[Any], payroll: psycopg.Connection[Any], period: UUID,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    calls = []

    def disturbed(conn: psycopg.Connection[Any], name: str, values: dict[str, Any]) -> Any:
        calls.append(name)
        if calls == ["begin", "hold"]:
            operator.execute("update rules.union_contract_terms set priority = priority + 1")
        return row(conn, name, values)

    monkeypatch.setattr(pay_workers, "row", disturbed)
    run_on_workers(payroll, lambda: loaded.connect(autocommit=True), SLUG, period, 2)
    assert (calls.count("begin"), calls.count("publish")) == (2, 1)
    assert one(operator, LEFT) == (0, 0, 0)
    together = state(operator)
    run(payroll, period)
    assert state(operator) == together


def test_command(loaded: Target, operator: psycopg.Connection[Any]) -> None:
    def crewpay(*args: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "crewpay_sync", "pay", "run", "2026-07", *args],
            env={**os.environ, "DATABASE_URL": loaded.conninfo, "DIRECT_URL": ""},
            capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip

    done = crewpay("--workers", "2", "--json")
    assert done.returncode == 1, done.stderr  # findings
    (told,) = json.loads(done.stdout)["data"]
    assert told["crew"] == 20
    assert told["result_hash"] == one(operator, RUN)[5]
    assert told["first_findings"]
    assert crewpay("--workers", "2", "--crew", "E1").returncode == 2
    assert crewpay("--workers", "0").returncode == 2
