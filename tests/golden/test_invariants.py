"""What holds for every run: totals equal lines, a repeat changes nothing, order of input is irrelevant, text is text."""

from __future__ import annotations

import copy
import random
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

CONTRACT: dict[str, Any] = {
    "I_0": {"type": "settings", "leg_month_clock": "departure"},
    "I_3.A": {"type": "leg_credit", "basis": "greater", "compare_at": "leg", "factors": {"DEADHEAD": 0.5}},
    "I_3.B": {"type": "cancellation_protection"},
    "I_4.A": {"type": "minimum_day", "hours": 3, "days": "all"},
    "I_5.A": {"type": "monthly_guarantee", "hours": 20, "proration": "calendar_days"},
    "I_6.A": {"type": "duty_rig", "ratio": 2},
    "I_6.B": {"type": "trip_rig", "ratio": 3.5},
    "I_7.A": {"type": "sit_credit", "over_minutes": 90, "hours": 0.5},
    "I_8.A": {"type": "per_diem", "rate": 2.35, "per": "hour"},
    "I_10.A": {"type": "overtime", "threshold_hours": 12, "multiplier": 1.5},
    "I_12.A": {"type": "premium", "level": "leg", "basis": "block", "multiplier": 1.5, "window": {"from": "22:00", "to": "06:00", "clock": "departure"}},
    "I_13.A": {"type": "delay_pay", "over_minutes": 30, "factor": 0.5, "codes": ["MX", "OPS"]},
}  # fmt: skip


def clock(minute: int) -> str:
    return f"2013-01-{1 + minute // 1440:02} {minute // 60 % 24:02}:{minute % 60:02}Z"


@st.composite
def trips(draw: st.DrawFn, crew: str) -> list[dict[str, Any]]:
    """Up to three trips of a crew member, one after the other, with legs that follow each other."""
    made = []
    at = draw(st.integers(0, 3 * 1440))
    number = 0
    for trip_no in range(draw(st.integers(1, 3))):
        duties = []
        for _ in range(draw(st.integers(1, 2))):
            report = at
            legs = []
            at += draw(st.integers(30, 90))
            for _ in range(draw(st.integers(1, 3))):
                number += 1
                scheduled = draw(st.integers(30, 300))
                late = draw(st.integers(0, 100))
                out = at + draw(st.sampled_from([0, 0, late]))
                status = draw(st.sampled_from(["ARRIVED", "ARRIVED", "ARRIVED", "CANCELLED"]))
                flown = draw(st.integers(30, 310))
                legs.append({
                    "leg": draw(st.sampled_from(["JFK-LAX", "LAX-JFK", "JFK-BOS", "ORD-LHR"])), "number": f"{crew}{number}",
                    "as": draw(st.sampled_from(["OPERATING", "OPERATING", "DEADHEAD"])), "status": status,
                    "scheduled": f"{clock(at)} to {clock(at + scheduled)}",
                    "actual": "none" if status == "CANCELLED" else f"{clock(out)} to {clock(out + flown)}",
                    "delay": late, "code": draw(st.sampled_from([None, "MX", "WX"])),
                })  # fmt: skip
                at = max(at + scheduled, out + flown) + draw(st.integers(20, 150))
            duties.append({"report": clock(report), "release": clock(at), "legs": legs})
            at += draw(st.integers(600, 1500))
        made.append({"crew": crew, "trip": f"T{trip_no}", "duties": duties})
        at += draw(st.integers(0, 2000))
        if at > 25 * 1440:
            break
    return made


@st.composite
def months(draw: st.DrawFn) -> dict[str, Any]:
    crew: dict[str, Any] = {
        "A": {"rate": draw(st.integers(2000, 20000)) / 100},
        "B": {
            "rate": draw(st.integers(2000, 20000)) / 100,
            "base": "LAX",
            "hired": draw(st.sampled_from(["2005-03-01", "2013-01-09"])),
        },
    }
    return {"crew": crew, "terms": CONTRACT, "trips": draw(trips("A")) + draw(trips("B"))}


def result(airline: Any) -> dict[str, Any]:
    return {crew: (airline.lines(crew), airline.totals(crew)) for crew in airline.crew}


def paid(airlines: Callable[[], Any], case: dict[str, Any]) -> Any:
    airline = airlines()
    airline.build(case)
    airline.load(airline.contract(case))
    airline.run()
    return airline


