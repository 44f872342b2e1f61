"""`crewpay notify`: deliver what waits in the outbox."""

from __future__ import annotations

import signal
import sys
from collections import Counter
from contextlib import closing
from types import FrameType

import click

from crewpay_sync.cli.jobs import scheduler
from crewpay_sync.database import connect
from crewpay_sync.notify.channels import configured
from crewpay_sync.notify.worker import deliver_due
from crewpay_sync.output import CONNECTION, PARTIAL, CrewPayError, json_option, print_json, print_table, say
from crewpay_sync.settings import settings
from crewpay_sync.statements import Statements, query


@click.group()
def notify() -> None:
    """Notifications: deliver e-mail, SMS and push; see what waits."""


class _Stop(Exception):
    """The operating system asked us to end."""


def _stop(signum: int, frame: FrameType | None) -> None:
    raise _Stop


@notify.command()
@click.option("--once", is_flag=True, help="Deliver what is due, then end.")
@click.option("--poll", default=30, show_default=True, type=click.IntRange(1, 3600), metavar="SECONDS",
              help="How often to look when nothing wakes us.")  # fmt: skip
@json_option
def run(once: bool, poll: int, as_json: bool) -> None:
    """Deliver what is due, and go on as messages come in; exit 5 when --once left something undelivered.

    Channels come from CREWPAY_SMTP_URL and CREWPAY_WEBHOOK_URL. Several may run side by side.
    """
    channels = configured(settings())
    if not channels:
        raise CrewPayError(
            "CP911", "no channel is configured", exit_code=CONNECTION,
            hint="Set CREWPAY_SMTP_URL for e-mail, CREWPAY_WEBHOOK_URL and CREWPAY_WEBHOOK_SECRET for SMS and push.",
        )  # fmt: skip
    total: Counter[str] = Counter()
    with closing(connect(direct=True, autocommit=True, application_name="crewpay notify")) as conn:
        scheduler(conn)
        conn.execute(query("notify", "listen"))
        if not once:
            signal.signal(signal.SIGTERM, _stop)
            say(f"delivering {', '.join(sorted(channels))}; Ctrl-C ends it")
        try:
            while True:
                done = deliver_due(conn, channels)
                total += done
                if once:
                    break
                if done:
                    say(", ".join(f"{count} {state.lower()}" for state, count in sorted(done.items())))
                for _ in conn.notifies(timeout=poll, stop_after=1):
                    pass
        except (_Stop, KeyboardInterrupt):
            say("ended")
    if as_json:
        print_json(dict(total))
    elif once:
        say(
            ", ".join(f"{count} {state.lower()}" for state, count in sorted(total.items()))
            or "nothing was due"
        )
    if once and set(total) - {"SENT"}:
        sys.exit(PARTIAL)


@notify.command()
@json_option
def status(as_json: bool) -> None:
    """What waits and what went out, by channel and state."""
    with closing(connect(direct=True, autocommit=True)) as conn:
        print_table(Statements("notify").rows(conn, "status"), as_json=as_json)
