"""Two airlines that look alike, people of one of them who attack, and what would be a leak.

Everything is found in the catalogue: a new table, view, function or partition joins the attacks by itself. Whoever adds a
login scheme adds its logins to ATTACKERS; `begin` runs at the start of each of their transactions.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg import sql
from psycopg.rows import dict_row

from crewpay_sync.database import Target
from crewpay_sync.deploy import scratch
from crewpay_sync.deploy.source import Tree
from crewpay_sync.output import CrewPayError

Conn = psycopg.Connection[dict[str, Any]]
REFUSED = "refused"
_numbers = count(2)
WRITE = bool(os.environ.get("CREWPAY_WRITE_DOCS"))
# Not ours: PostgreSQL's own.
SYSTEM = re.compile(r"^(pg_|information_schema$)")


def select_alpha(conn: Conn, world: World) -> None:
    """Jobs are members of every enterprise and select the one they work for."""
    conn.execute("select set_config('app.current_enterprise_id', %s, false)", (str(world.alpha),))


def show_token(conn: Conn, world: World) -> None:
    """A pool's client is whoever its token says, for one transaction."""
    conn.execute("select auth.login(%s)", (world.token,))


@dataclass(frozen=True)
class Attacker:
    """A login of airline alpha, or of nobody."""

    name: str
    login: str  # of the fixture; "=…" is the login itself
    group: str
    begin: Callable[[Conn, World], None] | None = None


ATTACKERS = [
    Attacker("crew", "alpha_crew1", "crewpay_crew"),
    Attacker("admin", "alpha_admin", "crewpay_admin"),
    Attacker("payroll", "alpha_payroll", "crewpay_payroll"),
    Attacker("service", "alpha_agent", "crewpay_service"),
    Attacker("bi", "alpha_bi", "crewpay_bi"),
    Attacker("sync", "alpha_sync", "crewpay_sync"),
    Attacker("jobs", "=crewpay_jobs", "crewpay_jobs", select_alpha),
    Attacker("token", "pool", "crewpay_crew", show_token),  # the same crew member behind a pool
    Attacker("no token", "pool", "crewpay_crew"),
    Attacker("nobody", "stranger", "crewpay_crew"),  # a login without a principal
]
CREW = {"crew", "token"}
NOBODY = {"nobody", "no token"}


@dataclass(frozen=True)
class Relation:
    oid: int
    schema: str
    table: str
    kind: str
    partition: bool
    columns: tuple[str, ...]
    writable: tuple[str, ...]  # neither generated nor identity
    tenant: str | None
    key: tuple[str, ...]

    @property
    def name(self) -> str:
        return f"{self.schema}.{self.table}"

    @property
    def sql(self) -> sql.Identifier:
        return sql.Identifier(self.schema, self.table)


@dataclass
class World:
    """The database under attack."""

    target: Target
    operator: Conn
    logins: dict[str, str]
    alpha: UUID
    beta: UUID
    token: str = ""
    relations: list[Relation] = field(default_factory=list)
    of_others: dict[str, set[str]] = field(default_factory=dict)  # by attacker's name
    connections: dict[str, Conn] = field(default_factory=dict)
    loose: dict[str, Conn] = field(default_factory=dict)  # by attacker; each statement for itself

    def id(self, name: str) -> UUID:
        """A key of the fixture: alpha_crew1, beta_claim, …"""
        import hashlib

        return UUID(hashlib.md5(f"test:{name}".encode()).hexdigest())  # noqa: S324

    def rows(self, statement: Any, values: Any = None) -> list[dict[str, Any]]:
        return self.operator.execute(statement, values).fetchall()

    def connect(self, login: str, **options: Any) -> Conn:
        """A connection of that login's own, so that nothing of the operator's is behind it."""
        target = self.target.with_(user=login, password=self.logins["password"])
        options.setdefault("application_name", "attack")
        try:
            conn: Conn = target.connect(row_factory=dict_row, **options)
        except CrewPayError:
            # The socket admits by the name of the operating system's user; TCP asks for the password.
            target = target.with_(host="127.0.0.1", sslmode="require")
            conn = target.connect(row_factory=dict_row, **options)
        conn.execute("set statement_timeout = '5s'")
        conn.execute("set lock_timeout = '2s'")
        conn.commit()
        return conn

    @contextmanager
    def undone(self) -> Iterator[Conn]:
        """The operator's connection; what happens is rolled back."""
        with self.operator.transaction(force_rollback=True):
            yield self.operator

    def control(self, statement: Any, values: Any = None, *, before: Any = None) -> int:
        """The same attempt by the operator, undone: rows it touches. Shows that the attempt would hit something."""
        with self.undone() as conn:
            if before is not None:
                conn.execute(before)
            cursor = conn.execute(statement, values)
            return len(cursor.fetchall()) if cursor.description else cursor.rowcount


