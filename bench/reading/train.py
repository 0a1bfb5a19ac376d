"""Train the reader: adapter and heads in one `.npz`, with its card. PyTorch on the CPU (extra `train`).

    python -m kithnet.bench.reading.train MINILM_FOLDER --data ../shared/data --out runtime/reader.npz

MINILM_FOLDER holds model.safetensors and vocab.txt. Each epoch is saved, and the same command goes on after the last one.
"""

import argparse
import hashlib
import json
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from kithnet.bench.reading import dialogues, judging
from kithnet.bench.reading.encoder import Network
from kithnet.bench.reading.examples import (
    Asked,
    Related,
    Task,
    Told,
    agentsocial,
    as_if,
    friendsqa,
    own,
    plans,
    renamed,
    single_lines,
    single_pairs,
    tasks,
)
from kithnet.bench.reading.judging import window
from kithnet.bench.reading.near import near
from kithnet.bench.reading.pieces import packers
from kithnet.bench.reading.speaking import parity, probe, reads
from kithnet.memory.writing import speech
from kithnet.runtime.packing import Line, Packer, Row, with_before
from kithnet.runtime.reader import KINDS, RELATIONS, SECRECY, STANCES, TOOLS

RANK = 32
HEADS: Mapping[str, int] = {
    "span": 2, "answers": 1, "kind": len(KINDS), "stance": len(STANCES),
    "secrecy": len(SECRECY), "relation": len(RELATIONS),
    "task": len(TOOLS),
}  # fmt: skip
QUESTIONS, MESSAGES = 8, 32
"""In a batch."""
WINDOWS, SINGLES = 3, 5
"""For each question: windows that are read for spans, and single lines that are ranked, the right one among them."""
ALONE = 0.3
"""How often a message is seen without the line before it."""
SECRECY_WEIGHTS = (1.0, 2.0, 3.0)
"""What a message of each secrecy counts: what is to be kept is rare, and missing it costs more."""
FEW = 2
"""How often pairs and tasks, of which there are few, come in an epoch."""
RETOLD = 0.4
"""How often two messages are seen as memories tell them, in the third person."""
HEAD_RATE, RATE, WARM = 1e-3, 4e-4, 80
MASKED = -1e4
TASKS, LINES, PAIRS = "tasks_[a-z].jsonl", "lines_[a-z].jsonl", "pairs_[a-z].jsonl"
PARITY = dialogues.DATA / "parity.json"
SEED = 7
HELD_TASKS = "tasks_held_out.jsonl"
WATCHED = 120
"""Questions of FriendsQA that are judged by, of those that are not trained on."""


@dataclass(frozen=True)
class Corpus:
    """What one training reads, or one set of it that is only judged by."""

    asked: Sequence[Asked]
    told: Sequence[Told]
    related: Sequence[Related]
    pool: Sequence[str]
    """First names that take the place of others."""
    tasks: Sequence[Task] = ()


def single(lines: Sequence[Line], at: int) -> Sequence[Line]:
    """A line as it is ranked: with the one before it, where it is short (`kithnet.runtime.reader`)."""
    return with_before(lines[at - 1] if at else None, lines[at])


