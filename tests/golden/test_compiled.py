"""What a contract was compiled to can be read and explained, and is compiled again when anything that it rests on has changed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

CASE: dict[str, Any] = {
    "crew": {"A": {"rate": 60, "position": "CAPTAIN"}},
    "duties": [{"crew": "A", "report": "2013-01-05 08:00", "release": "16:00", "legs": [{"leg": "JFK-BOS", "scheduled": "09:00-10:00"}]}],
    "terms": {
        "K_3.A": {"type": "leg_credit", "basis": "actual"},
        "K_6.D": {"type": "minimum_duty", "hours": 4},
        "K_6.E": {"type": "duty_rig", "ratio": 3},
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def paid(airlines: Callable[[], Any]) -> Any:
    airline = airlines()
    airline.build(CASE)
    airline.load(airline.contract(CASE))
    airline.run()
    return airline


def compiled(airline: Any, position: str = "CAPTAIN") -> list[dict[str, Any]]:
    with airline.acting("admin") as conn, conn.cursor(row_factory=dict_row) as cursor:
        found: list[dict[str, Any]] = cursor.execute(
            "select * from rules.compiled(%s, %s)", (airline.periods[0], position)
        ).fetchall()
    return found


@contextmanager
def undone(airline: Any) -> Iterator[psycopg.Connection[Any]]:
    """What is done inside is taken back."""
    airline.conn.execute("begin")
    try:
        yield airline.conn
    finally:
        airline.conn.execute("rollback")


def test_each_stage_is_a_select_that_reads_the_ones_before(paid: Any) -> None:
    steps = compiled(paid)
    names = [step["name"] for step in steps]
    assert names[:2] == ["_zones", "_people"]
    assert names.index("_legs") < names.index("_duties") < names.index("_lines")
    assert "@" not in "".join(step["statement"] for step in steps), "no token is left"
    duties = next(step["statement"] for step in steps if step["name"] == "_duties")
    assert "_legs" in duties
    run_by = paid.conn.execute(
        "select ruleset_id from pay.pay_calculations where enterprise_id = %s", (paid.id,)
    ).fetchone()[0]
    assert {step["ruleset_id"] for step in steps} == {run_by}, "what the run executed"


def test_the_joined_statement_gives_the_lines_of_the_run(paid: Any) -> None:
    with paid.acting("admin") as conn:
        query = conn.execute("select rules.compiled_query(%s, 'CAPTAIN')", (paid.periods[0],)).fetchone()[0]
    with undone(paid) as conn, conn.cursor(row_factory=dict_row) as cursor:
        lines = cursor.execute(query).fetchall()
    # 1:00 flown, 4:00 for the duty (8:00 / 3 = 2:40): 60 and 180 minutes at 1.00.
    assert sorted((line["quantity"], line["cents"]) for line in lines if line["cents"]) == [
        (60, 6000),
        (180, 18000),
    ]


@pytest.mark.parametrize("analyze", [False, True])
def test_administrators_see_how_it_is_executed(paid: Any, analyze: bool) -> None:
    with paid.acting("admin") as conn:
        plan = [row[0] for row in conn.execute("select rules.explain_compiled(%s, 'CAPTAIN', %s)", (paid.periods[0], analyze)).fetchall()]  # fmt: skip
    assert [line for line in plan if "CTE _duties" in line]
    assert any("actual time" in line for line in plan) is analyze


@pytest.mark.parametrize(
    "function", ["rules.compiled(%s, 'CAPTAIN')", "rules.explain_compiled(%s, 'CAPTAIN')"]
)
def test_only_administrators(paid: Any, function: str) -> None:
    with pytest.raises(psycopg.Error) as refused, paid.acting("payroll") as conn:
        conn.execute(f"select * from {function}", (paid.periods[0],))  # type: ignore[call-overload]
    assert refused.value.sqlstate == "42501"


def test_unknown_period_and_position_without_terms(paid: Any) -> None:
    for period, position, code in (
        ("00000000-0000-0000-0000-000000000001", "CAPTAIN", "CP214"),
        (paid.periods[0], "PURSER", "22P02"),
    ):
        with pytest.raises(psycopg.Error) as refused, paid.acting("admin") as conn:
            conn.execute("select * from rules.compiled(%s, %s)", (period, position))
        assert refused.value.sqlstate == code


# ---- What nobody reads ------------------------------------------------------------------------------------------------


def statements(airline: Any) -> dict[str, str]:
    return {step["name"]: step["statement"] for step in compiled(airline)}


def test_measures_that_nothing_reads_cost_nothing(airlines: Callable[[], Any]) -> None:
    """The statements are those of the contract without them."""
    plain, measured = airlines(), airlines()
    for airline, more in ((plain, {}), (measured, {
        "M_1": {"type": "measure", "name": "idle_trip", "level": "trip", "basis": "tafb"},
        "M_2": {"type": "measure", "name": "idle_month", "level": "month", "basis": "idle_trip"},
        "M_3": {"type": "measure", "name": "idle_year", "level": "year", "basis": "block"},
    })):  # fmt: skip
        airline.build(CASE)
        airline.load(airline.contract({"terms": {**CASE["terms"], **more}}))
    without, with_idle = statements(plain), statements(measured)
    assert "idle" not in "".join(with_idle.values())

    def unnumbered(given: dict[str, str], airline: Any) -> dict[str, str]:
        return {name: re.sub(r"\d+", "0", text.replace(str(airline.id), "")) for name, text in given.items()}

    assert unnumbered(with_idle, measured) == unnumbered(without, plain)


def test_levels_facts_and_airports_that_nothing_reads_are_not_made(airlines: Callable[[], Any]) -> None:
    """Each is there once a term reads it."""
    bare = airlines()
    bare.build(CASE)
    bare.load(bare.contract(CASE))
    before = statements(bare)
    assert not {"_days", "_periods", "_quarters", "_years", "_rates", "_held", "_advances"} & set(before)
    assert "tafb" not in "".join(before.values())
    assert "destination_offset" not in before["_legs"]
    assert "delay_minutes" not in before["_duties"] + before["_trips"]
    bare.load(bare.contract({"terms": {
        "R_1": {"type": "minimum_day", "hours": 1},
        "R_2": {"type": "trip_rig", "ratio": 4},
        "R_3": {"type": "pay", "level": "leg", "amount": 1, "when": {"==": [{"var": "arrival_local"}, 600]}},
        "R_4": {"type": "pay", "level": "trip", "basis": "delay_minutes", "per_unit": 1},
        "R_5": {"type": "period_guarantee", "hours": 1},
    }}))  # fmt: skip
    after = statements(bare)
    assert {"_days", "_periods"} <= set(after)
    assert "tafb" in after["_trips"]
    assert "destination_offset" in after["_legs"]
    assert "delay_minutes" in after["_trips"]


# ---- The cache --------------------------------------------------------------------------------------------------------


def hash_of(airline: Any) -> str:
    (found,) = {step["ruleset_hash"] for step in compiled(airline)}
    return str(found)


@pytest.mark.parametrize("level", ["leg", "duty", "day", "trip"])
def test_a_contract_without_credit_that_competes(airlines: Callable[[], Any], level: str) -> None:
    """Remainders of rounded nodes are added; here nothing else makes credit below the guarantee: ten hours at 60."""
    airline = airlines()
    case = {
        **CASE,
        "terms": {
            "K_0": {"type": "settings", "round_nodes": {level: "0:05"}},
            "K_4": {"type": "monthly_guarantee", "hours": 10},
        },
    }
    airline.build(case)
    airline.load(airline.contract(case))
    assert airline.run()["total_amount"] == 600


def test_what_has_not_changed_is_not_compiled_again(paid: Any) -> None:
    def rulesets() -> int:
        return int(paid.conn.execute("select count(*) from rules.rulesets where enterprise_id = %s", (paid.id,)).fetchone()[0])  # fmt: skip

    before, kept = hash_of(paid), rulesets()
    paid.run()
    assert (hash_of(paid), rulesets()) == (before, kept)


CHANGES = {
    "a term": lambda a: a.load(a.contract({"terms": {"K_6.D": {"type": "minimum_duty", "hours": 5}}})),
    "a priority": lambda a: a.load(a.contract({"terms": {"K_6.D": {"type": "minimum_duty", "hours": 4, "priority": 7}}})),
    "the end of a term": lambda a: a.load({"terms": [{"code": "K_6.E", "expires": "2013-01-20"}]}),
    "a setting": lambda a: a.load(a.contract({"terms": {"K_1.A": {"type": "settings", "unit": "hour", "books": "end"}}})),
    "a scenario and its edge": lambda a: a.load({
        "scenarios": [{"id": "long_day", "name": "Long day", "level": "duty", "pattern": {">": [{"var": "duty_minutes"}, 300]}}],
        "edges": [{"kind": "APPLIES_TO", "from": "K_6.D", "to": "long_day"}],
    }),
    "a conflict": lambda a: a.load({
        "edges": [{"kind": "CONFLICTS_WITH", "from": "K_6.D", "to": "K_6.E", "properties": {"resolutionMethod": "GREATEST"}}],
    }),
    "a fact of the catalogue": lambda a: a.conn.execute(
        "update rules.facts set expression = '(' || expression || ')' where level = 'duty' and name = 'duty_minutes'"),
    "the type of a fact": lambda a: a.conn.execute("update rules.facts set nullable = not nullable where level = 'leg' and name = 'block'"),
    "a type of formula": lambda a: a.conn.execute("update rules.formula_types set template = template || '{\"label\": \"floor\"}' where name = 'minimum_duty'"),
    "a parameter of a type": lambda a: a.conn.execute("update rules.formula_types set parameters = parameters || '{label}'::text[] where name = 'minimum_duty'"),
    "the engine": lambda a: a.conn.execute(
        "do $do$ begin execute replace(pg_get_functiondef('rules.plan_days'::regproc), 'begin', 'begin  '); end $do$"),
    "a one-line function of the engine": lambda a: a.conn.execute(
        "do $do$ begin execute replace(pg_get_functiondef('rules.base_day_sql'::regproc), '/ 1440)', '/  1440)'); end $do$"),
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
def test_what_it_rests_on_has_changed(airlines: Callable[[], Any], change: str) -> None:
    airline = airlines()
    airline.build(CASE)
    airline.load(airline.contract(CASE))
    before = hash_of(airline)
    with undone(airline):
        CHANGES[change](airline)
        assert hash_of(airline) != before
    assert hash_of(airline) == before, "and the stored one is found again"


def test_the_fact_that_an_airline_declares(airlines: Callable[[], Any]) -> None:
    airline = airlines()
    airline.build(CASE)
    airline.load(airline.contract(CASE))
    before = hash_of(airline)
    with airline.acting("admin") as conn:
        conn.execute("select rules.declare_fact(%s)", (Jsonb({"name": "hold_minutes", "level": "leg", "type": "int", "path": "flight.hold"}),))  # fmt: skip
    assert hash_of(airline) != before
