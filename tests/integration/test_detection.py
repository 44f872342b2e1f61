"""Detection: recalculation against what is recorded, the life of a discrepancy, what is put right without a person, who is told."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from crewpay_sync.database import Target
from tests.review_month import Month, small_month

D = Decimal
LATE = "update crew.flights set actual_arrival = actual_arrival + interval '{0} minutes' where enterprise_id = %s and flight_number = '{1}'"


@pytest.fixture(scope="module")
def loaded(database: Target) -> Iterator[Month]:
    with small_month(database, "detection") as month:
        yield month


@pytest.fixture
def month(loaded: Month) -> Iterator[Month]:
    """Whatever a test does is undone."""
    with loaded.conn.transaction(force_rollback=True):
        yield loaded


def change(month: Month, statement: str, *values: Any) -> None:
    assert month.conn.execute(statement, (*values, month.airline.id)).rowcount > 0  # type: ignore[arg-type]


def late(month: Month, flight: str, minutes: int) -> None:
    change(month, LATE.format(minutes, flight))


def looked_at(month: Month) -> None:
    """Its results are being looked at: they aren't computed again, whatever changes."""
    change(
        month,
        "update pay.pay_periods set status = 'PROCESSING' where id = %s and enterprise_id = %s",
        month.period,
    )


def allow_fixes(month: Month, **limits: Any) -> None:
    month.call(
        "admin",
        "select platform.put_config('review.auto_fix', jsonb_build_object('enabled', true) || %s)",
        psycopg.types.json.Jsonb(limits),
    )


def refused(month: Month, code: str, role: str, statement: str, *values: Any) -> None:
    with pytest.raises(psycopg.Error) as error:
        month.call(role, statement, *values)
    assert error.value.sqlstate == code, error.value


def one(month: Month) -> dict[str, Any]:
    """The one discrepancy there is."""
    with month.conn.cursor(row_factory=psycopg.rows.dict_row) as cursor:
        found = cursor.execute(
            "select * from review.discrepancies where enterprise_id = %s", (month.airline.id,)
        ).fetchall()
    assert len(found) == 1, found
    return found[0]


# ---- Recalculated against recorded -----------------------------------------------------------------------------------------


def test_what_is_recorded_as_the_facts_say_is_no_discrepancy(month: Month) -> None:
    month.detect()
    month.detect(recompute=False)
    assert month.everything() == []


def test_an_open_period_is_brought_up_to_date_first(month: Month) -> None:
    late(month, "XP12", 20)
    month.detect()
    assert month.everything() == []
    assert month.airline.totals("fa")["flight_pay"] == D("72.50")


def test_a_flight_that_changed_after_the_run(month: Month) -> None:
    """20 minutes at $30 more for the leg; the guarantee falls by as much."""
    looked_at(month)
    late(month, "XP12", 20)
    month.detect()
    assert month.found() == [
        ("fa", "OVERPAYMENT", "LATE_CHANGE", None, D("827.50"), D("837.50")),
        ("fa", "UNDERPAYMENT", "LATE_CHANGE", "XP12", D("72.50"), D("62.50")),
    ]


def test_terms_that_another_version_compiles_otherwise_are_the_same(month: Month) -> None:
    looked_at(month)
    month.conn.execute("create function rules.of_another_version() returns integer language sql return 1")
    late(month, "XP12", 20)
    month.detect()
    assert {row[2] for row in month.found()} == {"LATE_CHANGE"}


def test_without_a_recalculation_it_is_only_stale(month: Month) -> None:
    """What was paid is compared with it when it is up to date."""
    month.pay()
    month.payment("fa", "per_diem", amount=9)
    looked_at(month)
    late(month, "XP12", 20)
    month.detect(recompute=False)
    assert month.found() == [("fa", "STALE_CALCULATION", "STALE", None, D(0), D(0))]
    month.detect()
    assert [row[1] for row in month.found()] == ["OVERPAYMENT", "UNDERPAYMENT"]


def test_a_change_that_makes_no_difference_is_none(month: Month) -> None:
    change(
        month,
        "update crew.flights set aircraft_registration = %s where flight_number = 'XP12' and enterprise_id = %s",
        "N1",
    )
    month.detect()
    assert month.everything() == []


