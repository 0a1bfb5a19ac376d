"""Who may see what of a run: the asker, each owner, the operator.

A run's trace holds everything. The asker's view is what the asker's own agent did, said and heard, without a trace of what
others withheld: a refusal looks like not knowing. An owner's view is the same of that owner's agent, with all that it
withheld, from whom and why. The operator sees everything.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from kithnet.agents.personal import OUTSIDE

Event = dict[str, Any]

_OWN = frozenset("plan recall found tool consult not_asked withheld model_failed remembered disclosure".split())
_OF_THE_TASK = frozenset("compute limit answer".split())
_OPERATORS = frozenset("engine wake sleep".split())
_COUNTED = frozenset("usage searched utterances correct cites_gold gold gold_evidence".split())
"""Fields that sum over everybody's agents, or that hold the answer before anybody gave it."""


@dataclass
class View:
    """What one side sees of a run's events, which are to come in order. owner: whose view; None: each task's asker's."""

    owner: str | None = None
    _pairs: dict[str, tuple[str, str]] = field(default_factory=dict)
    _asked: dict[str, list[str]] = field(default_factory=dict)
    _chatting: str | None = None

    def of(self, event: Event) -> Event | None:
        """The event as this side sees it; None where it does not."""
        kind = event["kind"]
        if kind in _OPERATORS:
            return None
        if kind in ("run", "run_done"):
            self._begin(event)
            return _bare(event)
        if kind in ("task", "task_done", "ledgers"):
            return self._task(event)
        if kind == "chat":
            return event if self._chats(event.get("person", ""), event.get("partner", "")) else None
        return self._step(event)

    def _begin(self, event: Event) -> None:
        if event.get("person") and event.get("partner"):
            self._chatting = _asker(event["person"], event["partner"])

    def _chats(self, person: str, partner: str) -> bool:
        self._chatting = _asker(person, partner)
        return self.owner is None or self.owner in (person, partner)

    def _task(self, event: Event) -> Event | None:
        """What a task was and came to, for who asked; of the ledgers each side its own."""
        kind = event["kind"]
        if kind == "task":
            self._pairs[event["task"]] = event.get("instructor", ""), event.get("assistant", "")
        name = str(event.get("dialogue" if kind == "ledgers" else "task"))
        asker, asked = self._pairs.get(name, ("", ""))
        viewer = self.owner or asker
        if kind == "ledgers" and viewer in (asker, asked):
            others = "assistant" if viewer == asker else "instructor"
            return {**event, others: []}
        if viewer != asker:
            return None
        shown = _bare(event)
        if "consulted" in shown:
            shown["consulted"] = list(dict.fromkeys(self._asked.get(name, ())))
        return shown

    def _step(self, event: Event) -> Event | None:
        """A step of a dialogue, for whose agent took it, and for who heard what was said."""
        kind, name = event["kind"], str(event.get("dialogue", "")).partition(".")[0]
        asker, _ = self._pairs.get(name, ("", ""))
        viewer = self.owner or (asker if name else self._chatting)
        if kind == "dialogue":
            return self._dialogue(event, viewer)
        if not viewer:
            return None
        if kind == "utterance":
            return event if viewer in (event.get("sender"), event.get("receiver")) else None
        if kind in _OF_THE_TASK:
            return event if viewer == asker else None
        own = event.get("from" if kind == "disclosure" else "person", asker)
        if kind not in _OWN or viewer != own:
            return None
        if kind == "consult":
            self._asked.setdefault(name, []).append(event.get("asks", ""))
        return event

    def _dialogue(self, event: Event, viewer: str | None) -> Event | None:
        """That two people talk; about what, who was asked hears in the talk."""
        pair, name = tuple(event.get("pair") or ("", "")), event.get("dialogue", "")
        if event.get("top") and name not in self._pairs:  # begun outside a task, as by /ask in a chat
            self._pairs[name] = pair[0], pair[1]
            viewer = self.owner or pair[0]
        if viewer not in pair:
            return None
        return event if viewer == pair[0] else {**event, "task": ""}


def seen(events: Iterable[Event], owner: str | None = None) -> Iterator[Event]:
    """What an owner, or each task's asker, sees of the events of a run."""
    view = View(owner)
    for event in events:
        if (shown := view.of(event)) is not None:
            yield shown


def _asker(person: str, partner: str) -> str:
    """Who asks in a chat: the partner, or the agent's own person."""
    return person if partner == OUTSIDE else partner


def _bare(event: Event) -> Event:
    return {key: value for key, value in event.items() if key not in _COUNTED}
