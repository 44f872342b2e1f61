"""Claims: every path of one, as the people who take it, by SQL alone; what is refused, with its code; what runs by itself."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.types.json import Jsonb

from crewpay_sync.database import Target
from crewpay_sync.tenants import ensure_login
from tests.review_month import Month, small_month

D = Decimal
SUBMIT = "select * from review.submit_claim(%s, %s, %s, %s, %s::text[], null, %s)"
DECIDE = "select * from review.decide(%s, %s, %s, %s)"
REVIEW = "select * from review.review_claim(%s)"
CREW = ("cap", "fa", "fo")


@pytest.fixture(scope="module")
def loaded(database: Target) -> Iterator[Month]:
    """The month, paid by leg but for what is wrong: per diem of fa ($1 short), the night premium of cap's XP5 ($90), delay pay of his XP6."""
    with small_month(database, "claims") as month:
        for who in CREW:
            ensure_login(
                month.conn, month.login(who), month.airline.id, "crew", crew_member=month.airline.crew[who]
            )
        settings(month, claim_days=10_000)
        month.pay()
        month.payment("fa", "per_diem", amount=9)
        month.payment("cap", "premium", "XP5", amount=0)
        month.payment("cap", "delay_pay", "XP6", delta=-15)
        yield month
        month.conn.execute("delete from auth.principals where enterprise_id = %s", (month.airline.id,))
        for who in CREW:
            month.conn.execute(sql.SQL("drop role if exists {}").format(sql.Identifier(month.login(who))))


@pytest.fixture
def month(loaded: Month) -> Iterator[Month]:
    """Whatever a test does is undone."""
    with loaded.conn.transaction(force_rollback=True):
        yield loaded


def settings(month: Month, **values: Any) -> None:
    """Settings of claims for the airline, over what it has set already."""
    month.call(
        "admin",
        "select platform.put_config('review.claims', coalesce(nullif(platform.get_config('review.claims'), 'null'), '{}') || %s)",
        Jsonb(values),
    )


def submit(
    month: Month,
    who: str = "fa",
    amount: Any = 1,
    kind: str = "PER_DIEM",
    flights: list[str] | None = None,
    text: str = "My per diem is short.",
    key: str | None = None,
) -> dict[str, Any]:
    return month.call(who, SUBMIT, month.period, kind, amount, text, flights or [], key)


def reviewed(month: Month, *args: Any, **values: Any) -> Any:
    """A claim that was submitted and reviewed: its key."""
    key = submit(month, *args, **values)["id"]
    month.call("payroll", REVIEW, key)
    return key


def decide(
    month: Month, key: Any, decision: str, why: str | None = None, lines: Any = None, by: str = "payroll"
) -> dict[str, Any]:
    return month.call(by, DECIDE, key, decision, why, Jsonb(lines) if lines else None)


def refused(month: Month, code: str, role: str, statement: str, *values: Any) -> psycopg.Error:
    with pytest.raises(psycopg.Error) as error:
        month.call(role, statement, *values)
    assert error.value.sqlstate == code, error.value
    return error.value


def claim(month: Month, key: Any) -> dict[str, Any]:
    with month.conn.cursor(row_factory=psycopg.rows.dict_row) as cursor:
        row = cursor.execute("select * from review.claims where id = %s", (key,)).fetchone()
    assert row is not None
    return row


def adjustments(month: Month) -> list[tuple[Any, ...]]:
    return month.rows(
        "select amount, state::text, source::text from pay.adjustments where enterprise_id = %s order by adjustment_no",
        month.airline.id,
    )


# ---- Submitting ------------------------------------------------------------------------------------------------------------


def test_a_claim_gets_a_number_a_deadline_and_an_answer(month: Month) -> None:
    made = submit(month)
    assert re.fullmatch(r"CLM-\d{4}-\d{4}", made["claim_number"])
    assert (made["status"], made["submitted_by"], made["component"]) == ("SUBMITTED", "fa", "per_diem")
    assert made["answer_due"] == month.rows("select review.add_business_days(current_date, 10)")[0][0]
    told = month.call("fa", "select count(*), min(notification_type::text) as type from notify.notifications")
    assert told == {"count": 1, "type": "CLAIM_STATUS"}
    assert submit(month, "cap", 90, "MISSING_PREMIUM")["claim_number"] == made["claim_number"][:-1] + str(
        int(made["claim_number"][-1]) + 1
    )