def test_a_leg_that_was_added_and_one_that_was_taken_away(month: Month) -> None:
    looked_at(month)
    change(
        month,
        "update crew.crew_assignments a set retired_at = %s from crew.flights f where f.id = a.flight_id and f.flight_number = 'XP11' and a.enterprise_id = %s",
        "2013-01-19",
    )
    month.detect()
    assert ("fo", "MISSING_FLIGHT", "LEG_NOT_FLOWN", "XP11", D(0), D(125)) in month.found()


def tamper(month: Month, crew: str, term: str, keep: str) -> None:
    """Takes lines of a term out of a recorded result, as a wrong engine would have."""
    change(
        month,
        """
        with kept as (
          select c.id, c.enterprise_id, array_agg(l.term order by l.no) as term, array_agg(l.node order by l.no) as node,
            array_agg(l.quantity order by l.no) as quantity, array_agg(l.cents order by l.no) as cents, c.total_gross_pay * 100 - sum(l.cents) as lost
          from pay.pay_calculations c
          cross join lateral unnest(c.line_term, c.line_node, c.line_quantity, c.line_cents) with ordinality as l (term, node, quantity, cents, no)
          join rules.ruleset_terms t on t.ruleset_id = c.ruleset_id and t.term_no = l.term
          join rules.union_contract_terms u on u.id = t.term_id
          where c.crew_member_id = %s and c.pay_period_id = %s and not (u.term_code = %s and """ + keep + """)
          group by c.id, c.enterprise_id, c.total_gross_pay
        )
        update pay.pay_calculations c
        set line_term = k.term, line_node = k.node, line_quantity = k.quantity, line_cents = k.cents, total_gross_pay = c.total_gross_pay - k.lost / 100,
          flight_pay_amount = c.flight_pay_amount - k.lost / 100
        from kept k where c.enterprise_id = k.enterprise_id and c.id = k.id and c.enterprise_id = %s""",
        month.airline.crew[crew], month.period, term,
    )  # fmt: skip


def test_a_rig_that_was_never_applied_and_one_that_was_forgotten_once(month: Month) -> None:
    with month.conn.transaction(force_rollback=True):
        tamper(month, "cap", "RIG", "true")
        month.detect()
        assert month.found() == [
            ("cap", "UNDERPAYMENT", "RIG_NOT_APPLIED", None, D(240), D(0)),
            ("cap", "UNDERPAYMENT", "RIG_NOT_APPLIED", None, D(240), D(0)),
            ("cap", "UNDERPAYMENT", "RIG_NOT_APPLIED", None, D(370), D(0)),
        ]
    tamper(month, "cap", "RIG", "l.cents = 37000")
    month.detect()
    assert month.found() == [("cap", "UNDERPAYMENT", "WRONG_WINNER", None, D(370), D(0))]


def test_terms_that_changed_are_one_difference(month: Month) -> None:
    looked_at(month)
    change(
        month,
        "update rules.union_contract_terms set calculation_formula = calculation_formula || %s where term_code = 'PER_DIEM' and enterprise_id = %s",
        psycopg.types.json.Jsonb({"rate": 3}),
    )
    month.detect()
    assert [(r[0], r[1], r[4] - r[5]) for r in month.found()] == [
        ("cap", "PER_DIEM_ERROR", D("31.50")),
        ("fa", "PER_DIEM_ERROR", D(2)),
        ("fo", "PER_DIEM_ERROR", D(2)),
    ]  # 63, 4 and 4 hours at $0.50


# ---- Inputs and clauses ----------------------------------------------------------------------------------------------------


def test_an_input_that_is_missing(month: Month) -> None:
    change(
        month,
        "update crew.flights set actual_departure = %s, actual_arrival = null, status = 'DEPARTED' where flight_number = 'XP5' and enterprise_id = %s",
        None,
    )
    month.run()
    month.detect()
    kinds = {(r[0], r[1], r[3]) for r in month.found()}
    assert ("cap", "INVALID_INPUT", "XP5") in kinds
    assert all(r[4] == r[5] for r in month.found() if r[1] == "INVALID_INPUT")


