"""Back pay is paid once, whatever comes between: corrections, reopened periods, claims, leavers, runs and sessions beside it."""

from __future__ import annotations

from contextlib import closing
from decimal import Decimal
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg.types.json import Jsonb

from crewpay_sync.database import Target
from crewpay_sync.tenants import ensure_login
from tests.integration.test_back_pay import (
    CASE,
    adjusted,
    approve,
    change,
    correct,
    found,
    operator,
    retro,
    tenant,
)
from tests.tenants import Tenant, made_tenant, transaction

__all__ = ["operator", "tenant"]
D = Decimal


def reopen_and_close(tenant: Tenant, period: int = 1) -> None:
    key = tenant.periods[period - 1]
    tenant.call("payroll", "select (pay.request_reopen(%s, 'redo')).id", key)
    tenant.call("admin", "select (pay.approve_reopen(%s)).id", key)
    run = tenant.run(period)["id"]
    tenant.call("chief", "select (pay.approve_run(%s)).id", run)
    tenant.call("payroll", "select (pay.close_period(%s)).id", key)


def waiting(tenant: Tenant) -> int:
    row = tenant.conn.execute(
        "select count(*) from pay.retro_queue where enterprise_id = %s and settled_at is null", (tenant.id,)
    ).fetchone()
    assert row is not None
    return int(row[0])


def verified(tenant: Tenant, statement: str, *values: Any) -> list[tuple[Any, ...]]:
    with tenant.acting("payroll") as conn:
        return conn.execute(statement, values).fetchall()


def test_a_correction_that_comes_meanwhile_waits_for_the_next(tenant: Tenant, database: Target) -> None:
    """30 minutes at 60 are asked about while 10 more are being approved: those 10.00 are of the next back pay."""
    correct(tenant, "ada", 30)
    asked = tenant.call(
        "payroll",
        """select c.* from crew.flights f join crew.crew_assignments a on a.flight_id = f.id
           cross join lateral crew.correct('crew.flights', f.id::text, jsonb_build_object('actual_arrival', f.actual_arrival + interval '10 minutes'), 'later yet') c
           where a.crew_member_id = %s and f.scheduled_departure < '2013-02-01'""",
        tenant.crew["ada"],
    )
    with closing(database.connect()) as other, tenant.acting("admin", other):
        other.execute("select crew.approve_correction(%s)", (asked["id"],))
        made = retro(tenant, (1,))
        other.commit()
    assert found(tenant, made) == [("ada", 1, "flight_pay", "fact", D("30.00"))]
    approve(tenant, made)
    assert waiting(tenant) == 1, "what it has not seen is not settled"
    assert found(tenant, retro(tenant, None)) == [("ada", 1, "flight_pay", "fact", D("10.00"))]


def test_denied_is_found_again(tenant: Tenant) -> None:
    correct(tenant, "ada", 30)
    for role, state in (("admin", "DENIED"), ("payroll", "WITHDRAWN")):
        made = retro(tenant, None)
        key = tenant.call("admin", "select id from pay.approvals where subject_id = %s", made["id"])["id"]
        tenant.call(role, "select (pay.deny_approval(%s, 'no')).id", key)
        assert tenant.call("payroll", "select state from pay.retros where id = %s", made["id"])["state"] == state  # fmt: skip
    assert waiting(tenant) == 1
    assert found(tenant, retro(tenant, None)) == [("ada", 1, "flight_pay", "fact", D("30.00"))]


def test_a_period_reopened_after_its_back_pay_was_paid(tenant: Tenant) -> None:
    """Its own new run pays the 30.00 too: they are to be recovered, and nobody has to remember it."""
    correct(tenant, "ada", 30)
    approve(tenant, retro(tenant, None))
    assert adjusted(tenant) == {"ada": D(30)}
    reopen_and_close(tenant)
    assert waiting(tenant) == 1
    made = retro(tenant, None)
    assert found(tenant, made) == [("ada", 1, "flight_pay", "fact", D("-30.00"))]
    approve(tenant, made)
    assert tenant.call("payroll", "select amount from pay.recoveries")["amount"] == 30
    assert waiting(tenant) == 0
    assert retro(tenant)["state"] == "NOTHING_OWED"


def granted(tenant: Tenant) -> dict[str, Any]:
    """ada claims her January."""
    tenant.call("admin", "select platform.put_config('review.claims', '{\"claim_days\": 10000}')")
    claim = tenant.call(
        "payroll",
        "select * from review.submit_claim(%s, 'OTHER', 40, 'I arrived late.', p_component => 'flight_pay', p_employee => 'ada')",
        tenant.periods[0],
    )
    tenant.call("payroll", "select (review.review_claim(%s)).id", claim["id"])
    return tenant.call("admin", "select * from review.decide(%s, 'APPROVE', 'seen the log')", claim["id"])


