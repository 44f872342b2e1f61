"""plpgsql_check over every function of ours, on a database deployed for it. Exit 1 on findings not allowed."""

from __future__ import annotations

import sys
from contextlib import closing
from pathlib import Path

from allowlist import report
from crewpay_sync.database import direct_target
from crewpay_sync.deploy import scratch
from crewpay_sync.deploy.source import Tree
from crewpay_sync.output import report_errors

HERE = Path(__file__).resolve().parent


def main() -> int:
    query = (HERE / "plpgsql_check.sql").read_text(encoding="utf-8")
    with scratch.temporary(direct_target(), "lint", Tree()) as target, closing(target.connect()) as conn:
        conn.execute("create schema lint; create extension plpgsql_check schema lint")
        conn.execute((HERE / "cron_stub.sql").read_bytes())
        conn.execute("set search_path = lint")  # so that our functions are named with their schema
        rows = conn.execute(query.encode()).fetchall()
    found = {f"{function}: line {line}: {level}: {message}" for function, line, level, _, message in rows}
    # Line numbers move with every edit: the allow-list names function, level and message.
    nameless = {f"{function}: {level}: {message}" for function, _, level, _, message in rows}
    allowed_count = report(nameless, HERE / "plpgsql_check.allow")
    if allowed_count:
        print("in full:")
        for finding in sorted(found):
            print(f"  {finding}")
    return 1 if allowed_count else 0


if __name__ == "__main__":
    with report_errors():
        sys.exit(main())
