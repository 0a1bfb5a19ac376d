"""Notes of talks that another reader made, made again by the one there is now."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from kithnet.agents.chat import session_notes
from kithnet.agents.disclosure.policy import Policy
from kithnet.agents.personal import OUTSIDE, PersonalAgent
from kithnet.app import engines
from kithnet.app.cast import Cast
from kithnet.app.locate import Place
from kithnet.app.worlds import index_world
from kithnet.memory import people
from kithnet.memory.owner import Kept
from kithnet.memory.store import Store
from kithnet.runtime.config import Config
from kithnet.runtime.errors import ModelUnavailable

Tell = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Reread:
    """reader: who read. people, talks: whose notes of how many talks were made again. added, gone, kept: memories."""

    world: str
    reader: str
    people: int = 0
    talks: int = 0
    added: int = 0
    gone: int = 0
    kept: int = 0

    def contract(self) -> dict[str, Any]:
        """As `kith memory reread --json` prints it."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


def reread(place: Place, config: Config, person: str | None, tell: Tell) -> Reread:
    """Read again what another reader read, of one person or of everybody; stopped, it goes on next time.

    What was said to be remembered, corrected by hand or found by a chat model stays as it is. Raises ModelUnavailable
    without a trained reader, UnknownPerson, StorageError, WorldBusy.
    """
    with (
        Store.open(place.folder / "kith.db") as store,
        engines.embedder(config, place.models) as embedder,
        engines.reader(config, place.models) as reader,
    ):
        if reader is None:
            raise ModelUnavailable(
                "there is no trained reader to read with", "`kith model fetch` makes it; see `kith doctor`"
            )
        cast = Cast(store, Policy(()), embedder=embedder, reader=reader)
        everybody = store.people(outside=True)
        wanted = [people.resolve(everybody, person)] if person else everybody
        work = [
            (cast.agent(one.id), talk)
            for one in wanted
            for talk in store.owner(one.id).readings.by_another(reader.name)
        ]
        tell(0, len(work))
        added = gone = kept = 0
        for number, (agent, talk) in enumerate(work, 1):
            noted = _again(agent, talk)
            added, gone, kept = added + len(noted.added), gone + len(noted.gone), kept + len(noted.confirmed)
            tell(number, len(work))
    if (added or gone) and embedder is not None and (place.folder / "vectors").is_dir():
        index_world(place.folder.parent, place.name, place.models, config.embedder.name)
    owners = len({agent.person for agent, _ in work})
    return Reread(place.name, reader.name, owners, len(work), added, gone, kept)


def _again(agent: PersonalAgent, talk: str) -> Kept:
    outside = talk in agent.memory.sessions_with(OUTSIDE)
    others = (one for hit in agent.memory.session(talk) for one in (hit.sender, *hit.receivers) if one != agent.person)
    partner = OUTSIDE if outside else next(others, agent.person)
    return session_notes.write_session(
        agent,
        talk,
        partner,
        called="You" if outside else "",
        read=agent.memory.readings.noted_otherwise(talk),
        anew=True,
    )