def test_a_flight_still_to_arrive_is_none(month: Month) -> None:
    """It departs today: nobody can know its arrival yet."""
    change(
        month,
        "update crew.flights set scheduled_departure = date_trunc('hour', now()), scheduled_arrival = date_trunc('hour', now()) + interval '3 hours', actual_departure = %s, actual_arrival = null, status = 'SCHEDULED' where flight_number = 'XP8' and enterprise_id = %s",
        None,
    )
    month.detect()
    assert [r for r in month.found() if r[1] == "INVALID_INPUT"] == []


def test_a_clause_that_is_not_in_force(month: Month) -> None:
    change(
        month,
        "update rules.union_contract_terms set superseded_at = now() where term_code = %s and enterprise_id = %s",
        "NIGHT",
    )
    month.detect(recompute=False)
    assert ("cap", "RULE_PARITY", "CLAUSE_NOT_IN_FORCE", None, D(220), D(220)) in month.found()


def test_a_clause_that_only_the_graph_knows_is_an_alert(month: Month) -> None:
    with month.conn.transaction():
        month.conn.execute(
            "insert into graph.generations (enterprise_id, generation, source, accepted_at) select enterprise_id, generation + 1, source, now() from graph.generations where enterprise_id = %s order by generation desc limit 1",
            (month.airline.id,),
        )
        month.conn.execute(
            "insert into graph.scenarios (enterprise_id, generation, id, name, description, level, pattern) select enterprise_id, max(generation), 's', 's', 's', 'leg', 'true' from graph.generations where enterprise_id = %s group by 1",
            (month.airline.id,),
        )
        month.conn.execute(
            "insert into graph.edges (enterprise_id, generation, kind, from_code, to_code) select enterprise_id, max(generation), 'APPLIES_TO', 'ALPA_Section_13.B', 's' from graph.generations where enterprise_id = %s group by 1",
            (month.airline.id,),
        )
    month.detect(recompute=False)
    alerts = month.rows(
        "select detail::text from ops.alerts where enterprise_id = %s and alert_key = 'review.rule_parity' and state = 'OPEN'",
        month.airline.id,
    )
    assert len(alerts) == 1
    assert "ALPA_Section_13.B" in alerts[0][0]


# ---- The life of a discrepancy ---------------------------------------------------------------------------------------------


def test_detecting_twice_changes_nothing(month: Month) -> None:
    month.pay()
    month.payment("fa", "per_diem", amount=9)
    late(month, "XP12", 20)
    month.detect()
    before = month.everything()
    again = month.detect()
    assert len(before) == 3
    assert month.everything() == before
    assert (again["new_count"], again["changed_count"], again["cured_count"]) == (0, 0, 0)


def test_a_cause_that_is_fixed_closes_it(month: Month) -> None:
    month.pay()
    month.payment("fa", "per_diem", amount=9)
    month.detect()
    month.payment("fa", "per_diem", amount=10)
    month.detect()
    found = one(month)
    assert (found["resolution_status"], found["cured"]) == ("CLOSED", True)
    assert found["resolution_notes"]
    month.payment("fa", "per_diem", amount=9)
    month.detect()
    assert len(month.everything()) == 2, "found again, it is a new one"


def test_an_open_one_follows_its_amount(month: Month) -> None:
    month.pay()
    month.payment("fa", "per_diem", amount=9)
    month.detect()
    first = one(month)
    month.payment("fa", "per_diem", amount=8)
    month.detect()
    assert one(month)["difference_amount"] == 2
    assert one(month)["id"] == first["id"]


def test_a_resolved_one_stays_resolved(month: Month) -> None:
    month.pay()
    month.payment("fa", "per_diem", amount=9)
    month.detect()
    month.call(
        "payroll",
        "select (review.move_discrepancy(%s, 'RESOLVED', 'agreed with the union')).id",
        one(month)["id"],
    )
    month.detect()
    found = one(month)
    assert found["resolution_status"] == "RESOLVED"
    assert found["resolved_by"] == month.login("payroll")
    month.payment("fa", "per_diem", amount=7)
    month.detect()
    assert len(month.everything()) == 2, "another amount is another matter"