def test_crew_see_their_own_claims_and_nobody_elses(month: Month) -> None:
    key = submit(month)["id"]
    month.call("payroll", REVIEW, key)
    month.call("fa", "select * from review.add_evidence(%s, 'stub', 'See the stub.')", key)
    for table in ("claims", "claim_lines", "claim_evidence"):
        seen = sql.SQL("select count(*) from review.{}").format(sql.Identifier(table)).as_string(month.conn)
        assert month.call("fa", seen)["count"] == 1, table
        assert month.call("cap", seen)["count"] == 0, table
    refused(month, "CP404", "cap", "select * from review.withdraw_claim(%s, 'not mine')", key)
    refused(month, "CP404", "cap", "select * from review.add_evidence(%s, 'x', 'y')", key)
    refused(month, "42501", "fa", "select * from review.claim_reviews")
    refused(month, "42501", "fa", REVIEW, key)
    refused(month, "42501", "fa", DECIDE, key, "APPROVE", None, None)
    refused(month, "42501", "bi", SUBMIT, month.period, "OTHER", 1, "x", [], None)
    refused(month, "42501", "fa", "update review.claims set approved_amount = 1")


BAD = [
    ("no amount", "CP109", {"amount": None}),
    ("nothing", "CP109", {"amount": 0}),
    ("less than nothing", "CP109", {"amount": -5}),
    ("absurd", "CP109", {"amount": 10_000_000}),
    ("parts of a cent", "CP109", {"amount": D("1.005")}),
    ("not a number", "CP109", {"amount": D("NaN")}),
    ("10,000 characters", "CP109", {"text": "x" * 10_000}),
    ("no text", "CP109", {"text": "  "}),
    ("somebody else's flight", "CP403", {"flights": ["XP11 2013-01-18"]}),
    ("a flight that nobody knows", "CP403", {"flights": ["XP999 2013-01-18"]}),
    ("no flight at all", "CP403", {"flights": ["'; drop table review.claims; --"]}),
    ("51 flights", "CP109", {"flights": ["XP12 2013-01-09"] * 51}),
]  # fmt: skip


@pytest.mark.parametrize(("what", "code", "values"), BAD, ids=[b[0] for b in BAD])
def test_what_can_t_be_taken_says_why(month: Month, what: str, code: str, values: dict[str, Any]) -> None:
    given = {"amount": 1, "text": "short", "flights": [], **values}
    error = refused(
        month, code, "fa", SUBMIT, month.period, "PER_DIEM", given["amount"], given["text"], given["flights"], None
    )  # fmt: skip
    assert error.diag.message_hint
    assert month.rows("select from review.claims where enterprise_id = %s", month.airline.id) == []


def test_periods_that_can_t_be_claimed(month: Month) -> None:
    refused(month, "CP214", "fa", SUBMIT, month.airline.id, "OTHER", 1, "x", [], None)
    month.conn.execute(
        """update pay.pay_periods set start_date = m.first, end_date = m.first + 9, pay_date = null, contract_month = m.first
           from (select (date_trunc('month', current_date) + interval '1 month')::date as first) m where id = %s""",
        (month.airline.periods[1],),
    )
    refused(month, "CP407", "fa", SUBMIT, month.airline.periods[1], "OTHER", 1, "x", [], None)
    settings(month, claim_days=60)
    assert "2013" in str(refused(month, "CP407", "fa", SUBMIT, month.period, "OTHER", 1, "x", [], None))


def test_sql_and_html_stay_text(month: Month) -> None:
    text = "'); drop table review.claims; -- <script>alert(1)</script> {claim} \x1b[31m"
    key = submit(month, text=text)["id"]
    month.call("payroll", REVIEW, key)
    assert claim(month, key)["description"] == text
    assert month.call("payroll", "select review.dossier(%s) #>> '{claim,description}' as t", key)["t"] == text


def test_submitted_again_it_is_the_same_claim(month: Month) -> None:
    first = submit(month, key="phone-1")
    assert submit(month, key="phone-1") == first
    refused(month, "CP408", "fa", SUBMIT, month.period, "PER_DIEM", 2, "another", [], "phone-1")
    assert month.rows("select count(*) from review.claims where enterprise_id = %s", month.airline.id) == [
        (1,)
    ]


