"""What the graph of a model's experts looks like: asked of llama.cpp itself, node by node, and refused where unknown.

`probe` lets llama.cpp build the graph of one token and stops it before the first node is computed. `moe_layers` then
finds, for each layer that has experts, everything that offloading touches: the weights, the node after which the
selection is final, the way from there to the ids and to the router's input, and the node that holds what the experts
said before it is weighed. Nothing is assumed from the name of the architecture.
"""

import ctypes
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from llama_cpp import _ggml
from llama_cpp import llama_cpp as lib

from kithnet.runtime.engine.context import Stop
from kithnet.runtime.errors import ModelFileError, ModelUnavailable
from kithnet.runtime.layout import GgmlTensor
from kithnet.runtime.llama import Batch, LlamaModel, last_error

_WEIGHTS = re.compile(r"blk\.(\d+)\.ffn_(gate_up|gate|up|down)_exps\.weight")
_DEEPEST = 24  # steps from the weights back to the ids or the router's input, at most
_STATUS_STOPPED = 2
_SOURCES: int = GgmlTensor.src.offset  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class Node:
    """One node of a graph, or a leaf that nodes read. sources, view_of: addresses of `ggml_tensor`s, 0 for none."""

    address: int
    name: str
    op: str
    type: int
    ne: tuple[int, int, int, int]
    sources: tuple[int, ...]
    view_of: int
    params: bytes


@dataclass(frozen=True, slots=True)
class Router:
    """How experts are selected, for predicting it. Addresses of tensors; 0 where there is none.

    weight: (experts, width). bias: added to the logits. shift: added to their activation for the selection alone.
    """

    weight: int
    bias: int
    shift: int
    activation: str


@dataclass(frozen=True, slots=True)
class MoeLayer:
    """The experts of one layer, as the graph has them.

    weights, biases: addresses of the tensors, by role (gate, up, down, gate_up). decided: the node after which ids and
    gate weights are final, and whose values are the weights; no expert has been read before it. to_ids, to_input:
    which source to follow, step by step, from there. said: the node with what the experts said, (width, K, tokens),
    which is read next when it is weighed. params: those of the activation between gate and down.
    """

    number: int
    experts: int
    top_k: int
    weights: Mapping[str, int]
    biases: Mapping[str, int]
    decided: str
    to_ids: tuple[int, ...]
    to_input: tuple[int, ...]
    said: str
    params: bytes
    router: Router


class Graph:
    """The nodes of a graph in the order they are computed, and the leaves they read."""

    def __init__(self, nodes: Sequence[Node]) -> None:
        self.nodes = tuple(nodes)
        self._known = {node.address: node for node in nodes}
        self._readers: dict[int, list[Node]] = {}
        for node in nodes:
            for source in node.sources:
                self._readers.setdefault(source, []).append(node)

    def node(self, address: int) -> Node:
        """A node, or a leaf such as a weight."""
        if address not in self._known:
            self._known[address] = _node(address)
        return self._known[address]

    def readers(self, address: int) -> list[Node]:
        return self._readers.get(address, [])

    def root(self, address: int) -> int:
        """The tensor whose memory this one is a view of; itself where it is none."""
        node = self.node(address)
        return node.view_of or address

    def way(self, start: int, found: Callable[[Node], bool]) -> tuple[int, ...] | None:
        """The shortest way back along sources from `start` to a node that is `found`: which source at each step."""
        ring: list[tuple[int, tuple[int, ...]]] = [(start, ())]
        seen = {start}
        for _ in range(_DEEPEST):
            further: list[tuple[int, tuple[int, ...]]] = []
            for address, way in ring:
                node = self.node(address)
                if found(node):
                    return way
                for i, source in enumerate(node.sources):
                    if source and source not in seen:
                        seen.add(source)
                        further.append((source, (*way, i)))
            ring = further
        return None

    def along(self, start: int, way: Sequence[int]) -> int:
        for i in way:
            start = self.node(start).sources[i]
        return start


