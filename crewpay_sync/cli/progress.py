"""Progress of long work on a terminal; silent elsewhere."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


def shown() -> bool:
    """Whether somebody is watching."""
    return sys.stderr.isatty() and not os.environ.get("CI")


@contextmanager
def spinner(label: str) -> Iterator[None]:
    """A spinner with the time spent so far when stderr is a terminal; silent otherwise."""
    if not shown():
        yield
        return
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        bar.add_task(label, total=None)
        yield


@contextmanager
def steps(total: int) -> Iterator[Callable[[str], None]]:
    """A progress bar of named steps when stderr is a terminal; silent otherwise."""
    if not shown():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("start", total=total)

        def step(name: str) -> None:
            bar.update(task, advance=1, description=name)

        yield step


@contextmanager
def rows_bar() -> Iterator[Callable[[int], None]]:
    """A count of rows sent when stderr is a terminal; silent otherwise."""
    if not shown():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("rows", total=None)
        yield lambda rows: bar.update(task, advance=rows)