@given(case=months(), seed=st.integers(0, 2**16))
def test_any_month(airlines: Callable[[], Any], case: dict[str, Any], seed: int) -> None:
    airline = paid(airlines, case)
    first = result(airline)
    for lines, totals in first.values():
        assert sum((line[4] for line in lines), Decimal(0)) == totals["total"]
        assert totals["total"] == sum(
            (totals[c] for c in ("flight_pay", "overtime", "delay_pay", "per_diem", "premium", "guarantee")),
            Decimal(0),
        )
        # Credit is never less than any candidate's, so the guarantee covers what is missing.
        assert all(amount > 0 for *_, amount in lines)

    again = airline.run()
    assert result(airline) == first, "a repeat gives the same lines"
    states = airline.conn.execute(
        "select result_hash, input_hash from pay.pay_runs where enterprise_id = %s", (airline.id,)
    ).fetchall()
    assert len(set(states)) == 1, "and the same hashes"
    assert again["crew_count"] == 2

    shuffled = copy.deepcopy(case)
    order = random.Random(seed)  # noqa: S311
    order.shuffle(shuffled["trips"])
    shuffled["crew"] = dict(sorted(shuffled["crew"].items(), reverse=True))
    terms = list(shuffled["terms"].items())
    order.shuffle(terms)
    shuffled["terms"] = dict(terms)
    assert result(paid(airlines, shuffled)) == first, "order of input is irrelevant"


FIXED: dict[str, Any] = {
    "crew": {"A": {"rate": 60}, "B": {"rate": 90}},
    "terms": {"F_3.A": {"type": "leg_credit", "basis": "actual"}, "F_5.A": {"type": "monthly_guarantee", "hours": 10}},
    "duties": [
        {"crew": crew, "report": "2013-01-10 08:00", "release": "12:00", "legs": [{"leg": "JFK-BOS", "scheduled": "09:00-10:00"}]} for crew in "AB"
    ],
}  # fmt: skip


def test_replaced_results_are_kept(airlines: Callable[[], Any]) -> None:
    airline = paid(airlines, FIXED)
    first = airline.conn.execute(
        "select id, run_id from pay.pay_calculations where enterprise_id = %s order by id", (airline.id,)
    ).fetchall()
    airline.run()
    current = airline.conn.execute(
        "select count(*), count(distinct crew_member_id), count(distinct run_id) from pay.pay_calculations where enterprise_id = %s",
        (airline.id,),
    ).fetchone()
    assert current == (2, 2, 1)
    kept = airline.conn.execute(
        "select id, run_id from pay.calculation_versions where enterprise_id = %s order by id", (airline.id,)
    ).fetchall()
    assert kept == first


def test_run_of_one_leaves_the_others(airlines: Callable[[], Any]) -> None:
    airline = paid(airlines, FIXED)
    before = result(airline)
    airline.conn.execute(
        "update crew.crew_members set base_hourly_rate = 100 where enterprise_id = %s", (airline.id,)
    )
    run = airline.run(crew=["A"])
    after = result(airline)
    assert after["B"] == before["B"]
    assert after["A"][1]["total"] == 1000
    assert (run["crew_count"], run["whole_period"]) == (1, False)
    rows = airline.conn.execute(
        "select count(*) from pay.pay_calculations where enterprise_id = %s", (airline.id,)
    ).fetchone()
    assert rows == (2,)


HOSTILE = [
    "'", "''", '"', ";", "--", "/*", "$$", "$1", "\\", "\\'", "%", "%s", "%1$L", "@crew@", "@enterprise@", "@lo@ or 1=1 --",
    "a@crew@b", "@", "@@", "');drop", "'||'", "é'", "x\ny", "{\"$\"", "$self_", "\u202e'", "ʼ", "＇", "select 1", "leg_block", "null", "E'\\'",
]  # fmt: skip
ATTACK = "'::text) is true)) as t1 from (select 1/0) as x; do $x$ begin raise 'executed'; end $x$; --"


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_constant_is_a_constant(airlines: Callable[[], Any], text: str) -> None:
    """A delay code of that very text is matched, and only that one."""
    case = copy.deepcopy(FIXED)
    code = text[:10]
    case["terms"] = {
        "F_3.A": {"type": "leg_credit", "basis": "actual"},
        "F_13.B": {"type": "delay_pay", "over_minutes": 30, "codes": [code]},
        "F_13.C": {"type": "pay", "level": "leg", "amount": 7, "when": {"==": [{"var": "delay_code"}, code]}},
        "F_13.D": {
            "type": "pay",
            "level": "leg",
            "amount": 5,
            "when": {"==": [{"var": ["delay_code", code]}, code]},
        },
    }
    case["duties"][0]["legs"][0] |= {"delay": 60, "code": code}
    case["duties"][1]["legs"][0] |= {"delay": 60, "code": "MX"}
    airline = paid(airlines, case)
    airline.run(crew=["A", "B"])
    assert airline.totals("A")["total"] == 60 + 60 + 7 + 5
    assert airline.totals("B")["total"] == 90


