"""`crewpay graph`: questions to the rule graph in Neo4j, and its export."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, LiteralString, cast

import click

from crewpay_sync.cli.arguments import enterprise_option
from crewpay_sync.cli.sync import both_sides, leading
from crewpay_sync.output import FINDINGS, USAGE, CrewPayError, json_option, print_json, print_table, say
from crewpay_sync.sync import dump, neo4j
from crewpay_sync.sync.graph import from_neo4j, graph_target, open_driver
from crewpay_sync.sync.statements import named_queries, named_query


def plain(value: Any) -> Any:
    """A value of Neo4j as text or JSON shows it; a path as its nodes and edges in a row."""
    if isinstance(value, neo4j.graph.Path):
        parts = [plain(value.start_node)]
        for edge in value.relationships:
            forward = edge.start_node is not None and plain(edge.start_node) == parts[-1]
            parts += [
                f"-{edge.type}->" if forward else f"<-{edge.type}-",
                plain(edge.end_node if forward else edge.start_node),
            ]
        return " ".join(parts)
    if isinstance(value, neo4j.graph.Node):
        return str(value.get("code") or value.get("type") or value.get("id") or value.element_id)
    if isinstance(value, neo4j.graph.Relationship):
        return value.type
    if isinstance(value, list):
        return [plain(v) for v in value]
    return value


@contextmanager
def tenant_session(slug: str | None, *, needed: bool) -> Iterator[tuple[neo4j.Session, str | None]]:
    """A session of Neo4j and the enterprise to ask for; the document's queries name none, and need no database."""
    if needed:
        with both_sides(slug) as lane, lane.graph.session() as session:
            yield session, lane.graph.enterprise
        return
    target = graph_target()
    with open_driver(target) as driver, driver.session() as session:
        try:
            yield session, None
        except (neo4j.exceptions.Neo4jError, neo4j.exceptions.DriverError) as error:
            raise from_neo4j(error, target) from error


@click.group()
def graph() -> None:
    """Ask the rule graph in Neo4j; export and restore what it owns."""


@graph.command()
@json_option
def queries(as_json: bool) -> None:
    """List the named queries (graph/queries) and what they take."""
    found = []
    for name in named_queries():
        title, _, parameters = named_query(name)
        found.append({"name": name, "parameters": " ".join(parameters), "answers": title})
    print_table(found, as_json=as_json)


@graph.command()
@click.argument("name")
@click.option(
    "-p", "--parameter", "given", multiple=True, metavar="NAME=VALUE", help="A parameter of the query."
)
@enterprise_option
@json_option
def query(name: str, given: tuple[str, ...], enterprise: str | None, as_json: bool) -> None:
    """Answer a named query, within one enterprise. Exit code 1: no row."""
    _, text, parameters = named_query(name)
    values = dict(part.partition("=")[::2] for part in given)
    if set(values) != set(parameters):
        raise click.UsageError(
            f"{name} takes {', '.join(f'-p {p}=…' for p in parameters) or 'no parameters'}"
        )
    with tenant_session(enterprise, needed="$enterprise" in text) as (session, tenant):
        result = session.run(text, {**values, "enterprise": tenant})
        columns = list(result.keys())
        answer = [{c: plain(v) for c, v in zip(columns, record.values(), strict=True)} for record in result]
    print_table(answer, columns=columns, as_json=as_json)
    if not answer:
        sys.exit(FINDINGS)


@graph.command()
@click.argument("statement")
@enterprise_option
@json_option
def cypher(statement: str, enterprise: str | None, as_json: bool) -> None:
    """Run a STATEMENT of Cypher, to look or to curate ("-": from stdin). $enterprise in it is the id of the enterprise.

    What it changes is read back within a second, where a daemon runs. It may change anything in Neo4j.
    """
    text = sys.stdin.read() if statement == "-" else statement
    with tenant_session(enterprise, needed="$enterprise" in text) as (session, tenant):
        try:
            result = session.run(cast(LiteralString, text), {"enterprise": tenant})
            columns = list(result.keys())
            answer = [
                {c: plain(v) for c, v in zip(columns, record.values(), strict=True)} for record in result
            ]
            changes = result.consume().counters
        except neo4j.exceptions.ClientError as error:
            raise CrewPayError(
                "CP946", "Neo4j refuses the statement", detail=error.message, exit_code=USAGE
            ) from error
    if columns or as_json:
        print_table(answer, columns=columns, as_json=as_json)
    if changes.contains_updates:
        say(
            ", ".join(
                f"{n} {what.replace('_', ' ')}" for what, n in vars(changes).items() if n and what[0] != "_"
            )
        )


@graph.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path), required=False)
@enterprise_option
@json_option
def export(file: Path | None, enterprise: str | None, as_json: bool) -> None:
    """Write what Neo4j owns as a Cypher script: to FILE, or to stdout."""
    with both_sides(enterprise) as lane:
        if file is None:
            click.echo(dump.script(lane.graph, lane.enterprise.slug), nl=False)
            return
        try:
            dump.export(lane.graph, lane.enterprise.slug, file)
        except OSError as error:
            raise CrewPayError("CP908", f"could not write {file}: {error.strerror}") from error
        lane.store.record_work("export")
    if as_json:
        print_json({"file": str(file)})
    else:
        say(f"exported to {file}")


@graph.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--accept-shrink", is_flag=True, help="Accept that the export is much smaller than what is in force."
)
@enterprise_option
@json_option
def restore(file: Path, accept_shrink: bool, enterprise: str | None, as_json: bool) -> None:
    """Put the curated graph back to an export, whole; then it is checked and accepted like any edit."""
    with leading(enterprise) as lane:
        lane.ready()
        restored, rows = dump.restore(lane.graph, lane.epoch, file)
        proposed = lane.bring_back(accept_shrink=accept_shrink)
    if as_json:
        print_json(
            {
                "restored": restored,
                "rows": rows,
                "state": proposed.state,
                "generation": proposed.generation,
            }
        )
    else:
        click.echo(f"{restored} of {rows} rows restored from {file}")
        if restored < rows:
            say("the others are edges of rules that are no longer there")
        click.echo(f"{proposed.state}: generation {proposed.generation} is in force")
    if proposed.state == "rejected":
        sys.exit(FINDINGS)
