"""Synthetic load: consistent although it goes in without triggers, and the same every time."""

from __future__ import annotations

from datetime import date
from typing import Any

import psycopg

from crewpay_sync.importers.synthetic import load_synthetic

JULY = date(2026, 7, 1)


def one(conn: psycopg.Connection[Any], statement: str) -> Any:
    row = conn.execute(statement).fetchone()  # type: ignore[call-overload]
    assert row is not None
    return row[0] if len(row) == 1 else row


def test_synthetic_load_is_consistent_and_repeatable(db: psycopg.Connection[Any]) -> None:
    first = load_synthetic(db, crew=200, month=JULY, months=2, with_contract=False)
    assert first["crew"] == 200
    assert 60 <= first["legs"] / 200 <= 100
    assert first["deadheads"] > 0
    again = load_synthetic(db, crew=200, month=JULY, months=2, with_contract=False)
    for name in ("crew", "flights", "trips", "legs", "deadheads"):
        assert again[name] == first[name]
    orphans = (
        "select count(*) from crew.crew_assignments a"
        " left join crew.flights f on f.enterprise_id = a.enterprise_id and f.id = a.flight_id"
        " left join crew.trips t on t.enterprise_id = a.enterprise_id and t.id = a.trip_id"
        " and t.crew_member_id = a.crew_member_id"
        " left join crew.crew_members m on m.enterprise_id = a.enterprise_id and m.id = a.crew_member_id"
        " where f.id is null or t.id is null or m.id is null"
        " or a.duty_start_time < t.start_at or a.duty_end_time > t.end_at or m.hire_date > a.duty_start_time::date"
    )
    assert one(db, orphans) == 0
    duties = (
        "with d as (select crew_member_id, duty_start_time as s, max(duty_end_time) as e"
        " from crew.crew_assignments group by 1, 2)"
        " select max(d.e - d.s) <= interval '16 hours', not exists (select from d a join d b"
        " using (crew_member_id) where a.s < b.s and a.e + interval '8 hours' > b.s) from d"
    )
    assert one(db, duties) == (True, True)
    assert one(db, "select count(*) from pay.pay_periods") == 2
