"""What an agent writes down after a conversation: egocentric memories, from its owner's point of view (EMMA)."""

from collections.abc import Collection, Sequence
from textwrap import shorten

from kithnet.agents.disclosure.sensitivity import stronger
from kithnet.agents.infonav.ledger import Evidence, Ledger, Rationale
from kithnet.agents.personal import AROUND, OUTSIDE, PersonalAgent
from kithnet.agents.wording import adds_nothing, attributed, content_stems, named_people
from kithnet.memory.language.reader import STANCES
from kithnet.memory.owner import Hit, Kept
from kithnet.memory.writing.extract import Statement

WORTH_KEEPING = 0.5
"""Support that a heard value needs to become a memory."""
SUPPOSED = 0.5
"""From which odds a message only asks, wishes or quotes."""
SUMMED_UP = 8
"""Things of a session that its summary names."""


def write_session(
    agent: PersonalAgent,
    session: str,
    partner: str,
    *,
    extra: Sequence[Statement] = (),
    called: str = "",
    read: Collection[str] = (),
    anew: bool = False,
) -> Kept:
    """Write down a session that is over: what was said of whom, who may hear it, how it hangs together; once.

    What was said in confidence, or close to it, is for those who were there; what the agent's own person said to it is
    for nobody else. extra: statements that a model found beside those of the rules. called: how the
    summary names the partner. read: ids of messages from which the rules are to note nothing more. anew: what another reader
    noted is taken away where this one notes it not.
    """
    hits = agent.memory.session(session)
    if not hits:
        return Kept()
    statements = agent.memory.statements(session, agent.senses, own=(OUTSIDE,))
    statements = _that_hold(agent, hits, [one for one in statements if f"m{one.evidence}" not in read])
    gone = agent.memory.outdated([f"m{one.evidence}" for one in extra]) if extra else ()
    fresh = [one for one in extra if f"m{one.evidence}" not in gone]
    statements += [one for one in fresh if not _said_already(one, statements)]
    name = called or agent.known_names.get(partner, (partner,))[0]
    text = summary_of([hit for hit in hits if hit.sender == partner], name)
    return agent.memory.write_session(
        session,
        statements,
        confided=confided(agent, hits),
        private=partner == OUTSIDE,
        summary=(partner, text),
        senses=agent.senses,
        read_by=agent.reader.name,
        anew=anew,
    )


def _that_hold(agent: PersonalAgent, hits: Sequence[Hit], statements: Sequence[Statement]) -> list[Statement]:
    """The statements whose messages tell what is so, as the reader reads them: a wish, a question, or what is quoted
    from somebody else tells nothing of the speaker."""
    if not statements:
        return []
    place = {hit.id: at for at, hit in enumerate(hits)}
    told = [f"m{one.evidence}" for one in statements if f"m{one.evidence}" in place]
    lines = [agent.line(hit) for hit in hits]
    judged = agent.reader.judged([(lines[place[m] - 1] if place[m] else None, lines[place[m]]) for m in told])
    stances = {
        message: dict(zip(STANCES, map(float, odds.stance), strict=True))
        for message, odds in zip(told, judged, strict=True)
    }

    def holds(one: Statement) -> bool:
        odds = stances.get(f"m{one.evidence}")
        if odds is None:
            return True
        quoted = odds["quoted"] if one.about == one.told_by else 0.0
        return odds["asked"] + odds["wished"] + quoted < SUPPOSED

    return [one for one in statements if holds(one)]


def confided(agent: PersonalAgent, hits: Sequence[Hit]) -> list[str]:
    """Ids of the messages of a session that are not for everybody, by their own words or those around them."""
    lines = [agent.line(hit) for hit in hits]
    agent.discretion.read([lines])
    return [
        hit.id
        for place, hit in enumerate(hits)
        if agent.discretion.of(lines[max(0, place - AROUND) : place + 1 + AROUND], min(place, AROUND)) != "ordinary"
    ]


def summary_of(heard: Sequence[Hit], name: str) -> str:
    """What a session was about, in the partner's own words."""
    said = "; ".join(shorten(hit.text, 80, placeholder=" …") for hit in heard[:SUMMED_UP])
    return f"{name} talked with me about: {said}" if said else f"{name} talked with me."


def _said_already(found: Statement, statements: Sequence[Statement]) -> bool:
    """Whether the rules have made a statement of the same message that says as much."""
    words = content_stems(found.text)
    return any(one.evidence == found.evidence and words <= content_stems(one.text) for one in statements)


def write(agent: PersonalAgent, partner: str, ledger: Ledger, dialogue: str) -> list[str]:
    """Remember what was heard on good evidence in a dialogue of agents; returns the ids of the memories.

    Values of one's own memory are there already and are not written again, and a poorly supported value is not made
    firmer by writing it down. What only asks, or repeats the question, is no fact. Writing twice reinforces. What was heard
    is part of the dialogue's summary, and linked to the memories of one's own that bore on the same question.
    """
    written: dict[str, Rationale] = {}
    for rationale in ledger.rationales:
        heard = [item for item in rationale.evidence if item.hops and item.support >= WORTH_KEEPING]
        if not heard or not rationale.value or adds_nothing(rationale.value, rationale.question, heard[0].quote):
            continue
        sources = tuple(dict.fromkeys(source for item in heard for source in item.sources))
        judged = [stronger(item.sensitivity, agent.discretion.of([(item.author, item.quote)])) for item in heard]
        remembered = agent.memory.remember(
            about=_subject(agent, partner, rationale.question),
            text=f"{rationale.question} {_by_its_author(agent, rationale.value, heard[0])}", told_by=heard[0].witness, kind="fact",
            evidence=(), handles=sources, session=dialogue, importance=heard[0].support,
            audience=None if all(one == "ordinary" for one in judged) else (),
        )  # fmt: skip
        written[remembered.id] = rationale
    if written:
        _sum_up(agent, partner, ledger, dialogue, written)
    return list(written)


def _by_its_author(agent: PersonalAgent, value: str, heard: Evidence) -> str:
    """A value as it is noted: with its author where that is not who told it, or the value says "I"."""
    witness = agent.known_names.get(heard.witness, (heard.witness,))[0]
    if heard.author and heard.author != witness:
        return f"{heard.author}: “{value}”"
    return attributed(value, heard.author or witness)


def _subject(agent: PersonalAgent, partner: str, question: str) -> str:
    """Whom a question is about: the one person it names whom the agent knows; else the partner."""
    named = named_people(question, agent.known_names)
    return named[0] if len(named) == 1 else partner


def _sum_up(agent: PersonalAgent, partner: str, ledger: Ledger, dialogue: str, written: dict[str, Rationale]) -> None:
    """The summary of a dialogue, its parts, and links to what the owner knew on the same question."""
    name = agent.known_names.get(partner, (partner,))[0]
    summary = agent.memory.remember(
        about=partner, text=f"{name} and I worked on: {shorten(ledger.task, 160, placeholder=' …')}",
        told_by=agent.person, kind="summary", evidence=(), session=dialogue, audience=(partner,),
    )  # fmt: skip
    for memory, rationale in written.items():
        agent.memory.link(memory, summary.id, "part_of")
        for item in rationale.evidence:
            if item.id.startswith("k") and item.id[1:].isdigit() and item.id != memory:
                agent.memory.link(memory, item.id, "same_topic")
