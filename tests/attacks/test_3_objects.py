"""Changing or making objects."""

from __future__ import annotations

from itertools import count
from typing import Any

import psycopg
import pytest
from psycopg import sql

Note = Any
Attack = Any

# {t}: a table, {s}: a schema, {f}: a function with its arguments, {l}: another login, {d}: the database.
ON_TABLES = [
    "alter table {t} disable trigger all",
    "alter table {t} disable row level security",
    "alter table {t} no force row level security",
    "alter table {t} owner to current_user",
    "alter table {t} add column attack text",
    "alter table {t} set (fillfactor = 10)",
    "comment on table {t} is 'attack'",
    "create policy attack on {t} using (true)",
    "drop policy owner_all on {t}",
    "alter policy owner_all on {t} to public",
    "create rule attack as on insert to {t} do instead nothing",
    "create trigger attack before insert on {t} for each row execute function suppress_redundant_updates_trigger()",
    "create index attack on {t} ((1))",
    "drop table {t} cascade",
]
ON_VIEWS = [
    "alter view {t} reset (security_invoker)",
    "alter view {t} owner to current_user",
    "drop view {t} cascade",
    "comment on view {t} is 'attack'",
]
ON_SCHEMAS = [
    "create table {s}.attack (a int)",
    "create view {s}.attack as select 1",
    "create materialized view {s}.attack as select 1",
    "create sequence {s}.attack",
    "create function {s}.attack() returns int language sql as 'select 1'",
    "create procedure {s}.attack() language sql as 'select 1'",
    "create type {s}.attack as enum ('a')",
    "create domain {s}.attack as int",
    "create operator {s}.=== (leftarg = int, rightarg = int, function = int4eq)",
    "create aggregate {s}.attack(int) (sfunc = int4pl, stype = int)",
    'create collation {s}.attack from "C"',
    "create text search configuration {s}.attack (copy = pg_catalog.simple)",
    "alter schema {s} owner to current_user",
    "drop schema {s} cascade",
    "comment on schema {s} is 'attack'",
]
ON_FUNCTIONS = [
    "alter function {f} security invoker",
    "alter function {f} reset search_path",
    "alter function {f} owner to current_user",
    "alter function {f} leakproof",
    "drop function {f} cascade",
    "comment on function {f} is 'attack'",
]
ON_SERVER = [
    "create schema attack",
    "create temp table attack (a int)",
    "create table pg_temp.attack (a int)",
    "create function pg_temp.attack() returns int language sql as 'select 1'",
    "create temp view attack as select 1",
    "create temp sequence attack",
    "select 1 as a into temp attack",
    "create role attack",
    "create role attack superuser login",
    "alter role current_user bypassrls",
    "alter role current_user createrole",
    "alter role current_user superuser",
    "alter role {l} password 'attack'",
    "alter role {l} set search_path = attack",
    "alter role crewpay_owner login password 'attack'",
    "grant crewpay_owner to current_user",
    "grant pg_read_all_data to current_user",
    "grant {l} to current_user",
    "drop owned by crewpay_owner",
    "reassign owned by crewpay_owner to current_user",
    "alter database {d} set search_path = attack",
    "alter database {d} owner to current_user",
    "create extension dblink",
    "create extension file_fdw",
    "create extension plpython3u",
    "create language attack handler plpgsql_call_handler",
    "create event trigger attack on ddl_command_end execute function attack()",
    "create server attack foreign data wrapper attack",
    "create foreign data wrapper attack",
    "create publication attack for all tables",
    "create cast (text as int) with inout as implicit",
    "create access method attack type index handler bthandler",
    "load 'auto_explain'",
    "checkpoint",
    "copy (select 1) to program 'true'",
    "copy pg_class to '/tmp/attack'",
    "copy (select 1) to '/tmp/attack'",
    "select pg_read_file('/etc/passwd')",
    "select pg_read_binary_file('PG_VERSION')",
    "select pg_ls_dir('.')",
    "select pg_ls_logdir()",
    "select pg_stat_file('PG_VERSION')",
    "select pg_current_logfile()",
    "select * from pg_hba_file_rules",
    "select pg_reload_conf()",
    "select pg_rotate_logfile()",
    "select pg_switch_wal()",
    "select pg_create_restore_point('attack')",
    "select pg_stat_reset()",
    "select pg_logical_emit_message(true, 'a', 'b') from pg_authid",
    "select rolpassword from pg_authid",
    "select passwd from pg_shadow",
    "select * from pg_statistic",
    "select subconninfo from pg_subscription",
    "select umoptions from pg_user_mapping",
    "select * from pg_config",
    "select lo_import('/etc/passwd')",
    "select ext.pg_stat_statements_reset()",
    "update pg_class set relrowsecurity = false",
    "delete from pg_policy",
    "insert into pg_auth_members values (10, 10, 10, true)",
    "do language plpython3u 'pass'",
]
CODES = (
    "42501",
    "42704",
    "42710",
    "0A000",
    "58P01",
    "42P01",
    "25001",
    "42883",
    "42601",
    "42809",
    "22023",
    "42703",
)


