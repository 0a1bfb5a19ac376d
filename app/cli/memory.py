"""`kith memory`: what a person's agent remembers and why, and how to erase and check it."""

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kithnet.app.cli import output
from kithnet.app.cli.ask import World

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kithnet.app.erasure import Erased, Foreseen
    from kithnet.app.upkeep import Checkup
    from kithnet.memory.closure import Doomed

app = typer.Typer(
    no_args_is_help=True, help="What is remembered and why: search, show, correct, explain, erase, check, read again."
)

Person = Annotated[str, typer.Argument(metavar="PERSON", help="Whose memory.")]
Partner = Annotated[
    str | None, typer.Option("--as", metavar="PARTNER", help="Only what may be used towards this person.")
]
At = Annotated[str | None, typer.Option("--at", metavar="TIME", help="As of a time, such as 2024-05-31.")]


@app.command("search")
def search(
    person: Person,
    query: Annotated[str, typer.Argument(metavar="QUERY", help="What to look for, in any words.")],
    partner: Partner = None,
    at: At = None,
    k: Annotated[int, typer.Option("--k", min=1, max=1000, help="Hits at most.")] = 8,
    world: World = None,
    as_json: output.AsJson = False,
) -> None:
    """Recall as PERSON's agent does: its own messages and memories, the best first.

    Example: kith memory search ross "Who is having a baby?" --as monica --world friends
    """
    from kithnet.app import memory_view
    from kithnet.app.locate import settings, world_named

    asked = memory_view.Asked(person, partner, at)
    found = memory_view.search(world_named(world), settings(None, None), asked, query, k)
    output.show(found, memory_view.search_text(found), as_json)


