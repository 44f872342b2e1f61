"""Contracts that are refused: the code, the term, where in the formula, and what to do. Nothing of a refused contract stays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

LEG = {"type": "leg_credit", "basis": "actual"}
BLOCK: dict[str, Any] = {"var": "block"}


def credit(level: str = "leg", **given: Any) -> dict[str, Any]:
    return {"type": "credit", "level": level, **given}


def pay(level: str = "leg", **given: Any) -> dict[str, Any]:
    return {"type": "pay", "level": level, **given}


def when(condition: Any) -> dict[str, Any]:
    return credit(basis="block", when=condition)


WINDOW = {"from": "22:00", "to": "06:00"}

REFUSED: dict[str, tuple[str, dict[str, Any]]] = {
    # CP201 unknown type
    "no type": ("CP201", {"hours": 3}),
    "unknown type": ("CP201", {"type": "bonus", "hours": 3}),
    # CP202 parameters
    "unknown parameter": ("CP202", {"type": "duty_rig", "ratio": 2, "color": "red"}),
    "parameter of another preset": ("CP202", {"type": "minimum_duty", "hours": 4, "ratio": 2}),
    "missing parameter": ("CP202", {"type": "minimum_duty"}),
    "missing level": ("CP202", {"type": "credit", "basis": "block"}),
    "missing name of a measure": ("CP202", {"type": "measure", "level": "leg"}),
    "value of a preset's choice": ("CP202", {"type": "leg_credit", "basis": "imagined"}),
    "rolling over no time": ("CP202", {"type": "measure", "name": "ja", "level": "trip", "rolling": {"months": 0}}),
    "rolling over weeks": ("CP202", {"type": "measure", "name": "ja", "level": "trip", "rolling": {"weeks": 3}}),
    "rolling measure of the month": ("CP205", {"type": "measure", "name": "ja", "level": "month", "rolling": {"months": 3}}),
    "rolling measure of what may be missing": ("CP204", {"type": "measure", "name": "flown", "level": "leg", "basis": "block", "rolling": {"days": 7}}),
    "rounded nodes of a year": ("CP202", {"type": "settings", "round_nodes": {"year": 0.1}}),
    "nodes rounded to nothing": ("CP204", {"type": "settings", "round_nodes": {"trip": 0}}),
    "stacking without a group": ("CP202", pay(basis="block", multiplier=2, stacking="multiply")),
    "multiplying amounts": ("CP202", pay(basis="block", per_hour=2, stacking="multiply", group="g")),
    "stacking in a month": ("CP205", pay("month", basis="paid_credit", multiplier=2, stacking="highest", group="g")),
    "a group split by minutes": ("CP205", pay("trip", basis="tafb", multiplier=2, stacking="highest", group="g", books="split")),
    "two prices": ("CP202", pay(basis="block", multiplier=1.5, per_hour=3)),
    "factor with multiplier": ("CP202", pay(basis="block", multiplier=1.5, factor=0.5)),
    "day_value missing": ("CP202", {"type": "monthly_guarantee", "hours": 70, "proration": "day_value"}),
    "unknown proration": ("CP202", {"type": "monthly_guarantee", "hours": 70, "proration": "sometimes"}),
    "name of a measure with a space": ("CP202", {"type": "measure", "name": "a b", "level": "leg"}),
    "name of a measure is a fact": ("CP202", {"type": "measure", "name": "block", "level": "leg", "basis": "scheduled_block"}),
    "unknown combine": ("CP202", credit(basis="block", combine="sum")),
    "unknown books": ("CP202", credit(basis="block", books="middle")),
    "unknown component": ("CP202", credit(basis="block", component="bonus")),
    "joins a level that isn't one": ("CP202", credit(basis="block", combine="add", joins="galaxy")),
    "joins a level below": ("CP202", credit("duty", hours=1, combine="add", joins="leg")),
    "rate step without a rate": ("CP202", {"type": "hourly_rate", "steps": [{"position": "CAPTAIN", "year": 1}]}),
    "rate of a position nobody holds": ("CP202", {"type": "hourly_rate", "steps": [{"position": "PURSER", "year": 1, "rate": 10}]}),
    "rate that is no number": ("CP202", {"type": "hourly_rate", "steps": [{"position": "CAPTAIN", "year": 1, "rate": "ten"}]}),
    "rate from a day that doesn't exist": ("CP202", {"type": "hourly_rate", "steps": [{"position": "CAPTAIN", "from": "2013-02-30", "rate": 10}]}),
    "rate steps that are no list": ("CP202", {"type": "hourly_rate", "steps": {"CAPTAIN": 10}}),
    "setting with an unknown value": ("CP202", {"type": "settings", "books": "middle"}),
    "setting that is no number of minutes": ("CP202", {"type": "settings", "report_before": "an hour"}),
    # CP203 names
    "unknown fact": ("CP203", credit(basis="moon_phase")),
    "unknown fact in a condition": ("CP203", when({"==": [{"var": "moon_phase"}, 1]})),
    "unknown level": ("CP203", when({"==": [{"var": "galaxy.block"}, 1]})),
    "fact of a level below": ("CP203", credit("duty", basis="duty_minutes", when={"==": [{"var": "leg.delay_code"}, "MX"]})),
    "text isn't summed": ("CP203", credit("duty", basis="duty_minutes", when={"==": [{"var": "delay_code"}, "MX"]})),
    "computed value above": ("CP203", credit(value={"var": "trip.credit"})),
    "what the month has come to, read by a leg": ("CP203", when({">": [{"var": "month.paid_credit"}, 60]})),
    "what the quarter has come to, read by the month": ("CP203", pay("month", amount=5, when={">": [{"var": "quarter.paid_credit"}, 60]})),
    "sum of the month read by a leg": ("CP203", when({">": [{"var": "month.block"}, 60]})),
    "measure that nobody defines": ("CP203", credit(basis="night")),
    # CP204 operators and types
    "unknown operator": ("CP204", when({"like": [{"var": "origin"}, "J%"]})),
    "two operators": ("CP204", when({"==": [1, 1], ">": [2, 1]})),
    "no operator": ("CP204", when({})),
    "a list": ("CP204", when([1, 2])),
    "null": ("CP204", credit(value=None)),
    "text compared with number": ("CP204", when({"==": [{"var": "origin"}, 3]})),
    "text ordered": ("CP204", when({">": [{"var": "origin"}, "JFK"]})),
    "number as condition": ("CP204", when(BLOCK)),
    "number joined with numbers": ("CP204", when({"and": [BLOCK, 1]})),
    "arithmetic on text": ("CP204", credit(value={"+": [{"var": "origin"}, 1]})),
    "three operands of a quotient": ("CP204", credit(value={"/": [BLOCK, 2, 3]})),
    "list of mixed types": ("CP204", when({"in": [{"var": "origin"}, ["JFK", 3]]})),
    "text as a quantity": ("CP204", credit(basis="origin")),
    "var without a name": ("CP204", credit(value={"var": 3})),
    "branches of two types": ("CP204", credit(value={"if": [{"var": "cancelled"}, 1, "two"]})),
    "what is missing as a quantity": ("CP204", credit(value={"missing": ["block"]})),
    "what is missing as a condition": ("CP204", when({"missing": ["block"]})),
    "number beyond all pay": ("CP204", credit(value=1e300)),
    "number too fine": ("CP204", credit(value=1e-20)),
    "duration with 75 minutes": ("CP204", {"type": "minimum_duty", "hours": "4:75"}),
    "duration in words": ("CP204", {"type": "minimum_duty", "hours": "four"}),
    "duration as a list": ("CP204", {"type": "minimum_duty", "hours": [4]}),
    "ratio as text": ("CP204", {"type": "duty_rig", "ratio": "2"}),
    "ratio of zero": ("CP204", {"type": "duty_rig", "ratio": 0}),
    "factor as text": ("CP204", credit(basis="block", factor="0.5")),
    "multiplier as text": ("CP204", pay(basis="block", multiplier="1.5")),
    "price as text": ("CP204", pay(basis="block", per_hour="3")),
    "price as a condition": ("CP204", pay(basis="block", per_hour={"var": "cancelled"})),
    "hours of a time": ("CP204", credit("duty", basis="duty_minutes", hours=2)),
    "rounding mode": ("CP204", credit(basis="block", round={"to": 0.1, "mode": "bankers"})),
    "rounding to zero": ("CP204", credit(basis="block", round={"to": 0})),
    "rounding in a formula to zero": ("CP204", credit(value={"round": [BLOCK, 0]})),
    "rounding mode in a formula": ("CP204", credit(value={"round": [BLOCK, 6, "bankers"]})),
    "window of one instant": ("CP204", credit(basis="block", window={"from": "22:00", "to": "22:00"})),
    "window with 25 hours": ("CP204", credit(basis="block", window={"from": "25:00", "to": "06:00"})),
    "window on a day that doesn't exist": ("CP204", credit(basis="block", window={"dates": ["2013-02-30"]})),
    # CP205 not offered
    "advance that isn't hours": ("CP204", {"type": "advance", "hours": "forty"}),
    "projected credit read by another term": ("CP203", credit("trip", basis="tafb", when={">": [{"var": "month.projected_credit"}, 60]})),
    "projected credit read by a guarantee": ("CP205", {"type": "monthly_guarantee", "hours": {"var": "projected_credit"}}),
    "level that isn't one": ("CP202", pay("decade", basis="block", per_hour=5)),
    "window at the level of a quarter": ("CP205", pay("quarter", basis="block", per_hour=5, window=WINDOW)),
    "treatment of a month": ("CP205", {"type": "treatment", "level": "month", "toward_guarantee": False}),
    "day reads a trip's days": ("CP203", credit("day", basis="tafb")),
    "split of a count": ("CP205", credit("duty", hours=4, books="split")),
    "split of a leg": ("CP205", credit(basis="block", books="split")),
    "split of a sum of money": ("CP205", pay("trip", basis="tafb", amount=5, books="split")),
    "treatment that says nothing": ("CP202", {"type": "treatment", "level": "trip"}),
    "rates by a number of an aircraft": ("CP202", {"type": "hourly_rate", "steps": [{"position": "CAPTAIN", "aircraft_type": 737, "rate": 10}]}),
    "day of another clock": ("CP205", {"type": "settings", "day_clock": "utc"}),
    "window at the level of a month": ("CP205", credit("month", basis="paid_credit", window=WINDOW)),
    "clock of the moon": ("CP204", credit(basis="block", window={**WINDOW, "clock": "moon"})),
    "rig window without a ratio": ("CP204", {"type": "duty_rig", "ratio": 2, "window": WINDOW}),
    "rig window without a ratio outside": ("CP204", {"type": "duty_rig", "window": {**WINDOW, "ratio": 1.5}}),
    "rate read by credit": ("CP203", credit(value={"*": [{"var": "crew.rate"}, 2]})),
    "a quarter read by a trip": ("CP203", pay("trip", amount={"var": "quarter.paid_credit"})),
    "a month read by a period": ("CP203", pay("period", amount={"var": "month.paid_credit"})),
    "credit read by a treatment": ("CP203", {"type": "treatment", "level": "trip", "paid": False, "when": {">": [{"var": "credit"}, 60]}}),
    "what the month has come to, read by a treatment": ("CP203", {"type": "treatment", "level": "trip", "paid": False, "when": {">": [{"var": "month.paid_credit"}, 60]}}),
    "a count bounded by hours": ("CP204", pay("trip", basis="duties", per_unit=1, cap="4:00")),
    "credit at a price": ("CP202", {"type": "expression", "level": "leg", "value": 1, "per_hour": 3}),
    "pay that joins a level": ("CP202", {"type": "expression", "into": "pay", "level": "leg", "value": 1, "joins": "trip"}),
    "pay toward the guarantee": ("CP205", {"type": "expression", "into": "pay", "level": "leg", "value": 1, "toward_guarantee": True}),
    "compared with nothing": ("CP202", {"type": "leg_credit", "basis": "scheduled", "compare_at": "duty"}),
    "factor beside a window of a rig": ("CP202", {"type": "duty_rig", "ratio": 2, "window": {**WINDOW, "ratio": 1.5}, "factor": 2}),
    "value of a day without a proration by it": ("CP202", {"type": "monthly_guarantee", "hours": 70, "day_value": 4}),
    "per diem of a leg": ("CP202", {"type": "per_diem", "rate": 2, "level": "leg"}),
}  # fmt: skip


def contract(airline: Any, *terms: dict[str, Any], **rest: Any) -> dict[str, Any]:
    named = [
        {"code": f"T_{n}", **term} if "code" not in term else term for n, term in enumerate(terms, start=1)
    ]
    document: dict[str, Any] = airline.contract({"terms": named, **rest})
    return document


@pytest.fixture(scope="module")
def airline(airlines: Callable[[], Any]) -> Any:
    made = airlines()
    made.build({"crew": {"A": {"rate": 60}}})
    return made


@pytest.mark.parametrize(("code", "formula"), REFUSED.values(), ids=REFUSED.keys())
def test_term_is_refused(airline: Any, code: str, formula: dict[str, Any]) -> None:
    with pytest.raises(psycopg.Error) as caught:
        airline.load(contract(airline, {"code": "Bad_1.A", "formula": formula}))
    error = caught.value
    assert error.sqlstate == code, error
    assert "term Bad_1.A: " in (error.diag.message_primary or "")
    assert (error.diag.message_detail or "").startswith("at $")
    assert error.diag.message_hint
    kept = airline.conn.execute(
        "select count(*) from rules.union_contract_terms where enterprise_id = %s", (airline.id,)
    ).fetchone()
    assert kept == (0,), "all or nothing"


@pytest.mark.parametrize(
    "hours", ["4:20", 4, 4.333333, {"if": [{"==": [{"var": "month.days"}, 31]}, "4:07", "4:20"]}]
)
def test_what_a_duration_may_be(airlines: Callable[[], Any], hours: Any) -> None:
    made = airlines()
    made.load(contract(made, {"type": "monthly_guarantee", "hours": hours}))


def refused(airline: Any, code: str, document: dict[str, Any]) -> psycopg.Error:
    with pytest.raises(psycopg.Error) as caught:
        airline.load(document)
    assert caught.value.sqlstate == code, caught.value
    assert caught.value.diag.message_hint
    return caught.value


def nested(depth: int) -> Any:
    """An expression of that many operators within each other."""
    logic: Any = BLOCK
    for _ in range(depth):
        logic = {"+": [logic, 1]}
    return logic


def test_nested_too_deeply(airline: Any) -> None:
    """Deeper than any contract needs, and well before the server's stack ends."""
    error = refused(airline, "CP204", contract(airline, {"formula": credit(value=nested(80))}))
    assert (error.diag.message_detail or "").startswith("at $.value.+[0].+[0]")


