"""Every check: what it must find, and what it must not. Payroll pays a small month exactly, then one thing is made wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest

from crewpay_sync.database import Target
from tests.review_month import Month, small_month

D = Decimal


def each(*done: Any) -> None:
    """Several changes in one expression."""


@pytest.fixture(scope="module")
def loaded(database: Target) -> Iterator[Month]:
    with small_month(database, "checks") as month:
        yield month


@pytest.fixture
def month(loaded: Month) -> Iterator[Month]:
    """Whatever a test does is undone."""
    with loaded.conn.transaction(force_rollback=True):
        yield loaded


def test_the_month_is_what_the_cases_assume(loaded: Month) -> None:
    """By hand: BLOCK 1:15+1:40, 4 × 1:00, 1:30+2:10, 2:30 at $120; RIG 3:05 + 2 × 2:00; night, delay, guarantee."""
    pay = loaded.airline.totals("cap")
    # legs 175 + 240 + 220 + 150 minutes; rigs 185 + 120 + 120. The duty of the 20th has 7:00, half of it is less than its legs.
    assert pay["flight_pay"] == D(175 + 240 + 220 + 150 + 185 + 240) * 2
    assert pay["premium"] == D("220")  # 90 minutes before, 130 after midnight, half of $120 on top
    assert pay["delay_pay"] == D("40")  # 40 minutes at half of $120
    assert pay["guarantee"] == D("1180")  # 30:00 − 20:10, at $120
    # fo: employed 15 of 31 days; 30:00 × 15/31 − 2:05
    assert loaded.airline.totals("fo")["guarantee"] == D("745.97")
    assert loaded.airline.totals("fa")["guarantee"] == D("837.50")  # 30:00 − 2:05 at $30


def test_what_is_paid_exactly_is_no_discrepancy(month: Month) -> None:
    month.pay()
    month.detect()
    assert month.everything() == []


def test_nor_where_payroll_names_no_flights(month: Month) -> None:
    month.pay(by_leg=False)
    month.detect()
    assert month.everything() == []


Change = Callable[[Month], None]
BY_LEG: list[tuple[str, Change, list[tuple[Any, ...]]]] = [
    ("rig not applied", lambda m: m.payment("cap", "flight_pay", amount=0),
     [("cap", "UNDERPAYMENT", "RIG_NOT_APPLIED", None, D(850), D(0))]),
    ("rig of one duty not applied", lambda m: m.payment("cap", "flight_pay", delta=-370),
     [("cap", "UNDERPAYMENT", "WRONG_WINNER", None, D(850), D(480))]),
    ("flown instead of the greater scheduled block", lambda m: m.payment("cap", "flight_pay", "XP1", amount=130),
     [("cap", "UNDERPAYMENT", "WRONG_WINNER", "XP1", D(150), D(130))]),
    ("as planned, although flown longer", lambda m: m.payment("cap", "flight_pay", "XP2", amount=160),
     [("cap", "UNDERPAYMENT", "LATE_CHANGE", "XP2", D(200), D(160))]),
    ("leg flown, not paid", lambda m: m.payment("cap", "flight_pay", "XP151", amount=0),
     [("cap", "MISSING_FLIGHT", "LEG_NOT_PAID", "XP151", D(120), D(0))]),
    ("leg paid, not flown", lambda m: m.add_payment("cap", "flight_pay", 250, "XP12", D("2.08")),
     [("cap", "MISSING_FLIGHT", "LEG_NOT_FLOWN", "XP12", D(0), D(250))]),
    ("leg of the month's last trip left to the next month", lambda m: m.payment("cap", "flight_pay", "XP7", amount=0),
     [("cap", "UNDERPAYMENT", "MONTH_BOUNDARY", "XP7", D(300), D(0))]),
    ("leg of the next month paid already", lambda m: m.add_payment("cap", "flight_pay", 280, "XP8"),
     [("cap", "OVERPAYMENT", "MONTH_BOUNDARY", "XP8", D(0), D(280))]),
    ("rate of the first year for all legs",
     lambda m: each(*[m.payment("cap", "flight_pay", f, amount=m.paid("cap", "flight_pay", f) * 3 / 4)
                for f in ("XP1", "XP2", "XP5", "XP6", "XP7", "XP151", "XP152", "XP171", "XP172")]),
     [("cap", "RATE_MISMATCH", "WRONG_LONGEVITY", None, D(1570), D("1177.50"))]),
    ("a rate nobody knows", lambda m: m.payment("fa", "flight_pay", "XP12", amount=D("64.79")),
     [("fa", "RATE_MISMATCH", "WRONG_RATE", "XP12", D("62.50"), D("64.79"))]),
    ("digits exchanged", lambda m: m.payment("fa", "flight_pay", "XP12", amount=D("26.50")),
     [("fa", "UNDERPAYMENT", "CLERICAL", "XP12", D("62.50"), D("26.50"))]),
    ("point in the wrong place", lambda m: m.payment("fa", "guarantee", amount=8375),
     [("fa", "OVERPAYMENT", "CLERICAL", None, D("837.50"), D(8375))]),
    ("night premium not paid", lambda m: m.payment("cap", "premium", "XP5", amount=0),
     [("cap", "MISSING_PREMIUM", "PREMIUM_NOT_PAID", "XP5", D(90), D(0))]),
    ("premium nobody earned", lambda m: m.add_payment("fa", "premium", D("31.25"), "XP12"),
     [("fa", "OVERPAYMENT", "PREMIUM_NOT_DUE", "XP12", D(0), D("31.25"))]),
    ("delay pay not paid", lambda m: m.payment("cap", "delay_pay", "XP6", amount=0),
     [("cap", "MISSING_PREMIUM", "PREMIUM_NOT_PAID", "XP6", D(40), D(0))]),
    ("guarantee not paid", lambda m: m.payment("fa", "guarantee", amount=0),
     [("fa", "GUARANTEE_SHORTFALL", "GUARANTEE_NOT_PAID", None, D("837.50"), D(0))]),
    ("guarantee prorated wrongly", lambda m: m.payment("fo", "guarantee", amount=D("687.90")),
     [("fo", "GUARANTEE_SHORTFALL", "GUARANTEE_PRORATION", None, D("745.97"), D("687.90"))]),
    ("guarantee of the whole month", lambda m: m.payment("fo", "guarantee", amount=1675),
     [("fo", "OVERPAYMENT", "GUARANTEE_PRORATION", None, D("745.97"), D(1675))]),
    ("per diem short", lambda m: m.payment("fa", "per_diem", amount=9),
     [("fa", "PER_DIEM_ERROR", "PER_DIEM", None, D(10), D(9))]),
    ("per diem too much", lambda m: m.payment("fa", "per_diem", amount=11),
     [("fa", "PER_DIEM_ERROR", "PER_DIEM", None, D(10), D(11))]),
    ("leg paid twice", lambda m: m.add_payment("cap", "flight_pay", 150, "XP1", D("1.25")),
     [("cap", "DUPLICATE_PAYMENT", "DUPLICATE", "XP1", D(150), D(300))]),
    ("guarantee paid twice", lambda m: m.add_payment("fa", "guarantee", D("837.50")),
     [("fa", "DUPLICATE_PAYMENT", "DUPLICATE", None, D("837.50"), D(1675))]),
    ("nothing paid to one of them",
     lambda m: each(m.conn.execute("delete from pay.payroll_payments where enterprise_id = %s and crew_member_id = %s",
                              (m.airline.id, m.airline.crew["fa"]))),
     [("fa", "UNDERPAYMENT", "NOTHING_PAID", None, D("910"), D(0))]),
    ("two errors that cancel out",
     lambda m: each(m.payment("cap", "flight_pay", "XP151", delta=-31), m.payment("cap", "flight_pay", "XP172", delta=31)) and None,
     [("cap", "RATE_MISMATCH", "WRONG_RATE", "XP151", D(120), D(89)), ("cap", "RATE_MISMATCH", "WRONG_RATE", "XP172", D(120), D(151))]),
]  # fmt: skip


@pytest.mark.parametrize(("change", "expected"), [c[1:] for c in BY_LEG], ids=[c[0] for c in BY_LEG])
def test_an_error_of_a_payroll_that_pays_by_leg(
    month: Month, change: Change, expected: list[tuple[Any, ...]]
) -> None:
    month.pay()
    change(month)
    month.detect(recompute=False)
    assert month.found() == expected


BY_SUM: list[tuple[str, Change, list[tuple[Any, ...]]]] = [
    ("all rigs missing", lambda m: m.payment("cap", "flight_pay", delta=-850),
     [("cap", "UNDERPAYMENT", "RIG_NOT_APPLIED", None, D(2420), D(1570))]),
    ("one rig missing", lambda m: m.payment("cap", "flight_pay", delta=-370),
     [("cap", "UNDERPAYMENT", "WRONG_WINNER", None, D(2420), D(2050))]),
    ("a leg missing", lambda m: m.payment("cap", "flight_pay", delta=-260),
     [("cap", "MISSING_FLIGHT", "LEG_NOT_PAID", "XP6", D(260), D(0))]),
    ("the last trip's leg missing", lambda m: m.payment("cap", "flight_pay", delta=-300),
     [("cap", "UNDERPAYMENT", "MONTH_BOUNDARY", "XP7", D(2420), D(2120))]),
    ("one night missing", lambda m: m.payment("cap", "premium", delta=-90),
     [("cap", "MISSING_PREMIUM", "PREMIUM_NOT_PAID", "XP5", D(90), D(0))]),
    ("rate of the first year", lambda m: m.payment("cap", "flight_pay", amount=1815),
     [("cap", "RATE_MISMATCH", "WRONG_LONGEVITY", None, D(2420), D(1815))]),
    ("an amount that says nothing", lambda m: m.payment("cap", "flight_pay", delta=D("-7.77")),
     [("cap", "RATE_MISMATCH", "WRONG_RATE", None, D(2420), D("2412.23"))]),
]  # fmt: skip


@pytest.mark.parametrize(("change", "expected"), [c[1:] for c in BY_SUM], ids=[c[0] for c in BY_SUM])
def test_an_error_of_a_payroll_that_pays_sums(
    month: Month, change: Change, expected: list[tuple[Any, ...]]
) -> None:
    month.pay(by_leg=False)
    change(month)
    month.detect(recompute=False)
    assert month.found() == expected


def test_a_payroll_that_paid_an_earlier_result_missed_a_late_change(month: Month) -> None:
    month.pay(by_leg=False)
    month.conn.execute(
        "update crew.flights set actual_arrival = actual_arrival + interval '20 minutes' where enterprise_id = %s and flight_number = 'XP12'",
        (month.airline.id,),
    )
    month.run(1)
    month.detect()
    # 20 minutes more at $30; the guarantee falls by as much, and the rig of the duty doesn't reach either.
    assert month.found() == [
        ("fa", "OVERPAYMENT", "LATE_CHANGE", None, D("827.50"), D("837.50")),
        ("fa", "UNDERPAYMENT", "LATE_CHANGE", None, D("72.50"), D("62.50")),
    ]


QUIET: list[tuple[str, Change]] = [
    ("nothing before the pay date",
     lambda m: (m.payment("cap", "premium", "XP5", amount=0),
                m.conn.execute("update pay.pay_periods set pay_date = current_date + 1 where id = %s", (m.period,)))),
    ("nothing before a component's own due date",
     lambda m: each(m.payment("fa", "per_diem", amount=9),
                m.conn.execute("update pay.pay_periods set pay_date = current_date - 3 where id = %s", (m.period,)),
                m.call("admin", "select platform.put_config('review.detection', '{\"due_days\": {\"per_diem\": 5}}')"))),
    ("a cent of rounding", lambda m: m.payment("cap", "premium", "XP5", delta=D("0.01"))),
    ("two trips of equal per diem, paid one by one",
     lambda m: each(m.payment("cap", "per_diem", delta=-20), m.add_payment("cap", "per_diem", 10), m.add_payment("cap", "per_diem", 10))),
    ("a check that the enterprise switched off",
     lambda m: each(m.payment("fa", "per_diem", amount=9),
                m.call("admin", "select platform.put_config('review.check.per_diem_error', '{\"enabled\": false}')"))),
    ("less than the enterprise's least amount",
     lambda m: each(m.payment("fa", "per_diem", amount=9),
                m.call("admin", "select platform.put_config('review.check.per_diem_error', '{\"min_amount\": 2}')"))),
]  # fmt: skip


@pytest.mark.parametrize("change", [c[1] for c in QUIET], ids=[c[0] for c in QUIET])
def test_no_false_alarm(month: Month, change: Change) -> None:
    month.pay()
    change(month)
    month.detect()
    assert month.everything() == []


AS_THEY_ARE: list[tuple[str, str, Change]] = [
    ("MISSING_FLIGHT", "a leg that was taken from its crew member",
     lambda m: sql(m, "update crew.crew_assignments a set retired_at = now() from crew.flights f where f.id = a.flight_id and f.flight_number = 'XP11' and a.enterprise_id = %s")),
    ("MISSING_PREMIUM", "a delay by weather, which no clause pays",
     lambda m: sql(m, "update crew.flights set delay_code = 'WX' where flight_number = 'XP6' and enterprise_id = %s")),
    ("RATE_MISMATCH", "a fifth anniversary within the period",
     lambda m: sql(m, "update crew.crew_members set hire_date = '2009-01-16' where employee_id = 'cap' and enterprise_id = %s")),
    ("PER_DIEM_ERROR", "a rate that a later version of the clause has changed",
     lambda m: sql(m, "update rules.union_contract_terms set calculation_formula = calculation_formula || '{\"rate\": 3}' where term_code = 'PER_DIEM' and enterprise_id = %s")),
    ("GUARANTEE_SHORTFALL", "somebody who leaves in the middle of the month",
     lambda m: sql(m, "update crew.crew_members set termination_date = '2013-01-15' where employee_id = 'fa' and enterprise_id = %s")),
    ("RULE_PARITY", "a clause that a later version of the same code replaced",
     lambda m: sql(m, "update rules.union_contract_terms set term_text = 'The same in other words.' where term_code = 'NIGHT' and enterprise_id = %s")),
]  # fmt: skip


def sql(month: Month, statement: str) -> None:
    assert month.conn.execute(statement, (month.airline.id,)).rowcount > 0  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("check", "what", "change"), AS_THEY_ARE, ids=[f"{c[0]}: {c[1]}" for c in AS_THEY_ARE]
)
def test_what_looks_like_it_and_is_not(check: str, what: str, change: Change, month: Month) -> None:
    """Recorded and paid as the facts are: neither that check nor any other has anything to say."""
    before = {who: month.airline.totals(who) for who in ("cap", "fo", "fa")}
    change(month)
    month.run()
    month.pay()
    month.detect()
    month.detect(recompute=False)
    assert month.everything() == []
    assert check == "RULE_PARITY" or before != {who: month.airline.totals(who) for who in before}


def test_a_payroll_that_posted_nothing_is_one_alert(month: Month) -> None:
    """Not a discrepancy for each of them; a period marked as paid is another matter."""
    month.run(2)
    month.pay()
    month.detect(period=2)
    assert month.everything() == []
    alerts = month.rows(
        "select severity::text from ops.alerts where enterprise_id = %s and alert_key like 'review.payroll_missing:%%' and state = 'OPEN'",
        month.airline.id,
    )
    assert alerts == [("HIGH",)]
