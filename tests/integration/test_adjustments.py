"""Adjustments: booked by one person or two, paid as lines by the next run, kept by every later one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from crewpay_sync.database import Target
from crewpay_sync.tenants import ensure_login
from tests.tenants import Session, Tenant, add_airports, crewpay, made_tenant, transaction

CASE: dict[str, Any] = {
    "crew": {"ada": {"rate": 60}, "bo": {"rate": 90, "left": "2013-01-20"}, "cy": {"rate": 60, "hired": "2013-03-01"}},
    "periods": ["2013-01", "2013-02"],
    "terms": {"BLOCK": {"type": "leg_credit", "basis": "actual"}},
    "duties": [
        {"crew": crew, "report": f"2013-0{month}-10 08:00", "release": "12:00", "legs": [{"leg": "JFK-BOS", "scheduled": "09:00-10:00"}]}
        for crew, month in (("ada", 1), ("ada", 2), ("bo", 1))
    ],
}  # fmt: skip
ADJUST = "select * from pay.adjust(%s, %s, %s, %s, %s)"
FULL = "select * from pay.adjust(%s, %s, %s, %s, %s, %s, %s)"


@pytest.fixture(scope="module")
def operator(database: Target) -> Iterator[psycopg.Connection[Any]]:
    with closing(database.connect(autocommit=True)) as conn:
        add_airports(conn)
        yield conn


@pytest.fixture
def tenant(operator: psycopg.Connection[Any]) -> Iterator[Tenant]:
    with made_tenant(operator, CASE) as made:
        yield made


@pytest.fixture
def second(database: Target) -> Iterator[Session]:
    session = Session(database)
    yield session
    session.conn.close()


def adjust(
    tenant: Tenant, crew: str, amount: Any, reason: str = "why", period: int = 1, role: str = "payroll"
) -> dict[str, Any]:
    return tenant.call(role, ADJUST, tenant.id, tenant.crew[crew], tenant.periods[period - 1], amount, reason)


def state(tenant: Tenant, adjustment: dict[str, Any]) -> str:
    row = tenant.conn.execute(
        "select state from pay.adjustments where id = %s", (adjustment["id"],)
    ).fetchone()
    assert row is not None
    return str(row[0])


def result(tenant: Tenant, crew: str, period: int = 1) -> tuple[Decimal, Decimal, Decimal] | None:
    """Flight pay, adjustments, total."""
    return tenant.conn.execute(  # type: ignore[return-value]
        """select flight_pay_amount, adjustment_amount, total_gross_pay from pay.pay_calculations
           where enterprise_id = %s and crew_member_id = %s and pay_period_id = %s""",
        (tenant.id, tenant.crew[crew], tenant.periods[period - 1]),
    ).fetchone()


def adjustment_lines(tenant: Tenant, crew: str, period: int = 1) -> list[Any]:
    return [line[1:] for line in tenant.lines(crew, period) if line[0] == "period"]


def test_paid_by_the_next_run_and_by_every_later_one(tenant: Tenant) -> None:
    tenant.run()
    booked = adjust(tenant, "ada", "12.34", "uniform allowance")
    assert (booked["state"], booked["requested_by"], booked["approved_by"]) == (
        "APPROVED", tenant.logins["payroll"], None,
    )  # fmt: skip
    assert result(tenant, "ada") == (60, 0, 60)
    line = ("ADJUSTMENT", "uniform allowance", Decimal(1), Decimal("12.34"))
    for _ in range(3):
        run = tenant.run()
        assert result(tenant, "ada") == (Decimal(60), Decimal("12.34"), Decimal("72.34"))
        assert adjustment_lines(tenant, "ada") == [line]
        assert run["total_amount"] == Decimal("72.34") + 90
        assert state(tenant, booked) == "PAID"
    tenant.run(crew=["ada"])
    assert adjustment_lines(tenant, "ada") == [line]
    assert result(tenant, "bo") == (90, 0, 90)
    assert result(tenant, "ada", 2) is None
    paid = tenant.conn.execute(
        "select count(*), count(distinct paid_by_run) from pay.adjustments where enterprise_id = %s",
        (tenant.id,),
    ).fetchone()
    assert paid == (1, 1), "paid once, by the first run"


def test_one_taken_back_can_make_a_total_negative(tenant: Tenant) -> None:
    adjust(tenant, "ada", "-100.01", "advance returned")
    tenant.run()
    assert result(tenant, "ada") == (Decimal(60), Decimal("-100.01"), Decimal("-40.01"))


def test_explained_and_on_the_statement(tenant: Tenant) -> None:
    adjust(tenant, "ada", "12.34", "uniform allowance")
    tenant.run()
    with tenant.acting("payroll") as conn:
        explained = conn.execute(
            "select level, component, term_code, label, arithmetic, amount, outcome from pay.explain(%s, %s) where amount = 12.34 or level = 'period' order by item_no",
            (tenant.crew["ada"], tenant.periods[0]),
        ).fetchall()
        text = [row[0] for row in conn.execute("select pay.statement('ada', '2013-01-01')")]
    amount = Decimal("12.34")
    assert explained == [
        ("component", "adjustment", None, None, None, amount, "component"),
        ("period", None, None, None, None, None, "heading"),
        ("period", "adjustment", "ADJUSTMENT", "uniform allowance", "manual", amount, "paid"),
    ]
    assert any("uniform allowance" in line and line.endswith("12.34") for line in text)


def test_above_the_limit_a_second_person_decides(tenant: Tenant) -> None:
    first = adjust(tenant, "ada", 500, "at the limit")
    assert first["state"] == "APPROVED"
    proposed = adjust(tenant, "ada", "0.01", "cut up")
    assert proposed["state"] == "PROPOSED", "the sum counts, not the piece"
    assert adjust(tenant, "bo", -501)["state"] == "PROPOSED"
    tenant.run()
    assert result(tenant, "ada") == (60, 500, 560), "what is proposed isn't paid"
    tenant.refused("CP310", "payroll", "select pay.approve_adjustment(%s)", proposed["id"])
    approved = tenant.call("admin", "select * from pay.approve_adjustment(%s)", proposed["id"])
    assert (approved["state"], approved["approved_by"]) == ("APPROVED", tenant.logins["admin"])
    tenant.refused("CP314", "admin", "select pay.approve_adjustment(%s)", proposed["id"])
    run = tenant.run()
    assert result(tenant, "ada") == (60, Decimal("500.01"), Decimal("560.01"))
    assert state(tenant, proposed) == "PAID"
    trail = tenant.conn.execute(
        "select action::text, actor_id from audit.audit_log where entity_id = %s order by created_at, id",
        (proposed["id"],),
    ).fetchall()
    assert sorted(trail) == sorted([
        ("CREATED", tenant.logins["payroll"]), ("APPROVED", tenant.logins["admin"]), ("UPDATED", tenant.logins["payroll"]),
    ])  # fmt: skip
    assert (
        run["id"]
        == tenant.call("payroll", "select paid_by_run from pay.adjustments where id = %s", proposed["id"])[
            "paid_by_run"
        ]
    )


def test_an_enterprises_own_limit(tenant: Tenant) -> None:
    tenant.call("admin", "select platform.put_config('pay.adjustment_limit', '10')")
    assert adjust(tenant, "ada", 11)["state"] == "PROPOSED"
    assert adjust(tenant, "ada", 10)["state"] == "APPROVED"


def test_denied_and_withdrawn(tenant: Tenant) -> None:
    denied, withdrawn, approved = (adjust(tenant, "ada", amount) for amount in (900, 800, 10))
    tenant.refused("CP318", "admin", "select pay.withdraw_adjustment(%s, ' ')", denied["id"])
    tenant.call("admin", "select pay.withdraw_adjustment(%s, 'not owed')", denied["id"])
    tenant.call("payroll", "select pay.withdraw_adjustment(%s, 'mistyped')", withdrawn["id"])
    tenant.call("payroll", "select pay.withdraw_adjustment(%s, 'mistyped')", approved["id"])
    assert [state(tenant, a) for a in (denied, withdrawn, approved)] == ["DENIED", "WITHDRAWN", "WITHDRAWN"]
    tenant.run()
    assert result(tenant, "ada") == (60, 0, 60)
    paid = adjust(tenant, "ada", 10)
    tenant.run()
    tenant.refused("CP314", "payroll", "select pay.withdraw_adjustment(%s, 'why')", paid["id"])
    tenant.refused("CP314", "admin", "select pay.approve_adjustment(%s)", denied["id"])


def test_who_has_left_or_is_not_here_yet_is_paid(tenant: Tenant) -> None:
    adjust(tenant, "bo", "33.00", "last per diem", period=2)
    adjust(tenant, "cy", "500.00", "signing bonus", period=2)
    run = tenant.run(2)
    assert run["crew_count"] == 3
    assert result(tenant, "bo", 2) == (0, 33, 33)
    assert result(tenant, "cy", 2) == (0, 500, 500)
    tenant.run(2, crew=["ada"])
    assert result(tenant, "bo", 2) == (0, 33, 33)
    with tenant.acting("payroll") as conn:
        explained = conn.execute(
            "select label, amount from pay.explain(%s, %s) where outcome = 'paid'",
            (tenant.crew["bo"], tenant.periods[1]),
        ).fetchall()
    assert explained == [("last per diem", Decimal("33.00"))]


def test_a_closed_period_refuses(tenant: Tenant) -> None:
    waiting = adjust(tenant, "ada", 900)
    tenant.close()
    tenant.refused("CP211", "payroll", ADJUST, tenant.id, tenant.crew["ada"], tenant.periods[0], 10, "why")
    tenant.refused("CP211", "admin", "select pay.approve_adjustment(%s)", waiting["id"])
    tenant.refused("CP211", "admin", "select pay.rebook_adjustment(%s, %s)", waiting["id"], tenant.periods[0])
    tenant.call("payroll", "select pay.rebook_adjustment(%s, %s)", waiting["id"], tenant.periods[1])
    tenant.call("admin", "select pay.approve_adjustment(%s)", waiting["id"])
    tenant.run(2)
    assert result(tenant, "ada", 2) == (60, 900, 960)
    tenant.refused(
        "CP314", "payroll", "select pay.rebook_adjustment(%s, %s)", waiting["id"], tenant.periods[1]
    )


def test_closing_waits_for_its_adjustments(tenant: Tenant) -> None:
    run = tenant.run()
    adjust(tenant, "ada", 10)
    tenant.refused("CP319", "admin", "select pay.approve_run(%s)", run["id"])
    run = tenant.run()
    tenant.call("admin", "select pay.approve_run(%s)", run["id"])
    adjust(tenant, "ada", 20)
    tenant.refused("CP319", "payroll", "select pay.close_period(%s)", tenant.periods[0])


def test_who_booked_cannot_approve_the_run(tenant: Tenant) -> None:
    adjust(tenant, "ada", 10, role="admin")
    run = tenant.run()
    tenant.refused("CP310", "admin", "select pay.approve_run(%s)", run["id"])


@pytest.mark.parametrize("amount", [0, None, "1.005", "10000000"])
def test_what_is_no_amount(tenant: Tenant, amount: Any) -> None:
    tenant.refused(
        "CP109", "payroll", ADJUST, tenant.id, tenant.crew["ada"], tenant.periods[0], amount, "why"
    )


def test_refusals(tenant: Tenant, operator: psycopg.Connection[Any]) -> None:
    ada, january = tenant.crew["ada"], tenant.periods[0]
    tenant.refused("CP318", "payroll", ADJUST, tenant.id, ada, january, 10, "  ")
    tenant.refused("CP214", "payroll", ADJUST, tenant.id, uuid4(), january, 10, "why")
    tenant.refused("CP214", "payroll", ADJUST, tenant.id, ada, uuid4(), 10, "why")
    tenant.refused("CP311", "admin", "select pay.approve_adjustment(%s)", uuid4())
    for source, key in (
        ("RETRO", uuid4()),
        ("RECOVERY", uuid4()),
        ("MANUAL", uuid4()),
        ("CLAIM", None),
        (None, None),
    ):
        tenant.refused("CP109", "payroll", FULL, tenant.id, ada, january, 10, "why", source, key)
    tenant.refused("42501", "agent", ADJUST, tenant.id, ada, january, 10, "why")
    tenant.refused("42501", "bi", ADJUST, tenant.id, ada, january, 10, "why")
    with made_tenant(operator, CASE) as other:
        tenant.refused("CP214", "payroll", ADJUST, tenant.id, other.crew["ada"], january, 10, "why")
        tenant.refused("CP214", "payroll", ADJUST, tenant.id, ada, other.periods[0], 10, "why")
        tenant.refused("42501", "payroll", ADJUST, other.id, other.crew["ada"], other.periods[0], 10, "why")
        theirs = adjust(other, "ada", 900)
        for statement in ("select pay.approve_adjustment(%s)", "select pay.withdraw_adjustment(%s, 'why')"):
            tenant.refused("CP311", "admin", statement, theirs["id"])
        with tenant.acting("admin") as conn:
            row = conn.execute("select count(*) from pay.adjustments").fetchone()
        assert row == (0,)


def test_a_service_pays_claims_and_corrections(tenant: Tenant) -> None:
    claim, discrepancy = uuid4(), uuid4()
    ada, january = tenant.crew["ada"], tenant.periods[0]
    small = tenant.call("agent", FULL, tenant.id, ada, january, 10, "claim", "CLAIM", claim)
    large = tenant.call("agent", FULL, tenant.id, ada, january, 600, "claim", "CLAIM", claim)
    assert (small["state"], large["state"]) == ("APPROVED", "PROPOSED")
    tenant.call("payroll", FULL, tenant.id, ada, january, 5, "fix", "AUTO_FIX", discrepancy)
    tenant.refused("23505", "payroll", FULL, tenant.id, ada, january, 5, "fix", "AUTO_FIX", discrepancy)
    tenant.call("admin", "select pay.approve_adjustment(%s)", large["id"])
    tenant.run()
    assert result(tenant, "ada") == (60, 615, 675)


def test_a_claims_own_approval_counts_once(tenant: Tenant) -> None:
    claim = uuid4()
    ada, january = tenant.crew["ada"], tenant.periods[0]
    person = tenant.call("admin", "select auth.person()")["person"]
    tenant.conn.execute(
        """insert into pay.approvals (enterprise_id, subject_kind, subject_id, payload_hash, requested_by, state, decision, decided_by, decided_by_person, decided_at)
           values (%s, 'CLAIM_PAYMENT', %s, pay.adjustment_hash(%s, 600, 'CLAIM', %s), 'agent', 'APPROVED', 'APPROVED', %s, %s, now() - interval '1 second')""",
        (tenant.id, claim, ada, claim, tenant.logins["admin"], person),
    )
    other = tenant.call("agent", FULL, tenant.id, ada, january, 601, "claim", "CLAIM", claim)
    paid = tenant.call("agent", FULL, tenant.id, ada, january, 600, "claim", "CLAIM", claim)
    again = tenant.call("agent", FULL, tenant.id, ada, january, 600, "claim", "CLAIM", claim)
    assert [a["state"] for a in (other, paid, again)] == ["PROPOSED", "APPROVED", "PROPOSED"]
    assert paid["approved_by"] == tenant.logins["admin"]


def test_crew_see_their_own_once_decided(tenant: Tenant) -> None:
    ensure_login(
        tenant.conn, f"{tenant.slug}_ada".replace("-", "_"), tenant.id, "crew", crew_member=tenant.crew["ada"]
    )
    tenant.logins["ada"] = f"{tenant.slug}_ada".replace("-", "_")
    adjust(tenant, "ada", 10, "mine")
    adjust(tenant, "ada", 900, "not decided")
    adjust(tenant, "bo", 10, "his")
    tenant.run()
    with tenant.acting("ada") as conn:
        seen = conn.execute("select reason from pay.adjustments").fetchall()
        lines = conn.execute("select label from pay.pay_lines where component = 'adjustment'").fetchall()
    assert seen == lines == [("mine",)]
    tenant.refused("42501", "ada", ADJUST, tenant.id, tenant.crew["ada"], tenant.periods[0], 10, "why")
    tenant.conn.execute("delete from auth.principals where login = %s", (tenant.logins["ada"],))
    tenant.conn.execute(f"drop role {tenant.logins['ada']}")


def test_two_pieces_at_once(tenant: Tenant, database: Target, second: Session) -> None:
    """Each is below the limit; the second waits for the first and then needs another person."""
    booked: list[UUID] = []

    def book(conn: psycopg.Connection[Any]) -> None:
        with tenant.acting("payroll", conn):
            row = conn.execute(
                "select state from pay.adjust(%s, %s, %s, 300, 'second')",
                (tenant.id, tenant.crew["ada"], tenant.periods[0]),
            ).fetchone()
            assert row is not None
            booked.append(row[0])

    with closing(database.connect(autocommit=True)) as first, transaction(first):
        with tenant.acting("payroll", first):
            first.execute(
                "select pay.adjust(%s, %s, %s, 300, 'first')",
                (tenant.id, tenant.crew["ada"], tenant.periods[0]),
            )
        second.start(book)
        second.wait_until_blocked(first, tenant.conn)
        first.execute("commit")
    assert second.finish() is None
    assert booked == ["PROPOSED"]


def test_booked_while_a_run_is_under_way_waits_for_the_next(tenant: Tenant, database: Target) -> None:
    with closing(database.connect(autocommit=True)) as running, transaction(running):
        with tenant.acting("payroll", running):
            running.execute("select pay.run(%s, %s)", (tenant.id, tenant.periods[0]))
        booked = adjust(tenant, "ada", 10)
        tenant.refused("CP210", "payroll", "select pay.withdraw_adjustment(%s, 'why')", booked["id"])
        running.execute("commit")
    assert (result(tenant, "ada"), state(tenant, booked)) == ((60, 0, 60), "APPROVED")
    tenant.run()
    assert (result(tenant, "ada"), state(tenant, booked)) == ((60, 10, 70), "PAID")


def test_the_closer_waits_for_who_is_booking(tenant: Tenant, database: Target, second: Session) -> None:
    tenant.approve()

    def close(conn: psycopg.Connection[Any]) -> None:
        with tenant.acting("payroll", conn):
            conn.execute("select pay.close_period(%s)", (tenant.periods[0],))

    with closing(database.connect(autocommit=True)) as first, transaction(first):
        with tenant.acting("payroll", first):
            first.execute(
                "select pay.adjust(%s, %s, %s, 10, 'first')",
                (tenant.id, tenant.crew["ada"], tenant.periods[0]),
            )
        second.start(close)
        second.wait_until_blocked(first, tenant.conn)
        first.execute("commit")
    assert second.finish() == "CP319"


def test_command_line(tenant: Tenant, database: Target) -> None:
    booked = crewpay(
        database, tenant, "pay", "adjust", "ada", "-12.34", "2013-01", "--reason", "uniform", "--json"
    )
    assert booked.returncode == 0, booked.stderr
    told = json.loads(booked.stdout)
    assert (told["login"], told["data"]["amount"], told["data"]["state"]) == (
        tenant.logins["payroll"],
        "-12.34",
        "APPROVED",
    )
    proposed = crewpay(
        database, tenant, "pay", "adjust", "bo", "900", "2013-01", "--reason", "claim", "--json"
    )
    number = str(json.loads(proposed.stdout)["data"]["adjustment_no"])
    assert "CP318" in crewpay(database, tenant, "pay", "adjust", "bo", "9", "2013-01", "--reason", " ").stderr
    assert crewpay(database, tenant, "pay", "adjust", "bo", "nine", "--reason", "x").returncode == 2
    assert (
        "CP310"
        in crewpay(database, tenant, "pay", "adjustments", "--approve", number, "--as", "payroll").stderr
    )
    assert "CP311" in crewpay(database, tenant, "pay", "adjustments", "--approve", "0").stderr
    approved = crewpay(database, tenant, "pay", "adjustments", "--approve", number)
    assert approved.returncode == 0, approved.stderr
    taken = crewpay(database, tenant, "pay", "adjustments", "--withdraw", number, "--reason", "paid in cash")
    assert taken.returncode == 0, taken.stderr
    listed = json.loads(crewpay(database, tenant, "pay", "adjustments", "2013-01", "--json").stdout)["data"]
    assert [(row["employee_id"], row["amount"], row["state"]) for row in listed] == [
        ("ada", "-12.34", "APPROVED"), ("bo", "900.00", "WITHDRAWN"),
    ]  # fmt: skip
