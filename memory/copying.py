"""Fill a new generation of vectors in a process of its own: `python -m kithnet.memory.copying FOLDER EMBEDDER DIM COUNT`.

Chroma's index is written to disk with the memory it was given and has not used. In a process that has read the old
generation that memory may hold vectors that were to go (seen with 1.5.9 in 3 of 25 copies); this one has read only
those that stay, from its standard input: COUNT times a key (8 bytes) and a vector (DIM times 4 bytes), in pages. For
the same reason the process that had the old generation open must not open the new one: it closes it and ends.
"""

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from filelock import FileLock

from kithnet.memory.vectors import Vectors

PAGE = 2_000
"""Vectors read at once."""


def copy(pages: Iterable[tuple[list[int], Vectors]], generation: Path, embedder: str, dim: int, count: int) -> bool:
    """Write `count` vectors into an empty generation that nobody has open; False when that failed."""
    command = [sys.executable, "-m", "kithnet.memory.copying", str(generation), embedder, str(dim), str(count)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as child:
        assert child.stdin is not None
        try:
            for ids, vectors in pages:
                for key, vector in zip(ids, np.asarray(vectors, dtype="<f4"), strict=True):
                    child.stdin.write(np.int64(key).astype("<i8").tobytes() + vector.tobytes())
            child.stdin.close()
        except BrokenPipeError:
            return False
        return child.wait() == 0


def main(arguments: list[str]) -> int:
    """Returns 0 once all vectors are written and counted."""
    from kithnet.memory.chroma import ChromaIndex

    folder, embedder, dim, count = Path(arguments[0]), arguments[1], int(arguments[2]), int(arguments[3])
    size, done = 8 + 4 * dim, 0
    lock = FileLock(folder / "copying.lock")
    lock.acquire()
    with ChromaIndex(folder, embedder, dim, lock) as index:
        while done < count:
            block = sys.stdin.buffer.read(size * min(PAGE, count - done))
            rows = [block[at : at + size] for at in range(0, len(block), size)]
            if not rows or len(rows[-1]) < size:  # whoever sends them has died
                return 1
            ids = [int(np.frombuffer(row[:8], dtype="<i8")[0]) for row in rows]
            index.upsert(ids, np.array([np.frombuffer(row[8:], dtype="<f4") for row in rows], dtype=np.float32))
            done += len(rows)
        complete = index.count == count
    (folder / "copying.lock").unlink(missing_ok=True)
    return 0 if complete else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
