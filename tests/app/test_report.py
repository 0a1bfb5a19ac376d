"""report.html: what it tells of a run, that it needs nothing beside itself, and that no text of a run becomes markup."""

import random
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import networkx as nx
import pytest

from kithnet.app.report import write_report
from kithnet.runtime.errors import StorageError
from kithnet.runtime.trace import TraceWriter

FIRST = "Ada Ben Cleo Dev Edda Finn Gus Hana Ivo Jun Kaya Leo Mina Noor Otto Pia Quin Rosa Sami Tara Uma Vito Wanda Xeni Yara Zeno"
LAST = "Abel Brandt Costa Dorn Egede Falk Grau Holm Ivers Jansen Kern Lund"
TOPICS = ("the ferry tickets", "the blue guitar", "the garden party", "the broken heater", "the Lisbon trip")
VALUES = ("she sold it to a neighbour for 80 euros", "the 7 am boat on Friday", "on the roof of the old bakery", "a plumber named Rufus", "they leave on the ninth of May")


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

    def recall(self, dialogue: str, person: str, question: str, hits: int = 4, found: str = "", evidence: str = "") -> None:
        ids = [[evidence or f"m{100 + n}", round(0.8 - n / 10, 3)] for n in range(hits)]
        self.emit("recall", dialogue=dialogue, person=person, question=question, hint="", hits=ids, searched=4_312, mode="fused", seconds=0.021)
        if found:
            self.emit("found", dialogue=dialogue, person=person, question=question, value=found, evidence=evidence, support=0.81, copied=True)

    def consult(self, dialogue: str, person: str, asks: str, question: str) -> str:
        self.emit("consult", dialogue=dialogue, person=person, asks=asks, question=question, reason="named in the question", score=0.7, depth=1)
        nested = f"{dialogue}.{self.turns.get(dialogue, 0)}-{asks}"
        self.dialogue(nested, question, (person, asks))
        return nested

    def say(self, dialogue: str, sender: str, receiver: str, text: str, *, claims: Any = (), asks: Any = (), declined: Any = ()) -> str:
        turn = self.turns[dialogue] = self.turns.get(dialogue, 0) + 1
        said = f"u:{dialogue}:{turn}"
        self.emit("utterance", dialogue=dialogue, id=said, turn=turn, sender=sender, receiver=receiver, text=text,
                  claims=list(claims), asks=list(asks), declined=list(declined))  # fmt: skip
        return said

    def disclose(self, dialogue: str, sender: str, receiver: str, messages: list[str], *, told: bool = True, **fields: Any) -> None:
        row = {"rule": "default: ordinary", "action": "tell", "sensitivity": "ordinary", "task": "?", **fields}
        utterance = f"u:{dialogue}:{self.turns.get(dialogue, 0) + 1}"
        self.emit("disclosure", dialogue=dialogue, told=told, messages=messages, utterance=utterance,
                  **{"from": sender, "to": receiver}, **row)  # fmt: skip

    def done(self, task: str, answer: str, citations: list[str], *, ledger: Any = (), other: Any = (), **fields: Any) -> None:
        self.emit("answer", dialogue=task, stopped_because="settled", turns=4, answer=answer, citations=citations,
                  known=bool(citations), worded_by="code", agreed=[])  # fmt: skip
        self.emit("ledgers", dialogue=task, instructor=list(ledger), assistant=list(other))
        usage = {"sent": 5_400, "evaluated": 1_210, "generated": 164, "seconds": 6.4, "calls": 9}
        told = {"status": "done", "error": None, "known": bool(citations), "correct": None, "cites_gold": None, "turns": 4,
                "utterances": 6, "consulted": [], "stopped_because": "settled", "seconds": 7.31, "searched": 21_560, "usage": usage}  # fmt: skip
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
        "history": [{"turn": 0, "action": "open", "detail": question}, {"turn": 3, "action": "fill", "detail": f"{value} [{said}]"}],
        **fields,
    }  # fmt: skip


def third_party_task(run: Teller, task: str, people: list[str], topic: str, value: str, evidence: str = "m4711", **fields: Any) -> None:
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
    said = run.say(task, b, a, f"{name} let me know: “{value}”.", claims=[claim(question, value, [evidence], d, hops=1)])
    run.say(task, a, b, "I have nothing to add.")
    ledger = rationale(question, value, [evidence], d, said)
    run.done(task, value, [evidence], ledger=[ledger], other=[{**ledger, "asked_of": [c, d], "declined_by": [c]}],
             consulted=[c, d], cites_gold=True, correct=True, **fields)  # fmt: skip
