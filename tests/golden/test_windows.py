"""Window minutes in closed form against a count minute by minute, on both sides of a clock change."""

from __future__ import annotations

import datetime
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

UTC = datetime.UTC
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=UTC)
ZONES = [
    "America/New_York",
    "America/Los_Angeles",
    "America/Phoenix",
    "Europe/London",
    "Asia/Tokyo",
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
]
# Around the changes of New York and London in 2013, Lord Howe's half hour, and a day without one.
DAYS = [
    datetime.date(2013, 3, 10),
    datetime.date(2013, 11, 3),
    datetime.date(2013, 3, 31),
    datetime.date(2013, 10, 27),
    datetime.date(2013, 4, 7),
    datetime.date(2013, 1, 15),
]


def local(minute: int, zone: ZoneInfo) -> datetime.datetime:
    return (EPOCH + datetime.timedelta(minutes=minute)).astimezone(zone)


def inside(moment: datetime.datetime, first: int, last: int) -> bool:
    of_day = moment.hour * 60 + moment.minute
    return first <= of_day < last if first < last else of_day >= first or of_day < last


def zone_of(
    db: psycopg.Connection[Any], zone: str, start: datetime.datetime, end: datetime.datetime
) -> tuple[int, int, int]:
    row = db.execute(
        "select zone_offset, zone_change, zone_offset_after from crew.zone_offsets(%s, %s, %s)",
        (zone, start, end),
    ).fetchone()
    assert row is not None
    return row


@pytest.fixture(scope="module")
def conn(database: Any) -> Any:
    with database.connect() as connection:
        connection.autocommit = True
        yield connection


intervals = {
    "zone": st.sampled_from(ZONES),
    "day": st.sampled_from(DAYS),
    "offset": st.integers(-2000, 2000),
    "length": st.integers(0, 2600),
}


@given(**intervals, first=st.integers(0, 1439), last=st.integers(1, 1440))
@example(zone="America/New_York", day=DAYS[0], offset=-600, length=1000, first=1320, last=360)
@example(zone="America/New_York", day=DAYS[1], offset=-600, length=1000, first=1320, last=360)
@example(zone="America/New_York", day=DAYS[0], offset=0, length=1440, first=150, last=240)
@example(zone="America/New_York", day=DAYS[1], offset=0, length=1440, first=90, last=240)
@example(zone="America/New_York", day=DAYS[1], offset=0, length=1440, first=0, last=1440)
@example(zone="America/New_York", day=DAYS[1], offset=0, length=0, first=0, last=60)
def test_window(
    conn: Any, zone: str, day: datetime.date, offset: int, length: int, first: int, last: int
) -> None:
    if first == last:
        return  # refused when a contract is loaded
    noon = datetime.datetime.combine(day, datetime.time(12), UTC)
    start = int((noon - EPOCH).total_seconds()) // 60 + offset
    change = zone_of(conn, zone, noon - datetime.timedelta(20), noon + datetime.timedelta(20))
    got = conn.execute(
        "select rules.window_minutes(%s, %s, %s, %s, %s, %s, %s)",
        (start, start + length, first, last, *change),
    ).fetchone()
    info = ZoneInfo(zone)
    assert got == (sum(inside(local(m, info), first, last) for m in range(start, start + length)),)


@given(**intervals, first=st.integers(0, 1439), last=st.integers(1, 1440), date_offset=st.integers(-1, 1))
@example(zone="America/New_York", day=DAYS[0], offset=-700, length=1500, first=0, last=1440, date_offset=0)
@example(zone="America/New_York", day=DAYS[1], offset=-900, length=2000, first=0, last=1440, date_offset=0)
@example(zone="America/New_York", day=DAYS[0], offset=-700, length=1500, first=150, last=360, date_offset=0)
@example(zone="America/New_York", day=DAYS[1], offset=-700, length=1500, first=90, last=360, date_offset=0)
def test_window_on_a_date(
    conn: Any,
    zone: str,
    day: datetime.date,
    offset: int,
    length: int,
    first: int,
    last: int,
    date_offset: int,
) -> None:
    if first >= last:
        return  # the compiler cuts a window that wraps into two pieces
    noon = datetime.datetime.combine(day, datetime.time(12), UTC)
    start = int((noon - EPOCH).total_seconds()) // 60 + offset
    listed = day + datetime.timedelta(date_offset)
    change = zone_of(conn, zone, noon - datetime.timedelta(20), noon + datetime.timedelta(20))
    got = conn.execute(
        "select rules.date_window_minutes(%s, %s, %s, %s, %s, %s, %s, %s)",
        (start, start + length, (listed - datetime.date(1970, 1, 1)).days, first, last, *change),
    ).fetchone()
    info = ZoneInfo(zone)
    moments = (local(m, info) for m in range(start, start + length))
    assert got == (sum(m.date() == listed and inside(m, first, last) for m in moments),)


def test_unknown_end_is_unknown(conn: Any) -> None:
    assert conn.execute("select rules.window_minutes(1, null, 0, 60, 0, 2000000, 0)").fetchone() == (None,)
    assert conn.execute("select rules.date_window_minutes(null, 5, 0, 0, 60, 0, 2000000, 0)").fetchone() == (
        None,
    )
