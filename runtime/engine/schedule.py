"""Who gets how many tokens of the next batch. Pure."""

from collections.abc import Sequence

BESIDE = 160  # prompt tokens evaluated in a batch at most while somebody's reply is being decoded: bounds its pauses


def shares(waiting: Sequence[int], room: int) -> list[int]:
    """Divide `room` tokens among prompts of which `waiting` tokens, the oldest prompt first, are not evaluated yet.

    The oldest gets half the room at least, so it always advances; the rest goes to those with the fewest tokens
    left, so short prompts pass long ones; what is left over goes to the oldest. Returns a share for each.
    """
    given = [0] * len(waiting)
    if not waiting or room <= 0:
        return given
    given[0] = min(waiting[0], (room + 1) // 2)
    room -= given[0]
    for i in sorted(range(1, len(waiting)), key=lambda i: (waiting[i], i)):
        given[i] = min(waiting[i], room)
        room -= given[i]
    given[0] += min(waiting[0] - given[0], room)
    return given


def prompt_room(batch: int, decoding: int) -> int:
    """Prompt tokens that a batch of `batch` takes beside `decoding` replies, each of which gets one token first."""
    free = batch - decoding
    return min(free, BESIDE) if decoding else free
