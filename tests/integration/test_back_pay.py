"""Back pay: closed periods computed again; what is owed is paid once by a second person, what was paid too much is recovered by a plan."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql
from psycopg.types.json import Jsonb

from crewpay_sync.database import Target
from crewpay_sync.tenants import ensure_login
from tests.tenants import Session, Tenant, add_airports, crewpay, made_tenant, transaction

TERMS: dict[str, Any] = {
    "BLOCK": {"type": "leg_credit", "basis": "actual"},
    "LEG": {"type": "pay", "level": "leg", "component": "premium", "amount": 10},
}
# A leg of an hour for each in January and February; lu leaves, bo is promoted and hy hired again after they were paid.
CASE: dict[str, Any] = {
    "crew": {
        "ada": {"rate": 60},
        "bo": {"rate": 90},
        "lu": {"rate": 60, "left": "2013-02-20"},
        "hy": {"rate": 60},
    },
    "periods": ["2013-01", "2013-02", "2013-03", "2013-04"],
    "terms": TERMS,
    "duties": [
        {"crew": crew, "report": f"2013-0{month}-10 08:00", "release": "12:00", "legs": [{"leg": "JFK-BOS", "scheduled": "09:00-10:00"}]}
        for crew in ("ada", "bo", "lu", "hy")
        for month in (1, 2)
    ],
}  # fmt: skip


@pytest.fixture(scope="module")
def operator(database: Target) -> Iterator[psycopg.Connection[Any]]:
    with closing(database.connect(autocommit=True)) as conn:
        add_airports(conn)
        yield conn


@pytest.fixture
def tenant(operator: psycopg.Connection[Any]) -> Iterator[Tenant]:
    with made_tenant(operator, CASE) as made:
        user = uuid4()
        operator.execute(
            "insert into platform.users (enterprise_id, id, email) values (%s, %s, 'chief@x.example')",
            (made.id, user),
        )
        made.logins["chief"] = ensure_login(operator, f"{made.slug}_chief", made.id, "admin", user=user)
        for period in (1, 2):
            made.close(period)
        yield made
        operator.execute("delete from auth.principals where login = %s", (made.logins["chief"],))
    operator.execute(sql.SQL("drop role {}").format(sql.Identifier(made.logins["chief"])))


def change(tenant: Tenant, **terms: Any) -> None:
    """The contract as it is known from now on; an administrator asks, another applies it."""
    asked = tenant.call(
        "admin", "select * from rules.request_contract(%s, 'new agreement')", Jsonb(tenant.contract({"terms": terms}))
    )  # fmt: skip
    tenant.call("chief", "select (pay.approve_rate_change(%s)).id", asked["id"])


def correct(tenant: Tenant, crew: str, minutes: int, month: int = 1) -> None:
    """The flight of a month arrived later than recorded."""
    row = tenant.conn.execute(
        """select f.id, f.actual_arrival from crew.flights f join crew.crew_assignments a on a.flight_id = f.id
           where a.crew_member_id = %s and extract(month from f.scheduled_departure) = %s""",
        (tenant.crew[crew], month),
    ).fetchone()
    assert row is not None
    correction = tenant.call(
        "payroll",
        "select * from crew.correct('crew.flights', %s, jsonb_build_object('actual_arrival', %s::timestamptz + make_interval(mins => %s)), 'late report')",
        str(row[0]),
        row[1],
        minutes,
    )
    tenant.call("admin", "select (crew.approve_correction(%s)).id", correction["id"])


def retro(
    tenant: Tenant, periods: tuple[int, ...] | None = (1, 2), with_rates: bool = False, role: str = "payroll"
) -> dict[str, Any]:
    keys = None if periods is None else [tenant.periods[p - 1] for p in periods]
    return tenant.call(
        role, "select * from pay.retro(%s, %s::uuid[], 'why', %s)", tenant.id, keys, with_rates
    )


def found(tenant: Tenant, made: dict[str, Any]) -> list[tuple[str, int, str, str, Decimal]]:
    rows = tenant.conn.execute(
        """select m.employee_id, extract(month from p.start_date)::integer, b.component::text, b.cause, b.amount
           from pay.back_pay b join crew.crew_members m on m.id = b.crew_member_id join pay.pay_periods p on p.id = b.pay_period_id
           where b.retro_id = %s order by 1, 2, 3, 4""",
        (made["id"],),
    ).fetchall()
    return [tuple(row) for row in rows]


def approve(tenant: Tenant, made: dict[str, Any], period: int = 3, role: str = "admin") -> dict[str, Any]:
    return tenant.call(
        role, "select * from pay.approve_retro(%s, %s)", made["id"], tenant.periods[period - 1]
    )


def adjusted(tenant: Tenant, period: int = 3) -> dict[str, Decimal]:
    tenant.run(period)
    rows = tenant.conn.execute(
        """select m.employee_id, c.adjustment_amount from pay.pay_calculations c join crew.crew_members m on m.id = c.crew_member_id
           where c.enterprise_id = %s and c.pay_period_id = %s and c.adjustment_amount <> 0""",
        (tenant.id, tenant.periods[period - 1]),
    ).fetchall()
    return dict(rows)


def books(tenant: Tenant) -> list[Any]:
    return tenant.conn.execute(
        "select * from pay.pay_calculations where enterprise_id = %s and pay_period_id = any (%s) order by id",
        (tenant.id, tenant.periods[:2]),
    ).fetchall()


def test_a_term_known_later(tenant: Tenant) -> None:
    """A leg is worth 12.50 from February: 2.50 for each of four."""
    before = books(tenant)
    change(
        tenant,
        LEG={
            "effective": "2013-02-01",
            "type": "pay",
            "level": "leg",
            "component": "premium",
            "amount": 12.5,
        },
    )
    made = retro(tenant)
    assert made["state"] == "PROPOSED"
    assert found(tenant, made) == [(who, 2, "premium", "term", Decimal("2.50")) for who in ("ada", "bo", "hy", "lu")]  # fmt: skip
    assert adjusted(tenant) == {}, "nothing is paid before it is approved"
    done = approve(tenant, made)
    assert (done["state"], done["approved_by"]) == ("APPROVED", tenant.logins["admin"])
    assert adjusted(tenant) == dict.fromkeys(("ada", "bo", "hy", "lu"), Decimal("2.50")), (
        "lu has left and is paid all the same"
    )
    assert adjusted(tenant) == dict.fromkeys(("ada", "bo", "hy", "lu"), Decimal("2.50")), (
        "once, whatever runs again"
    )
    assert books(tenant) == before, "originals stay"
    assert retro(tenant)["state"] == "NOTHING_OWED"
    change(
        tenant,
        LEG={"effective": "2013-02-01", "type": "pay", "level": "leg", "component": "premium", "amount": 13},
    )
    again = retro(tenant)
    assert {row[4] for row in found(tenant, again)} == {Decimal("0.50")}, "a second one pays only what is new"
    kinds = tenant.conn.execute(
        "select kind::text, state::text, count(*) from pay.pay_runs where enterprise_id = %s and kind = 'RETRO' group by 1, 2",
        (tenant.id,),
    ).fetchall()
    assert kinds == [("RETRO", "published", 6)]


def test_a_fact_corrected_settles_the_queue(tenant: Tenant) -> None:
    """30 minutes more at 60: 30.00 for ada's January; the correction queued her."""
    correct(tenant, "ada", 30)
    made = retro(tenant, None)
    assert found(tenant, made) == [("ada", 1, "flight_pay", "fact", Decimal("30.00"))]
    waiting = "select count(*) from pay.retro_queue where enterprise_id = %s and settled_at is null"
    assert tenant.conn.execute(waiting, (tenant.id,)).fetchone() == (1,)
    approve(tenant, made)
    assert tenant.conn.execute(waiting, (tenant.id,)).fetchone() == (0,)
    assert adjusted(tenant) == {"ada": Decimal(30)}
    line = tenant.conn.execute(
        "select source::text, of_period_id, reason, state::text from pay.adjustments where enterprise_id = %s",
        (tenant.id,),
    ).fetchone()
    assert line == ("RETRO", tenant.periods[0], "why", "PAID")
    tenant.refused("CP214", "payroll", "select pay.retro(%s)", tenant.id)