@dataclass
class Attack:
    """One attacker at one probe."""

    world: World
    who: Attacker
    conn: Conn
    outcomes: set[str] = field(default_factory=set)

    def begin(self) -> None:
        self.conn.rollback()
        if self.who.begin:
            self.who.begin(self.conn, self.world)

    @contextmanager
    def attempt(self) -> Iterator[Conn]:
        """A savepoint, always rolled back; an error goes to the caller."""
        self.begin() if self.conn.info.transaction_status == psycopg.pq.TransactionStatus.IDLE else None
        with self.conn.transaction(force_rollback=True):
            yield self.conn

    def run(self, statement: Any, values: Any = None) -> list[dict[str, Any]] | int:
        """The rows, or how many rows were touched, in a savepoint that is rolled back."""
        with self.attempt() as conn:
            cursor = conn.execute(statement, values)
            return cursor.fetchall() if cursor.description else cursor.rowcount

    def refused(self, statement: Any, values: Any = None, *codes: str) -> psycopg.Error:
        """The statement fails, with 42501 or one of the codes."""
        try:
            found = self.run(statement, values)
        except psycopg.Error as error:
            self.expected(error, statement, "42501", *codes, given=str(values))
            self.outcomes.add(REFUSED)
            return error
        raise AssertionError(f"{self.who.name} was not refused: {text(statement)} → {found}")

    def expected(self, error: psycopg.Error, where: Any, *codes: str, given: str = "") -> None:
        """An error of one of these codes, which tells nothing but what was typed in."""
        assert error.sqlstate in codes, f"{self.who.name}: {text(where)}: {error.sqlstate} {error}"
        self.look(error_text(error), where, text(where), given)

    def look(self, found: Any, where: Any, *given: str) -> None:
        """Nothing in it is of another airline or, for crew, of another person. What was typed in is no leak."""
        seen = found if isinstance(found, str) else json.dumps(found, default=str, ensure_ascii=False)
        for secret in self.world.of_others[self.who.name]:
            if secret in seen and not any(secret in g for g in given):
                raise AssertionError(f"{self.who.name} sees {secret!r} through {text(where)}: {seen[:500]}")


def text(statement: Any) -> str:
    return statement.as_string(None) if isinstance(statement, sql.Composable) else str(statement)


def error_text(error: psycopg.Error) -> str:
    diag = error.diag
    return " ".join(
        str(part)
        for part in (
            diag.message_primary, diag.message_detail, diag.message_hint, diag.context, diag.internal_query,
            diag.column_name, diag.constraint_name, error,
        )
        if part
    )  # fmt: skip


