"""What can be learned sideways."""

from __future__ import annotations

import json
import re
from typing import Any

import psycopg
from psycopg import sql

Note = Any
Attack = Any
UUID_TEXT = re.compile(r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")
NOWHERE = "00000000-0000-4000-8000-00000000cccc"


def own_row(attack: Attack, relation: Any) -> dict[str, Any]:
    found = attack.world.rows(
        sql.SQL("select to_jsonb(t) as row from {} t where t.{} = {} limit 1").format(
            relation.sql, sql.Identifier(relation.tenant), sql.Literal(attack.world.alpha)
        )
    )
    row: dict[str, Any] = found[0]["row"]
    return row


def answer(attack: Attack, relation: Any, names: list[str], row: dict[str, Any]) -> tuple[Any, ...]:
    """What an insert of the row says, the typed values left out."""
    statement = sql.SQL("insert into {r} ({}) overriding system value select {} from jsonb_populate_record(null::{r}, {}) t").format(
        sql.SQL(", ").join(map(sql.Identifier, names)),
        sql.SQL(", ").join(sql.SQL("t.{}").format(sql.Identifier(n)) for n in names),
        sql.Literal(json.dumps(row)), r=relation.sql,
    )  # fmt: skip
    try:
        return ("done", attack.run(statement))
    except psycopg.Error as error:
        attack.look(str(error), statement, json.dumps(row))
        return (error.sqlstate, error.diag.constraint_name)


def insertable(attack: Attack) -> list[tuple[Any, list[str]]]:
    found = []
    for relation in attack.world.relations:
        if relation.tenant and relation.kind in "rp":
            row = attack.conn.execute(
                "select array(select c from unnest(%s::text[]) c where has_column_privilege(%s::oid, c, 'insert')) as names",
                (list(relation.columns), relation.oid),
            ).fetchone()
            if row["names"]:
                found.append((relation, row["names"]))
    return found


KEYS = """
select array(select a.attname::text from unnest(c.conkey) k join pg_attribute a on a.attrelid = c.conrelid and a.attnum = k) as columns,
  array(select a.attname::text from unnest(c.confkey) k join pg_attribute a on a.attrelid = c.confrelid and a.attnum = k) as keys,
  c.confrelid::int as target
from pg_constraint c where c.conrelid = %s and c.contype = 'f'
"""


def test_foreign_keys(attack: Attack, note: Note) -> None:
    """Foreign keys: pointing at another airline's row and at none says the same"""
    tried = 0
    for relation, names in insertable(attack):
        row = own_row(attack, relation)
        for key in attack.world.rows(KEYS, (relation.oid,)):
            target = next(r for r in attack.world.relations if r.oid == key["target"])
            if target.tenant is None or target.name == "platform.enterprises":
                continue
            theirs = attack.world.rows(
                sql.SQL("select to_jsonb(t) as row from {} t where t.{} = {} limit 1").format(
                    target.sql, sql.Identifier(target.tenant), sql.Literal(attack.world.beta)
                )
            )[0]["row"]
            pairs = [(c, k) for c, k in zip(key["columns"], key["keys"], strict=True) if c != relation.tenant]
            existing = row | {c: theirs[k] for c, k in pairs}
            missing = row | {
                c: NOWHERE if isinstance(theirs[k], str) and len(theirs[k]) == 36 else theirs[k]
                for c, k in pairs
            }
            assert answer(attack, relation, names, existing) == answer(attack, relation, names, missing), (
                relation.name
            )
            tried += 1
    note("same answer" if tried else "may insert nothing")


def test_unique_keys(attack: Attack, note: Note) -> None:
    """Unique keys: a value another airline has and one that nobody has say the same"""
    tried = 0
    for relation, names in insertable(attack):
        row = own_row(attack, relation)
        indexes = attack.world.rows(
            "select array(select a.attname::text from unnest(i.indkey::smallint[]) k join pg_attribute a on a.attrelid = i.indrelid"
            " and a.attnum = k) as columns from pg_index i where i.indrelid = %s and i.indisunique", (relation.oid,),
        )  # fmt: skip
        theirs = attack.world.rows(
            sql.SQL("select to_jsonb(t) as row from {} t where t.{} = {} limit 1").format(
                relation.sql, sql.Identifier(relation.tenant), sql.Literal(attack.world.beta)
            )
        )[0]["row"]
        for index in indexes:
            free = dict(row)
            for name, value in row.items():  # a row that is new but for the index under attack
                if isinstance(value, str) and len(value) == 36 and name == "id":
                    free[name] = NOWHERE
            taken = free | {c: theirs[c] for c in index["columns"] if c != relation.tenant and c in names}
            unused = dict(free)
            for name in index["columns"]:
                if name == relation.tenant or name not in names:
                    continue
                value = theirs[name]
                unused[name] = (
                    NOWHERE if isinstance(value, str) and len(value) == 36
                    else 2_000_000_000 if isinstance(value, int)
                    else value
                )  # fmt: skip
            assert answer(attack, relation, names, taken) == answer(attack, relation, names, unused), (
                relation.name, index["columns"],
            )  # fmt: skip
            tried += 1
    note("same answer" if tried else "may insert nothing")


def test_keys_overlap(world: Any) -> None:
    """Control: both airlines have the same employee, flight, trip and claim numbers, so keys don't collide between them."""
    for statement in (
        "select employee_id from crew.crew_members", "select flight_number from crew.flights", "select trip_number from crew.trips",
        "select claim_number from review.claims", "select term_code from rules.union_contract_terms",
    ):  # fmt: skip
        column = statement.split()[1]
        found = world.rows(f"select x.{column} from ({statement.replace('select ', 'select enterprise_id, ')}) x"
                           f" group by 1 having count(distinct x.enterprise_id) = 2")  # fmt: skip
        assert found, statement


STATISTICS = [
    "select * from pg_stats", "select * from pg_stats_ext", "select * from pg_stats_ext_exprs", "select * from pg_statistic_ext_data",
    "select * from pg_stat_statements limit 1", "select s.query from ext.pg_stat_statements s join pg_database d on d.oid = s.dbid where d.datname = current_database()", "select query, client_addr from pg_stat_activity",
    "select * from pg_prepared_statements", "select * from pg_prepared_xacts", "select * from pg_cursors", "select * from pg_largeobject",
    "select * from pg_largeobject_metadata", "select * from pg_replication_slots", "select * from pg_stat_replication",
    "select setting from pg_settings where name in ('data_directory', 'config_file', 'hba_file')",
]  # fmt: skip


def test_statistics(attack: Attack, note: Note) -> None:
    """Statistics: pg_stats, pg_stat_statements, queries of others"""
    world = attack.world
    world.operator.execute("select 'Last-betaE001 7111.31 Last-alphaE002'")
    for statement in STATISTICS:
        try:
            attack.look(attack.run(statement), statement)
        except psycopg.Error as error:
            attack.expected(error, statement, "42501", "42P01")
    shown = attack.run("select count(*) as n from pg_stats where schemaname = any (%s)",
                       (sorted({r.schema for r in world.relations if r.tenant}),))  # fmt: skip
    assert shown == [{"n": 0}], "no histogram of a table with row-level security"
    queries = attack.run(
        "select query from pg_stat_activity where pid = %s", (world.operator.info.backend_pid,)
    )
    assert queries in ([], [{"query": "<insufficient privilege>"}])
    note("no value, no query of others")


def test_statistics_control(world: Any) -> None:
    """Control: the operator sees the histograms that are hidden from logins."""
    assert world.rows("select count(*) as n from pg_stats where schemaname = 'crew'")[0]["n"] > 0


def test_plans(attack: Attack, note: Note) -> None:
    """EXPLAIN shows no value of others"""
    for relation in attack.world.relations:
        if relation.tenant and relation.kind in "rpv":
            statement = sql.SQL("explain (analyze, verbose) select t.{} from {} t").format(
                sql.Identifier(relation.tenant), relation.sql
            )
            try:
                attack.look(json.dumps(attack.run(statement)), statement)
            except psycopg.Error as error:
                attack.expected(error, statement, "42501")
    note("row counts, no value")


CHANNELS = "select distinct m[1] as channel from pg_proc p, regexp_matches(p.prosrc, 'pg_notify\\(''([a-z_]+)''', 'g') m"


def test_notifications(attack: Attack, note: Note) -> None:
    """NOTIFY: what another airline's changes send to everybody who listens"""
    world = attack.world
    channels = [r["channel"] for r in world.rows(CHANNELS)]
    assert channels, "the probe listens to something"
    if attack.who.name not in world.loose:
        world.loose[attack.who.name] = world.connect(world.logins[attack.who.name], autocommit=True)
    conn = world.loose[attack.who.name]
    for channel in channels:
        conn.execute(sql.SQL("listen {}").format(sql.Identifier(channel)))
    beta = world.connect(world.logins["beta_admin"], autocommit=True)
    try:
        beta.execute(
            "select platform.put_config('attack.probe', '\"Last-betaE001\"', 'string', 'test', 'Title of beta', null)"
        )
    finally:
        beta.close()
    with world.operator.transaction():
        for relation in world.relations:
            if relation.tenant and relation.kind == "r" and not relation.partition:
                with world.undone() as operator:
                    operator.execute(
                        sql.SQL("update {} t set {n} = t.{n} where t.{} = {}").format(
                            relation.sql,
                            sql.Identifier(relation.tenant),
                            sql.Literal(world.beta),
                            n=sql.Identifier(relation.writable[-1]),
                        )
                    )
    heard = [n.payload for n in conn.notifies(timeout=0.5, stop_after=1)]
    conn.execute("unlisten *")
    assert heard, "control: something was heard"
    for payload in heard:
        for secret in world.of_others[attack.who.name]:
            if secret in payload:
                # Keys say nothing to whom row-level security hides the row.
                assert UUID_TEXT.match(secret), f"{attack.who.name} hears {secret!r}: {payload}"
    note("keys only")


def test_advisory_locks(attack: Attack, note: Note) -> None:
    """Advisory locks (possible: they hold nothing but can make a job wait)"""
    with attack.attempt() as conn:
        conn.execute("select pg_advisory_xact_lock_shared(1)")
    note("possible")


def test_volumes(attack: Attack, note: Note) -> None:
    """pg_class, pg_stat_user_tables, pg_roles (possible: how many rows there are, names of logins)"""
    for statement in (
        "select relname, reltuples from pg_class",
        "select relname, n_live_tup from pg_stat_user_tables",
    ):
        found = attack.run(statement)
        assert isinstance(found, list)
        # A count may happen to be the figure of somebody's pay: the names are what could tell.
        attack.look([row["relname"] for row in found], statement)
    note("counts and names, no row")


def test_hijack(attack: Attack, note: Note) -> None:
    """Functions and operators of the caller's, put before pg_catalog, inside functions that run with other rights"""
    world = attack.world
    trap = "begin raise exception 'HIJACKED'; end"
    with world.operator.transaction(force_rollback=False):
        world.operator.execute("create schema if not exists trap")
        world.operator.execute("grant usage on schema trap to public")
        for name, arguments, result in (
            ("now", "", "timestamptz"), ("lower", "text", "text"), ("upper", "text", "text"), ("format", "text", "text"),
            ("coalesce_", "text", "text"), ("current_setting", "text, boolean", "text"), ("set_config", "text, text, boolean", "text"),
            ("count", "", "bigint"), ("left", "text, integer", "text"), ("jsonb_typeof", "jsonb", "text"),
            ("principal", "", "auth.principals"), ("enterprise_id", "", "uuid"), ("role", "", "text"), ("uid", "", "uuid"),
            ("require_role", "text[]", "void"), ("clock_timestamp", "", "timestamptz"), ("md5", "text", "text"), ("round", "numeric, integer", "numeric"),
        ):  # fmt: skip
            world.operator.execute(
                sql.SQL("create or replace function trap.{}({}) returns {} language plpgsql as {}").format(
                    sql.Identifier(name), sql.SQL(arguments), sql.SQL(result), sql.Literal(trap)
                )
            )
        world.operator.execute(
            f"create or replace function trap.same(uuid, uuid) returns boolean language plpgsql as $${trap}$$"
        )
        if not world.rows("select from pg_operator where oprnamespace = 'trap'::regnamespace"):
            world.operator.execute(
                "create operator trap.= (leftarg = uuid, rightarg = uuid, function = trap.same)"
            )
    before = outcomes(attack, None)
    after = outcomes(attack, "trap, pg_catalog, auth, pay, crew, rules, platform, review, notify, audit, ops")
    assert not [a for a in after.values() if "HIJACKED" in str(a)]
    assert after == before
    with attack.attempt() as conn:
        conn.execute("set local search_path = trap, pg_catalog")
        try:
            conn.execute("select lower('control')")
            raise AssertionError("the trap does not catch")
        except psycopg.errors.RaiseException as error:
            attack.expected(error, "control", "P0001")
    note("the pinned path holds")


def outcomes(attack: Attack, path: str | None) -> dict[str, Any]:
    """What each function with other rights answers to nulls and to beta's keys."""
    found: dict[str, Any] = {}
    functions = attack.world.rows(
        "select p.oid, format('%%I.%%I', n.nspname, p.proname) as name, p.pronargs::int as n,"
        " array(select format_type(t, null) from unnest(p.proargtypes::oid[]) t) as types"
        " from pg_proc p join pg_namespace n on n.oid = p.pronamespace"
        " where p.prosecdef and p.prorettype <> 'trigger'::regtype and p.prokind = 'f' and n.nspname !~ '^(pg_|trap$)'"
        " and has_function_privilege(%s, p.oid, 'execute') order by 2", (attack.world.logins[attack.who.name],),
    )  # fmt: skip
    for function in functions:
        arguments = [
            sql.SQL("{}::{}").format(
                sql.Literal(str(attack.world.beta) if t == "uuid" else "x" if t == "text" else None),
                sql.SQL(t),
            )
            for t in function["types"]
        ]
        try:
            with attack.attempt() as conn:
                if path:
                    conn.execute("select set_config('search_path', %s, true)", (path,))
                rows = conn.execute(
                    sql.SQL("select * from {}({})").format(
                        sql.SQL(function["name"]), sql.SQL(", ").join(arguments)
                    )
                ).fetchall()
                found[function["name"]] = len(rows)
        except psycopg.Error as error:
            found[function["name"]] = (error.sqlstate, error.diag.message_primary)
    return found
