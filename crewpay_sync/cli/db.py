"""`crewpay db`: deploy, plan, verify, new, sql."""

from __future__ import annotations

import re
import sys

import click

from crewpay_sync.database import direct_target
from crewpay_sync.deploy import runner
from crewpay_sync.deploy.plan import Plan
from crewpay_sync.deploy.source import CLUSTER_FILES, Tree
from crewpay_sync.output import FINDINGS, CrewPayError, json_option, print_json, say


@click.group()
def db() -> None:
    """Deploy the database and see what a deploy would do."""


@db.command()
@json_option
def deploy(as_json: bool) -> None:
    """Bring the database to the state of this checkout.

    Roles and extensions first, then migrations, then all changed statements of sql/ in one transaction. Running it
    twice, or twice at once, does no harm. Connects with DIRECT_URL, else DATABASE_URL, else to the private cluster.
    """
    result = runner.deploy(direct_target(), say=say)
    if as_json:
        print_json(
            {
                "cluster": result.cluster,
                "migrations": result.migrations,
                "statements": result.statements,
                "version": result.version,
            }
        )
    elif result.nothing:
        click.echo(f"nothing to do: the database is at {result.version}")
    else:
        click.echo(
            f"deployed {result.version}: {len(result.migrations)} migrations, {result.statements} statements"
        )


@db.command()
@json_option
def plan(as_json: bool) -> None:
    """Print what deploy would run, and change nothing."""
    found = runner.plan(direct_target())
    if as_json:
        print_json(found.as_data())
        return
    _print_plan(found)
    found.refuse()


def _print_plan(found: Plan) -> None:
    if found.empty:
        click.echo("nothing to do")
    for path in found.cluster:
        click.echo(f"cluster    sql/{path}")
    for migration in found.migrations:
        click.echo(f"migration  migrations/{migration.path.name}")
    if found.everything and len(found.units) > 40:
        files = dict.fromkeys(unit.path for unit in found.units)
        for path in files:
            click.echo(f"all of     sql/{path}")
        return
    for unit in found.units:
        click.echo(f"statement  sql/{unit.path}:{unit.line}  {unit.title}")


@db.command()
@click.option(
    "--shadow", is_flag=True, help="Also build a fresh database beside it and compare both schemas."
)
@json_option
def verify(shadow: bool, as_json: bool) -> None:
    """Exit 1 when the database lags behind this checkout, or an applied migration was edited."""
    target = direct_target()
    found = runner.plan(target)
    findings = found.lag()
    if shadow and not findings:
        from crewpay_sync.deploy.shadow import differences

        findings += differences(target)
    if as_json:
        print_json(findings, status="findings" if findings else "ok")
    else:
        for finding in findings:
            click.echo(finding)
        if not findings:
            click.echo("ok: the database is what this checkout says")
    if findings:
        sys.exit(FINDINGS)


@db.command()
@click.argument("name")
def new(name: str) -> None:
    """Make the next numbered migration and its rollback, e.g. `crewpay db new pay-stubs`."""
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name):
        raise click.UsageError("NAME is lower-case words joined by hyphens")
    tree = Tree()
    migrations = tree.migrations()
    number = int(migrations[-1].id[:4]) + 1 if migrations else 1
    path = tree.root / "migrations" / f"{number:04d}.{name}.sql"
    rollback = path.with_name(f"{number:04d}.{name}.rollback.sql")
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(
                "-- Why this change. Names carry their schema; functions of sql/ are not used here.\n\n"
            )
        with rollback.open("x", encoding="utf-8") as file:
            file.write(f"-- Undoes {path.name}, in reverse order.\n\n")
    except OSError as error:
        raise CrewPayError("CP908", f"could not write {path.name}: {error.strerror}") from error
    click.echo(path.relative_to(tree.root))
    click.echo(rollback.relative_to(tree.root))


@db.command("sql")
def print_sql() -> None:
    """Print all SQL in the order it runs, without connecting."""
    tree = Tree()
    for path in (
        *(tree.sql / name for name in CLUSTER_FILES),
        *(migration.path for migration in tree.migrations()),
        *(tree.sql / name for name in tree.load_order()),
    ):
        click.echo(f"-- {path.relative_to(tree.root)}")
        click.echo(path.read_text(encoding="utf-8").rstrip("\n") + "\n")