def test_nested_deeply(airlines: Callable[[], Any]) -> None:
    made = airlines()
    made.load(contract(made, {"formula": credit(value=nested(40))}))


def test_measures_find_each_other_in_any_order(airlines: Callable[[], Any]) -> None:
    made = airlines()
    made.load(contract(
        made,
        {"code": "A", "formula": {"type": "measure", "name": "twice", "level": "leg", "value": {"*": [{"var": "once"}, 2]}}},
        {"code": "B", "formula": {"type": "measure", "name": "once", "level": "leg", "basis": "block"}},
        {"code": "C", "formula": credit(basis="twice")},
    ))  # fmt: skip


def test_measures_in_a_circle(airline: Any) -> None:
    error = refused(airline, "CP206", contract(
        airline,
        {"code": "A", "formula": {"type": "measure", "name": "hen", "level": "leg", "value": {"*": [{"var": "egg"}, 2]}}},
        {"code": "B", "formula": {"type": "measure", "name": "egg", "level": "leg", "basis": "hen"}},
        {"code": "C", "formula": credit(basis="egg")},
    ))  # fmt: skip
    assert "egg" in str(error)


def test_a_measure_of_itself(airline: Any) -> None:
    refused(
        airline,
        "CP206",
        contract(airline, {"formula": {"type": "measure", "name": "egg", "level": "leg", "basis": "egg"}}),
    )