PLACES: list[Callable[[str], dict[str, Any]]] = [
    lambda text: {"type": text},
    lambda text: {"type": "duty_rig", "ratio": text},
    lambda text: {"type": "duty_rig", text: 2},
    lambda text: {"type": "minimum_duty", "hours": text},
    lambda text: {"type": "measure", "name": text, "level": "leg", "basis": "block"},
    lambda text: {"type": "credit", "level": text, "basis": "block"},
    lambda text: {"type": "credit", "level": "leg", "basis": text},
    lambda text: {"type": "credit", "level": "leg", "value": {"var": text}},
    lambda text: {"type": "credit", "level": "leg", "value": {"var": f"leg.{text}"}},
    lambda text: {"type": "credit", "level": "leg", "value": {text: [1, 2]}},
    lambda text: {"type": "credit", "level": "leg", "basis": "block", "component": text},
    lambda text: {"type": "credit", "level": "leg", "basis": "block", "combine": text},
    lambda text: {"type": "credit", "level": "leg", "basis": "block", "combine": "add", "joins": text},
    lambda text: {"type": "credit", "level": "leg", "basis": "block", "books": text},
    lambda text: {"type": "credit", "level": "leg", "basis": "block", "toward_guarantee": text},
    lambda text: {
        "type": "credit",
        "level": "leg",
        "basis": "block",
        "window": {"from": text, "to": "06:00"},
    },
    lambda text: {"type": "credit", "level": "leg", "basis": "block", "window": {"dates": [text]}},
    lambda text: {
        "type": "credit",
        "level": "leg",
        "basis": "block",
        "window": {"from": "22:00", "to": "06:00", "clock": text},
    },
    lambda text: {"type": "credit", "level": "leg", "basis": "block", "round": {"to": 0.1, "mode": text}},
    lambda text: {"type": "credit", "level": "leg", "value": {"round": [1, 1, text]}},
    lambda text: {"type": "pay", "level": "leg", "basis": "block", "per_hour": text},
    lambda text: {"type": "settings", "unit": text},
    lambda text: {"type": "settings", "report_before": text},
    lambda text: {"type": "settings", "leg_month_clock": text},
    lambda text: {"type": "hourly_rate", "steps": [{"position": text, "rate": 1}]},
    lambda text: {"type": "hourly_rate", "steps": [{"position": "CAPTAIN", "from": text, "rate": 1}]},
    lambda text: {"type": "leg_credit", "basis": text},
    lambda text: {"type": "leg_credit", "factors": {"DEADHEAD": text}},
    lambda text: {"type": "per_diem", "rate": 1, "per": text},
    lambda text: {"type": "average_daily_guarantee", "hours": 5, "per": text},
    lambda text: {"type": "minimum_day", "hours": 5, "days": text},
    lambda text: {"type": "monthly_guarantee", "hours": 70, "proration": text},
    lambda text: {"type": "measure", "name": "m", "level": "leg", "rolling": {"days": text}},
    lambda text: {"type": "measure", "name": "m", "level": "leg", "rolling": {text: 3}},
    lambda text: {"type": "settings", "rate_on": text},
    lambda text: {"type": "settings", "round_money": text},
    lambda text: {"type": "line_guarantee", "share": text},
    lambda text: {"type": "advance", "hours": text},
    lambda text: {"type": "advance", "hours": {"var": f"month.{text}"}},
    lambda text: {"type": "overtime", "threshold_hours": 1, "per_hour": 1, "level": text},
    lambda text: {"type": "pay", "level": "quarter", "basis": text},
]


# Those that mean something where they stand; a name that is a word of SQL is a name.
FINE = [
    *(
        {"type": "measure", "name": name, "level": "leg", "basis": "block"}
        for name in ("default", "null", "leg_block")
    ),
    {"type": "credit", "level": "leg", "value": {"%": [1, 2]}},
]


@pytest.fixture(scope="module")
def target(airlines: Callable[[], Any]) -> Any:
    made = airlines()
    made.build(FIXED)
    return made


