"""Postgres' side: everything the daemon asks of it, one function call each, as a login of role sync."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from crewpay_sync.database import Target
from crewpay_sync.output import CONNECTION, CrewPayError
from crewpay_sync.statements import query
from crewpay_sync.sync.errors import Deposed
from crewpay_sync.sync.model import Dirty, Enterprise, GraphRow, Node, Proposed
from crewpay_sync.tenants import ensure_login

OPERATORS_LOGIN = "graph_sync"
# A connection that is cut off is noticed within ten seconds, by either side.
KEEPALIVE = {
    "keepalives": 1,
    "keepalives_idle": 3,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 9000,
    "connect_timeout": 5,
    "options": "-c tcp_keepalives_idle=3 -c tcp_keepalives_interval=2 -c tcp_keepalives_count=3 -c tcp_user_timeout=9000"
    " -c lock_timeout=5000 -c idle_in_transaction_session_timeout=60000 -c jit=off",
}


class Bounded(psycopg.Connection[Any]):
    """A connection that doesn't wait for ever. Keepalives find a dead host; behind a proxy that still answers for it, only time does."""

    answer_within = 20.0  # seconds; less than systemd's patience with the loop

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        return super().wait(gen, interval, self.answer_within if timeout is None else timeout)


def open_session(target: Target) -> psycopg.Connection[Any]:
    """A connection as a login of role sync. An operator's becomes a login of CrewPay's own, member of every enterprise."""
    conn = target.connect(Bounded, autocommit=True, application_name="crewpay sync", **KEEPALIVE)
    try:
        row = conn.execute(query("sync", "login_is_superuser")).fetchone()
        if row and row[0]:
            enterprises = conn.execute(query("sync", "all_enterprises")).fetchall()
            if not enterprises:
                raise CrewPayError(
                    "CP922",
                    "there is no enterprise yet",
                    hint="Load one first, e.g. crewpay import avelo.",
                    exit_code=CONNECTION,
                )
            for enterprise, _ in enterprises:
                ensure_login(conn, OPERATORS_LOGIN, enterprise, "sync")
            conn.execute(sql.SQL("set session authorization {}").format(sql.Identifier(OPERATORS_LOGIN)))
    except BaseException:
        conn.close()
        raise
    return conn


class Store:
    """One connection, acting in one enterprise at a time."""

    def __init__(self, conn: psycopg.Connection[Any]) -> None:
        self.conn = conn
        self._acting_in: UUID | None = None

    def enterprises(self) -> list[Enterprise]:
        """The enterprises this login is a member of."""
        found = []
        for row in self.conn.execute("select auth.enterprises()").fetchall():
            with self.acting_in(row[0]):
                slug = self.conn.execute(query("sync", "slug")).fetchone()
            found.append(Enterprise(row[0], slug[0] if slug else str(row[0])))
        return sorted(found, key=lambda e: e.slug)

    @contextmanager
    def acting_in(self, enterprise: UUID) -> Iterator[Store]:
        if self._acting_in != enterprise:
            self.conn.execute(query("sync", "act_in"), (str(enterprise),))
            self._acting_in = enterprise
        yield self

    def _call(self, name: str, *values: Any) -> Any:
        try:
            row = self.conn.execute(query("sync", name), values).fetchone()
        except psycopg.Error as error:
            if error.sqlstate == "CP701":
                raise Deposed from error
            raise
        return row[0] if row else None

    @contextmanager
    def _patient(self) -> Iterator[None]:
        """For what may take its time: a lock to wait for, a whole contract to queue or to compile."""
        if isinstance(self.conn, Bounded):
            self.conn.answer_within = 300.0
        try:
            yield
        finally:
            if isinstance(self.conn, Bounded):
                self.conn.answer_within = Bounded.answer_within

    def connect(self) -> bool:
        with self._patient():
            return bool(self._call("connect"))

    def claim(self, holder: str) -> int | None:
        epoch: int | None = self._call("claim", holder)
        return epoch

    def beat(self, epoch: int) -> None:
        self._call("beat", epoch)

    def release(self, epoch: int) -> None:
        self._call("release", epoch)

    def adopt(self, epoch: int) -> int | None:
        new: int | None = self._call("adopt", epoch)
        return new

    def peek(self, limit: int) -> list[Dirty]:
        return [Dirty(*row) for row in self.conn.execute(query("sync", "peek"), (limit,)).fetchall()]

    def nodes(self, entity: str, keys: list[str]) -> list[Node]:
        rows = self.conn.execute(query("sync", "nodes"), (entity, keys)).fetchall()
        return [Node(key, properties, requires or []) for key, properties, requires in rows]

    def keys(self, entity: str, page: int) -> Iterator[list[str]]:
        """All keys of a kind, page by page."""
        after = ""
        while found := [
            r[0] for r in self.conn.execute(query("sync", "keys"), (entity, after, page)).fetchall()
        ]:
            yield found
            after = found[-1]

    def generation_rows(self, generation: int, *, whole: bool) -> list[GraphRow]:
        rows = self.conn.execute(query("sync", "generation_rows"), (generation, whole)).fetchall()
        return [GraphRow(*row) for row in rows]

    def accepted_generation(self) -> int | None:
        found: int | None = self._call("accepted_generation")
        return found

    def acknowledge(self, epoch: int, seqs: list[int]) -> None:
        self._call("acknowledge", epoch, seqs)

    def park(self, epoch: int, dirty: Dirty, state: str, code: str, error: str) -> None:
        self._call("park", epoch, dirty.entity, dirty.key, dirty.seqs, state, code, error[:2000])

    def queue(self, entity: str, keys: list[str]) -> None:
        self._call("queue", entity, keys)

    def queue_all(self) -> int:
        with self._patient():
            return int(self._call("queue_all"))

    def queue_depth(self) -> int:
        return int(self._call("queue_depth"))

    def propose(
        self, epoch: int, base: int | None, bookmark: str, rows: list[GraphRow], *, accept_shrink: bool
    ) -> Proposed:
        data = Jsonb([r.as_data() for r in rows], dumps=lambda v: json.dumps(v, ensure_ascii=False))
        try:
            with self._patient():
                row = self.conn.execute(
                    query("sync", "propose"), (epoch, base, bookmark, data, accept_shrink)
                ).fetchone()
        except psycopg.Error as error:
            if error.sqlstate == "CP701":
                raise Deposed from error
            raise
        if row is None:
            raise AssertionError("graph.propose() returns a row")
        return Proposed(*row)

    def record_work(self, what: str, number: int | None = None) -> None:
        self._call("record_work", what, number)

    def due(self) -> tuple[bool, bool]:
        """Whether a day has passed since both sides were compared, and since the last export."""
        row = self.conn.execute(query("sync", "due")).fetchone()
        return (bool(row[0]), bool(row[1])) if row else (False, False)


class Listener:
    """Wakes the loop when something was queued. The queue is the truth, this only a nudge: a wait ends by itself as well."""

    def __init__(self, conn: psycopg.Connection[Any]) -> None:
        self.conn = conn
        conn.execute("listen crewpay_graph")

    def wait(self, seconds: float) -> bool:
        """True when something was heard."""
        for _ in self.conn.notifies(timeout=seconds, stop_after=1):
            return True
        return False

    def close(self) -> None:
        self.conn.close()
