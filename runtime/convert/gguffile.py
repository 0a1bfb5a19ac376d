"""GGUF files written piece by piece: the header first, then tensors in any order at places known beforehand.

The `gguf` package writes a file from arrays that are all in memory; here nothing has to be.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gguf
import numpy as np

from kithnet.runtime.errors import ModelFileError
from kithnet.runtime.ggml import row_bytes

ALIGNMENT = 4096  # of every tensor in files written here: direct reads and mappings begin at a page
_OWN = ("GGUF.", "general.architecture", "general.alignment")


@dataclass(frozen=True, slots=True)
class Tensor:
    """A tensor of a file. shape: numpy's order, the reverse of ggml's. type: ggml's number. offset: in the file."""

    name: str
    shape: tuple[int, ...]
    type: int
    offset: int = 0

    @property
    def nbytes(self) -> int:
        return int(np.prod(self.shape[:-1], dtype=np.int64)) * row_bytes(self.type, self.shape[-1])


@dataclass(frozen=True, slots=True)
class Source:
    """A GGUF file that is read. fields: key to (value, type, type of the items of an array)."""

    path: Path
    architecture: str
    fields: Mapping[str, tuple[Any, Any, Any]]
    tensors: tuple[Tensor, ...]

    def number(self, key: str) -> int:
        """An integer under `ARCHITECTURE.key`, 0 where there is none; the largest of an array."""
        value = self.fields.get(f"{self.architecture}.{key}", (0,))[0]
        return max(map(int, value)) if isinstance(value, list) else int(value)


def read_source(path: Path) -> Source:
    """Read the header of a GGUF file (1 to 2 s where the vocabulary is long).

    Raises ModelFileError for a file that is no GGUF, cut off, or one of several parts.
    """
    try:
        reader = gguf.GGUFReader(path)
        fields = {
            field.name: (field.contents(), field.types[0], field.types[-1] if len(field.types) > 1 else None)
            for field in reader.fields.values()
            if not field.name.startswith("GGUF.")
        }
        architecture = str(fields["general.architecture"][0])
        tensors = tuple(
            Tensor(t.name, tuple(int(n) for n in reversed(t.shape)), int(t.tensor_type), int(t.data_offset))
            for t in reader.tensors
        )
    except OSError as error:
        raise ModelFileError(f"{path} cannot be read: {error.strerror}", "check the path") from error
    except (ValueError, IndexError, KeyError, TypeError, OverflowError) as error:
        raise ModelFileError(f"{path} is no GGUF file, or truncated or damaged: {error}", "fetch it again") from error
    if int(fields.get("split.count", (0,))[0]) > 1:
        raise ModelFileError(f"{path} is one of several parts of a model", "join them first: llama-gguf-split --merge")
    return Source(path, architecture, fields, tensors)


class GgufDraft:
    """A GGUF file whose header is known and whose tensors are still to be written."""

    def __init__(self, source: Source, tensors: Sequence[Tensor], changed: Mapping[str, Any] | None = None) -> None:
        """The header of `source` with these tensors; their offsets are chosen here.

        changed: integers or booleans to set, by key; None takes a key out.
        """
        self._source, self._changed = source, dict(changed or {})
        self._tensors = tuple(tensors)
        self.tensors: dict[str, Tensor] = {}
        self.header_bytes = self.bytes = 0

    def begin(self, path: Path) -> None:
        """Write the header, and make the file as long as it will be; what is not written yet is a hole."""
        writer = gguf.GGUFWriter(path, self._source.architecture)
        writer.add_custom_alignment(ALIGNMENT)
        for key, (value, kind, items) in self._source.fields.items():
            if not key.startswith(_OWN) and key not in self._changed:
                writer.add_key_value(key, value, kind, items)
        for key, value in self._changed.items():
            if value is not None:
                (writer.add_bool if isinstance(value, bool) else writer.add_uint32)(key, value)
        for tensor in self._tensors:
            code: Any = tensor.type  # the package knows fewer types than ggml, and writes any number
            writer.add_tensor_info(tensor.name, tensor.shape, np.dtype(np.float32), tensor.nbytes, code)
        try:
            writer.write_header_to_file()
            writer.write_kv_data_to_file()
            writer.write_ti_data_to_file()
        finally:
            writer.close()
        self._place(path.stat().st_size)
        os.truncate(path, self.bytes)

    def _place(self, header: int) -> None:
        at = self.header_bytes = padded(header, ALIGNMENT)
        for tensor in self._tensors:
            self.tensors[tensor.name] = Tensor(tensor.name, tensor.shape, tensor.type, at)
            at += padded(tensor.nbytes, ALIGNMENT)
        self.bytes = at


def padded(size: int, alignment: int) -> int:
    return -(-size // alignment) * alignment


@contextmanager
def reading(path: Path) -> Iterator[int]:
    """A descriptor to read pieces of a file with."""
    fd = os.open(path, os.O_RDONLY)
    try:
        yield fd
    finally:
        os.close(fd)


@contextmanager
def writable(path: Path) -> Iterator[int]:
    """A descriptor to write pieces of a file with (`os.pwrite`)."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        yield fd
    finally:
        os.close(fd)


def write_at(fd: int, data: Any, offset: int) -> None:
    """All of `data`, however many calls it takes."""
    view = memoryview(data).cast("B")
    while view:
        written = os.pwrite(fd, view, offset)
        view, offset = view[written:], offset + written


def read_at(fd: int, size: int, offset: int) -> "np.ndarray[Any, np.dtype[np.uint8]]":
    """Raises ModelFileError where the file ends before."""
    out = np.empty(size, np.uint8)
    view, at = memoryview(out.data), 0
    while at < size:
        got = os.preadv(fd, [view[at:]], offset + at)
        if not got:
            raise ModelFileError("the model file ends within a tensor", "fetch it again")
        at += got
    return out
