"""`kith model`: the model files on this machine."""

import os
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from kithnet.app.cli import output

if TYPE_CHECKING:
    from kithnet.runtime.files import OnProgress
    from kithnet.runtime.registry import ModelEntry, Registry

app = typer.Typer(no_args_is_help=True, help="GGUF models on this machine: list, fetch, show.")

_MEGABYTE = 1e6


@app.command("list")
def list_models(as_json: output.AsJson = False) -> None:
    """List the models: the defaults, fetched or not, then whatever else lies in the models folder.

    Example: kith model list
    """
    registry = _registry()
    entries = registry.list()
    rows = [_row(entry) for entry in entries]
    lines = [
        f"{entry.name:<28} {entry.state:<8} {entry.bytes / _MEGABYTE:>9,.1f} MB  {entry.about or entry.source}"
        for entry in entries
    ]
    output.show({"folder": str(registry.folder), "models": rows}, "\n".join(lines), as_json)


@app.command("fetch")
def fetch(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="NAME", help="Models to fetch; the defaults when none is named."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Fetch again even where the model is here.")] = False,
    as_json: output.AsJson = False,
) -> None:
    """Fetch models once, check them, and keep them for use with the network off.

    NAME is a default's name, hf:OWNER/REPOSITORY/FILE.gguf, or the path of a GGUF file (then known by the
    file's name). Interrupted, it continues when the same command is given again.

    Example: kith model fetch smollm2-135m
    """
    registry = _registry()
    fetched = []
    for name in names or registry.defaults:
        with output.progress(name, "MB") as tell:
            path = registry.fetch(name, _in_megabytes(tell), force=force)
        fetched.append({"name": name, "path": str(path), "bytes": path.stat().st_size})
        if not as_json:
            output.note(f"{name} is ready")
    text = "\n".join(str(row["path"]) for row in fetched)
    output.show({"models": fetched}, text, as_json)


@app.command("show")
def show(
    name: Annotated[str, typer.Argument(help="A model's name, hf:OWNER/REPOSITORY/FILE.gguf, or a path.")],
    as_json: output.AsJson = False,
) -> None:
    """Show what a model is and what it costs to run.

    Example: kith model show smollm2-135m --json
    """
    with output.progress(name, "MB") as tell:
        detail = _registry().show(name, _in_megabytes(tell))
    card = detail.card
    payload = {
        "name": detail.name,
        "path": str(detail.path),
        "source": detail.source,
        "sha256": detail.sha256,
        **asdict(card),
    }
    types = ", ".join(f"{count} {kind}" for kind, count in card.types.items())
    cache = f"{card.kv_bytes_per_token:,} bytes a token at f16; {card.agents_per_gib} agents of 2,048 tokens in 1 GiB"
    lines = [
        f"{card.title} ({detail.name})",
        f"  architecture  {card.architecture}, {card.layers} layers"
        + (f", {card.experts} experts" if card.experts else ""),
        f"  parameters    {card.parameters:,}",
        f"  context       {card.context:,} tokens",
        f"  tensors       {types}",
        f"  KV cache      {cache if card.kv_bytes_per_token else 'none'}",
        f"  size          {card.bytes / _MEGABYTE:,.1f} MB",
        f"  license       {card.license or 'not stated in the file'}",
        f"  source        {detail.source}",
        f"  sha256        {detail.sha256}",
        f"  path          {detail.path}",
    ]
    output.show(payload, "\n".join(lines), as_json)


def _in_megabytes(tell: output.Progress) -> "OnProgress":
    def told(done: int, total: int | None = None, note: str = "") -> None:
        tell(round(done / _MEGABYTE), None if total is None else round(total / _MEGABYTE), note)

    return told


def _row(entry: "ModelEntry") -> dict[str, object]:
    return {**asdict(entry), "path": str(entry.path)}


def _registry() -> "Registry":
    from kithnet.app.home import models_folder
    from kithnet.runtime.registry import HUB, Registry

    return Registry(
        models_folder(os.environ),
        hub=os.environ.get("HF_ENDPOINT") or HUB,
        token=os.environ.get("HF_TOKEN", ""),
    )
