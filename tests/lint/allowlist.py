"""Lists of findings that stand, each with its reason: `finding  # reason`, one a line; * stands for anything."""

from __future__ import annotations

import re
from pathlib import Path


def read(path: Path) -> dict[str, str]:
    """Finding -> reason; a line without a reason is an error."""
    entries: dict[str, str] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        finding, separator, reason = line.partition("  # ")
        if not separator or len(reason.split()) < 3:
            raise SystemExit(f"{path.name}:{number}: a finding stands only with a reason after '  # '")
        entries[finding.strip()] = reason.strip()
    return entries


def report(found: set[str], path: Path) -> int:
    """Prints findings that are not allowed, and allowed ones that are gone; the number of both."""
    allowed = {entry: re.compile(re.escape(entry).replace(r"\*", ".*")) for entry in read(path)}
    new = {finding for finding in found if not any(p.fullmatch(finding) for p in allowed.values())}
    gone = {entry for entry, p in allowed.items() if not any(p.fullmatch(finding) for finding in found)}
    for finding in sorted(new):
        print(finding)
    for entry in sorted(gone):
        print(f"{path.name}: not found any more, remove the line: {entry}")
    return len(new) + len(gone)
