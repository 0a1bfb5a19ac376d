"""Number formats of ggml: how many bytes a row takes, and conversion by the library's own routines.

A tensor's rows are quantised one by one, so any part of a tensor that is made of whole rows can be converted alone.
"""

import ctypes
import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt
from llama_cpp import _ggml

from kithnet.runtime.errors import ConfigError

Bytes = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]

F32, F16, BF16 = 0, 1, 30
_SMALL = (41, 2, F16)  # Q1_0, Q4_0, F16: the smallest whose blocks divide a row
_TYPES = 43  # GGML_TYPE_COUNT of the pinned llama.cpp; asking for a type beyond it reads foreign memory
_PER_TASK = 1 << 20  # weights that one thread converts at once


class _Traits(ctypes.Structure):
    """`struct ggml_type_traits`."""

    _fields_ = (
        ("name", ctypes.c_char_p),
        ("block", ctypes.c_int64),
        ("interleave", ctypes.c_int64),
        ("size", ctypes.c_size_t),
        ("quantised", ctypes.c_bool),
        ("to_float", ctypes.c_void_p),
        ("from_float", ctypes.c_void_p),
    )


@functools.cache
def names() -> dict[str, int]:
    """Types that weights can be converted to and from, by name (`Q8_0`), to ggml's number."""
    found = {_name(code): code for code in range(_TYPES) if block(code)}
    return {name: code for name, code in found.items() if code in (F32, F16, BF16) or _converts(code)}


def named(name: str) -> int:
    """The number of the type called `name`, in any case. Raises ConfigError."""
    known = {known.upper(): code for known, code in names().items()}
    code = known.get(name.upper())
    if code is None:
        raise ConfigError(
            f"there is no type {name!r} that weights can be written in", f"choose from {', '.join(names())}"
        )
    return code


def name_of(code: int) -> str:
    """`Q8_0` for 8; `type 99` for a number that this llama.cpp does not know."""
    return _name(code) if 0 <= code < _TYPES else f"type {code}"


def block(code: int) -> int:
    """Weights that are quantised together: a row's length is a multiple of it. 0 for a type that does not exist."""
    return int(_function("ggml_blck_size", ctypes.c_int64, ctypes.c_int)(code)) if 0 <= code < _TYPES else 0


def smallest(columns: int) -> int:
    """The type in which a row of so many weights takes the fewest bytes, whatever became of the weights in it."""
    return next(code for code in _SMALL if columns % block(code) == 0)


def row_bytes(code: int, columns: int) -> int:
    """Bytes of a row. Raises ConfigError where `columns` is no multiple of the block."""
    each = block(code)
    if not each or columns % each:
        raise ConfigError(
            f"rows of {columns} weights cannot be {name_of(code)}: its blocks hold {each}", "choose another type"
        )
    return columns // each * int(_function("ggml_type_size", ctypes.c_size_t, ctypes.c_int)(code))


def bits(code: int) -> float:
    """Bits of a weight, scales included."""
    each = block(code)
    return row_bytes(code, each) * 8 / each


def quantise(values: Floats, code: int, threads: int = 1) -> Bytes:
    """(rows, columns) float32 to the bytes of `rows` rows."""
    values = np.ascontiguousarray(values, np.float32)
    rows, columns = values.shape
    each = row_bytes(code, columns)
    out = np.empty(rows * each, np.uint8)
    if code == F32:
        return values.view(np.uint8).reshape(-1)
    chunk = _function(
        "ggml_quantize_chunk", ctypes.c_size_t, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p,
        ctypes.c_int64, ctypes.c_int64, ctypes.c_int64, ctypes.c_void_p,
    )  # fmt: skip

    def convert(start: int, end: int) -> None:
        chunk(code, values.ctypes.data, out.ctypes.data, start * columns, end - start, columns, None)

    _by_rows(convert, rows, columns, threads)
    return out


def dequantise(raw: Bytes, code: int, rows: int, columns: int, threads: int = 1) -> Floats:
    """The bytes of `rows` rows to (rows, columns) float32."""
    each = row_bytes(code, columns)
    raw = np.ascontiguousarray(raw).view(np.uint8).reshape(-1)
    if len(raw) != rows * each:
        raise ConfigError(f"{len(raw)} bytes are not {rows} rows of {each}", "check the tensor's shape")
    if code == F32:
        return raw.view(np.float32).reshape(rows, columns).copy()
    out = np.empty((rows, columns), np.float32)
    widen = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64)(_traits(code).to_float)

    def convert(start: int, end: int) -> None:
        widen(raw.ctypes.data + start * each, out.ctypes.data + start * columns * 4, (end - start) * columns)

    _by_rows(convert, rows, columns, threads)
    return out


def _by_rows(convert: Callable[[int, int], None], rows: int, columns: int, threads: int) -> None:
    step = max(_PER_TASK // columns, 1)
    starts = range(0, rows, step)
    if threads < 2 or len(starts) < 2:
        convert(0, rows)
        return
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(lambda start: convert(start, min(start + step, rows)), starts))


def _converts(code: int) -> bool:
    """Both ways, and without an importance matrix, for want of which the library would end the process."""
    traits = _traits(code)
    needs_matrix = bool(_function("ggml_quantize_requires_imatrix", ctypes.c_bool, ctypes.c_int)(code))
    return bool(traits.quantised and traits.to_float and traits.from_float) and not needs_matrix


def _traits(code: int) -> _Traits:
    found = _function("ggml_get_type_traits", ctypes.POINTER(_Traits), ctypes.c_int)(code).contents
    assert isinstance(found, _Traits)
    return found


def _name(code: int) -> str:
    return str(_function("ggml_type_name", ctypes.c_char_p, ctypes.c_int)(code).decode()).upper()


def _function(name: str, result: Any, *arguments: Any) -> Callable[..., Any]:
    function: Callable[..., Any] = _ggml.libggml[name]
    function.argtypes, function.restype = arguments, result  # type: ignore[attr-defined]
    return function
