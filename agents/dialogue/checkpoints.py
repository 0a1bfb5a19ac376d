"""Checkpoints of dialogues in `state.db`: WAL, strict serialisation, one checkpoint kept per dialogue."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiosqlite
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import ChannelVersions, Checkpoint, CheckpointMetadata
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver


class PrunedSaver(AsyncSqliteSaver):
    """Keeps only the newest checkpoint of a thread: a dialogue resumes from its last step, never from an older one."""

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        saved = await super().aput(config, checkpoint, metadata, new_versions)
        place = saved["configurable"]
        older = (place["thread_id"], place["checkpoint_ns"], place["checkpoint_id"])
        async with self.lock:
            for table in ("checkpoints", "writes"):
                await self.conn.execute(
                    f"DELETE FROM {table} WHERE thread_id = ? AND checkpoint_ns = ? AND checkpoint_id < ?",
                    older,
                )
            await self.conn.commit()
        return saved


@asynccontextmanager
async def open_saver(path: Path) -> AsyncIterator[PrunedSaver]:
    """The checkpoint store of a run; only plain data is read back (no module may be named in it)."""
    async with aiosqlite.connect(path) as connection:
        await connection.execute("PRAGMA journal_mode=WAL")
        await connection.execute("PRAGMA synchronous=NORMAL")  # survives kill -9; a power cut may cost the last step
        await connection.execute("PRAGMA busy_timeout=10000")
        saver = PrunedSaver(connection, serde=JsonPlusSerializer(allowed_msgpack_modules=None))
        await saver.setup()
        yield saver
