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
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql

from crewpay_sync.database import Target
from crewpay_sync.importers.airports import load_airports
from crewpay_sync.importers.contract import load_contract
from crewpay_sync.importers.csv_files import import_file
from crewpay_sync.tenants import (
    act_as,
    ensure_enterprise,
    ensure_login,
    ensure_standard_logins,
    enterprise_id,
)
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


def test_a_contract_is_asked_for_and_applied(database: Target, leg: str, tmp_path: Path) -> None:
    """By the clerk's administrator on the command line, approved by another one."""

    def crewpay(*args: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "crewpay_sync", *args, "--enterprise", SLUG],
            env={**os.environ, "DATABASE_URL": database.conninfo, "DIRECT_URL": ""},
            capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip

    file = tmp_path / "contract.yaml"
    file.write_text(
        "terms:\n- {code: OWN_1, category: PREMIUMS, title: Own, text: Own., applies_to: [CAPTAIN], effective: 2013-01-01,\n"
        "   formula: {type: pay, level: leg, component: premium, amount: 1}}\n",
        encoding="utf-8",
    )
    refused = crewpay("contract", "load", str(file))
    assert (refused.returncode, refused.stderr[:5]) == (4, "CP320")
    asked = crewpay("contract", "load", str(file), "--ask", "agreement of May", "--json")
    assert asked.returncode == 0, asked.stderr
    change = json.loads(asked.stdout)["data"]
    assert (change["added"], change["changed"], change["reason"]) == ("1", "0", "agreement of May")
    waiting = json.loads(crewpay("pay", "rates", "--json").stdout)["data"]
    assert [(w["id"], w["change"]) for w in waiting] == [
        (change["rate_change"], "contract: 1 terms added, 0 changed")
    ]
    own = crewpay("pay", "rates", "--approve", change["rate_change"])
    assert (own.returncode, own.stderr[:5]) == (4, "CP310")
    with closing(database.connect(autocommit=True)) as conn:
        enterprise = enterprise_id(conn, SLUG)
        user = uuid4()
        conn.execute(
            "insert into platform.users (enterprise_id, id, email) values (%s, %s, 'chief@x.example')",
            (enterprise, user),
        )
        ensure_login(conn, f"{SLUG}_chief", enterprise, "admin", user=user)
        try:
            applied = crewpay("pay", "rates", "--approve", change["rate_change"], "--as", "chief", "--json")
            assert applied.returncode == 0, applied.stderr
        finally:
            conn.execute("delete from auth.principals where login = %s", (f"{SLUG}_chief",))
            conn.execute(sql.SQL("drop role {}").format(sql.Identifier(f"{SLUG}_chief")))
        assert (
            one(conn, "payroll", "select count(*) from rules.union_contract_terms where term_code = 'OWN_1'")
            == 1
        )


@pytest.mark.parametrize("role", ["agent", "bi"])
def test_others_may_not_read_it(database: Target, leg: str, role: str) -> None:
    with (
        closing(database.connect(autocommit=True)) as conn,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        one(conn, role, "select count(*) from audit.story('crew.crew_assignments', %s)", leg)
