"""`kith ask`: one collaboration between two agents."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kithnet.app.cli import output

if TYPE_CHECKING:
    from kithnet.app.collaborate import Asked
    from kithnet.app.runs import Run
    from kithnet.runtime.config import Config

World = Annotated[str | None, typer.Option("--world", "-w", help="The world; needed where there is more than one.")]
ConfigFile = Annotated[Path | None, typer.Option("--config", help="A TOML file of settings.")]
Setting = Annotated[list[str] | None, typer.Option("-c", metavar="A.B=C", help="Change one setting; repeatable.")]

Experts = Annotated[
    str | None,
    typer.Option("--experts", metavar="MODE", help="Where experts of a mixture are: memory, mmap or offload."),
]
ExpertMemory = Annotated[
    str | None, typer.Option("--expert-memory", metavar="SIZE", help="What offloaded experts may take, as in 2GB.")
]
Yes = Annotated[
    bool, typer.Option("--yes", help="Let a model on another machine read what the agents find; asked once for each.")
]
Stats = Annotated[bool, typer.Option("--stats", help="Show at the end what the local model did.")]


def model_settings(setting: list[str] | None, experts: str | None, memory: str | None) -> list[str]:
    """`-c` settings, and those that have options of their own."""
    given = [f"experts.mode={experts}"] if experts is not None else []
    given += [f"experts.memory={memory}"] if memory is not None else []
    return [*(setting or []), *given]


def need_consent(config: "Config", yes: bool) -> None:
    """Have the owner's yes where the model is on another machine. Raises InputError without it."""
    from kithnet.app import consent
    from kithnet.app.home import home_folder

    consent.obtain(config, home_folder(os.environ), yes=yes)


def ask(
    person: Annotated[str, typer.Argument(metavar="FROM", help="Whose agent has the task.")],
    partner: Annotated[
        str, typer.Argument(metavar="TO", help="Whose agent is asked. Without it, FROM's agent chooses whom to ask.")
    ],
    question: Annotated[
        str | None, typer.Argument(metavar="QUESTION", help="What to find out.", show_default=False)
    ] = None,
    world: World = None,
    config: ConfigFile = None,
    setting: Setting = None,
    operator: Annotated[
        bool, typer.Option("--operator", help="Show everybody's side: all that was said, decided and withheld.")
    ] = False,
    attended: Annotated[bool, typer.Option("--attended", help="Ask at the terminal where a rule says to ask.")] = False,
    experts: Experts = None,
    expert_memory: ExpertMemory = None,
    yes: Yes = False,
    stats: Stats = False,
    as_json: output.AsJson = False,
) -> None:
    """Let FROM's agent find something out by talking to TO's agent, or to whomever it chooses by what FROM knows.

    Example: kith ask chandler phoebe "What did Carol tell Ross about the baby?" --world friends
    """
    from kithnet.app import collaborate, engine_stats
    from kithnet.app.locate import settings, world_named

    chosen, loaded = world_named(world), settings(config, model_settings(setting, experts, expert_memory))
    people, asked_for = ((person, partner), question) if question is not None else ((person,), partner)
    if question is None:
        collaborate.need_question(chosen.folder, person, partner)
    need_consent(loaded, yes)
    owner = None
    if attended:
        from kithnet.app.terminal import TerminalOwner

        owner = TerminalOwner()
    with output.working(f"{person} asks {partner if question is not None else 'around'}", as_json):
        asked, run = collaborate.ask(chosen.folder, chosen.models, loaded, people, asked_for, owner)
    contract, text = collaborate.contract(asked, run, operator=operator), _text(asked, run, operator)
    for name, ids in collaborate.namesakes(chosen.folder, asked_for).items():
        output.note(f"{name} may be {' or '.join(ids)}: to ask about one of them, say more of the name")
    if stats:
        done = engine_stats.of_run(run)
        contract["stats"], text = done, f"{text}\n{engine_stats.as_text(done)}"
    output.show(contract, text, as_json)


def _text(asked: "Asked", run: "Run", operator: bool) -> str:
    result, lines = asked.state["result"], []
    for said in asked.utterances if operator else asked.heard:
        lines.append(f"{said['sender']} -> {said['receiver']}: {said['text']}")
    usage = asked.usage
    counted = (
        f"{usage.calls} model calls, {usage.sent:,} prompt tokens ({usage.evaluated:,} evaluated), "
        f"{asked.state['searched']:,} messages searched, "
        if operator
        else ""
    )
    consulted = asked.consulted if operator else asked.consulted_by_asker
    lines += [
        "",
        f"Answer: {result['answer']}",
        f"Evidence: {', '.join(result['citations']) or 'none'}",
        _who(asked, operator),
        f"Stopped because: {asked.state['stopped']}; {asked.turns} turns, consulted "
        f"{', '.join(consulted) or 'nobody'}, {counted}{asked.seconds:.1f} s",
        *(_decided(row) for row in asked.disclosures if operator),
        f"Run: {run.id}  (kith trace {run.id})",
    ]
    return "\n".join(lines)


def _decided(row: dict[str, Any]) -> str:
    outcome = "told" if row["told"] else "withheld"
    return f"{outcome}: {row['from']} -> {row['to']} {', '.join(row['messages'])} ({row['rule']})"


def _who(asked: "Asked", operator: bool) -> str:
    """Whom the agent asked, and which mind made the answer."""
    moves = ", ".join(f"{name} {count}" for name, count in asked.moves.items() if name != "code")
    counted = f" (moves: {moves or 'none'})" if operator else ""
    step = "; the reader stepped in for the model" if asked.fell_back else ""
    return f"Asked: {', '.join(asked.asked)}. Mind: {asked.mind}{counted}{step}"
