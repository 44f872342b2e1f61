"""The `crewpay` command. One module per family of commands, registered by name in COMMANDS and loaded when used."""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any

import click

from crewpay_sync import __version__
from crewpay_sync.output import report_errors

# command -> "module:attribute" of its Click command or group. A module that is not there hides its commands.
COMMANDS: dict[str, str] = {
    "db": "crewpay_sync.cli.db:db",
    "doctor": "crewpay_sync.cli.doctor:doctor",
    "psql": "crewpay_sync.cli.psql:psql",
    "import": "crewpay_sync.cli.imports:imports",
    "audit": "crewpay_sync.cli.audit:audit",
    "contract": "crewpay_sync.cli.contract:contract",
    "pay": "crewpay_sync.cli.pay:pay",
    "demo": "crewpay_sync.cli.demo:demo",
    "auth": "crewpay_sync.cli.auth:auth",
    "jobs": "crewpay_sync.cli.jobs:jobs",
    "notify": "crewpay_sync.cli.notify:notify",
    "review": "crewpay_sync.cli.review:review",
    "claims": "crewpay_sync.cli.claims:claims",
    "docs": "crewpay_sync.cli.docs:docs",
    "bench": "crewpay_sync.cli.bench:bench",
    "sync": "crewpay_sync.cli.sync:sync",
    "graph": "crewpay_sync.cli.graph:graph",
}


class LazyGroup(click.Group):
    """Loads a command's module only when that command is asked for, so that `crewpay psql` starts fast."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(
            name for name, target in COMMANDS.items() if importlib.util.find_spec(target.split(":")[0])
        )

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        target = COMMANDS.get(cmd_name)
        if target is None or importlib.util.find_spec(target.split(":")[0]) is None:
            return None
        module, attribute = target.split(":")
        command = getattr(importlib.import_module(module), attribute)
        if not isinstance(command, click.Command):
            raise TypeError(f"{target} is not a Click command")
        return command


@click.command(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="crewpay")
def cli() -> None:
    """Airline crew pay inside PostgreSQL.

    Data goes to stdout, messages to stderr. Exit codes: 0 ok, 1 findings, 2 usage, 3 connection or
    configuration, 4 refused, 5 partly done.
    """


def main(args: list[str] | None = None) -> Any:
    """Entry point of the console script."""
    with report_errors():
        return cli.main(args=args, prog_name="crewpay")
