"""Which experts the routers of a model choose while it reads a text: recorded once, used to tune and to replay."""

import ctypes
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from kithnet.runtime.engine.context import BATCH, Context, Piece
from kithnet.runtime.errors import ConfigError, InputError, ModelUnavailable
from kithnet.runtime.files import OnProgress
from kithnet.runtime.hook import TensorView
from kithnet.runtime.layout import GgmlTensor
from kithnet.runtime.llama import LlamaModel, default_threads
from kithnet.runtime.offload.graph import MoeLayer, moe_layers, probe

_SOURCES = GgmlTensor.src.offset  # type: ignore[attr-defined]
_STEP = 64  # tokens evaluated at once


@dataclass(frozen=True, slots=True)
class Routing:
    """A record. ids: (tokens, layers, K) experts. weights: the same shape, gate weights as the graph uses them. starts:
    (tokens,) whether a sequence begins there. layers: their numbers in the model. experts: of a layer."""

    ids: npt.NDArray[np.int16]
    weights: npt.NDArray[np.float32]
    starts: npt.NDArray[np.bool_]
    layers: tuple[int, ...]
    experts: int

    @property
    def reuse(self) -> float:
        """Of the experts a token uses in a layer, those that the token before used there."""
        pairs = (self.ids[1:, :, :, None] == self.ids[:-1, :, None, :]).any(axis=3)[~self.starts[1:]]
        return float(pairs.mean()) if pairs.size else 0.0

    def rows(self) -> npt.NDArray[np.float32]:
        """(tokens x layers, K) gate weights, for choosing thresholds."""
        return self.weights.reshape(-1, self.weights.shape[-1])

    def save(self, path: Path) -> None:
        """As an `.npz` file, whole or not at all."""
        part = path.with_name(path.name + ".part")
        with part.open("wb") as file:
            np.savez_compressed(
                file, ids=self.ids, weights=self.weights, starts=self.starts, layers=self.layers, experts=self.experts
            )
        part.replace(path)

    @classmethod
    def load(cls, path: Path) -> "Routing":
        """Raises InputError for a file that is no record."""
        try:
            with np.load(path, allow_pickle=False) as held:
                layers = tuple(int(layer) for layer in held["layers"])
                return cls(held["ids"], held["weights"], held["starts"], layers, int(held["experts"]))
        except (OSError, ValueError, KeyError) as error:
            raise InputError(
                f"{path} is no record of routing: {error}", "record one: kith model calibrate --record"
            ) from error


class RoutingRecorder:
    """A hook that keeps what every layer selects. Attach it beside others with `hook.Both`."""

    def __init__(self, layers: Sequence[MoeLayer]) -> None:
        self._layers = {layer.decided: layer for layer in layers}
        self._numbers = tuple(layer.number for layer in layers)
        self._experts = layers[0].experts
        self._ids: dict[int, list[npt.NDArray[np.int16]]] = {number: [] for number in self._numbers}
        self._weights: dict[int, list[npt.NDArray[np.float32]]] = {number: [] for number in self._numbers}

    def wants(self, name: str) -> bool:
        return name in self._layers

    def computed(self, tensor: TensorView) -> None:
        layer = self._layers[tensor.name]
        address = tensor.address
        for at in layer.to_ids:
            address = ctypes.c_void_p.from_address(address + _SOURCES + 8 * at).value or 0
        ids = TensorView(address).numpy().reshape(-1, layer.top_k)
        self._ids[layer.number].append(ids.astype(np.int16))
        self._weights[layer.number].append(tensor.numpy().reshape(ids.shape).astype(np.float32))

    def routing(self, starts: Sequence[bool]) -> Routing:
        """What was seen. starts: for every token, whether a sequence began there."""
        ids, weights = (
            np.stack([np.concatenate(kept[number]) for number in self._numbers], axis=1)
            for kept in (self._ids, self._weights)
        )
        return Routing(ids, weights, np.asarray(starts, np.bool_), self._numbers, self._experts)


def record(model: Path, tokens: Sequence[int], *, window: int = 512, progress: OnProgress | None = None) -> Routing:
    """Read the tokens in sequences of `window`. Every weight of the model is read: it should fit in memory, or be slow.

    Raises ConfigError for no tokens, ModelFileError for a model without experts or of an unknown graph.
    """
    if len(tokens) < 2:
        raise ConfigError("a record needs two tokens at least", "give a longer text")
    with closing(LlamaModel.load(model)) as loaded:
        recorder = RoutingRecorder(moe_layers(probe(loaded), model.stem))
        cells = max(window, BATCH)
        with closing(Context(loaded, cells=cells, sequences=1, threads=default_threads(), hook=recorder)) as context:
            for start, place, part in _pieces(tokens, window):
                if place == 0:
                    context.cut(0, 0)
                if status := context.decode([Piece(0, place, part, len(part))]):
                    raise ModelUnavailable(f"llama.cpp could not evaluate a text (status {status})", "free some memory")
                if progress:
                    progress(start + len(part), len(tokens), "recording")
    return recorder.routing([at % window == 0 for at in range(len(tokens))])


def _pieces(tokens: Sequence[int], window: int) -> Iterator[tuple[int, int, Sequence[int]]]:
    """(where it starts in the text, and in its window, tokens)."""
    for first in range(0, len(tokens), window):
        last = min(first + window, len(tokens))
        for start in range(first, last, _STEP):
            yield start, start - first, tokens[start : min(start + _STEP, last)]