def test_what_a_claim_has_paid_is_not_paid_again(tenant: Tenant) -> None:
    """Of 40.00 and, of bo, 60.00 more, a claim has paid ada 40.00."""
    correct(tenant, "ada", 40)
    assert granted(tenant)["approved_amount"] == 40
    correct(tenant, "bo", 40)
    made = retro(tenant, (1,))
    assert found(tenant, made) == [
        ("ada", 1, "flight_pay", "fact", D("40.00")),
        ("ada", 1, "flight_pay", "made good", D("-40.00")),
        ("bo", 1, "flight_pay", "fact", D("60.00")),
    ]
    approve(tenant, made)
    assert adjusted(tenant) == {"ada": D(40), "bo": D(60)}, "hers is the claim's"
    assert retro(tenant, (1,))["state"] == "NOTHING_OWED"
    correct(tenant, "ada", 5)
    assert found(tenant, retro(tenant, (1,))) == [("ada", 1, "flight_pay", "fact", D("5.00"))]


def test_what_back_pay_has_paid_is_not_claimed_again(tenant: Tenant) -> None:
    correct(tenant, "ada", 40)
    approve(tenant, retro(tenant, (1,)))
    tenant.call("admin", "select platform.put_config('review.claims', '{\"claim_days\": 10000}')")
    claim = tenant.call(
        "payroll",
        "select * from review.submit_claim(%s, 'OTHER', 40, 'I arrived late.', p_component => 'flight_pay', p_employee => 'ada')",
        tenant.periods[0],
    )
    tenant.call("payroll", "select (review.review_claim(%s)).id", claim["id"])
    line = tenant.call("payroll", "select expected_amount - actual_amount as lacking, settled_amount, supported_amount from review.claim_lines where claim_id = %s", claim["id"])  # fmt: skip
    assert (line["lacking"], line["settled_amount"], line["supported_amount"]) == (40, 40, 0)


def detected(tenant: Tenant) -> list[tuple[Decimal, str]]:
    """What detection leaves open in the first period: difference and explanation."""
    tenant.call("payroll", "select * from review.detect(%s, %s)", tenant.id, tenant.periods[0])
    rows = tenant.conn.execute(
        """select difference_amount, explanation from review.discrepancies
           where enterprise_id = %s and pay_period_id = %s and resolution_status = 'OPEN'""",
        (tenant.id, tenant.periods[0]),
    ).fetchall()
    return [tuple(row) for row in rows]


def test_what_back_pay_has_paid_is_no_discrepancy(tenant: Tenant) -> None:
    """Found while it is owed, closed once it is settled; what is owed or paid too much beyond is one of the component."""
    correct(tenant, "ada", 40)
    assert [row[0] for row in detected(tenant)] == [D(40)]
    approve(tenant, retro(tenant, (1,)))
    assert detected(tenant) == []
    correct(tenant, "ada", 50)
    ((owed, why),) = detected(tenant)
    assert owed == 50
    assert "Of what is recorded, 40.00 is approved back pay." in why
    correct(tenant, "ada", -70)
    assert [row[0] for row in detected(tenant)] == [D(-20)]
    correct(tenant, "ada", -20)
    assert [row[0] for row in detected(tenant)] == [D(-40)], "the books are right again, the back pay isn't"


def test_what_a_claim_and_back_pay_have_paid_is_no_discrepancy(tenant: Tenant) -> None:
    """A claim paid 40 of 60, back pay the rest; then it was 20 in all: 40 too much."""
    correct(tenant, "ada", 40)
    granted(tenant)
    correct(tenant, "ada", 20)
    made = retro(tenant, (1,))
    assert sum(row[4] for row in found(tenant, made)) == 20
    approve(tenant, made)
    assert detected(tenant) == []
    correct(tenant, "ada", -40)
    assert [row[0] for row in detected(tenant)] == [D(-40)]


def test_a_claim_granted_before_the_approval_is_asked_about_again(tenant: Tenant) -> None:
    correct(tenant, "ada", 40)
    made = retro(tenant, (1,))
    granted(tenant)
    tenant.refused("CP313", "admin", "select pay.approve_retro(%s, %s)", made["id"], tenant.periods[2])


