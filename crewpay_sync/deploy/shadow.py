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
from crewpay_sync.deploy.source import Tree
from crewpay_sync.output import CONNECTION, CrewPayError
from crewpay_sync.settings import settings

_HEADER = re.compile(r"^-- Name: (.*?); Type: (.*?); Schema: (.*?); Owner: (.*)$", re.MULTILINE)
_NOISE = re.compile(r"^(\\(un)?restrict .*|SET .*|SELECT pg_catalog\.set_config.*|--.*|\s*)$")


def schema_dump(target: Target) -> dict[str, str]:
    """The definition of every object that deploy makes: "TYPE schema.name" -> SQL, independent of order.

    Partitions and what hangs on them are left out: which of them exist depends on the day.
    """
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
        partitions = {
            row[0] for row in conn.execute("select relname from pg_class where relispartition").fetchall()
        }
    if not schemas:
        return {}
    conninfo, environment = target.for_programs()
    done = subprocess.run(
        ["pg_dump", "--schema-only", "-d", conninfo, *(f"--schema={name}" for name in schemas)],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise CrewPayError(
            "CP909", f"pg_dump failed on {target}", detail=done.stderr.strip().splitlines()[-1]
        )
    objects: dict[str, str] = {}
    headers = list(_HEADER.finditer(done.stdout))
    for header, following in zip(headers, [*headers[1:], None], strict=True):
        if partitions.intersection(re.findall(r"\w+", header[1])):
            continue
        body = done.stdout[header.end() : following.start() if following else len(done.stdout)]
        lines = [line for line in body.splitlines() if not _NOISE.match(line)]
        if header[2] in {"ACL", "DEFAULT ACL"}:
            lines.sort()
        key = f"{header[2]} {header[3]}.{header[1]}"
        objects[key] = "\n".join([*filter(None, [objects.get(key)]), f"owner {header[4]}", *lines])
    return objects


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
        return compare(schema_dump(target), schema_dump(scratch.build(shadow, shadow.dbname, tree)))
    finally:
        scratch.drop(shadow, shadow.dbname)
