"""Spans: the periods of a month add up to the month, those of a quarter to the quarter, whatever the order of input."""

from __future__ import annotations

import copy
import datetime
import random
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

# Months that begin on 1 January, 1 February and 1 March 2013; the quarter's last month holds the clock change.
CONTRACT: dict[str, Any] = {
    "S_3": {"type": "leg_credit", "basis": "greater", "factors": {"DEADHEAD": 0.5}},
    "S_5": {"type": "monthly_guarantee", "hours": 12, "proration": "calendar_days"},
    "S_6": {"type": "duty_rig", "ratio": 2},
    "S_7.0": {"type": "measure", "name": "counted", "level": "month", "basis": "block", "cap": 8},
    "S_7": {"type": "pay", "level": "quarter", "basis": "counted", "beyond": 6, "per_hour": 4.37},
    "S_8": {"type": "credit", "level": "month", "basis": "block", "factor": 1.25},
    "S_10": {"type": "overtime", "threshold_hours": 9, "multiplier": 1.5},
    "S_11": {"type": "overtime", "threshold_hours": 11, "per_hour": 3.33, "level": "quarter"},
    "S_12": {"type": "pay", "level": "year", "value": {"min": [{"var": "legs"}, 5]}, "per_unit": 7},
    "S_13": {"type": "pay", "level": "month", "amount": {"*": [0.07, {"var": "block"}]}, "when": {">": [{"var": "block"}, 100]}},
}  # fmt: skip
MONTHS = ["2013-01", "2013-02", "2013-03"]
HALVES = [
    (f"2013-{month:02}-{first:02}", f"2013-{month:02}-{last:02}")
    for month, end in ((1, 31), (2, 28), (3, 31))
    for first, last in ((1, 10), (11, 15), (16, end))
]


@st.composite
def quarters(draw: st.DrawFn) -> dict[str, Any]:
    """Two crew members with up to six duties in a quarter, one of them hired or leaving within it."""
    duties = []
    for crew in "AB":
        for day in draw(st.lists(st.integers(0, 89), max_size=6, unique=True)):
            start = datetime.datetime(2013, 1, 1, 6) + datetime.timedelta(
                day, minutes=draw(st.integers(0, 1100))
            )
            block = draw(st.integers(20, 260))
            out = start + datetime.timedelta(minutes=60)
            into = out + datetime.timedelta(minutes=block)
            duties.append({
                "crew": crew, "report": f"{start:%Y-%m-%d %H:%M}Z", "release": f"{into + datetime.timedelta(minutes=15):%Y-%m-%d %H:%M}Z",
                "legs": [{"leg": "JFK-BOS", "scheduled": f"{out:%Y-%m-%d %H:%M}Z to {into + datetime.timedelta(minutes=draw(st.integers(0, 30))):%Y-%m-%d %H:%M}Z",
                          "actual": f"{out:%Y-%m-%d %H:%M}Z to {into:%Y-%m-%d %H:%M}Z", "as": draw(st.sampled_from(["OPERATING", "DEADHEAD"]))}],
            })  # fmt: skip
    hired = draw(st.sampled_from(["2005-01-01", "2013-01-20", "2013-02-16"]))
    return {
        "crew": {"A": {"rate": 61.37}, "B": {"rate": 47.11, "hired": hired}},
        "terms": CONTRACT,
        "duties": [d for d in duties if d["crew"] == "A" or d["report"] >= f"{hired} 12:00"],
    }


def paid(airlines: Callable[[], Any], case: dict[str, Any], periods: list[Any]) -> dict[str, Any]:
    """Per crew member and component: the money of all periods; every result equal to its lines and its statement."""
    airline = airlines()
    airline.build({**case, "periods": periods})
    airline.load(airline.contract(case))
    sums: dict[str, Any] = {}
    for number in range(1, len(periods) + 1):
        airline.run(number)
        for crew in airline.crew:
            found = airline.conn.execute(
                "select 1 from pay.pay_calculations where crew_member_id = %s and pay_period_id = %s",
                (airline.crew[crew], airline.periods[number - 1]),
            ).fetchone()
            if found is None:
                continue
            totals = airline.totals(crew, number)
            lines = airline.lines(crew, number)
            assert sum((line[4] for line in lines), Decimal(0)) == totals["total"], "Σ lines = total"
            for column in ("flight_pay", "overtime", "premium", "guarantee", "total"):
                sums[f"{crew} {column}"] = sums.get(f"{crew} {column}", Decimal(0)) + totals[column]
            for level, code, _, _, amount in lines:
                sums[f"{crew} {level} {code}"] = sums.get(f"{crew} {level} {code}", Decimal(0)) + amount
    return {key: amount for key, amount in sums.items() if amount}


