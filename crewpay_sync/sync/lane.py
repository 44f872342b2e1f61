"""One enterprise's synchronisation: leading it, or waiting to. Everything that can fail says here what follows."""

from __future__ import annotations

import contextlib
import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psycopg
from neo4j import exceptions as neo4j_errors

from crewpay_sync.output import CONNECTION, CrewPayError
from crewpay_sync.sync import dump
from crewpay_sync.sync.backflow import Backflow
from crewpay_sync.sync.errors import Deposed, Fenced, Wiped, is_lost_server, is_outage
from crewpay_sync.sync.failpoints import failpoint
from crewpay_sync.sync.forward import WHOLE, WINDOW, Forward
from crewpay_sync.sync.graph import Graph
from crewpay_sync.sync.model import ENTITIES, Enterprise, Proposed
from crewpay_sync.sync.reconcile import Difference, all_suspects, confirm
from crewpay_sync.sync.store import Store
from crewpay_sync.sync.watchdog import tell_systemd

log = logging.getLogger("crewpay.sync")
CLAIM_EVERY = 1.0
PROBE_EVERY = 0.5
BEAT_EVERY = 2.0
BACKOFF_FIRST, BACKOFF_MOST = 0.2, 30.0


def backoff(failures: int) -> float:
    """Seconds to wait after so many failures in a row: doubled each time, spread so that daemons don't come together."""
    return min(BACKOFF_MOST, BACKOFF_FIRST * (1 << min(failures, 10))) * random.uniform(0.5, 1)  # noqa: S311


@dataclass
class Absence:
    """Neo4j's, of which all lanes of a daemon learn from the first that meets it: none waits for it in vain while its lead runs out."""

    until: float = 0.0  # nobody tries before
    losses: int = 0  # how often the connection broke