def test_it_moves_along_its_states_only_with_who_and_why(month: Month) -> None:
    month.pay()
    month.payment("fa", "per_diem", amount=9)
    month.detect()
    key = one(month)["id"]
    move = "select (review.move_discrepancy(%s, %s, %s)).id"
    refused(month, "CP401", "payroll", move, key, "CLOSED", "no reason to look")
    refused(month, "CP318", "payroll", move, key, "INVESTIGATING", "  ")
    refused(month, "CP402", "payroll", move, month.airline.id, "INVESTIGATING", "looking")
    refused(month, "42501", "bi", move, key, "INVESTIGATING", "looking")
    refused(month, "42501", "agent", move, key, "RESOLVED", "done")
    month.call("agent", move, key, "INVESTIGATING", "looking into it")
    month.call("payroll", move, key, "ESCALATED", "needs the chief")
    refused(month, "CP401", "payroll", move, key, "OPEN", "back")
    month.call("payroll", move, key, "RESOLVED", "paid by cheque")
    month.call("admin", move, key, "CLOSED", "checked")
    refused(month, "CP401", "admin", move, key, "INVESTIGATING", "once more")
    trail = set(
        month.rows(
            "select actor_id, actor_type::text, reason, changes -> 'resolution_status' ->> 1 from audit.audit_log where entity_id = %s and action = 'UPDATED'",
            key,
        )
    )
    assert trail == {
        (month.login("agent"), "AI_AGENT", "looking into it", "INVESTIGATING"),
        (month.login("payroll"), "ADMIN", "needs the chief", "ESCALATED"),
        (month.login("payroll"), "ADMIN", "paid by cheque", "RESOLVED"),
        (month.login("admin"), "ADMIN", "checked", "CLOSED"),
    }


def test_only_the_crew_members_asked_for(month: Month) -> None:
    month.pay()
    month.payment("fa", "per_diem", amount=9)
    month.payment("cap", "premium", "XP5", amount=0)
    month.detect(crew=["cap"])
    assert [r[0] for r in month.found()] == ["cap"]
    month.payment("fa", "per_diem", amount=10)
    month.detect(crew=["fa"])
    assert [r[0] for r in month.found()] == ["cap"], "others are left alone"


def test_a_closed_period_is_looked_at_and_reopening_it_forgets_nothing(month: Month) -> None:
    month.pay()
    month.payment("fa", "per_diem", amount=9)
    run = month.rows(
        "select id from pay.pay_runs where enterprise_id = %s and state = 'published' and kind = 'REGULAR'",
        month.airline.id,
    )[0][0]
    month.call("admin", "select (pay.approve_run(%s)).id", run)
    month.call("payroll", "select (pay.close_period(%s)).id", month.period)
    month.detect()
    before = month.everything()
    assert len(before) == 1
    month.call("payroll", "select (pay.request_reopen(%s, 'late report')).id", month.period)
    month.call("admin", "select (pay.approve_reopen(%s)).id", month.period)
    month.detect()
    assert month.everything() == before


def test_severity_follows_amount_share_and_kind(month: Month) -> None:
    month.pay()
    month.payment("fa", "per_diem", amount=9)  # $1: small, but per diem is never less than MEDIUM
    month.payment("cap", "flight_pay", "XP172", delta=-31)  # medium
    month.payment("cap", "flight_pay", amount=0)  # $850 of rigs: critical
    month.payment("cap", "delay_pay", "XP6", delta=D("-5.55"))  # small
    month.detect()
    assert month.rows(
        "select severity::text, difference_amount from review.discrepancies where enterprise_id = %s order by 2",
        month.airline.id,
    ) == [("MEDIUM", D(1)), ("LOW", D("5.55")), ("MEDIUM", D(31)), ("CRITICAL", D(850))]


def test_difference_is_expected_minus_actual_enforced(month: Month) -> None:
    month.pay()
    month.payment("fa", "per_diem", amount=9)
    month.detect()
    with pytest.raises(psycopg.errors.CheckViolation), month.conn.transaction():
        month.conn.execute(
            "update review.discrepancies set difference_amount = 5 where enterprise_id = %s",
            (month.airline.id,),
        )


