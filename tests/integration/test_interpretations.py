"""Interpretations: their examples are recomputed by the contract, and count as guidance once another person has validated them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from crewpay_sync.database import Target
from tests.golden.conftest import AIRPORTS, golden_logins
from tests.tenants import Tenant

# JFK 06:00-18:00 is 12:00 on duty, half of it 6:00 = 360 minutes; 2:30 + 2:00 flown = 270; 90 more at $36: 0.60 a minute.
EXAMPLE: dict[str, Any] = {
    "position": "FLIGHT_ATTENDANT", "base": "JFK", "hourly_rate": 36,
    "duties": [{"report": "2013-01-08 06:00", "release": "18:00", "legs": [
        {"leg": "JFK-ORD", "scheduled": "07:00-09:30"}, {"leg": "ORD-JFK", "scheduled": "15:00-17:00"}]}],
    "lines": [
        {"term": "I_4.A", "quantity": 150, "amount": 90.00}, {"term": "I_4.A", "quantity": 120, "amount": 72.00},
        {"term": "I_4.B", "quantity": 90, "amount": 54.00}],
    "total": 216.00,
}  # fmt: skip


def contract(ratio: float = 2, **example: Any) -> dict[str, Any]:
    def term(code: str, formula: dict[str, Any]) -> dict[str, Any]:
        return {"code": code, "category": "CREDIT", "title": code, "text": code, "applies_to": ["FLIGHT_ATTENDANT"],
                "effective": "2012-01-01", "formula": formula}  # fmt: skip

    return {
        "terms": [
            term("I_4.A", {"type": "leg_credit", "basis": "actual"}),
            term("I_4.B", {"type": "duty_rig", "ratio": ratio}),
            term("I_5.A", {"type": "monthly_guarantee", "hours": 75}),
        ],
        "interpretations": [{
            "code": "half-the-duty", "scenario": "A long duty with little flying.", "terms": ["I_4.A", "I_4.B"],
            "interpretation": "The rig pays what lacks to half of the duty.", "confidence": 95, "example": {**EXAMPLE, **example},
        }],
    }  # fmt: skip


@pytest.fixture(scope="module")
def air(database: Target) -> Iterator[Callable[[], Tenant]]:
    with closing(database.connect(autocommit=True)) as conn:
        for iata, (icao, zone, country) in AIRPORTS.items():
            conn.execute(
                "insert into crew.airports (iata, icao, name, time_zone, country) values (%s, %s, %s, %s, %s) on conflict do nothing",
                (iata, icao, iata, zone, country),
            )
        yield lambda: Tenant(conn, golden_logins(conn))


def verified(airline: Tenant) -> list[dict[str, Any]]:
    with airline.acting("payroll") as conn, conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute("select * from rules.verify_interpretations()").fetchall()


def tried(airline: Tenant, document: dict[str, Any]) -> list[dict[str, Any]]:
    with airline.acting("admin") as conn, conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute("select * from rules.test_contract(%s)", (Jsonb(document),)).fetchall()


def test_an_example_is_recomputed_by_the_contract(air: Callable[[], Tenant]) -> None:
    airline = air()
    airline.load(contract())
    (found,) = verified(airline)
    assert (found["holds"], found["code"], found["detail"]) == (True, None, None)
    assert found["computed"] == found["expected"]
    # The contract changes: the example holds no longer, and the report says what it would be paid.
    airline.load({"terms": contract(ratio=3)["terms"]})
    (found,) = verified(airline)
    assert (found["holds"], found["code"]) == (False, "CP222")
    assert [line for line in found["computed"] if line["term"] == "I_4.B"] == []


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"lines": [*EXAMPLE["lines"][:2], {"term": "I_4.B", "quantity": 90, "amount": 54.01}]}, "CP222"),
        ({"lines": EXAMPLE["lines"][:2]}, "CP222"),  # the rig is one of its clauses, and pays
        ({"total": 216.01}, "CP222"),
        ({"position": "CAPTAIN"}, "CP213"),
        ({"duties": [{"report": "2013-02-30 06:00", "release": "18:00"}], "month": "2013-02"}, "22008"),
        ({"base": "XXX"}, "CP101"),
        (
            {
                "duties": [
                    {
                        "report": "2013-01-08 06:00",
                        "release": "12:00",
                        "legs": [{"leg": "JFK-ZZZ", "scheduled": "07:00-09:00"}],
                    }
                ]
            },
            "CP101",
        ),
    ],
)
def test_what_does_not_hold_is_reported_with_its_code(
    air: Callable[[], Tenant], wrong: dict[str, Any], code: str
) -> None:
    airline = air()
    airline.load(contract(**wrong))
    assert [(found["holds"], found["code"]) for found in verified(airline)] == [(False, code)]


DUTY = EXAMPLE["duties"][0]


@pytest.mark.parametrize(
    ("wrong", "place"),
    [
        ({"duties": [{**DUTY, "report": "at six"}]}, "$.example.duties[0].report"),
        ({"duties": [{**DUTY, "report": "06:00"}]}, "$.example.duties[0].report"),
        ({"duties": [{**DUTY, "release": "25:00"}]}, "$.example.duties[0].release"),
        ({"duties": [{**DUTY, "legs": [{"leg": "JFKORD", "scheduled": "07:00-09:30"}]}]}, "$.example.duties[0].legs[0].leg"),
        ({"duties": [{**DUTY, "legs": [{"leg": "JFK-ORD", "scheduled": "07:00"}]}]}, "$.example.duties[0].legs[0].scheduled"),
        ({"duties": [{**DUTY, "activity": "NAP"}]}, "$.example.duties[0].activity"),
        ({"trips": [{"pickup": "LOTTERY", "duties": [DUTY]}]}, "$.example.trips[0].pickup"),
        ({"trips": [{"duty": [DUTY]}]}, "$.example.trips[0].duty"),
        ({"month": "2013-13"}, "$.example.month"),
        ({"lines": [{"term": "I_4.A", "quantity": "2:30", "amount": 90}]}, "$.example.lines[0].quantity"),
        ({"duty": []}, "$.example.duty"),
    ],
)  # fmt: skip
def test_an_example_that_can_t_be_read_is_refused_with_its_place(
    air: Callable[[], Tenant], wrong: dict[str, Any], place: str
) -> None:
    airline = air()
    for statement in ("select rules.load_contract(%s)", "select rules.test_contract(%s)"):
        error = airline.refused("CP202", "admin", statement, Jsonb(contract(**wrong)))
        assert str(error.diag.message_detail).splitlines()[0] == f"at {place}"
        assert error.diag.message_hint


def test_a_contract_is_tried_on_its_examples_without_being_loaded(air: Callable[[], Tenant]) -> None:
    airline = air()
    airline.load(contract())
    assert [found["holds"] for found in tried(airline, contract())] == [True]
    proposal = contract(ratio=3)
    (found,) = tried(airline, proposal)
    assert (found["holds"], found["code"]) == (False, "CP222")
    # Examples on record are tried too.
    assert [f["holds"] for f in tried(airline, {"terms": proposal["terms"]})] == [False]
    assert [f["holds"] for f in verified(airline)] == [True], "nothing of it stays"


def test_guidance_is_validated_by_another_person_and_lost_by_a_change(air: Callable[[], Tenant]) -> None:
    airline = air()
    airline.load(contract())
    key = airline.call("admin", "select id, is_guidance from rules.rule_interpretations, lateral rules.is_guidance(rule_interpretations) as is_guidance")  # fmt: skip
    assert key["is_guidance"] is False
    error = airline.refused("CP310", "admin", "select rules.validate_interpretation(%s)", key["id"])
    assert error.diag.message_hint
    airline.refused("42501", "payroll", "select rules.validate_interpretation(%s)", key["id"])
    # As if another administrator had written it.
    airline.conn.execute(
        "update rules.rule_interpretations set recorded_by = 'somebody', recorded_by_person = gen_random_uuid() where id = %s",
        (key["id"],),
    )
    airline.call("admin", "select rules.validate_interpretation(%s)", key["id"])
    assert [f["is_guidance"] for f in verified(airline)] == [True]
    assert (
        airline.call("payroll", "select count(*) as n from rules.guidance where id = %s", key["id"])["n"] == 1
    )
    airline.load(contract(total=216.0, lines=EXAMPLE["lines"][::-1]))
    assert [(f["holds"], f["is_guidance"]) for f in verified(airline)] == [(True, False)]


def test_confidence_at_the_setting_is_not_above_it(air: Callable[[], Tenant]) -> None:
    airline = air()
    document = contract()
    document["interpretations"][0]["confidence"] = 80
    airline.load(document)
    airline.conn.execute(
        "update rules.rule_interpretations set validated_by = 'boss', validated_at = now() where enterprise_id = %s",
        (airline.id,),
    )
    assert [f["is_guidance"] for f in verified(airline)] == [False]


def test_an_example_that_does_not_hold_is_not_validated(air: Callable[[], Tenant]) -> None:
    airline = air()
    airline.load(contract(total=1))
    airline.conn.execute(
        "update rules.rule_interpretations set recorded_by = 'somebody', recorded_by_person = gen_random_uuid() where enterprise_id = %s",
        (airline.id,),
    )
    key = airline.call("admin", "select id from rules.rule_interpretations")["id"]
    airline.refused("CP222", "admin", "select rules.validate_interpretation(%s)", key)


@pytest.mark.parametrize("part", ["terms", "faa_rules"])
def test_what_it_is_about_has_to_be_on_record(air: Callable[[], Tenant], part: str) -> None:
    airline = air()
    document = contract()
    document["interpretations"][0][part] = ["NO_SUCH"]
    airline.refused("CP203", "admin", "select rules.load_contract(%s)", Jsonb(document))


def test_crew_do_not_verify(air: Callable[[], Tenant]) -> None:
    airline = air()
    with pytest.raises(psycopg.Error) as refused, airline.acting("bi") as conn:
        conn.execute("select * from rules.verify_interpretations()")
    assert refused.value.sqlstate == "42501"


def test_interpretations_alone_are_asked_for(air: Callable[[], Tenant]) -> None:
    airline = air()
    airline.load({"terms": contract()["terms"]})
    document = {"interpretations": contract()["interpretations"]}
    statement = "select (rules.request_contract(%s, 'Read so by both.')).id"
    assert airline.call("admin", statement, Jsonb(document))["id"]
    airline.load(document)
    airline.refused("CP311", "admin", statement, Jsonb(document))
