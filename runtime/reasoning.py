"""What a model says besides its reply: its reasoning, parted from the text that is shown.

Recognised are tags (`<think>...</think>` and its kin), at the start of a reply, blanks and other such blocks before them
aside, and the channels of gpt-oss ("harmony"), of which `final` alone is shown. A tag elsewhere, in prose or inside JSON,
is text. Two cases need more than the text:

A template may open the block itself, and the reply then holds `</think>` only. Who knows that it did says `opened=True`;
who does not know says `opened=None`: nothing is shown before the end or before such a lone close, since what has been
shown cannot be taken back. In a reply that begins as JSON, stands between quotes, or comes after a `<think>` in the
text, a close is text all the same.

max_tokens may cut a reply anywhere. A block that never closes is reasoning to the end, and a tag that is cut in the
middle was a tag.
"""

import re
from collections.abc import Callable, Sequence

CLOSE = "</think>"
TAGS = {
    "<think>": CLOSE,
    "<thinking>": "</thinking>",
    "<thought>": "</thought>",
    "<reasoning>": "</reasoning>",
    "<seed:think>": "</seed:think>",
    "[THINK]": "[/THINK]",
    "<|START_THINKING|>": "<|END_THINKING|>",
    "<|channel>thought": "<channel|>",
}
CHANNEL, START, BODY, END = "<|channel|>", "<|start|>", "<|message|>", "<|end|>"
HARMONY = (CHANNEL, START, BODY, END, "<|constrain|>", "<|return|>", "<|call|>")
"""The marks that a header and a message of gpt-oss are made of."""
FINAL = f"{END}{START}assistant{CHANNEL}final{BODY}"

_ENDS = (END, "<|return|>", "<|call|>", START, CHANNEL)
_BARE = tuple(f"{name}{BODY}" for name in ("analysis", "commentary", "final"))
_OPENERS = (*TAGS, START, CHANNEL, *_BARE)
_MARKS = (
    f"{END}{START}assistant{CHANNEL}", f"{START}assistant{CHANNEL}", *(f"{CHANNEL}{bare}" for bare in _BARE),
)  # fmt: skip
"""Where a channel begins in the midst of a text."""
_QUOTES = "[`\"'“”‘’]"
_LONE = re.compile(rf"<think>|(?<!{_QUOTES}){CLOSE}|{CLOSE}(?=[^`\"'“”‘’])")
_LEAST_CUT = 3  # characters of a close that max_tokens cut: `</t`


class Parting:
    """Takes a reply piece by piece and gives back what may be shown of it. However it is cut, the sum is the same.

    opened: whether the prompt's end has opened a block of reasoning; None where that is not known.
    """

    def __init__(self, opened: bool | None = False) -> None:
        self._opened = opened
        self._held = ""
        self._sought = 0  # of what is held, in vain
        self._shown: list[str] = []
        self._hidden: list[str] = []
        self._close = CLOSE
        self._visible = False  # of the channel that is open
        self._mode: Callable[[], bool] = self._thinking if opened else self._begin
        self.found = bool(opened)
        """Whether there was any reasoning, or a mark of it."""
        self.lone = False
        """Whether the reply held the end of a block that it did not begin."""

    @property
    def text(self) -> str:
        """What has been shown so far."""
        return "".join(self._shown)

    @property
    def reasoning(self) -> str:
        return "".join(self._hidden).strip()

    @property
    def thinking(self) -> bool:
        """Whether what comes next is reasoning, as far as one can tell."""
        return self._mode in (self._thinking, self._header, self._between) or (
            self._mode == self._body and not self._visible
        )

    @property
    def closing(self) -> str:
        """What a model would write to end its reasoning here and begin its reply; empty outside of reasoning."""
        if not self.thinking:
            return ""
        return f"\n{self._close}\n\n" if self._mode == self._thinking else FINAL

    def feed(self, piece: str) -> str:
        """Take a piece of the reply; returns what may be shown now."""
        self._held += piece
        return self._advance()

    def settle(self) -> str:
        """The backend is now known to part reasoning itself: a lone close is text. Returns what was held for it."""
        if self._opened is None:
            self._opened = False
            if self._mode == self._unsure:
                self._mode = self._text
        return self._advance()

    def finish(self, cut: bool = False) -> str:
        """No more comes. cut: because max_tokens ended it. Returns what was held back and may be shown after all."""
        before = len(self._shown)
        if self._mode == self._unsure:
            self._end_unsure(cut)
            self._advance()
        held, self._held = self._held, ""
        half = cut and held.strip() != ""  # of a mark: all modes but one hold nothing else back
        if self.thinking or (half and self._mode == self._begin):
            self._hide(held)
        elif not half or (self._mode == self._text and not held.startswith("<|")):
            self._show(held)
        return "".join(self._shown[before:])

    def _advance(self) -> str:
        before = len(self._shown)
        while self._mode():
            pass
        return "".join(self._shown[before:])

    def _begin(self) -> bool:
        """At the start, or after a block: is there a block, or is this the reply?"""
        text = self._held.lstrip()
        for opening, closing in TAGS.items():
            if text.startswith(opening):
                self._close, self.found, self._opened = closing, True, False
                return self._go(self._thinking, text[len(opening) :])
        if text.startswith((START, CHANNEL, *_BARE)):
            return self._go(self._header, text)
        if not text or any(opener.startswith(text) for opener in _OPENERS):
            return False
        if text[0] in "{[":
            return self._go(self._all, self._held)
        return self._go(self._text if self._opened is not None else self._unsure, self._held)

    def _thinking(self) -> bool:
        at = self._held.find(self._close)
        if at >= 0:
            self._hide(self._held[:at])
            return self._go(self._begin, self._held[at + len(self._close) :])
        keep = _overlap(self._held, (self._close,))
        self._hide(self._held[: len(self._held) - keep])
        return self._wait(keep)

    def _unsure(self) -> bool:
        """Hold everything: it may be reasoning that the template opened."""
        found = _LONE.search(self._held, self._sought)
        self._sought = max(len(self._held) - len(CLOSE), 0)
        return self._end_block(found)

    def _end_block(self, found: "re.Match[str] | None") -> bool:
        if found is None:
            return False
        if found[0] != CLOSE:
            self._opened = False
            return self._go(self._text, self._held)
        self.lone, self._opened = True, False
        self._hide(self._held[: found.start()])
        return self._go(self._begin, self._held[found.end() :])

    def _end_unsure(self, cut: bool) -> None:
        if self._held.endswith(CLOSE):
            self._end_block(re.search(f"{CLOSE}$", self._held))
        elif cut and _overlap(self._held, (CLOSE,)) >= _LEAST_CUT:
            self.lone = True
            self._hide(self._held)
            self._go(self._begin, "")
        else:
            self._go(self._text, self._held)

    def _text(self) -> bool:
        at, mark = _first(self._held, _MARKS)
        if mark:
            self._show(self._held[:at])
            return self._go(self._header, self._held[at:].removeprefix(END))
        keep = _overlap(self._held, _MARKS)
        self._show(self._held[: len(self._held) - keep])
        return self._wait(keep)

    def _all(self) -> bool:
        """JSON: nothing in it is a mark."""
        self._show(self._held)
        return self._wait(0)

    def _header(self) -> bool:
        at = self._held.find(BODY)
        if at < 0:
            return False
        header = self._held[:at]
        channel = header.rpartition(CHANNEL)[2].split()[:1]
        self._visible = channel == ["final"] or (header.startswith(START) and CHANNEL not in header)
        self.found = True
        return self._go(self._body, self._held[at + len(BODY) :])

    def _body(self) -> bool:
        at, mark = _first(self._held, _ENDS)
        put = self._show if self._visible else self._hide
        if mark:
            put(self._held[:at])
            if mark in (START, CHANNEL):
                return self._go(self._header, self._held[at:])
            return self._go(self._between, self._held[at + len(mark) :])
        keep = _overlap(self._held, _ENDS)
        put(self._held[: len(self._held) - keep])
        return self._wait(keep)

    def _between(self) -> bool:
        """Between two messages of gpt-oss: only a header may come."""
        at, mark = _first(self._held, (START, CHANNEL))
        if mark:
            return self._go(self._header, self._held[at:])
        keep = _overlap(self._held, (START, CHANNEL))
        self._hide(self._held[: len(self._held) - keep])
        return self._wait(keep)

    def _go(self, mode: Callable[[], bool], held: str) -> bool:
        self._mode, self._held = mode, held
        return True

    def _wait(self, keep: int) -> bool:
        self._held = self._held[len(self._held) - keep :]
        return False

    def _show(self, text: str) -> None:
        if self.found and not self._shown:
            text = text.lstrip()  # the blank lines after a block
        if text:
            self._shown.append(text)

    def _hide(self, text: str) -> None:
        self.found = True
        if text:
            self._hidden.append(text)


