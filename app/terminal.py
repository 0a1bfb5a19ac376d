"""The owner at the terminal: asked before something sensitive is told."""

import asyncio
import sys

from kithnet.agents.disclosure.sensitivity import Item


class TerminalOwner:
    """Puts each open disclosure to the person at the keyboard; no answer is a refusal."""

    def __init__(self) -> None:
        self._one_at_a_time = asyncio.Lock()

    async def approve(self, item: Item, partner: str, task: str) -> bool:
        async with self._one_at_a_time:
            return await asyncio.to_thread(self._put, item, partner, task)

    async def clarify(self, question: str) -> str:
        """What the person says to a question about the task; "" for nothing."""
        async with self._one_at_a_time:
            return await asyncio.to_thread(self._ask, question)

    def _ask(self, question: str) -> str:
        print(f"\nyour agent asks: {question}\n> ", end="", file=sys.stderr, flush=True)
        return sys.stdin.readline().strip()

    def _put(self, item: Item, partner: str, task: str) -> bool:
        print(f"\n{partner} would learn ({item.sensitivity}): {item.text}\n  for: {task}", file=sys.stderr)
        print("  tell? [y/N] ", end="", file=sys.stderr, flush=True)
        return sys.stdin.readline().strip().casefold() in ("y", "yes")