class Trainer:
    """Batches of three kinds: questions, messages, pairs. All that is random comes from one seed."""

    def __init__(self, network: Network, packer_of: Callable[[Mapping[str, str]], Packer], corpus: Corpus, seed: int):
        self.network, self.packer_of, self.corpus = network, packer_of, corpus
        self.rng = random.Random(seed)

    def batches(self, share: float = 1.0) -> Iterator[Callable[[], Tensor]]:
        """One epoch, in random order. share: of the questions; the rest of the epoch is whole."""
        work: list[Callable[[], Tensor]] = []
        asked = self.rng.sample(list(self.corpus.asked), int(share * len(self.corpus.asked)))
        for some in self._groups(asked, QUESTIONS):
            work += [partial(self.of_spans, some), partial(self.of_ranks, some)]
        work += [partial(self.of_messages, some) for some in self._groups(self.corpus.told, MESSAGES)]
        for _ in range(FEW):
            work += [partial(self.of_pairs, some) for some in self._groups(self.corpus.related, MESSAGES)]
            work += [partial(self.of_tasks, some) for some in self._groups(self.corpus.tasks, MESSAGES)]
        self.rng.shuffle(work)
        yield from work

    def _groups(self, items: Sequence[Any], size: int) -> list[list[Any]]:
        mixed = self.rng.sample(list(items), len(items))
        return [mixed[at : at + size] for at in range(0, len(mixed), size)]

    def _packer(self, names: Sequence[str]) -> Packer:
        """Half of the time with other names."""
        other = self.rng.random() < 0.5
        return self.packer_of(renamed(names, self.corpus.pool, self.rng) if other else {})

    def _rival(self, one: Asked) -> tuple[Sequence[Line], int]:
        """A line that does not answer: of the same talk, or one that is near to the question in another one, often as if the
        same people had said it."""
        inside = [at for at in range(len(one.lines)) if all(abs(at - gold) > judging.AROUND for gold in one.gold)]
        if (inside and self.rng.random() < 0.5) or not one.others or not one.alone:
            return (one.lines, self.rng.choice(inside)) if inside else self._elsewhere()
        lines, at = self.rng.choice(one.others)
        return (as_if(lines, one.names, self.rng) if one.names and self.rng.random() < 0.6 else lines), at

    def _elsewhere(self) -> tuple[Sequence[Line], int]:
        lines = self.rng.choice(self.corpus.asked).lines
        return lines, self.rng.randrange(len(lines))

    def of_spans(self, some: Sequence[Asked]) -> Tensor:
        """Cross entropy of where the span starts and ends in each window; the first token for "nothing here"."""
        rows: list[Row] = []
        starts: list[list[int]] = []
        ends: list[list[int]] = []
        for one in some:
            packer = self._packer(one.names)
            cuts = []
            if one.spans:
                gold = self.rng.choice(sorted(one.gold))
                shift = self.rng.choice((0, 0, 0, -1, 1))
                cuts.append((one.lines, min(max(0, gold + shift), len(one.lines) - 1)))
            while len(cuts) < WINDOWS:
                cuts.append(self._rival(one))
            for lines, at in cuts:
                first, cut = window(lines, at)
                row = packer.window(one.question, cut)
                found = (
                    [judging.tokens_of(row, (line - first, a, b)) for line, a, b in one.spans]
                    if lines is one.lines
                    else []
                )
                places = [place for place in found if place]
                rows.append(row)
                starts.append([start for start, _ in places] or [0])
                ends.append([end for _, end in places] or [0])
        loss = torch.zeros(())
        for some_rows in _alike([row.tokens for row in rows]):
            vectors, seen = self.network([rows[at].tokens for at in some_rows])
            allowed = _places([rows[at] for at in some_rows], seen)
            scores = self.network.heads["span"](vectors).masked_fill(~allowed[..., None], MASKED)
            for end, wanted in enumerate((starts, ends)):
                loss = loss + _any_of(scores[..., end], [wanted[at] for at in some_rows])
        return loss / len(rows)

    def of_ranks(self, some: Sequence[Asked]) -> Tensor:
        """Of a line that answers and its rivals: which one, and of each one whether."""
        rows, target, group = [], [], []
        for number, one in enumerate(some):
            packer = self._packer(one.names)
            cuts = [(one.lines, self.rng.choice(sorted(one.gold)))] if one.spans else []
            near = [at for at in range(len(one.lines)) if at not in one.gold]
            while len(cuts) < SINGLES:
                inside = bool(near) and self.rng.random() < 0.4
                cuts.append((one.lines, self.rng.choice(near)) if inside else self._rival(one))
            for place, (lines, at) in enumerate(cuts):
                rows.append(packer.window(one.question, single(lines, at)).tokens)
                target.append(float(place == 0 and bool(one.spans)))
                group.append(number)
        scores = self._firsts("answers", rows)[:, 0].view(-1, SINGLES)
        wanted = torch.tensor(target).view(-1, SINGLES)
        has = wanted.any(dim=1)
        each = F.binary_cross_entropy_with_logits(scores, wanted)
        if not has.any():
            return each
        return each + 0.5 * F.cross_entropy(scores[has], torch.zeros(int(has.sum()), dtype=torch.long))

    def of_messages(self, some: Sequence[Told]) -> Tensor:
        alone = [self.rng.random() < ALONE for _ in some]
        rows = [
            self._packer(one.names).message(("", "") if without else one.before, one.line).tokens
            for one, without in zip(some, alone, strict=True)
        ]
        vectors = self._firsts("", rows)
        loss = torch.zeros(())
        for name, labels, weight in judging.MESSAGE_HEADS:
            known = [at for at, one in enumerate(some) if getattr(one, name)]
            if known:
                wanted = torch.tensor([labels.index(getattr(some[at], name)) for at in known])
                counts = torch.tensor(SECRECY_WEIGHTS) if name == "secrecy" else None
                loss = loss + weight * F.cross_entropy(self.network.heads[name](vectors[known]), wanted, counts)
        return loss

    def of_pairs(self, some: Sequence[Related]) -> Tensor:
        told = [in_memory if self.rng.random() < RETOLD else lambda line: line for _ in some]
        rows = [
            self._packer(one.names).relation(way(one.old), way(one.new)).tokens
            for one, way in zip(some, told, strict=True)
        ]
        wanted = torch.tensor([RELATIONS.index(one.relation) for one in some])
        return F.cross_entropy(self._firsts("relation", rows), wanted)

    def of_tasks(self, some: Sequence[Task]) -> Tensor:
        rows = [self._packer(one.names).message(("", ""), ("", one.text)).tokens for one in some]
        wanted = torch.tensor([TOOLS.index(one.tool) for one in some])
        return F.cross_entropy(self._firsts("task", rows), wanted)

    def _firsts(self, head: str, rows: Sequence[Sequence[int]]) -> Tensor:
        """(rows, outputs of the head): over the first token of each row; its vector itself for no head."""
        found: dict[int, Tensor] = {}
        for some in _alike(rows):
            vectors, _ = self.network([rows[at] for at in some])
            out = self.network.heads[head](vectors[:, 0]) if head else vectors[:, 0]
            found |= {at: out[place] for place, at in enumerate(some)}
        return torch.stack([found[at] for at in range(len(rows))])


