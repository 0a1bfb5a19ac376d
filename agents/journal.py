"""What an agent writes down after a conversation: egocentric memories, from its owner's point of view (EMMA)."""

from kithnet.agents.disclosure import stronger
from kithnet.agents.infonav import Ledger
from kithnet.agents.personal import PersonalAgent

WORTH_KEEPING = 0.5
"""Support that a heard value needs to become a memory."""


def write(agent: PersonalAgent, partner: str, ledger: Ledger, dialogue: str) -> list[str]:
    """Remember what was heard on good evidence; returns the ids of the memories.

    Values of one's own memory are there already and are not written again, and a poorly supported value is not made
    firmer by writing it down. Writing twice reinforces.
    """
    written = []
    for rationale in ledger.rationales:
        heard = [item for item in rationale.evidence if item.hops and item.support >= WORTH_KEEPING]
        if not heard or not rationale.value:
            continue
        sources = tuple(dict.fromkeys(source for item in heard for source in item.sources))
        sensitive = any(stronger(item.sensitivity, agent.discretion.of(item.quote)) != "ordinary" for item in heard)
        remembered = agent.memory.remember(
            about=partner, text=f"{rationale.question} {rationale.value}", told_by=heard[0].witness, kind="fact",
            evidence=(), handles=sources, session=dialogue, importance=heard[0].support,
            audience=() if sensitive else None,
        )  # fmt: skip
        written.append(remembered.id)
    return written