class Visible:
    """A growing reply without its reasoning and without what a stop string ends. See `Parting`."""

    def __init__(self, stop: Sequence[str] = (), opened: bool | None = False) -> None:
        self.parting = Parting(opened)
        self._stop = tuple(s for s in stop if s)
        self._held = ""
        self._shown: list[str] = []
        self.stopped = ""
        """The stop string that came."""

    @property
    def text(self) -> str:
        return "".join(self._shown)

    def feed(self, piece: str) -> str:
        """Take a piece; returns the text now safe to show. Sets `stopped` to the first stop string."""
        return self._take(self.parting.feed(piece))

    def settle(self) -> str:
        """See `Parting.settle`."""
        return self._take(self.parting.settle())

    def finish(self, cut: bool = False) -> str:
        """The text still held back, once no more comes."""
        text = self._take(self.parting.finish(cut))
        return text if self.stopped else text + self._show(len(self._held))

    def _take(self, text: str) -> str:
        if self.stopped:
            return ""
        self._held += text
        at, self.stopped = _first(self._held, self._stop)
        if self.stopped:
            return self._show(at, drop=True)
        return self._show(len(self._held) - _overlap(self._held, self._stop))

    def _show(self, count: int, drop: bool = False) -> str:
        text, self._held = self._held[:count], "" if drop else self._held[count:]
        if text:
            self._shown.append(text)
        return text


def parted(text: str, *, opened: bool | None = None, cut: bool = False) -> tuple[str, str]:
    """(reply, reasoning) of a whole text; `cut` where max_tokens ended it.

    >>> parted("<think>Two and two.</think>\\n\\nFour.")
    ('Four.', 'Two and two.')
    """
    parting = Parting(opened)
    parting.feed(text)
    parting.finish(cut)
    return parting.text, parting.reasoning


def _first(text: str, marks: Sequence[str]) -> tuple[int, str]:
    """Where the first of the marks stands and which it is; (0, "") where there is none."""
    return min(((at, mark) for mark in marks if (at := text.find(mark)) >= 0), default=(0, ""))


def _overlap(text: str, marks: Sequence[str]) -> int:
    """Length of the longest end of a text that could be the start of a mark."""
    longest = max(map(len, marks), default=1) - 1
    end = text[max(len(text) - longest, 0) :]
    heads = {mark[0] for mark in marks}
    may = (end[at:] for at, letter in enumerate(end) if letter in heads)
    return next((len(part) for part in may if any(mark.startswith(part) for mark in marks)), 0)
