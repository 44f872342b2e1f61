"""Lists under row-level security are read in the order of an index, with enough rows to choose otherwise."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import closing
from datetime import date
from typing import Any

import psycopg
import pytest
from psycopg import sql

from crewpay_sync.database import Target
from crewpay_sync.importers.synthetic import load_synthetic
from crewpay_sync.tenants import ensure_login, enterprise_id

SLUG = "plans"
OPEN = """select d.discrepancy_type, d.difference_amount, d.severity, d.detected_at from review.discrepancies d
          where d.resolution_status in ('OPEN', 'INVESTIGATING') order by d.severity desc, d.detected_at limit 50"""


@pytest.fixture(scope="module")
def conn(database: Target) -> Iterator[psycopg.Connection[Any]]:
    logins = {role: f"plans_{os.getpid()}_{role}" for role in ("admin", "payroll", "agent")}
    with closing(database.connect(autocommit=True)) as conn:
        load_synthetic(conn, crew=200, month=date(2026, 7, 1), months=1, enterprise=SLUG, with_contract=False)
        air = enterprise_id(conn, SLUG)
        for name, role in (("admin", "admin"), ("payroll", "payroll"), ("agent", "service_role")):
            ensure_login(conn, logins[name], air, role)  # type: ignore[arg-type]
        conn.execute("set session_replication_role = replica")
        conn.execute(
            """insert into review.discrepancies (enterprise_id, crew_member_id, pay_period_id, discrepancy_type, expected_amount,
                 actual_amount, difference_amount, severity, detected_by, detected_at, resolution_status, resolution_date, resolved_by)
               select c.enterprise_id, c.id, p.id, 'UNDERPAYMENT', n, 0, n,
                 (array['LOW', 'MEDIUM', 'HIGH', 'CRITICAL'])[1 + n % 4]::review.severity, 'SYSTEM_CHECK', now() - n * interval '1 minute',
                 case when n % 10 = 0 then 'OPEN' else 'RESOLVED' end::review.resolution_status, now(), 'clerk'
               from crew.crew_members c cross join pay.pay_periods p cross join generate_series(1, 100) n"""
        )
        conn.execute("reset session_replication_role")
        conn.execute("vacuum analyze")
        yield conn
        for login in (*logins.values(), *(f"{SLUG}_{r}" for r in ("admin", "payroll", "bi", "agent"))):
            conn.execute("delete from auth.principals where login = %s", (login,))
            conn.execute(sql.SQL("drop role {}").format(sql.Identifier(login)))


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", []):
        yield from nodes(child)


@pytest.mark.parametrize("role", ["admin", "payroll", "agent"])
def test_open_discrepancies_come_from_the_index_in_order(conn: psycopg.Connection[Any], role: str) -> None:
    conn.execute(
        sql.SQL("set session authorization {}").format(sql.Identifier(f"plans_{os.getpid()}_{role}"))
    )
    try:
        row = conn.execute(f"explain (analyze, format json) {OPEN}").fetchone()
    finally:
        conn.execute("reset session authorization")
    assert row is not None
    plan = row[0][0]["Plan"]
    found = list(nodes(plan))
    scan = next(n for n in found if n.get("Relation Name") == "discrepancies")
    assert (scan["Node Type"], scan["Index Name"]) == ("Index Scan", "discrepancies_open_idx"), json.dumps(
        plan, indent=1
    )
    assert not [n for n in found if "Sort" in n["Node Type"]], "the index gives the order"
    assert plan["Actual Rows"] == 50
    assert scan["Actual Rows"] == 50, "and is read no further than asked"
    inits = [n for n in found if n.get("Parent Relationship") == "InitPlan"]
    assert inits, "who asks is evaluated in plans of their own"
    assert all(n["Actual Loops"] <= 1 for n in inits), "once per statement, not once per row"
