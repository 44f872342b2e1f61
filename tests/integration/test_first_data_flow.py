"""One flight, from its creation to corrected pay, by events and the scheduler alone: real ticks of pg_cron on a cluster of its own.

Flight created, crew assigned, flight completed → scenarios matched → components calculated → period aggregated → proactive check →
put right, or a discrepancy and a notification. Payroll had paid the month before the flight; what it lacks is small for ada and
large for bo.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from decimal import Decimal
from typing import Any

import pytest
from psycopg.rows import tuple_row

from crewpay_sync.database import Target
from crewpay_sync.deploy import scratch
from crewpay_sync.deploy.source import Tree
from tests.clusters import own_cluster
from tests.review_month import Month
from tests.tenants import add_airports, made_tenant

D = Decimal
CASE: dict[str, Any] = {
    "crew": {
        "ada": {"position": "FIRST_OFFICER", "rate": 30, "months": {"2013-01": {}}},
        "bo": {"position": "CAPTAIN", "rate": 200, "months": {"2013-01": {}}},
    },
    "periods": ["2013-01"],
    "terms": [
        {"code": "BLOCK", "formula": {"type": "leg_credit", "basis": "greater", "compare_at": "leg"}},
        {"code": "DELAY", "formula": {"type": "delay_pay", "over_minutes": 30, "factor": 0.5, "codes": ["MX"]}},
    ],
    "trips": [
        {"trip": f"T-{who}", "crew": who, "duties": [{"report": "2013-01-10 06:00", "release": "20:00", "legs": [
            {"leg": "JFK-LAX", "number": f"XP{n}1", "scheduled": "07:00-12:00"},
            {"leg": "LAX-JFK", "number": f"XP{n}2", "scheduled": "13:30-18:30"}]}]}
        for n, who in enumerate(("ada", "bo"), start=1)
    ],
}  # fmt: skip
# Due every minute here; nothing else runs.
FLOW = ["pay-refresh", "review-changed"]


@pytest.fixture(scope="module")
def database(tree: Tree) -> Iterator[Target]:
    with own_cluster(
        shared_preload_libraries="pg_cron",
        cron__database_name="crewpay",
        cron__use_background_workers="off",
        max_connections="40",
    ) as cluster:
        cluster.stop()
        cluster.configure(cron__host=str(cluster.home))
        cluster.start()
        yield scratch.build(cluster.target, "crewpay", tree)


@pytest.fixture
def month(database: Target) -> Iterator[Month]:
    with closing(database.connect(autocommit=True)) as conn:
        add_airports(conn)
        with made_tenant(conn, CASE) as airline:
            made = Month(airline, conn)
            made.run()
            made.pay()
            conn.execute("update ops.jobs set enabled = name = any (%s), schedule = '* * * * *'", (FLOW,))
            conn.execute("select ops.reconcile_jobs()")
            yield made


def until(month: Month, statement: str, expected: list[tuple[Any, ...]], seconds: float = 150) -> None:
    """Waits until a statement about the airline says so; what it says instead is the failure."""
    wait(lambda: month.rows(statement, month.airline.id), expected, seconds)


def wait(ask: Callable[[], Any], expected: Any, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while (found := ask()) != expected:
        assert time.monotonic() < deadline, found
        time.sleep(0.5)


def test_a_flight_from_its_creation_to_corrected_pay(month: Month) -> None:
    flight = month.call(
        "admin",
        """insert into crew.flights (enterprise_id, flight_number, origin_airport, destination_airport, scheduled_departure, scheduled_arrival)
           values (%s, 'XP900', 'JFK', 'BOS', '2013-01-22 14:00Z', '2013-01-22 15:30Z') returning id""",
        month.airline.id,
    )["id"]
    for who in ("ada", "bo"):
        month.call(
            "admin",
            """insert into crew.crew_assignments (enterprise_id, crew_member_id, flight_id, duty_start_time, duty_end_time)
               values (%s, %s, %s, '2013-01-22 13:00Z', '2013-01-22 17:00Z') returning id""",
            month.airline.id, month.airline.crew[who], flight,
        )  # fmt: skip
    month.call(
        "admin",
        """update crew.flights set status = 'ARRIVED', actual_departure = '2013-01-22 14:45Z', actual_arrival = '2013-01-22 16:20Z',
             delay_minutes = 50, delay_code = 'MX' where enterprise_id = %s and id = %s returning id""",
        month.airline.id, flight,
    )  # fmt: skip
    dirty = "select distinct m.employee_id from pay.dirty_marks d join crew.crew_members m on m.id = d.crew_member_id where d.enterprise_id = %s order by 1"
    assert month.rows(dirty, month.airline.id) == [("ada",), ("bo",)]

    # Refreshed: 95 minutes of block, and half pay for 50 minutes of a delay that the airline could control.
    until(
        month,
        """select m.employee_id, l.component::text, l.term_code, l.amount
           from pay.pay_lines l
           join crew.crew_members m on m.id = l.crew_member_id
           join crew.crew_assignments a on a.leg_no = l.node
           join crew.flights f on f.id = a.flight_id
           where l.enterprise_id = %s and l.level = 'leg' and f.flight_number = 'XP900' order by 1, 2""",
        [
            ("ada", "delay_pay", "DELAY", D("12.50")), ("ada", "flight_pay", "BLOCK", D("47.50")),
            ("bo", "delay_pay", "DELAY", D("83.33")), ("bo", "flight_pay", "BLOCK", D("316.67")),
        ],
    )  # fmt: skip
    assert month.airline.totals("ada")["flight_pay"] == D("347.50")

    # Checked: small enough for ada to be put right, too much for bo.
    until(
        month,
        """select m.employee_id, d.discrepancy_type::text, d.difference_amount, d.detected_by::text, d.resolution_status::text
           from review.discrepancies d join crew.crew_members m on m.id = d.crew_member_id
           where d.enterprise_id = %s order by 1, 2""",
        [
            ("ada", "MISSING_FLIGHT", D("47.50"), "PROACTIVE_AGENT", "RESOLVED"),
            ("ada", "MISSING_PREMIUM", D("12.50"), "PROACTIVE_AGENT", "RESOLVED"),
            ("bo", "MISSING_FLIGHT", D("316.67"), "PROACTIVE_AGENT", "OPEN"),
            ("bo", "MISSING_PREMIUM", D("83.33"), "PROACTIVE_AGENT", "OPEN"),
        ],
    )  # fmt: skip
    told = "select m.employee_id, n.notification_type::text, count(*) from notify.notifications n join crew.crew_members m on m.id = n.crew_member_id where n.enterprise_id = %s group by 1, 2 order by 1"
    assert month.rows(told, month.airline.id) == [("ada", "PROACTIVE_FIX", 2), ("bo", "DISCREPANCY", 2)]

    # What was booked is part of the pay of the next refresh.
    until(
        month,
        "select c.adjustment_amount from pay.pay_calculations c join crew.crew_members m on m.id = c.crew_member_id where c.enterprise_id = %s and m.employee_id = 'ada'",
        [(D("60.00"),)],
    )
    assert month.rows("select distinct state::text, source::text from pay.adjustments where enterprise_id = %s", month.airline.id) == [("PAID", "AUTO_FIX")]  # fmt: skip
    with month.conn.cursor(row_factory=tuple_row) as cursor:
        ran = cursor.execute("select distinct job_name, state::text from ops.job_runs where enterprise_id = %s order by 1", (month.airline.id,)).fetchall()  # fmt: skip
    assert ran == [(job, "SUCCEEDED") for job in FLOW]
