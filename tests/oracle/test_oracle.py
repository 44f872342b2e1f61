"""Real months, made hard, computed twice: by the engine, and by plain arithmetic from the clauses. They agree to the cent."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg import sql

from crewpay_sync.database import Target
from crewpay_sync.importers.month import import_month
from crewpay_sync.tenants import act_as, enterprise_id
from tests.oracle import facts, sample_pay
from tests.oracle.sample_pay import Key, Line

HARD = (Path(__file__).parent / "hard_month.sql").read_text(encoding="utf-8")
LINES = """
select m.employee_id, l.term_code, l.level, l.node, l.quantity, l.amount
from pay.pay_lines as l
join crew.crew_members as m on m.enterprise_id = l.enterprise_id and m.id = l.crew_member_id
where l.enterprise_id = %s and l.pay_period_id = %s and (l.quantity, l.amount) <> (0, 0)
"""
TOTALS = """
select m.employee_id, c.total_gross_pay
from pay.pay_calculations as c
join crew.crew_members as m on m.enterprise_id = c.enterprise_id and m.id = c.crew_member_id
where c.enterprise_id = %s and c.pay_period_id = %s
"""
long = pytest.mark.long


class HardMonth:
    """A month of a carrier at a base, its facts spoiled before anybody computed it."""

    def __init__(self, conn: psycopg.Connection[Any], carrier: str, base: str, month: date) -> None:
        self.conn, self.month = conn, month
        self.slug = f"oracle-{carrier.lower()}"
        self.logins = import_month(conn, carrier=carrier, base=base, month=month, enterprise=self.slug).logins
        self.enterprise: UUID = enterprise_id(conn, self.slug)
        with conn.transaction():
            for name, value in (("enterprise", str(self.enterprise)), ("month", month.isoformat())):
                conn.execute("select set_config(%s, %s, true)", (f"hard.{name}", value))
            conn.execute(HARD)

    def drop_logins(self) -> None:
        self.conn.execute("delete from auth.principals where enterprise_id = %s", (self.enterprise,))
        for login in self.logins:
            self.conn.execute(sql.SQL("drop role if exists {}").format(sql.Identifier(login)))

    def halve(self) -> None:
        """Two periods instead of one."""
        middle = self.month + timedelta(14)
        self.conn.execute(
            "update pay.pay_periods set end_date = %s where enterprise_id = %s", (middle, self.enterprise)
        )
        self.conn.execute(
            "insert into pay.pay_periods (enterprise_id, start_date, end_date, contract_month)"
            " select enterprise_id, %s, %s, contract_month from pay.pay_periods where enterprise_id = %s",
            (
                middle + timedelta(1),
                (self.month + timedelta(31)).replace(day=1) - timedelta(1),
                self.enterprise,
            ),
        )

    def periods(self) -> list[tuple[UUID, date, date]]:
        return self.conn.execute(
            "select id, start_date, end_date from pay.pay_periods where enterprise_id = %s order by 2", (self.enterprise,)
        ).fetchall()  # fmt: skip

    def computed(self, period: UUID) -> tuple[dict[Key, Line], dict[str, int]]:
        """What the engine says: lines, and the cents of each crew member."""
        with act_as(self.conn, self.slug, "payroll"):
            self.conn.execute("select pay.run(%s, %s)", (self.enterprise, period))
        lines = {
            (employee, term, level, node): Line(Fraction(quantity), int(amount * 100))
            for employee, term, level, node, quantity, amount in self.conn.execute(LINES, (self.enterprise, period))
        }  # fmt: skip
        totals: dict[str, Decimal] = dict(self.conn.execute(TOTALS, (self.enterprise, period)).fetchall())
        return lines, {employee: int(total * 100) for employee, total in totals.items()}


@contextmanager
def hard_month(database: Target, carrier: str, base: str, month: date) -> Iterator[HardMonth]:
    with closing(database.connect(autocommit=True)) as conn:
        made = HardMonth(conn, carrier, base, month)
        try:
            yield made
        finally:
            made.drop_logins()


def close(one: Line | None, other: Line | None) -> bool:
    """To the cent; quantities are kept with nine digits or more."""
    return bool(
        one and other and one.cents == other.cents and abs(one.quantity - other.quantity) < Fraction(1, 10**6)
    )


def differences(one: dict[Key, Line], other: dict[Key, Line]) -> list[tuple[Key, Line | None, Line | None]]:
    return [(key, one.get(key), other.get(key)) for key in sorted(one | other) if not close(one.get(key), other.get(key))]  # fmt: skip


def compare(month: HardMonth) -> int:
    """How many lines agree; fails with the first that don't."""
    crew = facts.read(month.conn, month.enterprise, month.month)
    count = 0
    for period, first, last in month.periods():
        expected = sample_pay.pay(crew, month.month, first, last)
        lines, totals = month.computed(period)
        assert differences(expected, lines)[:5] == []
        cents: dict[str, int] = defaultdict(int)
        for (employee, *_), line in expected.items():
            cents[employee] += line.cents
        assert {employee: total for employee, total in totals.items() if total} == {
            employee: total for employee, total in cents.items() if total
        }
        count += len(lines)
    return count


@pytest.mark.parametrize(
    ("carrier", "base", "month", "halves", "at_least"),
    [
        pytest.param("9E", "JFK", date(2013, 7, 1), False, 8000, id="July, with Independence Day"),
        pytest.param("MQ", "LGA", date(2013, 3, 1), True, 15000, id="March, when clocks change, in halves"),
        pytest.param("DL", "LGA", date(2013, 12, 1), False, 30000, id="December", marks=long),
        pytest.param("B6", "JFK", date(2013, 11, 1), True, 50000, id="November, when clocks change, in halves", marks=long),
        pytest.param("UA", "EWR", date(2013, 5, 1), False, 60000, id="May, with Memorial Day", marks=long),
        pytest.param("EV", "EWR", date(2013, 2, 1), True, 35000, id="February in halves", marks=long),
    ],
)  # fmt: skip
def test_a_second_calculation_agrees(
    database: Target, carrier: str, base: str, month: date, halves: bool, at_least: int
) -> None:
    with hard_month(database, carrier, base, month) as hard:
        if halves:
            hard.halve()
        assert compare(hard) >= at_least


def test_it_would_notice(database: Target) -> None:
    """A cent, a minute, a line too many or too few: none passes."""
    with hard_month(database, "WN", "LGA", date(2013, 11, 1)) as hard:
        period, first, last = hard.periods()[0]
        lines, _ = hard.computed(period)
        crew = facts.read(hard.conn, hard.enterprise, hard.month)
    expected = sample_pay.pay(crew, hard.month, first, last)
    assert differences(expected, lines) == []
    for key in [next(k for k in lines if k[2] == level) for level in ("leg", "duty", "trip", "month")]:
        line = lines[key]
        for changed in (replace(line, cents=line.cents + 1), replace(line, quantity=line.quantity + 1), None):
            spoiled = {k: v for k, v in lines.items() if k != key} | ({key: changed} if changed else {})
            assert [d[0] for d in differences(expected, spoiled)] == [key]
        assert [d[0] for d in differences({k: v for k, v in expected.items() if k != key}, lines)] == [key]
