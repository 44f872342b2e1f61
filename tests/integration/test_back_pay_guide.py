"""docs/back-pay.md says what the program says. CREWPAY_WRITE_GUIDES=1 writes the output into it instead."""

from __future__ import annotations

import re

from crewpay_sync.settings import ROOT
from tests.integration.test_guides import CONSOLE, WRITE, as_run, environment

__all__ = ["environment"]
KEY = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}|\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d(\.\d+)?(\+\d\d(:\d\d)?)?)?")


def settled(text: str) -> str:
    """Keys and the times of this run are not those of another."""
    return KEY.sub("…", text)


def test_commands_print_what_the_guide_shows(environment: dict[str, str]) -> None:
    path = ROOT / "docs" / "back-pay.md"
    text = path.read_text(encoding="utf-8")
    fresh = CONSOLE.sub(lambda block: f"```console\n{settled(as_run(block[1], environment))}```", text)
    if WRITE:
        path.write_text(fresh, encoding="utf-8")
    else:
        assert text == fresh, "run: CREWPAY_WRITE_GUIDES=1 pytest tests/integration/test_back_pay_guide.py"
