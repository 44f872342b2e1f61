"""Statements and units: the splitter follows psql, units keep together what belongs together."""

from __future__ import annotations

from pathlib import Path

import pytest

from crewpay_sync.deploy.source import Tree, units
from crewpay_sync.deploy.splitter import split


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("select 1; select 2", ["select 1", "select 2"]),
        ("select ';'; select \"a;b\"", ["select ';'", 'select "a;b"']),
        (r"select E'a\';b'; select 'it''s;'", [r"select E'a\';b'", "select 'it''s;'"]),
        ("-- a;\nselect 1 /* ; /* ; */ ; */; -- b;", ["select 1"]),
        ("do $x$ begin; $y$;$y$ end $x$; select 1", ["do $x$ begin; $y$;$y$ end $x$", "select 1"]),
        ("select $1; select a$b$c", ["select $1", "select a$b$c"]),
        ("create rule r as on insert to t do also (select 1; select 2); select 3", None),
        (
            "create function f() returns int begin atomic select case when true then 1 end; end; select 3",
            None,
        ),
        ('create function f(begin int, "end" int) returns int return 1; select 3', None),
        ("create or replace procedure p() begin atomic insert into t values (1); end; select 3", None),
        ("begin; commit", ["begin", "commit"]),
        (";;", []),
    ],
)
def test_split(text: str, parts: list[str] | None) -> None:
    found = [statement.text for statement in split(text)]
    if parts is None:
        assert len(found) == 2
        assert found[1] == "select 3"
    else:
        assert found == parts


def test_statements_know_their_line() -> None:
    text = "-- head\n\nselect 1;\n/* a\n b */ select\n 2;\nselect 3"
    assert [statement.line for statement in split(text)] == [3, 5, 7]


def test_nothing_is_lost_in_our_own_files(tree: Tree) -> None:
    for path in tree.root.glob("sql/**/*.sql"):
        text = path.read_text(encoding="utf-8")
        position = 0
        for statement in split(text):
            position = text.index(statement.text, position) + len(statement.text)


def grouped(text: str) -> list[list[str]]:
    return [[" ".join(s.words[:2]) for s in unit.statements] for unit in units("x.sql", text)]


def test_a_function_keeps_owner_grants_and_comment() -> None:
    assert grouped(
        "create or replace function a.f() returns int return 1; alter function a.f() owner to o;"
        "revoke all on function a.f() from public; grant execute on function a.f() to r;"
        "comment on function a.f() is 'x'; create view a.v as select 1; grant select on a.v to r"
    ) == [
        ["create or", "alter function", "revoke all", "grant execute", "comment on"],
        ["create view", "grant select"],
    ]


def test_a_drop_belongs_to_the_create_after_it() -> None:
    assert grouped(
        "drop policy if exists p on t; create policy p on t using (true); comment on policy p on t is 'x';"
        "grant select on t to r; drop trigger if exists g on t; create trigger g after insert on t execute function f()"
    ) == [
        ["drop policy", "create policy", "comment on"],
        ["grant select"],
        ["drop trigger", "create trigger"],
    ]


def test_equal_text_has_equal_checksum_whatever_surrounds_it() -> None:
    one = units("x.sql", "select 1;\nselect 2;")
    two = units("x.sql", "-- comment\nselect 1 ;\n\n\n/* more */ select 2")
    assert [unit.sha256 for unit in one] == [unit.sha256 for unit in two]


def test_migration_directives(tmp_path: Path) -> None:
    folder = tmp_path / "migrations"
    folder.mkdir()
    (folder / "0001.a.sql").write_text("-- why\n-- transactional: false\nselect 1;")
    (folder / "0001.a.rollback.sql").write_text("select 1;")
    (folder / "0002.b.sql").write_text("select 1;\n-- transactional: false\n")
    (folder / "0002.b.rollback.sql").write_text("select 1;")
    assert [m.transactional for m in Tree(tmp_path).migrations()] == [False, True]
