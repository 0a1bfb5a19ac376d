"""The docs say what is so: their console blocks run, their keys, settings, modules and events exist.

A block marked `console` is executed, one home for each document: lines that begin with `$ ` are commands, the lines
below are their output, with `...` for whatever varies; `(exit status N)` stands for a status other than 0. A block
marked `csv NAME`, `jsonl NAME` or `text NAME` is a file of that name.
"""

import ast
import io
import json
import re
import shlex
import sys
from collections.abc import Iterator, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import pytest
import typer

from kithnet.app.cli import build, main
from kithnet.app.cli.reference import commands, is_group
from kithnet.app.trace_view import _LINES
from kithnet.app.worlds import open_world
from kithnet.runtime.config import Config

from ..runtime.tiny_dense import write_dense

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
ROOMS = ("agents", "app", "bench", "memory", "network", "runtime")
BLOCK = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
EXECUTED = ("worlds.md",)
QUICK = "-c dialogue.max_turns=2 -c consult.depth=0"
PRIVATE = {
    "kind": "mediated_comm", "scenario_id": "one", "user_profiles": [{"name": "Ottla Aldermoor"}], "humans": [{"name": "Bram"}],
    "privacy_boundary": {"must_not_cross": ["The boat shed"], "acceptable_abstractions": {"The boat shed": "Afternoons are taken"}},
}  # fmt: skip
"""A scenario in the form of AgentSocialBench's file."""
CHAT = """Notes of the rowing club
13/05/2024, 18:02 - Anna created group "Rowing"
13/05/2024, 18:03 - Anna: The boat is at the yard.
13/05/2024, 18:05 - Ben: Good to know.
13/05/2024, 18:07 - Anna: <Media omitted>
14/05/2024, 09:40 - Anna M.: It is green now.
"""
"""A chat as WhatsApp exports it, of two who may be one person and somebody else, with a line that nobody understands."""
FREE = {"dropped", "moves", "source", "types"}
"""Keys whose value maps names of the data, not of the contract."""


@dataclass(frozen=True)
class Block:
    """kind: the first word behind the fence. title: the others."""

    kind: str
    title: str
    body: str


def blocks(path: Path) -> Iterator[Block]:
    for info, body in BLOCK.findall(path.read_text(encoding="utf-8")):
        kind, _, title = info.strip().partition(" ")
        yield Block(kind, title, body)


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    status: int
    stdout: str
    stderr: str


class Desk:
    """A folder to work in, with a home of its own. Commands run in this process: starting one takes a second."""

    def __init__(self, folder: Path, models: Path | None = None) -> None:
        self.folder, self.home = folder / "here", folder / "home"
        self.folder.mkdir()
        self.home.mkdir()
        if models:
            (self.home / "models").symlink_to(models)

    def kith(self, words: Sequence[str], text: str = "") -> Done:
        stdout, stderr = io.StringIO(), io.StringIO()
        typed = self.home / "typed.txt"
        typed.write_text(text, encoding="utf-8")
        with (
            typed.open(encoding="utf-8") as stdin,
            pytest.MonkeyPatch.context() as patch,
            redirect_stdout(stdout),
            redirect_stderr(stderr),
        ):
            patch.setenv("KITHNET_HOME", str(self.home))
            patch.setattr(sys, "stdin", stdin)
            patch.chdir(self.folder)
            status = main(list(words))
        return Done(status, stdout.getvalue(), stderr.getvalue())

    def data(self, line: str, text: str = "") -> Any:
        done = self.kith([*shlex.split(line), "--json"], text)
        assert done.stdout, done.stderr
        return json.loads(done.stdout)


def sessions(body: str) -> Iterator[tuple[str, str]]:
    """(command, expected output) of a console block."""
    for part in re.split(r"^\$ ", body, flags=re.MULTILINE)[1:]:
        command, _, output = part.partition("\n")
        yield command, output


@pytest.mark.model
@pytest.mark.timeout(120)
@pytest.mark.parametrize("name", EXECUTED)
def test_the_console_blocks_do_what_they_show(name: str, tmp_path: Path, embedder_path: Path) -> None:
    desk = Desk(tmp_path, embedder_path.parent)
    for block in blocks(DOCS / name):
        if block.kind in ("csv", "jsonl", "text") and block.title:
            file = desk.folder / block.title
            file.parent.mkdir(exist_ok=True)
            file.write_text(block.body, encoding="utf-8")
        for command, expected in sessions(block.body) if block.kind == "console" else ():
            first, *words = shlex.split(command)
            assert first == "kith"
            done = desk.kith(words)
            shown = f"(exit status {done.status})\n" if done.status else ""
            assert fits(shown + done.stdout + done.stderr, expected), f"$ {command}\n{shown}{done.stdout}{done.stderr}"