def test_tables(attack: Attack, note: Note) -> None:
    """ALTER, DROP, GRANT, COMMENT, policies, rules, triggers and indexes on every table"""
    for relation in attack.world.relations:
        for template in ON_TABLES if relation.kind in "rp" else ON_VIEWS:
            attack.refused(
                sql.SQL(template).format(t=relation.sql), None, "42704" if "policy" in template else "42501"
            )
    note()


def test_schemas(attack: Attack, note: Note) -> None:
    """CREATE, GRANT, DROP in every schema"""
    schemas = attack.world.rows(
        "select nspname as s from pg_namespace where nspname !~ '^pg_(toast|temp)' order by 1"
    )
    for schema in schemas:
        for template in ON_SCHEMAS:
            attack.refused(sql.SQL(template).format(s=sql.Identifier(schema["s"])))
    note()


def test_functions(attack: Attack, note: Note) -> None:
    """ALTER, DROP, GRANT, COMMENT on every function"""
    functions = attack.world.rows(
        "select format('%%I.%%I', n.nspname, p.proname) as f from pg_proc p join pg_namespace n on n.oid = p.pronamespace"
        " where n.nspname = any (%s) and p.prokind = 'f'", (sorted({r.schema for r in attack.world.relations}),),
    )  # fmt: skip
    turn = count()
    for function in functions:
        # Ownership decides over all of them: each function meets one, the others meet every eighth.
        for template in ON_FUNCTIONS if next(turn) % 8 == 0 else ON_FUNCTIONS[:1]:
            attack.refused(sql.SQL(template).format(f=sql.SQL(function["f"])))
    note()


def test_server(attack: Attack, note: Note) -> None:
    """Roles, databases, extensions, files, programs, catalogues, temporary objects"""
    for template in ON_SERVER:
        statement = sql.SQL(template).format(
            l=sql.Identifier(attack.world.logins["beta_admin"]), d=sql.Identifier(attack.world.target.dbname)
        )
        # What is not installed can't be refused for lack of rights.
        codes = (
            ()
            if "attack" not in template and "plpython" not in template and "extension" not in template
            else CODES
        )
        attack.refused(statement, None, *codes)
    note()


def test_grants(attack: Attack, note: Note) -> None:
    """GRANT to PUBLIC of every right on every table, view, function and schema"""
    world = attack.world
    things = [(sql.SQL("table {}").format(r.sql), r.name) for r in world.relations]
    things += [
        (sql.SQL("schema {}").format(sql.Identifier(s)), s)
        for s in sorted({r.schema for r in world.relations})
    ]
    with attack.attempt() as conn:
        before = acls(conn)
        for thing, name in things:
            try:
                with conn.transaction():
                    # Whoever holds a right without GRANT OPTION gets a warning, and nothing is granted.
                    conn.execute(sql.SQL("grant all on {} to public").format(thing))
            except psycopg.Error as error:
                attack.expected(error, name, "42501")
        assert acls(conn) == before
    note("refused")


def acls(conn: Any) -> Any:
    return conn.execute(
        "select md5(string_agg(coalesce(c.relacl::text, ''), ',' order by c.oid)) as tables,"
        " (select md5(string_agg(coalesce(n.nspacl::text, ''), ',' order by n.oid)) from pg_namespace n) as schemas from pg_class c"
    ).fetchall()


def test_sequences(attack: Attack, note: Note) -> None:
    """nextval, setval and reading of every sequence"""
    found = attack.world.rows(
        "select n.nspname as s, c.relname as c from pg_class c join pg_namespace n on n.oid = c.relnamespace"
        " where c.relkind = 'S' and n.nspname !~ '^pg_'"
    )
    assert found
    for row in found:
        name = sql.Identifier(row["s"], row["c"])
        attack.refused(sql.SQL("select last_value from {}").format(name))
        quoted = sql.Literal(f"{row['s']}.{row['c']}")
        attack.refused(sql.SQL("select nextval({}::regclass)").format(quoted))
        attack.refused(sql.SQL("select setval({}::regclass, 1)").format(quoted))
        attack.refused(sql.SQL("alter sequence {} restart").format(name))
    note()


