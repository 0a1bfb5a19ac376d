"""`kith bench`: measure, against baselines in the same run."""

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from kithnet.app.cli import bench_talk, output
from kithnet.app.cli.ask import ConfigFile, Setting, Yes, need_consent

app = typer.Typer(no_args_is_help=True, help="Measure what this machine reaches; a missed bar is shown, not hidden.")


app.command()(bench_talk.asking)
app.command()(bench_talk.disclosure)


@app.callback()
def group() -> None:
    """Keep `kith bench` a group however few benchmarks it has."""


@app.command()
def headline(
    world: Annotated[
        str | None, typer.Option("--world", "-w", help="A world that is there; default: a new one.")
    ] = None,
    parts: Annotated[int, typer.Option("--parts", min=1, help="Questions of the task.")] = 20,
    seed: Annotated[int, typer.Option("--seed", help="Of the generated world and of the task.")] = 7,
    config: ConfigFile = None,
    setting: Setting = None,
    as_json: output.AsJson = False,
) -> None:
    """One task in a network of 140 people with consultation: the paper's headline, measured here.

    Example: kith bench headline
    """
    from kithnet.app.locate import models_here, settings, world_named
    from kithnet.bench import headline as bench
    from kithnet.bench.report import as_json as contract
    from kithnet.bench.report import as_text

    loaded = settings(config, setting)
    with tempfile.TemporaryDirectory() as beside, output.working("measuring the headline", as_json):
        place = world_named(world).folder if world else bench.made(Path(beside), seed)
        result = bench.run(place, models_here(), loaded, parts=parts, seed=seed)
    output.show(contract(result), as_text(result), as_json)


@app.command("chats")
def chats(
    messages: Annotated[int, typer.Option("--messages", min=1_000, help="Of the export that is made.")] = 1_000_000,
    seed: Annotated[int, typer.Option("--seed", help="Of what is said in it.")] = 7,
    as_json: output.AsJson = False,
) -> None:
    """Seconds and memory to add a large chat to a world, beside plain json and SQLite.

    Example: kith bench chats --messages 100000
    """
    from kithnet.bench import chats as bench
    from kithnet.bench.report import as_json as contract
    from kithnet.bench.report import as_text

    with output.working("adding a large chat", as_json):
        result = bench.run(messages, seed)
    output.show(contract(result), as_text(result), as_json)


@app.command("import")
def import_speed(
    path: Annotated[Path, typer.Argument(help="A FriendsTV CSV, such as ten_seasons.csv.")],
    as_json: output.AsJson = False,
) -> None:
    """Seconds and memory to import a real network, and messages embedded a second.

    Example: kith bench import ten_seasons.csv
    """
    from kithnet.app.locate import models_here, settings
    from kithnet.bench import ingest as bench
    from kithnet.bench.report import as_json as contract
    from kithnet.bench.report import as_text

    with tempfile.TemporaryDirectory() as beside, output.working("measuring the import", as_json):
        result = bench.run(path, Path(beside), models_here(), settings(None, None).embedder.name)
    output.show(contract(result), as_text(result), as_json)