def test_the_same_legs_and_component_are_claimed_once(month: Month) -> None:
    flight = month.rows("select id::text from crew.flights where enterprise_id = %s and flight_number = 'XP5'", month.airline.id)[0][0]  # fmt: skip
    first = submit(month, "cap", 90, "MISSING_PREMIUM", ["xp5 2013-01-20"])
    assert first["flight_ids"] == [flight]
    refused(month, "CP408", "cap", SUBMIT, month.period, "MISSING_PREMIUM", 80, "again", [flight], None)
    submit(month, "cap", 15, "DELAY_PAY", ["XP6/2013-01-21"])  # another component
    month.call("cap", "select * from review.withdraw_claim(%s, 'wrong amount')", first["id"])
    submit(month, "cap", 90, "MISSING_PREMIUM", [flight])


def test_fifty_at_once_without_a_gap_or_a_duplicate(loaded: Month, database: Target) -> None:
    """Three crew members, twice each with the same keys, all at once: each key is one claim, and numbers follow each other."""
    errors: list[BaseException] = []
    barrier = threading.Barrier(50)

    def one(n: int) -> None:
        try:
            with closing(database.connect(autocommit=True)) as conn:
                conn.execute(sql.SQL("set session authorization {}").format(sql.Identifier(loaded.login(CREW[n % 3]))))  # fmt: skip
                barrier.wait(300)
                kind = ["OTHER", "UNDERPAYMENT", "OVERTIME", "GUARANTEE", "PER_DIEM"][n // 3 % 5]
                conn.execute(SUBMIT, (loaded.period, kind, 1, "all at once", [], f"key {n // 3 % 5}"))
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=one, args=(n,)) for n in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(300)
    try:
        assert errors == []
        numbers = [r[0] for r in loaded.rows("select claim_number from review.claims where enterprise_id = %s order by 1", loaded.airline.id)]  # fmt: skip
        assert len(numbers) == 15
        assert [int(n[9:]) for n in numbers] == list(range(1, 16))
    finally:
        with loaded.conn.transaction():
            loaded.conn.execute(
                "delete from notify.notifications where enterprise_id = %s", (loaded.airline.id,)
            )
            loaded.conn.execute("delete from review.claims where enterprise_id = %s", (loaded.airline.id,))
            loaded.conn.execute(
                "delete from review.claim_numbers where enterprise_id = %s", (loaded.airline.id,)
            )


# ---- Review ----------------------------------------------------------------------------------------------------------------


def lines(month: Month, key: Any) -> list[tuple[Any, ...]]:
    return month.rows(
        """select l.line_no, l.component::text, f.flight_number, l.term_codes, l.expected_amount, l.actual_amount, l.supported_amount
           from review.claim_lines l left join crew.flights f on f.id = l.flight_id where l.claim_id = %s order by 1""",
        key,
    )


def test_five_steps_and_what_they_support(month: Month) -> None:
    key = submit(month)["id"]
    found = month.call("agent", REVIEW, key)
    assert (found["supported_amount"], found["recommendation"], found["unclear"]) == (D(1), "APPROVE", [])
    assert set(found["steps"]) == {"flights", "rules", "recalculation", "comparison", "rationale"}
    assert "10.00" in found["rationale"]
    assert "9.00" in found["rationale"]
    assert "PER_DIEM" in found["rationale"]
    assert lines(month, key) == [(1, "per_diem", None, ["PER_DIEM"], D(10), D(9), D(1))]
    assert claim(month, key)["status"] == "UNDER_REVIEW"
    kind = month.rows("select kind::text, state::text from pay.pay_runs where id = %s", found["run_id"])
    assert kind == [("CHECK", "published")]


def test_flights_are_looked_at_by_themselves(month: Month) -> None:
    """XP5's premium lacks $90; XP6's premium is paid, its delay pay lacks $15 of $40."""
    key = reviewed(month, "cap", 200, "UNDERPAYMENT", ["XP5 2013-01-20", "XP6 2013-01-21"])
    supported = [r for r in lines(month, key) if r[6]]
    assert [(r[1], r[2], r[6]) for r in supported] == [("premium", "XP5", D(90)), ("delay_pay", "XP6", D(15))]
    review = month.rows(
        "select recommendation::text, unclear from review.claim_reviews where claim_id = %s", key
    )
    assert review[0][0] == "PARTIAL_APPROVE"
    assert review[0][1] != []