# Distinct names and amounts for everybody, so that each can be recognised wherever it turns up.
DISTINCT = """
create temp table mark on commit drop as
select e.id as enterprise_id, c.id as crew_member_id, e.name || c.employee_id as who,
  (case e.name when 'alpha' then 3000 else 7000 end + case c.employee_id when 'E001' then 111 else 222 end)::numeric as amount
from platform.enterprises e join crew.crew_members c on c.enterprise_id = e.id;
update crew.crew_members t set first_name = 'First-' || who, last_name = 'Last-' || who, base_hourly_rate = amount / 10 + 0.07
from mark m where m.crew_member_id = t.id;
update pay.pay_calculations t set flight_pay_amount = amount + 0.31, total_gross_pay = total_gross_pay - flight_pay_amount + amount + 0.31,
  line_cents = array[((amount + 0.31) * 100)::bigint, 50000]
from mark m where m.crew_member_id = t.crew_member_id;
update pay.calculation_versions t set flight_pay_amount = amount + 0.33, total_gross_pay = total_gross_pay - flight_pay_amount + amount + 0.33,
  line_cents = array[((amount + 0.33) * 100)::bigint, 50000]
from mark m where m.crew_member_id = t.crew_member_id;
update pay.pay_runs t set total_amount = (select sum(amount) from mark m where m.enterprise_id = t.enterprise_id), result_hash = 'hash-of-' || e.name
from platform.enterprises e where e.id = t.enterprise_id;
update rules.union_contract_terms t set term_title = 'Title of ' || e.name, term_text = 'Text of ' || e.name from platform.enterprises e where e.id = t.enterprise_id;
update platform.users t set email = e.name || '-' || t.email, full_name = 'User of ' || e.name from platform.enterprises e where e.id = t.enterprise_id;
update platform.enterprises set name = 'Air ' || name;
insert into crew.contract_months (enterprise_id, month, last_day) select id, '2025-03-02', '2025-03-31' from platform.enterprises;
insert into pay.payroll_payments (enterprise_id, crew_member_id, pay_period_id, component, amount, paid_on, reference)
select m.enterprise_id, m.crew_member_id, p.id, 'flight_pay', amount + 0.41, '2026-02-05', 'paid-' || who
from mark m join pay.pay_periods p on p.enterprise_id = m.enterprise_id;
insert into review.discrepancies (enterprise_id, crew_member_id, pay_period_id, discrepancy_type, expected_amount, actual_amount,
  difference_amount, severity, detected_by)
select m.enterprise_id, m.crew_member_id, p.id, 'UNDERPAYMENT', amount + 1000.43, 1000, amount + 0.43, 'HIGH', 'SYSTEM_CHECK'
from mark m join pay.pay_periods p on p.enterprise_id = m.enterprise_id;
insert into review.claims (enterprise_id, claim_number, crew_member_id, pay_period_id, claim_type, description, claimed_amount, submitted_by)
select m.enterprise_id, 'CLM-2026-1' || right(who, 3), m.crew_member_id, p.id, 'GUARANTEE', 'Claim of ' || who, amount + 0.47, 'Submitted by ' || who
from mark m join pay.pay_periods p on p.enterprise_id = m.enterprise_id;
insert into rules.rulesets (enterprise_id, hash, span, positions, graph_generation, settings)
select id, 'spare-' || name, '[2020-01-01,2020-02-01)', '{CAPTAIN}', 0, '{}' from platform.enterprises;
insert into rules.plans (enterprise_id, ruleset_id, step_no, name, statement)
select enterprise_id, id, 1, 'plan-of-' || hash, 'select ''' || hash || '''' from rules.rulesets where hash like 'spare-%';
insert into notify.notifications (enterprise_id, crew_member_id, notification_type, title, message)
select enterprise_id, crew_member_id, 'SYSTEM', 'For ' || who, 'You get ' || amount + 0.53 from mark;
"""

COLUMNS = """
select a.attname as name, format_type(a.atttypid, null) as type, coalesce(nullif(t.typbasetype, 0), t.oid) as base,
  t.typtype as kind, t.typcategory as category, a.attnotnull as required, a.atthasdef as has_default, a.attidentity <> '' as identity,
  a.attgenerated <> '' as generated, nullif(a.atttypmod, -1) - 4 as length,
  (select min(e.enumlabel) from pg_enum e where e.enumtypid = t.oid and e.enumsortorder = 1) as label,
  (select jsonb_agg(jsonb_build_object('table', (select r.oid from pg_class r where r.oid = c.confrelid), 'columns',
     (select jsonb_agg(x.attname order by k.n) from unnest(c.conkey) with ordinality k (num, n) join pg_attribute x on x.attrelid = c.conrelid and x.attnum = k.num),
     'keys',
     (select jsonb_agg(x.attname order by k.n) from unnest(c.confkey) with ordinality k (num, n) join pg_attribute x on x.attrelid = c.confrelid and x.attnum = k.num)))
   from pg_constraint c where c.conrelid = a.attrelid and c.contype = 'f' and a.attnum = any (c.conkey)) as keys
from pg_attribute a join pg_type t on t.oid = a.atttypid
where a.attrelid = %s and a.attnum > 0 and not a.attisdropped order by a.attnum
"""

RELATIONS = """
select c.oid::int as oid, n.nspname as schema, c.relname as table, c.relkind::text as kind, c.relispartition as partition,
  array_agg(a.attname::text order by a.attnum) filter (where a.attnum > 0) as columns,
  array_agg(a.attname::text order by a.attnum) filter (where a.attnum > 0 and a.attgenerated = '' and a.attidentity = '') as writable,
  coalesce((select array_agg(x.attname::text order by k.n) from pg_index i cross join unnest(i.indkey::smallint[]) with ordinality k (num, n)
   join pg_attribute x on x.attrelid = i.indrelid and x.attnum = k.num where i.indrelid = c.oid and i.indisprimary), '{}') as key
from pg_class c join pg_namespace n on n.oid = c.relnamespace
left join pg_attribute a on a.attrelid = c.oid and not a.attisdropped
where c.relkind in ('r', 'p', 'v', 'm', 'f') and n.nspname !~ '^(pg_|information_schema$)'
  and not exists (select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')
group by c.oid, n.nspname, c.relname order by n.nspname, c.relname
"""


