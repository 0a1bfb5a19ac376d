"""Runs in processes of their own, interleaved, and what they come to."""

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from kithnet.bench.offload.arms import STOCK, UNLIMITED, Run, Subject, arms, unlimited
from kithnet.bench.offload.cage import cage
from kithnet.bench.offload.job import Job, Outcome
from kithnet.bench.offload.subjects import Sizes
from kithnet.runtime.errors import ModelUnavailable

_OPENMP = {"GOMP_SPINCOUNT": "1000", "OMP_WAIT_POLICY": "active"}  # as `kith` sets them
_LONGEST = 600  # seconds of a run
Tell = Callable[[str], None]


@dataclass(slots=True)
class Measured:
    """One arm of one model in one memory. share: of the high model; 1 for unlimited. room: bytes for the model. limit:
    of the control group, 0 where none could be made. peaks: what the kernel charged, of each run."""

    subject: str
    share: float
    run: Run
    room: int
    limit: int = 0
    outcomes: list[Outcome] = field(default_factory=list)
    peaks: list[int] = field(default_factory=list)
    free_kl: float | None = None
    free_agreement: float | None = None
    failed: str = ""

    def row(self) -> dict[str, Any]:
        """A row of the table."""
        row: dict[str, Any] = {"model": self.subject, "memory": self.share, "arm": self.run.arm}
        if self.failed or self.run.refused:
            return {**row, "note": self.run.refused or self.failed}
        ms = [each for outcome in self.outcomes for each in outcome.ms]
        last = self.outcomes[-1]
        stats = last.stats
        tokens = max(int(stats.get("tokens", 0)), 1)
        figures: dict[str, Any] = {
            "ms": statistics.median(ms),
            "p95": float(np.quantile(ms, 0.95)),
            "MB/token": statistics.median(outcome.bytes for outcome in self.outcomes) / 1e6,
            "penalty": stats["miss_penalty"] / tokens if stats else None,
            "hits": stats["hit_rate"] if stats else None,
            "KL": last.kl,
            "top-1": last.agreement,
            "free KL": self.free_kl,
            "free top-1": self.free_agreement,
            "anonymous MB": self.anonymous / 1e6,
            "peak MB": max(self.peaks) / 1e6 if self.limit else None,
            "limit MB": self.limit / 1e6 if self.limit else None,
            "note": self.run.note or None,
        }
        return row | {name: value for name, value in figures.items() if value is not None}

    @property
    def anonymous(self) -> int:
        """Bytes that are no file's, at their most."""
        return max((outcome.anonymous for outcome in self.outcomes), default=0)

    def speeds(self) -> list[float]:
        """Tokens a second of each run."""
        return [1e3 / statistics.median(outcome.ms) for outcome in self.outcomes]


def measure(
    subject: Subject,
    sizes: Sizes,
    folder: Path,
    *,
    free: Sequence[float] = (),
    tell: Tell,
    only: Sequence[str] = (),
) -> list[Measured]:
    """Every arm (or `only` some) at every memory, in turns. free: shares of memory at which they are judged by tokens of
    their own choosing too."""
    scratch = folder / "runs"
    scratch.mkdir(parents=True, exist_ok=True)
    reference = scratch / f"{subject.name}-reference.npy"
    tell(f"{subject.name}: {UNLIMITED}")
    best = Measured(subject.name, 1.0, unlimited(subject), subject.bytes)
    _once(best, _job(subject, best.run, sizes, keep=str(reference)), 0)
    if best.failed:
        raise ModelUnavailable(f"the {subject.name} model does not run at all: {best.failed}", "free some memory")
    base = best.outcomes[0].anonymous - subject.bytes
    found = [best]
    for share in sizes.shares:
        room = int(subject.bytes * share)
        for run in arms(subject, room, folder, only):
            found.append(Measured(subject.name, share, run, room, room + max(base, 0)))
    for turn in range(sizes.repeats):
        for each in found:
            if each.run.refused or each.failed or (each is best and turn == 0):
                continue
            if each.run.arm == STOCK and turn and sizes.thrashes_once:
                continue
            tell(f"{subject.name}, {each.share:.0%}, {each.run.arm}, {turn + 1} of {sizes.repeats}")
            _once(each, _job(subject, each.run, sizes, reference=str(reference)), each.limit)
    if free:
        chosen = [each for each in found if each.share in free]
        _free(subject, sizes, chosen, best, scratch, tell)
    return found


