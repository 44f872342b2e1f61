"""Peak memory of server processes: what they have for themselves, without the buffers that all share."""

from __future__ import annotations

import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg

from crewpay_sync.database import Target


def own_mb(pid: int) -> float:
    """Anonymous resident memory of a process in MB; 0 where it can't be read (another host)."""
    try:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("RssAnon:"):
                return int(line.split()[1]) / 1000
    except OSError:
        pass
    return 0.0


class Peak:
    """Watches one session's process, or those of all sessions of a database together, while the block runs."""

    def __init__(
        self, conn: psycopg.Connection[Any] | None = None, database: Target | None = None, every: float = 0.05
    ) -> None:
        self.mb = 0.0
        self._pids = [conn.info.backend_pid] if conn is not None else []
        self._database = database
        self._every = every
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def _watch(self) -> None:
        if self._database is None:
            while not self._over.wait(self._every):
                self.mb = max(self.mb, sum(own_mb(pid) for pid in self._pids))
            return
        with closing(self._database.connect(autocommit=True)) as conn:
            own = conn.info.backend_pid
            while not self._over.wait(self._every):
                pids = conn.execute(
                    "select pid from pg_stat_activity where datname = current_database() and pid <> %s",
                    (own,),
                ).fetchall()
                self.mb = max(self.mb, sum(own_mb(pid) for (pid,) in pids))

    def __enter__(self) -> Peak:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
