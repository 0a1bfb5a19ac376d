"""The thin edge to llama.cpp: load a GGUF, tokenise, render its chat template, decode batches.

Everything here is a synchronous call on handles that one thread at a time may use. llama.cpp reports through a
log callback; its error lines are kept and put into our messages instead of on stderr.
"""

import ctypes
import functools
import os
import re
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import llama_cpp
import numpy as np
import numpy.typing as npt
from llama_cpp import llama_cpp as lib

from kithnet.runtime.chat import Message
from kithnet.runtime.errors import ModelFileError, SetupError
from kithnet.runtime.fencing import fenced, is_turn_mark
from kithnet.runtime.layout import check_layout
from kithnet.runtime.reasoning import CHANNEL, HARMONY, TAGS
from kithnet.runtime.template import CHATML, ChatTemplate

BINDING = "0.3.36"
Ids = npt.NDArray[np.int32]
_ERROR_LEVEL = 4  # GGML_LOG_LEVEL_ERROR
_LONGEST_PIECE = 256  # bytes of one token

_errors: deque[str] = deque(maxlen=20)


@lib.llama_log_callback  # type: ignore[untyped-decorator]
def _collect(level: int, text: bytes, _data: Any) -> None:
    if level == _ERROR_LEVEL:
        _errors.append(text.decode("utf-8", "replace").strip())


@functools.cache
def start_backend() -> None:
    """Make llama.cpp ready in this process, quietly. SetupError when the binding is not the one we know."""
    if llama_cpp.__version__ != BINDING:
        raise SetupError(
            f"llama-cpp-python is {llama_cpp.__version__}; its struct layouts are known here for {BINDING} only",
            f"pip install llama-cpp-python=={BINDING}",
        )
    lib.llama_log_set(_collect, ctypes.c_void_p(0))
    lib.llama_backend_init()
    check_layout()


def forget_errors() -> None:
    """Call before something that may fail, so that `last_error` is about that."""
    _errors.clear()


def last_error(default: str) -> str:
    """What llama.cpp said last, as one line."""
    return "; ".join(dict.fromkeys(list(_errors)[-3:])) or default


def default_threads() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)


