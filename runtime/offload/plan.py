"""What is done about each expert that a batch selects in one layer. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from kithnet.runtime.offload.cache import Mask
from kithnet.runtime.offload.score import HIGH, LOW, SKIP, Choices

Ids = npt.NDArray[np.int32]
_FEW = 64  # ids that a list is quicker for than an array


@dataclass(frozen=True, slots=True)
class Plan:
    """Every selected expert is in exactly one list.

    held: in high precision, here. load: high precision, to be read before the layer goes on. stream: high precision,
    read and computed beside the graph after the others, for want of room. low: in low precision, beside the graph.
    skip: left out. hot: those of `low` whose high precision was wanted and not waited for.
    """

    held: tuple[int, ...] = ()
    load: tuple[int, ...] = ()
    stream: tuple[int, ...] = ()
    low: tuple[int, ...] = ()
    skip: tuple[int, ...] = ()
    hot: tuple[int, ...] = ()

    @property
    def in_graph(self) -> tuple[int, ...]:
        return self.held + self.load


@dataclass(frozen=True, slots=True)
class Rules:
    """skip: experts may be left out. patient: False where a miss waits for high precision if its weight asks for it;
    True where it takes the low one that is here."""

    skip: bool = False
    no_wait: bool = False


def plan(
    ids: Ids,
    wanted: Choices,
    protected: Mask,
    high_here: Mask,
    low_here: Mask | None,
    room: int,
    rules: Rules,
) -> Plan:
    """Decide for one layer.

    ids, wanted: (tokens, K) selected experts, and how precisely each is needed. protected: (tokens,) tokens of which
    nothing is lowered. high_here, low_here: (experts,) what is in memory; no low precision: None. room: experts of high
    precision that memory holds at once. An expert is read as precisely as the token that needs it most asks for.
    """
    experts, inverse = np.unique(ids, return_inverse=True)
    inverse = inverse.reshape(ids.shape)
    here = high_here[experts]
    need = np.full(len(experts), HIGH, np.int8)
    hot = np.zeros(len(experts), np.bool_)
    if low_here is not None:
        asked = np.where(protected[:, None], HIGH, wanted).astype(np.int8)
        need[:] = SKIP
        np.minimum.at(need, inverse, asked)
        low = low_here[experts]
        need[(need == SKIP) & (low | (not rules.skip))] = LOW
        if rules.no_wait:
            kept = np.zeros(len(experts), np.bool_)
            kept[inverse[protected]] = True
            hot = (need == HIGH) & low & ~kept & ~here
            need[hot] = LOW
    held, missing = experts[here], ~here
    high = experts[missing & (need == HIGH)]
    first = max(room - len(held), 0)
    return Plan(
        _numbers(held), _numbers(high[:first]), _numbers(high[first:]),
        _numbers(experts[missing & (need == LOW)]), _numbers(experts[missing & (need == SKIP)]), _numbers(experts[hot]),
    )  # fmt: skip


def redirect(ids: Ids, plan: Plan) -> Ids:
    """The ids of many tokens that llama.cpp is to compute instead: what is not in the graph's memory points to an expert that is.

    What is streamed points to one that is streamed itself, so that every expert in the graph keeps exactly the rows it
    would have, and the kernels that depend on their number stay the same. Returns a copy, (tokens, K).
    """
    out = ids.copy()
    if plan.stream:
        out[np.isin(ids, plan.stream)] = plan.stream[0]
    if plan.in_graph and (aside := plan.low + plan.skip):
        out[np.isin(ids, aside)] = plan.in_graph[0]
    return out


def rows_of(ids: Ids, experts: Sequence[int]) -> npt.NDArray[Any]:
    """Positions in `ids`, flattened, that selected one of `experts`."""
    if ids.size <= _FEW:
        chosen = set(experts)
        return np.array([at for at, expert in enumerate(ids.reshape(-1).tolist()) if expert in chosen], np.intp)
    return np.flatnonzero(np.isin(ids, experts))


def _numbers(experts: npt.NDArray[Any]) -> tuple[int, ...]:
    return tuple(experts.tolist())