def test_two_measures_of_one_name(airline: Any) -> None:
    refused(airline, "CP202", contract(
        airline,
        {"formula": {"type": "measure", "name": "night", "level": "leg", "basis": "block"}},
        {"formula": {"type": "measure", "name": "night", "level": "duty", "basis": "duty_minutes"}},
    ))  # fmt: skip


def test_components_in_a_circle(airline: Any) -> None:
    document = contract(airline, {"formula": LEG}, edges=[
        {"kind": "DEPENDS_ON", "from": "overtime", "to": "premium"},
        {"kind": "DEPENDS_ON", "from": "premium", "to": "overtime"},
    ])  # fmt: skip
    document["components"] = [{"type": t, "name": t, "order": 1} for t in ("overtime", "premium")]
    error = refused(airline, "CP206", document)
    assert "→" in str(error)


@pytest.mark.parametrize(
    "second",
    [pay("duty", basis="duty_minutes", per_hour=2), credit(basis="block"), pay(basis="block", per_hour=2, group="g", stacking="highest")],
    ids=["levels", "kinds", "groups"],
)  # fmt: skip
def test_greatest_between_pay_and_what_is_none_of_it(airline: Any, second: dict[str, Any]) -> None:
    refused(airline, "CP206", contract(
        airline,
        {"code": "P1", "formula": pay(basis="block", per_hour=1)},
        {"code": "P2", "formula": second},
        edges=[{"kind": "CONFLICTS_WITH", "from": "P1", "to": "P2", "properties": {"resolutionMethod": "GREATEST"}}],
    ))  # fmt: skip


