"""Fresh equals upgraded: builds a second database from the tree and compares both schemas."""

from __future__ import annotations

import difflib
import re
import secrets
import shutil
import subprocess
from contextlib import closing

from crewpay_sync.database import Target
from crewpay_sync.deploy import scratch
from crewpay_sync.deploy.runner import run_cluster_file
from crewpay_sync.deploy.source import Tree
from crewpay_sync.output import CONNECTION, CrewPayError
from crewpay_sync.settings import settings

_HEADER = re.compile(r"^-- Name: (.*?); Type: (.*?); Schema: (.*?); Owner: (.*)$", re.MULTILINE)
_PARTITION = re.compile(r"^ALTER TABLE ONLY \S+ ATTACH PARTITION \w+\.(\w+) ", re.MULTILINE)
_NOISE = re.compile(r"^(\\(un)?restrict .*|SET .*|SELECT pg_catalog\.set_config.*|--.*|\s*)$")


def _dump(target: Target) -> str:
    """What pg_dump writes of the schemas that deploy makes."""
    if not shutil.which("pg_dump"):
        raise CrewPayError(
            "CP905", "pg_dump is missing", hint="Install postgresql-client-15.", exit_code=CONNECTION
        )
    with closing(target.connect(autocommit=True)) as conn:
        schemas = [
            row[0]
            for row in conn.execute(
                "select nspname from pg_namespace where nspowner = 'crewpay_owner'::regrole and nspname <> 'yoyo'"
            ).fetchall()
        ]
    if not schemas:
        return ""
    conninfo, environment = target.for_programs()
    done = subprocess.run(
        ["pg_dump", "--schema-only", "-d", conninfo, *(f"--schema={name}" for name in schemas)],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise CrewPayError(
            "CP909", f"pg_dump failed on {target}", detail=done.stderr.strip().splitlines()[-1]
        )
    return done.stdout


def _objects(dump: str) -> dict[str, str]:
    """The definition of every object that deploy makes: "TYPE schema.name" -> SQL, independent of order.

    Partitions and what hangs on them are left out: which of them exist depends on the day.
    """
    partitions = set(_PARTITION.findall(dump))
    objects: dict[str, str] = {}
    headers = list(_HEADER.finditer(dump))
    for header, following in zip(headers, [*headers[1:], None], strict=True):
        if partitions.intersection(re.findall(r"\w+", header[1])):
            continue
        body = dump[header.end() : following.start() if following else len(dump)]
        lines = [line for line in body.splitlines() if not _NOISE.match(line)]
        if header[2] in {"ACL", "DEFAULT ACL"}:
            lines.sort()
        key = f"{header[2]} {header[3]}.{header[1]}"
        objects[key] = "\n".join([*filter(None, [objects.get(key)]), f"owner {header[4]}", *lines])
    return objects


def schema_dump(target: Target) -> dict[str, str]:
    """The objects of a database."""
    return _objects(_dump(target))


def compare(ours: dict[str, str], fresh: dict[str, str]) -> list[str]:
    """One line for each object that differs, with the first line that does."""
    found = []
    for key in sorted(ours.keys() | fresh.keys()):
        if key not in fresh:
            found.append(f"only in this database: {key}")
        elif key not in ours:
            found.append(f"missing in this database: {key}")
        elif ours[key] != fresh[key]:
            delta = difflib.unified_diff(fresh[key].splitlines(), ours[key].splitlines(), lineterm="", n=0)
            changed = [line for line in delta if not line.startswith(("---", "+++", "@@"))]
            found.append(f"differs: {key}: {' | '.join(changed[:2])}")
    return found


def _same_database(target: Target, shadow: Target) -> bool:
    """Whether both names lead to one database, by whatever host: a lock taken in one shows in the other."""
    key = secrets.randbits(31)
    with (
        closing(target.connect(autocommit=True)) as ours,
        closing(shadow.with_(dbname="postgres").connect(autocommit=True)) as theirs,
    ):
        ours.execute("select pg_advisory_lock(%s, %s)", (key, key))
        seen = theirs.execute(
            "select d.datname from pg_locks l join pg_database d on d.oid = l.database"
            " where l.locktype = 'advisory' and l.classid = %s::bigint::oid and l.objid = %s::bigint::oid",
            (key, key),
        ).fetchone()
    return seen is not None and seen[0] == shadow.dbname


def _read_back(dump: str, shadow: Target, tree: Tree) -> dict[str, str]:
    """The objects of a dump that was read into an empty database and written again; nothing where it can't be read."""
    made = scratch.create(shadow, shadow.dbname)
    with closing(made.connect(autocommit=True)) as conn:
        run_cluster_file(conn, tree, "cluster/extensions.sql")
    conninfo, environment = made.for_programs()
    done = subprocess.run(
        ["psql", "-Xq", "-v", "ON_ERROR_STOP=1", "-d", conninfo],
        input=dump, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return _objects(_dump(made)) if done.returncode == 0 else {}


def differences(target: Target, tree: Tree | None = None) -> list[str]:
    """Compares the database with one built afresh (SHADOW_DATABASE_URL, or a database of its own beside it)."""
    tree = tree or Tree()
    url = settings().shadow_database_url
    beside = f"{target.dbname[:56]}_shadow"
    shadow = Target.parse(url.get_secret_value()) if url else target.with_(dbname=beside)
    if _same_database(target, shadow):
        raise CrewPayError(
            "CP911",
            "SHADOW_DATABASE_URL names the database itself",
            detail="The shadow is dropped and built afresh.",
            exit_code=CONNECTION,
        )
    try:
        ours, fresh = _dump(target), _dump(scratch.build(shadow, shadow.dbname, tree))
        found = compare(_objects(ours), _objects(fresh))
        # PostgreSQL writes some expressions with other parentheses once they were read from a dump: after a restore both
        # sides are compared as read back.
        if found:
            ours_again, fresh_again = (_read_back(dump, shadow, tree) for dump in (ours, fresh))
            if ours_again and fresh_again:
                return compare(ours_again, fresh_again)
        return found
    finally:
        scratch.drop(shadow, shadow.dbname)
