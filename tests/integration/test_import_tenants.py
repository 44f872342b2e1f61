"""Enterprises and logins: made once, one role each, and acting as one gives the session back."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from crewpay_sync.output import CrewPayError
from crewpay_sync.tenants import act_as, ensure_enterprise, ensure_login, ensure_standard_logins


def session(conn: psycopg.Connection[Any]) -> str:
    row = conn.execute("select session_user::text").fetchone()
    assert row is not None
    return str(row[0])


def test_making_a_tenant_twice_changes_nothing(db: psycopg.Connection[Any]) -> None:
    tenant = ensure_enterprise(db, "twice", "Twice")
    logins = ensure_standard_logins(db, tenant, "twice")
    state = "select array_agg(p.xmin::text || p.login order by p.login) from auth.principals p"
    before = db.execute(state).fetchone()
    assert ensure_enterprise(db, "twice", "Another name") == tenant
    assert ensure_standard_logins(db, tenant, "twice") == logins
    assert db.execute(state).fetchone() == before


def test_a_login_of_another_kind_is_refused(db: psycopg.Connection[Any]) -> None:
    tenant = ensure_enterprise(db, "taken", "Taken")
    ensure_standard_logins(db, tenant, "taken")
    operator = session(db)
    for login in ("taken_admin", operator):
        with pytest.raises(CrewPayError) as refused:
            ensure_login(db, login, tenant, "payroll")
        assert refused.value.code == "CP921"


def test_acting_as_a_tenant_ends_with_the_block(db: psycopg.Connection[Any]) -> None:
    tenant = ensure_enterprise(db, "acting", "Acting")
    ensure_standard_logins(db, tenant, "acting")
    operator = session(db)
    with act_as(db, "acting", "service_role") as login:
        assert login == session(db) == "acting_agent"
        with act_as(db, "acting", "payroll") as inner:  # already somebody of the enterprise
            assert inner == "acting_agent"
    assert session(db) == operator


def test_acting_ends_after_an_error_too(db: psycopg.Connection[Any]) -> None:
    tenant = ensure_enterprise(db, "failing", "Failing")
    ensure_standard_logins(db, tenant, "failing")
    operator = session(db)
    with pytest.raises(psycopg.errors.DivisionByZero), db.transaction(), act_as(db, "failing", "admin"):
        db.execute("select 1 / 0")
    assert session(db) == operator
    db.execute("select 1")


def test_nobody_acts_for_another_enterprise(db: psycopg.Connection[Any]) -> None:
    for slug in ("mine", "theirs"):
        ensure_standard_logins(db, ensure_enterprise(db, slug, slug), slug)
    with (
        act_as(db, "mine", "payroll"),
        pytest.raises(CrewPayError) as refused,
        act_as(db, "theirs", "payroll"),
    ):
        pass
    assert refused.value.code == "CP922"
