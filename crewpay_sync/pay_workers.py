"""A pay run on several backends: the crew in slices, all computed under one snapshot, published in one step.

The protocol is in `sql/pay/workers.sql`. Here is the part of the client: one connection that coordinates, one for each
worker, and the clean-up when anything fails. A client that is killed leaves rows that nobody sees; pay.purge_runs()
removes them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from itertools import count
from queue import SimpleQueue
from threading import Event
from typing import Any
from uuid import UUID

import psycopg
from psycopg import IsolationLevel, sql

from crewpay_sync.statements import Row, Statements
from crewpay_sync.tenants import act_as

# Terms changed, or keys of facts, between the run's beginning and its snapshot: then it starts again.
TRIES = 3
# Crew members of a slice at most. Each slice reads the facts again: two a worker took a tenth longer with 10,000 crew. With 100,000
# they took a tenth less, in a quarter less memory.
CREW_OF_A_SLICE = 25_000

Connect = Callable[[], psycopg.Connection[Any]]


def row(conn: psycopg.Connection[Any], name: str, values: Row) -> Row:
    """The one row of a statement of sql/pay_workers.sql."""
    found = Statements("pay_workers").row(conn, name, **values)
    if found is None:
        raise AssertionError(f"{name} returns a row")
    return found


def compute_slice(
    conn: psycopg.Connection[Any], snapshot: str, run: UUID, slice_no: int, slices: int, group_no: int
) -> int | None:
    """One group of positions of a slice, in a transaction of its own under the coordinator's snapshot.

    The legs read, or None where there are fewer groups.
    """
    conn.set_isolation_level(IsolationLevel.REPEATABLE_READ)
    try:
        with conn.transaction():
            conn.execute(sql.SQL("set transaction snapshot {}").format(sql.Literal(snapshot)))
            values = {"run": run, "slice": slice_no, "slices": slices, "group": group_no}
            legs: int | None = row(conn, "slice", values)["legs"]
            return legs
    finally:
        if not conn.closed:
            conn.set_isolation_level(None)


def compute_slices(
    workers: list[psycopg.Connection[Any]],
    snapshot: str,
    run: UUID,
    slices: int,
    take: Callable[[], Any] = lambda: None,
) -> None:
    """All slices, a thread for each worker; `take` runs beside them, at first and whenever something is done.

    The groups of a slice follow each other, each committed by itself: most of a slice is taken before its last is computed.
    The first failure stops the others and is raised.
    """
    free: SimpleQueue[psycopg.Connection[Any]] = SimpleQueue()
    for conn in workers:
        free.put(conn)
    committed, stopping = Event(), Event()

    def slice_of(number: int) -> None:
        conn = free.get()
        try:
            for group in count(1):
                if stopping.is_set() or compute_slice(conn, snapshot, run, number, slices, group) is None:
                    return
                committed.set()
        finally:
            free.put(conn)

    with ThreadPoolExecutor(len(workers)) as pool:
        left = [pool.submit(slice_of, number) for number in range(1, slices + 1)]
        for task in left:
            task.add_done_callback(lambda _: committed.set())
        try:
            while left:
                take()
                committed.wait()
                committed.clear()
                # A result is None; a failure is raised.
                left = [task for task in left if not task.done() or task.result()]
        except BaseException:  # a slice failed, or interrupted
            stopping.set()
            pool.shutdown(wait=False, cancel_futures=True)
            stop(workers)
            raise


def stop(workers: list[psycopg.Connection[Any]]) -> None:
    """Asks the servers of all workers to stop what they do."""
    for conn in workers:
        with suppress(psycopg.Error):
            conn.cancel()


def run_once(conn: psycopg.Connection[Any], workers: list[psycopg.Connection[Any]], period: UUID) -> Row:
    """One attempt. When it fails its rows are removed, if the database can still be reached."""
    begun = row(conn, "begin", {"period": period})
    run = begun["id"]
    # As many for each worker.
    slices = len(workers) * math.ceil(max(1, begun["crew"]) / (len(workers) * CREW_OF_A_SLICE))
    try:
        with conn.transaction():
            conn.execute("set local idle_in_transaction_session_timeout = 0")
            snapshot = row(conn, "hold", {"run": run})["snapshot"]
            compute_slices(workers, snapshot, run, slices, lambda: row(conn, "take", {"run": run}))
            return row(conn, "publish", {"run": run})
    except BaseException:
        for other in (conn, *workers):
            with suppress(psycopg.Error):
                row(other, "purge", {"run": run})
                break
        raise


def run_on_workers(
    conn: psycopg.Connection[Any], connect: Connect, enterprise_slug: str, period: UUID, workers: int
) -> Row:
    """Runs a period on `workers` backends as the tenant's payroll; the published run as `pay.run` reports it.

    `conn` (autocommit) coordinates and acts as the principal already; `connect` opens a worker's connection (autocommit).
    """
    with ExitStack() as stack:
        others = []
        for _ in range(workers):
            other = stack.enter_context(closing(connect()))
            stack.enter_context(act_as(other, enterprise_slug, "payroll"))
            others.append(other)
        for attempt in range(1, TRIES + 1):
            try:
                return run_once(conn, others, period)
            except psycopg.errors.SerializationFailure:
                if attempt == TRIES:
                    raise
    raise AssertionError("a run is published or raises")
