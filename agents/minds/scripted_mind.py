"""`ScriptedMind`: plays moves that were recorded or written down, so that a dialogue is exact without any model."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from kithnet.agents.infonav.consensus import Agreed, plain
from kithnet.agents.minds.mind import Conclusion, Move, View
from kithnet.runtime.errors import ReplyInvalid

Script = Callable[[View], Move]


@dataclass(frozen=True)
class ScriptedMind:
    """Moves by dialogue, turn and step, as "t1/0/1"; `script` answers for what is not there.

    Raises ReplyInvalid where neither knows a move.
    """

    moves: Mapping[str, Move]
    script: Script | None = None
    name: str = "scripted"
    wants_brief: bool = True

    async def move(self, view: View) -> Move:
        """See `Mind.move`."""
        found = self.moves.get(key_of(view))
        if found is None and self.script is not None:
            found = self.script(view)
        if found is None:
            raise ReplyInvalid(f"no move is written for {key_of(view)}", "record the dialogue again")
        return found

    async def conclude(self, view: View, agreed: Sequence[Agreed]) -> Conclusion:
        """See `Mind.conclude`: the agreed values as they are."""
        known = tuple(r.id for r in view.ledger.rationales if r.held)
        return Conclusion(plain(agreed), known, "stated" if known else "unknown", "code")


def key_of(view: View) -> str:
    """Where a move stands in a recording."""
    return f"{view.dialogue}/{view.turn}/{view.step}"
