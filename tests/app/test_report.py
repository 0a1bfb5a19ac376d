"""report.html: what it tells of a run, that it needs nothing beside itself, and that no text of a run becomes markup."""

import base64
import hashlib
import itertools
import random
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import networkx as nx
import pytest

from kithnet.app import report_figures as figures
from kithnet.app.report import write_report
from kithnet.app.report_drawing import MOST_PEOPLE, NARROW, WIDE, Canvas, draw, lay_out, shown
from kithnet.app.report_events import typed
from kithnet.app.report_labels import Box, Label, width_of
from kithnet.app.report_paths import Paths, paths_of
from kithnet.app.report_story import Conversation, RunStory, tell
from kithnet.runtime.errors import StorageError
from kithnet.runtime.trace import TraceWriter, read_trace

FIRST = "Ada Ben Cleo Dev Edda Finn Gus Hana Ivo Jun Kaya Leo Mina Noor Otto Pia Quin Rosa Sami Tara Uma Vito Wanda Xeni Yara Zeno"
LAST = "Abel Brandt Costa Dorn Egede Falk Grau Holm Ivers Jansen Kern Lund"
TOPICS = ("the ferry tickets", "the blue guitar", "the garden party", "the broken heater", "the Lisbon trip")
VALUES = (
    "she sold it to a neighbour for 80 euros",
    "the 7 am boat on Friday",
    "on the roof of the old bakery",
    "a plumber named Rufus",
    "they leave on the ninth of May",
)