@app.command()
def engine(
    model: Annotated[str, typer.Option("--model", "-m", help="A chat model of this machine, or a GGUF file.")] = "",
    only: Annotated[
        list[str] | None,
        typer.Option("--only", help="memory, decode16, prefix, dialogue, wake, overhead or http; may be repeated."),
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Small sizes: whether all works, not how fast.")] = False,
    seed: Annotated[int, typer.Option("--seed", help="Of the prompts.")] = 7,
    as_json: output.AsJson = False,
) -> None:
    """The engine beside the plain llama_cpp.Llama, in turns: speed, reuse of prompts, memory, clients over HTTP.

    Example: kith bench engine --only decode16 --only prefix
    """
    from kithnet.app.locate import models_here, settings
    from kithnet.bench.engine import suite
    from kithnet.bench.report import as_json as contract
    from kithnet.bench.report import as_text
    from kithnet.runtime.registry import Registry

    path = Registry(models_here()).resolve(model or settings(None, None).model.name)
    with output.progress("measuring") as progress:
        result = suite.run(path, only=only or (), quick=quick, seed=seed, tell=progress)
    output.show(contract(result), as_text(result), as_json)


@app.command()
def reading(
    refit: Annotated[
        bool, typer.Option("--refit", help="Fit the tagger to the writers' phrases again, and write its weights.")
    ] = False,
    requests: Annotated[
        Path | None, typer.Option("--requests", help="Schedule-Guided Dialogue's messages with dates and times, JSONL.")
    ] = None,
    shared: Annotated[
        Path | None,
        typer.Option("--data", help="A folder with friendsqa/ and agentsocial/, which judge the reader too."),
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Few talks: whether all works, not how well.")] = False,
    seed: Annotated[int, typer.Option("--seed", help="Of the messages and of the talks.")] = 7,
    as_json: output.AsJson = False,
) -> None:
    """How well messages and questions are read in voices that nothing was fitted to: the trained reader, the tagger, rules.

    Example: kith bench reading
    """
    from kithnet.app.locate import models_here, settings
    from kithnet.bench.reading import suite
    from kithnet.bench.report import as_json as contract
    from kithnet.bench.report import as_text
    from kithnet.runtime.registry import Registry

    config, registry = settings(None, None), Registry(models_here())
    embedder, reader = registry.resolve(config.embedder.name), registry.resolve(config.reader.name)
    with output.progress("measuring") as progress:
        result = suite.run(
            embedder, reader, shared=shared, asked=requests, quick=quick, refit=refit, seed=seed, tell=progress
        )
    output.show(contract(result), as_text(result), as_json)


@app.command()
def memory(
    only: Annotated[
        list[str] | None, typer.Option("--only", help="keep, leak, stale, replay, kill or erase; may be repeated.")
    ] = None,
    phrases: Annotated[
        str, typer.Option("--phrases", help="held-out, or default: the wordings that the rules were written for.")
    ] = "held-out",
    quick: Annotated[bool, typer.Option("--quick", help="Small sizes: whether all works, not how well.")] = False,
    seed: Annotated[int, typer.Option("--seed", help="Of the generated sessions.")] = 7,
    as_json: output.AsJson = False,
) -> None:
    """What is remembered of mixed sessions, what leaks, what is stale, what a crash and an erasure leave; beside EMMA.

    Example: kith bench memory --quick --only keep --only replay
    """
    from kithnet.app.locate import models_here, settings
    from kithnet.bench.memory import suite
    from kithnet.bench.report import as_json as contract
    from kithnet.bench.report import as_text
    from kithnet.runtime.registry import Registry

    config, registry = settings(None, None), Registry(models_here())
    embedder, reader = registry.resolve(config.embedder.name), registry.resolve(config.reader.name)
    with output.progress("measuring") as progress:
        result = suite.run(embedder, reader, only=only or (), quick=quick, seed=seed, phrases=phrases, tell=progress)
    output.show(contract(result), as_text(result), as_json)


@app.command()
def recall(
    locomo: Annotated[Path, typer.Option("--locomo", help="LoCoMo's JSON file of conversations with questions.")],
    lexical: Annotated[bool, typer.Option("--lexical", help="By words alone: without the embedder.")] = False,
    quick: Annotated[
        bool, typer.Option("--quick", help="Two conversations, a small world: whether all works.")
    ] = False,
    seed: Annotated[int, typer.Option("--seed", help="Of the intervals and of the worlds that are timed.")] = 7,
    as_json: output.AsJson = False,
) -> None:
    """How much of the evidence recall finds in long conversations, and how fast; beside EMMA, iAgents, BM25 and vectors.

    Example: kith bench recall --locomo locomo10.json
    """
    from kithnet.app.locate import models_here, settings
    from kithnet.bench.recall import suite
    from kithnet.bench.report import as_json as contract
    from kithnet.bench.report import as_text

    embedder = None if lexical else settings(None, None).embedder.name
    with output.progress("measuring") as progress:
        result = suite.run(locomo, models_here(), embedder, quick=quick, seed=seed, tell=progress)
    output.show(contract(result), as_text(result), as_json)


@app.command()
def informative(
    suite: Annotated[
        str,
        typer.Option(
            "--suite",
            help="classic, asymmetric, schedule-easy, schedule-medium, schedule-hard, needle, needle-1hop, friends, "
            "or hiddenbench with its file.",
        ),
    ] = "classic",
    n: Annotated[int | None, typer.Option("--n", min=1, help="Items of each family; default: as in the paper.")] = None,
    model: Annotated[str, typer.Option("--model", "-m", help="A chat model of this machine, or a GGUF file.")] = "",
    data: Annotated[
        list[Path] | None,
        typer.Option("--data", help="A file of records, or of talk, to take the items from; may be repeated."),
    ] = None,
    arms: Annotated[
        list[str] | None,
        typer.Option(
            "--arms",
            help="ours, no-infonav, no-memory, no-consult, no-tools, all-facts; model, reader, shared-only, one-sided "
            "only where named; may be repeated.",
        ),
    ] = None,
    wordings: Annotated[
        str, typer.Option("--wordings", help="dev, or test: held out, nothing is tuned on them.")
    ] = "dev",
    seed: Annotated[int, typer.Option("--seed", help="Of the items and of the intervals.")] = 7,
    leaks: Annotated[int, typer.Option("--leaks", min=0, help="Dialogues in which the answer may not be told.")] = 40,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Throw away what an earlier run of the same kind has done.")
    ] = False,
    replay: Annotated[bool, typer.Option("--replay", help="Answer from the model calls that were recorded.")] = False,
    config: ConfigFile = None,
    setting: Setting = None,
    yes: Yes = False,
    as_json: output.AsJson = False,
) -> None:
    """InformativeBench: facts split between two people; our agents beside baselines, ablations and the paper.

    Example: kith bench informative --suite asymmetric --wordings test --n 10 --arms ours --arms no-tools
    """
    import os

    from kithnet.app.home import home_folder
    from kithnet.app.locate import models_here, settings
    from kithnet.bench.informative import suite as bench
    from kithnet.bench.report import as_json as contract
    from kithnet.bench.report import as_text

    named = [*(setting or ()), *([f"model.name={model}"] if model else ())]
    chosen = tuple(output.names(arms))
    plan = bench.Plan(suite, n, seed, bench.wordings_of(wordings), tuple(data or ()), chosen, leaks)
    loaded = settings(config, named)
    if data and not replay:
        need_consent(loaded, yes)
    with output.progress("playing") as progress:
        ran = bench.run(home_folder(os.environ), models_here(), loaded, plan, progress, fresh=fresh, replay=replay)
    places = {"folder": str(ran.folder), "report": str(ran.folder / "report.html")}
    output.show(contract(ran.result) | places, f"{as_text(ran.result)}\n{places['report']}", as_json)


@app.command()
def compare(
    a: Annotated[Path, typer.Argument(help="A folder of `kith bench informative`, or its results.json.")],
    b: Annotated[Path, typer.Argument(help="Another one.")],
    seed: Annotated[int, typer.Option("--seed", help="Of the intervals.")] = 7,
    as_json: output.AsJson = False,
) -> None:
    """Two runs of `kith bench informative` over the items that both played, with paired intervals.

    Example: kith bench compare before/results.json after/results.json
    """
    from kithnet.bench.informative.compare import compare as compared
    from kithnet.bench.report import as_json as contract
    from kithnet.bench.report import as_text

    result = compared(a, b, seed)
    output.show(contract(result), as_text(result), as_json)


@app.command()
def offload(
    model: Annotated[str, typer.Option("--model", "-m", help="The dense llama model that experts are cut from.")] = "",
    only: Annotated[str, typer.Option("--only", help="synthetic or moefied; both when left out.")] = "",
    arm: Annotated[list[str] | None, typer.Option("--arm", help="Only this arm, as mmap or skip; repeatable.")] = None,
    memory: Annotated[
        list[float] | None, typer.Option("--memory", metavar="SHARE", help="Of the high model; repeatable.")
    ] = None,
    size: Annotated[float, typer.Option("--size", metavar="MB", help="Experts of the synthetic model.")] = 0,
    folder: Annotated[
        Path | None, typer.Option("--folder", help="Where models and the report are kept; default: below the home.")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="A small model and few repeats: within 15 minutes.")] = False,
    seed: Annotated[int, typer.Option("--seed", help="Of the tokens.")] = 7,
    as_json: output.AsJson = False,
) -> None:
    """Experts offloaded, beside mmap, a lower-bit model and unlimited memory: speed, quality, memory, every run caged.

    Example: kith bench offload --quick
    """
    from kithnet.app.locate import model_file, models_here, settings
    from kithnet.app.precision import talk
    from kithnet.bench.offload import suite
    from kithnet.bench.offload.subjects import MOEFIED, SYNTHETIC
    from kithnet.bench.report import as_json as contract
    from kithnet.bench.report import as_text

    if only not in ("", SYNTHETIC, MOEFIED):
        raise typer.BadParameter(f"{only!r}: choose {SYNTHETIC} or {MOEFIED}")
    place = folder or models_here().parent / "bench" / "offload"
    dense = model_file(model or settings(None, None).model.name)
    sizes = suite.sizes(quick, memory or (), int(size * 1e6))
    chosen = suite.Wanted(place, dense, talk(12_000), sizes, seed, only, tuple(arm or ()))
    with output.progress("measuring") as progress:
        result, report = suite.run(chosen, progress)
    output.show({**contract(result), "report": str(report)}, f"{as_text(result)}\n{report}", as_json)
