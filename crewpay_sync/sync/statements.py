"""Cypher kept in files, by name: each statement begins with a line `// name: something`."""

from __future__ import annotations

import re
from functools import lru_cache
from importlib import resources
from pathlib import Path

from crewpay_sync.output import USAGE, CrewPayError
from crewpay_sync.settings import ROOT


@lru_cache
def _own() -> dict[str, str]:
    text = resources.files("crewpay_sync").joinpath("sync", "statements.cypher").read_text(encoding="utf-8")
    parts = re.split(r"^// name: (\w+)[^\n]*\n", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], (part.strip().rstrip(";") for part in parts[2::2]), strict=True))


def cypher(name: str) -> str:
    """The daemon's statement of that name."""
    return _own()[name]


def constraints() -> list[str]:
    """The statements of graph/constraints.cypher."""
    text = (ROOT / "graph" / "constraints.cypher").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("//")]
    return [part.strip() for part in "\n".join(lines).split(";") if part.strip()]


def named_queries() -> dict[str, Path]:
    """The queries of graph/queries, by name."""
    return {path.stem: path for path in sorted((ROOT / "graph" / "queries").glob("*.cypher"))}


def named_query(name: str) -> tuple[str, str, list[str]]:
    """Title, text and parameters (the enterprise aside) of a query of graph/queries; CP944 when there is none."""
    found = named_queries().get(name)
    if found is None:
        raise CrewPayError(
            "CP944",
            f"there is no query {name}",
            hint=f"There are: {', '.join(named_queries())}.",
            exit_code=USAGE,
        )
    text = found.read_text(encoding="utf-8")
    title = text.splitlines()[0].removeprefix("//").strip()
    body = "\n".join(line for line in text.splitlines() if not line.startswith("//")).strip().rstrip(";")
    parameters = sorted(set(re.findall(r"\$(\w+)", body)) - {"enterprise"})
    return title, body, parameters
