"""A changed flight is refreshed by one job and looked at by another: in whatever order they run, also at once, and however often,
everybody is paid once, and one cause is one discrepancy."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from psycopg.rows import tuple_row

from crewpay_sync.database import Target
from tests.review_month import ONE_FLIGHT, Month, fly
from tests.tenants import Session, add_airports, made_tenant, transaction

D = Decimal
JOBS = {"R": "select pay.refresh_open_periods()::text", "D": "select review.detect_changed()", "N": "select review.detect_all()", "C": "select review.run_claims()"}  # fmt: skip


@pytest.fixture(scope="module")
def operator(database: Target) -> Iterator[psycopg.Connection[Any]]:
    with closing(database.connect(autocommit=True)) as conn:
        add_airports(conn)
        yield conn


@pytest.fixture
def month(operator: psycopg.Connection[Any]) -> Iterator[Month]:
    with made_tenant(operator, ONE_FLIGHT) as airline:
        made = Month(airline, operator)
        for period in (1, 2):
            made.run(period)
        made.pay()
        yield made


def job(month: Month, which: str, conn: psycopg.Connection[Any] | None = None) -> str:
    """What a job calls, as the scheduler's login; within the caller's transaction if it has begun one."""
    conn = conn or month.conn
    with conn.transaction(), conn.cursor(row_factory=tuple_row) as cursor:
        cursor.execute("set local session authorization crewpay_jobs")
        cursor.execute("select set_config('app.current_enterprise_id', %s, true)", (str(month.airline.id),))
        row = cursor.execute(JOBS[which]).fetchone()  # type: ignore[call-overload]
        cursor.execute("set local session authorization default")
        cursor.execute("select set_config('app.current_enterprise_id', '', true)")
    assert row is not None
    return str(row[0])


def settle(month: Month) -> None:
    for which in "RDRDRDN":
        job(month, which)


FOUND = """select m.employee_id, d.discrepancy_type::text, d.basis::text, d.difference_amount, d.resolution_status::text
           from review.discrepancies d join crew.crew_members m on m.id = d.crew_member_id where d.enterprise_id = %s order by 1, 2, 3, 4"""
BOOKED = "select a.amount, a.state::text, p.start_date::text from pay.adjustments a join pay.pay_periods p on p.id = a.pay_period_id where a.enterprise_id = %s order by 1"
TOLD = "select m.employee_id, n.notification_type::text, count(*) from notify.notifications n join crew.crew_members m on m.id = n.crew_member_id where n.enterprise_id = %s group by 1, 2 order by 1, 2"
OWED = "select p.start_date::text, c.total_gross_pay from pay.pay_calculations c join pay.pay_periods p on p.id = c.pay_period_id join crew.crew_members m on m.id = c.crew_member_id where c.enterprise_id = %s and m.employee_id = %s order by 1"


def paid_once(month: Month) -> None:
    """January owes ada $300 + $60 and payroll has paid $300: the rest comes with February, once."""
    enterprise = month.airline.id
    assert month.rows(FOUND, enterprise) == [
        ("ada", "MISSING_FLIGHT", "PAID", D("47.50"), "RESOLVED"),
        ("ada", "MISSING_PREMIUM", "PAID", D("12.50"), "RESOLVED"),
        ("bo", "MISSING_FLIGHT", "PAID", D("316.67"), "OPEN"),
        ("bo", "MISSING_PREMIUM", "PAID", D("83.33"), "OPEN"),
    ]
    assert month.rows(BOOKED, enterprise) == [
        (D("12.50"), "PAID", "2013-02-01"),
        (D("47.50"), "PAID", "2013-02-01"),
    ]
    assert month.rows(TOLD, enterprise) == [("ada", "PROACTIVE_FIX", 2), ("bo", "DISCREPANCY", 2)]
    assert month.rows(OWED, enterprise, "ada") == [("2013-01-01", D(360)), ("2013-02-01", D(60))]
    assert month.rows(OWED, enterprise, "bo") == [("2013-01-01", D(2400)), ("2013-02-01", D(0))]


@pytest.mark.parametrize("order", ["RD", "DR", "DDR", "RDD", "RRD", "NR", "RN", "DRDR", "DND"])
def test_in_any_order_everybody_is_paid_once(order: str, month: Month) -> None:
    fly(month)
    for which in order:
        job(month, which)
    settle(month)
    paid_once(month)
    before = month.everything()
    settle(month)
    paid_once(month)
    assert month.everything() == before


@pytest.mark.parametrize(("first", "second"), ["RD", "DR", "DD", "RR"])
def test_at_once_in_two_sessions(first: str, second: str, month: Month, database: Target) -> None:
    """The second runs to its end while the first has done its work and not committed it."""
    fly(month)
    other = Session(database)
    with closing(other.conn), closing(database.connect(autocommit=True)) as held, transaction(held):
        job(month, first, held)
        other.start(lambda conn: job(month, second, conn))
        if first == second == "D":
            other.wait_until_blocked(held, month.conn)
            held.execute("commit")
            assert other.finish() is None
        else:
            assert other.finish() is None
            held.execute("commit")
    settle(month)
    paid_once(month)


@pytest.mark.parametrize(("first", "second"), ["RD", "DR"])
def test_the_first_gives_up(first: str, second: str, month: Month, database: Target) -> None:
    fly(month)
    with closing(database.connect(autocommit=True)) as held, transaction(held):
        job(month, first, held)
        job(month, second)
        held.execute("rollback")
    settle(month)
    paid_once(month)


CLAIM = "select * from review.submit_claim(%s, 'UNDERPAYMENT', %s, 'XP900 of the 22nd is missing.', '{XP900 2013-01-22}', p_employee => 'ada')"


def claims(month: Month) -> None:
    month.call("admin", "select platform.put_config('review.claims', '{\"claim_days\": 10000}')")
    month.call("payroll", CLAIM, month.period, 60)


@pytest.mark.parametrize("order", ["CRD", "CDR", "RCD", "RDC", "DCR", "DRC"])
def test_a_claim_for_the_same_is_not_paid_beside_the_correction(order: str, month: Month) -> None:
    """Whichever of them comes first pays $60 with February; the other finds it made good."""
    fly(month)
    claims(month)
    for which in order:
        job(month, which)
    settle(month)
    booked = month.rows(BOOKED, month.airline.id)
    assert (sum(b[0] for b in booked), {b[1:] for b in booked}) == (D(60), {("PAID", "2013-02-01")})
    assert month.rows(OWED, month.airline.id, "ada") == [("2013-01-01", D(360)), ("2013-02-01", D(60))]
    open_ones = "select count(*) from review.discrepancies d join crew.crew_members m on m.id = d.crew_member_id where d.enterprise_id = %s and m.employee_id = 'ada' and d.resolution_status not in ('RESOLVED', 'CLOSED')"
    assert month.rows(open_ones, month.airline.id) == [(0,)]


@pytest.mark.parametrize("order", ["CR", "RC"])
def test_a_claim_before_payroll_has_paid_is_paid_by_the_result(order: str, month: Month) -> None:
    """The flight is part of January's result, which payroll has yet to pay: an adjustment would pay it twice."""
    month.conn.execute("delete from pay.payroll_payments where enterprise_id = %s", (month.airline.id,))
    fly(month)
    claims(month)
    for which in order:
        job(month, which)
    settle(month)
    assert month.rows(BOOKED, month.airline.id) == []
    assert month.rows(OWED, month.airline.id, "ada") == [("2013-01-01", D(360)), ("2013-02-01", D(0))]
    assert month.rows("select status::text from review.claims where enterprise_id = %s", month.airline.id) == [("UNDER_REVIEW",)]  # fmt: skip


@pytest.mark.parametrize("meanwhile", ["", "R"], ids=["not refreshed", "refreshed"])
def test_facts_that_change_while_detection_looks(meanwhile: str, month: Month, database: Target) -> None:
    """Detection has begun and waits, before it recalculates, for the payments: what changes then is left to the next one."""
    other = Session(database)
    with closing(other.conn), closing(database.connect(autocommit=True)) as held, transaction(held):
        held.execute("lock table pay.payroll_payments in access exclusive mode")
        other.start(lambda conn: job(month, "N", conn))
        other.wait_until_blocked(held, month.conn)
        fly(month)
        for which in meanwhile:
            job(month, which)
        held.execute("commit")
        assert other.finish() is None
    assert month.rows(FOUND, month.airline.id) == []
    settle(month)
    paid_once(month)
