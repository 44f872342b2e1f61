"""Versions of terms: when they apply and when they were known. What changes is superseded, never edited."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row, tuple_row
from psycopg.types.json import Jsonb

RIG = {"type": "duty_rig", "ratio": 3}


def term(code: str = "V_6.E", **given: Any) -> dict[str, Any]:
    return {
        "code": code, "category": "DUTY_RIGS", "title": "Rig", "text": "A rig.", "applies_to": ["CAPTAIN"],
        "effective": "2012-01-01", "formula": RIG, **given,
    }  # fmt: skip


@pytest.fixture
def airline(airlines: Callable[[], Any]) -> Any:
    made = airlines()
    made.build({"crew": {"A": {"rate": 60, "position": "CAPTAIN"}}})
    return made


def load(airline: Any, *terms: dict[str, Any], **parts: Any) -> dict[str, Any]:
    loaded: dict[str, Any] = airline.load({"terms": list(terms), **parts})
    return loaded


def on_record(airline: Any, at: Any = None) -> list[tuple[Any, ...]]:
    """Code, effective, expires and ratio of the versions on record, now or at a moment."""
    with airline.acting("admin") as conn, conn.cursor(row_factory=tuple_row) as cursor:
        return cursor.execute(
            """select term_code, effective_date::text, expiration_date::text, (calculation_formula ->> 'ratio')::numeric::text
               from rules.terms_as_of(coalesce(%s::timestamptz, clock_timestamp())) order by 1, 2""",
            (at,),
        ).fetchall()


def now(airline: Any) -> Any:
    return airline.conn.execute("select clock_timestamp()").fetchone()[0]


def diff(airline: Any, *terms: dict[str, Any], **parts: Any) -> list[dict[str, Any]]:
    with airline.acting("payroll") as conn, conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(
            "select * from rules.diff_contract(%s)", (Jsonb({"terms": list(terms), **parts}),)
        ).fetchall()


def export(airline: Any, on: str | None = None, at: Any = None) -> dict[str, Any]:
    with airline.acting("payroll") as conn:
        document: dict[str, Any] = conn.execute("select rules.export_contract(%s, %s)", (on, at)).fetchone()[
            0
        ]
    return document


def test_a_repeat_changes_nothing(airline: Any) -> None:
    assert load(airline, term()) == {"added": 1, "changed": 0, "unchanged": 0, "generation": 0}
    assert load(airline, term()) == {"added": 0, "changed": 0, "unchanged": 1, "generation": 0}


def test_a_changed_version_supersedes_and_the_old_one_is_still_known(airline: Any) -> None:
    load(airline, term())
    before = now(airline)
    assert load(airline, term(formula={"type": "duty_rig", "ratio": 2}))["changed"] == 1
    assert on_record(airline) == [("V_6.E", "2012-01-01", None, "2")]
    assert on_record(airline, before) == [("V_6.E", "2012-01-01", None, "3")]


def test_a_new_version_ends_the_one_before_without_editing_it(airline: Any) -> None:
    load(airline, term())
    before = now(airline)
    load(airline, term(effective="2013-01-01", formula={"type": "duty_rig", "ratio": 2}))
    assert on_record(airline) == [
        ("V_6.E", "2012-01-01", "2013-01-01", "3"),
        ("V_6.E", "2013-01-01", None, "2"),
    ]
    assert on_record(airline, before) == [("V_6.E", "2012-01-01", None, "3")]


def test_versions_in_any_order_lie_end_to_end(airline: Any) -> None:
    load(airline, term(effective="2014-01-01"), term(), term(effective="2013-01-01"))
    assert [(v[1], v[2]) for v in on_record(airline)] == [
        ("2012-01-01", "2013-01-01"),
        ("2013-01-01", "2014-01-01"),
        ("2014-01-01", None),
    ]


@pytest.mark.parametrize(
    "second",
    [
        {"effective": "2012-06-01"},  # the first version says itself how long it holds
        {"effective": "2011-01-01", "expires": "2012-06-01"},
    ],
)
def test_two_versions_at_once_are_refused_whole(airline: Any, second: dict[str, Any]) -> None:
    load(airline, term(expires="2013-01-01"))
    with pytest.raises(psycopg.Error) as caught:
        load(airline, term("V_1.A"), term(**second))
    assert caught.value.sqlstate == "CP207"
    assert "V_6.E" in (caught.value.diag.message_primary or "")
    assert (caught.value.diag.message_detail or "").startswith("at $.e")
    assert [v[0] for v in on_record(airline)] == ["V_6.E"], "nothing of it stays"


def test_code_and_end_alone_end_what_is_in_force(airline: Any) -> None:
    load(airline, term(), term("V_6.F"))
    assert [
        (d["change"], d["field"], d["new_value"])
        for d in diff(airline, {"code": "V_6.E", "expires": "2013-06-01"})
    ] == [("changed", "expires", "2013-06-01")]
    assert load(airline, {"code": "V_6.E", "expires": "2013-06-01"})["changed"] == 1
    assert load(airline, {"code": "V_6.E", "expires": "2013-06-01"})["unchanged"] == 1
    assert on_record(airline)[0] == ("V_6.E", "2012-01-01", "2013-06-01", "3")
    for wrong in ({"code": "V_9", "expires": "2013-06-01"}, {"code": "V_6.E", "expires": "2012-01-01"}):
        with pytest.raises(psycopg.Error) as caught:
            load(airline, wrong)
        assert caught.value.sqlstate == "CP202"


@pytest.mark.parametrize(
    ("broken", "place"),
    [
        ({"effective": "2012-02-30"}, "$.effective"),
        ({"expires": "2011-01-01"}, "$.expires"),
        ({"applies_to": ["PURSER"]}, "$.applies_to"),
        ({"category": "BONUS"}, "$.category"),
        ({"colour": "red"}, "$.colour"),
        ({"title": None}, "$"),
    ],
)
def test_what_stands_around_a_formula_is_checked(airline: Any, broken: dict[str, Any], place: str) -> None:
    with pytest.raises(psycopg.Error) as caught:
        load(airline, term("V_1.A"), term(**broken))
    assert caught.value.sqlstate == "CP202"
    assert "V_6.E" in (caught.value.diag.message_primary or "")
    assert (caught.value.diag.message_detail or "").startswith(f"at {place}")
    assert on_record(airline) == []


GRAPH: dict[str, Any] = {
    "scenarios": [{"id": "long", "name": "Long", "level": "duty", "pattern": {">": [{"var": "duty_minutes"}, 600]}, "description": "Over ten hours."}],
    "components": [{"type": "flight_pay", "name": "Flight pay", "order": 1}],
    "edges": [
        {"kind": "APPLIES_TO", "from": "V_6.E", "to": "long"},
        {"kind": "CONFLICTS_WITH", "from": "V_6.E", "to": "V_6.F", "properties": {"resolutionMethod": "PRIORITY"}},
    ],
}  # fmt: skip


def test_an_exported_contract_is_the_contract(airlines: Callable[[], Any], airline: Any) -> None:
    load(airline, term(priority=20), term("V_6.F", expires="2014-01-01"), **GRAPH)
    load(airline, term(priority=20, effective="2013-01-01", formula={"type": "duty_rig", "ratio": 2}))
    document = export(airline)
    assert diff(airline, *document.pop("terms"), **document) == []
    whole = export(airline)
    assert airline.load(whole) == {"added": 0, "changed": 0, "unchanged": 3, "generation": 0}
    other = airlines()
    assert other.load(whole) == {"added": 3, "changed": 0, "unchanged": 0, "generation": 0}
    assert export(other) == whole
    assert [t["code"] for t in export(airline, on="2012-06-01")["terms"]] == ["V_6.E", "V_6.F"]
    assert [t["code"] for t in export(airline, on="2015-06-01")["terms"]] == ["V_6.E"]


def test_a_difference_is_told_field_by_field(airline: Any) -> None:
    load(airline, term(), term("V_6.F"), term("V_7.A", applies_to=["FLIGHT_ATTENDANT"]), **GRAPH)
    changed = diff(
        airline,
        term(title="Duty rig", formula={"type": "duty_rig", "ratio": 2, "round": {"to": 0.1}}),
        term("V_8.A"),
        scenarios=[],
    )
    assert [(d["change"], d["part"], d["code"], d["field"], d["old_value"], d["new_value"]) for d in changed if d["change"] == "changed"] == [
        ("changed", "terms", "V_6.E", "formula.ratio", 3, 2),
        ("changed", "terms", "V_6.E", "formula.round", None, {"to": 0.1}),
        ("changed", "terms", "V_6.E", "title", "Rig", "Duty rig"),
    ]  # fmt: skip
    assert [(d["change"], d["part"], d["code"]) for d in changed if d["change"] != "changed"] == [
        ("removed", "terms", "V_6.F"),  # not the flight attendants': the document doesn't speak of them
        ("added", "terms", "V_8.A"),
        ("removed", "scenarios", "long"),
    ]


def test_a_new_version_is_compared_with_the_one_that_it_follows(airline: Any) -> None:
    load(airline, term())
    changed = diff(airline, term(effective="2013-01-01", formula={"type": "duty_rig", "ratio": 2}))
    assert [(d["change"], d["field"]) for d in changed] == [
        ("changed", "effective"),
        ("changed", "formula.ratio"),
    ]


def test_only_administrators_load_and_crew_do_not_compare(airline: Any) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege), airline.acting("payroll") as conn:
        conn.execute("select rules.load_contract(%s)", (Jsonb({"terms": [term()]}),))


# ---- Pay outside the known dates of terms -----------------------------------------------------------------------------


CASE: dict[str, Any] = {
    "crew": {"A": {"rate": 60, "position": "CAPTAIN"}},
    "duties": [
        {"crew": "A", "report": "2013-01-05 08:00", "release": "12:00", "legs": [{"leg": "JFK-BOS", "scheduled": "09:00-10:00"}]},
        {"crew": "A", "report": "2013-01-20 08:00", "release": "12:00", "legs": [{"leg": "BOS-JFK", "scheduled": "09:00-10:00"}]},
    ],
}  # fmt: skip
CREDIT = {"type": "leg_credit", "basis": "actual"}


def paid(airlines: Callable[[], Any], *terms: dict[str, Any], case: dict[str, Any] | None = None) -> Any:
    airline = airlines()
    airline.build(case or CASE)
    load(airline, *terms)
    return airline


def doubts(airline: Any, run: dict[str, Any]) -> list[tuple[Any, ...]]:
    with airline.conn.cursor(row_factory=tuple_row) as cursor:
        return cursor.execute(
            """select f.code, u.term_code, f.detail from pay.run_findings as f
               join rules.union_contract_terms as u on u.enterprise_id = f.enterprise_id and u.id = f.term_id
               where f.enterprise_id = %s and f.run_id = %s order by 1, 2""",
            (airline.id, run["id"]),
        ).fetchall()


def statement(airline: Any) -> list[str]:
    with airline.acting("payroll") as conn:
        return [row[0] for row in conn.execute("select pay.statement('A', '2013-01-01')").fetchall()]


@pytest.mark.parametrize("expires", ["2013-01-01", "2013-01-16"])
def test_a_contract_that_has_run_out_goes_on_and_the_run_says_so(
    airlines: Callable[[], Any], expires: str
) -> None:
    airline = paid(airlines, term("V_3.A", formula=CREDIT, expires=expires))
    run = airline.run()
    assert airline.totals("A")["total"] == 120, "both legs, as the clause stood"
    assert run["finding_count"] == 1
    assert [(code, clause, expires in detail) for code, clause, detail in doubts(airline, run)] == [
        ("CP220", "V_3.A", True)
    ]
    assert [line for line in statement(airline) if "! CP220" in line]


def test_a_contract_with_a_successor_has_not_run_out(airlines: Callable[[], Any]) -> None:
    airline = paid(
        airlines,
        term("V_3.A", formula=CREDIT, expires="2013-01-16"),
        term("V_3.B", formula={"type": "minimum_duty", "hours": 4}, effective="2013-01-16"),
    )
    run = airline.run()
    assert (airline.totals("A")["total"], run["finding_count"]) == (60 + 240, 0)


def test_what_ended_earlier_stays_ended(airlines: Callable[[], Any]) -> None:
    """Only what was in force on the last known day goes on."""
    airline = paid(
        airlines,
        term("V_3.A", formula=CREDIT, expires="2013-01-01"),
        term("V_6.D", formula={"type": "minimum_duty", "hours": 4}, expires="2012-06-01"),
    )
    airline.run()
    assert airline.totals("A")["total"] == 120


def test_a_version_recorded_after_the_pay_was_approved_is_named(airlines: Callable[[], Any]) -> None:
    airline = paid(airlines, term("V_3.A", formula=CREDIT))
    run = airline.run()
    airline.conn.execute(
        """insert into pay.approvals (enterprise_id, subject_kind, subject_id, payload_hash, requested_by, state, decision,
             decided_by, decided_by_person, decided_at)
           values (%s, 'RUN', %s, 'x', 'clerk', 'APPROVED', 'APPROVED', 'boss', gen_random_uuid(), now())""",
        (airline.id, run["id"]),
    )
    assert airline.run()["finding_count"] == 0
    airline.conn.execute(
        """insert into rules.union_contract_terms (enterprise_id, term_code, term_category, term_title, term_text, calculation_formula,
             effective_date, applies_to)
           values (%s, 'V_6.D', 'CREDIT', 'x', 'x', '{"type": "minimum_duty", "hours": 4}', '2012-01-01', '{CAPTAIN}')""",
        (airline.id,),
    )
    later = airline.run()
    assert airline.totals("A")["total"] == 480
    assert [(code, clause) for code, clause, _ in doubts(airline, later)] == [("CP221", "V_6.D")]


# ---- The moment that decides the version ------------------------------------------------------------------------------

TRIP: dict[str, Any] = {
    "crew": {"A": {"rate": 60, "position": "CAPTAIN"}},
    "trips": [{"crew": "A", "trip": "T1", "duties": [
        {"report": "2013-01-15 08:00", "release": "12:00", "legs": [{"leg": "JFK-BOS", "scheduled": "09:00-10:00"}]},
        {"report": "2013-01-16 08:00", "release": "12:00", "legs": [{"leg": "BOS-JFK", "scheduled": "09:00-10:00"}]},
    ]}],
}  # fmt: skip


@pytest.mark.parametrize(
    ("version_on", "flight_pay", "per_diem"), [("trip_start", 480, 56), ("duty_start", 540, 56)]
)
def test_the_contract_says_what_decides_the_version(
    airlines: Callable[[], Any], version_on: str, flight_pay: int, per_diem: int
) -> None:
    """4:00 a duty until 15 January, 5:00 from the 16th: a trip of both days has 4:00 + 4:00, or 4:00 + 5:00 by the duty's own
    day. What is of the trip (28 h x $2.00, from the 16th $3.00) goes by the trip's start either way."""
    airline = paid(
        airlines,
        term("V_1.A", formula={"type": "settings", "version_on": version_on}),
        term("V_3.A", formula=CREDIT),
        term("V_6.D", formula={"type": "minimum_duty", "hours": 4}),
        term("V_6.D", formula={"type": "minimum_duty", "hours": 5}, effective="2013-01-16"),
        term("V_8.D", formula={"type": "per_diem", "rate": 2}),
        term("V_8.D", formula={"type": "per_diem", "rate": 3}, effective="2013-01-16"),
        case=TRIP,
    )
    airline.run()
    totals = airline.totals("A")
    assert (totals["flight_pay"], totals["per_diem"]) == (flight_pay, per_diem)
