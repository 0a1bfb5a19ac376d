"""LoRA adapters over one loaded model: load their GGUF files once, put one of them on a context when it is needed.

An adapter belongs to the model it was loaded for, and may be set on any of that model's contexts. A context has one
set of adapters for a whole decode, so sequences that want different adapters are decoded one after the other.
"""

import ctypes
import math
import os
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llama_cpp import llama_cpp as lib

from kithnet.runtime.errors import ConfigError, ModelFileError
from kithnet.runtime.llama import LlamaModel, forget_errors, last_error

_HEADER = struct.Struct("<4sIQ")  # magic, version, number of tensors: how every GGUF file starts
_CONVERT = "give a LoRA adapter in GGUF form that was trained on this very model"


@dataclass(frozen=True)
class AdapterFile:
    """An adapter to load. `scale` multiplies its own alpha / rank; 0 switches it off."""

    name: str
    path: Path
    scale: float = 1.0


class Adapters:
    """The adapters of one model, by name. One thread at a time, like the model's contexts; loaded before or after them."""

    def __init__(self, model: LlamaModel, files: Sequence[AdapterFile] = ()) -> None:
        """Load every file. ConfigError for a name or scale that cannot be, ModelFileError for a file that does not fit.

        When one file is refused, those before it are freed again.
        """
        self._model = model
        self._loaded: dict[str, tuple[Any, Any]] = {}  # name -> C arrays of one handle and of its scale
        _check(files)
        try:
            for file in files:
                self._loaded[file.name] = _arrays(_load(model, file), file.scale)
        except ModelFileError:
            self.close()
            raise

    @property
    def names(self) -> tuple[str, ...]:
        """The adapters there are, in the order they were given."""
        return tuple(self._loaded)

    def apply(self, context: Any, name: str) -> None:
        """Set exactly the adapter `name` on a llama_context; "" sets none. ConfigError for an unknown name.

        Setting what is set already costs about a microsecond: llama.cpp compares with what the context has, and that
        is the one memory that a context freed and made again at the same address cannot falsify. A change makes the
        next decode plan its graph anew. Cells of the KV cache keep the values of the adapter they were evaluated
        under: sequences with different adapters must not share a prefix.
        """
        if not name:
            lib.llama_set_adapters_lora(context, None, 0, None)
            return
        if name not in self._loaded:
            known = ", ".join(self._loaded) or "none is loaded"
            raise ConfigError(
                f"there is no adapter {name!r}; there are: {known}", "name one of these, or nothing for the plain model"
            )
        handles, scales = self._loaded[name]
        lib.llama_set_adapters_lora(context, handles, 1, scales)

    def close(self) -> None:
        """Free the adapters; no context may have one set any more. After `model.close()` nothing is left to free."""
        if self._model.handle is not None:
            for handles, _ in self._loaded.values():
                lib.llama_adapter_lora_free(handles[0])
        self._loaded.clear()


def _check(files: Sequence[AdapterFile]) -> None:
    names = [file.name for file in files]
    for file in files:
        if not file.name:
            raise ConfigError(f"the adapter {file.path} has no name", "give it one; an empty name means no adapter")
        if names.count(file.name) > 1:
            raise ConfigError(f"two adapters are named {file.name!r}", "give each its own name")
        if not math.isfinite(file.scale):
            raise ConfigError(f"the scale of adapter {file.name!r} is {file.scale}", "give a number, usually 1.0")


def _arrays(handle: Any, scale: float) -> tuple[Any, Any]:
    return (lib.llama_adapter_lora_p_ctypes * 1)(handle), (ctypes.c_float * 1)(scale)


def _load(model: LlamaModel, file: AdapterFile) -> Any:
    """The handle of one adapter file, which the model owns until it is freed."""
    _check_header(file.path)
    forget_errors()
    handle = lib.llama_adapter_lora_init(model.handle, os.fsencode(file.path))
    if not handle:
        raise ModelFileError(
            f"adapter {file.path} does not fit {model.path}: {last_error('llama.cpp gave no reason')}", _CONVERT
        )
    if lib.llama_adapter_get_alora_n_invocation_tokens(handle):
        lib.llama_adapter_lora_free(handle)
        raise ModelFileError(
            f"adapter {file.path} is an activated LoRA, to be switched on in mid-sequence, which is not supported",
            _CONVERT,
        )
    return handle


def _check_header(path: Path) -> None:
    """Refuse what llama.cpp would describe badly (no GGUF) or accept silently (no tensors)."""
    try:
        with path.open("rb") as stream:
            head = stream.read(_HEADER.size)
    except OSError as error:
        raise ModelFileError(f"adapter file {path} cannot be read: {error.strerror}", "check its path") from error
    if len(head) < _HEADER.size or head[:4] != b"GGUF":
        raise ModelFileError(f"{path} is not a GGUF file (it starts with {head[:4]!r})", _CONVERT)
    if _HEADER.unpack(head)[2] == 0:
        raise ModelFileError(f"{path} holds no tensors, so it changes nothing", _CONVERT)