def timeline(subject: Subject, each: Measured, sizes: Sizes) -> Outcome:
    """One more run of an arm, with what happened in its last token."""
    again = Measured(each.subject, each.share, each.run, each.room, each.limit)
    _once(again, replace(_job(subject, each.run, sizes), timeline=True), each.limit)
    return again.outcomes[0] if again.outcomes else Outcome([], 0, [])


def _free(subject: Subject, sizes: Sizes, found: Sequence[Measured], best: Measured, scratch: Path, tell: Tell) -> None:
    """Let each arm choose its tokens, then ask the high model what it would have said on the way."""
    prompt = list(subject.tokens[: sizes.warm])
    mine = scratch / "free.npy"
    for each in found:
        if each.run.refused or each.failed or each is best:
            continue
        tell(f"{subject.name}, {each.share:.0%}, {each.run.arm}, by itself")
        job = replace(_job(subject, each.run, sizes), tokens=prompt, free=sizes.free, keep=str(mine))
        freely = Measured(each.subject, each.share, each.run, each.room, each.limit)
        _once(freely, job, each.limit)
        if not freely.outcomes:
            continue
        judged = Measured(each.subject, 1.0, best.run, each.room)
        path = [*prompt, *freely.outcomes[0].drawn]
        exact = scratch / "exact.npy"
        _once(judged, replace(_job(subject, best.run, sizes), tokens=path, keep=str(exact)), 0)
        if judged.outcomes:
            each.free_kl, each.free_agreement = _compared(exact, mine)


def _compared(exact: Path, mine: Path) -> tuple[float, float]:
    one, two = np.load(exact), np.load(mine)
    count = min(len(one), len(two))
    one, two = one[:count], two[:count]
    kl = np.maximum((np.exp(one) * (one - two)).sum(axis=1, dtype=np.float64), 0)
    return float(kl.mean()), float((one.argmax(axis=1) == two.argmax(axis=1)).mean())


def _job(subject: Subject, run: Run, sizes: Sizes, *, reference: str = "", keep: str = "") -> Job:
    count = sizes.warm + (sizes.thrashing if run.arm == STOCK else sizes.tokens)
    return Job(
        str(run.file),
        run.how,
        list(subject.tokens[:count]),
        sizes.warm,
        dict(run.options),
        reference=reference,
        keep=keep,
    )


def _once(each: Measured, job: Job, limit: int) -> None:
    """Run it with cold caches; what went wrong becomes the arm's note."""
    for file in (each.run.file, each.run.file.with_suffix(".trunk")):
        _forget(file)
    with cage(limit) as made:
        if made.folder is None:
            each.limit = 0
        try:
            done = subprocess.run(
                [sys.executable, "-m", "kithnet.bench.offload.child"],
                input=replace(job, cage=str(made.folder or "")).as_json(),
                capture_output=True, text=True, timeout=_LONGEST, env={**os.environ, **_OPENMP}, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            each.failed = f"not done within {_LONGEST} s"
            return
        each.peaks.append(made.peak())
    told: Mapping[str, Any] = json.loads(done.stdout) if done.stdout.startswith("{") else {}
    if done.returncode or not told:
        why = str(told.get("error", "")) or done.stderr.strip().rsplit("\n", 1)[-1]
        each.failed = why or f"ended with status {done.returncode} (-9: out of memory)"
        return
    each.outcomes.append(Outcome(**told))


def _forget(file: Path) -> None:
    """Take a file out of the page cache."""
    if not file.exists():
        return
    fd = os.open(file, os.O_RDONLY)
    try:
        os.fsync(fd)
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(fd)


def as_rows(found: Sequence[Measured]) -> list[dict[str, Any]]:
    return [each.row() for each in found]
