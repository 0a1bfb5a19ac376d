"""What a task leaves out: "apart from sleep", "lunch does not count"."""

from collections.abc import Sequence

from kithnet.agents.wording import INTERROGATIVES
from kithnet.memory.language.text import stem
from kithnet.memory.language.time.clock import Token
from kithnet.memory.writing import phrases

_EXCEPT = (
    ("except",), ("excluding",), ("exclude",), ("apart", "from"), ("aside", "from"), ("other", "than"), ("not", "counting"),
    ("without", "counting"), ("leaving", "out"), ("leaving", "aside"), ("leave", "out"), ("leave", "aside"), ("ignoring",),
    ("ignore",), ("disregarding",), ("disregard",), ("besides",), ("setting", "aside"), ("not", "including"), ("but", "not"),
    ("not", "considering"), ("forget", "about"), ("forgetting",), ("minus",), ("barring",), ("all", "but"),
)  # fmt: skip
_NO_EXCEPTION = frozenset(
    stem(word)
    for word in """overlap overlapping clash clashing conflict any anything one another each other collision time it
    activity activities schedule calendar appointment event plan many engagement commitment thing entry minimum number they some few
    least item""".split()
)


def excluded(tokens: Sequence[Token], text: str) -> tuple[tuple[str, ...], list[Token]]:
    """Activities that the task leaves out, and its other words."""
    low = [token.low for token in tokens]
    found: list[str] = []
    rest: list[Token] = []
    place = 0
    while place < len(tokens):
        lead = next((one for one in _EXCEPT if tuple(low[place : place + len(one)]) == one), None)
        end = _end_of_exception(low, place + len(lead)) if lead else place
        run = tokens[place + len(lead) : end] if lead else ()
        things = _things(run, text)
        if lead and things:
            found += things
            place = end
            continue
        rest.append(tokens[place])
        place += 1
    return tuple(dict.fromkeys((*found, *_uncounted(rest, text), *_left(rest, text)))), rest


def _end_of_exception(low: Sequence[str], place: int) -> int:
    while place < len(low) and low[place] not in ".:;?!)(" and low[place] not in _ENDING:
        comma = low[place] == "," and place + 1 < len(low) and low[place + 1] in INTERROGATIVES | _ENDING
        if comma or (low[place] == "and" and low[place + 1 : place + 2] in (["counting"], ["considering"], ["taking"])):
            break
        place += 1
    return place


_ENDING = frozenset("that what which when who how does do is are have has must can could need needs does need".split())


def _things(run: Sequence[Token], text: str) -> list[str]:
    """Activities listed in a few words: "for sleep and the lunch break"."""
    found: list[str] = []
    held: list[Token] = []
    for token in [*run, None]:
        if token is None or token.low in (",", "and", "or", "nor", "&", "as", "well"):
            named = phrases.activity(held, text) if held else ""
            if named and not {stem(word) for word in named.split()} <= _NO_EXCEPTION:
                found.append(named)
            held = []
        else:
            held.append(token)
    return found if len(run) <= 14 else []


def _left(tokens: Sequence[Token], text: str) -> list[str]:
    """What stands inside of what leaves it out: "leave sleep out", "take lunch off"."""
    low = [token.low for token in tokens]
    found: list[str] = []
    for place, word in enumerate(low):
        if word not in ("leave", "leaving", "keep", "keeping", "set", "setting", "put", "putting", "take", "taking"):
            continue
        end = next((at for at in range(place + 2, min(place + 7, len(low))) if low[at] in ("out", "aside", "apart")), 0)
        if end and not any(mark in low[place:end] for mark in (",", ".", ";")):
            found += _things(tokens[place + 1 : end], text)
    return found


def _uncounted(tokens: Sequence[Token], text: str) -> list[str]:
    """What a task leaves out after naming it: "sleep does not count", "sleep left out", "lunch aside"."""
    low = [token.low for token in tokens]
    found: list[str] = []
    for place in range(1, len(low)):
        tail = next((one for one in _LEFT_OUT if tuple(low[place : place + len(one)]) == one), None)
        if tail is None:
            continue
        start = place
        while start and low[start - 1] not in ".:;?!(,)" and place - start < 6:
            start -= 1
        found += _things(tokens[start:place], text)
    return found


_LEFT_OUT = (
    ("left", "out"), ("left", "aside"), ("aside",), ("apart",), ("excluded",), ("excepted",), ("ignored",), ("omitted",),
    ("disregarded",), ("exempt",), ("exempted",), ("not", "counted"), ("not", "included"), ("not", "counting"), ("uncounted",),
    ("does", "not", "count"), ("do", "not", "count"), ("doesn't", "count"), ("don't", "count"), ("is", "not", "counted"),
    ("isn't", "counted"), ("excepted",), ("are", "not", "counted"), ("aren't", "counted"),
    ("should", "not", "count"), ("is", "ignored"),
    ("are", "ignored"), ("is", "left", "out"), ("are", "left", "out"), ("is", "excluded"), ("are", "excluded"),
    ("not", "considered"), ("is", "not", "considered"), ("put", "aside"), ("set", "aside"), ("taken", "out"), ("removed",),
    ("is", "no", "part"), ("is", "out"), ("are", "out"), ("exempted",), ("do", "not", "matter"),
    ("does", "not", "matter"), ("not", "taken", "into", "account"), ("is", "not", "part"), ("is", "disregarded"),
)  # fmt: skip