def test_a_rig_that_payroll_does_not_pay_by_flight(month: Month) -> None:
    """Of T1's duty $370 of the rig; payroll paid all rigs in one sum, $100 too little."""
    month.payment("cap", "flight_pay", delta=-100)
    key = reviewed(month, "cap", 100, "MISSING_FLIGHT", ["XP1 2013-01-10"])
    assert sum(r[6] for r in lines(month, key)) == 100
    other = reviewed(month, "cap", 100, "MISSING_FLIGHT", ["XP151 2013-01-15"])
    assert sum(r[6] for r in lines(month, other)) == 100
    decide(month, key, "APPROVE")
    month.call("payroll", REVIEW, other)
    assert sum(r[6] for r in lines(month, other)) == 0, "made good once"


def test_before_payroll_has_paid_there_is_nothing_to_compare_with(month: Month) -> None:
    month.conn.execute("delete from pay.payroll_payments where enterprise_id = %s", (month.airline.id,))
    month.conn.execute(
        "update pay.pay_periods set pay_date = current_date + 3 where id = %s", (month.period,)
    )
    key = submit(month)["id"]
    found = month.call("payroll", REVIEW, key)
    assert (found["supported_amount"], found["recommendation"]) == (0, "DENY")
    assert len(found["unclear"]) == 2


# ---- Decisions -------------------------------------------------------------------------------------------------------------


def test_approved_booked_and_paid_by_the_next_run(month: Month) -> None:
    key = reviewed(month)
    decided = decide(month, key, "APPROVE", "The rate was last year's.")
    assert (decided["status"], decided["approved_amount"], decided["payment_status"]) == ("APPROVED", D(1), "PROCESSING")  # fmt: skip
    assert decided["decision_rationale"].startswith("The rate was last year's.")
    assert "PER_DIEM" in decided["decision_rationale"]
    assert adjustments(month) == [(D(1), "APPROVED", "CLAIM")]
    month.run(2)
    paid = claim(month, key)
    assert (paid["payment_status"], paid["paid_amount"]) == ("PAID", D(1))
    assert paid["payment_date"] is not None
    told = month.rows(
        "select event from notify.notifications where enterprise_id = %s order by 1", month.airline.id
    )
    assert [t[0] for t in told] == ["claim_decided", "claim_paid", "claim_submitted"]
    # Found by the claim, and settled: what comes with the next period is not missing from this one any more.
    assert month.rows("select detected_by::text, resolution_status::text from review.discrepancies where claim_id = %s", key) == [("CREW_CLAIM", "RESOLVED")]  # fmt: skip
    month.detect(crew=["fa"])
    assert month.found() == []


def test_a_discrepancy_known_already_is_settled_by_the_claim(month: Month) -> None:
    month.detect(crew=["fa"])
    assert len(month.found()) == 1
    decide(month, reviewed(month), "APPROVE")
    assert month.found() == []
    assert month.rows("select count(*) from review.discrepancies where enterprise_id = %s", month.airline.id) == [(1,)]  # fmt: skip


def test_denied_with_figures(month: Month) -> None:
    key = reviewed(month, "fo", 50)
    refused(month, "CP406", "payroll", DECIDE, key, "APPROVE", None, None)
    denied = decide(month, key, "DENY", "It was paid.")
    assert (denied["status"], denied["approved_amount"], denied["payment_status"]) == ("DENIED", None, None)
    assert "10.00 expected" in denied["decision_rationale"]
    refused(month, "CP405", "payroll", DECIDE, key, "DENY", None, None)


def test_approved_in_part_line_by_line(month: Month) -> None:
    key = reviewed(month, "cap", 150, "UNDERPAYMENT", ["XP5 2013-01-20", "XP6 2013-01-21"])
    at = {(r[1], r[2]): r[0] for r in lines(month, key)}
    bad = [
        [{"line": 99, "amount": 1}], [{"line": 1, "amount": -1}], [{"line": 1, "amount": 1}, {"line": 1, "amount": 1}],
        [{"line": 1}], [{"amount": 1}],
    ]  # fmt: skip
    for wrong in bad:
        refused(month, "CP109", "payroll", DECIDE, key, "PARTIAL_APPROVE", None, Jsonb(wrong))
    some = [{"line": at["premium", "XP5"], "amount": 45.5, "reason": "half of it by day"}]
    refused(month, "CP406", "payroll", DECIDE, key, "APPROVE", None, Jsonb(some))
    decided = decide(month, key, "PARTIAL_APPROVE", None, some)
    assert decided["approved_amount"] == D("45.50")
    assert adjustments(month) == [(D("45.50"), "APPROVED", "CLAIM")]
    approved = month.rows("select approved_amount, reason from review.claim_lines where claim_id = %s and approved_amount > 0", key)  # fmt: skip
    assert approved == [(D("45.50"), "half of it by day")]