def test_what_payroll_posted_too_little_is_no_part_of_it(tenant: Tenant) -> None:
    """The books say 60.00, payroll posted 45.00: of a correction of 20.00, 15.00 make good the posting and 5.00 the books, of 30.00."""
    tenant.conn.execute(
        """insert into pay.payroll_payments (enterprise_id, crew_member_id, pay_period_id, component, amount, reference)
           values (%s, %s, %s, 'flight_pay', 45, 'X1')""",
        (tenant.id, tenant.crew["ada"], tenant.periods[0]),
    )
    tenant.call(
        "payroll",
        "select (pay.adjust(%s, %s, %s, 20, 'short', p_of_period => %s, p_of_component => 'flight_pay')).id",
        tenant.id,
        tenant.crew["ada"],
        tenant.periods[2],
        tenant.periods[0],
    )
    correct(tenant, "ada", 30)
    assert found(tenant, retro(tenant, (1,))) == [
        ("ada", 1, "flight_pay", "fact", D("30.00")),
        ("ada", 1, "flight_pay", "made good", D("-5.00")),
    ]


def test_of_two_proposals_one_is_approved(tenant: Tenant, database: Target) -> None:
    """Two snapshots that don't see each other: the second approval is over what the first has paid."""
    change(tenant, LEG={"type": "pay", "level": "leg", "component": "premium", "amount": 40})
    withdrawn = tenant.call("payroll", "select a.id from pay.approvals a where a.subject_id = %s", retro(tenant, (1,))["id"])["id"]  # fmt: skip
    tenant.call("payroll", "select (pay.deny_approval(%s, 'compiled')).id", withdrawn)
    with closing(database.connect()) as other:
        other.set_isolation_level(psycopg.IsolationLevel.REPEATABLE_READ)
        with tenant.acting("admin", other):
            other.execute("select count(*) from pay.retros")
            first = retro(tenant, (1,))
            row = other.execute("select (pay.retro(%s, %s::uuid[])).id", (tenant.id, tenant.periods[:1])).fetchone()  # fmt: skip
            other.commit()
        assert row is not None
        second = row[0]
        with pytest.raises(psycopg.Error) as refused, tenant.acting("admin", other):
            other.execute("select pay.approve_retro(%s, %s)", (first["id"], tenant.periods[2]))
        assert refused.value.sqlstate == "25001"
    approve(tenant, first)
    tenant.refused("CP313", "chief", "select pay.approve_retro(%s, %s)", second, tenant.periods[2])
    assert adjusted(tenant) == dict.fromkeys(("ada", "bo", "hy", "lu"), D(30))


def test_a_run_of_the_open_period_beside_it(tenant: Tenant, database: Target) -> None:
    """Approved while the period that pays it is run: that run doesn't pay it, and the next one does, once."""
    correct(tenant, "ada", 30)
    made = retro(tenant, (1,))
    tenant.run(3)
    with closing(database.connect()) as running, tenant.acting("payroll", running):
        running.execute("select pay.run(%s, %s)", (tenant.id, tenant.periods[2]))
        approve(tenant, made)
        running.commit()
    assert tenant.totals("ada", 3)["total"] == 0
    assert tenant.conn.execute("select state::text from pay.adjustments where enterprise_id = %s", (tenant.id,)).fetchall() == [("APPROVED",)]  # fmt: skip
    tenant.call("payroll", "select (pay.refresh(%s, %s)).id", tenant.id, tenant.periods[2])
    assert tenant.totals("ada", 3)["total"] == 30
    assert adjusted(tenant) == {"ada": D(30)}


def test_asking_beside_a_run_of_the_open_period(tenant: Tenant, database: Target) -> None:
    correct(tenant, "ada", 30)
    with closing(database.connect()) as running, tenant.acting("payroll", running):
        running.execute("select pay.run(%s, %s)", (tenant.id, tenant.periods[2]))
        assert retro(tenant, (1,))["state"] == "PROPOSED"
        running.commit()


def test_somebody_who_left_earlier_than_was_known(tenant: Tenant) -> None:
    """A guarantee of 31 h for January; lu left on the 20th, which became known in March: 11 h too much. She is hired again since."""
    change(tenant, GUAR={"type": "monthly_guarantee", "hours": 31, "proration": "calendar_days"})
    reopen_and_close(tenant)
    assert tenant.totals("hy")["total"] == 31 * 60 + 10
    hy = tenant.crew["hy"]
    tenant.conn.execute("update crew.crew_members set termination_date = '2013-01-20' where id = %s", (hy,))
    tenant.run(3)
    tenant.conn.execute("update crew.crew_members set hire_date = '2013-04-01', termination_date = null where id = %s", (hy,))  # fmt: skip
    made = retro(tenant, (1,))
    assert found(tenant, made) == [("hy", 1, "guarantee", "fact", D("-660.00"))]