def test_the_rollup_adds_up(month: Month) -> None:
    month.pay()
    month.payment("fa", "per_diem", amount=9)
    month.payment("fo", "per_diem", amount=12)
    month.detect()
    row = month.call(
        "payroll",
        "select base_location, discrepancy_type::text, severity::text, age, discrepancies, crew, owed, overpaid from review.discrepancy_rollup",
    )
    assert tuple(row.values()) == ("JFK", "PER_DIEM_ERROR", "MEDIUM", "up to 7 days", 2, 2, D(1), D(2))


# ---- Without a person ------------------------------------------------------------------------------------------------------


def test_small_errors_of_an_open_period_are_recalculated(month: Month) -> None:
    """A leg is missing from the result, and payroll has paid what stood there: that is made good when the result is right."""
    allow_fixes(month)
    tamper(month, "fa", "BLOCK", "true")
    done = month.detect()
    assert (done["new_count"], done["fixed_count"]) == (1, 1)
    assert month.airline.totals("fa")["flight_pay"] == D("62.50")
    assert month.rows(
        "select resolution_status::text, detected_by::text from review.discrepancies where enterprise_id = %s",
        month.airline.id,
    ) == [("RESOLVED", "PROACTIVE_AGENT")]
    told = month.rows(
        "select notification_type::text, related_entity_type, count(*) from notify.notifications where enterprise_id = %s group by 1, 2",
        month.airline.id,
    )
    assert told == [("PROACTIVE_FIX", "discrepancy", 1)]
    before = month.everything()
    month.detect()
    assert month.everything() == before
    assert len(month.rows("select from notify.notifications where enterprise_id = %s", month.airline.id)) == 1


def test_what_was_paid_waits_for_a_result_that_is_right(month: Month) -> None:
    """Payroll paid exactly what is owed; the record lacks a leg. That is one discrepancy, and no overpayment."""
    month.pay()
    tamper(month, "fa", "BLOCK", "true")
    month.detect()
    assert month.found() == [("fa", "MISSING_FLIGHT", "LEG_NOT_PAID", "XP12", D("62.50"), D(0))]
    month.run()
    month.detect()
    assert month.found() == []


def booked(month: Month) -> list[tuple[Any, ...]]:
    return month.rows(
        "select a.amount, a.state::text, p.start_date::text from pay.adjustments a join pay.pay_periods p on p.id = a.pay_period_id where a.enterprise_id = %s order by a.adjustment_no",
        month.airline.id,
    )


def test_what_payroll_left_unpaid_comes_with_the_next_period_once(month: Month) -> None:
    """$1 of per diem: it counts as paid from then on, and is an overpayment when payroll pays it after all."""
    allow_fixes(month)
    month.pay()
    month.payment("fa", "per_diem", amount=9)
    for _ in range(3):
        month.detect()
    assert booked(month) == [(D(1), "APPROVED", "2013-02-01")]
    assert one(month)["resolution_status"] == "RESOLVED"
    month.payment("fa", "per_diem", amount=10)
    month.detect()
    assert month.found() == [("fa", "PER_DIEM_ERROR", "PER_DIEM", None, D(10), D(11))]


def test_what_was_booked_and_taken_back_is_missing_again(month: Month) -> None:
    allow_fixes(month)
    month.pay()
    month.payment("fa", "per_diem", amount=9)
    month.detect()
    month.call("payroll", "select (pay.withdraw_adjustment(id, 'wrong')).id from pay.adjustments where enterprise_id = %s", month.airline.id)  # fmt: skip
    month.detect()
    assert booked(month) == [(D(1), "WITHDRAWN", "2013-02-01"), (D(1), "APPROVED", "2013-02-01")]


def test_where_no_period_is_left_to_pay_in_a_person_is_asked(month: Month) -> None:
    allow_fixes(month)
    month.pay()
    month.payment("fa", "per_diem", amount=9)
    change(month, "update pay.pay_periods set status = 'PROCESSING' where start_date > %s and enterprise_id = %s", "2013-01-31")  # fmt: skip
    month.detect()
    assert booked(month) == []
    assert one(month)["resolution_status"] == "OPEN"