def test_causes_are_told_apart(tenant: Tenant) -> None:
    """bo: 20 minutes more at 90 are 30.00; the rate table of 120 pays 80 minutes 160.00 instead of 120.00; the leg 1.00 more."""
    correct(tenant, "bo", 20)
    change(
        tenant,
        LEG={"type": "pay", "level": "leg", "component": "premium", "amount": 11},
        RATES={"effective": "2013-01-01", "type": "hourly_rate", "applies_to": ["FIRST_OFFICER"],
               "steps": [{"position": "FIRST_OFFICER", "from": "2013-01-01", "rate": 120}]},
    )  # fmt: skip
    made = retro(tenant, (1,))
    assert [row[2:] for row in found(tenant, made) if row[0] == "bo"] == [
        ("flight_pay", "fact", Decimal("30.00")),
        ("flight_pay", "rate", Decimal("40.00")),
        ("premium", "term", Decimal("1.00")),
    ]
    approve(tenant, made)
    assert adjusted(tenant)["bo"] == 71


def test_people_are_paid_as_who_they_were(tenant: Tenant) -> None:
    """Promoted, hired again, raised since: nothing of it is of January; with_rates takes the raise."""
    tenant.conn.execute(
        "update crew.crew_members set position = 'CAPTAIN' where id = %s", (tenant.crew["bo"],)
    )
    tenant.conn.execute(
        "update crew.crew_members set hire_date = '2013-03-15', termination_date = null where id = any (%s)",
        ([tenant.crew["hy"], tenant.crew["lu"]],),
    )
    raised = tenant.call("admin", "select * from pay.request_rates(%s, 'raise')", Jsonb({"ada": 66}))
    tenant.call("chief", "select (pay.approve_rate_change(%s)).id", raised["id"])
    assert retro(tenant)["state"] == "NOTHING_OWED"
    made = retro(tenant, (1,), with_rates=True)
    assert found(tenant, made) == [("ada", 1, "flight_pay", "rate", Decimal("6.00"))]
    approve(tenant, made)
    assert retro(tenant, (1,))["state"] == "NOTHING_OWED", "what was taken once stays taken"