def probe(model: LlamaModel) -> Graph:
    """The graph that llama.cpp builds to evaluate one token. Nothing of it is computed, no weight is read."""
    seen: list[int] = []

    def look(address: int, ask: bool, _data: int | None) -> bool:
        if ask:
            seen.append(address)
        return not ask

    callback = lib.ggml_backend_sched_eval_callback(look)
    params = lib.llama_context_default_params()
    params.n_ctx, params.n_batch, params.n_ubatch, params.n_threads, params.n_threads_batch = 64, 8, 8, 1, 1
    params.cb_eval, params.cb_eval_user_data = callback, ctypes.c_void_p(None)
    handle = lib.llama_init_from_model(model.handle, params)
    if not handle:
        raise ModelUnavailable(f"no context could be made for {model.path.name}: {last_error('out of memory?')}")
    stop, batch = Stop(), Batch(1)
    try:
        stop.attach(handle)
        stop.set()
        batch.put_one(0, 0, 0)
        status = int(lib.llama_decode(handle, batch.raw))
        nodes = [_node(address) for address in seen]
    finally:
        batch.free()
        lib.llama_free(handle)
    if status != _STATUS_STOPPED or not nodes:
        raise ModelUnavailable(f"llama.cpp did not show the graph of {model.path.name} (status {status})")
    return Graph(nodes)


def follow(address: int, way: Sequence[int]) -> int:
    """The tensor found by going from source to source; while the graph is being computed, so it has to be quick."""
    for i in way:
        address = ctypes.c_void_p.from_address(address + _SOURCES + 8 * i).value or 0
    return address


def moe_layers(graph: Graph, model: str) -> tuple[MoeLayer, ...]:
    """Every layer with experts, in their order. ModelFileError, with what was found, for a graph that is not known."""
    found: dict[int, dict[str, Node]] = {}
    for node in graph.nodes:
        if node.op != "MUL_MAT_ID":
            continue
        weight = graph.node(node.sources[0]).name
        match = _WEIGHTS.fullmatch(weight)
        if match is None:
            raise _unknown(model, f"experts in a tensor called {weight!r}")
        found.setdefault(int(match[1]), {})[match[2]] = node
    if not found:
        raise ModelFileError(f"{model} has no experts", "run it with --experts memory or mmap")
    names: dict[str, int] = {}
    for node in graph.nodes:
        names[node.name] = names.get(node.name, 0) + 1
    return tuple(_Finder(graph, model, number, found[number], names).layer() for number in sorted(found))