def in_memory(line: Line) -> Line:
    """A message as a memory tells it (`kithnet.memory.writing`): of its speaker, in the third person."""
    by, text = line
    return "", " ".join(speech.told_of(one, by, "", own=False) for one in speech.sentences(text)) or text


def _alike(rows: Sequence[Sequence[int]], size: int = 14) -> list[list[int]]:
    """Numbers of the rows in groups of like length: little is padded."""
    order = sorted(range(len(rows)), key=lambda at: len(rows[at]))
    return [order[at : at + size] for at in range(0, len(order), size)]


def _places(rows: Sequence[Row], seen: Tensor) -> Tensor:
    """(rows, length): the first token, and those of the lines' words."""
    allowed = torch.zeros_like(seen)
    allowed[:, 0] = True
    for number, row in enumerate(rows):
        for word in row.words:
            allowed[number, word.first : word.last + 1] = True
    return allowed


def _any_of(scores: Tensor, wanted: Sequence[Sequence[int]]) -> Tensor:
    """Minus the logarithm of how likely any of the wanted places is, summed over rows. scores: (rows, length)."""
    odds = F.log_softmax(scores, dim=1)
    return -torch.stack([torch.logsumexp(odds[row, list(places)], dim=0) for row, places in enumerate(wanted)]).sum()


def train(
    network: Network,
    trainer: Trainer,
    epochs: int,
    state: Path,
    tell: Callable[[str], None],
    rate: float = RATE,
    share: float = 1.0,
) -> None:
    """Train up to `epochs`, from the last one that `state` holds."""
    adapter = [p for name, p in network.named_parameters() if name.startswith("encoder")]
    heads = [p for name, p in network.named_parameters() if not name.startswith("encoder")]
    optimiser = torch.optim.AdamW(
        [{"params": adapter, "lr": rate}, {"params": heads, "lr": HEAD_RATE}], weight_decay=0.01
    )
    steps = epochs * len(list(trainer.batches(share)))
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda step: min(1, step / WARM) * max(0.02, 1 - step / steps)
    )
    done = 0
    if state.exists():
        saved = torch.load(state, weights_only=False)
        network.load_state_dict(saved["network"])
        optimiser.load_state_dict(saved["optimiser"])
        schedule.load_state_dict(saved["schedule"])
        trainer.rng.setstate(saved["rng"])
        done = saved["epochs"]
    for epoch in range(done, epochs):
        started, running = time.perf_counter(), 0.0
        for step, batch in enumerate(trainer.batches(share), 1):
            loss = batch()
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimiser.step()
            schedule.step()
            running += (loss.item() - running) / min(step, 100)
            if step % 50 == 0:
                tell(f"epoch {epoch + 1}, {step} batches, loss {running:.3f}, {time.perf_counter() - started:.0f} s")
        torch.save(
            {"network": network.state_dict(), "optimiser": optimiser.state_dict(), "schedule": schedule.state_dict(),
             "rng": trainer.rng.getstate(), "epochs": epoch + 1}, state,
        )  # fmt: skip
        tell(f"epoch {epoch + 1} ended, loss {running:.3f}, {time.perf_counter() - started:.0f} s")


