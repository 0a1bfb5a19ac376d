"""The owner's yes before others' messages leave this machine: asked once for each address, and kept in the home."""

import ipaddress
import json
import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from filelock import FileLock

from kithnet.runtime.config import Config
from kithnet.runtime.errors import InputError
from kithnet.runtime.files import put_in_place, storing

FILE = "remote/consent.json"
HINT = "say yes with --yes (once), or -c model.consent=true; a model on this machine needs none"

Ask = Callable[[str], bool]


def at_home(url: str) -> bool:
    """Whether an address is this very machine's own."""
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:  # no web address, which `RemoteModel` says: nothing can be sent there
        return True
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:  # a name, which leads anywhere
        return False


def where(url: str) -> str:
    """The address that a yes is for: scheme, host, port and path, without credentials."""
    parts = urlsplit(url)
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{parts.hostname or ''}{port}{parts.path.rstrip('/')}"


def told(config: Config) -> str:
    """What is sent where."""
    return (
        f"The agents would send to {where(config.model.url)} (model {config.model.name}): the questions, the names of the "
        "people, and the messages and notes that the agents find for them, of everybody whose agent takes part."
    )


def given(config: Config, home: Path) -> bool:
    """Whether messages may be sent to the configured model."""
    url = config.model.url
    return not url or at_home(url) or config.model.consent or where(url) in _kept(home)


def need(config: Config, home: Path) -> None:
    """Raises InputError where the configured model is elsewhere and nobody said yes."""
    if not given(config, home):
        raise InputError(told(config), HINT)


def obtain(config: Config, home: Path, *, yes: bool, ask: Ask | None = None) -> None:
    """Have the owner's yes, or raise InputError: it was given before, is given with the command, or is asked for now.

    ask: puts the question to a person; None for a terminal, where there is one. Raises StorageError.
    """
    if given(config, home) and not config.model.consent:
        return
    ask = ask or (on_terminal if sys.stdin.isatty() and sys.stderr.isatty() else None)
    if yes or config.model.consent or (ask is not None and ask(told(config))):
        if config.model.url and not at_home(config.model.url):
            _keep(home, where(config.model.url))
        return
    need(config, home)


def on_terminal(text: str) -> bool:
    """Put it to the person at the keyboard; no answer is a no."""
    print(f"{text}\n  send it? This is asked once. [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().casefold() in ("y", "yes")


def _kept(home: Path) -> dict[str, str]:
    try:
        body = json.loads((home / FILE).read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}


def _keep(home: Path, address: str) -> None:
    file = home / FILE
    with storing(home):
        file.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(file.with_suffix(".lock")):
            known = _kept(home)
            if address in known:
                return
            body = {**known, address: datetime.now(UTC).isoformat(timespec="seconds")}
            part = file.with_name(f".{file.name}.{os.getpid()}.part")
            part.write_text(json.dumps(body, indent=1), encoding="utf-8")
            put_in_place(part, file)
