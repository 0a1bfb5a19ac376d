"""The examples that agents learn kinds of sentences from: data files beside this module, one array for each kind."""

import tomllib
from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files


@lru_cache(maxsize=8)
def examples(name: str) -> Mapping[str, tuple[str, ...]]:
    """The examples of one file by kind, in the file's order."""
    raw = tomllib.loads(files(__package__).joinpath(f"{name}.toml").read_text("utf-8"))
    return {kind: tuple(texts) for kind, texts in raw.items()}