def test_a_rate_made_good_for_all_legs_at_once(month: Month) -> None:
    """Payroll names flights; what it lacks at a wrong rate is booked as one sum, and covers each of them."""
    allow_fixes(month, below=1000, severity="CRITICAL")
    month.pay()
    flights = ("XP1", "XP2", "XP5", "XP6", "XP7", "XP151", "XP152", "XP171", "XP172")
    for flight in flights:
        month.payment("cap", "flight_pay", flight, amount=month.paid("cap", "flight_pay", flight) * 3 / 4)
    month.call("admin", "select platform.put_config('pay.adjustment_limit', '400')")
    month.detect()
    assert booked(month) == [(D("392.50"), "APPROVED", "2013-02-01")]
    month.detect()
    assert month.found() == []


def test_more_than_three_are_told_in_one_message(month: Month) -> None:
    """Whose pay is wrong everywhere is told once; three things are told one by one."""
    month.pay()
    month.conn.execute(
        "update pay.payroll_payments set quantity = null, amount = amount - 1.37 where enterprise_id = %s",
        (month.airline.id,),
    )
    month.detect()
    told = month.rows(
        """select m.employee_id, count(distinct d.id), count(distinct n.id), min(n.related_entity_type), min(n.message) like '%% in 15 places: 20.55 USD missing in all.%%'
           from review.discrepancies d
           join crew.crew_members m on m.id = d.crew_member_id
           join notify.notifications n on n.crew_member_id = d.crew_member_id
           where d.enterprise_id = %s group by 1 order by 1""",
        month.airline.id,
    )
    assert told == [
        ("cap", 15, 1, "pay_period", True),
        ("fa", 3, 3, "discrepancy", False),
        ("fo", 3, 3, "discrepancy", False),
    ]
    before = month.everything()
    month.detect()
    assert month.everything() == before


@pytest.mark.parametrize(
    "limits", [{"below": 50}, {"severity": "LOW", "below": 1000}, {"enabled": False}], ids=str
)
def test_not_above_the_limits(month: Month, limits: dict[str, Any]) -> None:
    """A leg of $62.50 that is missing from the result, MEDIUM."""
    allow_fixes(month, **limits)
    tamper(month, "fa", "BLOCK", "true")
    done = month.detect()
    assert done["fixed_count"] == 0
    assert {
        r[0]
        for r in month.rows(
            "select resolution_status::text from review.discrepancies where enterprise_id = %s",
            month.airline.id,
        )
    } == {"OPEN"}
    told = month.rows(
        "select notification_type::text, count(*) from notify.notifications where enterprise_id = %s group by 1",
        month.airline.id,
    )
    assert told == [("DISCREPANCY", 1)]


def test_who_may_detect(month: Month) -> None:
    call = "select (review.detect(%s, %s)).id"
    refused(month, "42501", "bi", call, month.airline.id, month.period)
    refused(month, "CP214", "payroll", call, month.airline.id, month.airline.id)
    refused(month, "42501", "payroll", call, month.period, month.period)
    assert month.detect(role="agent")["requested_by"] == month.login("agent")


def test_two_detections_at_once_find_everything_once(loaded: Month, database: Target) -> None:
    """The second waits for the first, and then finds what it wrote."""
    from tests.integration.test_closing import Session

    second = Session(database)
    with closing(database.connect(autocommit=True)) as first:
        with first.transaction(force_rollback=True):
            first.execute(
                "select pg_advisory_xact_lock(hashtext('review.detect'), hashtext(%s))", (str(loaded.period),)
            )
            second.start(
                lambda conn: loaded.airline.call(
                    "payroll",
                    "select (review.detect(%s, %s)).id",
                    loaded.airline.id,
                    loaded.period,
                    conn=conn,
                )
            )
            with closing(database.connect(autocommit=True)) as watcher:
                second.wait_until_blocked(first, watcher)
        assert second.finish() is None
