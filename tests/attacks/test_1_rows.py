"""Rows of another airline, or of a colleague.

Every table, partition, view and materialized view of the catalogue, by every verb. Each attempt that must fail is also made
by the operator, undone afterwards, to show that there is something to hit.
"""

from __future__ import annotations

import json
from typing import Any

import psycopg
import pytest
from psycopg import sql

Note = Any
Attack = Any
Relation = Any


def can(attack: Attack, relation: Relation, privilege: str, columns: tuple[str, ...]) -> list[str]:
    """The columns on which the attacker holds the privilege."""
    row = attack.conn.execute(
        "select array(select c from unnest(%s::text[]) c where has_column_privilege(%s::oid, c, %s)) as columns",
        (list(columns), relation.oid, privilege),
    ).fetchone()
    found: list[str] = row["columns"]
    return found


def others(attack: Attack, relation: Relation) -> sql.Composable:
    """Condition: rows of the other airline."""
    return sql.SQL("t.{} = {}").format(sql.Identifier(relation.tenant), sql.Literal(attack.world.beta))


def tenant_tables(attack: Attack) -> list[Relation]:
    return [r for r in attack.world.relations if r.tenant and r.kind in "rpvm"]


def visible(attack: Attack, relation: Relation) -> list[str]:
    """Columns to read: those granted, or all, to be refused."""
    return can(attack, relation, "select", relation.columns) or list(relation.columns)


def columns(names: list[str]) -> sql.Composable:
    return sql.SQL(", ").join(sql.SQL("t.{}").format(sql.Identifier(n)) for n in names)


def outcome_of(attack: Attack, statement: Any, relation: Relation) -> None:
    """Refused, or no row; never a row of others."""
    try:
        found = attack.run(statement)
    except psycopg.errors.InsufficientPrivilege as error:
        attack.look(str(error), statement)
        attack.outcomes.add("refused")
        return
    assert found in ([], 0), f"{attack.who.name} on {relation.name}: {found}"
    attack.outcomes.add("no row")


def test_select_everything(attack: Attack, note: Note, is_nobody: bool) -> None:
    """SELECT of everything in sight"""
    seen = 0
    for relation in attack.world.relations:
        statement = sql.SQL("select {} from {} t").format(columns(visible(attack, relation)), relation.sql)
        try:
            rows = attack.run(statement)
        except psycopg.errors.InsufficientPrivilege as error:
            attack.look(str(error), statement)
            attack.outcomes.add("refused")
            continue
        attack.look(rows, statement)
        if relation.tenant and rows:
            values = {str(r[relation.tenant]) for r in rows if relation.tenant in r}
            assert values <= {str(attack.world.alpha), "None"}, f"{relation.name}: {values}"
            seen += len(rows)
            attack.outcomes.add("own rows only")
    assert seen or is_nobody or attack.who.name == "jobs", (
        "the attacker sees its own, so the sweep reads something"
    )
    note()


def test_every_table_has_what_could_leak(world: Any) -> None:
    """Control of the sweep: every tenant table holds rows of the other airline, which the operator sees."""
    for relation in world.relations:
        if relation.tenant and relation.kind in "rp" and not relation.partition:
            statement = sql.SQL("select from {} t where t.{} = {} limit 1").format(
                relation.sql, sql.Identifier(relation.tenant), sql.Literal(world.beta)
            )
            assert world.control(statement) == 1, relation.name


def test_select_other_airline(attack: Attack, note: Note) -> None:
    """SELECT … WHERE it is another airline's"""
    for relation in tenant_tables(attack):
        statement = sql.SQL("select {} from {} t where {}").format(
            columns(visible(attack, relation)), relation.sql, others(attack, relation)
        )
        outcome_of(attack, statement, relation)
    note()


@pytest.mark.parametrize("mode", ["update", "share", "key share"])
def test_row_locks(attack: Attack, note: Note, mode: str) -> None:
    """SELECT … FOR UPDATE, FOR SHARE"""
    for relation in tenant_tables(attack):
        if relation.kind in "rp":
            statement = sql.SQL("select 1 from {} t where {} for {}").format(
                relation.sql, others(attack, relation), sql.SQL(mode)
            )
            outcome_of(attack, statement, relation)
    note()


def test_cursors(attack: Attack, note: Note, is_nobody: bool) -> None:
    """Cursors, WITH HOLD too, the setting changed between two fetches"""
    for relation in tenant_tables(attack):
        names = visible(attack, relation)
        try:
            with attack.attempt() as conn:
                conn.execute(
                    sql.SQL("declare stolen scroll cursor for select {} from {} t").format(
                        columns(names), relation.sql
                    )
                )
                conn.execute("fetch 1 from stolen")
                conn.execute(
                    "select set_config('app.current_enterprise_id', %s, true)", (str(attack.world.alpha),)
                )
                attack.look(conn.execute("fetch all from stolen").fetchall(), relation.name)
                attack.look(conn.execute("fetch absolute 1 from stolen").fetchall(), relation.name)
            attack.outcomes.add("own rows only")
        except psycopg.errors.InsufficientPrivilege:
            attack.outcomes.add("refused")
    if is_nobody:
        attack.outcomes = {"refused", "no row"} & (attack.outcomes | {"no row"})
    note()


