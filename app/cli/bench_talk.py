"""`kith bench asking` and `kith bench disclosure`: others' talk and scenarios, played by agents."""

from pathlib import Path
from typing import Annotated

import typer

from kithnet.app.cli import output
from kithnet.app.cli.ask import ConfigFile, Setting


def asking(
    friendsqa: Annotated[Path | None, typer.Option("--friendsqa", help="FriendsQA's JSON file of questions.")] = None,
    friendstv: Annotated[Path | None, typer.Option("--friendstv", help="The CSV of the talk they are about.")] = None,
    locomo: Annotated[Path | None, typer.Option("--locomo", help="LoCoMo's JSON file of conversations.")] = None,
    questions: Annotated[
        Path | None, typer.Option("--questions", help="A file of one {question, from, to?, gold, evidence} a line.")
    ] = None,
    world: Annotated[str, typer.Option("--world", "-w", help="The world that --questions are about.")] = "",
    n: Annotated[int | None, typer.Option("--n", min=1, help="The first so many of the list.")] = None,
    ids: Annotated[
        str, typer.Option("--ids", help="listed: those fixed beforehand; all; or a JSON file of ids.")
    ] = "listed",
    seed: Annotated[int, typer.Option("--seed", help="Of who asks whom, and of made-up names.")] = 13,
    mind: Annotated[
        list[str] | None, typer.Option("--mind", help="auto, model or reader; may be repeated, and is then paired.")
    ] = None,
    part: Annotated[
        list[str] | None,
        typer.Option("--part", help="whole, recall, evidence, scene, closed-book or renamed; may be repeated."),
    ] = None,
    in_flight: Annotated[int, typer.Option("--in-flight", min=1, help="Questions at once.")] = 1,
    fresh: Annotated[bool, typer.Option("--fresh", help="Ask again what an earlier run has asked.")] = False,
    config: ConfigFile = None,
    setting: Setting = None,
    as_json: output.AsJson = False,
) -> None:
    """Questions about real talk that one agent asks another: right, wrong, not known, and where on the way it is lost.

    Example: kith bench asking --locomo locomo10.json --mind reader --part whole --part recall
    """
    import os

    from kithnet.app.home import home_folder
    from kithnet.app.locate import models_here, settings
    from kithnet.bench import minds
    from kithnet.bench.asking import suite as bench
    from kithnet.bench.report import as_json as contract
    from kithnet.bench.report import as_text

    plan = bench.Plan(
        friendsqa, friendstv, locomo, questions, world, n, ids, seed, minds.chosen(output.names(mind)),
        tuple(output.names(part)) or ("whole",), in_flight,
    )  # fmt: skip
    with output.progress("asking") as progress:
        ran = bench.run(home_folder(os.environ), models_here(), settings(config, setting), plan, progress, fresh=fresh)
    output.show(contract(ran.result) | {"folder": str(ran.folder)}, f"{as_text(ran.result)}\n{ran.folder}", as_json)


def disclosure(
    scenarios: Annotated[Path, typer.Option("--scenarios", help="AgentSocialBench's JSONL file of scenarios.")],
    mind: Annotated[
        str, typer.Option("--mind", help="hostile, model or reader: who thinks for everybody.")
    ] = "hostile",
    n: Annotated[int | None, typer.Option("--n", min=1, help="The first so many scenarios.")] = None,
    kinds: Annotated[
        list[str] | None, typer.Option("--kinds", help="Only scenarios of these kinds; may be repeated.")
    ] = None,
    barred: Annotated[int, typer.Option("--barred", min=0, help="Probes of a scenario at what may not be told.")] = 6,
    fine: Annotated[int, typer.Option("--open", min=0, help="Probes of a scenario at what may be told.")] = 3,
    control: Annotated[
        bool, typer.Option("--control", help="Also without rules, to see what the scorer sees.")
    ] = False,
    seed: Annotated[int, typer.Option("--seed", help="Of the canaries and of what is asked.")] = 13,
    fresh: Annotated[bool, typer.Option("--fresh", help="Play again what an earlier run has played.")] = False,
    config: ConfigFile = None,
    setting: Setting = None,
    as_json: output.AsJson = False,
) -> None:
    """What leaks of private matters, on every channel, and how much that may be told arrives; by planted canaries.

    Example: kith bench disclosure --scenarios scenarios.jsonl --mind reader --n 20
    """
    import os

    from kithnet.app.home import home_folder
    from kithnet.app.locate import models_here, settings
    from kithnet.bench import minds
    from kithnet.bench.disclosure import suite as bench
    from kithnet.bench.report import as_json as contract
    from kithnet.bench.report import as_text

    chosen = minds.chosen([mind], bench.MINDS)[0]
    plan = bench.Plan(scenarios, chosen, n, tuple(output.names(kinds)), seed, barred, fine, control)
    with output.progress("playing") as progress:
        ran = bench.run(home_folder(os.environ), models_here(), settings(config, setting), plan, progress, fresh=fresh)
    output.show(contract(ran.result) | {"folder": str(ran.folder)}, f"{as_text(ran.result)}\n{ran.folder}", as_json)
