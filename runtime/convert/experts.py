"""A mixture-of-experts GGUF to an expert store and a trunk: streamed, and continued after a kill.

What is under way lies beside the target: `NAME.experts.part`, `NAME.trunk.part`, and `NAME.experts.journal`, one line for
each record whose bytes are on the disk. The two files get their names at the very end, the store last.
"""

import hashlib
import json
import os
import time
import zlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np
from filelock import FileLock, Timeout

from kithnet.runtime import ggml
from kithnet.runtime.convert.experttypes import AUTO, Matrix, is_expert, matrices
from kithnet.runtime.convert.gguffile import (
    GgufDraft,
    Source,
    Tensor,
    padded,
    read_at,
    read_source,
    reading,
    writable,
    write_at,
)
from kithnet.runtime.errors import ModelFileError, StorageError, StoreError
from kithnet.runtime.files import AGAIN, OnProgress, need_space, put_in_place, storing
from kithnet.runtime.llama import default_threads
from kithnet.runtime.offload.store import (
    ALIGNMENT,
    PRECISIONS,
    VERSION,
    Contents,
    ExpertStore,
    Part,
    Record,
    Trunk,
    encoded,
    fingerprint,
    trunk_digest,
)

TRUNK_KEY = "kithnet.trunk"
"""Set in a trunk's header: its experts are elsewhere, and read as zeros here."""
_PART_ALIGNMENT = 64  # of a matrix inside a record: a cache line
_SYNC_AFTER = 64 << 20  # bytes written between two lines of the journal at most
_BLOCK = 16 << 20


@dataclass(frozen=True, slots=True)
class Converted:
    """What was made. high_bytes, low_bytes: of all experts. model_bytes: of the file it was made of. trunk_bytes: what
    the trunk takes on the disk. resumed: records that an earlier run had finished."""

    store: Path
    trunk: Path
    layers: int
    experts: int
    top_k: int
    high: tuple[str, ...]
    low: tuple[str, ...]
    high_bytes: int
    low_bytes: int
    model_bytes: int
    trunk_bytes: int
    resumed: int
    seconds: float


def convert_experts(
    model: Path, out: Path, *, high: str = AUTO, low: str = AUTO, threads: int = 0, progress: OnProgress | None = None
) -> Converted:
    """Write the store `out` and, beside it, its trunk; the same call again continues, or finds that all is done.

    high, low: types by name (see `matrices`). One expert at a time is in memory. Where the high type is the model's own,
    the bytes are copied. Raises ModelFileError for a model without experts or a damaged one, ConfigError for types
    that do not fit, StorageError for a full disk or a conversion under way.
    """
    started = time.perf_counter()
    source = read_source(model)
    found = matrices(source, high, low)
    plan = _Plan(source, found, out)
    with _alone(out):
        done = _finished(out, plan.origin)
        resumed = len(plan.records) if done else 0
        if not done:
            with storing(out.parent):
                resumed = _Conversion(plan, threads or default_threads(), progress).run()
    return _summary(plan, ExpertStore.open(out), resumed, time.perf_counter() - started)


def trunk_of(store: Path) -> Path:
    """Where the trunk of a store lies."""
    return store.with_suffix(".trunk")


class _Plan:
    """Everything that is known before the first byte is written."""

    def __init__(self, source: Source, found: Sequence[Matrix], out: Path) -> None:
        self.source, self.out = source, out
        self.by_layer = {layer: list(group) for layer, group in groupby(found, lambda matrix: matrix.layer)}
        self.experts = found[0].experts
        self.records = list(self._records())
        self.end = max(record.offset + record.nbytes for record in self.records)
        self.origin = self._origin()

    def _records(self) -> Iterator[Record]:
        """All high ones, then all low ones: either precision can be read in one go."""
        at = ALIGNMENT
        for precision in PRECISIONS:
            for layer, members in self.by_layer.items():
                parts = _parts(members, precision)
                size = padded(parts[-1].offset + parts[-1].nbytes, ALIGNMENT)
                for expert in range(self.experts):
                    yield Record(layer, expert, precision, at, size, parts, 0)
                    at += size

    def _origin(self) -> str:
        state = self.source.path.stat()
        kinds = [[(p.role, p.type, p.rows, p.cols) for p in record.parts] for record in self.records]
        text = json.dumps([VERSION, self.source.path.name, state.st_size, state.st_mtime_ns, kinds])
        return hashlib.sha256(text.encode()).hexdigest()


