"""The vectors of a world as they are, by whatever embedder: a generation in its folder, or a collection in a server."""

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kithnet.memory.chroma import ChromaIndex
    from kithnet.memory.chroma_server import ChromaServerIndex


def opened(folder: Path) -> "ChromaIndex | ChromaServerIndex | None":
    """The index in a world's `vectors/` folder; close it when done. None when there is none.

    Raises StorageError when it is damaged or its server out of reach, WorldBusy when it is open.
    """
    from kithnet.memory.chroma import ChromaIndex, about
    from kithnet.memory.chroma_server import ChromaServerIndex, stated

    if not folder.is_dir():
        return None
    if (server := stated(folder)) is not None:
        return ChromaServerIndex.open(folder, server.embedder, server.dim)
    found = about(folder)
    return None if found is None else ChromaIndex.open(folder, *found)


def in_server(folder: Path) -> bool:
    """Whether the vectors are kept in a server: what is wrong with them is then not mended by removing files."""
    from kithnet.memory.chroma_server import SERVER_FILE

    return (folder / SERVER_FILE).is_file()


def keep_only(index: "ChromaIndex | ChromaServerIndex", keep: Collection[int]) -> int:
    """Go over to a new generation or collection without the other vectors; returns how many those were. Closes it.

    Raises StorageError; the old one is then still in use.
    """
    from kithnet.memory.chroma import ChromaIndex

    gone = len(index.ids().difference(keep))
    if isinstance(index, ChromaIndex):
        index.renew(keep)
    else:
        index.renewed(keep).close()
    return gone
