"""pgspot over sql/, statement by statement: one it cannot parse hides no other. Exit 1 on findings not allowed."""

from __future__ import annotations

import contextlib
import io
import re
import sys
from argparse import Namespace
from pathlib import Path

from pgspot.state import Counter, State
from pgspot.visitors import visit_sql

from allowlist import read, report
from crewpay_sync.deploy.source import CLUSTER_FILES, Tree
from crewpay_sync.deploy.splitter import split

HERE = Path(__file__).resolve().parent
ALLOW = HERE / "pgspot.allow"
_ISSUE = re.compile(r"^(PS\d{3}): (.*) at line \d+$")


def scan(text: str, *, plpgsql: bool) -> list[str]:
    """What pgspot prints for one statement; raises where it cannot cope."""
    options = Namespace(
        append=False, proc_without_search_path=[], summary_only=False, plpgsql=plpgsql, ignore=[],
        ignore_lang=[], sql_fn=[],
    )  # fmt: skip
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        visit_sql(State(Counter(options)), text, toplevel=True)
    return [match[0] for line in out.getvalue().splitlines() if (match := _ISSUE.match(line))]


def main() -> int:
    tree = Tree()
    ignored = {entry for entry in read(ALLOW) if re.fullmatch(r"PS\d{3}", entry)}
    found: set[str] = set(ignored)
    for path in (*CLUSTER_FILES, *tree.load_order()):
        for statement in split((tree.sql / path).read_text(encoding="utf-8")):
            try:
                issues = scan(statement.text, plpgsql=True)
            except Exception:  # its PL/pgSQL reader fails on some valid bodies: then the outside alone
                try:
                    issues = scan(statement.text, plpgsql=False)
                except (
                    IndexError
                ):  # a body in standard SQL, whose names are bound when it is made: nothing to spot
                    issues = []
                except Exception as error:
                    issues = [f"PS000: pgspot cannot read it: {str(error).splitlines()[0]} at line 0"]
            for issue in issues:
                match = _ISSUE.match(issue)
                if match and match[1] not in ignored:
                    found.add(f"sql/{path}: {match[1]}: {' '.join(match[2].split())}")
    return 1 if report(found, ALLOW) else 0


if __name__ == "__main__":
    sys.exit(main())