@pytest.mark.parametrize("place", PLACES, ids=range(len(PLACES)))
def test_hostile_text_elsewhere_is_refused(target: Any, place: Callable[[str], dict[str, Any]]) -> None:
    for text in [*HOSTILE, ATTACK, "default", "$case"]:
        if place(text) in FINE:
            continue
        with pytest.raises(psycopg.Error) as caught:
            target.load(target.contract({"terms": {"H_1": place(text)}}))
        assert (caught.value.sqlstate or "").startswith("CP2"), (text, caught.value)


# A text literal of SQL, in which a word may stand without being SQL; or a comment (group 1), whose apostrophes begin no literal.
QUOTED = re.compile(r"""(--[^\n]*)|E'(?:\\.|''|[^'\\])*'|'(?:''|[^'])*'""", re.S)


def test_nothing_of_a_contract_reaches_sql_unquoted(airlines: Callable[[], Any]) -> None:
    """Every text that a contract may hold carries a word; no statement compiled from it has the word outside a literal."""
    word = "zq7'zq7"
    condition = {"or": [{"==": [{"var": "delay_code"}, word]}, {"in": [{"var": "origin"}, [word, "JFK"]]}, {"in": [word, {"var": ["delay_code", word]}]}]}  # fmt: skip
    case = copy.deepcopy(FIXED)
    case["terms"] = {
        f"W_0{word}": {"type": "leg_credit", "basis": "actual", "note": word},
        f"W_1{word}": {"type": "delay_pay", "over_minutes": 1, "codes": [word]},
        f"W_2{word}": {"type": "pay", "level": "leg", "amount": 1, "when": condition, "group": "zq7", "stacking": "highest"},
        f"W_3{word}": {"type": "pay", "level": "leg", "amount": {"if": [{"==": [{"cat": [{"var": "origin"}, word]}, word]}, 2, 1]}},
        f"W_4{word}": {"type": "measure", "name": "heard", "level": "leg", "when": {"!": {"and": [{"var": "delay_code"}, word]}}},
        f"W_5{word}": {"type": "credit", "level": "trip", "basis": "heard", "combine": "add", "when": {"==": [{"var": "pickup"}, word]}},
        f"W_6{word}": {"type": "treatment", "level": "trip", "when": {"!=": [{"var": "pickup"}, word]}, "toward_guarantee": False},
    }  # fmt: skip
    case["scenarios"] = [{"id": f"s{word}", "name": word, "level": "duty", "pattern": {"==": [{"var": "crew.base"}, word]}, "description": word}]  # fmt: skip
    case["edges"] = [{"kind": "APPLIES_TO", "from": f"W_3{word}", "to": f"s{word}"}]
    airline = paid(airlines, case)
    statements = airline.conn.execute(
        "select statement from rules.plans where enterprise_id = %s", (airline.id,)
    ).fetchall()
    assert len(statements) > 5
    whole = "\n".join(statement for (statement,) in statements)
    assert whole.count("zq7") > 10
    bare = QUOTED.sub(lambda literal: literal[1] or "''", whole)
    # Names that the compiler makes of codes are letters, digits and underscores.
    assert set(re.findall(r"\w*zq7\w*", bare)) <= {"leg_scenario_szq7_zq7", "duty_scenario_szq7_zq7"}


def test_hostile_words_that_are_only_read(airlines: Callable[[], Any]) -> None:
    """Codes, titles, texts, scenario names and notes may hold anything."""
    case = copy.deepcopy(FIXED)
    case["terms"] = {}
    for n, text in enumerate([*HOSTILE, ATTACK[:40]]):
        case["terms"][f"{n}{text}"] = {"type": "premium", "level": "leg", "amount": 1, "note": text}
    case["terms"]["A"] = {"type": "leg_credit", "basis": "actual"}
    case["scenarios"] = [
        {
            "id": f"s{text}",
            "name": text,
            "level": "duty",
            "pattern": {">": [{"var": "block"}, 0]},
            "description": text,
        }
        for text in HOSTILE
    ]
    case["edges"] = [
        {"kind": "APPLIES_TO", "from": f"{n}{text}", "to": f"s{text}"} for n, text in enumerate(HOSTILE)
    ]
    airline = airlines()
    airline.build(case)
    document = airline.contract(case)
    airline.load(document)
    airline.run()
    assert airline.totals("A")["total"] == 60 + len(HOSTILE) + 1
