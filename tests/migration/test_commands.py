"""The commands of `crewpay` that belong to deploy, run as an operator would."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from crewpay_sync.database import Target
from crewpay_sync.deploy.source import Tree


@pytest.fixture
def environment(database: Target) -> dict[str, str]:
    """The module's database as DATABASE_URL."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    return {**kept, "DATABASE_URL": database.conninfo, "DIRECT_URL": "", "SHADOW_DATABASE_URL": ""}


def crewpay(environment: dict[str, str], *args: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "crewpay_sync", *args],
        env=environment, input=stdin, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip


def test_deploy_again_is_a_no_op(environment: dict[str, str]) -> None:
    done = crewpay(environment, "db", "deploy")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("nothing to do")
    assert crewpay(environment, "db", "plan").stdout == "nothing to do\n"


def test_verify_with_a_shadow(environment: dict[str, str]) -> None:
    done = crewpay(environment, "db", "verify", "--shadow", "--json")
    assert (done.returncode, json.loads(done.stdout)) == (0, {"status": "ok", "data": []})


def test_sql_prints_everything_without_a_connection(environment: dict[str, str], tree: Tree) -> None:
    done = crewpay({**environment, "DATABASE_URL": "postgresql://127.0.0.1:1/x"}, "db", "sql")
    assert done.returncode == 0
    for name in ("sql/cluster/roles.sql", *(f"migrations/{m.path.name}" for m in tree.migrations())):
        assert f"-- {name}\n" in done.stdout


def test_new_makes_a_migration_and_its_rollback(
    environment: dict[str, str], tree: Tree, tmp_path: Path
) -> None:
    shutil.copytree(tree.sql / "cluster", tmp_path / "sql" / "cluster")
    (tmp_path / "migrations").mkdir()
    elsewhere = {**environment, "CREWPAY_ROOT": str(tmp_path)}
    assert crewpay(elsewhere, "db", "new", "first").returncode == 0
    done = crewpay(elsewhere, "db", "new", "pay-stubs")
    assert done.stdout == "migrations/0002.pay-stubs.sql\nmigrations/0002.pay-stubs.rollback.sql\n"
    assert [m.id for m in Tree(tmp_path).migrations()] == ["0001.first", "0002.pay-stubs"]
    assert crewpay(elsewhere, "db", "new", "Pay Stubs").returncode == 2


def test_doctor_names_what_is_there(environment: dict[str, str]) -> None:
    done = crewpay(environment, "doctor", "--json")
    checks = {check["name"]: check["ok"] for check in json.loads(done.stdout)["data"]}
    assert checks.pop("jobs") is False  # pg_cron serves another database than a test's
    assert checks == dict.fromkeys(
        ("connection", "version", "encryption", "extensions", "roles", "rights", "deploy"), True
    )
    assert done.returncode == 1


def test_psql_as_a_login(environment: dict[str, str]) -> None:
    done = crewpay(
        environment, "psql", "--as", "crewpay_jobs", "-At", stdin="select session_user, current_user"
    )
    assert (done.returncode, done.stdout.strip()) == (0, "crewpay_jobs|crewpay_jobs")


@pytest.mark.parametrize(
    ("args", "code", "says"),
    [
        (["--as", "nobody-like-that"], 4, "Logins: "),
        (["--as", "postgres"], 4, "CP912"),
        (["--as", "crewpay_jobs", "-X"], 2, "-X"),
    ],
)
def test_psql_as_nobody(environment: dict[str, str], args: list[str], code: int, says: str) -> None:
    done = crewpay(environment, "psql", *args)
    assert done.returncode == code
    assert says in done.stderr


def test_a_pooler_is_refused_for_deploy(environment: dict[str, str], database: Target) -> None:
    values = database.as_dict()
    url = f"postgresql://{values.get('user', '')}@/{values['dbname']}?host={values.get('host', '')}&port={values.get('port', '5432')}&pgbouncer=true"
    done = crewpay({**environment, "DATABASE_URL": url}, "db", "deploy")
    assert done.returncode == 3
    assert "DIRECT_URL" in done.stderr
