"""Scripted talks with the default models: what is told is kept, corrected, recalled in later chats, and told to no stranger."""

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kithnet.runtime.embed import LlamaEmbedder
from kithnet.runtime.reader import LlamaReader

_SPEC = importlib.util.spec_from_file_location("chat_talks", Path(__file__).parent / "talks.py")
assert _SPEC is not None and _SPEC.loader is not None
talking = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(talking)
TALKS: list[dict[str, Any]] = talking.talks("talks")


@pytest.fixture(scope="module")
def embedder(embedder_path: Path) -> Iterator[LlamaEmbedder]:
    loaded = LlamaEmbedder.load(embedder_path)
    yield loaded
    loaded.close()


@pytest.mark.model
@pytest.mark.timeout(180)
@pytest.mark.parametrize("talk", TALKS, ids=[talk["name"] for talk in TALKS])
def test_a_scripted_talk_goes_as_it_should(
    talk: dict[str, Any], embedder: LlamaEmbedder, reader: LlamaReader, chat_model_path: Path, tmp_path: Path
) -> None:
    world = talking.world(tmp_path / "w")
    assert talking.play(world, chat_model_path.parent, embedder, reader, talk["turns"]) == []
