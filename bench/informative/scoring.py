"""What an answer is worth, in [0, 1], by rules alone: exact number, F1 of a set, overlap of intervals, short answers."""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence

from kithnet.bench.informative.clock import MINUTES
from kithnet.bench.informative.item import JOIN, Item, Scoring

LONGEST = 60
"""Words of a text that can still be an answer to a short question; a longer one answers by listing what it read."""
_ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen twenty"
).split()
_NUMBERS = {word: number for number, word in enumerate(_ONES)}
_CLOCK = r"(\d{1,2})(?:[:.h](\d{2}))?\s*(am|pm|a\.m\.|p\.m\.)?"
_RANGE = re.compile(rf"(?<![\d:.]){_CLOCK}\s*(?:-|–|—|to|until|till|and)\s*{_CLOCK}(?![\d:])", re.IGNORECASE)
_DENIED = re.compile(r"\b(?:not|never|no|isnt|wasnt|dont|doesnt|didnt|neither)\s+(?:\w+\s+)?$")
_ARTICLES = frozenset({"a", "an", "the"})


def score(item: Item, text: str) -> float:
    """What `text` is worth as the answer of `item`. An empty one is worth nothing."""
    if not text.strip():
        return 0.0
    if item.scoring == "number":
        return float(number_in(text) == int(item.answer))
    if item.scoring == "set":
        return f1(set_of(item.answer), named(text, item.options))
    if item.scoring == "intervals":
        return overlap_share(minutes_in(item.answer), minutes_in(text))
    if item.scoring == "all":
        return float(bool(item.parts) and all(short_right(text, part) for part in item.parts))
    return float(short_right(text, (item.answer, *item.aliases), item.options))


def best_constant(scoring: Scoring, answers: Sequence[str], most: int = 100) -> str:
    """The one of the canonical answers that is worth most when it is given everywhere; `most` of them are tried."""
    counts = Counter(answers)
    candidates = [answer for answer, _ in counts.most_common(most)]
    if scoring == "intervals":
        minutes = {answer: minutes_in(answer) for answer in counts}
        worth = {one: sum(overlap_share(minutes[a], minutes[one]) * n for a, n in counts.items()) for one in candidates}
    elif scoring == "set":
        worth = {one: sum(f1(set_of(a), set_of(one)) * n for a, n in counts.items()) for one in candidates}
    else:
        worth = {one: float(counts[one]) for one in candidates}
    return max(candidates, key=lambda one: worth[one]) if candidates else ""


def normalised(text: str) -> str:
    """Lower case, without accents, punctuation and articles, single blanks."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    plain = "".join(sign for sign in plain if not unicodedata.combining(sign)).replace("'", "").replace("’", "")
    return " ".join(word for word in re.findall(r"\w+", plain) if word not in _ARTICLES)


def number_in(text: str) -> int | None:
    """The one whole number a text names, in digits or words; None where it names none, or several."""
    found = {int(digits) for digits in re.findall(r"(?<![\d.:])\d{1,6}(?![\d:]|\.\d)", text)}
    found |= {_NUMBERS[word] for word in re.findall(r"[a-z]+", text.casefold()) if word in _NUMBERS}
    return found.pop() if len(found) == 1 else None


def set_of(answer: str) -> frozenset[str]:
    """The members of a canonical set, normalised."""
    return frozenset(normalised(part) for part in answer.split(JOIN.strip()) if part.strip())


def named(text: str, options: Iterable[str]) -> frozenset[str]:
    """Which of the options a text names as whole words, normalised."""
    said = f" {normalised(text)} "
    return frozenset(one for one in map(normalised, options) if f" {one} " in said)


def f1(gold: frozenset[str], given: frozenset[str]) -> float:
    """The F1 of two sets; 1 where both are empty."""
    if not gold and not given:
        return 1.0
    return 2 * len(gold & given) / (len(gold) + len(given))


def minutes_in(text: str) -> frozenset[int]:
    """The minutes of the day that the ranges of a text cover: "9:00-10:30", "from 9 am to 10:30 am", over midnight too."""
    covered: set[int] = set()
    for match in _RANGE.finditer(text):
        bare = match[2] is None and match[3] is None and match[5] is None and match[6] is None
        start, end = _minute(match[1], match[2], match[3]), _minute(match[4], match[5], match[6])
        if bare or start is None or end is None or start == end:  # "2 to 3" may be anything
            continue
        covered.update(range(start, end) if start < end else [*range(start, MINUTES), *range(end)])
    return frozenset(covered)


def _minute(hour: str, minute: str | None, half: str | None) -> int | None:
    hours, minutes = int(hour), int(minute or 0)
    if half:
        if not 1 <= hours <= 12:
            return None
        hours = hours % 12 + (12 if half.casefold().startswith("p") else 0)
    total = hours * 60 + minutes
    return total if minutes < 60 and total <= MINUTES else None


def overlap_share(gold: frozenset[int], given: frozenset[int]) -> float:
    """Intersection over union in minutes; 1 where both are empty."""
    union = len(gold | given)
    return len(gold & given) / union if union else 1.0


def short_right(text: str, accepted: Sequence[str], options: Sequence[str] = ()) -> bool:
    """Whether a text gives one of the accepted answers, does not deny it, and does not give another option as well."""
    said = normalised(text)
    if len(said.split()) > LONGEST:
        return False
    golds = [gold for gold in map(normalised, accepted) if gold]
    at = next((place for gold in golds if (place := f" {said} ".find(f" {gold} ")) >= 0), None)
    if at is None or _DENIED.search(said[:at]):
        return False
    rest = f" {said} "
    for gold in sorted(golds, key=len, reverse=True):
        rest = rest.replace(f" {gold} ", " ")
    return not named(rest, [one for one in options if normalised(one) not in golds])