def test_what_was_paid_too_much_is_recovered_by_a_plan(tenant: Tenant) -> None:
    """ada flew 40 minutes less in January: 40.00 in three instalments of 13.33, 13.33 and 13.34; February owes her 10.00, paid in full."""
    correct(tenant, "ada", -40)
    correct(tenant, "ada", 10, 2)
    approve(tenant, retro(tenant))
    assert adjusted(tenant) == {"ada": Decimal(10)}, "nothing is deducted in silence"
    recovery = tenant.call("payroll", "select * from pay.recoveries")
    assert (recovery["amount"], recovery["instalments"], recovery["state"]) == (40, 3, "PROPOSED")
    plan = "select * from pay.approve_recovery(%s, %s::uuid[])"
    tenant.refused("CP310", "payroll", plan, recovery["id"], tenant.periods[2:4])
    tenant.refused("CP211", "admin", plan, recovery["id"], tenant.periods[1:4])
    tenant.refused("22023", "admin", plan, recovery["id"], [])
    tenant.refused("22023", "admin", plan, recovery["id"], [tenant.periods[2], tenant.periods[2]])
    tenant.refused("CP311", "admin", plan, uuid4(), tenant.periods[2:4])
    done = tenant.call("admin", plan, recovery["id"], tenant.periods[2:4])
    assert (done["state"], done["instalments"]) == ("APPROVED", 2)
    assert adjusted(tenant, 3) == {"ada": Decimal(-10)}
    assert adjusted(tenant, 4) == {"ada": Decimal(-20)}
    tenant.refused("CP314", "admin", plan, recovery["id"], tenant.periods[2:4])
    assert retro(tenant)["state"] == "NOTHING_OWED"


