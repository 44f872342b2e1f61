"""`crewpay docs`: documentation made from the database."""

from __future__ import annotations

from contextlib import closing

import click

from crewpay_sync.database import direct_target
from crewpay_sync.docs import REFERENCE, sql_reference, write_reference
from crewpay_sync.output import say


@click.group()
def docs() -> None:
    """Make documentation from the database."""


@docs.command("sql")
@click.option("--write", is_flag=True, help="Write docs/sql-api.md of the checkout instead of printing.")
def sql_command(write: bool) -> None:
    """Print the SQL reference as Markdown: functions, views, tables and types with their comments."""
    with closing(direct_target().connect()) as conn:
        text = sql_reference(conn)
    if not write:
        click.echo(text, nl=False)
    elif write_reference(text):
        say(f"written: {REFERENCE.name}")
    else:
        say(f"fresh already: {REFERENCE.name}")