def relations(conn: Conn) -> list[Relation]:
    found = []
    for row in conn.execute(RELATIONS).fetchall():
        columns = tuple(row["columns"] or ())
        tenant = next((c for c in ("enterprise_id", "tenant_id") if c in columns), None)
        if (row["schema"], row["table"]) == ("platform", "enterprises"):
            tenant = "id"
        found.append(
            Relation(
                row["oid"], row["schema"], row["table"], row["kind"], row["partition"], columns,
                tuple(row["writable"] or ()), tenant, tuple(row["key"]),
            )
        )  # fmt: skip
    return found


def value_for(column: dict[str, Any], mark: str) -> Any:
    """Any value of the column's type, recognisable where it is text."""
    kind = column["type"]
    if column["kind"] == "e":
        return column["label"]
    if kind == "uuid":
        return str(uuid4())
    if kind in ("json", "jsonb"):
        return json.dumps({"mark": mark})
    if column["category"] == "A":
        return "{}"
    if column["category"] == "S":
        return mark[-column["length"] :] if column["length"] else mark
    if column["category"] == "N":
        return next(_numbers)
    if column["category"] == "D":
        return "2026-01-15"
    if column["category"] == "R":
        return "[2026-01-01,2026-01-31)" if "date" in kind or "ts" in kind else "[1,9)"
    if column["category"] == "B":
        return False
    if kind == "interval":
        return "1 hour"
    return None


def fill(
    conn: Conn, world: World, relation: Relation, enterprise: UUID, crew: UUID | None, mark: str
) -> None:
    """A row of that airline in a table that has none; checks that a made-up row breaks are put aside for it."""
    values: dict[str, Any] = {}
    columns = conn.execute(COLUMNS, (relation.oid,)).fetchall()
    for column in columns:
        name = column["name"]
        if name == relation.tenant:
            values[name] = enterprise
        elif name == "crew_member_id" and crew:
            values[name] = crew
    for column in columns:
        for key in column["keys"] or ():
            parent = next((r for r in world.relations if str(r.oid) == str(key["table"])), None)
            if parent is None or all(c in values for c in key["columns"]):
                continue
            if not column["required"] and parent is relation:
                continue
            where = [
                sql.SQL("{} = {}").format(sql.Identifier(k), sql.Literal(values[c]))
                for c, k in zip(key["columns"], key["keys"], strict=True) if c in values
            ]  # fmt: skip
            if parent.tenant and not where:
                where = [sql.SQL("{} = {}").format(sql.Identifier(parent.tenant), sql.Literal(enterprise))]
            if crew and "crew_member_id" in parent.columns:
                where.append(sql.SQL("crew_member_id = {}").format(sql.Literal(crew)))
            row = conn.execute(
                sql.SQL("select * from {} where {} limit 1").format(
                    parent.sql, sql.SQL(" and ").join(where) if where else sql.SQL("true")
                )
            ).fetchone()
            if row:
                values |= {c: row[k] for c, k in zip(key["columns"], key["keys"], strict=True)}
    for column in columns:
        name = column["name"]
        if name in values or column["generated"] or column["identity"]:
            continue
        if (column["required"] and not column["has_default"]) or (
            column["category"] == "S" and not column["keys"] and column["kind"] == "b"
        ):
            values[name] = value_for(column, f"{mark}-{relation.table}-{name}")
    statement = sql.SQL("insert into {} ({}) values ({})").format(
        relation.sql,
        sql.SQL(", ").join(map(sql.Identifier, values)),
        sql.SQL(", ").join(sql.Literal(v) for v in values.values()),
    )
    for _ in range(20):
        try:
            with conn.transaction():
                conn.execute(statement)
            return
        except psycopg.errors.CheckViolation as error:
            constraint = error.diag.constraint_name or ""
            conn.execute(
                sql.SQL("alter table {} drop constraint {}").format(relation.sql, sql.Identifier(constraint))
            )