def fits(shown: str, expected: str) -> bool:
    pattern = ".*".join(re.escape(part) for part in expected.strip().split("..."))
    return re.fullmatch(pattern, shown.strip(), flags=re.DOTALL) is not None


def test_every_console_block_is_in_a_document_that_is_executed() -> None:
    with_console = {path.name for path in DOCS.glob("*.md") if any(b.kind == "console" for b in blocks(path))}
    assert with_console == set(EXECUTED)


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory, chat_model_path: Path) -> dict[str, Any]:
    """What each command of docs/json.md prints, on a small world and the default model."""
    desk = Desk(tmp_path_factory.mktemp("contract"), chat_model_path.parent)
    made = desk.data("world generate --people 12 --ties 24 --messages 400 --tasks 12 --seed 3 --name small")
    people = [json.loads(line)["id"] for line in exported(desk, "people").splitlines()]
    ties = [json.loads(line) for line in exported(desk, "ties").splitlines()]
    lines = [f"ana,ben,this is line {number},2024-05-31 18:20:00" for number in range(40)]
    (desk.folder / "talk.csv").write_text("\n".join(["sender,receiver,message,timestamp", *lines]), encoding="utf-8")
    turns = [{"speaker": who, "dia_id": f"D1:{at}", "text": f"I like tea {at}."} for at, who in enumerate("AB" * 5, 1)]
    asked = {"question": "Who likes tea?", "answer": "A", "category": 4, "evidence": ["D1:1"]}
    conversations = json.dumps([{"conversation": {"session_1": turns}, "qa": [asked]}])
    (desk.folder / "locomo.json").write_text(conversations, encoding="utf-8")
    (desk.folder / "private.jsonl").write_text(json.dumps(PRIVATE), encoding="utf-8")
    pair = min((tie["a"], tie["b"]) for tie in ties)
    assert set(pair) <= set(people)
    informative = desk.data("bench informative --suite needle-1hop --n 1 --arms ours --leaks 0")
    told = {
        "kith world show": made,
        "kith world list": desk.data("world list"),
        "kith world export": desk.data("world export small out"),
        "kith world index": desk.data("world index small"),
        "kith model check": desk.data("model check smollm2-135m"),
        "kith model list": desk.data("model list"),
        "kith model fetch": desk.data("model fetch smollm2-135m"),
        "kith model recommend": desk.data("model recommend --memory 8GB"),
        "kith model show": desk.data("model show smollm2-135m"),
        "kith model kv": desk.data("model kv smollm2-135m --ctx 64 --windows 1 --pair q8_0 --dry-run"),
        **mixed(desk),
        **moved(desk),
        **chatted(desk),
        "kith completion": desk.data("completion bash"),
        "kith doctor": desk.data("doctor"),
        "error": desk.data("world show nope"),
        "kith chat": desk.data(f"chat {pair[0]}", "/quit\n"),
        "kith simulate": desk.data(f"simulate small --tasks 1 {QUICK}"),
        "kith bench headline": desk.data(f"bench headline --world small --parts 1 {QUICK}"),
        "kith bench import": desk.data("bench import talk.csv"),
        "kith bench chats": desk.data("bench chats --messages 1000"),
        "kith bench engine": desk.data("bench engine --quick --only wake"),
        "kith bench recall": desk.data("bench recall --quick --lexical --locomo locomo.json"),
        "kith bench asking": desk.data("bench asking --locomo locomo.json --ids all --part recall"),
        "kith bench disclosure": desk.data(
            f"bench disclosure --scenarios private.jsonl --mind reader --barred 0 {QUICK}"
        ),
        "kith bench reading": desk.data("bench reading --quick"),
        "kith bench informative": informative,
        "kith bench compare": desk.data(f"bench compare '{informative['folder']}' '{informative['folder']}'"),
        "kith bench offload": desk.data(
            "bench offload --quick --only synthetic --size 8 --memory 0.5 --arm mixed-lcu --folder bench"
        ),
        "kith bench memory": desk.data("bench memory --quick --only replay"),
        "kith ask": desk.data(f"ask {pair[0]} {pair[1]} 'What did you tell me?' {QUICK}"),
        "kith ask --operator": desk.data(f"ask {pair[0]} {pair[1]} 'What did you tell me?' {QUICK} --operator"),
        "kith trace": desk.data("trace last"),
        **remembered(desk, *pair),
    }
    assert desk.data("world show small").keys() == made.keys()
    return told


def moved(desk: Desk) -> dict[str, Any]:
    """What the commands print that give a world another name and delete it."""
    desk.data("world import generic out --name spare")
    return {
        "kith world rename": desk.data("world rename spare other"),
        "kith world delete": desk.data("world delete other --yes"),
    }


