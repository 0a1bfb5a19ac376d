"""From a path and a wish to the file that is loaded: a whole GGUF, or a store and its trunk."""

from dataclasses import dataclass
from pathlib import Path

from kithnet.runtime.errors import ConfigError
from kithnet.runtime.offload.fit import free_memory
from kithnet.runtime.offload.options import ExpertOptions
from kithnet.runtime.offload.store import ExpertStore

STORE_SUFFIX = ".experts"
_MAGIC = b"KITHEXPS"
_MAKE = "make it: kith model convert"


@dataclass(frozen=True, slots=True)
class Source:
    """What llama.cpp loads. store: where the experts come from, None for a GGUF that has them. mapped, repack: see
    `LlamaModel.load`. willneed: ask the system for each selected expert."""

    path: Path
    store: ExpertStore | None = None
    mapped: bool = True
    repack: bool = True
    willneed: bool = False


def source(path: Path, options: ExpertOptions) -> Source:
    """Decide what to load.

    auto takes a store where one is given, or where the store of a GGUF lies beside it and the GGUF does not fit into
    the memory that is free now. Raises StoreError for a store that is damaged or of another model, ConfigError for a
    wish that cannot be met.
    """
    beside = path.with_suffix(STORE_SUFFIX)
    mode = options.mode
    if _is_store(path):
        if mode not in ("auto", "offload"):
            hint = "give the GGUF that it was made of, or --experts offload"
            raise ConfigError(f"{path} is an expert store, which experts={mode} does not use", hint)
        beside, mode = path, "offload"
    elif mode == "auto":
        too_large = path.is_file() and path.stat().st_size > free_memory()
        mode = "offload" if too_large and _is_store(beside) else "mmap"
    if mode == "offload":
        if not _is_store(beside):
            raise ConfigError(f"there is no expert store {beside} to offload {path.name} from", f"{_MAKE} {path}")
        store = ExpertStore.open(beside)
        if path != beside and path.is_file():
            store.check_model(path)
        return Source(store.trunk, store, repack=False)
    # A copy that is repacked cannot be paged out, nor asked for ahead.
    return Source(path, mapped=mode != "memory", repack=mode != "mmap+willneed", willneed=mode == "mmap+willneed")


def _is_store(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(_MAGIC)) == _MAGIC
    except OSError:
        return False
