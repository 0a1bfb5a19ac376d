"""One llama.cpp context: cells that many sequences share, decoding, logits, a sequence's state as bytes.

Synchronous and for one thread at a time.
"""

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from llama_cpp import llama_cpp as lib

from kithnet.runtime.engine.kvtypes import DEFAULT, KvTypes
from kithnet.runtime.errors import ModelUnavailable
from kithnet.runtime.hook import BatchAhead, EvalHook, HookCallback
from kithnet.runtime.llama import Batch, LlamaModel, forget_errors, last_error

BATCH = 512  # tokens of one llama_decode at most
MOST_SEQUENCES = 256  # llama.cpp's own limit
_FLASH_ON, _FLASH_AUTO = 1, -1

Logits = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Piece:
    """Tokens of one sequence in a batch. rows: how many outputs are wanted, counted from the last token."""

    sequence: int
    start: int
    tokens: Sequence[int]
    rows: int


class Stop:
    """A flag another thread raises to make a running decode return within milliseconds.

    llama.cpp polls a C function between graph nodes. libc's `strlen` on a two-byte string serves: it is 0 until
    the first byte is set, and unlike a Python callback it takes no interpreter lock on every node.
    """

    def __init__(self) -> None:
        self._text = ctypes.create_string_buffer(2)

    def set(self) -> None:
        self._text[0] = b"\x01"

    def clear(self) -> None:
        self._text[0] = b"\x00"

    def is_set(self) -> bool:
        return self._text[0] != b"\x00"

    def attach(self, context: Any) -> None:
        poll = ctypes.cast(ctypes.CDLL(None).strlen, lib.ggml_abort_callback)
        lib.llama_set_abort_callback(context, poll, ctypes.cast(self._text, ctypes.c_void_p))


class Context:
    """See the module. `cells` hold one token each, of any of `sequences` sequences; `kv` is their precision."""

    def __init__(
        self,
        model: LlamaModel,
        *,
        cells: int,
        sequences: int,
        threads: int,
        kv: KvTypes = DEFAULT,
        hook: EvalHook | None = None,
    ) -> None:
        self.model = model
        self.stop = Stop()
        self._hook = HookCallback(hook) if hook is not None else None
        self.handle, self.kv = _open(model, cells, sequences, threads, kv, self._hook)
        self.cells = int(lib.llama_n_ctx(self.handle))
        self.sequences = sequences
        self._memory = lib.llama_get_memory(self.handle)
        self._batch = Batch(BATCH)
        self._row = ctypes.c_float * model.vocab_size
        self.stop.attach(self.handle)

    def close(self) -> None:
        """Free everything. A second call does nothing."""
        if self.handle is not None:
            lib.llama_free(self.handle)
            self._batch.free()
            self.handle = None

    def decode(self, pieces: Sequence[Piece]) -> int:
        """Evaluate one batch; returns llama.cpp's status: 0 done, 1 no free cells, 2 stopped. Raises what a hook raised."""
        tokens = [t for piece in pieces for t in piece.tokens]
        positions = [p for piece in pieces for p in range(piece.start, piece.start + len(piece.tokens))]
        sequences = [piece.sequence for piece in pieces for _ in piece.tokens]
        wanted = [i >= len(piece.tokens) - piece.rows for piece in pieces for i in range(len(piece.tokens))]
        self._batch.put(tokens, positions, sequences, wanted)
        forget_errors()
        if self._hook is not None:
            self._hook.begin(BatchAhead(positions, sequences, wanted, self.stop.is_set))
        status = int(lib.llama_decode(self.handle, self._batch.raw))
        if self._hook is not None:
            self._hook.end()
            self._hook.raise_pending()
        return status

    def logits(self, row: int) -> Logits:
        """(vocabulary,) logits of the token at batch position `row`; a view that the next decode overwrites."""
        pointer = lib.llama_get_logits_ith(self.handle, row)
        if not pointer:
            raise ModelUnavailable(f"llama.cpp has no output at {row}", "load the model again")
        return np.ctypeslib.as_array(self._row.from_address(ctypes.addressof(pointer.contents)))

    def share(self, source: int, target: int, start: int, end: int) -> None:
        """Let `target` hold the source's cells of positions [start, end) too; nothing is copied."""
        lib.llama_memory_seq_cp(self._memory, source, target, start, end)

    def cut(self, sequence: int, start: int, end: int = -1) -> None:
        """Take positions [start, end) from a sequence; -1 is its end. Cells nobody else holds are free again."""
        lib.llama_memory_seq_rm(self._memory, sequence, start, end)

    def save(self, sequence: int) -> bytes:
        """The keys and values of a sequence."""
        size = lib.llama_state_seq_get_size(self.handle, sequence)
        buffer = (ctypes.c_uint8 * size)()
        written = lib.llama_state_seq_get_data(self.handle, buffer, size, sequence)
        return bytes(memoryview(buffer)[:written])

    def load(self, sequence: int, state: bytes) -> bool:
        """Put a saved state into an empty sequence; False when llama.cpp refuses it."""
        buffer = (ctypes.c_uint8 * len(state)).from_buffer_copy(state)
        forget_errors()
        return bool(lib.llama_state_seq_set_data(self.handle, buffer, len(state), sequence))


def _open(
    model: LlamaModel, cells: int, sequences: int, threads: int, kv: KvTypes, hook: HookCallback | None
) -> tuple[Any, KvTypes]:
    """The handle, and the precision it got: 16-bit where the head size allows no other."""
    params = lib.llama_context_default_params()
    params.n_ctx = cells
    params.n_batch = params.n_ubatch = BATCH
    params.n_seq_max = sequences
    params.n_threads = params.n_threads_batch = threads
    params.kv_unified = True
    params.swa_full = True
    params.no_perf = True
    if hook is not None:
        hook.attach(params)
    forget_errors()
    for types, flash in ((kv, _FLASH_ON), (KvTypes("f16", "f16"), _FLASH_AUTO)):
        params.type_k, params.type_v = types.codes
        params.flash_attn_type = flash
        handle = lib.llama_init_from_model(model.handle, params)
        if handle:
            return handle, types
    raise ModelUnavailable(
        f"no context of {cells} tokens could be made for {model.path.name}: {last_error('out of memory?')}",
        "load it with a smaller context",
    )