def test_people_may_be_generous_up_to_the_claim_agents_not(month: Month) -> None:
    key = reviewed(month, "fa", 5)
    more = Jsonb([{"line": 1, "amount": 3}])
    refused(month, "CP406", "agent", DECIDE, key, "PARTIAL_APPROVE", None, more)
    refused(
        month, "CP406", "payroll", DECIDE, key, "PARTIAL_APPROVE", None, Jsonb([{"line": 1, "amount": 6}])
    )
    assert (
        decide(month, key, "PARTIAL_APPROVE", "goodwill", [{"line": 1, "amount": 3}])["approved_amount"] == 3
    )


def test_an_agent_stays_within_its_limit_and_is_named_in_the_trail(month: Month) -> None:
    settings(month, agent_limit=50)
    large = reviewed(month, "cap", 90, "MISSING_PREMIUM")
    refused(month, "CP406", "agent", DECIDE, large, "APPROVE", None, None)
    small = reviewed(month)
    assert decide(month, small, "APPROVE", by="agent")["reviewed_by"] == month.login("agent")
    trail = month.rows("select distinct actor_type::text, action::text from audit.audit_log where entity_id = %s and action = 'APPROVED'", small)  # fmt: skip
    assert trail == [("AI_AGENT", "APPROVED")]


def test_facts_that_change_after_the_review_count(month: Month) -> None:
    """The agent's review supported $1; meanwhile payroll has paid it."""
    key = reviewed(month)
    month.payment("fa", "per_diem", amount=10)
    refused(month, "CP406", "agent", DECIDE, key, "APPROVE", None, None)


def test_above_the_limit_two_people_pay(month: Month) -> None:
    month.call("admin", "select platform.put_config('pay.adjustment_limit', '50', 'number')")
    key = reviewed(month, "cap", 90, "MISSING_PREMIUM")
    decided = decide(month, key, "APPROVE")
    assert decided["payment_status"] == "PENDING"
    assert adjustments(month) == []
    pay = "select * from review.pay_claim(%s)"
    refused(month, "CP312", "payroll", pay, key)
    month.call("payroll", "select (pay.request_claim_payment(%s, 'as decided')).id", key)
    refused(month, "CP310", "payroll", "select (pay.approve_claim_payment(%s)).id", key)
    month.call("admin", "select (pay.approve_claim_payment(%s)).id", key)
    assert month.call("payroll", pay, key)["payment_status"] == "PROCESSING"
    assert adjustments(month) == [(D(90), "APPROVED", "CLAIM")]
    refused(month, "CP405", "payroll", pay, key)


def test_a_payment_that_is_withdrawn_has_failed_and_can_be_made_again(month: Month) -> None:
    key = reviewed(month)
    decide(month, key, "APPROVE")
    adjustment = month.rows("select id from pay.adjustments where source_id = %s", key)[0][0]
    month.call("payroll", "select (pay.withdraw_adjustment(%s, 'wrong period')).id", adjustment)
    assert claim(month, key)["payment_status"] == "FAILED"
    assert month.call("payroll", "select * from review.pay_claim(%s)", key)["payment_status"] == "PROCESSING"
    month.run(2)
    assert claim(month, key)["payment_status"] == "PAID"


# ---- Appeal, withdrawal, evidence ------------------------------------------------------------------------------------------


def test_an_appeal_is_decided_by_another_person(month: Month) -> None:
    key = reviewed(month, "fa", 5)
    appeal = "select * from review.appeal_claim(%s, %s)"
    refused(month, "CP405", "fa", appeal, key, "not decided yet")
    decide(month, key, "PARTIAL_APPROVE")
    refused(month, "CP404", "cap", appeal, key, "not mine")
    refused(month, "CP318", "fa", appeal, key, " ")
    appealed = month.call("fa", appeal, key, "I was away four hours longer.")
    assert (appealed["status"], appealed["decision"]) == ("APPEALED", "PARTIAL_APPROVE")
    refused(month, "CP310", "payroll", DECIDE, key, "APPROVE", None, None)
    refused(month, "CP310", "agent", DECIDE, key, "DENY", None, None)
    decided = decide(month, key, "APPROVE", "Granted.", [{"line": 1, "amount": 5}], by="admin")
    assert (decided["status"], decided["approved_amount"]) == ("APPROVED", D(5))
    assert decided["first_decision"]["reviewed_by"] == month.login("payroll")
    assert decided["first_decision"]["approved_amount"] == 1
    assert [a[0] for a in adjustments(month)] == [D(1), D(4)], "the second pays the rest"
    refused(month, "CP405", "fa", appeal, key, "and again")


