"""Every command explains itself, and loads."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from crewpay_sync.cli import COMMANDS, cli


def every_command() -> Iterator[tuple[str, ...]]:
    def walk(command: click.Command, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        yield path
        if isinstance(command, click.Group):
            context = click.Context(command)
            for name in command.list_commands(context):
                found = command.get_command(context, name)
                assert found is not None, name
                yield from walk(found, (*path, name))

    return walk(cli, ())


PATHS = list(every_command())


def test_every_registered_command_is_there() -> None:
    assert {path[0] for path in PATHS if path} == set(COMMANDS)


@pytest.mark.parametrize("path", PATHS, ids=" ".join)
def test_help(path: tuple[str, ...]) -> None:
    result = CliRunner().invoke(cli, [*path, "--help"], catch_exceptions=False)
    assert result.exit_code == 0
    assert result.output.startswith("Usage: ")
    lines = [line for line in result.output.splitlines()[1:] if line.strip()]
    assert lines[0].startswith("  "), "no help text"
    assert not lines[0].lstrip().startswith("Options")


@pytest.mark.parametrize("path", PATHS, ids=" ".join)
def test_every_command_that_prints_data_can_print_json(path: tuple[str, ...]) -> None:
    """Commands that answer with something offer --json; the exceptions are listed with their reason."""
    text_only = {
        ("psql",): "psql itself",
        ("db", "new"): "writes files",
        ("db", "sql"): "prints SQL",
        ("docs", "sql"): "prints Markdown",
        ("sync", "run"): "prints nothing: its messages are on stderr",
    }
    command: click.Command = cli
    for name in path:
        assert isinstance(command, click.Group)
        found = command.get_command(click.Context(command), name)
        assert found is not None
        command = found
    if isinstance(command, click.Group):
        return
    offers = any("--json" in parameter.opts for parameter in command.params)
    assert offers != (path in text_only), f"{' '.join(path)}: --json"


def test_unknown_command_is_a_usage_error() -> None:
    assert CliRunner().invoke(cli, ["nothing"]).exit_code == 2


def test_the_daemon_loads_nothing_of_data_analysis() -> None:
    """The driver loads pandas and numpy where they are installed; the daemon would hold them for good."""
    loaded = "import sys, crewpay_sync.cli.sync; print({'numpy', 'pandas'} & sys.modules.keys(), sys.modules['neo4j'].__name__)"
    done = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True)
    assert done.stdout == "set() neo4j\n"