def test_copy_out(attack: Attack, note: Note) -> None:
    """COPY … TO STDOUT"""
    for relation in tenant_tables(attack):
        names = visible(attack, relation)
        plain = sql.SQL("copy {} ({}) to stdout").format(
            relation.sql, sql.SQL(", ").join(sql.Identifier(n) for n in names if n in relation.writable)
        )
        inner = sql.SQL("copy (select {} from {} t) to stdout").format(columns(names), relation.sql)
        for statement in (plain, inner) if relation.kind == "r" else (inner,):
            try:
                with attack.attempt() as conn, conn.cursor() as cursor, cursor.copy(statement) as out:
                    attack.look(b"".join(map(bytes, out)).decode(), statement)
                attack.outcomes.add("own rows at most")
            except psycopg.errors.InsufficientPrivilege:
                attack.outcomes.add("refused")
    note()


def granted_or_all(attack: Attack, relation: Relation, privilege: str) -> list[str]:
    return can(attack, relation, privilege, relation.writable) or list(relation.writable)


def image(attack: Attack, relation: Relation) -> dict[str, Any] | None:
    """A row of the other airline as the operator sees it."""
    found = attack.world.rows(
        sql.SQL("select to_jsonb(t) as row from {} t where {} limit 1").format(
            relation.sql, others(attack, relation)
        )
    )
    return found[0]["row"] if found else None


def insert(
    attack: Attack, relation: Relation, row: dict[str, Any], rest: str = "", *, all_columns: bool = False
) -> sql.Composable:
    names = list(relation.writable) if all_columns else granted_or_all(attack, relation, "insert")
    listed = sql.SQL(", ").join(map(sql.Identifier, names))
    return sql.SQL("insert into {} ({}) select {} from jsonb_populate_record(null::{}, {}) as t {}").format(
        relation.sql, listed, columns(names), relation.sql, sql.Literal(json.dumps(row)), sql.SQL(rest)
    )


def base_tables(attack: Attack) -> list[tuple[Relation, dict[str, Any]]]:
    """Tables and partitions that hold a row of the other airline, with that row."""
    found = []
    for relation in attack.world.relations:
        if relation.tenant and relation.kind in "rp":
            row = image(attack, relation)
            if row:
                found.append((relation, row))
    return found


def test_insert_for_others(attack: Attack, note: Note) -> None:
    """INSERT for another airline, RETURNING and ON CONFLICT as well"""
    for relation, row in base_tables(attack):
        fresh = row | (
            {"id": "00000000-0000-4000-8000-00000000aaaa"}
            if relation.key in (("enterprise_id", "id"), ("id",))
            else {}
        )
        for rest in ("", "returning *"):
            attack.refused(insert(attack, relation, fresh, rest))
        attack.refused(insert(attack, relation, row, "on conflict do nothing returning 1"))
    note()


def test_insert_control(world: Any) -> None:
    """Control: the operator can put such a row back after deleting it."""
    made = 0

    class Operator:
        conn = world.operator

    for relation in world.relations:
        if not (relation.tenant and relation.kind == "r") or relation.partition:
            continue
        with world.undone() as conn:
            conn.execute("set local session_replication_role = replica")
            attack: Any = Operator()
            attack.world = world
            row = image(attack, relation)
            assert row is not None, relation.name
            conn.execute(
                sql.SQL("delete from {} t where to_jsonb(t) = {}::jsonb").format(
                    relation.sql, sql.Literal(json.dumps(row))
                )
            )
            made += conn.execute(insert(attack, relation, row, all_columns=True)).rowcount
    assert made > 20


def test_existing_and_missing_look_alike(attack: Attack, note: Note) -> None:
    """INSERT of a row that exists and of one that doesn't: the same answer"""
    for relation, row in base_tables(attack):
        absent = dict(row)
        for name, value in row.items():
            if (
                isinstance(value, str)
                and name != relation.tenant
                and len(value) == 36
                and value.count("-") == 4
            ):
                absent[name] = "00000000-0000-4000-8000-00000000bbbb"
        for rest in ("", "on conflict do nothing"):
            answers = []
            for given in (row, absent):
                error = attack.refused(insert(attack, relation, given, rest))
                answers.append((error.sqlstate, error.diag.message_primary, error.diag.message_detail))
            assert answers[0] == answers[1], f"{relation.name}: {answers}"
    note("same")


def test_update_others(attack: Attack, note: Note) -> None:
    """UPDATE of another airline's rows, RETURNING as well"""
    for relation, _ in base_tables(attack):
        name = sql.Identifier(granted_or_all(attack, relation, "update")[-1])
        for rest in ("", " returning *"):
            statement = sql.SQL("update {} t set {n} = t.{n} where {}{}").format(
                relation.sql, others(attack, relation), sql.SQL(rest), n=name
            )
            outcome_of(attack, statement, relation)
    note()


