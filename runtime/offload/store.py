"""The expert store: one file with every expert of a model in two precisions, and the index that finds them.

A store stands beside its trunk, a GGUF of the same model with holes where the weights of the experts were. Layout:

    0      magic, version, where the index lies, its length and sha256 (little-endian; the rest of 4 KiB is zero)
    4096   records: one expert of one layer in one precision, its matrices one after the other, padded to 4 KiB
    ...    the index, JSON: the trunk's checksum, the model's shape, the matrices of each kind of record, all records

`runtime/convert/experts.py` writes it.
"""

import hashlib
import json
import os
import struct
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, cast

from kithnet.runtime.errors import StoreError
from kithnet.runtime.files import OnProgress

PRECISIONS = ("high", "low")
ALIGNMENT = 4096
VERSION = 1
Role = Literal["gate", "up", "down", "gate_up"]

_MAGIC = b"KITHEXPS"
_HEADER = struct.Struct("<8sIIQQ32s")  # magic, version, 0, the index's offset and length, its sha256
_BLOCK = 1 << 20
_AGAIN = "make it again: kith model convert"


@dataclass(frozen=True, slots=True)
class Part:
    """A matrix of an expert: (rows, cols) of the ggml type `type`, as llama.cpp wants it. offset: bytes inside the record."""

    role: Role
    type: int
    rows: int
    cols: int
    offset: int
    nbytes: int


@dataclass(frozen=True, slots=True)
class Record:
    """One expert in one precision. offset: in the file, and like nbytes a multiple of 4 KiB. crc: CRC-32 of all nbytes."""

    layer: int
    expert: int
    precision: str
    offset: int
    nbytes: int
    parts: tuple[Part, ...]
    crc: int

    def __str__(self) -> str:
        return f"layer {self.layer}, expert {self.expert}, {self.precision} precision"


@dataclass(frozen=True, slots=True)
class Trunk:
    """The GGUF that a store belongs to. file: its name, beside the store. kept: (start, end) of the bytes that are not
    holes, which `sha256` is of."""

    file: str
    bytes: int
    kept: tuple[tuple[int, int], ...]
    sha256: str


@dataclass(frozen=True, slots=True)
class Contents:
    """What the index says. model: the name of the file the store was made of. origin: a digest of that file's size and
    time and of how it was converted. fingerprint: see `fingerprint`. top_k: experts that a token uses in a layer."""

    trunk: Trunk
    model: str
    origin: str
    fingerprint: str
    architecture: str
    layers: tuple[int, ...]
    experts: int
    top_k: int
    records: tuple[Record, ...]


class ExpertStore:
    """An opened store. It holds no file open: readers open `path` as they need it."""

    def __init__(self, path: Path, contents: Contents) -> None:
        self.path = path
        self.trunk = path.parent / contents.trunk.file
        self.kept = contents.trunk.kept
        self.model, self.origin, self.fingerprint = contents.model, contents.origin, contents.fingerprint
        self.architecture = contents.architecture
        self.layers = contents.layers
        self.experts = contents.experts
        self.top_k = contents.top_k
        self._records = {(r.layer, r.expert, r.precision): r for r in contents.records}

    @classmethod
    def open(cls, path: Path) -> "ExpertStore":
        """Read the index and check it, then the trunk, all of it but its holes.

        Raises StoreError, which says what is missing, damaged, of another version, or of another model.
        """
        path = Path(path)
        try:
            with path.open("rb") as file:
                contents = _decoded(path, _index(path, file.read(ALIGNMENT)))
        except OSError as error:
            raise StoreError(f"the expert store {path} cannot be read: {error.strerror}", _AGAIN) from error
        if contents.records and path.stat().st_size < max(r.offset + r.nbytes for r in contents.records):
            raise StoreError(f"the expert store {path} is truncated", _AGAIN)
        _check_trunk(path, contents.trunk)
        return cls(path, contents)

    def record(self, layer: int, expert: int, precision: str) -> Record:
        """Raises KeyError for an expert that the model has not."""
        return self._records[layer, expert, precision]

    @property
    def records(self) -> Sequence[Record]:
        """All of them, in the order of the file."""
        return sorted(self._records.values(), key=lambda record: record.offset)

    def check_model(self, model: Path) -> None:
        """Raises StoreError where `model`, a GGUF, is another one than the store was made of."""
        if fingerprint(model) != self.fingerprint:
            raise StoreError(f"{model} has changed since the expert store {self.path.name} was made of it", _AGAIN)

    def bytes_of(self, precision: str) -> int:
        """Bytes of all experts in one precision."""
        return sum(record.nbytes for record in self._records.values() if record.precision == precision)

    def verify(self, progress: OnProgress | None = None) -> None:
        """Read every record and compare its checksum. Raises StoreError, which names the first that fails."""
        total = sum(record.nbytes for record in self._records.values())
        done = 0
        with self.path.open("rb", buffering=0) as file:
            for record in self.records:
                data = os.pread(file.fileno(), record.nbytes, record.offset)
                check(self.path, record, data)
                done += record.nbytes
                if progress:
                    progress(done, total, "checking experts")


