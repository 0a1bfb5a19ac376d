"""The network in training as a reader: what it would say, the head that is fitted by itself, and what llama.cpp has to repeat."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from scipy.optimize import minimize

from kithnet.bench.reading.encoder import Network
from kithnet.bench.reading.examples import Asked, Task
from kithnet.bench.reading.judging import Reads
from kithnet.runtime.packing import Line, Packer, Row, with_before
from kithnet.runtime.reader import TOOLS, Judged, Span, best_span

PROBE_SCALE, PROBE_RIDGE = 8.0, 0.001


def reads(network: Network, packer: Packer, *, exact: bool = False) -> Reads:
    """The network as it is, as a reader."""

    @torch.no_grad()
    def vectors(rows: Sequence[Row]) -> list[np.ndarray]:
        found: dict[int, np.ndarray] = {}
        order = sorted(range(len(rows)), key=lambda at: len(rows[at].tokens))
        for begin in range(0, len(order), 32):
            some = order[begin : begin + 32]
            out, _ = network([rows[at].tokens for at in some], exact=exact)
            found |= {at: out[place, : len(rows[at].tokens)].numpy() for place, at in enumerate(some)}
        return [found[at] for at in range(len(rows))]

    def head(name: str, rows: np.ndarray) -> np.ndarray:
        linear = network.heads[name]
        return rows @ linear.weight.detach().numpy().T + linear.bias.detach().numpy()

    def firsts(rows: Sequence[Row]) -> np.ndarray:
        return np.stack([one[0] for one in vectors(rows)])

    def odds(scores: np.ndarray) -> np.ndarray:
        return np.exp(scores) / np.exp(scores).sum(axis=-1, keepdims=True)

    def relevance(question: str, lines: Sequence[tuple[Line | None, Line]]) -> np.ndarray:
        return head("answers", firsts([packer.window(question, with_before(*pair)) for pair in lines]))[:, 0]

    def spans(question: str, windows: Sequence[Sequence[Line]]) -> list[Span | None]:
        rows = [packer.window(question, lines) for lines in windows]
        return [best_span(row, head("span", one)) for row, one in zip(rows, vectors(rows), strict=True)]

    def judged(messages: Sequence[tuple[Line | None, Line]]) -> list[Judged]:
        rows = firsts([packer.message(before or ("", ""), line) for before, line in messages])
        found = [odds(head(name, rows)) for name in ("kind", "stance", "secrecy")]
        return [Judged(*(one[at] for one in found)) for at in range(len(rows))]

    def relations(pairs: Sequence[tuple[Line, Line]]) -> np.ndarray:
        return odds(head("relation", firsts([packer.relation(*pair) for pair in pairs])))

    def tools(texts: Sequence[str]) -> np.ndarray:
        return odds(head("task", firsts([packer.message(("", ""), ("", text)) for text in texts])))

    return Reads(relevance, spans, judged, relations, tools)


@torch.no_grad()
def probe(network: Network, packer: Packer, some: Sequence[Task]) -> None:
    """Fit the head of tasks by itself over the trained encoder: a ridge logistic regression, for which few tasks do."""
    network.eval()
    rows = [packer.message(("", ""), ("", one.text)).tokens for one in some]
    vectors = torch.cat([network([row])[0][:, 0] for row in rows]).double().numpy()
    wanted = np.eye(len(TOOLS))[[TOOLS.index(one.tool) for one in some]]
    scale = PROBE_SCALE / float(np.linalg.norm(vectors, axis=1).mean())
    table = np.hstack([vectors * scale, np.ones((len(some), 1))])

    def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
        weights = flat.reshape(len(TOOLS), -1)
        scores = table @ weights.T
        odds = np.exp(scores - scores.max(axis=1, keepdims=True))
        odds /= odds.sum(axis=1, keepdims=True)
        ridge = np.hstack([weights[:, :-1], np.zeros((len(TOOLS), 1))])
        off = -np.log((odds * wanted).sum(axis=1) + 1e-12).mean() + PROBE_RIDGE * float((ridge**2).sum())
        return float(off), ((odds - wanted).T @ table / len(some) + 2 * PROBE_RIDGE * ridge).ravel()

    start = np.zeros(len(TOOLS) * table.shape[1])
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 400}).x.reshape(len(TOOLS), -1)
    network.heads["task"].weight.copy_(torch.tensor(found[:, :-1] * scale))
    network.heads["task"].bias.copy_(torch.tensor(found[:, -1]))


def parity(network: Network, packer: Packer, some: Sequence[Asked]) -> dict[str, Any]:
    """What the network says, in float32, to a few inputs: llama.cpp has to say the same (tests/runtime/test_reader.py)."""
    network.eval()
    reader = reads(network, packer, exact=True)
    asked = [one for one in some if one.spans][:8]
    pairs = [(one.lines[at - 1] if at else None, one.lines[at]) for one in asked for at in sorted(one.gold)[:1]]
    spans = [reader.spans(one.question, [one.lines[:5]])[0] for one in asked]
    return {
        "questions": [one.question for one in asked], "windows": [list(one.lines[:5]) for one in asked],
        "spans": [list(span) if span else None for span in spans], "pairs": pairs,
        "relevance": [float(reader.relevance(one.question, [pair])[0]) for one, pair in zip(asked, pairs, strict=True)],
        "secrecy": [[float(odds) for odds in one.secrecy] for one in reader.judged(pairs)],
    }  # fmt: skip