class _Conversion:
    """One run, from whatever an earlier one has left."""

    def __init__(self, plan: _Plan, threads: int, progress: OnProgress | None) -> None:
        self._plan, self._threads, self._progress = plan, threads, progress
        self._part, self._trunk_part = (_named(p, ".part") for p in (plan.out, trunk_of(plan.out)))
        self._journal = _named(plan.out, ".journal")

    def run(self) -> int:
        """Returns how many records were there already."""
        plan = self._plan
        done = self._begin()
        left = [record for record in plan.records if record.offset not in done]
        self._total = sum(record.nbytes for record in left)
        resumed = len(done)
        trunk = self._write_trunk()
        with ExitStack() as stack:
            model = stack.enter_context(reading(plan.source.path))
            target = stack.enter_context(writable(self._part))
            journal = stack.enter_context(self._journal.open("a", encoding="utf-8"))
            pending: list[tuple[int, int]] = []
            written = unsynced = 0
            for record in sorted(left, key=lambda record: (record.layer, record.expert, record.precision)):
                data = self._bytes_of(model, record)
                write_at(target, data, record.offset)
                pending.append((record.offset, zlib.crc32(data)))
                written, unsynced = written + record.nbytes, unsynced + record.nbytes
                if unsynced >= _SYNC_AFTER or written == self._total:
                    os.fdatasync(target)
                    journal.writelines(f"{json.dumps(line)}\n" for line in pending)
                    journal.flush()
                    done.update(pending)
                    pending, unsynced = [], 0
                if self._progress:
                    self._progress(written, self._total, f"layer {record.layer}")
            self._finish(target, trunk, done)
        put_in_place(self._trunk_part, trunk_of(plan.out))
        put_in_place(self._part, plan.out)
        self._journal.unlink()
        return resumed

    def _begin(self) -> dict[int, int]:
        """Offset to checksum of the records that an earlier run of the same plan has written."""
        done = _journalled(self._journal, self._plan.origin) if self._part.exists() else None
        held = self._part.stat().st_blocks * 512 if done is not None else 0
        kept = sum(t.nbytes for t in self._plan.source.tensors if not is_expert(t.name))
        need_space(self._plan.out.parent, max(self._plan.end - held, 0) + kept)
        if done is None:
            self._part.unlink(missing_ok=True)
            self._journal.write_text(json.dumps({"origin": self._plan.origin}) + "\n", encoding="utf-8")
            done = {}
        return done

    def _bytes_of(self, model: int, record: Record) -> bytes:
        out = bytearray(record.nbytes)
        for matrix, part in zip(self._plan.by_layer[record.layer], record.parts, strict=True):
            tensor = matrix.tensor
            size = tensor.nbytes // matrix.experts
            raw = read_at(model, size, tensor.offset + record.expert * size)
            if part.type != tensor.type:
                values = ggml.dequantise(raw, tensor.type, part.rows, part.cols, self._threads)
                if not np.isfinite(values).all():
                    raise ModelFileError(
                        f"{tensor.name}, expert {record.expert}: not all weights are numbers", "fetch it again"
                    )
                raw = ggml.quantise(values, part.type, self._threads)
            out[part.offset : part.offset + part.nbytes] = raw.tobytes()
        return bytes(out)

    def _write_trunk(self) -> Trunk:
        """The model's header and tensors, with holes for the experts' weights.

        llama.cpp maps the whole file and has the system fill memory with the zeros of its holes while it loads, so these
        are declared in the smallest type there is; what runs the experts gives their tensors the type of the records.
        """
        plan, part = self._plan, self._trunk_part
        part.unlink(missing_ok=True)
        holes = {matrix.tensor.name for members in plan.by_layer.values() for matrix in members}
        wanted = [
            Tensor(t.name, t.shape, ggml.smallest(t.shape[-1]) if t.name in holes else t.type)
            for t in plan.source.tensors
        ]
        draft = GgufDraft(plan.source, wanted, {TRUNK_KEY: True})
        draft.begin(part)
        kept = [(0, draft.header_bytes)]
        with reading(plan.source.path) as model, writable(part) as target:
            for tensor in plan.source.tensors:
                if tensor.name not in holes:
                    start = draft.tensors[tensor.name].offset
                    _copy(model, tensor.offset, target, start, tensor.nbytes)
                    kept.append((start, start + tensor.nbytes))
        name = trunk_of(plan.out).name
        return Trunk(name, draft.bytes, tuple(kept), trunk_digest(part, kept))

    def _finish(self, target: int, trunk: Trunk, done: dict[int, int]) -> None:
        plan = self._plan
        records = tuple(
            Record(r.layer, r.expert, r.precision, r.offset, r.nbytes, r.parts, done[r.offset]) for r in plan.records
        )
        source = plan.source
        contents = Contents(
            trunk, source.path.name, plan.origin, fingerprint(source.path), source.architecture, tuple(plan.by_layer), plan.experts,
            source.number("expert_used_count"), records,
        )  # fmt: skip
        head, index = encoded(contents, plan.end)
        write_at(target, index, plan.end)
        os.ftruncate(target, plan.end + len(index))
        os.fdatasync(target)
        write_at(target, head, 0)