def test_a_recovery_denied_leaves_it_paid(tenant: Tenant) -> None:
    correct(tenant, "ada", -40)
    approve(tenant, retro(tenant, (1,)))
    waiting = tenant.call(
        "admin", "select id from pay.approvals where subject_kind = 'RECOVERY' and state = 'PENDING'"
    )
    tenant.call("admin", "select (pay.deny_approval(%s, 'our mistake')).id", waiting["id"])
    assert tenant.call("payroll", "select state from pay.recoveries")["state"] == "DENIED"
    assert adjusted(tenant) == {}
    assert retro(tenant, (1,))["state"] == "NOTHING_OWED", "settled is settled"


def test_one_decides_whom_it_does_not_pay(tenant: Tenant) -> None:
    correct(tenant, "ada", 30)
    made = retro(tenant, (1,))
    tenant.refused("CP310", "payroll", "select pay.approve_retro(%s, %s)", made["id"], tenant.periods[2])
    tenant.conn.execute(
        "update crew.crew_members set person_id = (select person_id from auth.principals where login = %s and enterprise_id = %s) where id = %s",
        (tenant.logins["admin"], tenant.id, tenant.crew["ada"]),
    )
    tenant.refused("CP310", "admin", "select pay.approve_retro(%s, %s)", made["id"], tenant.periods[2])
    assert approve(tenant, made, role="chief")["state"] == "APPROVED"


def test_refused(tenant: Tenant, operator: psycopg.Connection[Any]) -> None:
    correct(tenant, "ada", 30)
    tenant.refused("CP318", "payroll", "select pay.retro(%s, %s::uuid[], ' ')", tenant.id, tenant.periods[:1])
    tenant.refused("CP314", "payroll", "select pay.retro(%s, %s::uuid[])", tenant.id, tenant.periods[:3])
    tenant.refused("CP214", "payroll", "select pay.retro(%s, %s::uuid[])", tenant.id, [uuid4()])
    tenant.refused("CP214", "payroll", "select pay.retro(%s, %s::uuid[])", tenant.id, [])
    tenant.refused("42501", "agent", "select pay.retro(%s, %s::uuid[])", tenant.id, tenant.periods[:1])
    tenant.refused("42501", "payroll", "select pay.retro(%s, %s::uuid[])", uuid4(), tenant.periods[:1])
    made = retro(tenant, (1,))
    tenant.refused("CP314", "payroll", "select pay.retro(%s, %s::uuid[])", tenant.id, tenant.periods[:2])
    tenant.refused("CP211", "admin", "select pay.approve_retro(%s, %s)", made["id"], tenant.periods[1])
    tenant.refused("CP311", "admin", "select pay.approve_retro(%s, %s)", uuid4(), tenant.periods[2])
    with made_tenant(operator, CASE) as other:
        assert other.call("payroll", "select count(*) from pay.back_pay")["count"] == 0
        other.refused("CP311", "admin", "select pay.approve_retro(%s, %s)", made["id"], other.periods[2])
        other.refused("42501", "payroll", "select pay.retro(%s, %s::uuid[])", tenant.id, tenant.periods[:1])
        other.refused("CP214", "payroll", "select pay.retro(%s, %s::uuid[])", other.id, tenant.periods[:1])
    waiting = tenant.call("payroll", "select id from pay.approvals where subject_kind = 'RETRO' and state = 'PENDING'")  # fmt: skip
    tenant.call("payroll", "select (pay.deny_approval(%s, 'not yet')).id", waiting["id"])
    assert tenant.call("payroll", "select state from pay.retros where id = %s", made["id"])["state"] == "WITHDRAWN"  # fmt: skip
    tenant.refused("CP314", "admin", "select pay.approve_retro(%s, %s)", made["id"], tenant.periods[2])