def alone(attack: Attack) -> Any:
    """A connection on which each statement is a transaction of its own."""
    world = attack.world
    if attack.who.name not in world.loose:
        world.loose[attack.who.name] = world.connect(world.logins[attack.who.name], autocommit=True)
    return world.loose[attack.who.name]


def test_outside_transactions(attack: Attack, note: Note) -> None:
    """ALTER SYSTEM, databases, tablespaces, subscriptions"""
    conn = alone(attack)
    for template in (
        "alter system set fsync = off", "create database attack", "drop database {d}",
        "create tablespace attack location '/tmp'",
        "create subscription attack connection 'host=localhost' publication attack",
    ):  # fmt: skip
        statement = sql.SQL(template).format(d=sql.Identifier(attack.world.target.dbname))
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            conn.execute(statement)
    note("refused")


def test_maintenance(attack: Attack, note: Note) -> None:
    """VACUUM, ANALYZE, CLUSTER, REINDEX, REFRESH"""
    conn = alone(attack)
    notices: list[str] = []
    conn.add_notice_handler(lambda d: notices.append(d.message_primary or ""))
    conn.execute("analyze crew.crew_members") if attack.who.name not in ("bi", "sync", "jobs") else None
    for statement in (
        "reindex table crew.crew_members",
        "cluster crew.crew_members",
        "vacuum full crew.crew_members",
    ):
        try:
            conn.execute(statement)
        except psycopg.Error as error:
            attack.expected(error, statement, "42501", "42704")
        else:
            assert any("skipping" in n for n in notices), statement
    note("refused")


LOCKS = ("access share", "row exclusive", "share", "exclusive", "access exclusive")


def test_lock_table(attack: Attack, note: Note) -> None:
    """LOCK TABLE in every mode"""
    possible: set[str] = set()
    for relation in attack.world.relations:
        if relation.kind not in "rp":
            continue
        for mode in LOCKS:
            try:
                attack.run(sql.SQL("lock table {} in {} mode nowait").format(relation.sql, sql.SQL(mode)))
            except psycopg.Error as error:
                attack.expected(error, relation.name, "42501", "55P03")
            else:
                possible.add(mode)
    strongest = [m for m in LOCKS if m in possible]
    assert set(strongest) <= {"access share", "row exclusive"}, f"{attack.who.name}: {strongest}"
    note(f"up to {strongest[-1].upper()}" if strongest else "refused")


def test_kill(attack: Attack, note: Note) -> None:
    """pg_terminate_backend and pg_cancel_backend of another login's session"""
    pid = attack.world.operator.info.backend_pid
    attack.refused("select pg_terminate_backend(%s)", (pid,))
    attack.refused("select pg_cancel_backend(%s)", (pid,))
    note()


def test_large_objects(attack: Attack, note: Note) -> None:
    """Large objects: made, read, written"""
    for statement in (
        "select lo_create(0)", "select lo_creat(-1)", "select lo_from_bytea(0, 'x')", "select lo_export(1, '/tmp/attack')",
        "select lo_get(1)", "select lo_open(1, 131072)", "select lo_put(1, 0, 'x')", "select lo_unlink(1)",
    ):  # fmt: skip
        attack.refused(statement)
    note()


@pytest.mark.parametrize(
    "statement", ["create temp table attack (a int)", "select lo_create(0)", "create schema attack"]
)
def test_operator_would_get_through(world: Any, statement: str) -> None:
    """Control: what is refused above, the operator may do."""
    with world.undone() as conn:
        conn.execute(statement)


def test_owner_statements_work(world: Any) -> None:
    """Control: every statement on tables, views and functions is valid, and works for the operator."""
    table = next(r for r in world.relations if r.name == "crew.crew_months")
    view = next(r for r in world.relations if r.kind == "v")
    for template in ON_TABLES + ON_VIEWS:
        with world.undone() as conn:
            conn.execute("set local lock_timeout = '10s'")
            conn.execute(
                sql.SQL(template).format(
                    t=table.sql if template in ON_TABLES and "view" not in template else view.sql
                )
            )
    for template in ON_SCHEMAS:
        with world.undone() as conn:
            conn.execute(sql.SQL(template).format(s=sql.Identifier("travel")))
    for template in ON_FUNCTIONS:
        with world.undone() as conn:
            conn.execute(sql.SQL(template).format(f=sql.SQL("pay.explain")))