class LlamaModel:
    """The weights and vocabulary of one GGUF file, mapped read-only."""

    def __init__(self, path: Path, handle: Any) -> None:
        self.path = path
        self.handle = handle
        self.vocab = lib.llama_model_get_vocab(handle)
        self.vocab_size: int = lib.llama_vocab_n_tokens(self.vocab)
        self._pieces: dict[int, bytes] = {}
        # Read from the vocabulary now: the first prompts come from several threads at once, and would each read it.
        self._marks = self._read_marks()
        splits = "|".join(map(re.escape, self._marks)) or "(?!)"
        self._mark_start = re.compile(rf"(?=(?:{splits})).", re.DOTALL)
        reasoning = [mark for pair in TAGS.items() for mark in pair] + [*HARMONY] * (CHANNEL in self._marks)
        self._reasoning_marks = {self._marks[mark]: mark.encode() for mark in reasoning if mark in self._marks}

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, mapped: bool = True, repack: bool = True) -> "LlamaModel":
        """Map the file. ModelFileError when it is missing, no GGUF, truncated or refused by llama.cpp.

        mapped: False reads the file into memory of its own. repack: let llama.cpp keep weights of some types in a
        form that is faster to multiply with, in memory of its own.
        """
        start_backend()
        file = Path(path)
        _check_magic(file)
        forget_errors()
        params = lib.llama_model_default_params()
        params.load_mode = lib.LLAMA_LOAD_MODE_AUTO if mapped else lib.LLAMA_LOAD_MODE_NONE
        params.use_extra_bufts = repack
        handle = lib.llama_model_load_from_file(os.fsencode(file), params)
        if not handle:
            raise ModelFileError(
                f"{file} could not be loaded: {last_error('llama.cpp gave no reason')}",
                "the file is corrupt, truncated or of an unknown architecture: fetch it again and check its sha256",
            )
        return cls(file, handle)

    def close(self) -> None:
        if self.handle is not None:
            lib.llama_model_free(self.handle)
            self.handle = self.vocab = None

    @property
    def parameters(self) -> int:
        return int(lib.llama_model_n_params(self.handle))

    @property
    def trained_context(self) -> int:
        return int(lib.llama_model_n_ctx_train(self.handle))

    @property
    def generates(self) -> bool:
        """False for encoders such as BERT, whose attention looks both ways."""
        decoder = bool(lib.llama_model_has_decoder(self.handle)) and not lib.llama_model_has_encoder(self.handle)
        architecture = self.metadata("general.architecture") or ""
        return decoder and self.metadata(f"{architecture}.attention.causal") != "false"

    @property
    def divisible(self) -> bool:
        """Whether a prefix of an evaluated sequence can be kept; a recurrent state has no prefixes."""
        return not (lib.llama_model_is_recurrent(self.handle) or lib.llama_model_is_hybrid(self.handle))

    @property
    def kv_widths(self) -> tuple[int, int]:
        """Values in the keys, and in the values, of one token, over all layers."""
        architecture = self.metadata("general.architecture") or ""
        heads = max(lib.llama_model_n_head(self.handle), 1)
        size = lib.llama_model_n_embd(self.handle) // heads
        each = int(lib.llama_model_n_head_kv(self.handle)) * int(lib.llama_model_n_layer(self.handle))
        key, value = (self.metadata(f"{architecture}.attention.{part}_length") for part in ("key", "value"))
        return each * int(key or size), each * int(value or size)

    def metadata(self, key: str) -> str | None:
        size = lib.llama_model_meta_val_str(self.handle, key.encode(), None, 0)
        if size < 0:
            return None
        buffer = ctypes.create_string_buffer(size + 1)
        lib.llama_model_meta_val_str(self.handle, key.encode(), buffer, size + 1)
        return buffer.value.decode("utf-8", "replace")

    def tokenise(self, text: str, *, begin: bool, special: bool) -> list[int]:
        """Token ids. begin: add what the model wants at the start (BOS, CLS). special: control words are tokens."""
        data = text.encode("utf-8", "replace")
        room = len(data) + 8
        buffer = (ctypes.c_int32 * room)()
        count = lib.llama_tokenize(self.vocab, data, len(data), buffer, room, begin, special)
        if count < 0:
            room = -count
            buffer = (ctypes.c_int32 * room)()
            count = lib.llama_tokenize(self.vocab, data, len(data), buffer, room, begin, special)
        return list(buffer[:count])

    def piece(self, token: int) -> bytes:
        """The bytes of one token; empty for control tokens, but for those that mark reasoning. A code point may span
        several tokens."""
        known = self._pieces.get(token)
        if known is None:
            buffer = ctypes.create_string_buffer(_LONGEST_PIECE)
            size = lib.llama_token_to_piece(self.vocab, token, buffer, _LONGEST_PIECE, 0, False)
            known = buffer.raw[: max(size, 0)] or self._reasoning_marks.get(token, b"")
            self._pieces[token] = known
        return known

    def _read_marks(self) -> dict[str, int]:
        """Texts that the tokeniser takes for one token wherever they stand: control words, and marks beside them."""
        taken = lib.LLAMA_TOKEN_ATTR_CONTROL | lib.LLAMA_TOKEN_ATTR_UNKNOWN
        marks = {}
        for token in range(self.vocab_size):
            attributes = lib.llama_vocab_get_attr(self.vocab, token)
            if attributes & taken or attributes & lib.LLAMA_TOKEN_ATTR_USER_DEFINED:
                text = self._text(token)
                if len(text) > 1 and (attributes & taken or is_turn_mark(text)):
                    marks[text] = token
        return marks

    @functools.cached_property
    def visible_tokens(self) -> tuple[Ids, Ids]:
        """Tokens that print something (neither blank nor control): those of a single byte, and all of them."""
        buffer = ctypes.create_string_buffer(_LONGEST_PIECE)
        single: list[int] = []
        every: list[int] = []
        for token in range(self.vocab_size):
            size = lib.llama_token_to_piece(self.vocab, token, buffer, _LONGEST_PIECE, 0, False)
            if size > 0 and buffer.raw[:size].strip():
                every.append(token)
                if size == 1:
                    single.append(token)
        return np.array(single, np.int32), np.array(every, np.int32)

    def is_end(self, token: int) -> bool:
        """Whether the token ends a generation (EOS, end of turn)."""
        return bool(lib.llama_vocab_is_eog(self.vocab, token))

    @functools.cached_property
    def template(self) -> ChatTemplate:
        """The chat template of the file, ChatML where it has none."""
        source = lib.llama_model_chat_template(self.handle, None)
        ends = lib.llama_vocab_bos(self.vocab), lib.llama_vocab_eos(self.vocab)
        return ChatTemplate(source.decode() if source else CHATML, *map(self._text, ends))

    def prompt(self, messages: Sequence[Message], *, raw: bool, closed: bool = False) -> list[int]:
        """Token ids of a conversation, ready for the assistant's turn (raw: of the joined contents).

        Nothing in a content is a control token or a turn mark. closed: see `ChatTemplate.render`.
        """
        contents = [m.content for m in messages]
        if raw:
            whole = "".join(contents)
            border = _absent_from([whole])
            return self._tokenised(self._split(whole, border), border, begin=True, special=False)
        border = _absent_from([self.template.source, *contents])
        turns = [{"role": m.role, "content": fenced(self._split(m.content, border), tools=False)} for m in messages]
        return self._tokenised(self.template.render(turns, closed=closed), border, begin=False, special=True)

    def _split(self, content: str, border: str) -> str:
        """The content with a border behind the first character of every mark in it."""
        return self._mark_start.sub(lambda m: m[0] + border, content)

    def _tokenised(self, text: str, border: str, *, begin: bool, special: bool) -> list[int]:
        """Token ids of the parts between borders one by one: what a border divides cannot become one token."""
        parts = text.split(border)
        return [
            token
            for number, part in enumerate(parts)
            for token in self.tokenise(part, begin=begin and number == 0, special=special)
        ]

    def _text(self, token: int) -> str:
        return "" if token < 0 else str(lib.llama_vocab_get_text(self.vocab, token).decode())