def test_conflicts_that_hang_together_by_two_methods(airline: Any) -> None:
    refused(airline, "CP206", contract(
        airline,
        *({"code": code, "formula": pay(basis="block", per_hour=1)} for code in ("P1", "P2", "P3")),
        edges=[
            {"kind": "CONFLICTS_WITH", "from": "P1", "to": "P2", "properties": {"resolutionMethod": "GREATEST"}},
            {"kind": "CONFLICTS_WITH", "from": "P2", "to": "P3", "properties": {"resolutionMethod": "ADDITIVE"}},
        ],
    ))  # fmt: skip


@pytest.mark.parametrize(
    "second",
    [
        pay("duty", basis="duty_minutes", multiplier=2, group="g", stacking="multiply"),
        pay(basis="block", multiplier=2, group="g", stacking="highest"),
        pay(basis="scheduled_block", multiplier=2, group="g", stacking="multiply"),
    ],
    ids=["levels", "stackings", "quantities"],
)
def test_groups_that_do_not_stack(airline: Any, second: dict[str, Any]) -> None:
    refused(airline, "CP202", contract(
        airline,
        {"code": "P1", "formula": pay(basis="block", multiplier=1.5, group="g", stacking="multiply")},
        {"code": "P2", "formula": second},
    ))  # fmt: skip