def test_an_appeal_takes_nothing_back(month: Month) -> None:
    key = reviewed(month, "fa", 5)
    decide(month, key, "PARTIAL_APPROVE")
    month.call("fa", "select * from review.appeal_claim(%s, 'four hours more')", key)
    refused(month, "CP406", "admin", DECIDE, key, "DENY", None, None)
    refused(
        month, "CP406", "admin", DECIDE, key, "PARTIAL_APPROVE", None, Jsonb([{"line": 1, "amount": 0.5}])
    )
    month.call("admin", REVIEW, key)
    month.detect(crew=["fa"])
    assert month.found() == [], "what was granted counts while it is appealed"
    assert decide(month, key, "PARTIAL_APPROVE", by="admin")["approved_amount"] == 1
    assert [a[0] for a in adjustments(month)] == [D(1)]


def test_appeals_have_a_last_day(month: Month) -> None:
    key = reviewed(month, "fo", 50)
    decide(month, key, "DENY")
    month.conn.execute("update review.claims set submitted_at = now() - interval '90 days', reviewed_at = now() - interval '60 days' where id = %s", (key,))  # fmt: skip
    refused(month, "CP407", "fo", "select * from review.appeal_claim(%s, 'late')", key)


def test_a_claim_is_withdrawn_before_its_decision_only(month: Month) -> None:
    withdraw = "select * from review.withdraw_claim(%s, %s)"
    key = reviewed(month)
    refused(month, "42501", "payroll", withdraw, key, "not theirs to withdraw")
    assert month.call("fa", withdraw, key, "found it")["status"] == "WITHDRAWN"
    refused(month, "CP405", "payroll", DECIDE, key, "APPROVE", None, None)
    refused(month, "CP405", "fa", withdraw, key, "twice")
    refused(month, "CP405", "fa", "select * from review.add_evidence(%s, 'x', 'y')", key)
    other = reviewed(month)
    decide(month, other, "APPROVE")
    refused(month, "CP405", "fa", withdraw, other, "too late")


def test_evidence_stays_with_the_claim(month: Month) -> None:
    key = submit(month)["id"]
    add = "select * from review.add_evidence(%s, %s, %s, %s, %s)"
    month.call("fa", add, key, "stub", "My stub of January", "image/png", b"\x89PNG")
    month.call("payroll", add, key, "call", "Asked the hotel: left at 16:10.", "text/plain", None)
    refused(month, "CP109", "fa", add, key, "huge", "x" * 4001, "text/plain", None)
    refused(month, "CP109", "fa", add, key, "odd", "x", "no type", None)
    found = month.call("payroll", "select review.dossier(%s) -> 'evidence' as e", key)["e"]
    assert [(e["title"], e["added_by"], e["bytes"]) for e in found] == [
        ("stub", month.login("fa"), 4), ("call", month.login("payroll"), None),
    ]  # fmt: skip


def test_every_step_is_in_the_trail(month: Month) -> None:
    key = reviewed(month, "fo", 50)
    decide(month, key, "DENY", "Nothing is missing.")
    month.call("fo", "select * from review.appeal_claim(%s, 'Look again.')", key)
    decide(month, key, "DENY", "Still nothing.", by="admin")
    steps = month.rows(
        """select action::text, actor_type::text, actor_id, changes -> 'status' ->> 1, reason from audit.audit_log
           where entity_id = %s and (action <> 'UPDATED' or changes ? 'status') order by entry_no""",
        key,
    )  # fmt: skip
    assert [s[:4] for s in steps] == [
        ("CREATED", "CREW", month.login("fo"), None),
        ("UPDATED", "ADMIN", month.login("payroll"), "UNDER_REVIEW"),
        ("DENIED", "ADMIN", month.login("payroll"), "DENIED"),
        ("UPDATED", "CREW", month.login("fo"), "APPEALED"),
        ("UPDATED", "ADMIN", month.login("admin"), "DENIED"),
    ]
    assert [s[4] for s in steps[2:]] == ["Nothing is missing.", "Look again.", "Still nothing."]


def test_nobody_decides_the_own_claim(month: Month) -> None:
    key = submit(month)["id"]
    month.conn.execute(
        "update crew.crew_members m set person_id = p.person_id from auth.principals p where p.login = %s and m.id = %s",
        (month.login("payroll"), month.airline.crew["fa"]),
    )
    refused(month, "CP310", "payroll", REVIEW, key)
    month.call("admin", REVIEW, key)
    refused(month, "CP310", "payroll", DECIDE, key, "APPROVE", None, None)


