"""`kith doctor`: what works here, what is missing, and the command that mends it."""

import os
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kithnet.app.cli import output

if TYPE_CHECKING:
    from kithnet.app.doctor import Check


def doctor(
    deep: Annotated[bool, typer.Option("--deep", help="Read the model files whole and check their sha256.")] = False,
    config: Annotated[Path | None, typer.Option("--config", help="A TOML file with settings.")] = None,
    change: Annotated[list[str] | None, typer.Option("-c", metavar="A.B=C", help="Change one setting.")] = None,
    as_json: output.AsJson = False,
) -> None:
    """Look at this machine and tell what works, what is missing, and the command that mends it.

    Exit status 0 when everything that is needed works, else 1.

    Example: kith doctor --deep
    """
    from kithnet.app.doctor import Question, examine, healthy
    from kithnet.app.home import home_folder
    from kithnet.runtime.config import Config

    started = time.perf_counter()
    settings = Config.load(config, change or ())
    model = settings.model
    question = Question(
        home=home_folder(os.environ),
        model=model.name,
        embedder=settings.embedder.name,
        reader=settings.reader.name,
        url=model.url,
        mind=model.mind,
        key=os.environ.get(model.api_key_env, ""),
        deep=deep,
        programs=os.environ.get("PATH", ""),
    )
    checks = examine(question)
    ok = healthy(checks)
    payload = {
        "ok": ok,
        "checks": [asdict(check) for check in checks],
        "seconds": round(time.perf_counter() - started, 2),
    }
    verdict = "everything needed works" if ok else "something needed is missing: see the lines marked !!"
    output.show(payload, "\n".join([*map(_line, checks), verdict]), as_json)
    raise typer.Exit(0 if ok else 1)


def _line(check: "Check") -> str:
    mark = "ok" if check.ok else "!!" if check.needed else "--"
    mend = f"\n{'':24}-> {check.mend}" if check.mend else ""
    return f"{mark}  {check.name:<20}{check.detail}{mend}"
