"""The statement explains what was paid: its lines are the stored ones, and it reads the facts as of the run."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

CASE: dict[str, Any] = {
    "crew": {"A": {"rate": 60, "position": "CAPTAIN"}},
    "terms": {
        "X_4.A": {
            "type": "leg_credit",
            "basis": "greater",
            "compare_at": "leg",
            "factors": {"DEADHEAD": 0.5},
        },
        "X_4.B": {"type": "cancellation_protection"},
        "X_6.D": {"type": "minimum_duty", "hours": 4},
        "X_6.E": {"type": "duty_rig", "ratio": 2},
        "X_6.F": {"type": "trip_rig", "ratio": 4},
        "X_8.D": {"type": "per_diem", "rate": 2.4, "per": "hour"},
        "X_5.A": {"type": "monthly_guarantee", "hours": 20, "proration": "none"},
    },
    "trips": [
        {
            "crew": "A",
            "trip": "T1",
            "duties": [
                {
                    "report": "2013-01-05 08:00",
                    "release": "14:00",
                    "legs": [
                        {"leg": "JFK-BOS", "scheduled": "09:00-10:10", "actual": "09:00-10:20"},
                        {"leg": "BOS-JFK", "scheduled": "11:00-12:10", "actual": "11:00-12:05"},
                        {
                            "leg": "JFK-BOS",
                            "scheduled": "13:00-13:40",
                            "actual": "none",
                            "status": "CANCELLED",
                        },
                    ],
                }
            ],
        }
    ],
}


@pytest.fixture
def paid(airline: Any) -> Any:
    airline.build(CASE)
    airline.load(airline.contract(CASE))
    airline.run()
    return airline


def explained(airline: Any) -> list[dict[str, Any]]:
    with airline.acting("payroll") as conn, conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(
            "select * from pay.explain(%s, %s)", (airline.crew["A"], airline.periods[0])
        ).fetchall()


def test_lines_and_components_add_up_to_the_total(paid: Any) -> None:
    items = explained(paid)
    total = paid.totals("A")["total"]
    assert [i["amount"] for i in items if i["outcome"] == "total"] == [total]
    assert sum(i["amount"] for i in items if i["outcome"] == "component") == total
    assert sum(i["amount"] for i in items if i["outcome"] == "paid") == total
    shown = sorted((i["level"], i["term_code"], i["amount"]) for i in items if i["outcome"] == "paid")
    assert shown == sorted((level, code, amount) for level, code, _, _, amount in paid.lines("A"))


def test_losers_of_each_greatest_of_are_shown_with_their_value(paid: Any) -> None:
    lost = {
        (i["level"], i["term_code"], i["label"], i["quantity"])
        for i in explained(paid)
        if i["outcome"] == "lost"
    }
    # Leg 1 actual 80 beats scheduled 70; leg 2 scheduled 70 beats actual 65. The duty: 80 + 70 + 40 = 190 below the
    # minimum 240, which beats the rig 360 / 2 = 180. Trip rig 360 / 4 = 90 is below 240.
    assert lost == {
        ("leg", "X_4.A", "scheduled block", Decimal(70)),
        ("leg", "X_4.A", "actual block", Decimal(65)),
        ("duty", "X_6.E", "duty rig", Decimal(180)),
        ("trip", "X_6.F", "trip rig", Decimal(90)),
    }


def test_the_statement_shows_scheduled_against_actual_and_the_arithmetic(paid: Any) -> None:
    with paid.acting("payroll") as conn:
        text = "\n".join(row[0] for row in conn.execute("select * from pay.statement('A', '2013-01-01')"))
    assert "sched 09:00 1:10, actual 09:00 1:20" in text
    assert "— cancelled" in text
    assert "cancelled leg protected: 0:40 × $60.00" in text
    assert "minimum duty: 4:00 over 3:10 = 0:50 × $60.00" in text
    assert "(duty rig 6:00 duty ÷ 2 = 3:00)" in text
    assert "per diem: 6:00 × $2.40/h" in text
    assert "monthly guarantee: 20:00 guaranteed − 4:00 = 16:00 × $60.00" in text


@pytest.mark.parametrize(
    ("settings", "guarantee"),
    [
        ({}, "20:00 guaranteed − 4:00 = 16:00"),
        ({"show": "0.01"}, "20.00 guaranteed − 4.00 = 16.00"),
        ({"show": "0.1", "unit": "TFP"}, "20.0 TFP guaranteed − 4.0 TFP = 16.0 TFP"),
        ({"unit": "PCH"}, "20.00 PCH guaranteed − 4.00 PCH = 16.00 PCH"),
        ({"show": "h:mm", "unit": "PCH"}, "20:00 PCH guaranteed − 4:00 PCH = 16:00 PCH"),
    ],
)
def test_credit_is_written_as_the_contract_says(
    airline: Any, settings: dict[str, str], guarantee: str
) -> None:
    case = {**CASE, "terms": {**CASE["terms"], "X_0": {"type": "settings", **settings}}}
    airline.build(case)
    airline.load(airline.contract(case))
    airline.run()
    with airline.acting("payroll") as conn:
        text = "\n".join(row[0] for row in conn.execute("select * from pay.statement('A', '2013-01-01')"))
    assert f"monthly guarantee: {guarantee} × $60.00" in text


def test_a_fact_changed_after_the_run_leaves_the_explanation_alone(paid: Any) -> None:
    before = explained(paid)
    paid.conn.execute(
        "update crew.flights set actual_arrival = actual_arrival + interval '2 hours' where enterprise_id = %s and status = 'ARRIVED'",
        (paid.id,),
    )
    paid.conn.execute(
        "update crew.trips set end_at = end_at + interval '2 hours' where enterprise_id = %s", (paid.id,)
    )
    kept = paid.conn.execute(
        "select table_name, count(*) from crew.fact_versions where enterprise_id = %s group by 1 order by 1",
        (paid.id,),
    ).fetchall()
    assert kept == [("crew.flights", 2), ("crew.trips", 1)]
    assert explained(paid) == before
    # The next run sees the change, and so does its explanation.
    paid.run()
    after = explained(paid)
    assert after != before
    assert sum(i["amount"] for i in after if i["outcome"] == "paid") == paid.totals("A")["total"]


def test_crew_explain_only_themselves(paid: Any) -> None:
    with (
        pytest.raises(psycopg.Error) as refused,
        paid.acting("payroll") as conn,
    ):
        conn.execute("select * from pay.statement('nobody', '2013-01-01')")
    assert refused.value.sqlstate == "CP214"
    assert refused.value.diag.message_hint


def test_a_cited_leg_can_t_be_deleted(paid: Any) -> None:
    with pytest.raises(psycopg.Error) as refused:
        paid.conn.execute("delete from crew.crew_assignments where enterprise_id = %s", (paid.id,))
    assert refused.value.sqlstate == "CP003"
    with pytest.raises(psycopg.Error) as refused:
        paid.conn.execute("delete from rules.union_contract_terms where enterprise_id = %s", (paid.id,))
    assert refused.value.sqlstate == "23503"


def test_only_the_published_result_is_current_and_the_replaced_one_is_kept(paid: Any) -> None:
    first = paid.lines("A")
    paid.run()
    assert paid.lines("A") == first
    runs = paid.conn.execute(
        "select state::text, count(*) from pay.pay_runs where enterprise_id = %s group by 1 order by 1",
        (paid.id,),
    ).fetchall()
    assert runs == [("published", 1), ("superseded", 1)]
    assert paid.conn.execute(
        "select count(*) from pay.calculation_versions where enterprise_id = %s", (paid.id,)
    ).fetchone() == (1,)


def test_a_line_that_isn_t_paid_says_by_what(airlines: Callable[[], Any]) -> None:
    airline = airlines()
    airline.build({
        "crew": {"A": {"rate": 60}},
        "duties": [{"crew": "A", "report": "2013-01-05 22:30", "release": "01:30", "legs": [{"leg": "JFK-BOS", "scheduled": "23:00-00:30"}]}],
    })  # fmt: skip
    airline.load(airline.contract({"terms": {
        "X_3.A": {"type": "leg_credit", "basis": "actual"},
        "X_9.T": {"type": "treatment", "level": "duty", "when": {">=": [{"var": "report_local"}, 1320]}, "paid": False},
    }}))  # fmt: skip
    airline.run()
    (line,) = [i for i in explained(airline) if i["outcome"] == "paid"]
    assert (line["amount"], line["quantity"]) == (Decimal("0.00"), Decimal(90))
    assert line["arithmetic"].endswith("not paid: X_9.T")