def scalars(value: Any) -> Iterator[str]:
    """The leaves of a row."""
    if isinstance(value, dict):
        for item in value.values():
            yield from scalars(item)
    elif isinstance(value, list):
        for item in value:
            yield from scalars(item)
    elif value is not None and not isinstance(value, bool):
        found = value if isinstance(value, str) else json.dumps(value)
        # Digits alone and common times would turn up anywhere, and so would a piece of the address of every client.
        if (
            len(found) >= 5
            and not found.isdigit()
            and not found.startswith(("2026-0", "00:"))
            and found not in "127.0.0.1"
        ):
            yield found


def leaves(conn: Conn, relation: Relation, where: sql.Composable) -> set[str]:
    rows = conn.execute(
        sql.SQL("select to_jsonb(t) as row from {} t where {}").format(relation.sql, where)
    ).fetchall()
    return {leaf for row in rows for leaf in scalars(row["row"])}


SHARED = {"platform.enterprises", "platform.system_configs", "pay.pay_periods", "pay.pay_runs"}


def find_secrets(world: World) -> None:
    """What only others have: of the other airline, and for crew of the colleague as well."""
    conn = world.operator
    beta: set[str] = set()
    known: set[str] = set()
    shared: set[str] = set()
    colleague: set[str] = set()
    mine: set[str] = set()
    crew1, crew2 = world.id("alpha_crew1"), world.id("alpha_crew2")
    for relation in world.relations:
        shared.add(relation.name)  # the name of a table is no secret, wherever it is noted
        if relation.partition or relation.kind not in "rp":
            continue
        if relation.tenant is None:
            known |= leaves(conn, relation, sql.SQL("true"))
            continue
        tenant = sql.Identifier(relation.tenant)
        beta |= leaves(conn, relation, sql.SQL("{} = {}").format(tenant, sql.Literal(world.beta)))
        own = leaves(
            conn, relation, sql.SQL("{} is distinct from {}").format(tenant, sql.Literal(world.beta))
        )
        known |= own
        person = (
            "crew_member_id"
            if "crew_member_id" in relation.columns
            else "id"
            if relation.name == "crew.crew_members"
            else None
        )
        if person:
            column = sql.Identifier(person)
            colleague |= leaves(conn, relation, sql.SQL("{} = {}").format(column, sql.Literal(crew2)))
            mine |= leaves(conn, relation, sql.SQL("{} = {}").format(column, sql.Literal(crew1)))
        elif relation.schema in ("rules", "graph") or relation.name in SHARED:
            shared |= own
    for who in ATTACKERS:
        found = beta - known
        if who.name in CREW:
            found |= colleague - mine - shared
        if who.name in NOBODY:
            found |= (known | beta) - shared
            found = {s for s in found if "alpha" in s or "beta" in s or s in beta - known}
        world.of_others[who.name] = found
    for name in ("Last-betaE001", "7111.31", "Title of beta", "paid-betaE002"):
        assert all(name in found for found in world.of_others.values()), f"{name} would not be recognised"
    assert "Last-alphaE002" in world.of_others["crew"]
    assert "Last-alphaE002" in world.of_others["nobody"]


