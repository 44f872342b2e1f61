"""The SQL tree on disk: load order, units of statements with their checksums, migrations."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from crewpay_sync.deploy.splitter import Statement, split
from crewpay_sync.output import CrewPayError
from crewpay_sync.settings import ROOT

CLUSTER_FILES = (
    "cluster/roles.sql",
    "cluster/database.sql",
    "cluster/extensions.sql",
    "cluster/bookkeeping.sql",
)
_MIGRATION = re.compile(r"^\d{4}\.[a-z0-9-]+$")
_FOLLOWERS: dict[str, set[tuple[str, ...]]] = {
    "policy": {("comment", "on", "policy")},
    "trigger": {("comment", "on", "trigger"), ("alter", "table")},
}
_RECREATES = (
    "view",
    "materialized",
    "function",
    "procedure",
    "type",
    "domain",
    "table",
    "schema",
    "aggregate",
)


@dataclass(frozen=True)
class Unit:
    """Statements that run together or not at all: an object, what is dropped before it and what dresses it after."""

    path: str
    ordinal: int
    statements: tuple[Statement, ...]

    @property
    def sha256(self) -> str:
        return hashlib.sha256(";\n".join(s.text for s in self.statements).encode()).hexdigest()

    @property
    def line(self) -> int:
        return self.statements[0].line

    @property
    def title(self) -> str:
        """First line of what it makes, for plans."""
        chosen = next((s for s in self.statements if s.words[:1] == ("create",)), self.statements[0])
        first = chosen.text.split("\n", 1)[0].strip()
        return first if len(first) <= 100 else first[:97] + "..."

    @property
    def recreates(self) -> bool:
        """Drops an object others may have depended on: then everything runs again."""
        return any(
            s.words[0] == "drop" and s.words[1:2] and s.words[1] in _RECREATES for s in self.statements
        )


@dataclass(frozen=True)
class Migration:
    """A file of migrations/ and its rollback."""

    id: str
    path: Path
    rollback: Path

    @property
    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.path.read_bytes()).hexdigest()

    @property
    def transactional(self) -> bool:
        """False for files that start with the comment `-- transactional: false`."""
        for line in self.text.splitlines():
            if line.strip() and not line.lstrip().startswith("--"):
                return True
            if re.match(r"^\s*--\s*transactional\s*:\s*false\s*$", line, re.IGNORECASE):
                return False
        return True


def _created(statement: Statement) -> str:
    """What a create statement makes: function, view, policy, ... ; empty for other statements."""
    words = [w for w in statement.words if w not in {"or", "replace", "constraint", "temp", "recursive"}]
    return words[1] if words[:1] == ["create"] and len(words) > 1 else ""


def _belongs(kind: str, statement: Statement) -> bool:
    if kind in _FOLLOWERS:
        return any(statement.words[: len(start)] == start for start in _FOLLOWERS[kind])
    return statement.words[0] in {"alter", "revoke", "grant", "comment"}


def units(path: str, text: str) -> list[Unit]:
    """The units of one file, in order."""
    found: list[list[Statement]] = []
    kind, open_drops = "", False
    for statement in split(text):
        words = statement.words
        if not words:
            continue
        created = _created(statement)
        if words[0] == "drop" and "exists" in words:
            if open_drops:
                found[-1].append(statement)
            else:
                found.append([statement])
            kind, open_drops = "", True
            continue
        if created and open_drops:
            found[-1].append(statement)
        elif kind and not created and _belongs(kind, statement):
            found[-1].append(statement)
            continue
        else:
            found.append([statement])
        kind, open_drops = created, False
    return [Unit(path, i, tuple(group)) for i, group in enumerate(found, start=1)]


@dataclass(frozen=True)
class Tree:
    """Where the SQL of a checkout lies."""

    root: Path = ROOT

    @property
    def sql(self) -> Path:
        return self.root / "sql"

    def load_order(self) -> list[str]:
        """Files of sql/ in order; CP902 when LOADORDER and the folder differ."""
        order_file = self.sql / "LOADORDER"
        listed: list[str] = []
        if order_file.exists():
            for line in order_file.read_text(encoding="utf-8").splitlines():
                name = line.split("#", 1)[0].strip()
                if name:
                    listed.append(name)
        present = {
            p.relative_to(self.sql).as_posix()
            for p in self.sql.rglob("*.sql")
            if p.relative_to(self.sql).parts[0] != "cluster"
        }
        problems = [f"listed twice: {name}" for name in sorted({n for n in listed if listed.count(n) > 1})]
        problems += [f"not listed: {name}" for name in sorted(present - set(listed))]
        problems += [f"no such file: {name}" for name in sorted(set(listed) - present)]
        if problems:
            raise CrewPayError(
                "CP902",
                "sql/LOADORDER and the files of sql/ differ",
                detail="; ".join(problems),
                hint="Every .sql file under sql/ (except sql/cluster) stands in LOADORDER exactly once.",
            )
        return listed

    def units(self, paths: Sequence[str] | None = None) -> list[Unit]:
        """All units of the given files (default: LOADORDER)."""
        found: list[Unit] = []
        for path in self.load_order() if paths is None else paths:
            found.extend(units(path, (self.sql / path).read_text(encoding="utf-8")))
        return found

    def cluster_sha256(self, path: str) -> str:
        return hashlib.sha256((self.sql / path).read_bytes()).hexdigest()

    def migrations(self) -> list[Migration]:
        """Migrations by number; CP903 for bad names, equal numbers and missing rollbacks."""
        folder = self.root / "migrations"
        found: list[Migration] = []
        problems: list[str] = []
        for path in sorted(folder.glob("*.sql")):
            if path.name.endswith(".rollback.sql"):
                if not path.with_name(path.name.removesuffix(".rollback.sql") + ".sql").exists():
                    problems.append(f"{path.name} has no migration")
                continue
            name = path.name.removesuffix(".sql")
            rollback = path.with_name(f"{name}.rollback.sql")
            if not _MIGRATION.match(name):
                problems.append(f"{path.name} is not named NNNN.lower-case-name.sql")
            if not rollback.exists():
                problems.append(f"{path.name} has no {rollback.name}")
            if found and found[-1].id[:4] == name[:4]:
                problems.append(f"{path.name} and {found[-1].path.name} have the same number")
            found.append(Migration(name, path, rollback))
        problems += [f"{p.name}: only .sql files may lie in migrations/" for p in sorted(folder.glob("*.py"))]
        if problems:
            raise CrewPayError("CP903", "migrations/ is not in order", detail="; ".join(problems))
        return found
