"""The formats of exports, and which of them a file is in: one table."""

from collections.abc import Iterator
from pathlib import Path

from kithnet.network.importers import (
    chatlab,
    discord,
    googlechat,
    imessage,
    mail,
    matrix,
    messenger,
    signal_app,
    slack,
    telegram,
    whatsapp,
)
from kithnet.network.importers.files import Files
from kithnet.network.importers.items import Reader, listed
from kithnet.runtime.errors import InputError

READERS: tuple[Reader, ...] = (
    whatsapp, telegram, discord, slack, messenger, signal_app, imessage, googlechat, matrix, chatlab, mail,
)  # fmt: skip
_LINES, _CHARACTERS = 3, 80


def named(name: str) -> Reader:
    """The reader of a format. Raises InputError."""
    for reader in READERS:
        if reader.name == name:
            return reader
    raise InputError(f"there is no format {name!r}", f"formats: {listed(READERS)}")


def recognised(files: Files) -> Reader:
    """The one reader whose files these are. Raises InputError, with what the files begin with, where none is or several."""
    fitting = [reader for reader in READERS if reader.claims(files)]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise InputError(f"{files.path.name} may be {listed(fitting)}", "say which: --from FORMAT")
    raise not_understood(files)


def not_understood(files: Files) -> InputError:
    """The error for files of which nothing was understood."""
    hint = f"export it as docs/worlds.md says, or say what it is: --from {'|'.join(reader.name for reader in READERS)}"
    return InputError(
        f"nothing in {files.path.name} was understood; it begins with: {' / '.join(_beginning(files))}", hint
    )


def _beginning(files: Files) -> Iterator[str]:
    if not files.names:
        yield "nothing, it is empty"
        return
    if len(files.names) > 1:
        yield ", ".join(files.names[:_LINES])
    head = files.head(files.names[0], 4_096).decode("utf-8", "replace")
    lines = [line.strip()[:_CHARACTERS] for line in head.splitlines() if line.strip()] or ["nothing, it is empty"]
    yield from ("".join(one for one in line if one.isprintable()) for line in lines[:_LINES])


def exports(path: Path) -> list[Path]:
    """The exports at a path that a user gives: itself, or the files and folders in a folder that are exports by themselves."""
    if not path.is_dir():
        return [path]
    with Files(path) as files:
        if any(reader.claims(files) for reader in READERS):
            return [path]
    return sorted(one for one in path.iterdir() if not one.name.startswith("."))