def test_conflict_with_an_unknown_method(airline: Any) -> None:
    document = contract(airline, {"code": "P1", "formula": LEG}, edges=[
        {"kind": "CONFLICTS_WITH", "from": "P1", "to": "P2", "properties": {"resolutionMethod": "COIN"}},
    ])  # fmt: skip
    with pytest.raises(psycopg.Error) as caught:
        airline.load(document)
    assert caught.value.sqlstate == "CP206"
    assert caught.value.diag.message_detail == "at $.properties.resolutionMethod"


@pytest.mark.parametrize("properties", [{}, {"resolutionMethod": None}])
def test_conflict_without_a_method(airline: Any, properties: dict[str, Any]) -> None:
    refused(airline, "CP206", contract(
        airline,
        {"code": "P1", "formula": pay(basis="block", per_hour=1)},
        {"code": "P2", "formula": pay(basis="block", per_hour=2)},
        edges=[{"kind": "CONFLICTS_WITH", "from": "P1", "to": "P2", "properties": properties}],
    ))  # fmt: skip


@pytest.mark.parametrize(("method", "combine"), [("GREATEST", "add"), ("ADDITIVE", "greatest")])
def test_conflict_across_levels(airline: Any, method: str, combine: str) -> None:
    refused(airline, "CP206", contract(
        airline,
        {"code": "P1", "formula": credit(basis="block")},
        {"code": "P2", "formula": credit("duty", hours=4, combine=combine)},
        edges=[{"kind": "CONFLICTS_WITH", "from": "P1", "to": "P2", "properties": {"resolutionMethod": method}}],
    ))  # fmt: skip


