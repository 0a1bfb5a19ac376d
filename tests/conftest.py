"""Fixtures every test may use: no network, the real models, the real input beside the checkout."""

import ipaddress
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

os.environ.setdefault("GOMP_SPINCOUNT", "1000")  # as `kith` sets them, before llama.cpp is loaded
os.environ.setdefault("OMP_WAIT_POLICY", "active")

_REAL_CONNECT = socket.socket.connect
_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


def _loopback_only(self: socket.socket, address: Any) -> None:
    if self.family in (socket.AF_INET, socket.AF_INET6):
        host = address[0]
        if host != "localhost" and not ipaddress.ip_address(host).is_loopback:
            raise OSError(f"tests may not reach {host}: the network is blocked")
    _REAL_CONNECT(self, address)


@pytest.fixture(autouse=True, scope="session")
def _network_is_blocked() -> Iterator[None]:
    socket.socket.connect = _loopback_only  # type: ignore[method-assign, assignment]
    yield
    socket.socket.connect = _REAL_CONNECT  # type: ignore[method-assign]


def _model_file(filename: str) -> Path:
    """A fetched default model; `make test` runs `kith model fetch` first, so absence is an error, not a skip."""
    from kithnet.app.home import models_folder

    path = models_folder(os.environ) / filename
    if not path.is_file():
        pytest.fail(f"{path} is missing: run `kith model fetch` (or `make models`) first")
    return path


@pytest.fixture(scope="session")
def chat_model_path() -> Path:
    return _model_file("smollm2-135m.gguf")


@pytest.fixture(scope="session")
def embedder_path() -> Path:
    return _model_file("minilm-l6.gguf")


@pytest.fixture(scope="session")
def reader_path() -> Path:
    return _model_file("kith-reader.gguf")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    if not _DATA.is_dir():
        pytest.skip(f"real input is not beside this checkout ({_DATA})")
    return _DATA
