"""`kith model convert`, `moefy`, `synthetic`, `calibrate`, `verify`: mixtures of experts, and stores of their experts."""

import time
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from kithnet.app.cli import output

Model = Annotated[str, typer.Argument(metavar="MODEL", help="A model's name, or the path of a GGUF file.")]
Text = Annotated[Path | None, typer.Option("--text", metavar="FILE", help="Read this text instead of a generated one.")]


def convert(
    model: Model,
    out: Annotated[
        Path | None, typer.Option("--out", help="The store; default: MODEL.experts beside the model.")
    ] = None,
    high: Annotated[
        str, typer.Option("--high", help="Type of the high precision, as Q8_0; auto: the model's own.")
    ] = "auto",
    low: Annotated[str, typer.Option("--low", help="Type of the low precision, as Q3_K; auto: by the rows.")] = "auto",
    as_json: output.AsJson = False,
) -> None:
    """Make an expert store of a mixture of experts, so that it runs in less memory than it is large.

    Every expert is written in two precisions, and the rest of the model to a trunk beside the store. Stopped or killed,
    it continues when the same command is given again.

    Example: kith model convert mixtral.gguf --high Q8_0 --low auto
    """
    from kithnet.app import experts
    from kithnet.app.cli.model import in_megabytes
    from kithnet.app.locate import model_file
    from kithnet.runtime.convert.experts import convert_experts

    path = model_file(model)
    with output.progress(path.stem, "MB") as tell:
        made = convert_experts(path, out or experts.store_beside(path), high=high, low=low, progress=in_megabytes(tell))
    output.show(experts.converted_json(made), experts.converted_text(made), as_json)


def verify(
    store: Annotated[Path, typer.Argument(metavar="STORE", help="An expert store, made by kith model convert.")],
    as_json: output.AsJson = False,
) -> None:
    """Check every record of an expert store, and its trunk.

    Example: kith model verify mixtral.experts
    """
    from kithnet.app.cli.model import in_megabytes
    from kithnet.runtime.offload.store import ExpertStore

    started = time.perf_counter()
    opened = ExpertStore.open(store)
    with output.progress(store.stem, "MB") as tell:
        opened.verify(in_megabytes(tell))
    count = len(opened.records)
    payload = {"store": str(store), "records": count, "seconds": time.perf_counter() - started}
    output.show(payload, f"{store} is whole: {count:,} records", as_json)


def moefy(
    model: Model,
    out: Annotated[Path | None, typer.Option("--out", help="Default: MODEL-moe.gguf beside the model.")] = None,
    experts_: Annotated[int, typer.Option("--experts", metavar="E", help="Experts of a layer.")] = 8,
    top_k: Annotated[int, typer.Option("--top-k", metavar="K", help="Experts that a token uses; 0 for all.")] = 0,
    kind: Annotated[str, typer.Option("--type", help="Of the experts' weights.")] = "Q8_0",
    text: Text = None,
    as_json: output.AsJson = False,
) -> None:
    """Make a mixture of experts of a dense llama model: its feed-forward blocks are cut into groups of neurons.

    With all experts used it answers as the dense model does. With fewer, a router fitted on the text chooses, and what
    that costs is measured on text it was not fitted to.

    Example: kith model moefy smollm2-135m --experts 8 --top-k 4
    """
    from kithnet.app import experts
    from kithnet.app.locate import model_file
    from kithnet.runtime.convert import moefy as room

    path = model_file(model)
    target = out or path.with_name(f"{path.stem}-moe.gguf")
    wanted = room.Wanted(experts_, top_k or experts_, kind)
    with output.progress(path.stem, "steps") as tell:
        made = room.moefy(path, target, experts.calibration_text(text), wanted, tell)
    output.show(experts.moefied_json(made), experts.moefied_text(made), as_json)


