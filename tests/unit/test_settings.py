"""Connection strings, settings and output."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg
import pytest
from click.testing import CliRunner
from yoyo.connections import parse_uri

from crewpay_sync import output
from crewpay_sync.cli import COMMANDS, cli
from crewpay_sync.database import Target, application_target, clean_url, direct_target
from crewpay_sync.output import CrewPayError, from_database, print_table, redact
from crewpay_sync.settings import Settings
from crewpay_sync.sync.graph import graph_target


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("DATABASE_URL", "DIRECT_URL", "PGHOST", "PGHOSTADDR", "PGSERVICE", "PGDATABASE", "PGUSER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


def given(**values: str) -> Settings:
    return Settings(_env_file=None, **values)  # type: ignore[call-arg,arg-type]


def test_parameters_of_prisma_are_stripped() -> None:
    url = "postgres://u:p%40ss@h:6432/d?schema=public&pgbouncer=true&connection_limit=5&sslmode=require&pool_timeout=0"  # not-a-secret
    cleaned, pooled = clean_url(url)
    assert cleaned == "postgresql://u:p%40ss@h:6432/d?sslmode=require"  # not-a-secret
    assert pooled
    assert Target.parse(url).as_dict()["password"] == "p@ss"


def test_a_private_cluster_is_the_default() -> None:
    target = application_target(given(crewpay_home="/var/lib/other", crewpay_port="5999"))
    assert target.as_dict() == {
        "dbname": "crewpay",
        "host": "/var/lib/other/sock",
        "port": "5999",
        "user": "postgres",
    }


def test_deploy_prefers_the_direct_url() -> None:
    both = given(database_url="postgresql://h/app?pgbouncer=true", direct_url="postgresql://h:5432/app")
    assert application_target(both).pooled
    assert not direct_target(both).pooled
    assert direct_target(given(database_url="postgresql://h/app")).as_dict()["host"] == "h"


def test_libpq_variables_are_honoured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGHOST", "db.example.com")
    assert application_target(given()).as_dict() == {"dbname": "crewpay"}


def test_yoyo_gets_every_parameter() -> None:
    target = Target.parse("postgresql://u:p%2Fw%40@/d?host=/var/run/x&port=5815&sslmode=require")
    parsed = parse_uri(target.yoyo_url(schema="yoyo", options="-c role=x -c lock_timeout=5s"))
    assert (parsed.username, parsed.password, parsed.database) == ("u", "p/w@", "d")
    assert parsed.args == {
        "host": "/var/run/x",
        "port": "5815",
        "sslmode": "require",
        "schema": "yoyo",
        "options": "-c role=x -c lock_timeout=5s",
    }


def test_programs_get_the_password_by_environment() -> None:
    conninfo, environment = Target.parse("postgresql://u:hidden@h/d").for_programs()  # not-a-secret
    assert "hidden" not in conninfo
    assert environment["PGPASSWORD"] == "hidden"


@pytest.mark.parametrize("url", ["postgresql://u:p%zz@h/d", "host=h nonsense"])  # not-a-secret
def test_a_bad_connection_string_is_not_repeated(url: str) -> None:
    with pytest.raises(CrewPayError) as caught:
        Target.parse(url)
    assert caught.value.code == "CP911"
    assert caught.value.exit_code == output.CONNECTION
    assert url not in f"{caught.value.message} {caught.value.detail} {caught.value.hint}"


def test_redact() -> None:
    assert redact("postgresql://u:hush@h/d") == "postgresql://u:***@h/d"  # not-a-secret
    assert redact("host=h password=hush user=u") == "host=h password=*** user=u"


def test_numbers_align_right(capsys: pytest.CaptureFixture[str]) -> None:
    print_table([{"name": "a", "n": 5}, {"name": "bcd", "n": 12}, {"name": "e", "n": None}])
    assert capsys.readouterr().out == "name   n\n----  --\na      5\nbcd   12\ne\n"


def test_the_json_envelope(capsys: pytest.CaptureFixture[str]) -> None:
    print_table([{"n": 1}], as_json=True)
    assert capsys.readouterr().out == '{"status": "ok", "data": [{"n": 1}]}\n'


def test_no_progress_bar_without_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(output.progress([1, 2], "work")) == [1, 2]
    assert capsys.readouterr().err == ""


def test_errors_of_the_database_keep_their_code() -> None:
    error = from_database(psycopg.errors.InsufficientPrivilege("permission denied"))
    assert (error.code, error.exit_code) == ("42501", output.REFUSED)


@pytest.mark.parametrize("command", [[], *([name] for name in cli.list_commands(None))])  # type: ignore[arg-type]
def test_every_command_has_help(command: list[str]) -> None:
    result = CliRunner().invoke(cli, [*command, "--help"])
    assert result.exit_code == 0
    assert result.output.startswith("Usage:")


def test_registered_commands_that_exist_load() -> None:
    assert {"db", "doctor", "psql"} <= set(cli.list_commands(None)) <= set(COMMANDS)  # type: ignore[arg-type]


def test_a_password_of_neo4j_that_may_not_be_read_is_told_from_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The private server's password is its owner's: whoever else asks is told so, and not to start a server that runs."""
    given = Settings(neo4j_uri=None, crewpay_neo4j_home=tmp_path)
    with pytest.raises(CrewPayError) as caught:
        graph_target(given)
    assert caught.value.code == "CP940"
    (tmp_path / "default").mkdir()
    (tmp_path / "default" / "uri").write_text("bolt://127.0.0.1:1")
    read = Path.read_text

    def guarded(path: Path, *args: Any, **options: Any) -> str:
        if path.name == "password":
            raise PermissionError(13, "Permission denied", str(path))
        return read(path, *args, **options)

    monkeypatch.setattr(Path, "read_text", guarded)
    with pytest.raises(CrewPayError) as caught:
        graph_target(given)
    assert caught.value.code == "CP941"
