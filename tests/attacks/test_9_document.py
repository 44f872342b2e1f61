"""docs/attack-matrix.md is what the attacks gave."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

HEAD = """\
# Attack matrix

What happens when a login tries what it should not. The tests in `tests/attacks` make every attempt on every table, partition, view, function, sequence and schema of the catalogue, as a login of its own, beside another airline with the same employee, flight, trip and claim numbers; this page is written by them (`CREWPAY_WRITE_DOCS=1 pytest tests/attacks`) and compared with every run. Each attempt has its control: the operator's same statement does hit.

`token` is the same crew member behind a pool, with a token; `no token` is the pool's login without one; `nobody` is a login without a principal. "Refused" is SQLSTATE 42501 or 28000; "no row" means that the statement ran and touched nothing.
"""


def page(outcomes: dict[str, dict[str, dict[str, str]]], who: list[str]) -> str:
    lines = [HEAD]
    for subject, probes in outcomes.items():
        lines += [f"## {subject}", "", "| attempt | " + " | ".join(who) + " |", "|---" * (len(who) + 1) + "|"]
        for probe, found in probes.items():
            cells = [found.get(w, "").replace("|", "\\|") for w in who]
            lines.append(f"| {probe.replace('|', chr(92) + '|')} | " + " | ".join(cells) + " |")
        lines.append("")
    return "\n".join(lines)


def test_document_is_fresh(
    matrix: Any, attackers: list[str], write: bool, request: pytest.FixtureRequest
) -> None:
    here = Path(__file__).parent
    ran = {Path(str(item.path)) for item in request.session.items}
    if (
        request.config.option.keyword
        or any("::" in a for a in request.config.args)
        or not set(here.glob("test_*.py")) <= ran
    ):
        pytest.skip("not all attacks ran")
    if request.session.testsfailed:
        pytest.skip("an attack failed")
    path = here.parents[1] / "docs" / "attack-matrix.md"
    text = page(matrix.outcomes, attackers)
    if write:
        path.write_text(text, encoding="utf-8")
    assert path.exists(), "run: CREWPAY_WRITE_DOCS=1 pytest tests/attacks"
    assert path.read_text(encoding="utf-8") == text, "run: CREWPAY_WRITE_DOCS=1 pytest tests/attacks"
