"""Open the models a configuration names: a local GGUF or a remote endpoint, and the embedder."""

import logging
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import replace
from pathlib import Path

from kithnet.app import consent
from kithnet.app.allowance import Allowance, AllowedModel
from kithnet.memory.store import Store
from kithnet.memory.vectors import VectorIndex
from kithnet.runtime.chat import ChatModel
from kithnet.runtime.config import Config, ExpertsConfig
from kithnet.runtime.embed import LlamaEmbedder
from kithnet.runtime.engine.kvchoice import kv_choice
from kithnet.runtime.engine.kvtypes import DEFAULT, KvTypes
from kithnet.runtime.errors import ConfigError, ModelFileError, StorageError, UnknownModel
from kithnet.runtime.local import LocalModel, LocalOptions
from kithnet.runtime.lora import AdapterFile
from kithnet.runtime.offload.opening import STORE_SUFFIX
from kithnet.runtime.offload.options import ExpertOptions
from kithnet.runtime.offload.tuning import kept
from kithnet.runtime.reader import LlamaReader
from kithnet.runtime.registry import Registry

_log = logging.getLogger(__name__)
CONTEXT, REMOTE_CONTEXT = 8192, 32768
"""Tokens of a conversation where the settings leave it open."""


@asynccontextmanager
async def chat_model(config: Config, models: Path, given: ChatModel | None = None) -> AsyncIterator[ChatModel]:
    """The chat model of a run, or `given` in its place; closed at the end.

    Raises UnknownModel, ModelFileError, SetupError.
    """
    model = given or open_chat_model(config, models)
    try:
        yield model
    finally:
        await model.close()


def open_chat_model(config: Config, models: Path) -> ChatModel:
    """A remote endpoint where the configuration gives a URL, else a local GGUF."""
    chosen = config.model
    if chosen.url:
        from kithnet.runtime.remote import RemoteModel  # the client is slow to import and not needed offline

        key = os.environ.get(chosen.api_key_env) if chosen.api_key_env else None
        remote = RemoteModel(
            chosen.url, chosen.name, api_key=key, timeout=chosen.timeout, retries=chosen.retries,
            context=chosen.context or REMOTE_CONTEXT, reasoning_tokens=chosen.reasoning_tokens,
        )  # fmt: skip
        return AllowedModel(remote, Allowance(models.parent, config.limits.tokens_per_day))
    path = model_path(chosen.name, models)
    adapters = tuple(AdapterFile(one.name, Path(one.path), one.scale) for one in chosen.adapters)
    options = LocalOptions(
        context=chosen.context or CONTEXT, parallel=chosen.parallel, kv_mb=chosen.kv_mb, threads=chosen.threads,
        adapters=adapters, kv=_kv(chosen.kv, path), experts=_experts(config.experts, path),
        reasoning_tokens=chosen.reasoning_tokens,
    )  # fmt: skip
    return LocalModel.load(path, options)


def need_ready(config: Config, models: Path) -> None:
    """What can be told before a run is begun: the model is here, and what is sent to another machine may be sent.

    Raises UnknownModel, ModelFileError, InputError.
    """
    if config.model.url:
        consent.need(config, models.parent)
    else:
        model_path(config.model.name, models)


def model_path(name: str, models: Path) -> Path:
    """The file of a model: a GGUF, or an expert store by its path or, where the GGUF is gone, by the model's name.

    Raises UnknownModel, ModelFileError.
    """
    if name.endswith(STORE_SUFFIX) and Path(name).is_file():
        return Path(name)
    try:
        return Registry(models).resolve(name)
    except UnknownModel:
        store = models / f"{name}{STORE_SUFFIX}"
        if store.is_file():
            return store
        raise


def _experts(chosen: ExpertsConfig, model: Path) -> ExpertOptions:
    """How experts are kept, with the thresholds that were calibrated for the model's store where none are set."""
    options = chosen.options()
    if chosen.precision == "high" or chosen.t1 < 1:
        return options
    found = kept(model.with_suffix(STORE_SUFFIX))
    if found is not None:
        return replace(options, t1=found.t1, t2=found.t2)
    if not options.resident_low:
        hint = f"choose them by what they cost: kith model calibrate {model.stem}; or set experts.t1 and experts.t2"
        raise ConfigError(f"no thresholds are known for the mixed precision of {model.stem}", hint)
    return options


def _kv(setting: str, model: Path) -> KvTypes:
    if setting == "auto":
        return kv_choice(model) or DEFAULT
    return KvTypes.parse(setting)


@contextmanager
def embedder(config: Config, models: Path) -> Iterator[LlamaEmbedder | None]:
    """The sentence embedder, or None where it has not been fetched: recall is lexical then."""
    try:
        path = Registry(models).resolve(config.embedder.name)
    except UnknownModel:
        yield None
        return
    loaded = LlamaEmbedder.load(path)
    try:
        yield loaded
    finally:
        loaded.close()


@contextmanager
def reader(config: Config, models: Path) -> Iterator[LlamaReader | None]:
    """The trained reader, or None where none is wanted, or it has not been fetched, or its file will not do: shared words decide
    then, and of a file that will not do a line is logged."""
    if not config.reader.name:
        yield None
        return
    try:
        loaded = LlamaReader.load(Registry(models).resolve(config.reader.name))
    except (UnknownModel, ModelFileError) as error:
        if isinstance(error, ModelFileError):
            _log.warning("shared words decide in place of the trained reader: %s (%s)", error.message, error.hint)
        yield None
        return
    with closing(loaded):
        yield loaded


@contextmanager
def vectors(store: Store, world: Path, loaded: LlamaEmbedder | None) -> Iterator[VectorIndex | None]:
    """The world's vector index, or None while none of it has been made."""
    folder = world / "vectors"
    in_server = (folder / "server.json").is_file()
    if loaded is None or not (in_server or (folder / "current").is_file()):
        yield None
        return
    from kithnet.memory.chroma import ChromaIndex  # a second's import, for worlds that have vectors
    from kithnet.memory.chroma_server import ChromaServerIndex

    index: VectorIndex
    try:
        index = (ChromaServerIndex if in_server else ChromaIndex).open(folder, loaded.name, loaded.dim)
    except StorageError:  # at work (WorldBusy), damaged, or the server is down: recall is lexical meanwhile
        yield None
        return
    try:
        yield index
    finally:
        index.close()