# ---- By itself -------------------------------------------------------------------------------------------------------------


def as_scheduler(month: Month, statement: str) -> str:
    with month.conn.transaction(), month.conn.cursor(row_factory=psycopg.rows.tuple_row) as cursor:
        cursor.execute("set local session authorization crewpay_jobs")
        cursor.execute("select set_config('app.current_enterprise_id', %s, true)", (str(month.airline.id),))
        row = cursor.execute(statement).fetchone()  # type: ignore[call-overload]
        cursor.execute("set local session authorization default")
        cursor.execute("select set_config('app.current_enterprise_id', '', true)")
    assert row is not None
    return str(row[0])


def test_what_is_clear_and_small_is_approved_the_rest_waits(month: Month) -> None:
    small = submit(month)["id"]
    part = submit(month, "cap", 200, "UNDERPAYMENT", ["XP5 2013-01-20"])["id"]
    none = submit(month, "fo", 50)["id"]
    as_scheduler(month, "select review.run_claims()")
    assert [claim(month, k)["status"] for k in (small, part, none)] == ["APPROVED", "UNDER_REVIEW", "UNDER_REVIEW"]  # fmt: skip
    before = month.rows(
        "select count(*) from review.claim_reviews where enterprise_id = %s", month.airline.id
    )
    as_scheduler(month, "select review.run_claims()")
    assert month.rows("select count(*) from review.claim_reviews where enterprise_id = %s", month.airline.id) == before  # fmt: skip


def alerts(month: Month) -> list[tuple[Any, ...]]:
    return month.rows(
        "select alert_key, severity::text from ops.alerts where enterprise_id = %s and state = 'OPEN' and alert_key like 'claim:%%' order by 1",
        month.airline.id,
    )


def test_deadlines_are_escalated_before_they_pass(month: Month) -> None:
    made = submit(month)
    watch = "select review.watch_deadlines()"
    as_scheduler(month, watch)
    assert alerts(month) == []
    month.conn.execute("update review.claims set answer_due = review.add_business_days(current_date, 2) where id = %s", (made["id"],))  # fmt: skip
    as_scheduler(month, watch)
    assert alerts(month) == [("claim:" + made["claim_number"], "HIGH")]
    assert claim(month, made["id"])["escalated_at"] is not None
    month.conn.execute("update review.claims set answer_due = current_date - 1 where id = %s", (made["id"],))
    as_scheduler(month, watch)
    assert alerts(month) == [("claim:" + made["claim_number"], "CRITICAL")]
    month.call("payroll", REVIEW, made["id"])
    decide(month, made["id"], "APPROVE")
    assert alerts(month) == []
    as_scheduler(month, watch)
    assert alerts(month) == []


def test_business_days_skip_weekends_and_holidays(month: Month) -> None:
    month.call("admin", "select review.put_holidays('US', '{2026-12-25,2027-01-01}', '{Christmas,New Year}')")
    after = "select review.add_business_days('2026-12-24', %s)::text as d"
    days = [month.call("payroll", after, n)["d"] for n in (0, 1, 5)]
    assert days == ["2026-12-24", "2026-12-28", "2027-01-04"]
    assert month.rows("select count(*) from review.holidays") == [(2,)]
    refused(month, "42501", "fa", "select review.put_holidays('US', '{2026-12-28}', '{mine}')")
    refused(month, "23514", "admin", "select review.put_holidays('us', '{2026-12-28}', '{x}')")


def test_the_contract_says_the_days_and_the_penalty(month: Month) -> None:
    """Answered within 3 business days, paid within 5, or $25 and 10 % more: the settings clause of the contract."""
    month.conn.execute(
        """insert into rules.union_contract_terms (enterprise_id, term_code, term_category, term_title, term_text, calculation_formula, effective_date, applies_to)
           values (%s, 'CLAIMS', 'SETTINGS', 'Claims', 'Claims', %s, '2012-01-01', '{FLIGHT_ATTENDANT}')""",
        (month.airline.id, Jsonb({"type": "settings", "claim_answer_days": 3, "claim_payment_days": 5, "claim_late_penalty": {"amount": 25, "percent": 10}})),
    )  # fmt: skip
    made = submit(month)
    assert made["answer_due"] == month.rows("select review.add_business_days(current_date, 3)")[0][0]
    month.call("payroll", REVIEW, made["id"])
    month.conn.execute("update pay.pay_periods set status = 'PROCESSING' where enterprise_id = %s", (month.airline.id,))  # fmt: skip
    decided = decide(month, made["id"], "APPROVE")
    assert (decided["payment_status"], adjustments(month)) == ("PENDING", []), "no period is open"
    month.conn.execute(
        "update pay.pay_periods set status = 'OPEN' where enterprise_id = %s", (month.airline.id,)
    )
    month.conn.execute("update review.claims set payment_due = current_date - 1 where id = %s", (made["id"],))
    paid = month.call("payroll", "select * from review.pay_claim(%s)", made["id"])
    assert paid["penalty_amount"] == D("25.10")
    assert [a[0] for a in adjustments(month)] == [D(1), D("25.10")]


