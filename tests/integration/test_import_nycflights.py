"""A real month in a real database: counts, repetition, logins, the edge of the month."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from datetime import date
from typing import Any

import psycopg
import pytest
from click.testing import CliRunner

from crewpay_sync.cli import cli
from crewpay_sync.database import Target
from crewpay_sync.importers.month import Summary, import_month
from crewpay_sync.output import CrewPayError

JANUARY = date(2013, 1, 1)


@pytest.fixture(scope="module")
def imported(database: Target) -> Iterator[tuple[psycopg.Connection[Any], Summary]]:
    with closing(database.connect(autocommit=True)) as conn:
        yield conn, import_month(conn, carrier="MQ", base="LGA", month=JANUARY)


def one(conn: psycopg.Connection[Any], statement: str) -> Any:
    row = conn.execute(statement).fetchone()  # type: ignore[call-overload]
    assert row is not None
    return row[0] if len(row) == 1 else row


def test_counts_of_the_month(imported: tuple[psycopg.Connection[Any], Summary]) -> None:
    conn, summary = imported
    assert (summary.flights, summary.cancelled, summary.diverted) == (1470, 38, 3)
    assert summary.inferred > 900
    month = "scheduled_departure at time zone 'America/New_York' >= '2013-01-01' and " \
        "scheduled_departure at time zone 'America/New_York' < '2013-02-01'"  # fmt: skip
    recorded = f"select count(*) from crew.flights where source = 'recorded' and {month}"
    assert one(conn, recorded) == 1470
    assert one(conn, f"{recorded} and status = 'ARRIVED'") == 1429
    assert one(conn, f"{recorded} and status = 'CANCELLED' and actual_departure is null") == 38
    assert one(conn, "select count(*) from crew.airports") > 7000
    assert one(conn, "select count(*) from crew.crew_members") == summary.crew
    assert one(conn, "select start_date, end_date, pay_date, status from pay.pay_periods") == (
        date(2013, 1, 1), date(2013, 1, 31), date(2013, 2, 10), "OPEN",
    )  # fmt: skip


def test_legs_lie_within_their_trip_and_duty(imported: tuple[psycopg.Connection[Any], Summary]) -> None:
    conn, _ = imported
    assert not one(
        conn,
        "select count(*) from crew.crew_assignments a join crew.trips t using (enterprise_id, crew_member_id)"
        " where t.id = a.trip_id and (a.duty_start_time < t.start_at or a.duty_end_time > t.end_at)",
    )
    assert not one(
        conn,
        "select count(*) from crew.crew_assignments a join crew.crew_assignments b"
        " using (enterprise_id, crew_member_id) where a.duty_start_time < b.duty_start_time"
        " and a.duty_end_time + interval '10 hours' > b.duty_start_time",
    )


def test_repeating_it_changes_nothing(imported: tuple[psycopg.Connection[Any], Summary]) -> None:
    conn, first = imported
    state = "select array_agg(xmin::text order by id) from crew.crew_assignments"
    before = one(conn, state)
    again = import_month(conn, carrier="MQ", base="LGA", month=JANUARY)
    assert (again.added, again.changed) == (0, 0)
    assert {k: v for k, v in again.as_dict().items() if k not in ("added", "seconds")} == {
        k: v for k, v in first.as_dict().items() if k not in ("added", "seconds")
    }
    assert one(conn, state) == before


def test_another_seed_is_refused(imported: tuple[psycopg.Connection[Any], Summary]) -> None:
    conn, _ = imported
    with pytest.raises(CrewPayError) as refused:
        import_month(conn, carrier="MQ", base="LGA", month=JANUARY, seed=2)
    assert refused.value.code == "CP926"


def test_logins_see_what_is_theirs(imported: tuple[psycopg.Connection[Any], Summary]) -> None:
    conn, summary = imported
    assert summary.logins[:4] == ["mq_admin", "mq_payroll", "mq_bi", "mq_agent"]
    captain = summary.logins[4]
    persons = "select count(distinct person_id) from auth.principals where login like 'mq\\_%'"
    assert one(conn, persons) == len(summary.logins)
    conn.execute(f"set session authorization {captain}")
    try:
        assert one(conn, "select count(*) from crew.crew_members") == 1
        assert one(conn, "select count(distinct crew_member_id) from crew.crew_assignments") == 1
    finally:
        conn.execute("reset session authorization")
    conn.execute("set session authorization mq_payroll")
    try:
        assert one(conn, "select count(*) from crew.crew_members") == summary.crew
    finally:
        conn.execute("reset session authorization")


def test_months_add_up_and_share_trips_over_the_edge(
    imported: tuple[psycopg.Connection[Any], Summary],
) -> None:
    conn, first = imported
    trips = one(conn, "select count(*) from crew.trips")
    with conn.transaction(force_rollback=True):
        second = import_month(conn, carrier="MQ", base="LGA", month=date(2013, 2, 1), with_contract=False)
        assert second.changed == 0
        assert one(conn, "select count(*) from crew.trips") == trips + second.trips
        assert one(conn, "select count(*) from pay.pay_periods") == 2
        assert one(conn, "select count(*) from crew.crew_months") == first.crew + second.crew


def test_another_enterprise_is_apart(imported: tuple[psycopg.Connection[Any], Summary]) -> None:
    conn, _ = imported
    with conn.transaction(force_rollback=True):
        other = import_month(
            conn, carrier="US", base="LGA", month=JANUARY, enterprise="us-east", with_contract=False
        )
        assert other.logins[0] == "us_east_admin"
        conn.execute("set session authorization us_east_admin")
        assert one(conn, "select count(*) from platform.enterprises") == 1
        assert one(conn, "select count(*) from crew.crew_members") == other.crew
        conn.execute("reset session authorization")


def test_command_prints_the_summary(
    imported: tuple[psycopg.Connection[Any], Summary], dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from crewpay_sync.settings import settings

    monkeypatch.setenv("DATABASE_URL", dsn)
    monkeypatch.delenv("DIRECT_URL", raising=False)
    settings.cache_clear()
    try:
        result = CliRunner().invoke(cli, ["import", "nycflights", "--json"], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        assert json.loads(result.stdout)["data"]["flights"] == 1470
        wrong = CliRunner().invoke(cli, ["import", "nycflights", "--month", "2014-01"])
        assert isinstance(wrong.exception, CrewPayError)
        assert wrong.exception.exit_code == 2
    finally:
        settings.cache_clear()