def test_somebody_who_was_put_on_record_late(tenant: Tenant) -> None:
    """A leg of 1:30 at 80, and 10.00 for it: 130.00 for January, of which the books know nothing."""
    tenant.add_crew("new", {"rate": 80, "hired": "2013-01-05"})
    for name in ("crew_assignments_20_closed_insert", "flights_20_closed_insert"):
        table = name.split("_20_")[0]
        tenant.conn.execute(f"alter table crew.{table} disable trigger {name}")
    tenant.add_duty("new", {"report": "2013-01-15 08:00", "release": "12:00", "legs": [{"leg": "JFK-BOS", "scheduled": "09:00-10:30"}]})  # fmt: skip
    for name in ("crew_assignments_20_closed_insert", "flights_20_closed_insert"):
        table = name.split("_20_")[0]
        tenant.conn.execute(f"alter table crew.{table} enable trigger {name}")
    made = retro(tenant, (1,))
    assert {row[:2] for row in found(tenant, made)} == {("new", 1)}
    approve(tenant, made)
    assert adjusted(tenant) == {"new": D(130)}
    assert retro(tenant)["state"] == "NOTHING_OWED"


def test_back_pay_is_proved_and_compared(tenant: Tenant) -> None:
    """The run behind it is computed again as of its time, whoever was promoted and whatever was corrected since."""
    correct(tenant, "ada", 30)
    tenant.conn.execute(
        "update crew.crew_members set position = 'CAPTAIN' where id = %s", (tenant.crew["bo"],)
    )
    raised = tenant.call("admin", "select * from pay.request_rates(%s, 'raise')", Jsonb({"lu": 66}))
    tenant.call("chief", "select (pay.approve_rate_change(%s)).id", raised["id"])
    made = retro(tenant, (1,), with_rates=True)
    approve(tenant, made)
    correct(tenant, "ada", 7)
    correct(tenant, "hy", 7)
    run = tenant.call("payroll", "select distinct run_id, books_run_id from pay.retro_results")
    assert verified(tenant, "select * from pay.verify_run(%s)", run["run_id"]) == []
    told = verified(
        tenant, "select employee_id, component::text, cause, difference from pay.diff(%s, %s)", run["books_run_id"], run["run_id"]
    )  # fmt: skip
    assert told == [("ada", "flight_pay", "fact", D("30.00")), ("lu", "flight_pay", "rate", D("6.00"))]
    back = verified(tenant, "select employee_id, cause, difference from pay.diff(%s, %s)", run["run_id"], run["books_run_id"])  # fmt: skip
    assert back == [("ada", "fact", D("-30.00")), ("lu", "rate", D("-6.00"))]
    tenant.conn.execute("set session_replication_role = replica")
    tenant.conn.execute(
        "update pay.calculation_versions set line_quantity[1] = 1 where run_id = %s", (run["run_id"],)
    )
    tenant.conn.execute("reset session_replication_role")
    assert {row[0] for row in verified(tenant, "select * from pay.verify_run(%s)", run["run_id"])} == {"line", "run"}  # fmt: skip


def test_only_what_pays_is_compared(tenant: Tenant) -> None:
    run = tenant.run(3)["id"]
    projected = tenant.call("payroll", "select id from pay.project(%s, %s)", tenant.id, tenant.periods[2])["id"]  # fmt: skip
    tenant.refused("22023", "payroll", "select pay.diff(%s, %s)", run, projected)