def test_books_that_have_changed_are_asked_about_again(tenant: Tenant) -> None:
    correct(tenant, "ada", 30)
    made = retro(tenant, (1,))
    tenant.call("payroll", "select (pay.request_reopen(%s, 'redo')).id", tenant.periods[0])
    tenant.call("admin", "select (pay.approve_reopen(%s)).id", tenant.periods[0])
    tenant.refused("CP313", "admin", "select pay.approve_retro(%s, %s)", made["id"], tenant.periods[2])
    tenant.run(1)
    run = tenant.run(1)["id"]
    tenant.call("chief", "select (pay.approve_run(%s)).id", run)
    tenant.call("payroll", "select (pay.close_period(%s)).id", tenant.periods[0])
    tenant.refused("CP313", "admin", "select pay.approve_retro(%s, %s)", made["id"], tenant.periods[2])


def test_two_sessions_pay_once(tenant: Tenant, database: Target) -> None:
    correct(tenant, "ada", 30)
    made = retro(tenant, (1,))
    other = Session(database)
    with tenant.acting("admin") as first, transaction(first):
        first.execute("select pay.approve_retro(%s, %s)", (made["id"], tenant.periods[2]))

        def second(conn: psycopg.Connection[Any]) -> None:
            with tenant.acting("chief", conn):
                conn.execute("select pay.approve_retro(%s, %s)", (made["id"], tenant.periods[2]))

        other.start(second)
        with closing(database.connect(autocommit=True)) as watcher:
            other.wait_until_blocked(first, watcher)
        first.execute("commit")
        assert other.finish() == "CP314"
    other.conn.close()
    assert adjusted(tenant) == {"ada": Decimal(30)}


def test_two_that_ask_at_once(tenant: Tenant, database: Target) -> None:
    correct(tenant, "ada", 30)
    other = Session(database)
    ask = "select pay.retro(%s, %s::uuid[])"
    with tenant.acting("payroll") as first, transaction(first):
        first.execute(ask, (tenant.id, tenant.periods[:1]))

        def second(conn: psycopg.Connection[Any]) -> None:
            with tenant.acting("admin", conn):
                conn.execute(ask, (tenant.id, tenant.periods[:2]))

        other.start(second)
        with closing(database.connect(autocommit=True)) as watcher:
            other.wait_until_blocked(first, watcher)
        first.execute("commit")
        assert other.finish() == "CP314"
    other.conn.close()


def test_command(tenant: Tenant, database: Target) -> None:
    correct(tenant, "ada", 30)
    asked = crewpay(database, tenant, "pay", "retro", "2013-01", "--reason", "late report", "--json")
    assert asked.returncode == 0, asked.stderr
    assert [(r["employee_id"], r["cause"], r["amount"]) for r in json.loads(asked.stdout)["data"]] == [("ada", "fact", "30.00")]  # fmt: skip
    number = json.loads(crewpay(database, tenant, "pay", "retro", "--list", "--json").stdout)["data"][-1][
        "retro_no"
    ]
    done = crewpay(
        database, tenant, "pay", "retro", "--approve", str(number), "--pay-in", "2013-03", "--json"
    )
    assert json.loads(done.stdout)["data"][0]["state"] == "APPROVED", done.stderr
    assert crewpay(database, tenant, "pay", "retro", "--approve", str(number)).returncode == 4
    assert json.loads(crewpay(database, tenant, "pay", "recoveries", "--json").stdout)["data"] == []
