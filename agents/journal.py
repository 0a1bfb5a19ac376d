"""What an agent writes down after a conversation: egocentric memories, from its owner's point of view (EMMA)."""

from kithnet.agents.infonav import Ledger
from kithnet.agents.personal import PersonalAgent


def write(agent: PersonalAgent, partner: str, ledger: Ledger, dialogue: str) -> list[str]:
    """Remember every value that was heard, and that the partner was asked; returns the ids of the memories.

    Values of one's own memory are there already and are not written again. Writing twice reinforces.
    """
    written = []
    for rationale in ledger.rationales:
        heard = [item for item in rationale.evidence if item.hops]
        if not heard or not rationale.value:
            continue
        remembered = agent.memory.remember(
            about=partner, text=f"{rationale.question} {rationale.value}", told_by=heard[0].witness, kind="fact",
            evidence=(), session=dialogue, importance=heard[0].support,
        )  # fmt: skip
        written.append(remembered.id)
    return written
