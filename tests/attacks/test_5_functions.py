"""Hostile words in every argument of every function."""

from __future__ import annotations

import json
from typing import Any

import psycopg
import pytest
from psycopg import sql

Note = Any
Attack = Any

HOSTILE = [
    "'", "''", "'; drop table crew.crew_members; --", '"', '";--', "$$", "$body$ select 1 $body$", "\\", "\\'", "%", "%s %I %L", "%1$s",
    "@enterprise@", "@period@ @crew@ @@", "@members@ @months@", "{0} {x}", "$1", "/* */", "--", "\n", "\t", "x" * 100_000, "Zoë ✈ 日本 \U0001f6eb", "\u202e\u0000"[:1],
    "null", "NaN", "Infinity", "-1", "1e400", "'||(select email from platform.users limit 1)||'", "pg_catalog.pg_class", "", " ",
    "2026-01", "00000000-0000-0000-0000-000000000000",
]  # fmt: skip
# What a caller can't have meant: the statement inside was built of the words. XX: internal errors.
BUILT_OF_WORDS = {"42601", "42P01", "42703", "42883", "42P02", "42804", "42846", "42725"}

FUNCTIONS = """
select p.oid, format('%%I.%%I', n.nspname, p.proname) as name, p.proretset, n.nspname as schema,
  array(select format_type(t, null) from unnest(p.proargtypes::oid[]) t) as types, p.provariadic <> 0 as variadic
from pg_proc p join pg_namespace n on n.oid = p.pronamespace
where p.prorettype not in ('trigger'::regtype, 'event_trigger'::regtype) and p.prokind = 'f'
  and n.nspname !~ '^(pg_|information_schema$|ext$|trap$)'
  and has_function_privilege(%s, p.oid, 'execute') and has_schema_privilege(%s, n.oid, 'usage')
order by 2
"""


def executable(attack: Attack) -> list[dict[str, Any]]:
    login = attack.world.logins[attack.who.name]
    found: list[dict[str, Any]] = attack.world.rows(FUNCTIONS, (login, login))
    return found


def usual(attack: Attack, kind: str) -> Any:
    """A value that gets far into a function."""
    special = {
        "date": "2026-01-01", "jsonb": "{}", "boolean": True, "interval": "1 day", "timestamp with time zone": "2026-01-10 12:00+00",
        "integer": 1, "bigint": 1, "smallint": 1, "numeric": 1, "text": "E001", "name": "x", "text[]": "{E001}", "uuid[]": "{}",
    }  # fmt: skip
    if kind == "uuid":
        return attack.world.alpha
    return special.get(kind)


def is_text(kind: str) -> bool:
    return kind in ("text", "name", "jsonb", "json", "text[]", "jsonb[]", "citext") or kind.startswith(
        "character varying"
    )


def as_kind(word: str, kind: str) -> list[Any]:
    if kind in ("jsonb", "json"):
        return [json.dumps(word), json.dumps({word: word}), json.dumps([word, {"a": word}])]
    if kind.endswith("[]"):
        return [[word], [word, word]]
    return [word]


def call(attack: Attack, function: dict[str, Any], values: list[Any]) -> None:
    """The function is called; what it answers or raises is looked through."""
    arguments = [
        sql.SQL("{}{}::{}").format(
            sql.SQL("variadic " if function["variadic"] and i == len(values) - 1 else ""),
            sql.Placeholder(),
            sql.SQL(kind),
        )
        for i, kind in enumerate(function["types"])
    ]
    statement = sql.SQL("select * from {}({})").format(
        sql.SQL(function["name"]), sql.SQL(", ").join(arguments)
    )
    given = [str(v) for v in values]
    try:
        with attack.attempt() as conn:
            attack.look(conn.execute(statement, values).fetchall(), statement, *given)
    except psycopg.DataError as error:
        if error.sqlstate is None:  # refused by the client already
            return
        judge(attack, error, statement, given)
    except psycopg.Error as error:
        judge(attack, error, statement, given)


def judge(attack: Attack, error: psycopg.Error, statement: Any, given: list[str]) -> None:
    state = error.sqlstate or ""
    inner = error.diag.internal_query or error.diag.internal_position
    where = f"{statement.as_string(None)} with {[g[:60] for g in given]}"
    assert not state.startswith(("XX", "57", "08")), f"{attack.who.name}: {where}: {state} {error}"
    # Functions name unknown tables and arguments themselves (42P01, 42883) in words of their own.
    assert state not in BUILT_OF_WORDS or not inner, f"{attack.who.name}: {where}: {state} {error}"
    assert state != "42601", f"{attack.who.name}: {where}: {state} {error}"
    message = " ".join(
        str(p) for p in (error.diag.message_primary, error.diag.message_detail, error.diag.message_hint) if p
    )
    attack.look(message, where, *given)


def test_hostile_words(attack: Attack, note: Note) -> None:
    """Every text argument of every function the role may call"""
    tried = 0
    for function in executable(attack):
        for position, kind in enumerate(function["types"]):
            if not is_text(kind):
                continue
            for word in HOSTILE:
                for value in as_kind(word, kind):
                    values = [usual(attack, k) for k in function["types"]]
                    values[position] = value
                    call(attack, function, values)
                    tried += 1
    note("no syntax error, nothing of others" if tried else "may call none")