@pytest.fixture(scope="session")
def world(server: Target, template: str, tree: Tree) -> Iterator[World]:
    """The database, its logins and what would be a leak."""
    name = scratch.own_name(tree, "attacks")
    target = scratch.clone(server, template, name, tree)
    operator: Conn = target.connect(row_factory=dict_row, autocommit=True)
    password = secrets.token_hex(16)
    prefix = ""
    found: World | None = None
    try:
        conninfo, environment = target.for_programs()
        helpers = Path(tree.root) / "tests" / "pgtap" / "helpers.psql"
        subprocess.run(
            ["psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-d", conninfo, "-f", str(helpers)],
            env=environment, check=True, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        operator.execute("select test.fixture()")
        prefix = operator.execute("select test.login('') as p").fetchone()["p"].rsplit("_", 1)[-1]  # type: ignore[index]
        logins = {
            w.name: w.login[1:] if w.login[0] == "=" else f"t_{w.login}_{prefix}" for w in ATTACKERS
        } | {"password": password, "beta_admin": f"t_beta_admin_{prefix}", "crew2": f"t_alpha_crew2_{prefix}"}
        for login in set(logins.values()) - {password, "crewpay_jobs", logins["token"]}:
            operator.execute(
                sql.SQL("alter role {} password {}").format(sql.Identifier(login), sql.Literal(password))
            )
        alpha, beta = (
            operator.execute("select test.id(%s) as id", (n,)).fetchone()["id"]
            for n in ("alpha", "beta")  # type: ignore[index]
        )
        pool = logins["token"]
        operator.execute(
            sql.SQL("create role {} login in role crewpay_crew password {}").format(
                sql.Identifier(pool), sql.Literal(password)
            )
        )
        operator.execute("select auth.create_pool(%s, 'crew')", (pool,))
        token = operator.execute(
            "select auth.mint_token(%s, %s, test.id('alpha_crew1')) as token", (pool, alpha)
        ).fetchone()["token"]  # type: ignore[index]
        operator.execute("drop schema test cascade")
        found = World(target, operator, logins, alpha, beta, token)
        found.relations = relations(operator)
        with operator.transaction():
            operator.execute(DISTINCT)
        populate(found)
        operator.execute("analyze")
        find_secrets(found)
        yield found
    finally:
        for conn in (*found.connections.values(), *found.loose.values()) if found else ():
            conn.close()
        operator.close()
        scratch.drop(server, name)
        if prefix:
            with server.connect(autocommit=True) as conn:
                for row in conn.execute(
                    "select rolname from pg_roles where rolname ~ %s", (f"^t_.*_{prefix}$",)
                ).fetchall():
                    conn.execute(sql.SQL("drop role {}").format(sql.Identifier(row[0])))


def populate(world: World) -> None:
    """Every tenant table gets rows of both airlines, and of both crew members where it knows crew."""
    conn = world.operator
    todo = [r for r in world.relations if r.tenant and r.kind in "rp" and not r.partition]
    for _ in range(6):
        failed: dict[Relation, str] = {}
        for relation in todo:
            for air, enterprise in (("alpha", world.alpha), ("beta", world.beta)):
                people = ("crew1", "crew2") if "crew_member_id" in relation.columns else (None,)
                for person in people:
                    crew = world.id(f"{air}_{person}") if person else None
                    where = [
                        sql.SQL("{} = {}").format(
                            sql.Identifier(relation.tenant or ""), sql.Literal(enterprise)
                        )
                    ]
                    if crew:
                        where.append(sql.SQL("crew_member_id = {}").format(sql.Literal(crew)))
                    has = conn.execute(
                        sql.SQL("select from {} where {} limit 1").format(
                            relation.sql, sql.SQL(" and ").join(where)
                        )
                    ).fetchone()
                    if has is None:
                        try:
                            fill(conn, world, relation, enterprise, crew, f"mark-{air}-{person or 'all'}")
                        except psycopg.Error as error:
                            failed[relation] = str(error)
        if not failed:
            return
        todo = list(failed)
    raise AssertionError(
        f"no row could be made up: {[(r.name, e) for r, e in failed.items()]}; add one to DISTINCT"
    )


@pytest.fixture(params=ATTACKERS, ids=lambda a: a.name)
def attack(request: pytest.FixtureRequest, world: World) -> Iterator[Attack]:
    """One of the attackers, on a connection of its own."""
    who: Attacker = request.param
    if who.name not in world.connections or world.connections[who.name].closed:
        world.connections[who.name] = world.connect(world.logins[who.name])
    made = Attack(world, who, world.connections[who.name])
    made.begin()
    yield made
    if not made.conn.closed:
        made.conn.rollback()


@pytest.fixture
def is_crew(attack: Attack) -> bool:
    return attack.who.name in CREW


@pytest.fixture
def is_nobody(attack: Attack) -> bool:
    return attack.who.name in NOBODY


class Matrix:
    """What came of every probe, by attacker."""

    def __init__(self) -> None:
        self.outcomes: dict[str, dict[str, dict[str, str]]] = {}

    def note(self, subject: str, probe: str, who: str, outcome: str) -> None:
        self.outcomes.setdefault(subject, {}).setdefault(probe, {})[who] = outcome


MATRIX = Matrix()


@pytest.fixture(scope="session")
def matrix() -> Matrix:
    return MATRIX


@pytest.fixture
def note(attack: Attack, matrix: Matrix, request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Writes down the outcome: the first line of the test's docstring is the probe, of the module's the subject."""

    def write(outcome: str = "") -> None:
        probe = (request.function.__doc__ or "").strip().splitlines()[0].rstrip(".")
        subject = (request.module.__doc__ or "").strip().splitlines()[0].rstrip(".")
        matrix.note(subject, probe, attack.who.name, outcome or ", ".join(sorted(attack.outcomes)))

    return write


@pytest.fixture(scope="session")
def attackers() -> list[str]:
    return [a.name for a in ATTACKERS]


@pytest.fixture(scope="session")
def write() -> bool:
    """Whether documents are written instead of compared."""
    return WRITE