def test_competing_credits_of_two_levels_need_no_more(airlines: Callable[[], Any]) -> None:
    """A duty rig against the legs below it: the duty is the greater of the two as it stands."""
    made = airlines()
    made.load(contract(
        made,
        {"code": "P1", "formula": LEG},
        {"code": "P2", "formula": {"type": "duty_rig", "ratio": 2}},
        edges=[{"kind": "CONFLICTS_WITH", "from": "P1", "to": "P2", "properties": {"resolutionMethod": "GREATEST"}}],
    ))  # fmt: skip


@pytest.mark.parametrize(
    "reader", [credit("trip", basis="recent"), credit("leg", value={"var": "duty.recent"})]
)
def test_a_rolling_measure_read_elsewhere(airline: Any, reader: dict[str, Any]) -> None:
    refused(airline, "CP205", contract(
        airline,
        {"code": "P1", "formula": {"type": "measure", "name": "recent", "level": "duty", "rolling": {"days": 7}}},
        {"code": "P2", "formula": reader},
    ))  # fmt: skip


def test_a_quarter_at_the_rate_of_its_first_day(airline: Any) -> None:
    refused(airline, "CP205", contract(
        airline,
        {"code": "P1", "formula": {"type": "settings", "rate_on": "start"}},
        {"code": "P2", "formula": {"type": "overtime", "threshold_hours": 200, "multiplier": 1.5, "level": "quarter"}},
    ))  # fmt: skip


def test_credit_of_a_quarter_beside_an_advance(airline: Any) -> None:
    refused(airline, "CP205", contract(
        airline,
        {"code": "P1", "formula": {"type": "advance", "hours": 40}},
        {"code": "P2", "formula": credit("quarter", hours=60)},
    ))  # fmt: skip


def test_term_without_a_text(airline: Any) -> None:
    document = contract(airline, {"formula": LEG})
    del document["terms"][0]["text"]
    refused(airline, "CP202", document)


def test_two_settings_of_one_time(airlines: Callable[[], Any]) -> None:
    """Versions of one code may not overlap."""
    made = airlines()
    document = contract(
        made,
        {"code": "S", "effective": "2012-01-01", "expires": "2014-01-01", "formula": {"type": "settings"}},
        {"code": "S", "effective": "2013-01-01", "formula": {"type": "settings", "books": "end"}},
    )
    with pytest.raises(psycopg.Error) as caught:
        made.load(document)
    assert caught.value.sqlstate == "CP207"


def test_two_settings_of_one_thing(airline: Any) -> None:
    error = refused(airline, "CP207", contract(
        airline,
        {"code": "S1", "formula": {"type": "settings", "books": "start", "unit": "hour"}},
        {"code": "S2", "formula": {"type": "settings", "books": "end", "show": "0.1"}},
    ))  # fmt: skip
    assert error.diag.message_detail == "at $.books"


def test_settings_of_different_things(airlines: Callable[[], Any]) -> None:
    made = airlines()
    made.load(contract(
        made,
        {"code": "S1", "formula": {"type": "settings", "books": "start"}},
        {"code": "S2", "formula": {"type": "settings", "show": "0.1"}},
    ))  # fmt: skip


def test_a_window_that_ends_a_minute_early_is_warned_of(airlines: Callable[[], Any]) -> None:
    made = airlines()
    night = {"type": "premium", "level": "leg", "basis": "block", "per_hour": 3}
    loaded = made.load(contract(
        made,
        {"code": "N1", "formula": {**night, "window": {"from": "22:00", "to": "05:59"}}},
        {"code": "N2", "formula": {**night, "window": WINDOW}},
        {"code": "N3", "formula": {**night, "window": {"from": "18:00", "to": "23:59"}}},
    ))  # fmt: skip
    assert [(text.split()[1], text.split()[-1]) for text in loaded["warnings"]] == [
        ("N1", "06:00"),
        ("N3", "00:00"),
    ]


