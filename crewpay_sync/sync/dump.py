"""What Neo4j owns as a Cypher script: any Cypher shell runs it, and `crewpay graph restore` does."""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from neo4j.spatial import Point
from neo4j.time import Date, DateTime, Duration, Time

from crewpay_sync.output import CrewPayError
from crewpay_sync.sync.graph import Graph
from crewpay_sync.sync.statements import cypher

KEEP = timedelta(days=30)
ROWS = 500  # rows a statement
TEMPORAL: tuple[tuple[type[Any], Callable[[Any], str]], ...] = (
    (Date, lambda _: "date"),
    (DateTime, lambda v: "localdatetime" if v.tzinfo is None else "datetime"),
    (Time, lambda v: "localtime" if v.tzinfo is None else "time"),
    (Duration, lambda _: "duration"),
)


def name(text: str) -> str:
    """A property's name as Cypher writes it. Neo4j reads escapes in names before anything else, so a backslash is one as well."""
    plain = "".join(
        c if c.isascii() and c.isprintable() and c not in "`\\" else _escaped("``" if c == "`" else c)
        for c in text
    )
    return f"`{plain}`"


def _escaped(text: str) -> str:
    units = text.encode("utf-16-be").hex()
    return "".join(f"\\u{units[n : n + 4]}" for n in range(0, len(units), 4))


def literal(value: Any) -> str:
    """A value as Cypher writes it, on one line."""
    if isinstance(value, dict):
        return f"{{{', '.join(f'{name(k)}: {literal(v)}' for k, v in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(literal, value))}]"
    for kind, function in TEMPORAL:
        if isinstance(value, kind):
            return f"{function(value)}({literal(value.iso_format())})"
    if isinstance(value, Point):
        parts = ", ".join(f"{axis}: {literal(at)}" for axis, at in zip("xyz", value, strict=False))
        return f"point({{srid: {value.srid}, {parts}}})"
    if isinstance(value, float):
        if math.isnan(value):
            return "(0.0 / 0.0)"
        return repr(value) if math.isfinite(value) else f"({'-' if value < 0 else ''}1.0 / 0.0)"
    # JSON's strings, whole numbers, true, false and null are Cypher's as well; escapes keep everything on one line.
    return json.dumps(value if isinstance(value, str | int | None) else str(value), ensure_ascii=True)


def script(graph: Graph, slug: str) -> str:
    """The script: scenarios, components and curated edges of one enterprise."""
    rows = [
        r
        for r in graph.curated() + graph.notes()
        if r.from_code is not None
        and r.problem in (None, "RETIRED")  # a retired rule's edges are a curator's to keep
    ]
    rows.sort(key=lambda r: (r.to_code is not None, r.kind, r.from_code or "", r.to_code or ""))
    lines = [
        f"// CrewPay: what Neo4j owns of the rule graph of {slug}, {datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}; {len(rows)} rows.",
        f"// enterprise: {graph.enterprise}",
        "// Runs after the rules are there (crewpay sync backfill); running it again changes nothing.",
    ]
    for kind in dict.fromkeys(r.kind for r in rows):
        some = [
            {"from_code": r.from_code, "to_code": r.to_code, "properties": r.properties}
            for r in rows
            if r.kind == kind
        ]
        text = " ".join(cypher(f"push_{kind}").split())
        for start in range(0, len(some), ROWS):
            filled = text.replace("$enterprise", literal(graph.enterprise))
            lines.append(filled.replace("$rows", literal(some[start : start + ROWS])) + ";")
    return "\n".join(lines) + "\n"


def export(graph: Graph, slug: str, path: Path) -> None:
    """Writes the script; nobody sees half of it, or another's."""
    text = script(graph, slug)
    partial = path.with_suffix(".partial")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    partial.rename(path)


def daily(graph: Graph, slug: str, folder: Path) -> Path:
    """Exports into the folder, and removes exports of the enterprise that are older than thirty days."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    now = datetime.now(UTC)
    path = folder / f"{slug}-{now:%Y%m%dT%H%M%SZ}.cypher"
    export(graph, slug, path)
    for old in folder.glob(f"{slug}-*.cypher"):
        made = re.fullmatch(rf"{re.escape(slug)}-(\d{{8}}T\d{{6}}Z)\.cypher", old.name)
        if made and now - datetime.strptime(made[1] + "+0000", "%Y%m%dT%H%M%SZ%z") > KEEP:
            old.unlink(missing_ok=True)
    return path


def restore(graph: Graph, epoch: int, path: Path) -> tuple[int, int]:
    """Puts the graph back to the script, in one transaction: what is not in it goes. Returns how many rows are there again, and how
    many the script has: an edge of a rule that is no longer there can't come back."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CrewPayError("CP925", f"{path} can't be read", detail=str(error)) from None
    owner = re.search(r"^// enterprise: (\S+)$", text, flags=re.MULTILINE)
    if owner is None or owner[1] != graph.enterprise:
        raise CrewPayError(
            "CP925",
            f"{path.name} is no export of this enterprise",
            hint="Choose the enterprise it was made of with --enterprise.",
        )
    statements = [line.rstrip(";") for line in text.split("\n") if line and not line.startswith("//")]
    rows = re.search(r"; (\d+) rows\.$", text.partition("\n")[0])
    applied = graph.replace(epoch, statements)
    return applied, int(rows[1]) if rows else applied
