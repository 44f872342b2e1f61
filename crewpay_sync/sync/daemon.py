"""The loop: one thread, one connection to work with, one to listen on. It stops when told, and survives what it can."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import time
from pathlib import Path
from types import FrameType

import psycopg
from neo4j import Driver
from neo4j import exceptions as neo4j_errors

from crewpay_sync.database import Target
from crewpay_sync.output import CONNECTION, CrewPayError
from crewpay_sync.sync.errors import Deposed, Fenced, Stopped, is_lost_database
from crewpay_sync.sync.graph import Graph, GraphTarget, from_neo4j, open_driver
from crewpay_sync.sync.lane import Absence, Lane, backoff
from crewpay_sync.sync.model import Enterprise
from crewpay_sync.sync.store import Bounded, Listener, Store, open_session
from crewpay_sync.sync.watchdog import tell_systemd

log = logging.getLogger("crewpay.sync")
SELF_TEST_EVERY, SELF_TEST_PATIENCE = 30.0, 5.0
POLL = 1.0  # a wake-up that got lost costs no more


class Daemon:
    """Keeps Neo4j and Postgres in agreement for all enterprises of its login, or those named."""

    def __init__(
        self, database: Target, neo4j: GraphTarget, only: tuple[str, ...] = (), exports: Path | None = None
    ) -> None:
        self.database = database
        self.neo4j = neo4j
        self.only = only
        self.exports = exports
        self.holder = f"{socket.gethostname()}:{os.getpid()}"
        self._stop = False
        self._driver: Driver | None = None
        self._store: Store | None = None
        self._listener: Listener | None = None
        self._lanes: list[Lane] = []
        self._absence = Absence()
        self._test_at = 0.0
        self._test_sent: float | None = None
        self._look_at = 0.0

    # ---- Starting and stopping ------------------------------------------------------------------------------------

    def stop(self, number: int = 0, _frame: FrameType | None = None) -> None:
        """Finish the batch at hand, then leave. A second signal leaves at once, which does no harm either."""
        if self._stop and number:
            os._exit(128 + number)
        self._stop = True

    def run(self, *, once: bool = False) -> None:
        """Runs until stopped; with `once`, until there is nothing to do."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self.stop)
        failures = 0
        try:
            while not self._stop:
                try:
                    self.open()
                    tell_systemd("READY=1")
                    failures = 0
                    if once:
                        self.run_once()
                        return
                    while not self._stop:
                        self.turn()
                        tell_systemd("WATCHDOG=1")
                except Stopped:
                    break
                except psycopg.Error as error:
                    if once or not is_lost_database(error):
                        raise
                    self.close_database()
                    failures += 1
                    log.warning(
                        "the database is away (%s)",
                        str(error).splitlines()[0] if str(error) else error.sqlstate,
                    )
                    self.pause(backoff(failures))
                except CrewPayError as error:
                    if once or error.code != "CP910":
                        raise
                    failures += 1
                    log.warning("the database is away (%s)", error.detail)
                    self.pause(backoff(failures))
        except neo4j_errors.AuthError as error:
            raise from_neo4j(error, self.neo4j) from error
        except (neo4j_errors.Neo4jError, neo4j_errors.DriverError) as error:
            raise from_neo4j(error, self.neo4j) from error
        finally:
            tell_systemd("STOPPING=1")
            self.close()

    def pause(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while not self._stop and (left := until - time.monotonic()) > 0:
            tell_systemd("WATCHDOG=1")
            time.sleep(min(0.2, left))

    def open(self) -> None:
        """Connects what isn't connected."""
        if self._driver is None:
            self._driver = open_driver(self.neo4j)
        if self._store is None:
            self._store = Store(open_session(self.database))
            self._lanes = []
            self._look_at = 0.0
        if self._listener is None:
            self._listener = Listener(
                self.database.connect(Bounded, autocommit=True, application_name="crewpay sync listen")
            )
            self._test_sent = None
            self._test_at = time.monotonic() + SELF_TEST_EVERY
        self.look_for_enterprises()

    def look_for_enterprises(self) -> None:
        """A lane for each enterprise of the login; new ones join within a minute."""
        if self._store is None or self._driver is None or time.monotonic() < self._look_at:
            return
        self._look_at = time.monotonic() + 60
        found = chosen(self._store, self.only)
        known = {lane.enterprise.id for lane in self._lanes}
        for enterprise in found:
            if enterprise.id not in known:
                graph = Graph(self._driver, str(enterprise.id))
                self._lanes.append(
                    Lane(
                        self._store,
                        graph,
                        enterprise,
                        self.holder,
                        lambda: self._stop,
                        self.exports,
                        self._absence,
                    )
                )

    def close_database(self) -> None:
        for connection in (
            self._store.conn if self._store else None,
            self._listener.conn if self._listener else None,
        ):
            if connection is not None:
                with contextlib.suppress(psycopg.Error):
                    connection.close()
        self._store = None
        self._listener = None
        self._lanes = []

    def close(self) -> None:
        """Gives the lead away, so that another goes on at once."""
        for lane in self._lanes:
            try:
                with lane.store.acting_in(lane.enterprise.id):
                    lane.step_down()
            except psycopg.Error:
                break
        self.close_database()
        if self._driver is not None:
            self._driver.close()
            self._driver = None

    # ---- Working --------------------------------------------------------------------------------------------------

    def turn(self) -> None:
        """One turn of the loop: every lane, then wait for whatever comes first."""
        self.look_for_enterprises()
        seconds = POLL
        for lane in self._lanes:
            if self._stop:
                return
            seconds = min(seconds, lane.step())
        self.listen(seconds)

    def listen(self, seconds: float) -> None:
        """Waits; and sends itself a message now and then, since a listener can die without a word."""
        if self._listener is None or self._store is None:
            return
        now = time.monotonic()
        if self._test_sent is None and now >= self._test_at:
            self._store.conn.execute("select pg_catalog.pg_notify('crewpay_graph', '')")
            self._test_sent = now
        if seconds > 0 and self._listener.wait(seconds):
            self._test_sent = None
            self._test_at = time.monotonic() + SELF_TEST_EVERY
        elif self._test_sent is not None and now - self._test_sent > SELF_TEST_PATIENCE:
            log.warning("the listener is deaf: it is made again")
            self._listener.close()
            self._listener = None
            self.open()

    def run_once(self) -> None:
        """Everything that waits, and what came back; for scripts."""
        for lane in self._lanes:
            with lane.store.acting_in(lane.enterprise.id):
                if not lane.claim():
                    raise CrewPayError(
                        "CP701",
                        f"another daemon leads {lane.enterprise.slug}",
                        hint="It does the work already; see crewpay sync status.",
                    )
                try:
                    lane.ready()
                    lane.work()
                    lane.bring_back(accept_shrink=False)
                except Fenced as fenced:
                    lane.fenced(fenced)
                except Deposed:
                    raise CrewPayError("CP701", f"another daemon took over {lane.enterprise.slug}") from None


def chosen(store: Store, only: tuple[str, ...]) -> list[Enterprise]:
    """The login's enterprises, or those named; CP922 or CP920 when there is none."""
    found = store.enterprises()
    if not found:
        raise CrewPayError(
            "CP922",
            "this login synchronises no enterprise",
            hint="Make it a principal with the role sync: select auth.create_principal(…, 'sync').",
            exit_code=CONNECTION,
        )
    unknown = set(only) - {e.slug for e in found}
    if unknown:
        raise CrewPayError(
            "CP920",
            f"this login has no enterprise {', '.join(sorted(unknown))}",
            hint=f"It has: {', '.join(e.slug for e in found)}.",
        )
    return [e for e in found if not only or e.slug in only]
