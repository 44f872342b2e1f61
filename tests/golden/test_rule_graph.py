"""The rule graph in pay: the six scenarios on record decide where clauses apply, conflicts which one is paid; a statement says which and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from crewpay_sync.importers.contract import read_contract, sample_contract

SAMPLE = read_contract(sample_contract())


def explained(airline: Any, crew: str = "A") -> list[dict[str, Any]]:
    with airline.acting("payroll") as conn, conn.cursor(row_factory=dict_row) as cursor:
        found: list[dict[str, Any]] = cursor.execute(
            "select * from pay.explain(%s, %s)", (airline.crew[crew], airline.periods[0])
        ).fetchall()
    return found


def statement(airline: Any, crew: str = "A") -> list[str]:
    with airline.acting("payroll") as conn:
        return [row[0] for row in conn.execute("select pay.statement(%s, '2013-01-01')", (crew,)).fetchall()]


# ---- The six scenarios ------------------------------------------------------------------------------------------------

# A sum for each scenario, so that a total says which of them matched.
PRICES = {
    "normal_flight": {"type": "pay", "level": "leg", "per_unit": 1},
    "delayed_flight_controllable": {"type": "pay", "level": "leg", "per_unit": 10},
    "red_eye_flight": {"type": "pay", "level": "leg", "per_unit": 100},
    "long_duty_day": {"type": "pay", "level": "duty", "per_unit": 1000},
    "guarantee_shortfall": {"type": "pay", "level": "month", "amount": 10000},
    "overtime_month": {"type": "pay", "level": "month", "amount": 20000},
}


def duty(crew: str, day: int, legs: str, report: str, release: str, **leg: Any) -> dict[str, Any]:
    return {"crew": crew, "report": f"2013-01-{day:02} {report}", "release": release,
            "legs": [{"leg": "JFK-BOS", "scheduled": legs, **leg}]}  # fmt: skip


def long_month(crew: str, *last: dict[str, Any]) -> list[dict[str, Any]]:
    """70 hours in seven duties of 10:00, each less than one and a half times its block long."""
    return [*(duty(crew, 2 + 2 * n, "07:00-17:00", "06:30", "17:30") for n in range(7)), *last]


@pytest.fixture(scope="module")
def six(airlines: Callable[[], Any]) -> Any:
    airline = airlines()
    crew = {name: {"rate": 60} for name in ("normal", "late", "night", "long", "70:00", "70:01", "75:00")}
    airline.build({"crew": crew, "duties": [
        duty("normal", 5, "09:00-10:00", "08:45", "10:10"),
        duty("normal", 6, "09:00-10:00", "08:45", "10:10", actual="none", status="CANCELLED"),
        duty("late", 5, "09:00-10:00", "08:45", "10:10", delay=31, code="MX"),
        duty("late", 6, "09:00-10:00", "08:45", "10:10", delay=30, code="MX"),
        duty("late", 7, "09:00-10:00", "08:45", "10:10", delay=90, code="WX"),
        duty("late", 8, "09:00-10:00", "08:45", "10:10", delay=90),
        duty("night", 5, "22:00-23:00", "21:45", "23:10"),
        duty("night", 6, "05:59-06:59", "05:45", "07:09"),
        duty("night", 7, "21:01-22:01", "20:45", "22:10"),
        duty("night", 8, "06:00-07:00", "05:45", "07:10"),
        duty("night", 9, "21:00-22:00", "20:45", "22:10"),
        duty("long", 5, "09:00-10:00", "08:45", "10:16"),
        duty("long", 6, "09:00-10:00", "08:45", "10:15"),
        *long_month("70:00"),
        *long_month("70:01", duty("70:01", 20, "07:00-07:01", "07:00", "07:01")),
        *long_month("75:00", duty("75:00", 20, "07:00-12:00", "06:30", "12:30")),
    ]})  # fmt: skip
    document = airline.contract({"terms": {"S_3.A": {"type": "leg_credit", "basis": "actual"}, **{f"S_{s}": f for s, f in PRICES.items()}}})  # fmt: skip
    airline.load({
        **document, "scenarios": SAMPLE["scenarios"], "components": SAMPLE["components"],
        "edges": [{"kind": "APPLIES_TO", "from": f"S_{s}", "to": s} for s in PRICES],
    })  # fmt: skip
    airline.run()
    return airline


@pytest.mark.parametrize(
    ("crew", "matches"),
    [
        # A leg that was cancelled isn't one, and its duty is longer than the nothing it flew; 1:25 for 1:00 isn't long.
        ("normal", {"normal_flight": 1, "long_duty_day": 1, "guarantee_shortfall": 1}),
        # 31 minutes for maintenance; neither 30, nor weather, nor a delay without a code.
        ("late", {"normal_flight": 4, "delayed_flight_controllable": 1, "guarantee_shortfall": 1}),
        # Off at 22:00, at 05:59, in at 22:01; not off at 06:00, nor in at 22:00.
        ("night", {"normal_flight": 5, "red_eye_flight": 3, "guarantee_shortfall": 1}),
        # 1:31 for a block of 1:00; not 1:30.
        ("long", {"normal_flight": 2, "long_duty_day": 1, "guarantee_shortfall": 1}),
        ("70:00", {"normal_flight": 7, "guarantee_shortfall": 1}),
        ("70:01", {"normal_flight": 8, "guarantee_shortfall": 1, "overtime_month": 1}),
        ("75:00", {"normal_flight": 8, "overtime_month": 1}),
    ],
)
def test_where_each_scenario_matches(six: Any, crew: str, matches: dict[str, int]) -> None:
    paid = Counter(code.removeprefix("S_") for _, code, _, _, _ in six.lines(crew) if code != "S_3.A")
    assert paid == matches
    prices = {s: f.get("per_unit", f.get("amount")) for s, f in PRICES.items()}
    assert six.totals(crew)["premium"] == sum(prices[s] * n for s, n in matches.items())
    # The statement names each scenario beside its clause.
    reasons = {i["term_code"]: i["arithmetic"] for i in explained(six, crew) if i["outcome"] == "reason"}
    assert set(reasons) == {f"S_{s}" for s in matches}
    assert all(f"({s})" in reasons[f"S_{s}"] for s in matches)
    assert [line for line in statement(six, crew) if "applies to" in line and "(normal_flight)" in line]


def test_both_samples_have_the_six_scenarios() -> None:
    avelo = read_contract(sample_contract().with_name("avelo_contract.yaml"))
    for document in (SAMPLE, avelo):
        assert {s["id"] for s in document["scenarios"]} == set(PRICES)
        assert {e["to"] for e in document["edges"] if e["kind"] == "APPLIES_TO"} == set(PRICES)


# ---- Conflicts --------------------------------------------------------------------------------------------------------

# A leg by day and one at night, in one duty of one trip: 60 and 120 minutes.
TRIP: dict[str, Any] = {
    "crew": {"A": {"rate": 60}},
    "trips": [{"crew": "A", "trip": "T1", "duties": [{"report": "2013-01-05 19:00", "release": "02:00", "legs": [
        {"leg": "JFK-BOS", "scheduled": "20:00-21:00"}, {"leg": "BOS-JFK", "scheduled": "23:00-01:00"}]}]}],
}  # fmt: skip
BLOCK = {"type": "leg_credit", "basis": "actual"}
NIGHT = {">=": [{"var": "departure_local"}, 1320]}


def conflicting(
    airlines: Callable[[], Any],
    method: str,
    first: dict[str, Any],
    second: dict[str, Any],
    notes: str = "As agreed.",
) -> Any:
    airline = airlines()
    airline.build(TRIP)
    document = airline.contract({
        "terms": {"C_3.A": BLOCK, "C_7.A": first, "C_7.B": second},
        "edges": [{"kind": "CONFLICTS_WITH", "from": "C_7.A", "to": "C_7.B", "properties": {"resolutionMethod": method, "notes": notes}}],
    })  # fmt: skip
    airline.load(document)
    airline.run()
    return airline


def told(airline: Any, outcome: str) -> list[tuple[str, str, str]]:
    return sorted((i["level"], i["term_code"], i["arithmetic"]) for i in explained(airline) if i["outcome"] == outcome)  # fmt: skip


def premiums(airline: Any) -> list[tuple[str, str, Decimal]]:
    return sorted(
        (level, code, amount) for level, code, _, _, amount in airline.lines("A") if code != "C_3.A"
    )


@pytest.mark.parametrize(
    ("method", "first", "second"),
    [
        # The lower priority number goes first.
        ("PRIORITY", {"when": NIGHT, "priority": 10}, {"priority": 20}),
        ("FAA_PREVAILS", {"when": NIGHT, "priority": 10}, {"priority": 20}),
        # The night's condition has a comparison more, whatever the priority.
        ("MOST_SPECIFIC", {"when": NIGHT, "priority": 30}, {"priority": 20}),
    ],
)
def test_the_winner_replaces_the_loser_where_it_applies(
    airlines: Callable[[], Any], method: str, first: dict[str, Any], second: dict[str, Any]
) -> None:
    airline = conflicting(
        airlines, method, {"type": "pay", "level": "leg", "per_unit": 7, **first}, {"type": "pay", "level": "leg", "per_unit": 3, **second}
    )  # fmt: skip
    assert premiums(airline) == [("leg", "C_7.A", 7), ("leg", "C_7.B", 3)]
    assert told(airline, "overruled") == [("leg", "C_7.B", f"gives way to C_7.A ({method}): As agreed.")]
    assert told(airline, "reason") == [
        ("graph", "C_7.A", f"goes before C_7.B where both apply ({method}): As agreed."),
        ("graph", "C_7.B", f"gives way to C_7.A where both apply ({method}): As agreed."),
    ]
    assert [line for line in statement(airline) if f"gives way to C_7.A ({method}): As agreed.)" in line]


@pytest.mark.parametrize(
    ("winner", "loser", "paid", "overruled"),
    [
        # From around the node: the duty's clause stops the legs'.
        ("duty", "leg", [("duty", "C_7.A", 7)], ["leg", "leg"]),
        # From inside it: one leg's clause stops the trip's.
        ("leg", "trip", [("leg", "C_7.A", 7)], ["trip"]),
        ("leg", "duty", [("leg", "C_7.A", 7)], ["duty"]),
    ],
)
def test_across_levels(
    airlines: Callable[[], Any], winner: str, loser: str, paid: list[Any], overruled: list[str]
) -> None:
    when = {"leg": NIGHT, "duty": {">": [{"var": "legs"}, 1]}}[winner]
    airline = conflicting(
        airlines, "PRIORITY", {"type": "pay", "level": winner, "per_unit": 7, "when": when, "priority": 10},
        {"type": "pay", "level": loser, "per_unit": 3},
    )  # fmt: skip
    assert premiums(airline) == paid
    assert [level for level, _, _ in told(airline, "overruled")] == overruled


def test_greatest_pays_the_greater_and_names_the_loser(airlines: Callable[[], Any]) -> None:
    """The duty of 7:00: half of it is 3:30 = 210, an allowance of 4:00 = 240 that else would be added; legs 180: 60 more."""
    airline = conflicting(
        airlines, "GREATEST", {"type": "duty_rig", "ratio": 2}, {"type": "duty_allowance", "hours": 4}
    )
    assert premiums(airline) == [("duty", "C_7.B", 60)]
    assert airline.totals("A")["total"] == 240
    (lost,) = [i for i in explained(airline) if i["outcome"] == "lost"]
    assert (lost["term_code"], lost["quantity"], lost["arithmetic"][-15:]) == (
        "C_7.A",
        210,
        "GREATEST: C_7.B",
    )
    assert told(airline, "reason") == [
        ("graph", "C_7.B", "against C_7.A the greater is paid (GREATEST): As agreed.")
    ]


def test_additive_pays_both(airlines: Callable[[], Any]) -> None:
    """Half of 7:00 is 210 against the legs' 180: 30; the minimum of 4:00, with the higher priority number, is added: 240."""
    airline = conflicting(
        airlines, "ADDITIVE", {"type": "duty_rig", "ratio": 2, "priority": 10}, {"type": "minimum_duty", "hours": 4}
    )  # fmt: skip
    assert premiums(airline) == [("duty", "C_7.A", 30), ("duty", "C_7.B", 240)]
    assert told(airline, "overruled") == []
    assert told(airline, "reason") == [
        ("graph", "C_7.A", "paid beside C_7.B (ADDITIVE): As agreed."),
        ("graph", "C_7.B", "paid beside C_7.A (ADDITIVE): As agreed."),
    ]


