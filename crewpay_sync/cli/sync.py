"""`crewpay sync`: the daemon between Postgres and Neo4j, how it stands, and what operators do about it."""

from __future__ import annotations

import logging
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, get_args

import click

from crewpay_sync.cli.arguments import enterprise_option
from crewpay_sync.database import direct_target
from crewpay_sync.output import FINDINGS, USAGE, CrewPayError, json_option, print_json, print_table, say
from crewpay_sync.settings import settings
from crewpay_sync.statements import Statements, query
from crewpay_sync.sync import neo4j
from crewpay_sync.sync.daemon import Daemon, chosen
from crewpay_sync.sync.errors import Deposed
from crewpay_sync.sync.graph import Graph, from_neo4j, graph_target, open_driver
from crewpay_sync.sync.lane import Lane
from crewpay_sync.sync.model import Enterprise, EntityName
from crewpay_sync.sync.reconcile import Difference
from crewpay_sync.sync.store import Store, open_session


def export_folder() -> Path:
    """Where daily exports go: CREWPAY_GRAPH_EXPORTS, else a folder beside the private cluster."""
    return settings().crewpay_graph_exports or settings().crewpay_home / "graph-exports"


def one_enterprise(store: Store, slug: str | None) -> Enterprise:
    """The enterprise named, or the only one."""
    found = chosen(store, (slug,) if slug else ())
    if len(found) > 1:
        raise CrewPayError(
            "CP920",
            "several enterprises are synchronised",
            hint=f"Name one with --enterprise: {', '.join(e.slug for e in found)}.",
            exit_code=USAGE,
        )
    return found[0]


@contextmanager
def acting(slug: str | None) -> Iterator[tuple[Store, Enterprise]]:
    """Postgres' side alone."""
    with closing(open_session(direct_target())) as conn:
        store = Store(conn)
        enterprise = one_enterprise(store, slug)
        with store.acting_in(enterprise.id):
            yield store, enterprise


@contextmanager
def lanes(slug: str | None) -> Iterator[list[Lane]]:
    """Both sides of the enterprise named, or of all; nobody leads yet."""
    target = graph_target()
    holder = f"{socket.gethostname()}:{os.getpid()} (operator)"
    with closing(open_session(direct_target())) as conn, open_driver(target) as driver:
        store = Store(conn)
        try:
            yield [
                Lane(store, Graph(driver, str(e.id)), e, holder, lambda: False)
                for e in chosen(store, (slug,) if slug else ())
            ]
        except (neo4j.exceptions.Neo4jError, neo4j.exceptions.DriverError) as error:
            raise from_neo4j(error, target) from error


@contextmanager
def both_sides(slug: str | None) -> Iterator[Lane]:
    """Both sides of one enterprise, without leading."""
    with lanes(slug) as found:
        lane = found[0]
        one_enterprise(lane.store, slug)
        with lane.store.acting_in(lane.enterprise.id):
            yield lane


@contextmanager
def leads(lane: Lane) -> Iterator[Lane]:
    """Leads for the length of a with block; a daemon that led stands by meanwhile."""
    with lane.store.acting_in(lane.enterprise.id):
        lane.take_over()
        try:
            yield lane
        except Deposed:
            raise CrewPayError("CP701", "another daemon took over meanwhile", hint="Try again.") from None
        finally:
            lane.step_down()


@contextmanager
def leading(slug: str | None) -> Iterator[Lane]:
    """Leads one enterprise for the length of a with block."""
    with both_sides(slug) as lane, leads(lane):
        yield lane


rows = Statements("sync").rows


@click.group()
def sync() -> None:
    """Keep the rule graph in Neo4j and Postgres in agreement.

    Rules, terms and interpretations go from Postgres to Neo4j; scenarios, components and the edges that say which
    term applies where come back. NEO4J_URI, NEO4J_USER and NEO4J_PASSWORD name the server, DIRECT_URL the database.
    """


@sync.command()
@click.option("--once", is_flag=True, help="Work off what waits, read what was curated, and end.")
@click.option(
    "--enterprise", "only", multiple=True, metavar="SLUG", help="Only this enterprise; may be repeated."
)
@click.option("--verbose", is_flag=True, help="Say more on stderr.")
def run(once: bool, only: tuple[str, ...], verbose: bool) -> None:
    """Run the daemon until SIGTERM.

    Several may run: one leads, the others wait and take over within two seconds. Messages go to stderr; under systemd
    (Type=notify) it reports when it is ready and that it lives.
    """
    logging.basicConfig(
        stream=sys.stderr,
        level=logging.DEBUG if verbose else logging.INFO,
        format="%(asctime)s %(levelname)s %(message)s",
    )
    logging.getLogger("neo4j").setLevel(logging.ERROR)
    Daemon(direct_target(), graph_target(), only, export_folder()).run(once=once)


@sync.command()
@json_option
def status(as_json: bool) -> None:
    """How it stands: leader, queue, lag, generation, dead letters, drift (view graph.status)."""
    found: list[dict[str, Any]] = []
    with closing(open_session(direct_target())) as conn:
        store = Store(conn)
        for enterprise in chosen(store, ()):
            with store.acting_in(enterprise.id):
                found += rows(store.conn, "status")
    if as_json:
        print_json(found)
        return
    for row in found:
        for column, value in row.items():
            if column != "enterprise_id":
                shown = (
                    timedelta(seconds=round(value.total_seconds())) if isinstance(value, timedelta) else value
                )
                click.echo(f"{column:24} {'' if shown is None else shown}")
    if not found:
        say("no enterprise is connected to Neo4j yet: crewpay sync run")


