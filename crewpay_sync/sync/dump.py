"""What Neo4j owns as a Cypher script: any Cypher shell runs it, and `crewpay graph restore` does."""

from __future__ import annotations

import json
import os
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from crewpay_sync.output import CrewPayError
from crewpay_sync.sync.graph import Graph
from crewpay_sync.sync.statements import cypher

KEEP = timedelta(days=30)
ROWS = 500  # rows a statement


def literal(value: Any) -> str:
    """A value as Cypher writes it, on one line."""
    if isinstance(value, dict):
        inner = ", ".join(f"`{k.replace('`', '``')}`: {literal(v)}" for k, v in value.items())
        return f"{{{inner}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(literal, value))}]"
    # JSON's strings, numbers, true, false and null are Cypher's as well; escapes keep everything on one line.
    return json.dumps(value, ensure_ascii=True)


def script(graph: Graph, slug: str) -> str:
    """The script: scenarios, components and curated edges of one enterprise."""
    rows = [r for r in graph.rows() if r.problem is None] + graph.notes()
    lines = [
        f"// CrewPay: what Neo4j owns of the rule graph of {slug}, {datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}; {len(rows)} rows.",
        f"// enterprise: {graph.enterprise}",
        "// Runs after the rules are there (crewpay sync backfill); running it again changes nothing.",
    ]
    for kind in dict.fromkeys(r.kind for r in sorted(rows, key=lambda r: r.to_code is not None)):
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


def restore(graph: Graph, epoch: int, path: Path) -> int:
    """Puts the graph back to the script, in one transaction: what is not in it goes. Returns the number of statements."""
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
    statements = [line.rstrip(";") for line in text.splitlines() if line and not line.startswith("//")]
    graph.replace(epoch, statements)
    return len(statements)
