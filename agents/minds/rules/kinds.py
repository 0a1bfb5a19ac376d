"""What kind of value a question wants, decoded from its English: the reader's way; a model says it itself or leaves it open."""

from kithnet.agents.infonav.ledger import Kind
from kithnet.agents.minds.rules import chains, tastes
from kithnet.agents.tools import calendar as calendars

_FIRST_WORDS: dict[str, Kind] = {
    "when": "event",
    "who": "name",
    "whose": "name",
    "whom": "name",
    "where": "place",
}


def kind_of(question: str) -> Kind:
    """The kind of value a question wants, from its interrogative."""
    if calendars.whose(question) is not None:
        return "events"
    if tastes.whose(question) is not None:
        return "tastes"
    if chains.wants_person(question):
        return "person"
    head = question.casefold().replace(",", " ").split()
    if "how many" in question.casefold() or "how much" in question.casefold():
        return "count"
    return next((_FIRST_WORDS[word] for word in head if word in _FIRST_WORDS), "text")
