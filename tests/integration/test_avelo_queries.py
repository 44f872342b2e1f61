"""The document's example queries run exactly as written there, and give sensible rows to whoever may see them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg import sql

from crewpay_sync.database import Target
from crewpay_sync.importers.avelo import load_avelo, month_after, month_before
from crewpay_sync.tenants import act_as

PAY_HISTORY = """\
SELECT
  pp.start_date,
  pp.end_date,
  pc.flight_pay_hours,
  pc.total_gross_pay,
  pc.validated_at
FROM pay_calculations pc
JOIN pay_periods pp ON pc.pay_period_id = pp.id
WHERE pc.crew_member_id = $1
ORDER BY pp.start_date DESC
LIMIT 12;
"""

UNRESOLVED = """\
SELECT
  cm.employee_id,
  cm.first_name,
  cm.last_name,
  d.discrepancy_type,
  d.difference_amount,
  d.severity,
  d.detected_at
FROM discrepancies d
JOIN crew_members cm ON d.crew_member_id = cm.id
WHERE d.resolution_status IN ('OPEN', 'INVESTIGATING')
ORDER BY d.severity DESC, d.detected_at ASC;
"""

UTILIZATION = """\
SELECT
  cm.employee_id,
  cm.position,
  SUM(pc.flight_pay_hours) as total_hours,
  pc.guarantee_hours,
  CASE
    WHEN SUM(pc.flight_pay_hours) > pc.guarantee_hours
    THEN 'Over Guarantee'
    ELSE 'Under Guarantee'
  END as status
FROM pay_calculations pc
JOIN crew_members cm ON pc.crew_member_id = cm.id
JOIN pay_periods pp ON pc.pay_period_id = pp.id
WHERE pp.start_date >= DATE_TRUNC('month', CURRENT_DATE)
GROUP BY cm.employee_id, cm.position, pc.guarantee_hours
ORDER BY total_hours DESC;
"""

EXPLAIN = """\
EXPLAIN ANALYZE
SELECT * FROM pay_calculations
WHERE crew_member_id = $1 AND pay_period_id = $2;
"""

# Hours of the first and second half of every month of the sample.
HOURS = {
    "XP001": ("46.97", "39.82"), "XP002": ("45.15", "24.09"), "XP003": ("47.18", "34.93"), "XP101": ("46.97", "25.65"),
    "XP102": ("47.18", "34.93"), "XP103": ("45.15", "24.09"), "XP104": ("0.00", "14.17"), "XP201": ("46.97", "39.82"),
    "XP202": ("46.97", "25.65"), "XP203": ("28.35", "28.40"), "XP204": ("44.20", "23.23"), "XP205": ("42.28", "12.58"),
    "XP206": ("47.18", "34.93"), "XP207": ("47.18", "30.10"), "XP208": ("22.97", "18.02"),
}  # fmt: skip

Row = tuple[Any, ...]


@pytest.fixture(scope="module")
def today(database: Target) -> date:
    """The last day of the server's month, on which everything of the month has been flown."""
    with closing(database.connect(autocommit=True)) as conn:
        row = conn.execute("select current_date").fetchone()
    assert row
    return month_after(row[0].replace(day=1)) - timedelta(days=1)


@pytest.fixture(scope="module")
def conn(database: Target, today: date) -> Iterator[psycopg.Connection[Any]]:
    with closing(database.connect(autocommit=True)) as conn:
        load_avelo(conn, today=today)
        yield conn


@contextmanager
def as_login(conn: psycopg.Connection[Any], login: str) -> Iterator[None]:
    conn.execute(sql.SQL("set session authorization {}").format(sql.Identifier(login)))
    try:
        yield
    finally:
        conn.execute("reset session authorization")


def run(conn: psycopg.Connection[Any], login: str, statement: str, *values: object) -> list[Row]:
    """The statement, untouched, with its $1 and $2 bound by the server."""
    with as_login(conn, login), psycopg.RawCursor(conn) as cursor:
        return cursor.execute(statement.encode(), values).fetchall()


def member(conn: psycopg.Connection[Any], employee: str) -> UUID:
    row = conn.execute("select id from crew.crew_members where employee_id = %s", (employee,)).fetchone()
    assert row
    found: UUID = row[0]
    return found


def test_pay_history(conn: psycopg.Connection[Any], today: date) -> None:
    history = run(conn, "avelo_admin", PAY_HISTORY, member(conn, "XP001"))
    this = today.replace(day=1)
    months = [this, month_before(this), month_before(month_before(this))]
    assert [row[0] for row in history] == [m.replace(day=day) for m in months for day in (16, 1)]
    assert history[0][1] == today
    assert [(row[2], row[3]) for row in history] == [
        (Decimal("39.82"), Decimal("9025.90")),
        (Decimal("46.97"), Decimal("8722.79")),
    ] * 3
    assert [row[4] is None for row in history] == [True] + [False] * 5


