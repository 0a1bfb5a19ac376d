"""Corrections of what is done rather than of when: "I meant rugby, not judo", "it's chess instead of yoga"."""

import re
from collections.abc import Callable

from kithnet.memory.language.time import clock
from kithnet.memory.writing import phrases

_NEW, _OLD = r"(?P<new>(?:[^,.;:!?()]|\d[:.]\d){2,60}?)", r"(?P<old>[^,.;:!?()]{2,60}?)"
_FORMS = tuple(
    re.compile(form.replace("NEW", _NEW).replace("OLD", _OLD), re.IGNORECASE)
    for form in (
        r"\b(?:it's|it is|it was|meant|mean|make that|make it|that's|i have|i've|is) (?:actually |really |"
        r"in fact )?NEW,? (?:and )?not OLD(?:[,.;!]|$)",
        r"\b(?:not|isn't|wasn't) OLD(?:, but|,| but) (?:it's |it is |i have |i've )?NEW(?:[.;!]|$)",
        r"\b(?:it's|it is|meant|mean|have|do|doing) NEW,? (?:instead of|rather than|in place of) OLD(?:[,.;!]|$)",
        r"\b(?:instead of|rather than) OLD,? (?:it's|it is|i have|i've|i do|i'm doing|comes|i'll do|i'll have|"
        r"i will do|we do|we have|there's|there is) NEW(?:[.;!]|$)",
        r"\b(?:replaced?|swap(?:ped)?|exchanged?|substituted?|traded?) OLD (?:with|by|for) NEW(?:[,.;!]|$)",
        r"\b(?:said|wrote|called it|say) OLD[,.?!;:]*(?: but)?(?: i)? (?:meant|it's actually|should have said) NEW(?:[,.;!]|$)",
        r"\bOLD (?:is|was) (?:wrong|a mistake|an error|a slip|nonsense)[,;:]? (?:it's|it is|i have|i've|i meant) NEW(?:[,.;!]|$)",
        r"\bsaid OLD,? (?:i was thinking of|i had in mind|but it's|it's really|that was wrong, it's) NEW(?:[,.;!]|$)",
        r"^(?:the |my )?OLD (?:is actually|is really|is in fact|should be|should have been|turned into|became|"
        r"was replaced by) NEW(?:[,.;!]|$)",
    )
)
_LATEST = re.compile(
    rf"\b(?:i meant|i mean|(?:it's|it is|that's|make it) (?:actually|really|in fact)|should have said) {_NEW}(?:[,.;!]|$)",
    re.IGNORECASE,
)


def renamed(text: str, is_known: Callable[[str], bool]) -> tuple[str, str] | None:
    """What was said to be done and what it is in truth; "" for what was spoken of last; None for no such correction.

    is_known: whether words name something that was told before.
    """
    for form in _FORMS:
        for match in form.finditer(text):
            old, new = _activity(match["old"]), _activity(match["new"])
            if old and new and is_known(old) and not is_known(new):
                return old, new
    latest = _LATEST.search(text)
    new = _activity(latest["new"]) if latest else ""
    return ("", new) if new and not is_known(new) else None


def _activity(text: str) -> str:
    return phrases.activity(clock.tokens(text), text)