@app.command("show")
def show(
    person: Person,
    item: Annotated[
        str | None, typer.Argument(metavar="ID", help="A message (m17), a memory (k4) or an utterance (u3).")
    ] = None,
    about: Annotated[str | None, typer.Option("--about", help="Only memories about this person.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="Items at most, the newest first.")] = 50,
    said: Annotated[bool, typer.Option("--said", help="What PERSON's agent said in chats, instead.")] = False,
    world: World = None,
    as_json: output.AsJson = False,
) -> None:
    """List the memories of PERSON, or show one item with its evidence, audience, links and uses.

    Example: kith memory show ross k4 --world friends
    """
    from kithnet.app import memory_view
    from kithnet.app.locate import world_named

    shown = memory_view.show(world_named(world), person, item, about, limit, said)
    output.show(shown, memory_view.show_text(shown), as_json)


@app.command("correct")
def correct(
    person: Person,
    item: Annotated[str, typer.Argument(metavar="ID", help="A memory that is wrong, such as k4.")],
    text: Annotated[str, typer.Argument(metavar="TEXT", help="What is right.")],
    world: World = None,
    as_json: output.AsJson = False,
) -> None:
    """Correct a wrong memory by hand: PERSON says what is right, and the old value is past.

    Example: kith memory correct ross k4 "Carol's baby is due in May." --world friends
    """
    from kithnet.app import memory_view
    from kithnet.app.locate import world_named

    corrected = memory_view.correct(world_named(world), person, item, text)
    output.show(corrected, memory_view.correct_text(corrected), as_json)


@app.command("explain")
def explain(
    person: Person,
    query: Annotated[str | None, typer.Argument(metavar="QUERY", help="What was asked.")] = None,
    partner: Partner = None,
    at: At = None,
    world: World = None,
    as_json: output.AsJson = False,
) -> None:
    """Why each memory was or was not used for QUERY; without a QUERY, who was told what about PERSON, and why.

    Example: kith memory explain ross "Who is having a baby?" --as monica --world friends
    """
    from kithnet.app import memory_view
    from kithnet.app.locate import settings, world_named

    asked = memory_view.Asked(person, partner, at)
    explained = memory_view.explain(world_named(world), settings(None, None), asked, query)
    output.show(explained, memory_view.explain_text(explained), as_json)


@app.command("erase")
def erase(
    items: Annotated[
        list[str] | None, typer.Argument(metavar="ID...", help="Messages (m17), memories (k4), utterances (u3).")
    ] = None,
    person: Annotated[str | None, typer.Option("--person", help="All that this person said, heard or noted.")] = None,
    everywhere: Annotated[
        bool, typer.Option("--everywhere", help="Also other messages that say the same words.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would go.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Finish an erasure that was interrupted.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    world: World = None,
    as_json: output.AsJson = False,
) -> None:
    """Erase messages, memories or a person, with all that rests on them, from every file of the world.

    It cannot be undone. A receipt stays that says when and how many, not what.

    Example: kith memory erase m17 k4 --world friends --dry-run
    """
    from kithnet.app import erasure
    from kithnet.app.locate import world_place
    from kithnet.memory.closure import Request

    place = world_place(world)
    if resume or erasure.pending(place.folder):
        with output.working("finishing", as_json):
            done = erasure.resume(place.folder)
        if resume or done:  # the same command, after it was stopped, asks for what is gone by now
            if not resume:
                output.note("an erasure that was interrupted is finished now; for another one run this again")
            output.show(erasure.contract(place.name, done), _done(done), as_json)
            return
    request = Request(tuple(items or ()), person, everywhere)
    foreseen = erasure.foresee(place.folder, request)
    if dry_run:
        output.show(foreseen.contract(place.name), _foreseen(foreseen), as_json)
        return
    if not yes:
        _confirm(foreseen, place.name)
    with output.working("erasing", as_json):
        done = [erasure.run(place.folder, foreseen.request)]
    output.show(erasure.contract(place.name, done), _done(done), as_json)
    if any(one.remains for one in done):
        raise typer.Exit(1)


@app.command("fsck")
def fsck(
    repair: Annotated[bool, typer.Option("--repair", help="Make again or remove what disagrees.")] = False,
    world: World = None,
    as_json: output.AsJson = False,
) -> None:
    """Check a world: database, full text, references, vectors. Exit status 1 when something is wrong and not repaired.

    Example: kith memory fsck --world friends --repair
    """
    from kithnet.app import upkeep
    from kithnet.app.locate import world_named

    with output.working("checking", as_json):
        found = upkeep.check(world_named(world), repair)
    output.show(found.contract(), _checked(found), as_json)
    if not found.checked.clean:
        raise typer.Exit(1)


@app.command("reindex")
def reindex(
    embedder: Annotated[
        str, typer.Option("--embedder", help="The sentence embedder, as `kith model list` names it.")
    ] = "minilm-l6",
    world: World = None,
    as_json: output.AsJson = False,
) -> None:
    """Make all vectors again beside the old ones, check them, and go over to them. Stopped, it continues next time.

    Example: kith memory reindex --world friends
    """
    from kithnet.app.locate import world_named
    from kithnet.app.worlds import index_world

    place = world_named(world)
    with output.progress("embedding", "texts") as tell:
        report = index_world(place.folder.parent, place.name, place.models, embedder, tell, fresh=True)
    payload = {"world": place.name, "done": report.done, "pending": report.pending, "seconds": report.seconds}
    output.show(payload, f"{report.done:,} texts embedded in {report.seconds:.1f} s", as_json)


@app.command("reread")
def reread(
    person: Annotated[
        str | None, typer.Argument(metavar="PERSON", help="Whose memory; everybody's by default.")
    ] = None,
    world: World = None,
    as_json: output.AsJson = False,
) -> None:
    """Make the notes of talks again that another reader made; what was noted by hand stays. Stopped, it continues next time.

    Example: kith memory reread --world friends
    """
    from kithnet.app import rereading
    from kithnet.app.locate import settings, world_named

    with output.progress("reading", "talks") as tell:
        done = rereading.reread(world_named(world), settings(None, None), person, tell)
    text = f"talks that another reader had read: {done.talks:,}, of {done.people:,} people"
    if done.talks:
        text += (
            f"; now by {done.reader}: {done.added:,} memories added, {done.gone:,} taken away, {done.kept:,} as before"
        )
    output.show(done.contract(), text, as_json)


def _confirm(foreseen: "Foreseen", world: str) -> None:
    """Ask at the terminal. Raises InputError where nobody can answer."""
    from kithnet.runtime.errors import InputError

    if not sys.stdin.isatty():
        raise InputError("erasing cannot be undone", "look with --dry-run, then add --yes")
    output.note(_foreseen(foreseen))
    typer.confirm(f"Erase this from {world}? It cannot be undone", abort=True, err=True)


def _foreseen(foreseen: "Foreseen") -> str:
    lines = _rows(foreseen.rows)
    if foreseen.elsewhere:
        lines.append(f"stays: {', '.join(foreseen.elsewhere[:20])} say the same words (--everywhere takes them along)")
    files = foreseen.files
    lines += [f"run      {run} is removed" for run in files.runs]
    if files.states:
        lines.append(f"states   {files.states} saved states are removed")
    if files.vectors:
        lines.append("vectors  those that stay are copied, the old folder is removed")
    return "\n".join(lines) or "nothing"


def _rows(rows: "Sequence[Doomed]") -> list[str]:
    return [f"{row.id:<8} {row.kind:<10} {row.why}: {row.text[:120]!r}" for row in rows]


def _done(done: "list[Erased]") -> str:
    lines: list[str] = []
    for one in done:
        counts = ", ".join(f"{count:,} {what}" for what, count in one.receipt.removed.items())
        lines.append(f"erased: {counts or 'nothing'}")
        if one.remains:
            lines.append(f"still found in: {', '.join(one.remains)}")
        else:
            lines.append(f"a scan of every file for {one.scanned:,} texts found none (receipt {one.receipt.id})")
    return "\n".join(lines) or "nothing was left to finish"


def _checked(found: "Checkup") -> str:
    def line(one: Any) -> str:
        if one.found:
            mended = f", {one.repaired:,} repaired" if one.repaired else ""
            return f"{'mended' if one.ok else 'WRONG '}  {one.name}: {one.found:,}{mended} ({one.detail})"
        return f"ok      {one.name}{f' ({one.detail})' if one.name == 'vectors' and one.detail else ''}"

    lines = [part for one in found.checked.findings for part in (line(one), *_rows(one.rows))]
    if not found.checked.clean:
        lines.append("`kith memory fsck --repair` makes again or removes what can be")
    return "\n".join([*lines, f"{found.checked.seconds:.1f} s"])
