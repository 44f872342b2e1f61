"""What-if: proposed terms costed over real periods against the books, to the cent, and nothing in the database changes."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg.types.json import Jsonb

from crewpay_sync.database import Target
from crewpay_sync.tenants import ensure_login

DUTY = {
    "report": "2013-01-10 08:00",
    "release": "12:00",
    "legs": [{"leg": "JFK-BOS", "scheduled": "09:00-10:00"}],
}
# ada: 1 h x 60 = 60.00, guarantee 10 - 1 = 9 h x 60 = 540.00: 600.00. bo: 90.00 + 9 x 90 = 810.00: 900.00. Two months alike.
CASE: dict[str, Any] = {
    "crew": {"ada": {"rate": 60}, "bo": {"rate": 90, "base": "LAX", "position": "CAPTAIN"}},
    "terms": {
        "W_3.A": {"type": "leg_credit", "basis": "actual"},
        "W_5.A": {"type": "monthly_guarantee", "hours": 10, "proration": "calendar_days"},
    },
    "periods": ["2013-01", "2013-02"],
    "duties": [
        {**DUTY, "crew": crew, "report": f"2013-0{month}-10 08:00" if crew == "ada" else f"2013-0{month}-10 05:00"}
        for crew in ("ada", "bo")
        for month in (1, 2)
    ],
}  # fmt: skip
CASE["duties"] = [
    {**duty, "release": "12:00" if duty["crew"] == "ada" else "09:00",
     "legs": [{"leg": "JFK-BOS", "scheduled": "09:00-10:00" if duty["crew"] == "ada" else "06:00-07:00"}]}
    for duty in CASE["duties"]
]  # fmt: skip


@pytest.fixture
def airline(airlines: Callable[[], Any]) -> Any:
    made = airlines()
    made.build(CASE)
    made.load(made.contract(CASE))
    made.run(1)
    made.run(2)
    return made


def what_if(airline: Any, changes: dict[str, Any], periods: tuple[int, ...] = (1,)) -> dict[str, Any]:
    with airline.acting("payroll") as conn:
        row = conn.execute(
            "select pay.what_if(%s, %s, %s)",
            (airline.id, [airline.periods[p - 1] for p in periods], Jsonb(changes)),
        ).fetchone()
    told: dict[str, Any] = row[0]
    return told


def sums(told: dict[str, Any]) -> tuple[float, float, float]:
    return told["books"], told["proposed"], told["difference"]


def side(rows: list[dict[str, Any]]) -> dict[str, tuple[float, float]]:
    return {row["name"]: (row["books"], row["proposed"]) for row in rows}


def changed(code: str, **formula: Any) -> dict[str, Any]:
    return {"terms": [{"code": code, "formula": formula}]}


def test_a_higher_guarantee(airline: Any) -> None:
    """12 h: ada 60 + 11 x 60 = 720.00 (+120.00), bo 90 + 11 x 90 = 1080.00 (+180.00)."""
    told = what_if(airline, changed("W_5.A", type="monthly_guarantee", hours=12, proration="calendar_days"))
    assert sums(told) == (1500, 1800, 300)
    assert told["terms"] == [{"code": "W_5.A", "change": "changed"}]
    assert side(told["by_base"]) == {"JFK": (600, 720), "LAX": (900, 1080)}
    assert side(told["by_position"]) == {"FIRST_OFFICER": (600, 720), "CAPTAIN": (900, 1080)}
    by_component = side(told["by_component"])
    assert (by_component["flight_pay"], by_component["guarantee"]) == ((150, 150), (1350, 1650))
    assert [(row["books_from"], row["crew"], row["difference"]) for row in told["by_decile"]] == [
        (600, 1, 120),
        (900, 1, 180),
    ]
    assert [(row["employee_id"], row["difference"]) for row in told["winners"]] == [("bo", 180), ("ada", 120)]
    assert (told["losers"], told["gaining"], told["losing"], told["crew"]) == ([], 2, 0, 2)
    assert told["currency"] == "USD"


def test_over_two_periods(airline: Any) -> None:
    told = what_if(airline, changed("W_5.A", type="monthly_guarantee", hours=12, proration="none"), (1, 2))
    assert sums(told) == (3000, 3600, 600)
    assert [p["start_date"] for p in told["periods"]] == ["2013-01-01", "2013-02-01"]


def test_a_term_removed(airline: Any) -> None:
    told = what_if(airline, {"terms": [{"code": "W_5.A", "expires": "2013-01-01"}]})
    assert sums(told) == (1500, 150, -1350)
    assert told["terms"] == [{"code": "W_5.A", "change": "removed"}]
    assert [(row["employee_id"], row["difference"]) for row in told["losers"]] == [
        ("bo", -810),
        ("ada", -540),
    ]


def test_a_term_added_to_one_position(airline: Any) -> None:
    """12.50 a leg for captains: bo 1 leg."""
    told = what_if(airline, {"terms": [{
        "code": "W_9", "category": "PREMIUMS", "title": "Leg bonus", "text": "12.50 a leg.", "applies_to": ["CAPTAIN"],
        "formula": {"type": "pay", "level": "leg", "amount": 12.5},
    }]})  # fmt: skip
    assert sums(told) == (1500, 1512.5, 12.5)
    assert told["terms"] == [{"code": "W_9", "change": "added"}]
    assert [row["employee_id"] for row in told["winners"]] == ["bo"]


def test_what_is_on_record_costs_what_the_books_say(airline: Any) -> None:
    told = what_if(airline, airline.contract(CASE), (1, 2))
    assert sums(told) == (3000, 3000, 0)
    assert told["terms"] == []


def test_what_became_known_since_is_no_part_of_it(airline: Any) -> None:
    """A raise, a promotion and a later arrival since: the same terms cost what the books say, and 12 h of guarantee 300.00 more."""
    for change in (
        "update crew.crew_members set base_hourly_rate = 200, position = 'CAPTAIN', base_location = 'LAX' where employee_id = 'ada' and enterprise_id = %s",
        "update crew.flights set actual_arrival = actual_arrival + interval '3 hours' where enterprise_id = %s",
    ):
        airline.conn.execute(change, (airline.id,))
    assert sums(what_if(airline, {"terms": []}, (1, 2))) == (3000, 3000, 0)
    told = what_if(airline, changed("W_5.A", type="monthly_guarantee", hours=12, proration="none"))
    assert sums(told) == (1500, 1800, 300)


def test_dates_of_a_proposal_do_not_matter(airline: Any) -> None:
    """A rate table of 2030 over January 2013, its last step: 100.00 for everybody: 10 h each."""
    steps = [
        {"position": p, "from": f"{year}-01-01", "rate": rate}
        for p in ("CAPTAIN", "FIRST_OFFICER")
        for year, rate in ((2030, 80), (2031, 100))
    ]
    told = what_if(airline, {"terms": [{
        "code": "W_R", "category": "PAY_RATES", "title": "Rates", "text": "Rates.", "effective": "2030-01-01",
        "applies_to": ["CAPTAIN", "FIRST_OFFICER"], "formula": {"type": "hourly_rate", "steps": steps},
    }]})  # fmt: skip
    assert sums(told) == (1500, 2000, 500)


def test_a_rule_graph_proposed(airline: Any) -> None:
    """A premium of 7.00 that its scenario, block of more than 30 minutes, lets apply: 14.00."""
    told = what_if(airline, {
        "terms": [{"code": "W_8", "category": "PREMIUMS", "title": "Long", "text": "Long.", "applies_to": ["CAPTAIN", "FIRST_OFFICER"],
                   "formula": {"type": "pay", "level": "leg", "amount": 7}}],
        "scenarios": [{"id": "long", "name": "long", "level": "leg", "pattern": {">": [{"var": "block"}, 30]}}],
        "edges": [{"kind": "APPLIES_TO", "from": "W_8", "to": "long"}],
    })  # fmt: skip
    assert sums(told) == (1500, 1514, 14)


def test_adjustments_are_no_part_of_it(airline: Any) -> None:
    with airline.acting("payroll") as conn:
        conn.execute(
            "select pay.adjust(%s, %s, %s, 77, 'bonus')",
            (airline.id, airline.crew["ada"], airline.periods[0]),
        )
    airline.run(1)
    assert airline.totals("ada")["total"] == Decimal(677)
    assert sums(what_if(airline, {"terms": []})) == (1500, 1500, 0)


def checksums(conn: psycopg.Connection[Any]) -> dict[str, str]:
    """Every table of ours, by its rows."""
    tables = conn.execute(
        """select format('%I.%I', n.nspname, c.relname) from pg_class c join pg_namespace n on n.oid = c.relnamespace
           where c.relkind = 'r' and n.nspname in ('auth', 'audit', 'platform', 'crew', 'rules', 'graph', 'compliance', 'pay', 'review', 'notify', 'travel', 'ops')"""
    ).fetchall()
    return {
        table: conn.execute(
            f"select md5(string_agg(t::text, E'\\n' order by t::text)) from {table} as t"
        ).fetchone()[0]  # type: ignore[index]
        for (table,) in tables
    }


def test_nothing_changes(airline: Any) -> None:
    before = checksums(airline.conn)
    assert len(before) > 40
    what_if(airline, changed("W_5.A", type="monthly_guarantee", hours=12, proration="none"), (1, 2))
    what_if(airline, {"terms": [{"code": "W_5.A", "expires": "2013-01-01"}], "scenarios": [
        {"id": "long", "name": "long", "level": "leg", "pattern": {">": [{"var": "block"}, 30]}}]})  # fmt: skip
    with pytest.raises(psycopg.Error):
        what_if(airline, changed("W_5.A", type="no such thing"))
    assert checksums(airline.conn) == before


def test_a_run_beside_it_pays_by_the_record(airline: Any, database: Target) -> None:
    """A proposal that is still being costed is nobody else's contract."""
    with closing(database.connect()) as costing, airline.acting("payroll", costing):
        costing.execute(
            "select pay.what_if(%s, %s, %s)",
            (
                airline.id,
                [airline.periods[0]],
                Jsonb(changed("W_5.A", type="monthly_guarantee", hours=12, proration="none")),
            ),
        )
        airline.run(1)
        costing.rollback()
    assert airline.totals("ada")["total"] == 600


