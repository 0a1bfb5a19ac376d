"""What of an owner's talk a list is collected from: so much of it at most, however much the owner ever said."""

from itertools import chain

from kithnet.memory import schema
from kithnet.memory.reading import message_hit
from kithnet.memory.recall import Hit
from kithnet.memory.search import Question, Search

AROUND = 2
"""Utterances read on either side of one that was gathered."""


def gather(search: Search, question: Question) -> list[Hit]:
    """See `OwnerMemory.gather`; `question.k` messages at most."""
    view, message = search.view, schema.message.c
    ranked: list[int] = []
    if view.utterances > question.k:
        ranked = [one.item for one in search.rank(question).looked if one.item < view.utterances]
    items = list(dict.fromkeys(chain(ranked[: question.k], range(view.utterances - 1, -1, -1))))[: question.k]
    ids = view.ids[view.starts[items]].tolist()
    query = search.scope.message_rows().where(message.id.in_(ids)).order_by(message.seq)
    kept = {(row.sender, row.body, row.at): row for row in search.connection.execute(query)}
    return [message_hit(row) for row in kept.values()]


def around(search: Search, ids: list[int]) -> list[int]:
    """The first copies of these messages and of what was said just before and after each."""
    view = search.view
    places = view.group[view.positions(sorted(ids))]
    near = {int(place) + step for place in places for step in range(-AROUND, AROUND + 1)}
    wanted = sorted(place for place in near if 0 <= place < view.utterances)
    numbers: list[int] = view.ids[view.starts[wanted]].tolist()
    return numbers
