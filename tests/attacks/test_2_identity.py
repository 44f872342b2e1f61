"""Being somebody else."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from psycopg import sql

Note = Any
Attack = Any

FORGED = {
    "app.current_user_id": "crew2",
    "app.ctx": "v1|beta",
    "app.token": "v1|beta",
    "app.role": "admin",
    "request.jwt.claims": '{"role": "service_role", "sub": "crew2", "enterprise_id": "beta"}',
    "request.jwt.claim.role": "admin",
    "request.jwt.claim.sub": "crew2",
    "pgrst.claims": '{"role": "admin"}',
}


def identity(attack: Attack) -> Any:
    """What the policies ask; by a query that BI can make as well."""
    statement = "select auth.uid() as uid, auth.person() as person, auth.role() as role, auth.enterprise_id() as enterprise"
    if attack.who.name == "bi":
        statement = "select to_jsonb(p) as row from bi.pay_periods p order by 1"
    return attack.conn.execute(statement).fetchall()


def tenant_table(attack: Attack) -> str:
    """A table of tenants that the attacker may read."""
    special = {"bi": "bi.pay_periods", "sync": "platform.system_configs", "jobs": "platform.system_configs"}
    return special.get(attack.who.name, "pay.pay_periods")


def sweep(attack: Attack, where: str) -> None:
    """Nothing of others in any table, view or partition."""
    for relation in attack.world.relations:
        try:
            with attack.conn.transaction():
                found = attack.conn.execute(
                    sql.SQL("select to_jsonb(t) as row from {} t").format(relation.sql)
                ).fetchall()
        except psycopg.Error as error:
            attack.expected(error, where, "42501", "28000")
            continue
        attack.look(found, f"{where}, {relation.name}")


def test_forged_settings(attack: Attack, note: Note) -> None:
    """Settings that claim another identity (app.current_user_id, app.ctx, request.jwt.claims, …)"""
    before = identity(attack)
    world = attack.world
    values = {
        setting: value.replace("crew2", str(world.id("alpha_crew2"))).replace("beta", str(world.beta))
        for setting, value in FORGED.items()
    }
    for setting, value in values.items():
        with attack.attempt() as conn:
            try:
                with conn.transaction():
                    conn.execute("select set_config(%s, %s, true)", (setting, value))
                    after = identity(attack)
            except psycopg.Error as error:
                attack.expected(error, setting, "28000", "42501")
            else:
                assert after == before, setting
    with attack.attempt() as conn:
        for setting, value in values.items():
            conn.execute("select set_config(%s, %s, true)", (setting, value))
        sweep(attack, "forged settings")
    note("changes nothing")


def test_select_another_airline(attack: Attack, note: Note) -> None:
    """app.current_enterprise_id set to another airline, or to nonsense"""
    if attack.who.name == "jobs":
        note("a member of every airline")
        return
    for value in (str(attack.world.beta), "00000000-0000-0000-0000-000000000000", "' or true --", "null"):
        with attack.attempt() as conn:
            conn.execute("select set_config('app.current_enterprise_id', %s, true)", (value,))
            with pytest.raises(psycopg.errors.InvalidAuthorizationSpecification), conn.transaction():
                conn.execute(f"select count(*) from {tenant_table(attack)}")
            sweep(attack, "app.current_enterprise_id")
    note("28000, no row")


def test_set_role(attack: Attack, note: Note) -> None:
    """SET ROLE, and the setting role, to any role of the server but the own group"""
    roles = attack.world.rows("select rolname from pg_roles where rolname <> %s", (attack.who.group,))
    own = attack.world.logins[attack.who.name]
    wanted = [r["rolname"] for r in roles if r["rolname"].startswith(("crewpay_", "pg_", "postgres"))]
    wanted += [attack.world.logins["beta_admin"], attack.world.logins["crew2"]]
    for role in wanted:
        if role == own:
            continue
        attack.refused(sql.SQL("set local role {}").format(sql.Identifier(role)))
        attack.refused("select set_config('role', %s, true)", (role,))
        attack.refused(sql.SQL("set session authorization {}").format(sql.Identifier(role)))
        attack.refused("select set_config('session_authorization', %s, true)", (role,))
    note()


def test_own_group(attack: Attack, note: Note) -> None:
    """SET ROLE to the own group, and back"""
    before = identity(attack)
    with attack.attempt() as conn:
        conn.execute(sql.SQL("set local role {}").format(sql.Identifier(attack.who.group)))
        assert identity(attack) == before
        sweep(attack, "set role")
    note("changes nothing")


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("session_replication_role", "replica"),
        ("log_statement", "none"),
        ("log_min_messages", "panic"),
        ("track_activities", "off"),
        ("zero_damaged_pages", "on"),
        ("allow_system_table_mods", "on"),
        ("lo_compat_privileges", "on"),
        ("session_preload_libraries", "x"),
    ],
)
def test_server_settings(attack: Attack, note: Note, setting: str, value: str) -> None:
    """Settings that switch protection off (session_replication_role, allow_system_table_mods, …)"""
    attack.refused("select set_config(%s, %s, true)", (setting, value))
    note()


def test_row_security_off(attack: Attack, note: Note) -> None:
    """SET row_security = off"""
    with attack.attempt() as conn:
        conn.execute("set local row_security = off")
        for relation in attack.world.relations:
            if relation.kind not in "rp" or relation.tenant is None:
                continue
            with pytest.raises(psycopg.errors.InsufficientPrivilege), conn.transaction():
                conn.execute(sql.SQL("select from {} limit 1").format(relation.sql))
    note("refused")


def test_search_path(attack: Attack, note: Note) -> None:
    """search_path that puts schemas before pg_catalog, or takes ours away"""
    for path in ("pg_temp, ext, pg_catalog", "''", "ext, public, pg_catalog", '"$user"'):
        with attack.attempt() as conn:
            conn.execute("select set_config('search_path', %s, true)", (path,))
            sweep(attack, path)
    note("changes nothing")


def test_prepared_before_the_switch(attack: Attack, note: Note) -> None:
    """A statement prepared under one enterprise and executed under another setting"""
    table = tenant_table(attack)
    with attack.attempt() as conn:
        conn.execute(f"prepare stolen as select to_jsonb(t) as row from {table} t")
        for _ in range(6):  # a generic plan from the sixth on
            attack.look(conn.execute("execute stolen").fetchall(), "prepared")
        if attack.who.name != "jobs":
            conn.execute(
                "select set_config('app.current_enterprise_id', %s, true)", (str(attack.world.beta),)
            )
            with pytest.raises(psycopg.errors.InvalidAuthorizationSpecification), conn.transaction():
                conn.execute("execute stolen")
    attack.begin()
    attack.conn.execute("deallocate all")
    note("28000" if attack.who.name != "jobs" else "own rows at most")


def test_operator_would_get_through(world: Any) -> None:
    """Control: what is refused above, the operator may do."""
    with world.undone() as conn:
        conn.execute("set local session_replication_role = replica")
        conn.execute("set local allow_system_table_mods = on")
        conn.execute("set local row_security = off")
        assert conn.execute("select count(*) as n from pay.pay_periods").fetchone()["n"] >= 2
        conn.execute("set local role crewpay_owner")
