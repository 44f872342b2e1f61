"""The facts of a month as they stand in the tables: what the second calculation starts from."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import psycopg
from psycopg.rows import dict_row

CREW = """
select m.id, m.employee_id, m.position::text, m.hire_date, m.termination_date, b.time_zone, coalesce(u.unpaid_days, 0) as unpaid_days
from crew.crew_members as m
join crew.airports as b on b.iata = m.base_location
left join crew.crew_months as u on u.enterprise_id = m.enterprise_id and u.crew_member_id = m.id and u.month = %(month)s
where m.enterprise_id = %(enterprise)s
"""
ASSIGNMENTS = """
select a.crew_member_id, a.leg_no, a.trip_id, a.position::text, a.duty_start_time, a.duty_end_time, a.flight_id,
  f.status::text, f.delay_minutes, f.delay_code, f.scheduled_departure, f.scheduled_arrival, f.actual_departure, f.actual_arrival, o.time_zone
from crew.crew_assignments as a
left join crew.flights as f on f.enterprise_id = a.enterprise_id and f.id = a.flight_id
left join crew.airports as o on o.iata = f.origin_airport
where a.enterprise_id = %(enterprise)s and a.retired_at is null
"""
TRIPS = "select crew_member_id, id, trip_no, start_at, end_at from crew.trips where enterprise_id = %(enterprise)s"


@dataclass(frozen=True)
class Leg:
    """A leg as planned and as flown; times flown are None where the leg was cancelled or they are not known."""

    no: int
    deadhead: bool
    cancelled: bool
    planned: tuple[datetime, datetime]
    flown: tuple[datetime, datetime] | None
    delay_minutes: int
    delay_code: str | None
    origin: ZoneInfo

    @property
    def departure(self) -> datetime:
        return (self.flown or self.planned)[0]


@dataclass
class Duty:
    report: datetime
    release: datetime
    legs: list[Leg] = field(default_factory=list)


@dataclass
class Trip:
    no: int
    start: datetime
    end: datetime
    duties: list[Duty] = field(default_factory=list)


@dataclass
class Member:
    employee_id: str
    position: str
    hired: date
    left: date | None
    base: ZoneInfo
    unpaid_days: int
    duties: list[Duty] = field(default_factory=list)
    trips: list[Trip] = field(default_factory=list)


def minutes(start: datetime, end: datetime) -> int:
    whole, rest = divmod(int((end - start).total_seconds()), 60)
    assert not rest
    return whole


def each_minute(start: datetime, end: datetime) -> Iterator[datetime]:
    """Every minute of a time, by its beginning."""
    for n in range(minutes(start, end)):
        yield start + timedelta(minutes=n)


def _leg(row: dict[str, Any]) -> Leg:
    flown = (row["actual_departure"], row["actual_arrival"])
    cancelled = row["status"] == "CANCELLED"
    return Leg(
        no=row["leg_no"],
        deadhead=row["position"] == "DEADHEAD",
        cancelled=cancelled,
        planned=(row["scheduled_departure"], row["scheduled_arrival"]),
        flown=None if cancelled or None in flown else flown,
        delay_minutes=row["delay_minutes"],
        delay_code=row["delay_code"],
        origin=ZoneInfo(row["time_zone"]),
    )


def _duties(rows: list[dict[str, Any]]) -> dict[datetime, tuple[Duty, UUID | None]]:
    """Assignments with the same report are one duty."""
    found: dict[datetime, tuple[Duty, UUID | None]] = {}
    for row in rows:
        report = row["duty_start_time"]
        duty, trip = found.setdefault(report, (Duty(report, row["duty_end_time"]), row["trip_id"]))
        assert (duty.release, trip) == (row["duty_end_time"], row["trip_id"])
        if row["flight_id"]:
            duty.legs.append(_leg(row))
    return found


def read(conn: psycopg.Connection[Any], enterprise: UUID, month: date) -> list[Member]:
    """All crew members of an enterprise with whatever they ever did, and their unpaid days of the month."""
    given = {"enterprise": enterprise, "month": month}
    with conn.cursor(row_factory=dict_row) as cursor:
        crew = cursor.execute(CREW, given).fetchall()
        assignments = defaultdict(list)
        for row in cursor.execute(ASSIGNMENTS, given).fetchall():
            assignments[row["crew_member_id"]].append(row)
        trips = defaultdict(list)
        for row in cursor.execute(TRIPS, given).fetchall():
            trips[row["crew_member_id"]].append(row)
    members = []
    for row in crew:
        member = Member(
            row["employee_id"], row["position"], row["hire_date"], row["termination_date"], ZoneInfo(row["time_zone"]), row["unpaid_days"],
        )  # fmt: skip
        of_trip = {t["id"]: Trip(t["trip_no"], t["start_at"], t["end_at"]) for t in trips[row["id"]]}
        for duty, trip in _duties(assignments[row["id"]]).values():
            member.duties.append(duty)
            if trip:
                of_trip[trip].duties.append(duty)
        member.trips = list(of_trip.values())
        members.append(member)
    return members


def epoch_minute(time: datetime) -> int:
    """How a duty is told: by its report."""
    return minutes(datetime(1970, 1, 1, tzinfo=UTC), time)