def _absent_from(texts: Sequence[str]) -> str:
    """A private character that is in none of the texts."""
    return next(one for one in map(chr, range(0x10FFFD, 0, -1)) if not any(one in text for text in texts))


def _check_magic(file: Path) -> None:
    try:
        with file.open("rb") as stream:
            magic = stream.read(4)
    except OSError as error:
        raise ModelFileError(
            f"model file {file} cannot be read: {error.strerror}",
            "give the path of a GGUF file, or fetch one: kith model fetch",
        ) from error
    if magic != b"GGUF":
        raise ModelFileError(
            f"{file} is not a GGUF file (it starts with {magic!r})",
            "give a GGUF model, or fetch one: kith model fetch",
        )


class Batch:
    """A reusable llama_batch of up to `capacity` tokens, each in one sequence."""

    def __init__(self, capacity: int) -> None:
        self.raw = lib.llama_batch_init(capacity, 0, 1)
        self.capacity = capacity
        self._token = self._view(self.raw.token, np.int32)
        self._pos = self._view(self.raw.pos, np.int32)
        self._logits = self._view(self.raw.logits, np.int8)
        self._view(self.raw.n_seq_id, np.int32)[:] = 1
        # seq_id is an array of pointers to single ids that llama_batch_init allocated one by one.
        self._seq = [self.raw.seq_id[i] for i in range(capacity)]

    def _view(self, pointer: Any, dtype: Any) -> "np.ndarray[Any, Any]":
        view = np.ctypeslib.as_array(pointer, shape=(self.capacity,))
        assert view.dtype == dtype
        return view

    def put(
        self, tokens: Sequence[int] | Ids, positions: Sequence[int], sequences: Sequence[int], wanted: Sequence[bool]
    ) -> None:
        """Fill the batch; `wanted` marks the tokens whose output is to be computed."""
        n = len(tokens)
        self.raw.n_tokens = n
        self._token[:n] = tokens
        self._pos[:n] = positions
        self._logits[:n] = wanted
        for cell, sequence in zip(self._seq, sequences, strict=False):
            cell[0] = sequence

    def put_one(self, token: int, position: int, sequence: int) -> None:
        """One token whose logits are wanted: the decoding loop's case, without the list handling."""
        self.raw.n_tokens = 1
        self._token[0] = token
        self._pos[0] = position
        self._logits[0] = 1
        self._seq[0][0] = sequence

    def free(self) -> None:
        lib.llama_batch_free(self.raw)
