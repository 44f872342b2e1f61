"""Servers of a test's own: made in a temporary directory, killed and restarted at will."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from crewpay_sync.database import Target
from crewpay_sync.output import CrewPayError

BIN = Path(os.environ.get("PGBIN", "/usr/lib/postgresql/15/bin"))
SETTINGS = {
    "listen_addresses": "", "unix_socket_permissions": "0777", "shared_buffers": "32MB", "max_connections": "20", "wal_level": "minimal",
    "max_wal_senders": "0", "autovacuum": "off", "timezone": "UTC", "max_worker_processes": "2",
    # What the killed processes wrote stays with the kernel, which is not killed.
    "fsync": "off",
}  # fmt: skip


class Cluster:
    """A server in a temporary directory; started, killed and started again."""

    def __init__(self, home: Path, **settings: str) -> None:
        self.home = home
        self.postmaster: subprocess.Popen[bytes] | None = None
        self.user = "postgres" if os.geteuid() == 0 else None
        if self.user:
            shutil.chown(home, self.user)
        self._call(
            "initdb",
            "-D",
            str(home / "data"),
            "-U",
            "postgres",
            "-E",
            "UTF8",
            "--locale=C.UTF-8",
            "-A",
            "trust",
            "-N",
        )
        lines = [f"{name} = '{value}'" for name, value in {**SETTINGS, **settings}.items()]
        with (home / "data" / "postgresql.conf").open("a", encoding="utf-8") as file:
            file.write("\n".join([*lines, f"unix_socket_directories = '{home}'", ""]))

    def _call(self, program: str, *args: str) -> None:
        done = subprocess.run(
            [BIN / program, *args], user=self.user, cwd="/", check=False, capture_output=True, text=True, timeout=60
        )  # fmt: skip
        assert done.returncode == 0, done.stderr

    def start(self) -> None:
        """A child of ours, so that we collect it: a postmaster that is dead but not collected counts as running."""
        with (self.home / "log").open("a") as log:
            self.postmaster = subprocess.Popen(
                [BIN / "postgres", "-D", self.home / "data"],
                user=self.user, cwd="/", stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        until(self.accepts, "the server accepts connections")

    def accepts(self) -> bool:
        assert self.postmaster
        assert self.postmaster.poll() is None, (self.home / "log").read_text()
        try:
            self.target.connect().close()
        except CrewPayError:
            return False
        return True

    @property
    def target(self) -> Target:
        return Target((("dbname", "postgres"), ("host", str(self.home)), ("user", "postgres")))

    def configure(self, **settings: str) -> None:
        """More settings, from the next start on; dots written as two underscores."""
        lines = [f"{name.replace('__', '.')} = '{value}'\n" for name, value in settings.items()]
        with (self.home / "data" / "postgresql.conf").open("a", encoding="utf-8") as file:
            file.writelines(lines)

    def stop(self) -> None:
        """An orderly end."""
        assert self.postmaster
        self.postmaster.send_signal(signal.SIGINT)
        self.postmaster.wait(30)

    def kill(self) -> None:
        """SIGKILL for all of its processes, as a machine that stops; returns when they are gone."""
        assert self.postmaster
        pid = self.postmaster.pid
        children = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
        self.postmaster.kill()
        for child in children:
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        self.postmaster.wait()
        until(lambda: not any(alive(child) for child in children), "the server is gone")


def alive(pid: int) -> bool:
    """Whether a process runs; one that only waits to be collected does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in ("Z", "X")
    except (FileNotFoundError, ProcessLookupError):
        return False


def until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, f"never: {what}"
        time.sleep(0.005)


@contextmanager
def own_cluster(**settings: str) -> Iterator[Cluster]:
    """A running server for the length of a with block; settings by name, dots written as two underscores."""
    home = Path(tempfile.mkdtemp(prefix="crewpay-test-", dir="/var/tmp"))
    made = None
    try:
        made = Cluster(home, **{name.replace("__", "."): value for name, value in settings.items()})
        made.start()
        yield made
    finally:
        if made and made.postmaster and made.postmaster.poll() is None:
            made.kill()
        shutil.rmtree(home)
