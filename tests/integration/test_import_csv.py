"""CSV files: every code, good rows in, refused rows kept, repetition without effect."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
from click.testing import CliRunner

from crewpay_sync.cli import cli
from crewpay_sync.database import Target
from crewpay_sync.importers.airports import load_airports
from crewpay_sync.importers.csv_files import Result, import_file
from crewpay_sync.output import CrewPayError
from crewpay_sync.tenants import act_as, ensure_enterprise, ensure_standard_logins

CREW = """employee_id,first_name,last_name,position,base_location,hire_date,seniority_number,base_hourly_rate
C1,Ann,Lee,CAPTAIN,KLGA,2001-02-03,1,210.50
C2,Bob,May,first_officer,LGA,2011-02-03,2,
"""
FLIGHTS = """flight_number,origin_airport,destination_airport,scheduled_departure,scheduled_arrival,status
XP1,LGA,KRDU,2013-06-01T10:00:00-04:00,2013-06-01T11:40:00-04:00,
XP2,RDU,LGA,2013-06-01T12:40:00-04:00,2013-06-01T14:20:00-04:00,
XP7,LGA,RDU,2013-06-02T10:00:00-04:00,2013-06-02T11:40:00-04:00,CANCELLED
"""
LEGS = """employee_id,flight_number,scheduled_departure,duty_start_time,duty_end_time
C1,XP1,2013-06-01T14:00:00Z,2013-06-01T09:00:00-04:00,2013-06-01T14:35:00-04:00
C1,XP2,2013-06-01T16:40:00Z,2013-06-01T09:00:00-04:00,2013-06-01T14:35:00-04:00
"""


@pytest.fixture(scope="module")
def conn(database: Target) -> Iterator[psycopg.Connection[Any]]:
    with closing(database.connect(autocommit=True)) as conn:
        load_airports(conn)
        tenant = ensure_enterprise(conn, "xp", "Express")
        ensure_standard_logins(conn, tenant, "xp")
        conn.execute(
            "insert into pay.pay_periods (enterprise_id, start_date, end_date, contract_month)"
            " values (%s, '2013-06-01', '2013-06-30', '2013-06-01')",
            (tenant,),
        )
        yield conn


@pytest.fixture
def load(conn: psycopg.Connection[Any], tmp_path: Path) -> Iterator[Any]:
    """Imports text as a file; what is imported is undone after the test."""

    def load(kind: str, text: str) -> Result:
        file = tmp_path / f"{kind}.csv"
        file.write_text(text, encoding="utf-8")
        return import_file(conn, kind, file, "xp")

    with conn.transaction(force_rollback=True):
        load("crew", CREW)
        load("flights", FLIGHTS)
        yield load


def codes(result: Result) -> dict[int, str]:
    return {row["row"]: row["code"] for row in result.rejects}


def one(conn: psycopg.Connection[Any], statement: str) -> Any:
    row = conn.execute(statement).fetchone()  # type: ignore[call-overload]
    assert row is not None
    return row[0] if len(row) == 1 else row


@pytest.mark.parametrize(("kind", "text"), [("crew", CREW), ("flights", FLIGHTS), ("assignments", LEGS)])
def test_repeating_a_file_changes_nothing(load: Any, kind: str, text: str) -> None:
    rows = text.count("\n") - 1
    load(kind, text)
    again = load(kind, text)
    assert (again.rows, again.inserted, again.updated, again.unchanged, again.rejected) == (
        rows,
        0,
        0,
        rows,
        0,
    )


def test_good_rows_go_in_beside_bad_ones(load: Any, conn: psycopg.Connection[Any]) -> None:
    result = load("crew", CREW.replace("C2,Bob", "C3,Eve") + "C4,Al,Po,PILOT,LGA,2011-02-30,0,1.234\n")
    assert (result.inserted, result.unchanged, result.rejected) == (1, 1, 1)
    reason = result.rejects[0]["reason"]
    assert reason.startswith('bad value: position "PILOT" (expected: CAPTAIN, FIRST_OFFICER')
    assert 'hire_date "2011-02-30" (expected: a date, 2026-07-01)' in reason
    assert 'seniority_number "0"' in reason
    assert 'base_hourly_rate "1.234" (expected: a number in range, 1234.50)' in reason
    assert one(conn, "select count(*) from crew.crew_members") == 3
    kept = "select code, data ->> 'last_name' from crew.import_rejects"
    assert one(conn, kept) == ("CP109", "Po")
    assert one(conn, "select count(*) from crew.import_rows") == 0


def test_rates_of_an_airline_that_pays_by_them_wait(load: Any, conn: psycopg.Connection[Any]) -> None:
    """Other columns go in, new crew come with their rate, and asking twice asks once."""
    rate = "select base_hourly_rate from crew.crew_members where employee_id = 'C1'"
    assert load("crew", CREW.replace("210.50", "211")).updated == 1
    assert one(conn, rate) == 211, "while it sets itself up, a file changes rates"
    conn.execute("update pay.pay_periods set status = 'CLOSED'")
    raised = CREW.replace("210.50", "250").replace("Lee", "Li") + "C3,Cy,Ng,CAPTAIN,LGA,2012-02-03,3,99\n"
    result = load("crew", raised)
    assert (result.inserted, result.updated, result.unchanged, result.rates_asked) == (1, 1, 1, 1)
    assert one(conn, rate) == 211
    assert one(conn, "select last_name from crew.crew_members where employee_id = 'C1'") == "Li"
    assert one(conn, "select base_hourly_rate from crew.crew_members where employee_id = 'C3'") == 99
    assert one(conn, "select reason from pay.rate_changes") == "import of crew.csv"
    again = load("crew", raised)
    assert (again.updated, again.unchanged) == (0, 3)
    assert one(conn, "select count(*) from pay.rate_changes") == 1
    with act_as(conn, "xp", "admin"):
        conn.execute("select pay.approve_rate_change(%s)", (result.rate_change,))
    assert one(conn, rate) == 250


def test_icao_codes_are_translated(load: Any, conn: psycopg.Connection[Any]) -> None:
    assert one(conn, "select destination_airport from crew.flights where flight_number = 'XP1'") == "RDU"
    assert one(conn, "select base_location from crew.crew_members where employee_id = 'C1'") == "LGA"


def test_every_reason_to_refuse_a_flight(load: Any) -> None:
    head = (
        "flight_number,origin_airport,destination_airport,scheduled_departure,scheduled_arrival,"
        "actual_departure,actual_arrival\n"
    )
    day = "2013-06-03T"
    result = load(
        "flights",
        head
        + f"A1,RDU,ZZZZ,{day}12:00Z,{day}14:00Z,,\n"
        + f"A2,RDU,LGA,{day}12:00Z,{day}11:00Z,,\n"
        + f"A3,RDU,LGA,{day}12:00Z,{day}14:00Z,{day}14:30Z,{day}14:00Z\n"
        + f"A4,RDU,LGA,{day}12:00Z,{day}14:00Z,,\n"
        + f"A4,RDU,LGA,{day}08:00-04:00,{day}14:00Z,,\n"
        + f"A5,RDU,LGA,{day}12:00,{day}14:00Z,,\n"
        + "A6,RDU\n",
    )
    assert codes(result) == {
        2: "CP101", 3: "CP102", 4: "CP104", 6: "CP108", 7: "CP109", 8: "CP109",
    }  # fmt: skip
    assert result.inserted == 1


def test_every_reason_to_refuse_an_assignment(load: Any) -> None:
    head = "employee_id,flight_number,scheduled_departure,duty_start_time,duty_end_time,activity,position\n"
    day = "2013-06-01T"
    result = load(
        "assignments",
        head
        + f"C1,XP1,{day}14:00Z,{day}13:00Z,{day}18:35Z,,\n"
        + f",XP1,{day}14:00Z,{day}13:00Z,{day}18:35Z,,\n"
        + f"C9,XP1,{day}14:00Z,{day}13:00Z,{day}18:35Z,,\n"
        + f"C2,XP9,{day}14:00Z,{day}13:00Z,{day}18:35Z,,\n"
        + f"C1,XP1,{day}14:00Z,{day}13:00Z,{day}18:35Z,,\n"
        + f"C1,XP2,{day}16:40Z,{day}16:00Z,{day}18:35Z,,\n"
        + f"C1,XP7,2013-06-02T14:00Z,today,{day}18:35Z,,\n"
        + f"C2,,,{day}13:00Z,{day}18:00Z,RESERVE,RESERVE\n",
    )
    assert codes(result) == {
        3: "CP105", 4: "CP106", 5: "CP107", 6: "CP108", 7: "CP103", 8: "CP109",
    }  # fmt: skip
    assert result.inserted == 2


def test_a_duty_that_overlaps_one_on_record_is_refused(load: Any) -> None:
    load("assignments", LEGS)
    text = LEGS.splitlines()[0] + "\nC1,XP7,2013-06-02T14:00Z,2013-06-01T18:00Z,2013-06-01T20:00Z\n"
    assert codes(load("assignments", text)) == {2: "CP103"}


def test_trips_are_derived_where_none_is_named(load: Any, conn: psycopg.Connection[Any]) -> None:
    load("assignments", LEGS)
    trip = "select trip_number, start_at = '2013-06-01 13:00Z', end_at = '2013-06-01 18:35Z' from crew.trips"
    assert one(conn, trip) == ("AUTO-130601-1300", True, True)
    assert one(conn, "select count(*) from crew.crew_assignments where trip_id is null") == 0


def test_trips_of_a_file(load: Any) -> None:
    head = "employee_id,trip_number,scheduled_start_at,scheduled_end_at,pickup\n"
    result = load(
        "trips",
        head
        + "C1,T1,2013-06-05T09:00Z,2013-06-06T09:00Z,open_time\n"
        + "C1,T2,2013-06-06T08:00Z,2013-06-07T09:00Z,\n"
        + "C1,T3,2013-06-08T08:00Z,2013-06-07T09:00Z,\n"
        + "C8,T4,2013-06-01T08:00Z,2013-06-01T12:00Z,\n"
        + "C2,T1,2013-06-05T09:00Z,2013-06-06T09:00Z,SOLD\n",
    )
    assert codes(result) == {3: "CP103", 4: "CP102", 5: "CP106", 6: "CP109"}


def test_payments(load: Any) -> None:
    text = (
        "reference,employee_id,period_start,component,amount,flight_number,scheduled_departure\n"
        "P1,C1,2013-06-01,flight_pay,100.25,XP1,2013-06-01T14:00Z\n"
        "P2,C1,2013-06-02,flight_pay,100.25,,\n"
        "P3,C1,2013-06-01,bonus,100.255,,\n"
        "P1,C1,2013-06-01,flight_pay,1,,\n"
    )
    result = load("payments", text)
    assert codes(result) == {3: "CP112", 4: "CP109", 5: "CP108"}
    assert load("payments", text).unchanged == 1


def test_a_later_file_may_hold_only_what_is_new(load: Any, conn: psycopg.Connection[Any]) -> None:
    text = (
        "flight_number,origin_airport,scheduled_departure,actual_departure,actual_arrival\n"
        "XP1,LGA,2013-06-01T14:00Z,2013-06-01T14:20Z,2013-06-01T16:10Z\n"
    )
    assert load("flights", text).updated == 1
    state = "select status, delay_minutes, destination_airport from crew.flights where flight_number = 'XP1'"
    assert one(conn, state) == ("ARRIVED", 30, "RDU")


def test_a_closed_period_refuses_changes_but_not_repetition(load: Any, conn: psycopg.Connection[Any]) -> None:
    load("assignments", LEGS)
    conn.execute("set local session_replication_role = replica")
    conn.execute("update pay.pay_periods set status = 'CLOSED'")
    conn.execute("set local session_replication_role = origin")
    assert load("flights", FLIGHTS).unchanged == 3
    assert load("assignments", LEGS).unchanged == 2
    assert codes(load("flights", FLIGHTS.replace("11:40", "11:50"))) == {2: "CP211", 4: "CP211"}
    assert codes(load("assignments", LEGS.replace("14:35", "14:45"))) == {2: "CP211", 3: "CP211"}
    hired = CREW.replace("C2,Bob,May,first_officer,LGA,2011-02-03", "C5,Bob,May,first_officer,LGA,2013-06-10")
    assert codes(load("crew", hired)) == {3: "CP211"}


def test_a_header_that_does_not_fit_is_refused(load: Any) -> None:
    with pytest.raises(CrewPayError) as refused:
        load("crew", "employee_id,salary\nC1,1\n")
    assert (refused.value.code, refused.value.exit_code) == ("CP925", 2)


def test_crew_may_not_import(conn: psycopg.Connection[Any]) -> None:
    conn.execute("set session authorization xp_bi")
    try:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            conn.execute("select crew.import_begin('crew', 'x')")
    finally:
        conn.execute("reset session authorization")


def test_command_exits_5_when_rows_were_refused(
    conn: psycopg.Connection[Any], dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from crewpay_sync.settings import settings

    monkeypatch.setenv("DATABASE_URL", dsn)
    monkeypatch.delenv("DIRECT_URL", raising=False)
    settings.cache_clear()
    file = tmp_path / "crew.csv"
    file.write_text(CREW.replace("KLGA", "XXXX"), encoding="utf-8")
    try:
        result = CliRunner().invoke(cli, ["import", "crew", str(file), "--enterprise", "xp"])
        assert result.exit_code == 5, result.output
        assert "CP101" in result.output
        assert one(conn, "select count(*) from crew.import_rejects") == 1
    finally:
        settings.cache_clear()
