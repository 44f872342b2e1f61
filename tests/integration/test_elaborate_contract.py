"""The elaborate sample contract pays a synthetic airline: nothing is missing, most clauses pay, and each statement is what was stored."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import date
from typing import Any
from uuid import UUID

import psycopg
import pytest

from crewpay_sync.database import Target
from crewpay_sync.importers.contract import load_contract, sample_contract
from crewpay_sync.importers.synthetic import load_synthetic
from crewpay_sync.tenants import act_as

SLUG = "elaborate"


@pytest.fixture(scope="module")
def paid(database: Target) -> Iterator[tuple[psycopg.Connection[Any], UUID]]:
    """Forty crew members and a month, paid by the elaborate contract; the payroll clerk's session and the period."""
    with closing(database.connect(autocommit=True)) as conn:
        load_synthetic(conn, crew=40, month=date(2026, 7, 1), enterprise=SLUG, with_contract=False)
        load_contract(conn, SLUG, sample_contract().with_name("elaborate_contract.yaml"))
        row = conn.execute(
            "select p.enterprise_id, p.id from pay.pay_periods p join platform.enterprises e on e.id = p.enterprise_id"
            " where e.slug = %s",
            (SLUG,),
        ).fetchone()
        assert row is not None
        with act_as(conn, SLUG, "payroll"):
            conn.execute("select * from pay.run(%s, %s)", row)
            yield conn, row[1]


def test_nothing_is_missing(paid: tuple[psycopg.Connection[Any], UUID]) -> None:
    conn, _ = paid
    assert conn.execute("select code, count(*) from pay.run_findings group by 1").fetchall() == []


def test_most_clauses_pay_somebody(paid: tuple[psycopg.Connection[Any], UUID]) -> None:
    conn, _ = paid
    codes = {row[0] for row in conn.execute("select distinct term_code from pay.pay_lines where amount <> 0")}
    # Flying, rigs of every level, guarantees, tiers of overtime, premiums, per diem and delay pay, of pilots and of cabin crew.
    assert codes >= {
        "P_4.A", "P_4.C", "P_5.A", "P_6.C", "P_6.E", "P_6.F", "P_6.H", "P_8.A", "P_10.A", "P_12.A", "P_12.C", "P_12.D", "P_12.E",
        "P_13.B", "C_4.A", "C_4.B", "C_6.B", "C_6.D", "C_6.E", "C_7.A", "C_9.A", "C_10.A", "C_12.A", "C_12.B", "C_12.C", "C_13.A",
    }  # fmt: skip


def test_statements_are_what_was_stored(paid: tuple[psycopg.Connection[Any], UUID]) -> None:
    conn, period = paid
    crew = [
        row[0]
        for row in conn.execute(
            "select crew_member_id from pay.pay_calculations where pay_period_id = %s", (period,)
        )
    ]
    assert len(crew) == 40
    for member in crew:
        stored = conn.execute(
            "select level, term_code, quantity, amount from pay.pay_lines where crew_member_id = %s order by 1, 2, 3, 4",
            (member,),
        ).fetchall()
        shown = conn.execute(
            "select level, term_code, quantity, amount from pay.explain(%s, %s) where outcome = 'paid' order by 1, 2, 3, 4",
            (member, period),
        ).fetchall()
        assert shown == stored