def test_where_the_loser_would_not_apply_nothing_gives_way(airlines: Callable[[], Any]) -> None:
    airline = conflicting(
        airlines, "PRIORITY", {"type": "pay", "level": "leg", "per_unit": 7, "priority": 10},
        {"type": "pay", "level": "leg", "per_unit": 3, "when": {"==": [{"var": "origin"}, "SEA"]}},
    )  # fmt: skip
    assert premiums(airline) == [("leg", "C_7.A", 7), ("leg", "C_7.A", 7)]
    assert told(airline, "overruled") == []


# ---- What leads nowhere -----------------------------------------------------------------------------------------------

LONG = {"id": "long", "name": "Long", "level": "duty", "pattern": {">": [{"var": "duty_minutes"}, 600]}}
GREATEST = {"resolutionMethod": "GREATEST"}


def edge(kind: str, first: str, second: str, **properties: Any) -> dict[str, Any]:
    return {"kind": kind, "from": first, "to": second, **({"properties": properties} if properties else {})}


WRONG: dict[str, tuple[dict[str, Any], str, str]] = {
    "a clause that isn't there": ({"edges": [edge("APPLIES_TO", "C_9.Z", "long")]}, "CP203", "$.from"),
    # Without its scenario the term would be paid everywhere.
    "a scenario that isn't there": ({"edges": [edge("APPLIES_TO", "C_3.A", "lnog")]}, "CP203", "$.to"),
    "a conflict with nothing": ({"edges": [edge("CONFLICTS_WITH", "C_3.A", "C_9.Z", **GREATEST)]}, "CP203", "$.to"),
    "a component that isn't there": ({"edges": [edge("DEPENDS_ON", "overtime", "flight_pay")]}, "CP203", "$.from"),
    "a conflict with itself": ({"edges": [edge("CONFLICTS_WITH", "C_3.A", "C_3.A", **GREATEST)]}, "CP206", "$"),
    "a conflict both ways": (
        {"edges": [edge("CONFLICTS_WITH", "C_3.A", "C_3.B", **GREATEST), edge("CONFLICTS_WITH", "C_3.B", "C_3.A", resolutionMethod="PRIORITY")]},
        "CP206", "$",
    ),
    "an edge twice": ({"edges": [edge("APPLIES_TO", "C_3.A", "long")] * 2}, "CP202", "$"),
    "a scenario twice": ({"scenarios": [LONG, {**LONG, "level": "trip"}]}, "CP202", "$"),
    "a pattern of an unknown fact": ({"scenarios": [{**LONG, "pattern": {">": [{"var": "weather"}, 3]}}]}, "CP203", "$.pattern.>[0]"),
    "a pattern of another level": ({"scenarios": [{**LONG, "pattern": {"==": [{"var": "leg.origin"}, "JFK"]}}]}, "CP203", "$.pattern.==[0]"),
    "a pattern that is no condition": ({"scenarios": [{**LONG, "pattern": {"var": "duty_minutes"}}]}, "CP204", "$.pattern"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_a_graph_that_leads_nowhere_is_refused(airlines: Callable[[], Any], name: str) -> None:
    """Whether or not a term uses it, before it is loaded, tried or costed; the place is told, and what to do."""
    wrong, code, place = WRONG[name]
    airline = airlines()
    airline.build(TRIP)
    airline.load(
        airline.contract(
            {"terms": {"C_3.A": BLOCK, "C_3.B": {"type": "minimum_duty", "hours": 4}}, "scenarios": [LONG]}
        )
    )
    airline.run()
    before = airline.conn.execute(
        "select count(*) from graph.generations where enterprise_id = %s", (airline.id,)
    ).fetchone()
    for statement in (
        "select rules.load_contract(%(contract)s)",
        "select rules.test_contract(%(contract)s)",
        "select pay.what_if(%(enterprise)s, %(periods)s, %(contract)s)",
    ):
        with pytest.raises(psycopg.Error) as refused, airline.acting("admin") as conn:
            conn.execute(
                statement, {"contract": Jsonb(wrong), "enterprise": airline.id, "periods": airline.periods}
            )
        assert refused.value.sqlstate == code, statement
        assert refused.value.diag.message_detail.splitlines()[0] == f"at {place}"
        assert refused.value.diag.message_hint
    after = airline.conn.execute(
        "select count(*) from graph.generations where enterprise_id = %s", (airline.id,)
    ).fetchone()
    assert after == before, "nothing of it stays"


def test_all_that_leads_nowhere_is_told_at_once(airlines: Callable[[], Any]) -> None:
    airline = airlines()
    airline.load(airline.contract({"terms": {"C_3.A": BLOCK}}))
    with pytest.raises(psycopg.Error) as refused:
        airline.load(
            {
                "edges": [
                    edge("APPLIES_TO", "C_3.A", "lnog"),
                    edge("CONFLICTS_WITH", "C_3.X", "C_3.A", **GREATEST),
                ]
            }
        )
    assert refused.value.diag.message_detail.splitlines() == [
        "at $.to",
        "CP203: edges[1]: clause C_3.X is not on record, at $.from",
    ]


def test_a_pattern_reads_the_contract_s_own_measures(airlines: Callable[[], Any]) -> None:
    airline = airlines()
    airline.load(airline.contract({
        "terms": {"C_3.A": BLOCK, "C_2.A": {"type": "measure", "name": "night", "level": "duty", "basis": "duty_minutes", "window": {"from": "22:00", "to": "06:00"}}},
        "scenarios": [{**LONG, "pattern": {">": [{"var": "night"}, 60]}}],
    }))  # fmt: skip


# ---- The accepted generation ------------------------------------------------------------------------------------------


def test_only_the_accepted_generation_counts(airlines: Callable[[], Any]) -> None:
    first = {"type": "pay", "level": "leg", "per_unit": 7, "when": NIGHT, "priority": 10}
    second = {"type": "pay", "level": "leg", "per_unit": 3, "priority": 20}
    airline = conflicting(airlines, "PRIORITY", first, second)
    both = [("leg", "C_7.A", 7), ("leg", "C_7.B", 3), ("leg", "C_7.B", 3)]
    # A generation without the conflict, proposed and not accepted.
    airline.conn.execute(
        "insert into graph.generations (enterprise_id, generation, source) values (%s, 1, 'neo4j')",
        (airline.id,),
    )
    airline.run()
    assert premiums(airline) == both[:2]
    airline.conn.execute(
        "update graph.generations set accepted_at = now() where enterprise_id = %s and generation = 1", (airline.id,)
    )  # fmt: skip
    airline.run()
    assert premiums(airline) == both
    assert told(airline, "overruled") == []


def test_components_stand_in_the_order_of_their_dependencies(airlines: Callable[[], Any]) -> None:
    airline = airlines()
    airline.build(TRIP)
    airline.load(airline.contract({
        "terms": {"C_3.A": BLOCK},
        "components": [{"type": t, "name": t, "order": n} for n, t in enumerate(("overtime", "premium", "flight_pay", "per_diem"), 1)],
        "edges": [
            {"kind": "DEPENDS_ON", "from": "overtime", "to": "premium"},
            {"kind": "DEPENDS_ON", "from": "premium", "to": "flight_pay"},
        ],
    }))  # fmt: skip
    airline.run()
    shown = [i["component"] for i in explained(airline) if i["outcome"] == "component"]
    # 4 for per diem; 3 for flight pay, and what rests on it follows it; what the graph doesn't have comes last.
    assert shown == ["flight_pay", "premium", "overtime", "per_diem", "delay_pay", "guarantee", "adjustment"]
