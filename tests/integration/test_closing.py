"""Closing a pay period: two sessions at once in both orders, the life of a period, and the command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import psycopg
import pytest

from crewpay_sync.database import Target
from tests.tenants import Session, Tenant, add_airports, made_tenant, transaction

CASE: dict[str, Any] = {
    "crew": {"ada": {"position": "CAPTAIN", "rate": 200, "months": {"2013-01": {}}}, "bo": {"rate": 100}},
    "periods": ["2013-01", "2013-02"],
    "terms": {"BLOCK": {"type": "leg_credit", "basis": "actual"}},
    "trips": [
        {"trip": f"T{n}{month}", "crew": crew, "duties": [
            {"report": f"2013-0{month}-1{n} 08:00", "release": "16:00",
             "legs": [{"leg": "JFK-BOS", "scheduled": "09:00-10:15", "number": f"CP{n}{month}"},
                      {"leg": "BOS-JFK", "scheduled": "11:00-12:20", "number": f"CP{n}{month + 5}"}]}]}
        for n, crew in ((1, "ada"), (2, "bo")) for month in (1, 2)
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
        yield made


@pytest.fixture
def second(database: Target) -> Iterator[Session]:
    session = Session(database)
    yield session
    session.conn.close()


# One way of writing for each table: a row of January, by key where there is one.
WRITES = {
    "assignment": """insert into crew.crew_assignments (enterprise_id, crew_member_id, activity, duty_start_time, duty_end_time)
        values (%(tenant)s, %(ada)s, 'TRAINING', '2013-01-20 14:00Z', '2013-01-20 20:00Z') returning id""",
    "flight": "update crew.flights set delay_code = 'WX' where enterprise_id = %(tenant)s and flight_number = 'CP11' returning id",
    "trip": "update crew.trips set pickup = 'TRADE' where enterprise_id = %(tenant)s and trip_number = 'T11' returning id",
    "month": "update crew.crew_months set work_days = 12 where enterprise_id = %(tenant)s returning month",
}
CLOSE = "select (pay.close_period(%s)).status"


def keys(tenant: Tenant) -> dict[str, Any]:
    return {"tenant": tenant.id, "ada": tenant.crew["ada"]}


@pytest.mark.parametrize("what", WRITES)
def test_writer_first_the_closer_waits_and_sees_the_change(
    what: str, tenant: Tenant, second: Session, database: Target
) -> None:
    tenant.approve()
    with closing(database.connect(autocommit=True)) as writer, transaction(writer):
        assert writer.execute(WRITES[what], keys(tenant)).fetchone()
        second.start(lambda conn: tenant.call("payroll", CLOSE, tenant.periods[0], conn=conn))
        second.wait_until_blocked(writer, tenant.conn)
        writer.execute("commit")
    assert second.finish() == "CP319"  # a fact that the approved run has not seen
    assert tenant.status() == "OPEN"


def test_writer_first_and_given_up_the_closer_closes(
    tenant: Tenant, second: Session, database: Target
) -> None:
    tenant.approve()
    with closing(database.connect(autocommit=True)) as writer, transaction(writer):
        writer.execute(WRITES["flight"], keys(tenant))
        second.start(lambda conn: tenant.call("payroll", CLOSE, tenant.periods[0], conn=conn))
        second.wait_until_blocked(writer, tenant.conn)
        writer.execute("rollback")
    assert second.finish() is None
    assert tenant.status() == "CLOSED"


@pytest.mark.parametrize("what", WRITES)
def test_closer_first_the_writer_waits_and_is_refused(
    what: str, tenant: Tenant, second: Session, database: Target
) -> None:
    tenant.approve()
    with closing(database.connect(autocommit=True)) as closer, transaction(closer):
        tenant.call("payroll", CLOSE, tenant.periods[0], conn=closer)
        second.start(lambda conn: conn.execute(WRITES[what], keys(tenant)))
        second.wait_until_blocked(closer, tenant.conn)
        closer.execute("commit")
    assert second.finish() == "CP211"
    assert second.error is not None
    assert "of crew." in str(second.error.diag.message_detail)


def test_closer_first_and_given_up_the_writer_writes(
    tenant: Tenant, second: Session, database: Target
) -> None:
    tenant.approve()
    with closing(database.connect(autocommit=True)) as closer, transaction(closer):
        tenant.call("payroll", CLOSE, tenant.periods[0], conn=closer)
        second.start(lambda conn: conn.execute(WRITES["flight"], keys(tenant)))
        second.wait_until_blocked(closer, tenant.conn)
        closer.execute("rollback")
    assert second.finish() is None
    assert tenant.status() == "OPEN"


@pytest.mark.parametrize("writer_first", [True, False])
def test_an_operators_plain_update_of_the_state_waits_as_well(
    writer_first: bool, tenant: Tenant, second: Session, database: Target
) -> None:
    change = "update pay.pay_periods set status = 'CLOSED' where enterprise_id = %s and id = %s"
    with closing(database.connect(autocommit=True)) as first, transaction(first):
        if writer_first:
            first.execute(WRITES["flight"], keys(tenant))
            second.start(lambda conn: conn.execute(change, (tenant.id, tenant.periods[0])))
        else:
            first.execute(change, (tenant.id, tenant.periods[0]))
            second.start(lambda conn: conn.execute(WRITES["flight"], keys(tenant)))
        second.wait_until_blocked(first, tenant.conn)
        first.execute("commit")
    assert second.finish() == (None if writer_first else "CP211")
    assert tenant.status() == "CLOSED"


def test_a_writer_with_an_old_snapshot_is_refused(tenant: Tenant, database: Target) -> None:
    tenant.approve()
    with closing(database.connect(autocommit=True)) as writer, transaction(writer):
        writer.execute("set transaction isolation level repeatable read")
        writer.execute("select count(*) from pay.pay_periods")
        tenant.call("payroll", CLOSE, tenant.periods[0])
        with pytest.raises(psycopg.errors.SerializationFailure):
            writer.execute(WRITES["flight"], keys(tenant))


def test_a_closer_with_an_old_snapshot_is_refused(tenant: Tenant, database: Target) -> None:
    tenant.approve()
    with closing(database.connect(autocommit=True)) as closer, transaction(closer):
        closer.execute("set transaction isolation level repeatable read")
        with pytest.raises(psycopg.Error) as refused:
            tenant.call("payroll", CLOSE, tenant.periods[0], conn=closer)
    assert refused.value.sqlstate == "25001"


def test_writers_do_not_wait_for_each_other_nor_for_a_run(tenant: Tenant, database: Target) -> None:
    with closing(database.connect(autocommit=True)) as writer, transaction(writer):
        writer.execute("set lock_timeout = '1s'")
        writer.execute(WRITES["flight"], keys(tenant))
        tenant.conn.execute(WRITES["trip"], keys(tenant))
        assert tenant.run()["crew_count"] == 2
        writer.execute("rollback")


def trail(tenant: Tenant, entity: str) -> list[tuple[str, str, str | None]]:
    """Action, actor and reason of a table's entries, in order."""
    return tenant.conn.execute(
        "select action::text, actor_id, reason from audit.audit_log where enterprise_id = %s and entity_type = %s"
        " order by created_at, action",
        (tenant.id, entity),
    ).fetchall()


