"""A progress bar for commands that take a while."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

__all__ = ["progress_bar"]


@contextmanager
def progress_bar(console: Console) -> Generator[Callable[[str, float], None], None, None]:
    """Show the progress of what runs in the block, where `console` is a terminal; yields whom to tell of it."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=1.0)

        def watch(doing: str, done: float) -> None:
            progress.update(task, description=doing, completed=done)

        yield watch