def chatted(desk: Desk) -> dict[str, Any]:
    """What the commands print that add chats and show what is there; the world is deleted again."""
    (desk.folder / "WhatsApp Chat with Rowing.txt").write_text(CHAT, encoding="utf-8")
    line = "world add mine 'WhatsApp Chat with Rowing.txt' --me Anna"
    foreseen = desk.data(f"{line} --dry-run")
    told = {
        "kith world add": desk.data(line),
        "kith world people": desk.data("world people mine alias anna Annie"),
        "kith world messages": desk.data("world messages mine"),
    }
    assert foreseen.keys() == told["kith world add"].keys()
    desk.data("world delete mine --yes")
    return told


def mixed(desk: Desk) -> dict[str, Any]:
    """What the commands for mixtures of experts print, on small models."""
    write_dense(desk.folder / "dense.gguf")
    shape = "--layers 2 --experts 4 --width 256 --size 0.8"
    return {
        "kith model moefy": desk.data("model moefy ./dense.gguf --out moe.gguf --experts 4 --top-k 2 --type F32"),
        "kith model synthetic": desk.data(f"model synthetic small.gguf {shape}"),
        "kith model convert": desk.data("model convert ./small.gguf"),
        "kith model verify": desk.data("model verify small.experts"),
        "kith model calibrate": desk.data("model calibrate ./small.gguf --tokens 128 --record routing.npz"),
        "kith model replay": desk.data("model replay routing.npz"),
    }


def remembered(desk: Desk, person: str, partner: str) -> dict[str, Any]:
    """What the commands of `kith memory` and `kith grants` print, after an `ask`, where `person` has noted and told something."""
    with open_world(desk.home / "worlds", "small") as store:
        memory = store.owner(person)
        said = memory.recall("the").hits[0].id
        for text in ("The key is here.", "The key is there."):
            made = memory.remember(
                about=person,
                text=text,
                told_by=person,
                kind="fact",
                evidence=[said],
                slot="key",
                at=datetime(2024, 5, 1),
            )
        memory.record_usage("u:t1:1", [made.id], person)
        memory.disclose([made.id], partner=person, task="Where?", rule="ordinary")
    asked, told = desk.data(f"memory explain {person} 'the key'"), desk.data(f"memory explain {person}")
    return {
        "kith grants give": desk.data(f"grants give {person} {partner} --once --item {said}"),
        "kith grants list": desk.data(f"grants list {person}"),
        "kith grants revoke": desk.data(f"grants revoke {person} g1"),
        "kith memory search": desk.data(f"memory search {person} 'the key' --world small"),
        "kith memory show": desk.data(f"memory show {person} {made.id}"),
        "kith memory correct": desk.data(f"memory correct {person} {made.id} 'The key is nowhere.'"),
        "kith memory explain": {**asked, "told": told["told"]},
        "kith memory erase": desk.data(f"memory erase {said} --dry-run"),
        "kith memory fsck": desk.data("memory fsck"),
        "kith memory reindex": desk.data("memory reindex"),
        "kith memory reread": desk.data("memory reread"),
    }


def exported(desk: Desk, subject: str) -> str:
    assert desk.kith(["world", "export", "small", "look"]).status == 0
    return (desk.folder / "look" / f"{subject}.jsonl").read_text(encoding="utf-8")


@pytest.mark.model
@pytest.mark.timeout(600)
def test_the_json_contract_is_as_documented(printed: dict[str, Any]) -> None:
    documented = {block.title: json.loads(block.body) for block in blocks(DOCS / "json.md") if block.kind == "json"}
    assert documented.keys() == printed.keys()
    wrong = [line for command in printed for line in unlike(documented[command], printed[command], command)]
    assert wrong == []


def test_every_command_has_its_contract() -> None:
    headings = re.findall(r"^## (.+)$", (DOCS / "json.md").read_text(encoding="utf-8"), flags=re.MULTILINE)
    described = {name for heading in headings for name in heading.split(", ")}
    tree = typer.main.get_command(build())
    assert {name for name, node in commands(tree) if not is_group(node)} == described - {"Errors"}


def unlike(documented: Any, shown: Any, where: str) -> Iterator[str]:
    """Where two JSON values differ in keys or kinds; of lists the first elements are compared."""
    if isinstance(documented, dict) and isinstance(shown, dict):
        open_ended = "..." in documented
        if documented.keys() - {"..."} != (shown.keys() & documented.keys() if open_ended else shown.keys()):
            yield f"{where}: {sorted(documented)} documented, {sorted(shown)} printed"
        for key in (documented.keys() & shown.keys()) - FREE:
            yield from unlike(documented[key], shown[key], f"{where}.{key}")
    elif isinstance(documented, list) and isinstance(shown, list):
        if documented and shown:
            yield from unlike(documented[0], shown[0], f"{where}[0]")
    elif kind(documented) != kind(shown):
        yield f"{where}: {documented!r} documented, {shown!r} printed"


