"""`kith world add`, `people` and `messages`: one's own chats brought into a world and looked at."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kithnet.app.cli import output
from kithnet.app.cli.world import Database, _folder
from kithnet.app.cli.world_keeping import app as app

if TYPE_CHECKING:
    from kithnet.app.adding import Report

ACTIONS = {"merge": 2, "split": 1, "rename": 2, "alias": 2}
"""What can be done to people, and how many names each takes."""


@app.command("add")
def add_chats(
    name: Annotated[str, typer.Argument(help="The world; it is made when there is none.")],
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="Exports: files, folders or zips.")],
    source: Annotated[
        str | None, typer.Option("--from", metavar="FORMAT", help="Their format; else recognised.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be added, and change nothing.")] = False,
    me: Annotated[str | None, typer.Option("--me", metavar="NAME", help="Whose device the export comes from.")] = None,
    dates: Annotated[str | None, typer.Option("--dates", metavar="dmy|mdy", help="What comes first in 3/4/24.")] = None,
    zone: Annotated[
        str | None,
        typer.Option("--zone", help="Of times without one: Europe/Berlin. Default: the world's, this machine's."),
    ] = None,
    title: Annotated[
        str | None, typer.Option("--as-title", help="The conversation's name, where the file has none.")
    ] = None,
    database: Database = None,
    as_json: output.AsJson = False,
) -> None:
    """Add chats to a world: WhatsApp, Telegram, Discord, Slack, Messenger, Signal, iMessage, mail and more.

    What is there already is known again: the same export twice changes nothing, an overlapping one adds what is new.
    docs/worlds.md says how to export from each.

    Example: kith world add mine "WhatsApp Chat with Ben.zip" --me Anna
    """
    from kithnet.app.adding import Wanted, add
    from kithnet.runtime.errors import InputError

    if dates not in (None, "dmy", "mdy"):
        raise InputError(f"--dates is dmy or mdy, not {dates!r}", "dmy: 3/4/24 is the third of April")
    wanted = Wanted(source, dates, zone, me, title)
    with output.progress("adding", "lines") as tell:
        report = add(_folder(), name, paths, wanted, dry=dry_run, database=database, tell=tell)
    output.show(report.contract(), _added(report), as_json)


@app.command("people")
def show_people(
    name: Annotated[str, typer.Argument(help="The world.")],
    action: Annotated[str | None, typer.Argument(metavar="[ACTION]", help="merge, split, rename or alias.")] = None,
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME...]", help="Whom it concerns.")] = None,
    as_json: output.AsJson = False,
) -> None:
    """List the people of a world and those who may be one person, or change who is who.

    merge A B: B is A from now on (undone by split A, until the next export is added). rename A NAME. alias A NAME.

    Example: kith world people mine merge anna "anna m."
    """
    from kithnet.app.adding import people
    from kithnet.app.worlds import open_world

    with open_world(_folder(), name) as store:
        if action is not None:
            _change(store, action, names or [])
        found = people(store)
    output.show({"world": name, "people": found}, _listed(found), as_json)


@app.command("messages")
def show_messages(
    name: Annotated[str, typer.Argument(help="The world.")],
    conversation: Annotated[str | None, typer.Option("--conversation", help="Only this one, by title or id.")] = None,
    person: Annotated[str | None, typer.Option("--person", help="Only what this person wrote.")] = None,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="So many at most.")] = None,
    as_json: output.AsJson = False,
) -> None:
    """List messages in the world's order, to look at what was read.

    Example: kith world messages mine --conversation Family --limit 20
    """
    from kithnet.app.adding import messages
    from kithnet.app.worlds import open_world

    with open_world(_folder(), name) as store:
        found = messages(store, conversation, person, limit)
    lines = [
        f"{one['id']}  {one['at'] or '-'}  [{one['conversation']}] {one['sender']}: {one['text']}" for one in found
    ]
    output.show({"world": name, "messages": found}, "\n".join(lines) or "no messages", as_json)


def _change(store: Any, action: str, names: list[str]) -> None:
    from kithnet.memory import merging
    from kithnet.runtime.errors import InputError

    if action not in ACTIONS:
        raise InputError(f"people cannot be {action!r}", f"choose among {', '.join(ACTIONS)}")
    if len(names) != ACTIONS[action]:
        raise InputError(f"{action} takes {ACTIONS[action]} names, not {len(names)}", "`kith world people --help`")
    one = store.resolve(names[0]).id
    with store.database.write() as connection:
        if action == "merge":
            merging.merge(connection, one, store.resolve(names[1]).id)
        elif action == "split":
            merging.split(connection, one)
        elif action == "rename":
            merging.rename(connection, one, names[1])
        else:
            merging.alias(connection, one, names[1])


def _added(report: "Report") -> str:
    counts = report.messages
    rows: list[tuple[str, str]] = [
        ("conversations", f"{report.conversations:,}"),
        (
            "people",
            f"{len(report.new):,} new, {report.known:,} known"
            + (f": {', '.join(report.new[:8])}" if report.new else ""),
        ),
        ("messages", f"{counts.get('new', 0):,} new, {counts.get('seen', 0):,} there already"),
        (
            "left out",
            ", ".join(f"{n:,} {what}" for what, n in counts.items() if n and what not in ("new", "seen")) or "nothing",
        ),
        (
            "time",
            f"{report.first:%Y-%m-%d %H:%M} to {report.last:%Y-%m-%d %H:%M}"
            if report.first and report.last
            else "none",
        ),
        ("zone", report.zone),
    ]
    rows += [("look alike", f"{a} and {b}: `kith world people {report.world} merge ...`") for a, b in report.alike[:8]]
    rows += [("assumed", text) for text in report.assumed]
    rows += [("not read", text[:120]) for text in report.unread[:10]]
    done = "would be added" if report.dry else "added"
    head = f"{done} to {report.world} from {', '.join(dict.fromkeys(report.formats))} in {report.seconds:.1f} s"
    return "\n".join([head, *(f"  {label:<13} {value}" for label, value in rows)])


def _listed(found: list[dict[str, Any]]) -> str:
    lines = []
    for one in found:
        also = f" ({', '.join(one['aliases'])})" if one["aliases"] else ""
        told = f"{one['name']}{also}: {one['messages']:,} messages" + (", your own" if one["me"] else "")
        sources = f", {', '.join(one['sources'])}" if one["sources"] else ""
        near = f"; may be {', '.join(one['alike'])}" if one["alike"] else ""
        lines.append(f"{one['id']:<24} {told}{sources}{near}")
    return "\n".join(lines) or "nobody"
