"""Runs pg_prove on a database made for it: `python -m crewpay_sync.deploy.tap PATH...`."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import psycopg

from crewpay_sync.database import direct_target
from crewpay_sync.deploy import scratch
from crewpay_sync.deploy.source import Tree
from crewpay_sync.output import report_errors

_HELPERS = "tests/pgtap/helpers.psql"


def _prepare(conn: psycopg.Connection[Any]) -> None:
    conn.execute("create schema tap")
    conn.execute("create extension pgtap schema tap")
    conn.execute("grant usage on schema tap to public")
    conn.execute("create extension plpgsql_check schema tap")


def main(paths: list[str]) -> int:
    """The exit code of pg_prove."""
    tree = Tree()
    with scratch.temporary(direct_target(), "pgtap", tree, _prepare) as target:
        conninfo, environment = target.for_programs()
        row = ""
        with target.connect() as conn:
            found = conn.execute("show search_path").fetchone()
            row = found[0] if found else ""
            conn.execute(f'alter database "{target.dbname}" set search_path = {row}, tap')
        helpers = tree.root / _HELPERS
        if helpers.exists():
            subprocess.run(
                ["psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-d", conninfo, "-f", str(helpers)],
                env=environment,
                check=True,
                stdout=subprocess.DEVNULL,
            )
        # pg_prove hands only some options to psql: the rest goes by the environment.
        for name, variable in (("host", "PGHOST"), ("port", "PGPORT"), ("user", "PGUSER"), ("dbname", "PGDATABASE"),
                               ("sslmode", "PGSSLMODE"), ("sslrootcert", "PGSSLROOTCERT")):  # fmt: skip
            if value := target.as_dict().get(name):
                environment[variable] = value
        return subprocess.run(
            ["pg_prove", "-r", "--ext", ".sql", "-j2", *paths], env=environment, cwd=tree.root, check=False
        ).returncode


if __name__ == "__main__":
    with report_errors():
        sys.exit(main(sys.argv[1:]))