# ---- Dossier, remedy, measures ---------------------------------------------------------------------------------------------


def test_the_dossier_has_it_all(month: Month) -> None:
    key = reviewed(month, "cap", 200, "UNDERPAYMENT", ["XP5 2013-01-20"])
    found = month.call("agent", "select review.dossier(%s) as d", key)["d"]
    assert found["crew_member"]["employee_id"] == "cap"
    assert {c["code"] for c in found["clauses"]} >= {"NIGHT"}
    assert found["review"]["supported_amount"] == 90
    assert found["limits"]["agent_limit"] == 250
    assert found["review"]["steps"]["flights"][0]["flight"] == "XP5"
    refused(month, "42501", "cap", "select review.dossier(%s)", key)
    refused(month, "CP404", "agent", "select review.dossier(%s)", month.airline.id)


def test_one_award_for_all_who_are_affected(month: Month) -> None:
    """fo's per diem is short as well, by the same error: found by detection, previewed, claimed for him, then decided."""
    month.payment("fo", "per_diem", delta=-2)
    month.detect()
    key = reviewed(month)
    decide(month, key, "APPROVE")
    shown = month.call("payroll", "select * from review.preview_remedy(%s)", key)
    assert (shown["employee_id"], shown["amount"], shown["component"]) == ("fo", D(2), "per_diem")
    apply = "select * from review.apply_remedy(%s, %s, %s)"
    refused(month, "CP409", "payroll", apply, key, "0" * 64, "same error")
    refused(month, "42501", "agent", apply, key, shown["preview_hash"], "same error")
    made = month.call("payroll", apply, key, shown["preview_hash"], "same error")
    assert (made["remedy_of"], made["claimed_amount"], made["status"]) == (key, D(2), "SUBMITTED")
    assert month.call("fo", "select count(*) from review.claims")["count"] == 1
    refused(month, "CP409", "payroll", apply, key, shown["preview_hash"], "twice")
    month.call("payroll", REVIEW, made["id"])
    assert decide(month, made["id"], "APPROVE")["approved_amount"] == 2


def test_measures_of_the_document(month: Month) -> None:
    """One error found by detection, one by a claim that is granted; another claim is denied: half and half; two of three were paid wrong."""
    month.detect(crew=["cap"])
    decide(month, reviewed(month), "APPROVE")
    decide(month, reviewed(month, "fo", 50), "DENY")
    row = month.call(
        "payroll",
        "select discrepancies, by_detection, detection_rate, claims, decided, approval_rate, results, crew_with_errors, pay_accuracy, late from review.metrics where pay_period_id = %s",
        month.period,
    )
    assert (row["discrepancies"], row["by_detection"], row["detection_rate"]) == (3, 2, D("0.6667"))
    assert (row["claims"], row["decided"], row["approval_rate"], row["late"]) == (2, 2, D("0.5"), 0)
    assert (row["results"], row["crew_with_errors"], row["pay_accuracy"]) == (3, 2, D("0.3333"))


BAD_LINES = [{"line": 1}, [{"line": "one", "amount": 1}], [{"line": 1, "amount": "much"}], [{"line": 1, "amount": -1}], [1], "x",
             [{"line": 9, "amount": 1}], [{"line": 1, "amount": 0.5}, {"line": 1, "amount": 0.5}], [{"line": 1, "amount": 0.001}]]  # fmt: skip


@pytest.mark.parametrize("lines", BAD_LINES, ids=str)
def test_lines_that_don_t_fit(month: Month, lines: Any) -> None:
    refused(month, "CP109", "payroll", DECIDE, reviewed(month), "PARTIAL_APPROVE", None, Jsonb(lines))
