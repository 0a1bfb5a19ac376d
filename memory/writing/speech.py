"""Utterances as statements: cleaned, cut into sentences, and told in the third person about the one who spoke."""

import re
import unicodedata
from collections.abc import Sequence

from kithnet.memory.language import text as language

MAX_CHARACTERS = 20_000
"""What is read of one message. A person says no more at once; a pasted file is kept verbatim, not taken apart."""
MAX_SENTENCE = 400

_SPACE = re.compile(r"\s+")
_TOKEN = re.compile(r"[^\W_]+(?:['’][^\W_]+)*|[^\w\s]|_")
# What people put before a statement without changing it.
_LEAD = re.compile(
    r"^(?:(?:so|well|oh|ah|right|okay|ok|anyway|listen|look|honestly|actually|funny|guess what|i mean|you know|to be fair|"
    r"by the way|you won['’]t believe it|you know what|and|but|also|hey|yes|yeah|yep|no|ha|small update|remember what i told you|"
    r"believe it or not|remember that|i have to tell you something|i told you)\b[,:!.?]*\s*)+(?=\w)",
    re.IGNORECASE,
)
_ADVERBS = frozenset(
    """also always really just still finally actually now never often usually only sometimes already truly absolutely probably
    definitely certainly recently honestly mostly almost nearly currently totally completely once simply hardly rarely even
    ever both no longer""".split()
)
_IRREGULAR = {"am": "is", "have": "has", "do": "does", "go": "goes", "'m": "is", "was": "was", "were": "was"}
_FIXED = frozenset(
    """can could will would shall should may might must had did was were is has does been got gone went came saw took made
    found left lost broke won bought sold met told said knew thought felt kept began ran ate drank drove flew gave grew heard
    held led paid put read rode sang sat sent slept spoke spent stood swam taught threw understood woke wore wrote built
    burnt burned caught chose cut dealt drew dreamt fell fought forgot forgave froze hid hit hurt knit laid learnt let lit
    meant quit rang rose sank set shook shot shut stole stuck swore swept tore ought used cannot won't can't couldn't
    didn't hadn't wasn't wouldn't shouldn't mustn't mightn't isn't hasn't doesn't""".split()
)
_CONTRACTED = {
    "i'm": "i am", "i've": "i have", "i'd": "i would", "i'll": "i will", "we're": "we are", "we've": "we have",
    "we'd": "we would", "we'll": "we will", "you're": "you are", "you've": "you have", "you'd": "you would",
    "you'll": "you will", "don't": "do not", "haven't": "have not", "aren't": "are not",
}  # fmt: skip
_SUBJECT_CUES = frozenset(
    """and but or that if when because since while although though what how why where who which so as think hope say said
    know knew guess suppose before after until than then whether once unless me us him her them everybody""".split()
)
"""Words after which "you" is who does something; after others it is whom something is done to."""


def clean(text: str) -> str:
    """The text as it is read: no control characters and no marks that turn its direction, white space single."""
    shown = "".join(
        " " if char in "\n\t\r" or unicodedata.category(char) == "Cc" else char
        for char in text[:MAX_CHARACTERS]
        if unicodedata.category(char) != "Cf"
    )
    return _SPACE.sub(" ", shown.replace("’", "'")).strip()


def spans(said: str) -> list[tuple[int, int]]:
    """(first, last) of each sentence of a message, without what only leads into it; those of more than MAX_SENTENCE are cut."""
    found: list[tuple[int, int]] = []
    for start, end in language.sentence_spans(said[:MAX_CHARACTERS]):
        lead = _LEAD.match(said[start:end])
        start += lead.end() if lead else 0
        found.append((start, min(end, start + MAX_SENTENCE)))
    return found


def sentences(said: str) -> list[str]:
    """The same sentences, cleaned."""
    return [cleaned for start, end in spans(said) if (cleaned := clean(said[start:end]))]


def is_question(sentence: str) -> bool:
    """Whether a sentence asks."""
    return sentence.rstrip("\"”') ").endswith("?")