# Each example is three airlines and fifteen runs.
@settings(max_examples=max(4, settings.default.max_examples // 8))
@given(case=quarters(), seed=st.integers(0, 2**16))
def test_periods_add_up_to_the_span(airlines: Callable[[], Any], case: dict[str, Any], seed: int) -> None:
    whole = paid(airlines, case, MONTHS)
    assert paid(airlines, case, list(HALVES)) == whole, "a quarter in nine periods is the quarter in three"
    shuffled = copy.deepcopy(case)
    order = random.Random(seed)  # noqa: S311
    order.shuffle(shuffled["duties"])
    terms = list(shuffled["terms"].items())
    order.shuffle(terms)
    shuffled["terms"] = dict(terms)
    assert paid(airlines, shuffled, MONTHS) == whole, "order of input is irrelevant"


def test_a_fact_corrected_in_an_earlier_month_counts_in_the_quarter(airlines: Callable[[], Any]) -> None:
    """January is corrected from 5 h to 8 h after its run: March pays what the quarter to date adds by the facts now known."""
    airline = airlines()
    airline.build({
        "crew": {"A": {"rate": 60}},
        "periods": MONTHS,
        "duties": [
            {"crew": "A", "report": f"2013-{month} 08:00", "release": "18:00", "legs": [{"leg": "JFK-LAX", "scheduled": "09:00-14:00"}]}
            for month in ("01-05", "02-05", "03-05")
        ],
    })  # fmt: skip
    airline.load(
        airline.contract(
            {
                "terms": {
                    "Q": {"type": "pay", "level": "quarter", "basis": "block", "beyond": 12, "per_hour": 10}
                }
            }
        )
    )
    assert [airline.run(n)["total_amount"] for n in (1, 2, 3)] == [0, 0, 30]
    airline.conn.execute(
        "update crew.flights set actual_arrival = actual_arrival + interval '3 hours' where enterprise_id = %s and scheduled_departure < '2013-01-31'",
        (airline.id,),
    )
    changed = "select pay.changed_since(p, r.as_of) from pay.pay_runs r join pay.pay_periods p on p.id = r.pay_period_id where p.id = %s order by r.as_of desc"
    stale = airline.conn.execute(changed, (airline.periods[2],)).fetchone()
    assert stale is not None
    assert (stale[0] or "").startswith("flight "), "March's run no longer stands"
    assert airline.run(3)["total_amount"] == 50, "18 h, 6 over, of which 1 is February's"
    assert airline.run(2)["total_amount"] == 10
    assert airline.conn.execute(changed, (airline.periods[2],)).fetchone() == (None,)


def test_a_correction_reaches_the_periods_that_look_back(airlines: Callable[[], Any]) -> None:
    """A fact of January is part of the pay of the quarter's later months, not of another quarter's."""
    airline = airlines()
    airline.build({
        "crew": {"A": {"rate": 60}},
        "periods": [*MONTHS, "2013-04"],
        "duties": [{"crew": "A", "report": "2013-01-05 08:00", "release": "18:00", "legs": [{"leg": "JFK-LAX", "scheduled": "09:00-14:00"}]}],
    })  # fmt: skip
    airline.load(
        airline.contract(
            {"terms": {"Q": {"type": "pay", "level": "quarter", "basis": "block", "per_hour": 10}}}
        )
    )
    for number in (1, 2, 3, 4):
        airline.run(number)
    airline.conn.execute(
        "update pay.pay_periods set status = 'CLOSED' where enterprise_id = %s", (airline.id,)
    )
    # Whoever asks for a correction and whoever approves it are two people.
    airline.conn.execute(
        """with persons as (
             insert into platform.users (enterprise_id, email, full_name, person_id)
             select p.enterprise_id, p.login || '@example.com', p.login, gen_random_uuid() from auth.principals p where p.enterprise_id = %s
             returning enterprise_id, id, full_name, person_id)
           update auth.principals p set user_id = u.id, person_id = u.person_id
           from persons u where u.enterprise_id = p.enterprise_id and u.full_name = p.login""",
        (airline.id,),
    )
    reads = "select start_date::text, pay.looks_back_to(p, %s) from pay.pay_periods p where enterprise_id = %s order by 1"
    assert airline.conn.execute(reads, ("2013-01-31", airline.id)).fetchall() == [
        ("2013-01-01", False), ("2013-02-01", True), ("2013-03-01", True), ("2013-04-01", False),
    ]  # fmt: skip
    with airline.acting("payroll") as conn:
        (flight,) = conn.execute("select id from crew.flights").fetchone()
        conn.execute(
            "select crew.correct('crew.flights', %s, jsonb_build_object('actual_arrival', '2013-01-05T21:00:00Z'), 'Late')",
            (str(flight),),
        )
    with airline.acting("admin") as conn:
        conn.execute("select crew.approve_correction(id) from crew.corrections")
    queued = airline.conn.execute(
        "select p.start_date::text from pay.retro_queue q join pay.pay_periods p on p.id = q.pay_period_id where q.enterprise_id = %s order by 1",
        (airline.id,),
    ).fetchall()
    assert queued == [("2013-01-01",), ("2013-02-01",), ("2013-03-01",)]


def test_contracts_within_the_month_stage_nothing_more(airlines: Callable[[], Any]) -> None:
    airline = airlines()
    airline.build({"crew": {"A": {"rate": 60}}})
    airline.load(
        airline.contract(
            {"terms": {"M": {"type": "leg_credit"}, "N": {"type": "monthly_guarantee", "hours": 5}}}
        )
    )
    airline.run()
    steps = {
        row[0]: row[1]
        for row in airline.conn.execute(
            "select p.name, p.statement from rules.plans p where p.enterprise_id = %s order by p.step_no",
            (airline.id,),
        )
    }
    assert list(steps) == [
        "_zones",
        "_people",
        "_legs",
        "_duties",
        "_trips",
        "_credit",
        "_months",
        "_lines",
        "_findings",
    ]
    assert "@quarter" not in "".join(steps.values())


@pytest.mark.parametrize(
    ("first", "last"),
    [("2013-01-20", "2013-02-10"), ("2013-02-20", "2013-03-01"), ("2013-01-01", "2013-01-31")],
)
def test_a_period_lies_inside_one_contract_month(airlines: Callable[[], Any], first: str, last: str) -> None:
    """Bid months from 31 January; a calendar month that overlaps one is none any more."""
    airline = airlines()
    airline.build({
        "crew": {"A": {"rate": 60}}, "periods": [],
        "contract_months": [("2013-01-31", "2013-02-28"), ("2013-03-01", "2013-03-30")],
    })  # fmt: skip
    with pytest.raises(psycopg.Error) as refused:
        airline.add_periods([(first, last)])
    assert refused.value.sqlstate == "CP112"
    assert refused.value.diag.message_hint


def test_quarter_and_year_of_bid_months(airlines: Callable[[], Any]) -> None:
    """Months are of the quarter in which their middle lies; what is given stands."""
    airline = airlines()
    airline.build({
        "crew": {"A": {"rate": 60}}, "periods": [],
        "contract_months": [
            ("2012-12-31", "2013-01-30"), ("2013-01-31", "2013-03-01"), ("2013-03-02", "2013-03-31"), ("2013-04-01", "2013-05-01"),
            ("2013-07-01", "2013-07-28", "2013-06-03", "2012-11-05"),
        ],
    })  # fmt: skip
    found = airline.conn.execute(
        "select month::text, quarter::text, year::text from crew.contract_months where enterprise_id = %s order by 1",
        (airline.id,),
    ).fetchall()
    assert found == [
        ("2012-12-31", "2012-12-31", "2012-12-31"),
        ("2013-01-31", "2012-12-31", "2012-12-31"),
        ("2013-03-02", "2012-12-31", "2012-12-31"),
        ("2013-04-01", "2013-04-01", "2012-12-31"),
        ("2013-07-01", "2013-06-03", "2012-11-05"),
    ]
    airline.add_periods([("2013-03-02", "2013-03-31")])
    for statement in (
        "delete from crew.contract_months where enterprise_id = %s and month = '2013-03-02'",
        "update crew.contract_months set last_day = '2013-03-30' where enterprise_id = %s and month = '2013-03-02'",
    ):
        with pytest.raises(psycopg.Error) as refused:
            airline.conn.execute(statement, (airline.id,))
        assert refused.value.sqlstate == "CP112"


def test_a_statement_shows_to_date_and_what_was_paid_before(airlines: Callable[[], Any]) -> None:
    """Overtime of a second half month, a capped incentive of the quarter, an advance taken back: the arithmetic is what was done."""
    airline = airlines()
    duties = [
        ("2013-01-05", "2013-01-05 13:00Z to 2013-01-08 21:00Z"),  # 80 h
        ("2013-01-20", "2013-01-20 13:00Z to 2013-01-20 23:00Z"),  # 10 h
    ]
    airline.build({
        "crew": {"A": {"rate": 50}},
        "periods": [("2013-01-01", "2013-01-15"), ("2013-01-16", "2013-01-31")],
        "duties": [
            {"crew": "A", "report": f"{day} 07:00", "release": f"{legs.split(' to ')[1]}", "legs": [{"leg": "JFK-BOS", "scheduled": legs}]}
            for day, legs in duties
        ],
    })  # fmt: skip
    airline.load(airline.contract({"terms": {
        "S_3": {"type": "leg_credit", "basis": "actual"},
        "S_4": {"type": "advance", "hours": 30},
        "S_7": {"type": "pay", "level": "quarter", "basis": "block", "beyond": 60, "cap": 25, "per_hour": 2},
        "S_10": {"type": "overtime", "threshold_hours": 70, "multiplier": 1.5},
        "S_12": {"type": "pay", "level": "year", "value": {"var": "legs"}, "per_unit": 7},
    }}))  # fmt: skip
    airline.run(1)
    airline.run(2)
    with airline.acting("payroll") as conn:
        text = [row[0] for row in conn.execute("select * from pay.statement('A', '2013-01-01')")]

    def line(code: str, nth: int) -> str:
        return [" ".join(t.split()) for t in text if t.strip().startswith(code)][nth]

    assert line("S_4", 0) == "S_4 advance: 30:00 × $50.00 1,500.00"
    assert line("S_4", 1) == "S_4 advance: 30:00 was paid in advance -1,500.00"
    assert line("S_10", 0) == "S_10 overtime: 80:00 − 70:00 = 10:00 × $50.00 × (1.5 − 1) 250.00"
    assert (
        line("S_10", 1)
        == "S_10 overtime: 90:00 − 70:00 = 20:00, 10:00 before: 10:00 × $50.00 × (1.5 − 1) 250.00"
    )
    assert line("S_7", 0).endswith("80:00 − 60:00 = 20:00 × $2.00/h 40.00")
    assert line("S_7", 1).endswith(
        "90:00 − 60:00 = 30:00, no more than 25:00, 20:00 before: 5:00 × $2.00/h 10.00"
    )
    assert line("S_12", 1).endswith("2, 1 before: 1 × $7.00 7.00")
    assert [t.split("  [")[0] for t in text if t.startswith(("Quarter", "Year"))] == [
        "Quarter from 2013-01-01",
        "Year from 2013-01-01",
    ] * 2
    with airline.acting("payroll") as conn:
        stored = conn.execute(
            "select sum(amount) from pay.pay_lines where enterprise_id = %s", (airline.id,)
        ).fetchone()
    assert stored == (90 * 50 + 500 + 50 + 14,)
