"""How every command speaks: one JSON object on stdout with `--json`, else text; notes and errors on stderr."""

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated, Any, Protocol

import typer

from kithnet.runtime.errors import KithnetError

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]


def show(payload: Mapping[str, Any], text: str, as_json: bool) -> None:
    """Print the result of a command: `payload` as one JSON object, or `text` for a person."""
    print(json.dumps(payload, ensure_ascii=False, default=str) if as_json else text)


def note(text: str) -> None:
    """Say something beside the result."""
    print(text, file=sys.stderr)


def fail(error: KithnetError, as_json: bool) -> int:
    """Print an error as the contract says (docs/json.md); returns its exit status."""
    if as_json:
        body = {"type": type(error).__name__, "message": error.message, "hint": error.hint}
        print(json.dumps({"error": body}, ensure_ascii=False))
    else:
        print(f"error: {error.message}", file=sys.stderr)
        if error.hint:
            print(f"  -> {error.hint}", file=sys.stderr)
    return error.exit_status


class Progress(Protocol):
    def __call__(self, done: int, total: int | None = None, note: str = "") -> None:
        """Tell how far the work is; `total` may be unknown, `note` is shown behind the bar."""


@contextmanager
def progress(title: str, unit: str = "") -> Iterator[Progress]:
    """A progress bar with rate and time left on stderr; silent where stderr is not a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(unit),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Bar(*columns, console=Console(stderr=True), transient=False, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task(title, total=None, note="")

        def tell(done: int, total: int | None = None, note: str = "") -> None:
            bar.update(task, completed=done, total=total, note=note)

        yield tell


@contextmanager
def working(title: str, quiet: bool = False) -> Iterator[None]:
    """A spinner with the time on stderr for work whose length is unknown; silent without a terminal."""
    from rich.console import Console
    from rich.progress import Progress as Bar
    from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    console = Console(stderr=True)
    with Bar(*columns, console=console, transient=True, disable=quiet or not sys.stderr.isatty()) as bar:
        bar.add_task(title, total=None)
        yield


def names(given: list[str] | None) -> list[str]:
    """What a repeatable option names: `--arms a,b --arms c` names three."""
    return [name.strip() for one in given or () for name in one.split(",") if name.strip()]