def corpora(shared: Path, folder: Path) -> tuple[Corpus, dict[str, Corpus]]:
    """(what is trained on, name -> what is only judged by). folder: of what was written for it."""
    asked, told, related = [], [], []
    held: dict[str, Corpus] = {}
    for path in sorted(folder.glob(dialogues.DIALOGUES)):
        some = own(dialogues.read([path]), path.stem)
        if path.stem.startswith("held_out"):
            held[path.stem] = Corpus(*some, ())
            continue
        asked += some[0]
        told += some[1]
        related += some[2]
    held["tasks"] = Corpus((), (), (), (), tasks([folder / HELD_TASKS]))
    qa, scenarios = shared / "friendsqa/friendsqa_dev.json", shared / "agentsocial/scenarios.jsonl"
    asked += friendsqa(qa, watched=False)
    held["friendsqa"] = Corpus(friendsqa(qa, watched=True)[:WATCHED], (), (), ())
    told += [*agentsocial(scenarios, odd=False), *plans(SEED)]
    told += single_lines(sorted(folder.glob(LINES)))
    related += single_pairs(sorted(folder.glob(PAIRS)))
    held["agentsocial"] = Corpus((), agentsocial(scenarios, odd=True), (), ())
    pool = sorted({name.casefold() for one in asked for name in one.names if name.isalpha()})
    return Corpus(asked, told, related, pool, tasks(sorted(folder.glob(TASKS)))), held


def judge(network: Network, packer: Packer, held: Mapping[str, Corpus]) -> dict[str, dict[str, float]]:
    """The figures over each set that was not trained on."""
    network.eval()
    reader = reads(network, packer)
    found: dict[str, dict[str, float]] = {}
    for name, one in held.items():
        row: dict[str, float] = {}
        if one.asked:
            row |= judging.questions(reader, one.asked)
        if one.told:
            row |= judging.messages(reader, one.told)
        if one.related:
            row |= judging.pairs(reader, one.related)
        if one.tasks:
            row |= judging.tools(reader, one.tasks)
        found[name] = {key: round(value, 4) for key, value in row.items()}
    network.train()
    return found


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("minilm", type=Path, help="folder with model.safetensors")
    options.add_argument("--encoder", type=Path, required=True, help="the embedder's GGUF: its tokens")
    options.add_argument("--writers", type=Path, default=dialogues.DATA, help="folder of what was written for it")
    options.add_argument("--data", type=Path, required=True, help="folder with friendsqa/ and agentsocial/")
    options.add_argument("--out", type=Path, required=True)
    options.add_argument("--state", type=Path, required=True, help="where the last epoch is kept, to go on from")
    options.add_argument("--begin", type=Path, help="weights to begin with: those of an earlier training (.npz)")
    options.add_argument("--epochs", type=int, default=3)
    options.add_argument("--rate", type=float, default=RATE)
    options.add_argument("--share", type=float, default=1.0, help="of the questions, for a learning curve")
    options.add_argument("--seed", type=int, default=SEED)
    options.add_argument("--polish", type=float, default=1.0, help="share of the questions in each epoch")
    options.add_argument("--threads", type=int, default=2)
    given = options.parse_args()
    torch.manual_seed(given.seed)
    torch.set_num_threads(given.threads)
    packer_of = packers(given.encoder)
    corpus, held = corpora(given.data, given.writers)
    near(corpus.asked, given.encoder)
    if given.share < 1:
        few = random.Random(given.seed).sample(list(corpus.asked), int(given.share * len(corpus.asked)))
        corpus = replace(corpus, asked=few)
    print({"questions": len(corpus.asked), "messages": len(corpus.told), "pairs": len(corpus.related)}, flush=True)
    network = Network(given.minilm / "model.safetensors", RANK, HEADS)
    if given.begin is not None:
        network.put(np.load(given.begin))
    trainer = Trainer(network, packer_of, corpus, given.seed)
    started = time.perf_counter()
    train(network, trainer, given.epochs, given.state, lambda text: print(text, flush=True), given.rate, given.polish)
    probe(network, packer_of({}), corpus.tasks)
    figures = judge(network, packer_of({}), held)
    print(json.dumps(figures, indent=1), flush=True)
    arrays = network.arrays()
    version = hashlib.sha256(b"".join(arrays[name].tobytes() for name in sorted(arrays))).hexdigest()[:16]
    card = {
        "version": version, "seed": given.seed, "epochs": given.epochs, "rank": RANK, "questions": len(corpus.asked),
        "messages": len(corpus.told), "pairs": len(corpus.related), "figures": figures,
    }  # fmt: skip
    np.savez_compressed(given.out, card=np.array(json.dumps(card)), **arrays)  # type: ignore[arg-type]
    PARITY.write_text(
        json.dumps(parity(network, packer_of({}), held["held_out_67"].asked), ensure_ascii=False), encoding="utf-8"
    )
    print(f"{given.out}: {given.out.stat().st_size} bytes, {time.perf_counter() - started:.0f} s", flush=True)


if __name__ == "__main__":
    main()
