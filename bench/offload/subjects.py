"""The two models that are measured: a large synthetic one for speed, and a dense model cut into experts for quality.

Both are made once and kept; a later run finds them.
"""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from kithnet.bench.offload.arms import Subject
from kithnet.runtime.convert.experts import convert_experts
from kithnet.runtime.convert.experttypes import is_expert
from kithnet.runtime.convert.gguffile import read_source
from kithnet.runtime.convert.moefy import Wanted, moefy
from kithnet.runtime.convert.synthetic import Shape, local_tokens, sized, write_synthetic
from kithnet.runtime.llama import LlamaModel
from kithnet.runtime.offload.calibrate import thresholds
from kithnet.runtime.offload.routing import Routing, record
from kithnet.runtime.offload.store import ExpertStore

SYNTHETIC, MOEFIED = "synthetic", "moefied"
_LOCALITY = 0.6
Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is measured. synthetic: bytes of its experts. tokens: timed in a run, after `warm` others. free: drawn in
    a run that chooses its own tokens, at free_shares of memory. repeats: of every run. recorded: tokens of routing.
    thrashing: tokens timed where the system pages for each of them; its first repeat only where `thrashes_once`."""

    synthetic: int
    layers: int
    tokens: int
    warm: int
    free: int
    repeats: int
    recorded: int
    thrashing: int
    thrashes_once: bool
    free_shares: tuple[float, ...]
    shares: tuple[float, ...] = (0.35, 0.5, 0.7)


WHOLE = Sizes(3_000_000_000, 16, 96, 32, 64, 5, 1024, 32, False, (0.5, 0.7))
QUICK = Sizes(800_000_000, 12, 32, 12, 16, 3, 256, 6, True, (0.7,))


def synthetic(folder: Path, sizes: Sizes, seed: int, tell: Tell) -> tuple[Subject, Routing]:
    """16 experts a layer, 2 of them used by a token, Q8_0 with Q3_K."""
    file = folder / f"synthetic-{sizes.synthetic // 1_000_000}-{sizes.layers}.gguf"
    if not file.exists():
        tell("writing the synthetic model")
        write_synthetic(file, sized(Shape(layers=sizes.layers, locality=_LOCALITY), sizes.synthetic))
    routing = record(file, local_tokens(file, sizes.recorded, seed=seed + 1))
    tokens = local_tokens(file, sizes.warm + sizes.tokens, seed=seed)
    return _subject(SYNTHETIC, file, routing, tokens, tell), routing


def moefied(folder: Path, dense: Path, text: str, sizes: Sizes, tell: Tell) -> tuple[Subject, Routing]:
    """8 experts a layer, 4 of them used by a token, Q8_0 with Q4_0. text: to fit by, and its end to measure with."""
    file = folder / f"{dense.stem}-moe-8-4.gguf"
    if not file.exists():
        tell("cutting the dense model into experts")
        moefy(dense, file, text, Wanted(8, 4))
    with closing(LlamaModel.load(file)) as model:
        every = [*model.tokenise("", begin=True, special=False), *model.tokenise(text, begin=False, special=False)]
    count = sizes.warm + sizes.tokens
    routing = record(file, every[-count - sizes.recorded : -count])
    return _subject(MOEFIED, file, routing, every[-count:], tell), routing


def _subject(name: str, file: Path, routing: Routing, tokens: list[int], tell: Tell) -> Subject:
    tell(f"converting the {name} model")
    store = ExpertStore.open(convert_experts(file, file.with_suffix(".experts")).store)
    source = read_source(file)
    trunk = sum(tensor.nbytes for tensor in source.tensors if not is_expert(tensor.name))
    return Subject(name, file, source, store, thresholds(routing.rows()), trunk, tokens)
