"""Sessions for messages that come without: where one pair's talk ends and their next one begins."""

from datetime import datetime, timedelta


class PairTalks:
    """Numbers the talks of each pair. A new one begins after a silence, or after many messages of other people.

    silence: the longest pause inside a talk, for messages with a time. apart: the most messages of the world that may
    lie between two of one talk, for messages whose times say nothing; None sets no such bound.
    """

    def __init__(self, silence: timedelta, apart: int | None = None) -> None:
        self._silence, self._apart = silence, apart
        self._last: dict[tuple[str, str], tuple[datetime | None, int, int]] = {}
        self._messages = 0

    def place(self, pair: tuple[str, str], at: datetime | None) -> str:
        """The name of the talk that the pair's next message belongs to. Messages are given in order."""
        self._messages += 1
        last = self._last.get(pair)
        number = 1
        if last is not None:
            heard, count, number = last
            silent = at is not None and heard is not None and at - heard > self._silence
            far = self._apart is not None and self._messages - count > self._apart
            number += silent or far
        self._last[pair] = (at, self._messages, number)
        return f"{pair[0]} & {pair[1]} {number}"