class _Finder:
    """Finds the parts of one layer, or says what is there in their place."""

    def __init__(
        self, graph: Graph, model: str, number: int, products: Mapping[str, Node], names: Mapping[str, int]
    ) -> None:
        self.graph, self.model, self.number = graph, model, number
        self.products, self.names = products, names
        self.biases: dict[str, int] = {}

    def layer(self) -> MoeLayer:
        roles = set(self.products)
        if roles not in ({"gate", "up", "down"}, {"gate_up", "down"}):
            raise self._unknown(f"experts made of {', '.join(sorted(roles))}")
        down = self.products["down"]
        ids = down.sources[2]
        if any(product.sources[2] != ids for product in self.products.values()):
            raise self._unknown("gate, up and down that follow different selections")
        outputs = {role: self._biased(role, product) for role, product in self.products.items()}
        params = self._activation(outputs)
        said, weights = self._weighing(outputs["down"])
        first = self.products.get("gate_up") or self.products["up"]
        entered = self.graph.root(first.sources[1])
        to_ids = self.graph.way(weights.address, lambda node: node.address == ids)
        to_input = self.graph.way(weights.address, lambda node: node.address == entered)
        if to_ids is None or to_input is None:
            raise self._unknown("gate weights that are not made from the input of the experts")
        shape = self.graph.node(first.sources[0]).ne
        return MoeLayer(
            self.number, shape[2], self.graph.node(ids).ne[0],
            {role: product.sources[0] for role, product in self.products.items()}, self.biases,
            weights.name, to_ids, to_input, said.name, params, self._router(weights, to_input),
        )  # fmt: skip

    def _biased(self, role: str, product: Node) -> Node:
        """The product, or the sum with its bias where the experts have one."""
        readers = self.graph.readers(product.address)
        if len(readers) == 1 and readers[0].op == "ADD_ID":
            self.biases[role] = readers[0].sources[1]
            return readers[0]
        return product

    def _activation(self, outputs: Mapping[str, Node]) -> bytes:
        """The parameters of what stands between gate, up and down, which must be one gated linear unit."""
        act = self.graph.node(self.products["down"].sources[1])
        if act.op != "GLU":
            raise self._unknown(f"{act.op} ({act.name}) before the down-projection, where a gated linear unit is known")
        gate, up = (self.graph.root(source) for source in act.sources[:2])
        wanted = (
            (outputs["gate_up"].address,) * 2
            if "gate_up" in outputs
            else (outputs["gate"].address, outputs["up"].address)
        )
        if (gate, up) != wanted:
            raise self._unknown(f"a gated linear unit over {self.graph.node(gate).name} and {self.graph.node(up).name}")
        return act.params

    def _weighing(self, said: Node) -> tuple[Node, Node]:
        """(what the experts said, the gate weights it is multiplied with)."""
        readers = self.graph.readers(said.address)
        if len(readers) != 1 or readers[0].op != "MUL" or readers[0].sources[0] != said.address:
            ops = ", ".join(f"{node.op} ({node.name})" for node in readers)
            raise self._unknown(f"{ops or 'nothing'} after {said.name}, where it is multiplied with gate weights")
        weights = self.graph.node(readers[0].sources[1])
        for node in (said, weights):
            if self.names.get(node.name) != 1:
                raise self._unknown(f"{self.names.get(node.name, 0)} nodes called {node.name!r}")
        places = {node.address: i for i, node in enumerate(self.graph.nodes)}
        if places[weights.address] > min(places[product.address] for product in self.products.values()):
            raise self._unknown("gate weights that are known only after the experts have been computed")
        return said, weights

    def _router(self, weights: Node, to_input: Sequence[int]) -> Router:
        """What lies on the way from the weights back to the router's input."""
        step = weights.address
        activation, bias, shift = "none", 0, 0
        for i in to_input:
            node = self.graph.node(step)
            if node.op in ("SOFT_MAX", "UNARY") and node.name.startswith("ffn_moe_probs"):
                activation = "softmax" if node.op == "SOFT_MAX" else "sigmoid"
            if node.op == "ADD" and i == 0:
                bias = node.sources[1]
            if node.op == "MUL_MAT" and i == 1:
                shift = self._shift()
                return Router(node.sources[0], bias, shift, activation)
            step = node.sources[i]
        raise self._unknown("a router that is not a matrix product")

    def _shift(self) -> int:
        """The bias that is added for the selection alone (DeepSeek-V3), 0 where there is none."""
        name = f"ffn_moe_probs_biased-{self.number}"
        return next((node.sources[1] for node in self.graph.nodes if node.name == name and node.op == "ADD"), 0)

    def _unknown(self, what: str) -> ModelFileError:
        return _unknown(self.model, f"layer {self.number} has {what}")


def _unknown(model: str, what: str) -> ModelFileError:
    return ModelFileError(
        f"experts of {model} cannot be offloaded: {what}",
        "known are gated experts weighed after their down-projection (docs/offload.md); run it with --experts mmap",
    )


def _node(address: int) -> Node:
    raw = GgmlTensor.from_address(address)
    a, b, c, d = raw.ne
    sources = [source or 0 for source in raw.src]
    while sources and not sources[-1]:
        sources.pop()
    return Node(
        address, raw.name.decode("utf-8", "replace"), _op_name()(raw.op).decode(), raw.type, (a, b, c, d),
        tuple(sources), raw.view_src or 0, bytes(raw.op_params),
    )  # fmt: skip


def _op_name() -> Callable[[int], bytes]:
    function: Any = _ggml.libggml["ggml_op_name"]
    function.argtypes, function.restype = (ctypes.c_int,), ctypes.c_char_p
    return function  # type: ignore[no-any-return]