def test_move_rows(attack: Attack, note: Note) -> None:
    """UPDATE that moves own rows to another airline"""
    for relation, _ in base_tables(attack):
        statement = sql.SQL("update {} t set {} = {} where t.{} = {}").format(
            relation.sql, sql.Identifier(relation.tenant), sql.Literal(attack.world.beta),
            sql.Identifier(relation.tenant), sql.Literal(attack.world.alpha),
        )  # fmt: skip
        try:
            assert attack.run(statement) == 0, relation.name
            attack.outcomes.add("no row")
        except psycopg.Error as error:
            attack.expected(error, statement, "42501", "CP002", "CP001")
            attack.outcomes.add("refused")
    note()


def test_delete_others(attack: Attack, note: Note) -> None:
    """DELETE of another airline's rows, RETURNING as well"""
    for relation, _ in base_tables(attack):
        for rest in ("", " returning *"):
            statement = sql.SQL("delete from {} t where {}{}").format(
                relation.sql, others(attack, relation), sql.SQL(rest)
            )
            outcome_of(attack, statement, relation)
    note()


def test_merge(attack: Attack, note: Note) -> None:
    """MERGE into another airline's rows"""
    for relation, row in base_tables(attack):
        name = sql.Identifier(granted_or_all(attack, relation, "update")[-1])
        actions = [
            sql.SQL("when matched then delete"),
            sql.SQL("when matched then update set {} = null").format(name),
        ]
        for action in actions:
            statement = sql.SQL("merge into {} t using (select 1) s on {} {}").format(
                relation.sql, others(attack, relation), action
            )
            outcome_of(attack, statement, relation)
        names = granted_or_all(attack, relation, "insert")
        statement = sql.SQL(
            "merge into {r} t using jsonb_populate_record(null::{r}, {}) s on false when not matched then insert ({}) values ({})"
        ).format(
            sql.Literal(json.dumps(row)), sql.SQL(", ").join(map(sql.Identifier, names)),
            sql.SQL(", ").join(sql.SQL("s.{}").format(sql.Identifier(n)) for n in names), r=relation.sql,
        )  # fmt: skip
        attack.refused(statement)
    note()


def test_write_controls(world: Any) -> None:
    """Controls: the operator's UPDATE and DELETE of the same rows do hit."""
    for relation in world.relations:
        if (
            relation.tenant
            and relation.kind in "rp"
            and not relation.partition
            and relation.name != "audit.audit_log"
        ):
            where = sql.SQL("t.{} = {}").format(sql.Identifier(relation.tenant), sql.Literal(world.beta))
            name = sql.Identifier(relation.writable[-1])
            prepare = "set local session_replication_role = replica"
            update = sql.SQL("update {} t set {n} = t.{n} where {}").format(relation.sql, where, n=name)
            assert world.control(update, before=prepare) > 0, relation.name
            assert (
                world.control(
                    sql.SQL("delete from {} t where {}").format(relation.sql, where), before=prepare
                )
                > 0
            )


def test_truncate(attack: Attack, note: Note) -> None:
    """TRUNCATE"""
    for relation in attack.world.relations:
        if relation.kind in "rp":
            attack.refused(sql.SQL("truncate {}").format(relation.sql))
    note()


def test_copy_in(attack: Attack, note: Note) -> None:
    """COPY … FROM STDIN"""
    for relation, row in base_tables(attack):
        names = granted_or_all(attack, relation, "insert")
        statement = sql.SQL("copy {} ({}) from stdin").format(
            relation.sql, sql.SQL(", ").join(map(sql.Identifier, names))
        )
        try:
            with attack.attempt() as conn, conn.cursor() as cursor, cursor.copy(statement) as into:
                into.write_row([None if row.get(n) is None else str(row[n]) for n in names])
        except psycopg.Error as error:
            # COPY FROM into a table with row-level security is not supported for whom it applies to.
            attack.expected(error, statement, "42501", "0A000")
            attack.outcomes.add("refused")
        else:
            raise AssertionError(f"{attack.who.name} copied into {relation.name}")
    note()


def test_colleague(attack: Attack, note: Note, is_crew: bool) -> None:
    """SELECT of a colleague's rows"""
    if not is_crew:
        note("not a crew member")
        return
    for relation in attack.world.relations:
        if "crew_member_id" in relation.columns and relation.kind in "rpvm":
            statement = sql.SQL("select 1 from {} t where t.crew_member_id = {}").format(
                relation.sql, sql.Literal(attack.world.id("alpha_crew2"))
            )
            outcome_of(attack, statement, relation)
    note()


def test_cheap_conditions(attack: Attack, note: Note, is_nobody: bool) -> None:
    """Conditions that fail on values (casts, division by zero), to be evaluated before the policy"""
    for relation in attack.world.relations:
        for name in can(attack, relation, "select", relation.columns):
            statement = sql.SQL(
                "select 1 from {} t where t.{n}::text::point is not null or 1 / (length(t.{n}::text) - length(t.{n}::text)) = 1"
            ).format(relation.sql, n=sql.Identifier(name))
            try:
                attack.run(statement)
            except psycopg.Error as error:
                attack.look(str(error), statement)
    note("own values only" if not is_nobody else "no value")