def test_the_life_of_a_period(tenant: Tenant) -> None:
    """Run, approve, close; a change is refused, corrected, and paid after reopening. Every step has an actor and a reason."""
    january = tenant.periods[0]
    admin, payroll = tenant.logins["admin"], tenant.logins["payroll"]
    first = tenant.run()
    ada_before = tenant.totals("ada")["total"]
    tenant.refused("CP310", "payroll", "select pay.approve_run(%s)", first["id"])
    tenant.call("admin", "select pay.approve_run(%s, 'January looked through')", first["id"])
    second = tenant.run()  # a change after the approval: the new run is not approved
    tenant.refused("CP312", "payroll", "select pay.close_period(%s)", january)
    tenant.call("admin", "select pay.approve_run(%s, 'looked through again')", second["id"])
    tenant.call("payroll", "select set_config('app.reason', 'month end', false)")
    tenant.call("payroll", "select pay.close_period(%s)", january)
    tenant.conn.execute("reset app.reason")
    assert tenant.status() == "CLOSED"
    tenant.refused("CP211", "payroll", "select pay.run(%s, %s)", tenant.id, january)

    flight = tenant.conn.execute(
        "select id from crew.flights where enterprise_id = %s and flight_number = 'CP11'", (tenant.id,)
    ).fetchone()
    assert flight is not None
    later = "update crew.flights set actual_arrival = actual_arrival + interval '30 minutes' where id = %s returning id"
    refused = tenant.refused("CP211", "admin", later, flight[0])
    assert str(flight[0]) in str(refused.diag.message_detail)

    correction = tenant.call(
        "payroll",
        """select c.id from crew.correct('crew.flights', %s, '{"actual_arrival": "2013-01-11T15:45:00Z"}', 'gate log: 30 minutes later') as c""",
        str(flight[0]),
    )["id"]
    tenant.refused("CP310", "payroll", "select crew.approve_correction(%s)", correction)
    tenant.call("admin", "select crew.approve_correction(%s, 'log seen')", correction)
    assert tenant.totals("ada")["total"] == ada_before, "stored results stay"
    waiting = tenant.conn.execute(
        "select count(*), min(cause) from pay.retro_queue where enterprise_id = %s and pay_period_id = %s"
        " and crew_member_id = %s and settled_at is null",
        (tenant.id, january, tenant.crew["ada"]),
    ).fetchone()
    assert waiting == (1, "gate log: 30 minutes later")

    tenant.call("payroll", "select pay.request_reopen(%s, 'corrections before the bank run')", january)
    tenant.refused("CP310", "payroll", "select pay.approve_reopen(%s)", january)
    tenant.call("admin", "select pay.approve_reopen(%s)", january)
    assert tenant.status() == "OPEN"
    tenant.refused("CP319", "payroll", "select pay.close_period(%s)", january)
    third = tenant.run()
    assert tenant.totals("ada")["total"] == ada_before + 100  # thirty minutes at $200
    tenant.refused("CP312", "payroll", "select pay.close_period(%s)", january)
    tenant.call("admin", "select pay.approve_run(%s, 'with the correction')", third["id"])
    tenant.call("payroll", "select pay.close_period(%s)", january)
    tenant.call("payroll", "select pay.mark_paid(%s)", january)
    assert tenant.status() == "PAID"
    settled = tenant.conn.execute(
        "select settled_by_run from pay.retro_queue where enterprise_id = %s", (tenant.id,)
    ).fetchall()
    assert settled == [(third["id"],)]

    approvals = tenant.conn.execute(
        "select subject_kind, state, requested_by, decided_by, coalesce(reason, decision_reason) from pay.approvals"
        " where enterprise_id = %s order by decided_at",
        (tenant.id,),
    ).fetchall()
    assert approvals == [
        ("RUN", "APPROVED", payroll, admin, "January looked through"),
        ("RUN", "SUPERSEDED", payroll, admin, "looked through again"),
        ("CORRECTION", "APPROVED", payroll, admin, "gate log: 30 minutes later"),
        ("REOPEN", "APPROVED", payroll, admin, "corrections before the bank run"),
        ("RUN", "APPROVED", payroll, admin, "with the correction"),
    ] or approvals == [
        ("RUN", "SUPERSEDED", payroll, admin, "January looked through"),
        *approvals[1:],
    ]
    periods = [entry for entry in trail(tenant, "pay.pay_periods") if entry[1] in (admin, payroll)]
    assert periods == [
        ("UPDATED", payroll, "month end"),
        ("UPDATED", admin, "corrections before the bank run"),
        ("UPDATED", payroll, None),
        ("UPDATED", payroll, None),
    ]
    assert ("UPDATED", admin, "gate log: 30 minutes later") in trail(tenant, "crew.flights")
    assert [e for e in trail(tenant, "crew.corrections") if e[0] != "UPDATED"] == [
        ("CREATED", payroll, "gate log: 30 minutes later"),
        ("APPROVED", admin, "gate log: 30 minutes later"),
    ]
    assert [e[2] for e in trail(tenant, "pay.pay_calculations") if e[0] == "APPROVED" and e[1] == admin] == (
        ["January looked through"] * 2 + ["looked through again"] * 2 + ["with the correction"] * 2
    )


