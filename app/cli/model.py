"""`kith model`: the model files on this machine."""

import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kithnet.app.cli import experts, output
from kithnet.runtime.errors import InputError

if TYPE_CHECKING:
    from kithnet.runtime.files import OnProgress
    from kithnet.runtime.registry import ModelEntry, Registry

app = typer.Typer(no_args_is_help=True, help="GGUF models on this machine: list, fetch, show, convert, tune.")
for command in (experts.convert, experts.verify, experts.moefy, experts.synthetic, experts.calibrate, experts.replay):
    app.command(command.__name__)(command)

_MEGABYTE = 1e6


@app.command("list")
def list_models(as_json: output.AsJson = False) -> None:
    """List the models: the defaults, fetched or not, then whatever else lies in the models folder.

    Example: kith model list
    """
    registry = _registry()
    entries = registry.list()
    rows = [{**_row(entry), "aptitude": _aptitude(entry.path, registry)} for entry in entries]
    lines = [
        f"{entry.name:<28} {entry.state:<8} {entry.bytes / _MEGABYTE:>9,.1f} MB  {entry.about or entry.source}"
        f"{_thinks(row['aptitude'])}"
        for entry, row in zip(entries, rows, strict=True)
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

    NAME is a default's name, a short name of kith model recommend, hf:OWNER/REPOSITORY/FILE.gguf, or the path of a GGUF
    file (then known by the file's name). Only the defaults' sha256 is known beforehand; that of a hub's file is pinned
    when it is first fetched. Interrupted, it continues when the same command is given again.

    Example: kith model fetch smollm2-135m
    """
    registry = _registry()
    fetched = []
    for name in names or registry.defaults:
        with output.progress(name, "MB") as tell:
            path = registry.fetch(name, in_megabytes(tell), force=force)
        fetched.append({"name": name, "path": str(path), "bytes": path.stat().st_size})
        if not as_json:
            output.note(f"{name} is ready{_pinned(name, registry)}")
    text = "\n".join(str(row["path"]) for row in fetched)
    output.show({"models": fetched}, text, as_json)


@app.command("recommend")
def recommend(
    memory: Annotated[
        str | None, typer.Option("--memory", metavar="SIZE", help="Plan for this much instead of what is free, as 8GB.")
    ] = None,
    as_json: output.AsJson = False,
) -> None:
    """Recommend models for this machine: what fits into memory, or with experts read by need, and how fast at most.

    Measures how fast memory and disk are read (two seconds at most); writes nothing that stays.

    Example: kith model recommend --memory 8GB
    """
    from kithnet.app import recommending
    from kithnet.app.home import models_folder
    from kithnet.runtime.sizes import parse_size

    wanted = 0 if memory is None else parse_size(memory)
    machine = recommending.look(models_folder(os.environ), wanted)
    offers = recommending.recommend(machine)
    output.show(recommending.contract(machine, offers), recommending.as_text(machine, offers), as_json)


@app.command("show")
def show(
    name: Annotated[str, typer.Argument(help="A model's name, hf:OWNER/REPOSITORY/FILE.gguf, or a path.")],
    as_json: output.AsJson = False,
) -> None:
    """Show what a model is and what it costs to run.

    Example: kith model show smollm2-135m --json
    """
    from kithnet.app import fitting
    from kithnet.app.engines import CONTEXT

    with output.progress(name, "MB") as tell:
        registry = _registry()
        detail = registry.show(name, in_megabytes(tell))
    card = detail.card
    outlook = fitting.look(detail.path, 2 * min(card.context, CONTEXT) * card.kv_bytes_per_token)
    payload = {
        "name": detail.name,
        "path": str(detail.path),
        "source": detail.source,
        "sha256": detail.sha256,
        **asdict(card),
        "memory": fitting.contract(outlook),
        "aptitude": _aptitude(detail.path, registry),
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
        f"  memory        {fitting.line(outlook)}",
        f"  thinking      {_thinks(payload['aptitude']).strip(' ()') or f'never checked (kith model check {name})'}",
        f"  license       {card.license or 'not stated in the file'}",
        f"  source        {detail.source}",
        f"  sha256        {detail.sha256}",
        f"  path          {detail.path}",
    ]
    output.show(payload, "\n".join(lines), as_json)


@app.command("kv")
def kv(
    name: Annotated[str, typer.Argument(help="A chat model's name, hf:OWNER/REPOSITORY/FILE.gguf, or a path.")],
    context: Annotated[int, typer.Option("--ctx", metavar="N", help="Tokens of one conversation.")] = 2048,
    budget: Annotated[
        float | None, typer.Option("--budget", metavar="MB", help="What keys and values of all agents may take.")
    ] = None,
    agents: Annotated[
        int | None, typer.Option("--agents", metavar="K", help="Conversations that must fit at once; 1 when left out.")
    ] = None,
    text: Annotated[
        Path | None, typer.Option("--text", metavar="FILE", help="Judge by this text instead of a generated one.")
    ] = None,
    pair: Annotated[
        list[str] | None, typer.Option("--pair", metavar="K/V", help="Measure only this, as q8_0/q4_0; repeatable.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Measure every pair of types, not only the usual ones.")] = False,
    windows: Annotated[
        int, typer.Option("--windows", metavar="N", help="Parts of the text to read; 0 for 4,096 tokens' worth.")
    ] = 0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the choice without keeping it.")] = False,
    as_json: output.AsJson = False,
) -> None:
    """Choose the precision of a model's KV cache by what it costs in quality, measured here.

    Each pair of types is compared with 16 bits on a text, at the context length asked for. With --budget or --agents
    the most exact that fits is chosen, else the smallest whose mean KL is at most 0.0075 nats and that keeps 95% of
    the likeliest tokens. The choice is kept beside the model, and model.kv = auto uses it.

    Example: kith model kv smollm2-135m --ctx 2048 --budget 512 --agents 16
    """
    from kithnet.app import precision

    wanted = precision.Wanted(context, budget, agents, text, tuple(pair or ()), every, windows, keep=not dry_run)
    with output.progress(name, "tokens") as tell:
        found = precision.find(_registry().folder, name, wanted, tell)
    output.show(precision.contract(found), precision.as_text(found), as_json)


@app.command("check")
def check(
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME", help="A model here, or the endpoint's name for its model with --url."),
    ] = None,
    url: Annotated[
        str, typer.Option("--url", metavar="URL", help="Check the model behind an OpenAI-compatible URL.")
    ] = "",
    seconds: Annotated[
        float, typer.Option("--seconds", min=1.0, help="Time for all moves; it fails what takes longer.")
    ] = 110.0,
    whole: Annotated[bool, typer.Option("--all", help="Make every move, even once the mark is out of reach.")] = False,
    config: Annotated[Path | None, typer.Option("--config", help="A TOML file of settings.")] = None,
    setting: Annotated[
        list[str] | None, typer.Option("-c", metavar="A.B=C", help="Change one setting; repeatable.")
    ] = None,
    as_json: output.AsJson = False,
) -> None:
    """Check whether a model can think for the agents, by some twenty tiny moves that code judges.

    It must pass 80 % of them, and all that are about safety. What it is shown is made up: nothing of a world is sent. The
    result is kept, and model.mind = auto goes by it; a model behind a URL counts as able until it is checked.

    Example: kith model check smollm2-135m
    """
    from kithnet.app import minds
    from kithnet.app.home import models_folder
    from kithnet.runtime.config import Config

    given = [f"model.name={name}"] if name else []
    given += [f"model.url={url}"] if url else []
    loaded = Config.load(config, [*(setting or []), *given])
    if not (name or url or loaded.model.url):
        raise InputError("which model?", "kith model check NAME, or kith model check --url URL")
    with output.progress(loaded.model.name, "moves") as bar:
        found, file = minds.run_check(
            loaded, models_folder(os.environ), lambda made, of, passed: bar(made, of, f"{passed} passed"), seconds,
            whole=whole,
        )  # fmt: skip
    output.show(minds.contract(found, loaded.model, file), minds.as_text(found, loaded.model), as_json)


def _pinned(name: str, registry: "Registry") -> str:
    full = registry.full_name(name)
    return f"; the sha256 it came with is pinned from now on ({full})" if full.startswith("hf:") else ""


def in_megabytes(tell: output.Progress) -> "OnProgress":
    def told(done: int, total: int | None = None, note: str = "") -> None:
        tell(round(done / _MEGABYTE), None if total is None else round(total / _MEGABYTE), note)

    return told


def _aptitude(path: Path, registry: "Registry") -> dict[str, object] | None:
    """What is kept of a model's check, None where there is nothing."""
    from kithnet.app import checked

    return checked.in_short(path, registry.folder.parent)


def _thinks(found: object) -> str:
    if not isinstance(found, dict):
        return ""
    return f"  ({'able' if found['able'] else 'not able'} to think: {found['passed']} of {found['of']})"


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