def test_a_run_after_it_in_one_transaction_pays_by_the_record(airline: Any) -> None:
    with airline.acting("payroll") as conn, conn.transaction():
        conn.execute(
            "select pay.what_if(%s, %s, %s)",
            (
                airline.id,
                [airline.periods[0]],
                Jsonb(changed("W_5.A", type="monthly_guarantee", hours=12, proration="none")),
            ),
        )
        conn.execute("select pay.run(%s, %s)", (airline.id, airline.periods[0]))
    assert airline.totals("ada")["total"] == 600


def refused(
    code: str,
    airline: Any,
    changes: Any,
    periods: list[UUID] | None = None,
    role: str = "payroll",
    enterprise: UUID | None = None,
) -> None:
    with pytest.raises(psycopg.Error) as caught, airline.acting(role) as conn:
        conn.execute(
            "select pay.what_if(%s, %s, %s)",
            (enterprise or airline.id, airline.periods[:1] if periods is None else periods, Jsonb(changes)),
        )
    assert caught.value.sqlstate == code, caught.value


def test_refusals(airline: Any, airlines: Callable[[], Any]) -> None:
    fine: dict[str, Any] = {"terms": []}
    refused("CP214", airline, fine, [])
    refused("CP214", airline, fine, [uuid4()])
    refused("CP202", airline, [])
    refused("CP202", airline, {"clauses": []})
    refused("CP202", airline, {"terms": [{"code": "NEW"}]})
    refused("CP201", airline, changed("W_5.A", type="no such thing"))
    refused(
        "CP213", airline, {"terms": [{"code": code, "expires": "2013-01-01"} for code in ("W_3.A", "W_5.A")]}
    )
    other = airlines()
    other.build(CASE)
    refused("CP214", airline, fine, other.periods)
    refused("42501", airline, fine, other.periods, enterprise=other.id)
    refused("CP311", other, fine)
    ensure_login(airline.conn, airline.logins["crew"], airline.id, "crew", crew_member=airline.crew["ada"])
    refused("42501", airline, fine, role="crew")