def _parts(members: Sequence[Matrix], precision: str) -> tuple[Part, ...]:
    parts, at = [], 0
    for matrix in members:
        _, rows, cols = matrix.tensor.shape
        code = matrix.code(precision)
        size = rows * ggml.row_bytes(code, cols)
        parts.append(Part(matrix.role, code, rows, cols, at, size))
        at = padded(at + size, _PART_ALIGNMENT)
    return tuple(parts)


def _journalled(journal: Path, origin: str) -> dict[int, int] | None:
    """None where there is no journal of this plan. A last line that was cut off is not counted."""
    try:
        first, *lines = journal.read_text(encoding="utf-8").splitlines(keepends=True)
        if json.loads(first)["origin"] != origin:
            return None
        return dict(json.loads(line) for line in lines if line.endswith("\n"))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _finished(out: Path, origin: str) -> bool:
    """Whether this very store has been made already."""
    try:
        return ExpertStore.open(out).origin == origin
    except StoreError:
        return False


def _summary(plan: _Plan, store: ExpertStore, resumed: int, seconds: float) -> Converted:
    every = [matrix for members in plan.by_layer.values() for matrix in members]
    high, low = (tuple(dict.fromkeys(ggml.name_of(m.code(p)) for m in every)) for p in PRECISIONS)
    return Converted(
        store.path, store.trunk, len(store.layers), store.experts, store.top_k, high, low, store.bytes_of("high"),
        store.bytes_of("low"), plan.source.path.stat().st_size, store.trunk.stat().st_blocks * 512, resumed, seconds,
    )  # fmt: skip


def _copy(source: int, start: int, target: int, at: int, size: int) -> None:
    for done in range(0, size, _BLOCK):
        write_at(target, read_at(source, min(_BLOCK, size - done), start + done), at + done)


def _named(path: Path, ending: str) -> Path:
    return path.with_name(path.name + ending)


@contextmanager
def _alone(out: Path) -> Iterator[None]:
    out.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(_named(out, ".lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise StorageError(f"another process is making {out}", f"wait for it; then {AGAIN}") from error
    try:
        yield
    finally:
        lock.release()
        _named(out, ".lock").unlink(missing_ok=True)