def kind(value: Any) -> str:
    return "number" if isinstance(value, int | float) and not isinstance(value, bool) else type(value).__name__


def rows(path: Path, first: re.Pattern[str]) -> dict[str, list[str]]:
    """Rows of a document's tables whose first cell matches: first cell -> the other cells."""
    found = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if line.startswith("|") and first.fullmatch(cells[0]):
            found[cells[0].strip("`")] = cells[1:]
    return found


def settings(cls: type = Config, prefix: str = "") -> Iterator[tuple[str, Field[Any], Any]]:
    """(dotted name, field, type) of every setting."""
    hints = get_type_hints(cls)
    for one in fields(cls):
        name = f"{prefix}{one.name}"
        if is_dataclass(hints[one.name]):
            yield from settings(hints[one.name], f"{name}.")
            continue
        yield name, one, hints[one.name]
        if get_origin(hints[one.name]) is tuple:
            yield from settings(get_args(hints[one.name])[0], f"{name}.")


def test_every_setting_is_documented_with_its_default_and_range() -> None:
    documented = {name: cells[:2] for name, cells in rows(DOCS / "config.md", re.compile(r"`\w+\.[\w.]+`")).items()}
    assert documented == {name: [_default(one), _range(one, hint)] for name, one, hint in settings()}


def _default(one: Field[Any]) -> str:
    assert one.default is not MISSING
    return f"`{json.dumps(one.default)}`" if one.default not in (None, ()) else "none"


def _range(one: Field[Any], hint: Any) -> str:
    if get_origin(hint) is Literal:
        return ", ".join(get_args(hint))
    if one.default is None:
        return "a day"
    low, high = one.metadata.get("low"), one.metadata.get("high")
    if low is None:
        return ""
    return f"{low} to {high}" if high != float("inf") else f"{low} or more"


def test_the_rules_of_the_disclosure_guide_are_settings(tmp_path: Path) -> None:
    for name in ("disclosure.md", "config.md"):
        for block in blocks(DOCS / name):
            if block.kind == "toml":
                (tmp_path / "some.toml").write_text(block.body, encoding="utf-8")
                loaded = Config.load(tmp_path / "some.toml")
                assert loaded != Config()


def emitted() -> set[str]:
    """Every kind of event that a room emits."""
    kinds = set()
    for room in ROOMS:
        for path in (ROOT / room).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
                    said = node.args[0]
                    if node.func.attr in ("emit", "_emit") and isinstance(said, ast.Constant):
                        kinds.add(str(said.value))
    return kinds


def test_every_kind_of_event_is_documented_and_shown_in_words() -> None:
    documented = rows(DOCS / "traces.md", re.compile(r"`[a-z_]+`"))
    assert documented.keys() == emitted()
    assert emitted() - set(_LINES) == set()


@pytest.mark.model
@pytest.mark.timeout(600)
def test_events_have_the_fields_that_are_documented(printed: dict[str, Any]) -> None:
    documented = {
        name: set(re.findall(r"`(\w+)`", cells[1]))
        for name, cells in rows(DOCS / "traces.md", re.compile(r"`[a-z_]+`")).items()
    }
    for event in printed["kith trace"]["events"]:
        extra = event.keys() - {"seq", "t", "at", "kind"} - documented[event["kind"]]
        assert extra == set(), event["kind"]


def mapped() -> list[str]:
    """The modules and folders that the map's table names: "memory/store.py", "app/cli/"."""
    found = []
    for line in (DOCS / "architecture.md").read_text(encoding="utf-8").splitlines():
        if re.match(r"\| `\w+/[\w*]+(\.py|/)`", line):
            first, *others = re.findall(r"`([^`]+)`", line.split("|")[1])
            room = first.partition("/")[0]
            found += [first, *(f"{room}/{other}" for other in others)]
    return found


def test_the_map_names_every_module_once() -> None:
    places = mapped()
    assert [place for place in places if not list(ROOT.glob(place.rstrip("/")))] == []
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            name = path.relative_to(ROOT)
            hits = [
                place
                for place in places
                if name.match(place) or f"{name.as_posix()}".startswith(f"{place.rstrip('/')}/")
            ]
            assert path.name == "__init__.py" or len(hits) == 1, f"{name} is named {len(hits)} times"


@pytest.mark.parametrize("path", [ROOT / "README.md", *sorted(DOCS.glob("*.md"))], ids=lambda path: path.name)
def test_links_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text(encoding="utf-8")):
        file, _, anchor = target.partition("#")
        if target.startswith("https://"):
            continue
        there = (path.parent / file).resolve() if file else path
        assert there.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.+)$", there.read_text(encoding="utf-8"), flags=re.MULTILINE)
            assert anchor in {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}, target
