"""The `kith` command. Each module here parses, calls one function of a room below, and prints."""

import errno
import os
import sys
from collections.abc import Sequence

import typer

from kithnet.app.cli import output, shell
from kithnet.runtime.errors import InputError, KithnetError, StorageError

OPENMP = {"GOMP_SPINCOUNT": "1000", "OMP_WAIT_POLICY": "active"}
"""How long llama.cpp's threads spin for each other before they sleep (read by OpenMP when it is loaded). By default
they spin so long that two threads on two cores stand still whenever another program wants a core, and hardly at all
once a second pool of threads exists: one reply was decoded half as fast beside an idle embedder."""
STOPPED = 130
NAME_ERRNOS = {errno.ENAMETOOLONG, errno.ENOTDIR, errno.ELOOP, errno.EINVAL}
STORAGE_ERRNOS = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO}


def build() -> typer.Typer:
    """The command tree. Its modules import only typer and the standard library at the top: `--help` stays fast."""
    from kithnet.app.cli import (
        ask,
        bench,
        chat,
        chats,
        demo,
        doctor,
        grants,
        memory,
        model,
        serve,
        simulate,
        trace,
    )

    app = typer.Typer(
        name="kith",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
        help="Personal agents that mirror a social network, talk to find out what they do not know, and run offline.",
    )
    app.callback()(shell.root)
    commands = (
        doctor.doctor,
        demo.demo,
        ask.ask,
        chat.chat,
        simulate.simulate,
        serve.serve,
        trace.trace,
        shell.completion,
    )
    for command in commands:
        app.command(command.__name__)(command)
    app.add_typer(model.app, name="model")
    app.add_typer(chats.app, name="world")  # that of `world`, with the commands of `world_keeping` and `chats`
    app.add_typer(memory.app, name="memory")
    app.add_typer(grants.app, name="grants")
    app.add_typer(bench.app, name="bench")
    return app


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status: 0 done, 1 could not, 2 bad input, 130 stopped by Ctrl-C."""
    for name, value in OPENMP.items():
        os.environ.setdefault(name, value)
    arguments = list(sys.argv[1:] if argv is None else argv)
    as_json = "--json" in arguments
    if not arguments:
        arguments = ["--help"]
    if unreadable := next((a for a in arguments if not a.isprintable() and _has_surrogate(a)), None):
        told = unreadable.encode("utf-8", "replace").decode()
        return output.fail(InputError(f"{told!r} is not UTF-8 text", "type it in a UTF-8 terminal"), as_json)
    if shell.ASKED in os.environ:
        shell.answer()
    try:
        status = typer.main.get_command(build()).main(args=arguments, prog_name="kith", standalone_mode=False)
    except typer.Abort:
        return _stopped()
    except typer.TyperException as wrong:
        context = getattr(wrong, "ctx", None)
        usage = f"{context.command_path} --help" if context else "kith --help"
        return output.fail(InputError(str(wrong), f"see `{usage}`"), as_json)
    except KithnetError as error:
        return output.fail(error, as_json)
    except KeyboardInterrupt:
        return _stopped()
    except OSError as error:
        if error.errno in NAME_ERRNOS:
            told = str(error.filename or "a name")[:80]
            return output.fail(
                InputError(f"{told}: {error.strerror}", "check the name or path that was given"), as_json
            )
        if error.errno not in STORAGE_ERRNOS:
            raise
        where = f" ({error.filename})" if error.filename else ""
        hint = "free space or make the folder writable, or set KITHNET_HOME to another one; then run the same again"
        return output.fail(StorageError(f"{error.strerror}{where}", hint), as_json)
    if status == STOPPED:  # typer turns Ctrl-C into this status without a word
        return _stopped()
    return status if isinstance(status, int) else 0


def _has_surrogate(text: str) -> bool:
    return any(0xD800 <= ord(character) <= 0xDFFF for character in text)


def _stopped() -> int:
    print("stopped; the same command continues where it stopped", file=sys.stderr)
    return STOPPED
