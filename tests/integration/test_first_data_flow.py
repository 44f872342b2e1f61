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

import psycopg
import pytest
from psycopg.rows import tuple_row

from crewpay_sync.database import Target
from crewpay_sync.deploy import scratch
from crewpay_sync.deploy.source import Tree
from tests.clusters import own_cluster
from tests.review_month import ONE_FLIGHT, Month, fly
from tests.tenants import add_airports, made_tenant

D = Decimal
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
        with made_tenant(conn, ONE_FLIGHT) as airline:
            schedule(conn, [])
            made = Month(airline, conn)
            for period in (1, 2):
                made.run(period)
            made.pay()
            yield made


def schedule(conn: psycopg.Connection[Any], jobs: list[str]) -> None:
    """These jobs every minute, and no others."""
    conn.execute("update ops.jobs set enabled = name = any (%s), schedule = '* * * * *'", (jobs,))
    conn.execute("select ops.reconcile_jobs()")


def until(month: Month, statement: str, expected: list[tuple[Any, ...]], seconds: float = 300) -> None:
    """Waits until a statement about the airline says so; what it says instead is the failure."""
    wait(lambda: month.rows(statement, month.airline.id), expected, seconds)


def wait(ask: Callable[[], Any], expected: Any, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while (found := ask()) != expected:
        assert time.monotonic() < deadline, found
        time.sleep(0.5)


def test_a_flight_from_its_creation_to_corrected_pay(month: Month) -> None:
    fly(month)
    dirty = "select distinct m.employee_id from pay.dirty_marks d join crew.crew_members m on m.id = d.crew_member_id where d.enterprise_id = %s order by 1"
    assert month.rows(dirty, month.airline.id) == [("ada",), ("bo",)]

    # From here on nobody does anything but the scheduler.
    schedule(month.conn, FLOW)
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

    # January's result has the flight, and payroll has paid January: what it lacks comes with February.
    until(
        month,
        """select p.start_date::text, c.total_gross_pay, c.adjustment_amount
           from pay.pay_calculations c join crew.crew_members m on m.id = c.crew_member_id join pay.pay_periods p on p.id = c.pay_period_id
           where c.enterprise_id = %s and m.employee_id = 'ada' order by 1""",
        [("2013-01-01", D("360.00"), D("0.00")), ("2013-02-01", D("60.00"), D("60.00"))],
    )
    assert month.rows("select distinct state::text, source::text from pay.adjustments where enterprise_id = %s", month.airline.id) == [("PAID", "AUTO_FIX")]  # fmt: skip
    with month.conn.cursor(row_factory=tuple_row) as cursor:
        ran = cursor.execute("select distinct job_name, state::text from ops.job_runs where enterprise_id = %s and state <> 'RUNNING' order by 1", (month.airline.id,)).fetchall()  # fmt: skip
    assert ran == [(job, "SUCCEEDED") for job in FLOW]