def check(path: Path, record: Record, data: bytes | memoryview) -> None:
    """Compare what was read of a record with its length and checksum. Raises StoreError."""
    if len(data) != record.nbytes:
        raise StoreError(f"{path} ends within {record}: {len(data)} of {record.nbytes} bytes", _AGAIN)
    if zlib.crc32(data) != record.crc:
        raise StoreError(f"{path} is damaged at {record}: its checksum differs", _AGAIN)


def encoded(contents: Contents, offset: int) -> tuple[bytes, bytes]:
    """The first 4 KiB of a store, and its index, which lies at `offset`."""
    kinds = list(dict.fromkeys(record.parts for record in contents.records))
    number = {parts: at for at, parts in enumerate(kinds)}
    body = {
        "trunk": asdict(contents.trunk),
        "model": contents.model,
        "origin": contents.origin,
        "fingerprint": contents.fingerprint,
        "architecture": contents.architecture,
        "layers": contents.layers,
        "experts": contents.experts,
        "top_k": contents.top_k,
        "kinds": [[asdict(part) for part in parts] for parts in kinds],
        "records": [
            [r.layer, r.expert, PRECISIONS.index(r.precision), r.offset, r.nbytes, number[r.parts], r.crc]
            for r in contents.records
        ],
    }
    index = json.dumps(body, separators=(",", ":")).encode()
    head = _HEADER.pack(_MAGIC, VERSION, 0, offset, len(index), hashlib.sha256(index).digest())
    return head.ljust(ALIGNMENT, b"\0"), index


def fingerprint(model: Path) -> str:
    """What tells a GGUF from its next version in no time, wherever it is copied to: its size, and the sha256 of that
    with its first and its last MiB."""
    with model.open("rb", buffering=0) as file:
        size = os.fstat(file.fileno()).st_size
        digest = hashlib.sha256(str(size).encode())
        for at in (0, max(size - _BLOCK, 0)):
            digest.update(os.pread(file.fileno(), _BLOCK, at))
    return digest.hexdigest()


def trunk_digest(path: Path, kept: Iterable[tuple[int, int]]) -> str:
    """sha256 of the bytes of a trunk that are not holes, in hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb", buffering=0) as file:
        for start, end in kept:
            for at in range(start, end, _BLOCK):
                digest.update(os.pread(file.fileno(), min(_BLOCK, end - at), at))
    return digest.hexdigest()


def _index(path: Path, head: bytes) -> bytes:
    """The index's bytes, whose checksum is right."""
    if len(head) < ALIGNMENT or not head.startswith(_MAGIC):
        raise StoreError(f"{path} is not an expert store", _AGAIN)
    _, version, _, offset, length, digest = _HEADER.unpack_from(head)
    if version != VERSION:
        raise StoreError(f"the expert store {path} has version {version}; this Kithnet reads {VERSION}", _AGAIN)
    with path.open("rb", buffering=0) as file:
        index = os.pread(file.fileno(), length, offset)
    if hashlib.sha256(index).digest() != digest:
        raise StoreError(f"the index of the expert store {path} is damaged or cut off", _AGAIN)
    return index


def _decoded(path: Path, index: bytes) -> Contents:
    try:
        body: Mapping[str, Any] = json.loads(index)
        kinds = [tuple(Part(**part) for part in parts) for parts in body["kinds"]]
        records = tuple(
            Record(layer, expert, PRECISIONS[precision], offset, nbytes, kinds[kind], crc)
            for layer, expert, precision, offset, nbytes, kind, crc in body["records"]
        )
        trunk = dict(body["trunk"])
        trunk["kept"] = tuple((int(start), int(end)) for start, end in trunk["kept"])
        return Contents(
            Trunk(**trunk), str(body["model"]), str(body["origin"]), str(body["fingerprint"]),
            str(body["architecture"]), tuple(cast(list[int], body["layers"])), int(body["experts"]), int(body["top_k"]), records,
        )  # fmt: skip
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise StoreError(f"the index of the expert store {path} cannot be understood: {error}", _AGAIN) from error


def _check_trunk(path: Path, trunk: Trunk) -> None:
    file = path.parent / trunk.file
    try:
        size, digest = file.stat().st_size, trunk_digest(file, trunk.kept)
    except OSError as error:
        hint = f"put it beside the store, or {_AGAIN}"
        raise StoreError(
            f"the trunk {file} of the expert store {path} cannot be read: {error.strerror}", hint
        ) from error
    if size != trunk.bytes or digest != trunk.sha256:
        raise StoreError(f"{file} is not the trunk that the expert store {path} was made with", _AGAIN)