def test_keys_of_others(attack: Attack, note: Note) -> None:
    """Every key argument: another airline's keys, a colleague's"""
    world = attack.world
    things = [
        *(world.id(f"beta_{n}") for n in ("crew1", "crew2", "period", "run", "claim", "discrepancy", "ruleset", "term", "building", "calc_crew1")),
        *(world.id(f"alpha_{n}") for n in ("crew2", "calc_crew2", "period", "crew1")), world.alpha, world.beta,
    ]  # fmt: skip
    for function in executable(attack):
        if "uuid" not in function["types"] and "uuid[]" not in function["types"]:
            continue
        keys = [i for i, k in enumerate(function["types"]) if k in ("uuid", "uuid[]")]
        for position in keys:
            for thing in things:
                for enterprise in (world.alpha, world.beta):
                    values = [usual(attack, k) for k in function["types"]]
                    for other in keys:
                        values[other] = [enterprise] if function["types"][other] == "uuid[]" else enterprise
                    values[position] = [thing] if function["types"][position] == "uuid[]" else thing
                    call(attack, function, values)
    note("nothing of others")


def test_statement_of_a_colleague(attack: Attack, note: Note) -> None:
    """The pay statement and the explanation of a colleague"""
    if attack.who.name in ("admin", "payroll", "service"):
        note("a clerk's work")
        return
    world = attack.world
    for statement, values in (
        ("select pay.statement('E002', '2026-01-01')", ()),
        ("select pay.explain(%s, %s)", (world.id("alpha_crew2"), world.id("alpha_period"))),
    ):
        try:
            attack.look(attack.run(statement, values), statement, *map(str, values))
            attack.outcomes.add("nothing of others")
        except psycopg.Error as error:
            attack.expected(error, statement, "42501", "CP214", given=str(values))
            attack.outcomes.add("refused")
    note()


CONTRACT = {
    "terms": [
        {"code": "A1", "category": "CREDIT", "title": "Flying", "text": "As flown.", "applies_to": ["CAPTAIN", "FIRST_OFFICER"],
         "effective": "2025-01-01", "formula": {"type": "monthly_guarantee", "hours": 70, "proration": "calendar_days"}},
    ],
    "scenarios": [], "components": [], "edges": [],
    "interpretations": [
        {"code": "I1", "scenario": "A turn.", "terms": ["A1"], "interpretation": "As flown.", "confidence": 90,
         "example": {"position": "CAPTAIN", "base": "JFK", "month": "2026-01", "hourly_rate": 60, "lines": [{"term": "A1", "quantity": 1, "amount": 1}],
                     "trips": [{"pickup": "OPEN_TIME", "duties": [{"report": "2026-01-05 08:00", "release": "12:00", "legs": [
                         {"leg": "JFK-BOS", "scheduled": "09:00-10:00", "actual": "09:05-10:05", "code": "WX", "aircraft": "A320", "status": "ARRIVED"}]}]}]}},
    ],
}  # fmt: skip


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where text stands in a document."""
    if isinstance(value, dict):
        return [p for k, v in value.items() for p in places(v, (*path, k))]
    if isinstance(value, list):
        return [p for i, v in enumerate(value) for p in places(v, (*path, i))]
    return [path] if isinstance(value, str | int) else []


def tried_examples(attack: Attack, document: dict[str, Any]) -> None:
    """What an example is refused with comes as a row; never that a statement was built of its words."""
    try:
        with attack.attempt() as conn:
            found = conn.execute(
                "select code from rules.test_contract(%s::jsonb)", (json.dumps(document),)
            ).fetchall()
    except psycopg.Error:
        return
    assert not BUILT_OF_WORDS & {row["code"] for row in found}, document


@pytest.mark.parametrize("where", ["every place", "every name"])
def test_hostile_contract(attack: Attack, note: Note, where: str) -> None:
    """Hostile words at every place of a contract that is compiled to SQL"""
    if attack.who.name != "admin":
        note("may not load one")
        attack.refused("select rules.load_contract(%s::jsonb)", (json.dumps(CONTRACT),))
        return
    function = {"name": "rules.load_contract", "types": ["jsonb"], "variadic": False}
    trial = {**function, "name": "rules.test_contract"}
    for word in HOSTILE:
        if where == "every name":
            document = json.loads(json.dumps(CONTRACT))
            document["terms"][0]["formula"][word] = word
            call(attack, function, [json.dumps(document)])
            continue
        for path in places(CONTRACT):
            document = json.loads(json.dumps(CONTRACT))
            at = document
            for step in path[:-1]:
                at = at[step]
            at[path[-1]] = word
            if path[0] == "interpretations":
                call(attack, trial, [json.dumps(document)])
                tried_examples(attack, document)
            else:
                call(attack, function, [json.dumps(document)])
    with attack.attempt() as conn:  # control: the contract itself is taken
        conn.execute("select rules.load_contract(%s::jsonb)", (json.dumps(CONTRACT),))
    note("no syntax error, nothing of others")
