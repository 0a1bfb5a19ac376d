"""Reads tensors from a `.safetensors` file: 8 bytes of header length, a JSON header, then the raw tensors."""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kithnet.runtime.errors import ModelFileError

_DTYPES = {
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    "I64": "<i8",
    "I32": "<i4",
    "I16": "<i2",
    "I8": "i1",
    "U8": "u1",
    "BOOL": "?",
}
_LONGEST_HEADER = 100 << 20


@dataclass(frozen=True, slots=True)
class _Slot:
    dtype: str
    shape: tuple[int, ...]
    start: int
    end: int


class SafeTensors(Mapping[str, np.ndarray]):
    """The tensors of one file by name. They are views of the mapped file, read when they are used.

    BF16 tensors are widened to float32 (exactly). Raises ModelFileError where the file is damaged.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        size = path.stat().st_size
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if size < 8 or length > min(size - 8, _LONGEST_HEADER):
                raise self._damaged("its header is longer than the file")
            header = file.read(length)
        self._data = np.memmap(path, dtype=np.uint8, mode="r")
        try:
            rows = json.loads(header)
            self._slots = {name: _slot(row, 8 + length) for name, row in rows.items() if name != "__metadata__"}
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise self._damaged("its header is not readable") from error
        for name, slot in self._slots.items():
            if not 8 + length <= slot.start <= slot.end <= size:
                raise self._damaged(f"tensor {name} lies outside the file")

    def __getitem__(self, name: str) -> np.ndarray:
        slot = self._slots[name]
        widen = slot.dtype == "BF16"
        if not widen and slot.dtype not in _DTYPES:
            raise self._damaged(f"tensor {name} has the unknown type {slot.dtype}")
        dtype = np.dtype("<u2" if widen else _DTYPES[slot.dtype])
        if slot.end - slot.start != math.prod(slot.shape) * dtype.itemsize:
            raise self._damaged(f"tensor {name} does not have the size of its shape")
        values = self._data[slot.start : slot.end].view(dtype).reshape(slot.shape)
        if widen:
            return (values.astype(np.uint32) << 16).view(np.float32)
        return values

    def __iter__(self) -> Iterator[str]:
        return iter(self._slots)

    def __len__(self) -> int:
        return len(self._slots)

    def _damaged(self, why: str) -> ModelFileError:
        return ModelFileError(f"{self._path} is not a whole safetensors file: {why}", "fetch it again")


def _slot(row: Mapping[str, Any], base: int) -> _Slot:
    start, end = (int(offset) + base for offset in row["data_offsets"])
    return _Slot(str(row["dtype"]), tuple(int(n) for n in row["shape"]), start, end)