def test_crew_see_their_own(tenant: Tenant, operator: psycopg.Connection[Any]) -> None:
    correct(tenant, "ada", 30)
    correct(tenant, "bo", -30)
    for who in ("ada", "bo"):
        tenant.logins[who] = ensure_login(tenant.conn, f"{tenant.slug}_{who}", tenant.id, "crew", crew_member=tenant.crew[who])  # fmt: skip
    seen = "select count(*) as n, min(amount) as least from pay.back_pay"
    made = retro(tenant, (1,))
    assert tenant.call("ada", seen)["n"] == 0, "what is proposed is not theirs yet"
    approve(tenant, made)
    assert tenant.call("ada", seen) == {"n": 1, "least": 30}
    assert tenant.call("bo", seen) == {"n": 1, "least": -45}
    plan = "select amount, state::text as state from pay.recoveries"
    assert tenant.call("bo", plan) == {"amount": 45, "state": "PROPOSED"}
    assert tenant.call("ada", "select count(*) as n from pay.recoveries")["n"] == 0
    tenant.refused("42501", "ada", "select requested_by from pay.recoveries")
    tenant.refused("42501", "ada", "select pay.retro(%s)", tenant.id)
    tenant.refused("42501", "bo", "select pay.approve_recovery(%s, %s::uuid[])", uuid4(), tenant.periods[2:3])
    with tenant.acting("admin") as conn, transaction(conn):
        key = conn.execute("select id from pay.recoveries").fetchone()
        assert key is not None
        conn.execute("select pay.approve_recovery(%s, %s::uuid[])", (key[0], tenant.periods[2:4]))
        conn.execute("commit")
    taken = tenant.call("bo", "select count(*) as n, sum(amount) as amount from pay.recovery_instalments")
    assert taken == {"n": 2, "amount": 45}
    assert tenant.call("ada", "select count(*) as n from pay.recovery_instalments")["n"] == 0
    with made_tenant(operator, CASE) as other:
        for table in ("retros", "retro_results", "retro_items", "recoveries", "recovery_instalments", "back_pay", "retro_queue"):  # fmt: skip
            assert other.call("admin", f"select count(*) as n from pay.{table}")["n"] == 0, table
    told = tenant.call("ada", "select arithmetic from pay.explain(%s, %s) where term_code = 'ADJUSTMENT'", tenant.crew["ada"], tenant.periods[2]) if tenant.run(3) else {}  # fmt: skip
    assert told["arithmetic"] == "back pay of 2013-01: flight pay 30.00"
    tenant.conn.execute("delete from auth.principals where login = any (%s)", ([tenant.logins["ada"], tenant.logins["bo"]],))  # fmt: skip


def test_crew_are_told(tenant: Tenant) -> None:
    correct(tenant, "ada", 30)
    correct(tenant, "bo", -30)
    approve(tenant, retro(tenant, (1,)))
    key = tenant.call("admin", "select id from pay.recoveries")["id"]
    tenant.call("admin", "select (pay.approve_recovery(%s, %s::uuid[])).id", key, tenant.periods[2:4])
    told = tenant.conn.execute(
        """select m.employee_id, n.event from notify.notifications n join crew.crew_members m on m.id = n.crew_member_id
           where n.enterprise_id = %s order by 1, n.event""",
        (tenant.id,),
    ).fetchall()
    assert told == [("ada", "back_pay"), ("bo", "overpaid"), ("bo", "recovery_agreed")]


def test_a_half_month_closed_and_one_open(operator: psycopg.Connection[Any]) -> None:
    """40 h at 50 in the first half, corrected to 45 when it is closed: 250.00 of back pay. The open second half of 40 h pays the
    overtime of 85 - 70 = 15 h x 25 = 375.00 by itself: month 85 x 50 + 375 = 4625.00, once."""
    half = {"report": "2013-01-05 08:00", "release": "12:00", "legs": [{"leg": "JFK-BOS", "scheduled": "09:00-10:00", "published": "40:00"}]}  # fmt: skip
    case = {
        "crew": {"ada": {"rate": 50}},
        "periods": [["2013-01-01", "2013-01-15"], ["2013-01-16", "2013-01-31"]],
        "terms": {
            "BLOCK": {"type": "leg_credit", "basis": "published"},
            "GUAR": {"type": "monthly_guarantee", "hours": 70, "proration": "calendar_days"},
            "OVER": {"type": "overtime", "threshold_hours": 70, "multiplier": 1.5},
        },
        "duties": [{"crew": "ada", **half}, {"crew": "ada", **half, "report": "2013-01-20 08:00"}],
    }
    with made_tenant(operator, case) as tenant:
        tenant.close(1)
        tenant.run(2)
        leg = tenant.conn.execute("select id::text from crew.crew_assignments where enterprise_id = %s order by duty_start_time limit 1", (tenant.id,)).fetchone()  # fmt: skip
        assert leg is not None
        asked = tenant.call("payroll", "select * from crew.correct('crew.crew_assignments', %s, '{\"published_credit_minutes\": 2700}', 'late')", leg[0])  # fmt: skip
        tenant.call("admin", "select (crew.approve_correction(%s)).id", asked["id"])
        made = retro(tenant, None)
        assert found(tenant, made) == [("ada", 1, "flight_pay", "fact", D("250.00"))]
        approve(tenant, made, 2)
        tenant.run(2)
        assert tenant.totals("ada", 1)["total"] + tenant.totals("ada", 2)["total"] == 4625
        assert tenant.totals("ada", 2)["overtime"] == 375