def synthetic(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The GGUF to write.")],
    layers: Annotated[int, typer.Option("--layers", help="Of the model.")] = 16,
    experts_: Annotated[int, typer.Option("--experts", help="Of a layer.")] = 16,
    top_k: Annotated[int, typer.Option("--top-k", help="Experts that a token uses.")] = 2,
    width: Annotated[int, typer.Option("--width", help="Of the hidden state.")] = 1024,
    size: Annotated[float, typer.Option("--size", metavar="MB", help="Of all experts together.")] = 3000,
    locality: Annotated[
        float, typer.Option("--locality", help="Chance that an expert is used again for the next token.")
    ] = 0.6,
    kind: Annotated[str, typer.Option("--type", help="Of the experts' weights.")] = "Q8_0",
    seed: Annotated[int, typer.Option("--seed", help="Of the weights.")] = 1,
    as_json: output.AsJson = False,
) -> None:
    """Write a mixture of experts with random weights whose tokens choose experts with a given locality.

    It says nothing sensible: it is for work on loading experts. The locality is measured before the command ends.

    Example: kith model synthetic big.gguf --size 3000 --locality 0.6
    """
    from kithnet.app import experts
    from kithnet.app.cli.model import in_megabytes
    from kithnet.runtime.convert import synthetic as room
    from kithnet.runtime.offload.routing import record

    started = time.perf_counter()
    shape = room.sized(
        room.Shape(layers, experts_, top_k, width, locality=locality, type=kind, seed=seed), int(size * 1e6)
    )
    with output.progress(out.stem, "MB") as tell:
        room.write_synthetic(out, shape, in_megabytes(tell))
    with output.progress("measuring its locality", "tokens") as tell:
        reuse = record(out, room.local_tokens(out, 256), progress=tell).reuse
    payload = experts.synthetic_json(out, shape, reuse, time.perf_counter() - started)
    text = f"{out}: {payload['bytes'] / 1e6:,.0f} MB; {reuse:.0%} of a token's experts are used again for the next one"
    output.show(payload, text, as_json)


def calibrate(
    model: Model,
    store: Annotated[Path | None, typer.Option("--store", help="Default: MODEL.experts beside the model.")] = None,
    tokens: Annotated[int, typer.Option("--tokens", metavar="N", min=128, help="To record routing with.")] = 2048,
    limit: Annotated[float, typer.Option("--limit", metavar="KL", help="Nats that lowering may cost.")] = 0.05,
    keep_record: Annotated[Path | None, typer.Option("--record", help="Keep the record of routing (.npz).")] = None,
    text: Text = None,
    as_json: output.AsJson = False,
) -> None:
    """Choose when an expert may be used in low precision, or left out: T1 and T2, by what they cost.

    Example: kith model calibrate mixtral.gguf
    """
    from kithnet.app import experts
    from kithnet.app.locate import model_file

    started = time.perf_counter()
    path = model_file(model)
    beside = store or experts.store_beside(path)
    with output.progress(path.stem, "") as tell:
        routing, tuning, kept = experts.calibrate(path, beside, text, tokens, limit, tell)
    if keep_record:
        routing.save(keep_record)
    payload = experts.tuning_json(beside, routing, tuning, kept, time.perf_counter() - started)
    output.show(payload, experts.tuning_text(routing, tuning, kept), as_json)


def replay(
    trace: Annotated[Path, typer.Argument(metavar="RECORD", help="Made by kith model calibrate --record.")],
    share: Annotated[float, typer.Option("--share", help="Of all experts, how many fit in memory.")] = 0.5,
    as_json: output.AsJson = False,
) -> None:
    """Compare eviction policies on a record of routing, without decoding, beside the best that is possible.

    Example: kith model replay routing.npz --share 0.35
    """
    from kithnet.runtime.offload.cache import POLICIES
    from kithnet.runtime.offload.replay import BELADY, Rules, compare
    from kithnet.runtime.offload.routing import Routing

    routing = Routing.load(trace)
    room = int(len(routing.layers) * routing.experts * share)
    rows = compare(routing, [BELADY, *POLICIES], Rules("", room), 1)
    lines = [f"{row.policy:<8} {row.penalty:>8.2f} experts loaded a token, {row.hit_rate:.1%} found" for row in rows]
    listed = [
        {"policy": row.policy, "penalty": row.penalty, "hit_rate": row.hit_rate, **asdict(row.tally)} for row in rows
    ]
    output.show({"record": str(trace), "share": share, "rows": listed}, "\n".join(lines), as_json)
