"""`python -m tests.bench.login`: a transaction that begins with auth.login, beside the same one by a direct login.

In a database of its own on the configured server, dropped at the end. The variants take turns; best of all rounds.
"""

from __future__ import annotations

import os
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import click
import psycopg
from psycopg import sql

from crewpay_sync.database import Target, direct_target
from crewpay_sync.deploy import scratch
from crewpay_sync.deploy.source import Tree
from crewpay_sync.importers.synthetic import load_synthetic
from crewpay_sync.output import json_option, print_json, print_table, report_errors
from crewpay_sync.tenants import ensure_login, enterprise_id
from tests.bench.__main__ import ENTERPRISE, MONTH, figure, machine

RATIO = 2.5
ONE_RESULT = "select c.employee_id, c.position from crew.crew_members c where c.id = %s"
Statement = tuple[str, tuple[Any, ...]]


def microseconds(conn: psycopg.Connection[Any], statements: list[Statement], transactions: int) -> float:
    """Of one transaction of these statements, on average over many."""
    with conn.cursor() as cursor:
        started = time.perf_counter()
        for _ in range(transactions):
            cursor.execute("begin")
            for text, values in statements:
                cursor.execute(text, values, prepare=True)
            cursor.execute("commit")
        return (time.perf_counter() - started) / transactions * 1e6


def measure(server: Target, tree: Tree, rounds: int, transactions: int) -> dict[str, float]:
    """Best microseconds of each variant."""
    pool, direct = f"bench_pool_{os.getpid()}", f"bench_crew_{os.getpid()}"
    with (
        scratch.temporary(server, "bench_login", tree) as target,
        closing(target.connect(autocommit=True)) as operator,
    ):
        load_synthetic(operator, crew=1000, month=MONTH, months=1, enterprise=ENTERPRISE, with_contract=False)
        enterprise = enterprise_id(operator, ENTERPRISE)
        row = operator.execute("select id from crew.crew_members order by employee_id limit 1").fetchone()
        assert row is not None
        try:
            ensure_login(operator, direct, enterprise, "crew", crew_member=row[0])
            operator.execute(
                sql.SQL("create role {} login in role crewpay_crew").format(sql.Identifier(pool))
            )
            operator.execute("select auth.create_pool(%s, 'crew')", (pool,))
            made = operator.execute(
                "select auth.mint_token(%s, %s, %s)", (pool, enterprise, row[0])
            ).fetchone()
            assert made is not None
            operator.execute("vacuum analyze")
            login: Statement = ("select auth.login(%s)", made)
            query: Statement = (ONE_RESULT, row)
            variants: dict[str, tuple[str | None, list[Statement]]] = {
                "past row-level security": (None, [query]),
                "direct login": (direct, [query]),
                "token": (pool, [login, query]),
                "token, login alone": (pool, [login]),
                "nothing": (pool, []),
            }
            best: dict[str, float] = {}
            for _ in range(rounds):
                for name, (who, statements) in variants.items():
                    with closing(target.connect(autocommit=True)) as conn:
                        if who:
                            conn.execute(sql.SQL("set session authorization {}").format(sql.Identifier(who)))
                        microseconds(conn, statements, 50)
                        best[name] = min(
                            best.get(name, float("inf")), microseconds(conn, statements, transactions)
                        )
            return best
        finally:
            for name in (pool, direct):
                operator.execute(sql.SQL("drop role if exists {}").format(sql.Identifier(name)))


@click.command()
@click.option("--rounds", default=5, show_default=True, type=click.IntRange(1, 100), help="Measured rounds.")
@click.option("--transactions", default=1000, show_default=True, type=click.IntRange(10), help="Of a round.")
@json_option
def main(rounds: int, transactions: int, as_json: bool) -> None:
    """Measure what auth.login adds to a transaction."""
    server = direct_target().with_(dbname="postgres")
    where = machine(server)
    best = measure(server, Tree(Path(__file__).resolve().parents[2]), rounds, transactions)
    figures = [figure(f"transaction: {name}", value, "µs", digits=0) for name, value in best.items()]
    figures.append(figure("ratio of token to direct login", best["token"] / best["direct login"], "×", RATIO))
    if as_json:
        print_json(figures, machine=where)
    else:
        print_table(figures)


if __name__ == "__main__":
    with report_errors():
        main()
