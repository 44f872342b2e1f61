"""Synthetic load for benchmarks: crews of five, six-day slots of trips, delays, deadheads, overnight flights.

Made by set-based statements in `sql/synthetic.sql` from hashes, so that the same numbers give the same rows. The rows
are consistent by construction and go in without triggers (no audit rows, no row-by-row foreign key checks), which takes
a superuser; tests check the keys afterwards.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import psycopg

from crewpay_sync.importers.airports import load_airports
from crewpay_sync.importers.contract import load_contract
from crewpay_sync.statements import query
from crewpay_sync.tenants import ensure_enterprise, ensure_standard_logins

STATEMENTS = (
    "crew", "places", "fill_places", "trips", "duties", "legs", "flights", "duty_ends", "members", "analyze_staged",
    "crew_trips", "assignments", "months", "periods",
)  # fmt: skip


def load_synthetic(
    conn: psycopg.Connection[Any],
    *,
    crew: int = 1000,
    month: date,
    months: int = 1,
    seed: int = 1,
    enterprise: str = "bench",
    with_contract: bool = True,
    step: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Loads `months` months ending with `month`: about 40 legs per crew member and month. Repeating it adds nothing.

    Returns counts of the whole enterprise and the seconds it took.
    """
    started = time.monotonic()
    first = month
    for _ in range(months - 1):
        first = (first - timedelta(days=1)).replace(day=1)
    last = (month + timedelta(days=31)).replace(day=1) - timedelta(days=1)
    with conn.transaction(), conn.cursor(row_factory=psycopg.rows.dict_row) as cursor:
        tenant = ensure_enterprise(conn, enterprise, "Bench Air")
        step("airports")
        load_airports(conn)
        values = {
            "enterprise": tenant, "key": f"{tenant}|", "crew": crew, "first": first, "last": last, "last_month": month,
            "seed": seed,
        }  # fmt: skip
        cursor.execute(query("synthetic", "no_triggers"))
        for name in STATEMENTS:
            step(name)
            cursor.execute(query("synthetic", name), values)
        cursor.execute(query("synthetic", "triggers"))
        step("logins")
        logins = ensure_standard_logins(conn, tenant, enterprise)
        if with_contract:
            step("contract")
            load_contract(conn, enterprise)
        step("analyze")
        cursor.execute(query("synthetic", "analyze"))
        counts = cursor.execute(query("synthetic", "counts"), values).fetchone() or {}
    return {
        "enterprise": enterprise, "first": first, "last": last, **counts, "seconds": round(time.monotonic() - started, 2),
        "logins": logins,
    }  # fmt: skip