def world(people: int = 140, seed: int = 7) -> nx.Graph:
    """A network in communities, connected, with names."""
    sizes = [people // 8] * 7 + [people - 7 * (people // 8)]
    mixing = [[0.38 if a == b else 0.012 for b in range(8)] for a in range(8)]
    drawn = nx.stochastic_block_model(sizes, mixing, seed=seed)
    for one, other in zip(list(drawn), list(drawn)[1:], strict=False):
        if not drawn.degree[other]:
            drawn.add_edge(one, other)
    names = [f"{first} {last}" for last in LAST.split() for first in FIRST.split()]
    random.Random(seed).shuffle(names)
    graph = nx.Graph()
    for node in drawn:
        graph.add_node(_id(names[node]), name=names[node])
    graph.add_edges_from((_id(names[a]), _id(names[b])) for a, b in drawn.edges)
    return graph


def _id(name: str) -> str:
    return name.casefold().replace(" ", "_")


class Teller:
    """Writes the trace of a run as the agents would."""

    def __init__(self, folder: Path, graph: nx.Graph, command: str = "simulate", tasks: int = 1) -> None:
        self.folder, self.graph, self.tasks, self.command = folder, graph, tasks, command
        self.writer = TraceWriter(folder / "trace.jsonl")
        self.turns: dict[str, int] = {}
        self.run()

    def emit(self, kind: str, **fields: Any) -> None:
        self.writer.emit(kind, **fields)

    def run(self) -> None:
        self.emit(
            "run", run=self.folder.name, command=self.command, world="demo", people=len(self.graph),
            ties=self.graph.size(), messages=70_214, model="smollm2-135m", seed=7, tasks=self.tasks,
        )  # fmt: skip

    def resume(self) -> None:
        """As after kill -9: another process goes on."""
        self.writer.close()
        self.writer = TraceWriter(self.folder / "trace.jsonl")
        self.run()

    def task(self, task: str, question: str, pair: tuple[str, str], **fields: Any) -> None:
        instructor, assistant = pair
        about = {"gold": None, "gold_evidence": [], **fields}
        self.emit("task", task=task, question=question, instructor=instructor, assistant=assistant, **about)
        self.dialogue(task, question, pair, top=True)
        self.emit("plan", dialogue=task, person=instructor, questions=[question])

    def dialogue(self, dialogue: str, question: str, pair: tuple[str, str], *, top: bool = False) -> None:
        self.emit("dialogue", dialogue=dialogue, task=question, pair=list(pair), top=top)

    def recall(
        self, dialogue: str, person: str, question: str, hits: int = 4, found: str = "", evidence: str = ""
    ) -> None:
        ids = [[evidence or f"m{100 + n}", round(0.8 - n / 10, 3)] for n in range(hits)]
        self.emit(
            "recall",
            dialogue=dialogue,
            person=person,
            question=question,
            hint="",
            hits=ids,
            searched=4_312,
            mode="fused",
            seconds=0.021,
        )
        if found:
            self.emit(
                "found",
                dialogue=dialogue,
                person=person,
                question=question,
                value=found,
                evidence=evidence,
                support=0.81,
            )

    def consult(self, dialogue: str, person: str, asks: str, question: str) -> str:
        self.emit(
            "consult",
            dialogue=dialogue,
            person=person,
            asks=asks,
            question=question,
            reason="named in the question",
            score=0.7,
            depth=1,
        )
        nested = f"{dialogue}.{self.turns.get(dialogue, 0)}-{asks}"
        self.dialogue(nested, question, (person, asks))
        return nested

    def say(
        self,
        dialogue: str,
        sender: str,
        receiver: str,
        text: str,
        *,
        claims: Any = (),
        asks: Any = (),
        declined: Any = (),
    ) -> str:
        turn = self.turns[dialogue] = self.turns.get(dialogue, 0) + 1
        said = f"u:{dialogue}:{turn}"
        self.emit("utterance", dialogue=dialogue, id=said, turn=turn, sender=sender, receiver=receiver, text=text,
                  claims=list(claims), asks=list(asks), declined=list(declined))  # fmt: skip
        return said

    def disclose(
        self, dialogue: str, sender: str, receiver: str, messages: list[str], *, told: bool = True, **fields: Any
    ) -> None:
        row = {"rule": "default: ordinary", "action": "tell", "sensitivity": "ordinary", "task": "?", **fields}
        utterance = f"u:{dialogue}:{self.turns.get(dialogue, 0) + 1}"
        self.emit("disclosure", dialogue=dialogue, told=told, messages=messages, utterance=utterance,
                  **{"from": sender, "to": receiver}, **row)  # fmt: skip

    def done(
        self, task: str, answer: str, citations: list[str], *, ledger: Any = (), other: Any = (), **fields: Any
    ) -> None:
        self.emit("answer", dialogue=task, stopped_because="settled", turns=4, answer=answer, citations=citations,
                  known=bool(citations), worded_by="code", agreed=[])  # fmt: skip
        self.emit("ledgers", dialogue=task, instructor=list(ledger), assistant=list(other))
        usage = {"sent": 5_400, "evaluated": 1_210, "generated": 164, "seconds": 6.4, "calls": 9}
        told: dict[str, Any] = {
            "status": "done", "error": None, "known": bool(citations), "correct": None, "cites_gold": None, "turns": 4,
            "utterances": 6, "consulted": [], "stopped_because": "settled", "seconds": 7.31, "searched": 21_560,
            "usage": usage,
        }  # fmt: skip
        self.emit("task_done", task=task, answer=answer, citations=citations, **{**told, **fields})

    def end(self) -> None:
        self.emit("run_done", seconds=92.4, usage={})
        self.writer.close()


def claim(question: str, value: str, sources: list[str], witness: str, hops: int = 0) -> dict[str, Any]:
    return {"question": question, "value": value, "quote": value, "said": f"{witness} told me", "sources": sources,
            "witness": witness, "hops": hops, "support": 0.81}  # fmt: skip


def rationale(question: str, value: str, sources: list[str], witness: str, said: str, **fields: Any) -> dict[str, Any]:
    evidence = [{"id": said, "sources": sources, "witness": witness, "hops": 1, "support": 0.81, "quote": value}]
    return {
        "id": "r0", "question": question, "kind": "text", "status": "known", "held": [{"value": value, "evidence": evidence}],
        "asked_of": [], "declined_by": [], "reason": "",
        "history": [
            {"turn": 0, "action": "open", "detail": question},
            {"turn": 3, "action": "fill", "detail": f"{value} [{said}]"},
        ],
        **fields,
    }  # fmt: skip


def third_party_task(
    run: Teller, task: str, people: list[str], topic: str, value: str, evidence: str = "m4711", **fields: Any
) -> None:
    """One task: the assistant does not know, asks two others in vain or not; the second had it from the witness."""
    a, b, c, d = people[:4]
    name = run.graph.nodes[d].get("name", d)
    question = f"What did {name} say about {topic}?"
    run.task(task, question, (a, b), gold=[value], gold_evidence=[evidence])
    run.recall(task, a, question)
    run.say(task, a, b, f"Can you help me with this: {question}", asks=[question])
    run.recall(task, b, question)
    vain = run.consult(task, b, c, question)
    run.say(vain, b, c, f"Can you help me with this: {question}", asks=[question])
    run.recall(vain, c, question, hits=1)
    run.say(vain, c, b, f"I have nothing I can share on “{question}”", declined=[question])
    nested = run.consult(task, b, d, question)
    run.say(nested, b, d, f"Can you help me with this: {question}", asks=[question])
    run.recall(nested, d, question, found=value, evidence=evidence)
    run.disclose(nested, d, b, [evidence])
    run.say(nested, d, b, f"On “{question}” I have: {value}.", claims=[claim(question, value, [evidence], d)])
    run.disclose(task, b, a, [evidence])
    run.disclose(task, b, a, ["m9"], told=False, rule="default: confidence", action="ask", sensitivity="confidence")
    said = run.say(
        task, b, a, f"{name} let me know: “{value}”.", claims=[claim(question, value, [evidence], d, hops=1)]
    )
    run.say(task, a, b, "I have nothing to add.")
    ledger = rationale(question, value, [evidence], d, said)
    run.done(task, value, [evidence], ledger=[ledger], other=[{**ledger, "asked_of": [c, d], "declined_by": [c]}],
             consulted=[c, d], cites_gold=True, correct=True, **fields)  # fmt: skip


class Page(HTMLParser):
    """What a browser would make of a page: its elements with their attributes, its scripts and styles, its text."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.inside: list[str] = []
        self.raw: dict[str, str] = {}
        self.text = ""
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        self.inside.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        while self.inside and self.inside.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if self.inside and self.inside[-1] in ("script", "style"):
            self.raw[self.inside[-1]] = self.raw.get(self.inside[-1], "") + data
        else:
            self.text += f" {data.strip()}" if data.strip() else ""

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.tags if name == tag]

    def of_class(self, name: str) -> list[dict[str, str]]:
        return [attributes for _, attributes in self.tags if name in attributes.get("class", "").split()]


def figure(page: Page, label: str) -> str:
    """The text after a number's name in the page's lists of numbers."""
    return page.text.split(f" {label} ", 1)[1][:60]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "simulate-20250303-140200"
    made.mkdir()
    return made


PEOPLE = ["ada", "ben", "cleo", "dev"]


def small() -> nx.Graph:
    graph = nx.Graph()
    for person in [*PEOPLE, "edda", "finn"]:
        graph.add_node(person, name=person.title())
    graph.add_edges_from([("ada", "ben"), ("ben", "cleo"), ("ben", "dev"), ("dev", "edda"), ("edda", "finn")])
    return graph


def one_task(folder: Path, **fields: Any) -> Page:
    run = Teller(folder, small(), "ask")
    third_party_task(run, "t1", PEOPLE, "the guitar", "it was sold", **fields)
    run.end()
    return Page(write_report(folder, run.graph, operator=True))


def around(graph: nx.Graph, person: str) -> list[str]:
    """A person as the assistant, with three of its alters."""
    first, *others = graph[person]
    return [first, person, *others[:2]]


def story_of(folder: Path) -> RunStory:
    return tell(typed(read_trace(folder / "trace.jsonl")))


def paths(folder: Path) -> Paths:
    return paths_of(story_of(folder).tasks[0])


def test_the_page_asks_for_nothing_outside_itself(folder: Path) -> None:
    page = one_task(folder)
    for tag, attributes in page.tags:
        assert tag not in ("link", "img", "iframe", "object", "embed", "base")
        assert not {"src", "srcset", "data", "action", "style", "background"} & attributes.keys(), tag
        assert not any(name.startswith("on") for name in attributes), tag
        assert attributes.get("href", "#").startswith("#")
    assert "url(" not in page.raw["style"] and "@import" not in page.raw["style"]
    assert not re.search(r"fetch|XMLHttpRequest|innerHTML|eval", page.raw["script"])


def test_the_pages_own_policy_allows_its_one_style_and_script_and_nothing_else(folder: Path) -> None:
    page = one_task(folder)
    policy = next(meta["content"] for meta in page.all("meta") if meta.get("http-equiv") == "Content-Security-Policy")
    for kind in ("style", "script"):
        digest = base64.b64encode(hashlib.sha256(page.raw[kind].encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}';" in policy
    assert policy.startswith("default-src 'none'") and "unsafe" not in policy


def test_text_of_a_run_never_becomes_markup(folder: Path) -> None:
    evil = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'></text></details>{{ 7*7 }}"
    graph = small()
    graph.nodes["dev"]["name"] = f"Dev {evil}"
    graph.nodes["ada"]["name"] = "<script>a</script>"
    run = Teller(folder, graph, "ask")
    third_party_task(run, "t1", PEOPLE, f"the guitar {evil}", f"sold {evil}", evidence=f"m1{evil}")
    run.emit("task_done", task="t1", status="failed", error=evil, stopped_because=evil, citations=[evil])
    run.end()
    page = Page(write_report(folder, graph, operator=True))
    assert len(page.all("script")) == 1 and not page.all("img")
    assert "alert" not in page.raw["script"] and "alert" not in page.raw["style"]
    assert f"sold {evil}" in page.text and "<script>a</script>" in page.text
    assert not any(name.startswith("on") for _, attributes in page.tags for name in attributes)


def test_anchors_are_unique_and_every_link_and_label_has_its_target(folder: Path) -> None:
    graph = world()
    run = Teller(folder, graph, tasks=3)
    for number, person in enumerate([p for p in graph if graph.degree[p] > 3][:3], start=1):
        third_party_task(run, f"t{number}", around(graph, person), "tea", "green")
    run.end()
    page = Page(write_report(folder, graph, operator=True))
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    links = {link["href"][1:] for link in page.all("a")} | {
        link["data-pick"] for link in page.all("a") if "data-pick" in link
    }
    assert links <= set(ids) and {"task-3", "pick-3"} <= links


def test_a_task_is_told_with_its_answer_evidence_and_both_ledgers(folder: Path) -> None:
    page = one_task(folder)
    for told in ("What did Dev say about the guitar?", "it was sold", "✓ correct", "✓ cites gold", "m4711", "settled",
                 "Ada asked Ben", "Nothing from Cleo.", "May not tell Ada m9 (default: confidence)"):  # fmt: skip
        assert told in " ".join(page.text.split()), told
    assert len(page.of_class("ledger")) == 2 and len(page.of_class("rationale")) == 2
    assert page.text.count("default: ordinary") == 4


def test_a_consultation_stands_between_the_turns_it_was_held_between(folder: Path) -> None:
    text = one_task(folder).text
    conversation = text[text.index(" Conversation ") :]
    order = ["Ada to Ben", "Ben consults Cleo", "Cleo to Ben", "Ben consults Dev", "Dev to Ben", "Ben to Ada"]
    at = [conversation.index(step) for step in order]
    assert at == sorted(at)


def test_the_path_of_the_answer_leads_from_the_witness_over_the_assistant_to_the_instructor(folder: Path) -> None:
    one_task(folder)
    found = paths(folder)
    assert [chain.people for chain in found.chains] == [("dev", "ben", "ada")]
    assert [(one.sender, one.receiver, one.cited) for one in found.passings] == [
        ("dev", "ben", True),
        ("ben", "ada", True),
    ]
    assert found.fruitless == (("ben", "cleo"),) and found.witnesses == ("dev",)


def test_what_was_told_before_the_task_is_a_step_of_its_own(folder: Path) -> None:
    run = Teller(folder, small(), "ask")
    run.task("t1", "Who sold it?", ("ada", "ben"))
    run.say("t1", "ada", "ben", "Who sold it?", asks=["Who sold it?"])
    run.say("t1", "ben", "ada", "Dev did.", claims=[claim("Who sold it?", "Dev did", ["m5"], "dev", hops=1)])
    run.done("t1", "Dev did", ["m5"])
    run.end()
    page = Page(write_report(folder, run.graph, operator=True))
    assert [(c.people, c.earlier) for c in paths(folder).chains] == [(("dev", "ben", "ada"), True)]
    assert "told before this task" in page.text


def test_an_answer_from_the_instructors_own_memory_takes_no_path(folder: Path) -> None:
    run = Teller(folder, small(), "ask")
    run.task("t1", "Who sold it?", ("ada", "ben"))
    run.say("t1", "ada", "ben", "Dev did.", claims=[claim("Who sold it?", "Dev did", ["m5"], "ada")])
    run.done("t1", "Dev did", ["m5"])
    run.end()
    write_report(folder, run.graph, operator=True)
    assert [chain.people for chain in paths(folder).chains] == [("ada",)]
    assert [(one.sender, one.receiver, one.cited) for one in paths(folder).passings] == [("ada", "ben", False)]


def test_an_answer_that_rests_on_what_the_instructor_was_never_told_is_marked(folder: Path) -> None:
    agreed = {"question": "Who sold it?", "kind": "name", "value": "Dev did", "both": False, "rivals": [], "reason": "",
              "evidence": [{"id": "m5", "sources": ["m5"], "witness": "ben"}]}  # fmt: skip
    run = Teller(folder, small(), "ask")
    run.task("t1", "Who sold it?", ("ada", "ben"))
    run.disclose("t1", "ben", "ada", ["m5"], told=False)
    run.say("t1", "ben", "ada", "I have nothing I can share.", declined=["Who sold it?"])
    run.emit("answer", dialogue="t1", answer="Dev did", citations=["m5"], known=True, agreed=[agreed])
    run.end()
    page = Page(write_report(folder, run.graph, operator=True))
    assert [(chain.people, chain.untold) for chain in paths(folder).chains] == [(("ben",), True)]
    assert "Nobody told Ada this in the conversation." in page.text
    assert figure(page, "answers never told").startswith("rest on what nobody said to the instructor 1")


def test_what_the_instructor_remembered_from_an_earlier_talk_counts_as_told(folder: Path) -> None:
    agreed = {
        "question": "Who?",
        "value": "Dev did",
        "evidence": [{"id": "k5", "sources": ["k5"], "witness": "dev", "hops": 1}],
    }
    run = Teller(folder, small(), "ask")
    run.task("t1", "Who?", ("ada", "ben"))
    run.recall("t1", "ada", "Who?", found="Dev did", evidence="k5")
    run.emit("answer", dialogue="t1", answer="Dev did", citations=["k5"], known=True, agreed=[agreed])
    run.end()
    write_report(folder, run.graph, operator=True)
    assert [(c.people, c.earlier, c.untold) for c in paths(folder).chains] == [(("dev", "ada"), True, False)]
    assert [(one.sender, one.receiver, one.cited, one.earlier) for one in paths(folder).passings] == [
        ("dev", "ada", True, True)
    ]


def test_a_step_told_twice_by_a_resumed_run_is_shown_once_as_it_was_told_last(folder: Path) -> None:
    run = Teller(folder, small(), "ask")
    run.task("t1", "Who sold it?", ("ada", "ben"))
    run.recall("t1", "ada", "Who sold it?")
    run.resume()
    run.recall("t1", "ada", "Who sold it?")
    run.say("t1", "ada", "ben", "The first wording", asks=["Who sold it?"])
    run.resume()
    run.turns.clear()
    run.say("t1", "ada", "ben", "The second wording", asks=["Who sold it?"])
    run.done("t1", "unknown", [])
    run.end()
    page = Page(write_report(folder, run.graph, operator=True))
    assert "The second wording" in page.text and "The first wording" not in page.text
    assert page.text.count("Ada searches") == 1 and "Resumed twice" in " ".join(page.text.split())


def test_running_time_adds_up_over_the_processes_of_a_run(folder: Path) -> None:
    events = [
        {"seq": 1, "t": 0.0, "kind": "run", "tasks": 1},
        {"seq": 2, "t": 4.0, "kind": "dialogue", "dialogue": "t1", "pair": ["ada", "ben"]},
        {"seq": 3, "t": 0.0, "kind": "run", "tasks": 1},
        {"seq": 4, "t": 2.5, "kind": "utterance", "dialogue": "t1", "id": "u:t1:1", "turn": 1, "sender": "ada",
         "receiver": "ben", "text": "Hello"},
        {"seq": 5, "t": 3.0, "kind": "run_done", "seconds": 3.0, "usage": {}},
    ]  # fmt: skip
    run = tell(typed(events))
    assert run.seconds == 7.0 and run.processes == 2 and run.finished
    assert [moment.after for moment in run.tasks[0].moments] == [2.5]


def test_a_person_whose_id_begins_with_anothers_keeps_a_consultation_of_its_own(folder: Path) -> None:
    names = ["t1", "t1.1-mr", "t1.1-mr. geller", "t1.1-mr. geller.1-ross", "t10"]
    events = [{"seq": n, "kind": "dialogue", "dialogue": name, "pair": ["a", "b"]} for n, name in enumerate(names)]
    run = tell(typed(events))
    assert [task.id for task in run.tasks] == ["t1", "t10"]
    talk = run.tasks[0].talk
    assert talk and [step.id for step in talk.steps if isinstance(step, Conversation)] == names[1:3]


def test_the_headline_counts_what_the_trace_holds(folder: Path) -> None:
    run = Teller(folder, small(), tasks=4)
    third_party_task(run, "t1", PEOPLE, "tea", "green")
    third_party_task(run, "t2", PEOPLE, "cake", "plum", evidence="m8")
    run.done("t2", "plum", ["m8"], cites_gold=False)
    run.task("t3", "Who?", ("ada", "ben"))
    run.emit("limit", dialogue="t3", why="60 seconds are spent")
    run.emit("withheld", dialogue="t3", person="ada", utterance="u:t3:1")
    run.emit("task_done", task="t3", status="failed", error="ContextOverflow: too long")
    run.end()
    page = Page(write_report(folder, run.graph, operator=True))
    expected = {
        "tasks done": "2 of 4 planned", "answered": "100 % 2 of 2 done", "cite the gold message": "50 % 1 of 2 with gold",
        "messages searched": "43,120", "running time": "1 min 32 s", "calls": "18", "prompt tokens sent": "10,800",
        "prompt tokens evaluated": "22 % of sent 2,420", "tokens generated": "328", "disclosures told": "4",
        "disclosures refused": "2", "tasks failed": "1", "limits reached": "1",
    }  # fmt: skip
    for label, value in expected.items():
        assert figure(page, label).startswith(value), label
    assert "ContextOverflow: too long" in page.text and "consultations 4 people who took part 4" in page.text


def test_a_run_that_has_only_begun_still_has_a_page(folder: Path) -> None:
    run = Teller(folder, small(), tasks=3)
    assert "No task has begun yet" in Page(write_report(folder, run.graph, operator=True)).text
    run.task("t1", "Who?", ("ada", "ben"))
    page = Page(write_report(folder, nx.Graph()))
    assert "unfinished" in page.text and "There is no network to draw" in page.text
    run.end()


def test_a_dialogue_that_no_task_was_announced_for_is_told_too(folder: Path) -> None:
    with TraceWriter(folder / "trace.jsonl") as writer:
        writer.emit("dialogue", dialogue="headline", task="Who sold it?", pair=["ada", "stranger"], top=True)
        writer.emit(
            "answer", dialogue="headline", answer="Dev", citations=["m1"], known=True, stopped_because="settled"
        )
    page = Page(write_report(folder, small()))
    assert "Who sold it?" in page.text and "stranger" in page.text and "✓ answered" in page.text


def test_the_same_trace_gives_the_same_page(folder: Path) -> None:
    one_task(folder)
    first = (folder / "report.html").read_bytes()
    assert write_report(folder, small(), operator=True).read_bytes() == first
    assert not (folder / "report.html.part").exists()


def test_a_damaged_event_and_an_unwritable_page_are_clear_errors(folder: Path) -> None:
    one_task(folder)
    (folder / "report.html").unlink()
    (folder / "report.html").mkdir()
    with pytest.raises(StorageError, match="cannot write"):
        write_report(folder, small())
    assert not (folder / "report.html.part").exists()
    with TraceWriter(folder / "trace.jsonl") as writer:
        writer.emit("utterance", dialogue="t1", id="u:t1:9", turn="not a number")
    with pytest.raises(StorageError, match=r"\(utterance\) is damaged: .*turn"):
        write_report(folder, small())
    with pytest.raises(StorageError, match="cannot read"):
        write_report(folder / "nowhere", small())


@pytest.mark.parametrize("canvas", [WIDE, NARROW], ids=lambda canvas: canvas.name)
def test_nothing_in_a_picked_drawing_is_cut_off_and_no_names_cover_each_other(folder: Path, canvas: Canvas) -> None:
    graph = world()
    run = Teller(folder, graph, tasks=6)
    asked = [p for p in graph if graph.degree[p] > 4][::9][:6]
    for number, person in enumerate(asked, start=1):
        third_party_task(run, f"t{number}", around(graph, person), "tea", "green")
    run.end()
    routes = [paths_of(task) for task in story_of(folder).tasks]
    names = {person: data["name"] for person, data in graph.nodes(data=True)}
    drawing = draw(canvas, graph, lay_out(graph), routes, names)
    assert len(drawing.dots) == 140 and len(drawing.routes) == 6
    for dot in drawing.dots:
        assert Box.around(dot.x, dot.y, dot.r).outside(canvas.width, canvas.height) == 0
    for labels in (drawing.labels, *(route.labels for route in drawing.routes)):
        boxes = [box_of(label, canvas.font) for label in labels]
        assert all(box.outside(canvas.width, canvas.height) == 0 for box in boxes)
        assert all(not one.overlap(other) for one, other in itertools.combinations(boxes, 2))


def box_of(label: Label, font: float) -> Box:
    wide = width_of(label.text, font)
    left = {"start": label.x, "end": label.x - wide, "middle": label.x - wide / 2}[label.anchor]
    return Box(left, label.y - 0.8 * font, left + wide, label.y + 0.2 * font)


def test_of_a_very_large_network_those_who_took_part_are_drawn_with_their_surroundings() -> None:
    graph = nx.relabel_nodes(nx.barabasi_albert_graph(1_500, 2, seed=4), str)
    drawn = shown(graph, ["1499", "1498"])
    assert len(drawn) == MOST_PEOPLE and {"1499", "1498", *graph["1499"], *graph["1498"]} <= set(drawn)


def test_colours_of_text_have_enough_contrast_in_both_schemes(folder: Path) -> None:
    one_task(folder)
    style = Page(folder / "report.html").raw["style"]
    light, dark = style.split("@media (prefers-color-scheme: dark)", 1)
    for scheme in (light, dark):
        colour = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", scheme))
        on = {"paper": ("ink", "soft", "fact", "instructor", "assistant"), "card": ("ink", "soft", "fact", "bad", "consulted"),
              "sunk": ("ink", "soft"), "good-back": ("good",), "bad-back": ("bad",), "open-back": ("open",)}  # fmt: skip
        on |= {f"{role}-back": ("ink", "soft", role) for role in ("instructor", "assistant", "consulted")}
        on |= {"witness-back": ("ink", "soft", "fact"), "fact": ("on",), "instructor": ("on",), "consulted": ("on",)}
        for back, fronts in on.items():
            for front in fronts:
                assert contrast(colour[back], colour[front]) >= 4.5, (back, front)


def contrast(one: str, other: str) -> float:
    """WCAG 2 contrast of two colours."""
    low, high = sorted(map(luminance, (one, other)))
    return (high + 0.05) / (low + 0.05)


def luminance(colour: str) -> float:
    parts = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_numbers_are_written_for_people() -> None:
    durations = {
        0: "0 s",
        0.021: "21 ms",
        4.24: "4.2 s",
        9.97: "10 s",
        59.7: "1 min",
        92.4: "1 min 32 s",
        7_500: "2 h 5 min",
    }
    assert {duration: figures.seconds(duration) for duration in durations} == durations
    assert figures.count(70_214) == "70,214"
    assert [figures.share(*pair) for pair in ((0, 0), (1, 3), (1, 1_000), (999, 1_000), (0, 4))] == [
        "–", "33 %", "< 1 %", "> 99 %", "0 %",
    ]  # fmt: skip
    assert figures.moment("2025-03-03T14:02:09.120+00:00") == "3 March 2025, 14:02 UTC"
    assert figures.moment("yesterday") == "yesterday" and figures.plural(1, "person", "people") == "1 person"
