"""Which experts do the next layers want? Their routers, asked about this layer's input, know it in advance.

Hidden states change little from a layer to the next, so the gates of the next p layers, stacked into one matrix and
applied to what enters this layer's gate, predict what those layers select (HOBBIT, section 3.3: 96 % of the heaviest
experts of the next layer). How far ahead is worth looking is learnt from how often it came true.
"""

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from kithnet.runtime import ggml
from kithnet.runtime.layout import GgmlTensor
from kithnet.runtime.offload.graph import MoeLayer, Router
from kithnet.runtime.offload.score import Choices, decide, unimportance

Floats = npt.NDArray[np.float32]
_MOST_TOKENS = 32  # of a long prompt, as many speak for the rest
_MEMORY = 0.98  # what an earlier outcome still counts beside the next
_WORTH = 0.4  # share of predictions that must come true for a distance to be looked at
_TRIAL = 64  # predictions after which that share is trusted


@dataclass(frozen=True, slots=True)
class Gate:
    """A router's numbers. weight: (experts, width); bias, shift: (experts,) or nothing."""

    weight: Floats
    bias: Floats | None
    shift: Floats | None
    activation: str
    top_k: int


@dataclass(frozen=True, slots=True)
class Guess:
    """Experts that a layer will probably select, the heaviest first, and how precisely each will be needed."""

    layer: int
    distance: int
    experts: tuple[int, ...]
    needs: tuple[int, ...]


def gates(layers: Sequence[MoeLayer]) -> list[Gate]:
    """Copies of the routers of a loaded model, in 32 bits."""
    return [_gate(layer.router, layer.top_k) for layer in layers]


def scores(gate: Gate, logits: Floats) -> Floats:
    """(tokens, experts) logits to what the selection sorts by; groups of experts are not looked at."""
    raw = logits if gate.bias is None else logits + gate.bias
    if gate.shift is None:
        return raw
    acted = 1 / (1 + np.exp(-raw)) if gate.activation == "sigmoid" else _softmax(raw)
    return np.asarray(acted + gate.shift, np.float32)


class Prophet:
    """Predicts layers ahead of the one at work, up to `ahead` of them, as long as that comes true."""

    def __init__(self, every: Sequence[Gate], ahead: int, t1: float, t2: float) -> None:
        self._gates = every
        self._ahead = ahead
        self._t1, self._t2 = t1, t2
        self._stacked = [
            np.concatenate([gate.weight for gate in every[at + 1 : at + 1 + ahead]]) if at + 1 < len(every) else None
            for at in range(len(every))
        ]
        self._tried = [0] * (ahead + 1)
        self._true = [1.0] * (ahead + 1)

    @property
    def reach(self) -> int:
        """Layers ahead that are worth a look now: up to the first whose predictions fail, which can so mend its record."""
        far = 1
        while far < self._ahead and (self._tried[far] < _TRIAL or self._true[far] >= _WORTH):
            far += 1
        return far

    def look(self, layer: int, entered: Floats) -> list[Guess]:
        """Predict from what enters this layer's gate, (tokens, width). Nearest layer first; none after the last."""
        stacked = self._stacked[layer]
        if stacked is None:
            return []
        step = -(-len(entered) // _MOST_TOKENS)
        logits = entered[::step] @ stacked[: self.reach * len(self._gates[0].weight)].T
        guesses, at = [], 0
        for distance in range(1, min(self.reach, len(self._gates) - 1 - layer) + 1):
            gate = self._gates[layer + distance]
            guesses.append(self._guess(layer + distance, distance, gate, logits[:, at : at + len(gate.weight)]))
            at += len(gate.weight)
        return guesses

    def learn(self, guess: Guess, selected: Sequence[int]) -> int:
        """Compare a guess with what came; returns how many of its experts were selected."""
        right = len(set(guess.experts) & set(selected))
        if guess.experts:
            self._tried[guess.distance] += 1
            share = right / len(guess.experts)
            self._true[guess.distance] += (share - self._true[guess.distance]) * (1 - _MEMORY)
        return right

    def _guess(self, layer: int, distance: int, gate: Gate, logits: Floats) -> Guess:
        order = scores(gate, logits)
        top = np.argsort(-order, axis=1, kind="stable")[:, : gate.top_k]
        weights = np.take_along_axis(_softmax(logits), top, axis=1)
        needs: Choices = decide(unimportance(weights), self._t1, self._t2)
        experts, inverse = np.unique(top, return_inverse=True)
        inverse = inverse.reshape(top.shape)
        most = np.full(len(experts), np.int8(127))
        np.minimum.at(most, inverse, needs)
        weight = np.zeros(len(experts))
        np.add.at(weight, inverse, weights)
        heaviest = np.argsort(-weight, kind="stable")
        return Guess(layer, distance, tuple(experts[heaviest].tolist()), tuple(most[heaviest].tolist()))


def _softmax(x: Floats) -> Floats:
    shifted = np.exp(x - x.max(axis=1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=1, keepdims=True), np.float32)


def _gate(router: Router, top_k: int) -> Gate:
    weight = _matrix(router.weight)
    bias = _matrix(router.bias).reshape(-1) if router.bias else None
    shift = _matrix(router.shift).reshape(-1) if router.shift else None
    return Gate(weight, bias, shift, router.activation, top_k)


def _matrix(address: int) -> Floats:
    """A copy of a weight of the model, whatever its type."""
    raw = GgmlTensor.from_address(address)
    columns, rows = raw.ne[0], raw.ne[1] * raw.ne[2] * raw.ne[3]
    memory: Any = (ctypes.c_uint8 * (rows * ggml.row_bytes(raw.type, columns))).from_address(raw.data or 0)
    return ggml.dequantise(np.frombuffer(memory, np.uint8), raw.type, rows, columns)