def test_a_partial_run_after_the_approval_stops_the_closing(tenant: Tenant) -> None:
    tenant.approve()
    tenant.run(crew=["ada"])
    tenant.refused("CP313", "payroll", CLOSE, tenant.periods[0])


def test_a_reason_of_a_function_does_not_stay(tenant: Tenant) -> None:
    tenant.close()
    with tenant.acting("payroll") as conn, conn.transaction():
        conn.execute("set local app.reason = 'mine'")
        conn.execute("select pay.request_reopen(%s, 'theirs')", (tenant.periods[0],))
        row = conn.execute("select current_setting('app.reason')").fetchone()
    assert row == ("mine",)


def test_command_line(tenant: Tenant, database: Target) -> None:
    tenant.run()

    def crewpay(*args: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "crewpay_sync", "pay", *args, "--enterprise", tenant.slug],
            env={**os.environ, "DATABASE_URL": database.conninfo, "DIRECT_URL": ""},
            capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip

    assert "CP312" in crewpay("close", "2013-01").stderr
    refused = crewpay("approve", "2013-01", "--as", "payroll")
    assert (refused.returncode, refused.stderr[:5]) == (4, "CP310")
    approved = crewpay("approve", "2013-01", "--reason", "fine", "--json")
    assert approved.returncode == 0, approved.stderr
    told = json.loads(approved.stdout)
    assert (told["login"], told["data"][0]["run_by"]) == (tenant.logins["admin"], tenant.logins["payroll"])
    done = crewpay("close", "2013-01")
    assert done.returncode == 0, done.stderr
    assert "CLOSED" in done.stdout
    assert "CP318" in crewpay("reopen", "2013-01").stderr
    assert crewpay("reopen", "2013-01", "--reason", "a leg is missing").returncode == 0
    assert crewpay("reopen", "2013-01", "--approve").returncode == 0
    assert tenant.status() == "OPEN"
    assert "CP311" in crewpay("approve", "2013-02").stderr
    assert "CP214" in crewpay("approve", "2014-02").stderr


def test_paid_on_the_command_line(tenant: Tenant, database: Target) -> None:
    tenant.close()
    done = subprocess.run(
        [sys.executable, "-m", "crewpay_sync", "pay", "close", "2013-01", "--paid", "--enterprise", tenant.slug],
        env={**os.environ, "DATABASE_URL": database.conninfo, "DIRECT_URL": ""},
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert tenant.status() == "PAID"