class Lane:
    """Leads one enterprise, or tries to: forward, back, compare, export."""

    def __init__(
        self,
        store: Store,
        graph: Graph,
        enterprise: Enterprise,
        holder: str,
        stopping: Callable[[], bool],
        exports: Path | None = None,
        absence: Absence | None = None,
    ) -> None:
        self.store = store
        self.graph = graph
        self.enterprise = enterprise
        self.holder = holder
        self.stopping = stopping
        self.exports = exports
        self.forward: Forward | None = None
        self.backflow: Backflow | None = None
        self.connected = False  # whether Neo4j has taken our epoch
        self.absence = absence or Absence()
        self._losses_known = 0
        self._failures = 0
        self._retry_at = 0.0
        self._claim_at = 0.0
        self._probe_at = 0.0
        self._beat_at = 0.0
        self._upkeep_at = 0.0
        self._stands_by = False
        self._compare = False  # whether Neo4j may be another than the one we knew

    # ---- Leading ------------------------------------------------------------------------------------------------

    @property
    def leads(self) -> bool:
        return self.forward is not None

    @property
    def epoch(self) -> int:
        if self.forward is None:
            raise Deposed
        return self.forward.epoch

    def claim(self) -> bool:
        """Tries to become leader in Postgres; Neo4j learns the epoch with the first write."""
        self.store.connect()
        epoch = self.store.claim(self.holder)
        if epoch is None:
            return False
        self.forward = Forward(self.store, self.graph, epoch, self.stopping)
        self.backflow = Backflow(self.store, self.graph, epoch)
        self.connected = False
        self._stands_by = False
        self._compare_soon()
        log.info("%s: leading with epoch %s", self.enterprise.slug, epoch)
        failpoint("after_claim")
        return True

    def take_over(self) -> None:
        """Leads now, whoever led before: for an operator's command. The daemon leads again when it is released."""
        self.store.connect()
        known = 0
        try:
            known = self.graph.epoch() or 0
        except Exception as error:
            if not is_outage(error):
                raise
        self.store.adopt(known)
        if not self.claim():
            raise CrewPayError("CP701", "another daemon leads", hint="Try again in a moment.")

    def step_down(self) -> None:
        """Gives the lead away at once, where it is still ours."""
        if self.forward is not None:
            with contextlib.suppress(Deposed, psycopg.Error):
                self.store.release(self.forward.epoch)
        self.forget()

    def forget(self) -> None:
        """No longer the leader, as far as we know."""
        self.forward = None
        self.backflow = None
        self.connected = False

    def ready(self) -> None:
        """Neo4j knows our epoch; where it knows nothing, everything is queued first and then it is told."""
        if self.connected:
            return
        try:
            self.graph.prepare()
        except neo4j_errors.Neo4jError as error:
            if ".Schema." not in (error.code or ""):
                raise
            raise CrewPayError(
                "CP943",
                "a constraint of the rule graph can't be made in Neo4j",
                detail=str(error),
                hint="Remove what violates graph/constraints.cypher, then start again.",
                exit_code=CONNECTION,
            ) from error
        try:
            self.graph.claim(self.epoch)
        except Wiped:
            self.start_anew()
        self.connected = True

    def start_anew(self) -> None:
        """An empty Neo4j: everything that Postgres owns, and the rule graph in force, which it keeps a copy of."""
        self.store.beat(self.epoch)  # a leader of the past doesn't begin anew
        log.warning("%s: Neo4j is empty, everything is pushed", self.enterprise.slug)
        self.store.queue_all()
        generation = self.store.accepted_generation()
        if generation is not None:
            self.store.queue("generation", [f"{generation}{WHOLE}"])
        self.graph.initialise(self.epoch)

    # ---- Work ---------------------------------------------------------------------------------------------------

    def step(self) -> float:
        """What is to be done now; returns the seconds until something is to be done again, unless a change wakes us."""
        now = time.monotonic()
        with self.store.acting_in(self.enterprise.id):
            if not self.leads:
                if now < self._claim_at:
                    return self._claim_at - now
                self._claim_at = now + CLAIM_EVERY * random.uniform(0.8, 1.2)  # noqa: S311
                if not self.claim():
                    if not self._stands_by:
                        self._stands_by = True
                        log.info("%s: stands by, another daemon leads", self.enterprise.slug)
                    return CLAIM_EVERY
            try:
                retry_at = max(self._retry_at, self.absence.until)
                if now < retry_at:
                    self.beat()
                    return min(retry_at - now, BEAT_EVERY)
                if self._losses_known != self.absence.losses:
                    self._losses_known = self.absence.losses
                    self._compare_soon()
                self.work()
                self._failures = 0
            except Deposed:
                log.warning("%s: another daemon leads now", self.enterprise.slug)
                self.forget()
            except Fenced as fenced:
                self.fenced(fenced)
            except Wiped:
                self.connected = False
                return 0
            except psycopg.Error:
                raise
            except Exception as error:
                if not is_outage(error):
                    raise
                self.outage(error)
        return max(0.0, min(PROBE_EVERY, self._probe_at - time.monotonic()))

    def work(self) -> None:
        """A round: what waits goes forward; twice a second we look what came back; once a day both are compared."""
        self.ready()
        if self.forward is None or self.backflow is None:
            raise Deposed
        self.forward.drain()
        now = time.monotonic()
        if now >= self._probe_at:
            self._probe_at = now + PROBE_EVERY
            self.backflow.step()
        if now >= self._upkeep_at:
            self._upkeep_at = now + 60
            self.upkeep()
        self.beat()

    def beat(self) -> None:
        """A sign of life now and then: to the database, so that nobody takes over, and to systemd."""
        tell_systemd("WATCHDOG=1")
        now = time.monotonic()
        if now >= self._beat_at:
            self._beat_at = now + BEAT_EVERY
            self.store.beat(self.epoch)

    def upkeep(self) -> None:
        """Once a day, and when Neo4j may have been replaced meanwhile: compare. Once a day: export what Neo4j owns."""
        compare, export = self.store.due()
        if compare or self._compare:
            self._compare = False
            found = self.reconcile(tell=self._tell)
            log.info("%s: both sides compared, %s differences", self.enterprise.slug, len(found))
        if export and self.exports is not None:
            try:
                path = dump.daily(self.graph, self.enterprise.slug, self.exports)
            except OSError as error:
                if not isinstance(error, PermissionError | FileNotFoundError | NotADirectoryError):
                    raise
                log.warning("no export: %s can't be written (%s)", self.exports, error.strerror)
                return
            log.info("%s: exported to %s", self.enterprise.slug, path)
            self.store.record_work("export")

    def _tell(self, difference: Difference) -> None:
        log.warning(
            "%s: %s %s was %s", self.enterprise.slug, difference.entity, difference.key, difference.kind
        )

    def _compare_soon(self) -> None:
        """A server that was away may come back from a backup: nothing of it is taken for known."""
        self._compare = True
        self._upkeep_at = 0.0

    def fenced(self, fenced: Fenced) -> None:
        """Neo4j refuses our epoch. Either we are the past, or the database is (restored): then an operator decides."""
        try:
            self.store.beat(self.epoch)
        except Deposed:
            log.warning("%s: another daemon leads now", self.enterprise.slug)
            self.forget()
            return
        epoch = self.epoch
        self.step_down()
        raise CrewPayError(
            "CP942",
            f"Neo4j knows a later leader of {self.enterprise.slug} (epoch {fenced.epoch}) than the database (epoch {epoch})",
            detail="One of them was restored from a backup.",
            hint="If the database counts: crewpay sync adopt",
            exit_code=CONNECTION,
        ) from fenced

    def outage(self, error: BaseException) -> None:
        """Neo4j is away: everything waits, nothing is put aside, and we go on leading."""
        if self._failures == 0:
            log.warning(
                "%s: Neo4j is away (%s)",
                self.enterprise.slug,
                str(error).splitlines()[0] if str(error) else type(error).__name__,
            )
        self._failures += 1
        self._retry_at = time.monotonic() + backoff(self._failures)
        if is_lost_server(error):
            self.absence.losses += 1
            self.absence.until = self._retry_at

    def reconcile(
        self, *, prune: bool = False, tell: Callable[[Difference], None] = lambda _: None
    ) -> list[Difference]:
        """Compares both sides and repairs Neo4j; returns what differed, and tells it before it is repaired. Nodes that Postgres
        doesn't know go with `prune` only."""
        self.ready()
        if self.forward is None or self.backflow is None:
            raise Deposed
        self.forward.drain()
        suspected = all_suspects(self.store, self.graph, self.beat)
        self.forward.drain()
        found: list[Difference] = []
        for entity in ENTITIES.values():
            found += confirm(self.store, self.graph, entity, suspected[entity.name])
        # What changed just now is in the queue, and differs for that reason only.
        pending = {(d.entity, d.key) for d in self.store.peek(WINDOW)}
        found = [d for d in found if (d.entity, d.key) not in pending]
        for difference in found:
            tell(difference)
        for entity in ENTITIES.values():
            wrong = [d.key for d in found if d.entity == entity.name and (prune or d.kind != "extra")]
            if wrong:
                self.store.queue(entity.name, wrong)
        self.forward.drain()
        proposed = self.backflow.step(force=True)
        if proposed and proposed.state == "rejected":
            found.append(Difference("generation", str(proposed.generation), "rejected"))
        self.store.record_work("reconcile", len(found))
        return found

    def bring_back(self, *, accept_shrink: bool) -> Proposed:
        """Reads the curated graph now."""
        self.ready()
        if self.forward is None or self.backflow is None:
            raise Deposed
        self.forward.drain()
        for _ in range(20):
            proposed = self.backflow.step(accept_shrink=accept_shrink, force=True)
            if proposed and proposed.state not in ("busy", "unstable"):
                return proposed
            time.sleep(0.25)
        raise CrewPayError(
            "CP945",
            "the rule graph can't be read now",
            hint="A pay run holds it, or curators write: try again.",
        )