def test_only_administrators_load(airline: Any) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege), airline.acting("payroll") as conn:
        conn.execute("select rules.load_contract('{}')")


def test_every_fault_of_a_document_is_told(airline: Any) -> None:
    """All clauses at once: who writes a contract doesn't find one error a load."""
    document = contract(
        airline,
        {"code": "A", "formula": {"type": "duty_rig", "ratio": "2", "colour": "red"}},
        {"code": "B", "formula": {"type": "night_rig"}},
        {"code": "C", "formula": LEG},
        {"code": "D", "formula": {"type": "minimum_duty"}},
    )
    with pytest.raises(psycopg.Error) as caught:
        airline.load(document)
    first, *others = (caught.value.diag.message_detail or "").splitlines()
    assert (caught.value.sqlstate, first) == ("CP204", "at $.ratio")
    assert [(line[:5], line.split(": ")[1], line.split("at ")[-1]) for line in others] == [
        ("CP202", "A", "$.colour"),
        ("CP201", "B", "$.type"),
        ("CP202", "D", "$.hours"),
    ]


@pytest.mark.parametrize(
    ("document", "place"),
    [
        ([], "$"),
        ({"term": []}, "$.term"),
        ({"terms": [{"code": "X", "categry": "CREDIT"}]}, "$.categry"),
        ({"terms": [{"code": "X", "category": "RIGS"}]}, "$.category"),
        (
            {"terms": [{"code": "X", "category": "CREDIT", "applies_to": ["FLIGHTATTENDANT"]}]},
            "$.applies_to[0]",
        ),
        ({"terms": [{"code": "X", "category": "CREDIT", "applies_to": "CAPTAIN"}]}, "$.applies_to"),
        ({"terms": [{"code": "X", "applies_to": ["CAPTAIN"], "effective": "2013-13-01"}]}, "$.effective"),
    ],
)
def test_a_document_around_its_formulas_is_checked(airline: Any, document: Any, place: str) -> None:
    with pytest.raises(psycopg.Error) as refused:
        airline.load(document)
    assert refused.value.sqlstate == "CP202"
    assert (refused.value.diag.message_detail or "").splitlines()[0] == f"at {place}"
    assert refused.value.diag.message_hint


FACT = {"name": "hold", "level": "leg", "type": "int", "unit": "min", "path": "flight.hold"}


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"name": "block"}, "$.name"),
        ({"name": "a b"}, "$.name"),
        ({"name": "treat_x"}, "$.name"),
        ({"level": "duty"}, "$.level"),
        ({"path": "hold"}, "$.level"),
        ({"path": "flight"}, "$.path"),
        ({"path": "flight.@crew@"}, "$.path"),
        ({"path": "flight.a'b"}, "$.path"),
        ({"type": "date"}, "$.type"),
        ({"type": "text"}, "$.unit"),
        ({"unit": "hours"}, "$.unit"),
        ({"colour": "red"}, "$.colour"),
    ],
)
def test_a_declared_fact_is_checked(airline: Any, changes: dict[str, Any], place: str) -> None:
    with pytest.raises(psycopg.Error) as refused, airline.acting("admin") as conn:
        conn.execute("select rules.declare_fact(%s)", (Jsonb({**FACT, **changes}),))
    assert refused.value.sqlstate == "CP202"
    assert refused.value.diag.message_detail == f"at {place}"
    assert refused.value.diag.message_hint


def test_facts_of_one_airline_are_its_own(airlines: Callable[[], Any]) -> None:
    """Nobody else's formulas can read them."""
    mine, other = airlines(), airlines()
    with mine.acting("admin") as conn:
        conn.execute("select rules.declare_fact(%s)", (Jsonb(FACT),))
    mine.load(contract(mine, credit(value={"var": ["hold", 0]})))
    refused(other, "CP203", contract(other, credit(value={"var": ["hold", 0]})))