@sync.command()
@enterprise_option
@json_option
def backfill(enterprise: str | None, as_json: bool) -> None:
    """Queue everything that Postgres owns again. Safe at any time; the daemon pushes it."""
    with acting(enterprise) as (store, _):
        store.connect()
        queued = store.queue_all()
    if as_json:
        print_json({"queued": queued})
    else:
        click.echo(f"{queued} keys queued")


@sync.command()
@click.option(
    "--prune", is_flag=True, help="Also remove rules and interpretations that Postgres doesn't know."
)
@enterprise_option
@json_option
def reconcile(prune: bool, enterprise: str | None, as_json: bool) -> None:
    """Compare both sides value by value, and repair Neo4j. Exit code 1: something differed."""
    found: dict[str, list[Difference]] = {}
    with lanes(enterprise) as all_lanes:
        for lane in all_lanes:
            with leads(lane):
                found[lane.enterprise.slug] = lane.reconcile(prune=prune)
    drift = sum(map(len, found.values()))
    if as_json:
        data = [{"enterprise": slug, **d.as_data()} for slug, some in found.items() for d in some]
        print_json(data, status="findings" if drift else "ok", drift=drift)
    else:
        for slug, some in found.items():
            for d in some:
                details = f" ({', '.join(d.properties)})" if d.properties else ""
                click.echo(f"{slug} {d.entity} {d.key}: {d.kind}{details}")
        click.echo(f"drift: {drift}")
    if drift:
        sys.exit(FINDINGS)


@sync.command()
@click.option(
    "--accept-shrink", is_flag=True, help="Accept that more than a fifth of the rule graph is gone."
)
@enterprise_option
@json_option
def backflow(accept_shrink: bool, enterprise: str | None, as_json: bool) -> None:
    """Read what was curated in Neo4j now. Exit code 1: it is rejected, and why."""
    with leading(enterprise) as lane:
        proposed = lane.bring_back(accept_shrink=accept_shrink)
        reasons = rows(lane.store.conn, "findings") if proposed.state == "rejected" else []
    if as_json:
        print_json(
            {"state": proposed.state, "generation": proposed.generation, "findings": reasons},
            status="findings" if reasons else "ok",
        )
    else:
        for reason in reasons:
            click.echo(f"{reason['code']}  {reason['subject']}: {reason['detail']}")
        click.echo(f"{proposed.state}: generation {proposed.generation} is in force")
    if proposed.state == "rejected":
        sys.exit(FINDINGS)


@sync.command()
@enterprise_option
@json_option
def adopt(enterprise: str | None, as_json: bool) -> None:
    """After one side was restored from a backup: the database counts, and Neo4j is made to agree."""
    with leading(enterprise) as lane:
        lane.ready()
        lane.store.queue_all()
        found = lane.reconcile()
        epoch = lane.epoch
    if as_json:
        print_json({"epoch": epoch, "repaired": [d.as_data() for d in found]})
    else:
        click.echo(f"adopted with epoch {epoch}; {len(found)} differences left after the push")


@sync.group()
def dead() -> None:
    """Keys that Neo4j refused: one waits, all others go on."""


@dead.command("list")
@enterprise_option
@json_option
def dead_list(enterprise: str | None, as_json: bool) -> None:
    """List them. Exit code 1: there are some."""
    with acting(enterprise) as (store, _):
        letters = rows(store.conn, "letters")
    print_table(
        letters,
        columns=["entity", "key", "state", "attempts", "first_at", "last_at", "error_code", "error"],
        as_json=as_json,
    )
    if letters:
        sys.exit(FINDINGS)


@dead.command("retry")
@click.argument("entity", required=False, type=click.Choice(get_args(EntityName)))
@click.argument("key", required=False)
@enterprise_option
@json_option
def dead_retry(entity: str | None, key: str | None, enterprise: str | None, as_json: bool) -> None:
    """Try again: all, those of an ENTITY, or one KEY. Exit code 1: there is none of those named."""
    with acting(enterprise) as (store, _):
        row = store.conn.execute(query("sync", "retry"), (entity, key)).fetchone()
    queued = row[0] if row else 0
    if as_json:
        print_json({"queued": queued}, status="findings" if entity and not queued else "ok")
    else:
        click.echo(f"{queued} queued")
    if entity and not queued:
        sys.exit(FINDINGS)


@dead.command("drop")
@click.argument("entity", type=click.Choice(get_args(EntityName)))
@click.argument("key")
@enterprise_option
@json_option
def dead_drop(entity: str, key: str, enterprise: str | None, as_json: bool) -> None:
    """Forget one; the next reconcile compares it again. Exit code 1: there is none."""
    with acting(enterprise) as (store, _):
        row = store.conn.execute(query("sync", "drop"), (entity, key)).fetchone()
    dropped = bool(row and row[0])
    if as_json:
        print_json({"dropped": dropped}, status="ok" if dropped else "findings")
    elif not dropped:
        say(f"there is no dead letter {entity} {key}")
    if not dropped:
        sys.exit(FINDINGS)
