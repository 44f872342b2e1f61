"""The life of a leg: imported, paid, approved, closed, corrected, reopened, and read back as one story."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from crewpay_sync.database import Target
from crewpay_sync.importers.airports import load_airports
from crewpay_sync.importers.contract import load_contract
from crewpay_sync.importers.csv_files import import_file
from crewpay_sync.tenants import act_as, ensure_enterprise, ensure_standard_logins
from tests.integration.test_import_csv import CREW, FLIGHTS, LEGS

SLUG = f"life{os.getpid()}"
ADMIN, CLERK = f"Administrator of {SLUG} ({SLUG}_admin)", f"Payroll clerk of {SLUG} ({SLUG}_payroll)"


def one(conn: psycopg.Connection[Any], role: str, statement: str, *values: Any) -> Any:
    with act_as(conn, SLUG, role):
        row = conn.execute(statement, values).fetchone()  # type: ignore[call-overload]
    assert row is not None
    return row[0]


@pytest.fixture(scope="module")
def leg(database: Target, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with closing(database.connect(autocommit=True)) as conn:
        load_airports(conn)
        enterprise = ensure_enterprise(conn, SLUG, SLUG)
        logins = ensure_standard_logins(conn, enterprise, SLUG)
        conn.execute(
            "insert into pay.pay_periods (enterprise_id, start_date, end_date, contract_month)"
            " values (%s, '2013-06-01', '2013-06-30', '2013-06-01')", (enterprise,),
        )  # fmt: skip
        load_contract(conn, SLUG)
        folder = tmp_path_factory.mktemp("files")
        for kind, text in (("crew", CREW), ("flights", FLIGHTS), ("assignments", LEGS)):
            file: Path = folder / f"{kind}.csv"
            file.write_text(text, encoding="utf-8")
            assert import_file(conn, kind, file, SLUG).rejected == 0
        key = str(one(conn, "payroll", "select id from crew.crew_assignments order by flight_id, id limit 1"))
        period = one(conn, "payroll", "select id from pay.pay_periods")
        run = one(conn, "payroll", "select (pay.run(auth.enterprise_id(), %s)).id", period)
        one(conn, "admin", "select (pay.approve_run(%s, 'June looks right')).id", run)
        one(conn, "payroll", "select (pay.close_period(%s)).id", period)
        correction = one(
            conn, "payroll", "select (crew.correct('crew.crew_assignments', %s, %s, 'released later, gate log')).id",
            key, json.dumps({"duty_end_time": "2013-06-01T15:05:00-04:00"}),
        )  # fmt: skip
        one(conn, "admin", "select (crew.approve_correction(%s, 'seen the log')).id", correction)
        one(conn, "payroll", "select (pay.request_reopen(%s, 'the release of C1')).id", period)
        one(conn, "admin", "select (pay.approve_reopen(%s)).id", period)
        yield key
        for login in logins:
            conn.execute("delete from auth.principals where login = %s", (login,))
            conn.execute(sql.SQL("drop role {}").format(sql.Identifier(login)))


def told(database: Target, *args: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "crewpay_sync", "audit", "history", *args, "--enterprise", SLUG],
        env={**os.environ, "DATABASE_URL": database.conninfo, "DIRECT_URL": ""},
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_life_of_a_leg_is_one_story(database: Target, leg: str) -> None:
    story = told(database, "crew.crew_assignments", leg)
    month = "pay period 2013-06-01 to 2013-06-30"
    heads = [line.split("Z  ", 1)[1] for line in story.splitlines() if re.match(r"\d{4}-", line)]
    assert heads == [
        f"{CLERK} made it: import of assignments.csv",
        f"{CLERK} changed it: import of assignments.csv",  # its trip is derived
        f"{CLERK} changed the pay run of the {month}",
        f"{ADMIN} approved the pay run of the {month}: June looks right",
        f"{CLERK} changed the {month}",
        f"{CLERK} made the correction: released later, gate log",
        f"{CLERK} asked to approve the correction: released later, gate log",
        f"{ADMIN} approved the correction: released later, gate log",
        f"{ADMIN} changed it: released later, gate log",
        f"{CLERK} asked to approve the reopening of the {month}: the release of C1",
        f"{ADMIN} approved the reopening of the {month}: the release of C1",
        f"{ADMIN} changed the {month}: the release of C1",
        f"{ADMIN} took back the approval of the pay run of the {month}: the release of C1",
    ]
    assert "    status: OPEN → CLOSED\n" in story
    assert "    status: CLOSED → OPEN\n" in story
    assert "    duty_end_time: 2013-06-01T18:35:00+00:00 → 2013-06-01T19:05:00+00:00\n" in story
    assert "    decision_reason: nothing → seen the log\n" in story


def test_alone_it_has_its_own_changes_only(database: Target, leg: str) -> None:
    entries = json.loads(told(database, "crew.crew_assignments", leg, "--alone", "--json"))["data"]
    assert [(e["action"], e["about"]) for e in entries] == [
        ("CREATED", None), ("UPDATED", None), ("UPDATED", None),
    ]  # fmt: skip


def test_the_story_of_a_period_names_who_moved_it(database: Target, leg: str) -> None:
    with closing(database.connect(autocommit=True)) as conn:
        period = str(one(conn, "payroll", "select id from pay.pay_periods"))
    entries = json.loads(told(database, "pay.pay_periods", period, "--json"))["data"]
    moves = [
        (e["actor"], e["changes"]["status"])
        for e in entries
        if e["about"] is None and "status" in e["changes"] and e["action"] == "UPDATED"
    ]
    assert moves == [(f"{SLUG}_payroll", ["OPEN", "CLOSED"]), (f"{SLUG}_admin", ["CLOSED", "OPEN"])]


def test_a_raise_is_in_the_crew_member_s_story(database: Target, leg: str) -> None:
    with closing(database.connect(autocommit=True)) as conn:
        change = one(conn, "payroll", "select (pay.request_rates('{\"C1\": 222}', 'step of July')).id")
        one(conn, "admin", "select (pay.approve_rate_change(%s)).id", change)
        crew = str(one(conn, "payroll", "select id from crew.crew_members where employee_id = 'C1'"))
    story = told(database, "crew.crew_members", crew)
    assert f"{CLERK} made the rate change: step of July\n" in story
    assert f"{ADMIN} changed it: step of July\n    base_hourly_rate: 210.5 → 222.0\n" in story


@pytest.mark.parametrize("role", ["agent", "bi"])
def test_others_may_not_read_it(database: Target, leg: str, role: str) -> None:
    with (
        closing(database.connect(autocommit=True)) as conn,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        one(conn, role, "select count(*) from audit.story('crew.crew_assignments', %s)", leg)