def test_unresolved_discrepancies_list_critical_first(conn: psycopg.Connection[Any]) -> None:
    found = run(conn, "avelo_admin", UNRESOLVED)
    assert [row[:6] for row in found] == [
        ("XP203", "Hannah", "Cole", "GUARANTEE_SHORTFALL", Decimal("748.25"), "CRITICAL"),
        ("XP001", "Elena", "Marsh", "MISSING_PREMIUM", Decimal("420.65"), "HIGH"),
        ("XP103", "Tomas", "Lindgren", "PER_DIEM_ERROR", Decimal("17.01"), "MEDIUM"),
    ]
    assert found[0][6] > found[2][6]  # severity decides, not the time


def test_monthly_utilization(conn: psycopg.Connection[Any]) -> None:
    found = run(conn, "avelo_admin", UTILIZATION)
    assert {row[0]: row[2] for row in found} == {e: Decimal(a) + Decimal(b) for e, (a, b) in HOURS.items()}
    assert [row[2] for row in found] == sorted((row[2] for row in found), reverse=True)
    assert {row[0]: row[3] for row in found} == {e: 75 if e >= "XP201" else 70 for e in HOURS}
    assert {row[0] for row in found if row[4] == "Over Guarantee"} == {
        "XP001", "XP003", "XP101", "XP102", "XP201", "XP206", "XP207",
    }  # fmt: skip
    assert {row[4] for row in found} == {"Over Guarantee", "Under Guarantee"}


def test_crew_see_only_themselves(conn: psycopg.Connection[Any]) -> None:
    own, other = member(conn, "XP001"), member(conn, "XP002")
    assert len(run(conn, "avelo_xp001", PAY_HISTORY, own)) == 6
    assert run(conn, "avelo_xp001", PAY_HISTORY, other) == []
    assert [row[0] for row in run(conn, "avelo_xp001", UNRESOLVED)] == ["XP001"]
    assert run(conn, "avelo_xp201", UNRESOLVED) == []
    assert [(row[0], row[2]) for row in run(conn, "avelo_xp201", UTILIZATION)] == [
        ("XP201", Decimal("86.79"))
    ]


def test_other_enterprises_see_nothing(conn: psycopg.Connection[Any]) -> None:
    from crewpay_sync.tenants import ensure_enterprise, ensure_standard_logins

    tenant = ensure_enterprise(conn, "aveloother", "Another airline")
    ensure_standard_logins(conn, tenant, "aveloother")
    assert run(conn, "aveloother_admin", PAY_HISTORY, member(conn, "XP001")) == []
    assert run(conn, "aveloother_admin", UNRESOLVED) == []
    assert run(conn, "aveloother_admin", UTILIZATION) == []


@pytest.fixture(scope="module")
def grown(conn: psycopg.Connection[Any], today: date) -> psycopg.Connection[Any]:
    """The sample with two hundred more flight attendants and a year of half-months before it, run by the engine."""
    conn.execute(
        """
        insert into crew.crew_members (enterprise_id, employee_id, first_name, last_name, position, base_location,
          hire_date, seniority_number, base_hourly_rate)
        select e.id, 'XP' || 1000 + n, 'Extra', 'Crew ' || n, 'FLIGHT_ATTENDANT', 'BUR', '2022-01-01', 100 + n, 30
        from platform.enterprises e cross join generate_series(1, 200) n
        where e.slug = 'avelo'
        """
    )
    periods = conn.execute(
        """
        insert into pay.pay_periods (enterprise_id, start_date, end_date, contract_month)
        select e.id, m::date + h.first, case h.first when 0 then m::date + 14 else (m + interval '1 month')::date - 1 end, m::date
        from platform.enterprises e
        cross join generate_series(date_trunc('month', %(today)s::date) - interval '14 months',
          date_trunc('month', %(today)s::date) - interval '3 months', interval '1 month') m
        cross join (values (0), (15)) h (first)
        where e.slug = 'avelo'
        returning enterprise_id, id
        """,
        {"today": today},
    ).fetchall()
    with act_as(conn, "avelo", "payroll"):
        for enterprise, period in periods:
            conn.execute("select pay.run(%s, %s)", (enterprise, period))
    conn.execute("analyze pay.pay_calculations")
    return conn


def test_explain_uses_the_key_of_crew_member_and_period(grown: psycopg.Connection[Any]) -> None:
    row = grown.execute("select id from pay.pay_periods order by start_date desc limit 1").fetchone()
    assert row
    plan = "\n".join(line for (line,) in run(grown, "avelo_admin", EXPLAIN, member(grown, "XP001"), row[0]))
    assert "Index Scan using pay_calculations_crew_member_id_pay_period_id_key on pay_calculations" in plan
    assert "Seq Scan on pay_calculations" not in plan
    assert "actual time" in plan


def test_pay_history_uses_an_index_of_the_crew_member(grown: psycopg.Connection[Any]) -> None:
    plan = "\n".join(
        line for (line,) in run(grown, "avelo_admin", "EXPLAIN " + PAY_HISTORY, member(grown, "XP001"))
    )
    assert "on pay_calculations" in plan
    assert "pay_calculations_crew_member_id" in plan
    assert "Seq Scan on pay_calculations" not in plan
    assert len(run(grown, "avelo_admin", PAY_HISTORY, member(grown, "XP001"))) == 12
