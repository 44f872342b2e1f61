"""What a deploy would do: the tree compared with the bookkeeping in the database."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import psycopg

from crewpay_sync.deploy.source import CLUSTER_FILES, Migration, Tree, Unit
from crewpay_sync.output import CrewPayError

CLUSTER_ORDINAL = 0  # rows of deploy.statements for the files of sql/cluster


@dataclass
class Plan:
    """What to run, and what stands in the way."""

    cluster: list[str] = field(default_factory=list)
    migrations: list[Migration] = field(default_factory=list)  # to run
    unmarked: list[Migration] = field(default_factory=list)  # committed, but a kill came before the mark
    unrecorded: list[Migration] = field(default_factory=list)  # marked by a bare yoyo run, not in our table
    units: list[Unit] = field(default_factory=list)  # statements to run
    everything: bool = False  # all statements run, not only the changed ones
    stale_rows: bool = False  # bookkeeping of statements differs in order or names removed ones
    edited: list[Migration] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)  # applied here, absent from this tree

    @property
    def empty(self) -> bool:
        return not (
            self.cluster
            or self.migrations
            or self.unmarked
            or self.unrecorded
            or self.units
            or self.stale_rows
        )

    @property
    def pending(self) -> bool:
        """Something in the database lags behind the tree."""
        return bool(self.cluster or self.migrations or self.units)

    def refuse(self) -> None:
        """CP901 for edited migrations, CP907 for a database ahead of the tree."""
        if self.edited:
            raise CrewPayError(
                "CP901",
                "an applied migration was edited: "
                + ", ".join(f"migrations/{m.path.name}" for m in self.edited),
                detail="Its checksum differs from the one recorded when it was applied to this database.",
                hint="Restore the file, and put the change into a new migration (crewpay db new NAME).",
            )
        if self.unknown:
            raise CrewPayError(
                "CP907",
                "the database is ahead of this checkout: " + ", ".join(self.unknown),
                detail="These migrations were applied to the database, but their files are not here.",
                hint="Update the checkout, or connect to the right database.",
            )

    def lag(self) -> list[str]:
        """How the database differs from the checkout, one line each."""
        findings = [f"migrations/{m.path.name} was edited after it was applied" for m in self.edited]
        findings += [
            f"migration {name} is applied, but its file is not in this checkout" for name in self.unknown
        ]
        findings += [f"sql/{path} is not applied" for path in self.cluster]
        findings += [f"migrations/{m.path.name} is not applied" for m in self.migrations]
        if self.everything:
            findings.append(f"sql/ is not applied ({len(self.units)} units)")
        else:
            findings += [f"sql/{u.path}:{u.line} is not applied: {u.title}" for u in self.units]
        return findings

    def as_data(self) -> dict[str, Any]:
        return {
            "cluster": self.cluster,
            "migrations": [m.id for m in self.migrations],
            "statements": [
                {"file": f"sql/{u.path}", "line": u.line, "statement": u.title} for u in self.units
            ],
            "edited": [m.id for m in self.edited],
            "unknown": self.unknown,
        }


def _rows(conn: psycopg.Connection[Any], query: str) -> list[tuple[Any, ...]]:
    return conn.execute(query).fetchall()


def exists(conn: psycopg.Connection[Any], relation: str) -> bool:
    """Whether the relation is there."""
    row = conn.execute("select to_regclass(%s) is not null", (relation,)).fetchone()
    return bool(row and row[0])


def _cluster_lag(conn: psycopg.Connection[Any], tree: Tree, recorded: dict[str, str]) -> list[str]:
    lag = {path for path in CLUSTER_FILES if recorded.get(path) != tree.cluster_sha256(path)}
    roles = (tree.sql / CLUSTER_FILES[0]).read_text(encoding="utf-8")
    wanted = set(re.findall(r"'(crewpay_\w+)'", roles))
    if wanted - {name for (name,) in _rows(conn, "select rolname from pg_roles where rolname ~ '^crewpay_'")}:
        lag.add(CLUSTER_FILES[0])
    cron = _rows(
        conn,
        "select 1 from pg_settings where name = 'cron.database_name' and setting = current_database()"
        " and not exists (select from pg_extension where extname = 'pg_cron')",
    )
    if cron:
        lag.add("cluster/extensions.sql")
    # A dump read into a database of another making brings the bookkeeping along, but no settings and no grants of the database.
    bare = _rows(
        conn,
        "select 1 from pg_database as d where d.datname = current_database()"
        " and (d.datdba::regrole::text <> 'crewpay_owner' or has_database_privilege('public', d.oid, 'temporary')"
        " or not exists (select from pg_db_role_setting as s, unnest(s.setconfig) as x (setting)"
        " where s.setdatabase = d.oid and s.setrole = 0 and x.setting like 'search_path=%'))",
    )
    if bare:
        lag.add("cluster/database.sql")
    return [path for path in CLUSTER_FILES if path in lag]


def marked_by_yoyo(conn: psycopg.Connection[Any]) -> set[str]:
    if not exists(conn, "yoyo._yoyo_migration"):
        return set()
    return {row[0] for row in _rows(conn, "select migration_id from yoyo._yoyo_migration")}


def changed_units(current: Iterable[Unit], recorded: dict[str, set[str]]) -> list[Unit]:
    """Units whose text is not in force."""
    return [u for u in current if u.sha256 not in recorded.get(u.path, set())]


def make_plan(conn: psycopg.Connection[Any], tree: Tree, *, sql: bool = True) -> Plan:
    """Compares tree and database. With sql=False the files of sql/ are left out."""
    plan = Plan()
    migrations = tree.migrations()
    units = tree.units() if sql else []
    known = exists(conn, "deploy.statements")
    applied: dict[str, str] = {}
    rows: list[tuple[str, int, str]] = []
    if known:
        applied = dict(_rows(conn, "select id, sha256 from deploy.migrations"))
        rows = [
            (path, ordinal, sha)
            for path, ordinal, sha in _rows(conn, "select path, ordinal, sha256 from deploy.statements")
        ]
    marked = marked_by_yoyo(conn)

    plan.cluster = _cluster_lag(conn, tree, {p: sha for p, n, sha in rows if n == CLUSTER_ORDINAL})
    for migration in migrations:
        if migration.id not in applied and migration.id not in marked:
            plan.migrations.append(migration)
        elif migration.id not in applied:
            plan.unrecorded.append(migration)
        elif applied[migration.id] != migration.sha256:
            plan.edited.append(migration)
        if migration.id in applied and migration.id not in marked:
            plan.unmarked.append(migration)
    plan.unknown = sorted((set(applied) | marked) - {m.id for m in migrations})

    if not sql:
        return plan
    recorded: dict[str, set[str]] = defaultdict(set)
    for path, ordinal, sha in rows:
        if ordinal != CLUSTER_ORDINAL:
            recorded[path].add(sha)
    changed = changed_units(units, recorded)
    plan.everything = bool(units) and (
        bool(plan.migrations) or not recorded or any(unit.recreates for unit in changed)
    )
    plan.units = units if plan.everything else changed
    plan.stale_rows = {(u.path, u.ordinal, u.sha256) for u in units} != {
        row for row in rows if row[1] != CLUSTER_ORDINAL
    }
    return plan