def tokens(text: str) -> list[str]:
    """Words and marks in their order, as written."""
    return _TOKEN.findall(text)


def plain(sentence: str) -> str:
    """The sentence with the contractions of first and second person taken apart, for rules to read."""
    return re.sub(
        r"[^\W_]+'[^\W_]+",
        lambda match: (
            _first_as(_CONTRACTED[match[0].casefold()], match[0]) if match[0].casefold() in _CONTRACTED else match[0]
        ),
        sentence,
    )


def _first_as(text: str, like: str) -> str:
    return text[:1].upper() + text[1:] if like[:1].isupper() else text


def told_of(sentence: str, speaker: str, listener: str, *, own: bool) -> str:
    """The sentence from the rememberer's view, in the third person where it was said by someone else.

    own: the rememberer said it, so "I" stays "I" and "you" becomes `listener`; else "I" becomes `speaker` and "you" "me".
    """
    words = _expanded(tokens(sentence))
    told: list[str] = []
    named = 0
    for place, word in enumerate(words):
        low = word.casefold()
        if own:
            told.append(_of_you(low, word, words, place, listener))
        elif low in ("i", "we"):
            told.append(speaker if not named else "they")
            named = place + 1
        elif low in ("my", "our", "mine", "ours"):
            told.append(f"{speaker}'s" if not named else "their")
            named = named or place + 1
        elif low in ("me", "us"):
            told.append("them" if named else speaker)
        elif low in ("myself", "ourselves"):
            told.append("themselves")
        elif low == "you":
            told.append("I" if _is_subject(words, place) else "me")
        elif low in ("your", "yours"):
            told.append("my")
        else:
            told.append(word)
    if not own:
        _agree(words, told)
    return _written(told)


def _expanded(words: Sequence[str]) -> list[str]:
    """Contractions of first and second person taken apart: "I'm" -> "I am", "don't" -> "do not"."""
    plain: list[str] = []
    for word in words:
        parts = _CONTRACTED.get(word.casefold())
        plain.extend(parts.split() if parts else [word])
    return plain


def _of_you(low: str, word: str, words: Sequence[str], place: int, listener: str) -> str:
    if low == "you":
        return listener
    if low in ("your", "yours"):
        return f"{listener}'s"
    return "I" if low == "i" else word


def _is_subject(words: Sequence[str], place: int) -> bool:
    after = words[place + 1].casefold() if place + 1 < len(words) else ""
    before = words[place - 1].casefold() if place else ""
    return after.isalpha() and (not before.isalpha() or before in _SUBJECT_CUES)


def _agree(words: Sequence[str], told: list[str]) -> None:
    """Give the verb after the first "I" or "we" its third person; later ones have the subject "they", which needs none."""
    first = True
    for place, word in enumerate(words):
        if word.casefold() not in ("i", "we"):
            continue
        at = place + 1
        while at < len(words) and words[at].casefold() in _ADVERBS:
            at += 1
        if at < len(words) and words[at].isalpha():
            low = words[at].casefold()
            if first:
                told[at] = _third(low, words[at])
            elif low in ("am", "was"):
                told[at] = {"am": "are", "was": "were"}[low]
        first = False


def _third(low: str, word: str) -> str:
    if low in _IRREGULAR:
        return _IRREGULAR[low]
    if low == "are":
        return "is"
    if low in _FIXED or low.endswith("ed"):
        return word
    if low.endswith(("s", "x", "z", "ch", "sh", "o")):
        return f"{word}es"
    return f"{word[:-1]}ies" if low.endswith("y") and low[-2:-1] not in "aeiou" else f"{word}s"


def _written(words: Sequence[str]) -> str:
    """Words and marks as a sentence again."""
    text = ""
    for word in words:
        glue = word in ".,!?;:)%'…" or (text[-1:] in "(£$€#" and text) or (text[-1:] in "'’-&" and text[-2:-1] != " ")
        glued = glue or word == "-"
        text += word if not text or glued else f" {word}"
    text = text.strip()
    return text[:1].upper() + text[1:] if text else text
