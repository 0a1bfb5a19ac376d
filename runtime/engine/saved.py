"""The evaluated state of one sequence on disk, so that an agent wakes up without reading its past again."""

import hashlib
import json
import os
import struct
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kithnet.runtime.engine.tree import Tokens
from kithnet.runtime.errors import ModelFileError
from kithnet.runtime.files import put_in_place, storing

_MAGIC = b"KITHKV1\n"
_LENGTH = struct.Struct("<I")
_HEADER_LIMIT = 1 << 16
_SAMPLE = 1 << 16
_HINT = "delete it: the conversation is then evaluated again"


@dataclass(frozen=True, slots=True)
class State:
    """tokens: (N,) what was evaluated. cells: its keys and values as llama.cpp writes them."""

    adapter: str
    tokens: Tokens
    cells: bytes


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What a state depends on: the very weights (size and ends of the file) and the precision of keys and values."""

    size: int
    ends: str
    kv: str

    @classmethod
    def of(cls, model: Path, kv: str) -> "Fingerprint":
        size = model.stat().st_size
        with model.open("rb") as file:
            head = file.read(_SAMPLE)
            file.seek(max(size - _SAMPLE, 0))
            ends = hashlib.sha256(head + file.read(_SAMPLE)).hexdigest()
        return cls(size, ends, kv)


def write(file: Path, fingerprint: Fingerprint, state: State) -> None:
    """Write all of it or nothing, readable by its owner only: it holds what was said. Raises StorageError."""
    tokens = state.tokens.astype("<i4").tobytes()
    header = {
        **asdict(fingerprint),
        "adapter": state.adapter,
        "tokens": len(state.tokens),
        "bytes": len(state.cells),
        "digest": _digest(tokens, state.cells),
    }
    text = json.dumps(header).encode()
    part = file.with_name(f"{file.name}.{os.getpid()}.part")
    with storing(file.parent):
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
                for block in (_MAGIC, _LENGTH.pack(len(text)), text, tokens, state.cells):
                    out.write(block)
            put_in_place(part, file)
        finally:
            part.unlink(missing_ok=True)


def read(file: Path, fingerprint: Fingerprint) -> State:
    """Read and check. Raises ModelFileError when it is missing, damaged, or was made by another model or precision."""
    try:
        data = file.read_bytes()
    except OSError as error:
        raise ModelFileError(f"saved state {file} cannot be read: {error.strerror}", _HINT) from error
    header, start = _header(file, data)
    expected = asdict(fingerprint)
    if different := [key for key in expected if header.get(key) != expected[key]]:
        raise ModelFileError(f"saved state {file} was made by another model ({', '.join(different)})", _HINT)
    try:
        count, size = int(header["tokens"]), int(header["bytes"])
        tokens, cells = data[start : start + 4 * count], data[start + 4 * count :]
        whole = len(tokens) == 4 * count and len(cells) == size and _digest(tokens, cells) == header["digest"]
        adapter = str(header["adapter"])
    except (KeyError, TypeError, ValueError) as error:
        raise ModelFileError(f"saved state {file} is damaged: {error}", _HINT) from error
    if not whole:
        raise ModelFileError(f"saved state {file} is truncated or damaged", _HINT)
    return State(adapter, np.frombuffer(tokens, "<i4").astype(np.int32), cells)


def _header(file: Path, data: bytes) -> tuple[dict[str, Any], int]:
    """The header and where what follows it begins."""
    start = len(_MAGIC) + _LENGTH.size
    if data[: len(_MAGIC)] != _MAGIC or len(data) < start:
        raise ModelFileError(f"{file} is no saved state of this version", _HINT)
    (length,) = _LENGTH.unpack(data[len(_MAGIC) : start])
    try:
        header = json.loads(data[start : start + min(length, _HEADER_LIMIT)])
    except ValueError as error:
        raise ModelFileError(f"saved state {file} is damaged: {error}", _HINT) from error
    if not isinstance(header, dict):
        raise ModelFileError(f"saved state {file} is damaged", _HINT)
    return header, start + length


def _digest(tokens: bytes, cells: bytes) -> str:
    digest = hashlib.blake2b(tokens, digest_size=16)
    digest.update(cells)
    return digest.hexdigest()
