"""From words to what can be matched: stop words, terms, and full-text queries that no text can break out of."""

from collections.abc import Iterable
from dataclasses import dataclass

from kithnet.memory import scripts
from kithnet.memory.language.text import index_words, stem

MAX_QUERY_CHARACTERS = 20_000
MAX_TERMS = 48

# Words that carry no topic in a chat: function words, the pieces that an apostrophe leaves, and question words.
STOP_WORDS = frozenset(
    """a about after again ain all also am an and any anyone anything are aren as at be because been before being
    between both but by can could couldn d did didn do does doesn doing don done each either else ever every for
    from get gets getting go goes going gone gonna got had hadn has hasn have haven having he her here hers him
    himself his how i if in into is isn it its itself just know let like ll m ma may me might mine more most much
    must my myself no nor not now of off oh ok okay on one only or other our ours out over own please re really s
    said say says see she should shouldn so some someone something such t tell tells than that the their theirs
    them then there these they thing things think this those through to told too under until up upon us ve very
    want wants was wasn we well were weren what whatever when where whether which while who whom whose why will
    with won would wouldn y yeah yes yet you your yours yourself""".split()
)


def stems(text: str) -> set[str]:
    """The stems of the content words of `text`."""
    return {stem(word) for word in index_words(text) if word not in STOP_WORDS}


@dataclass(frozen=True, slots=True)
class Term:
    """One content word of a query. word: folded, letters and digits only, as the full-text index folds it. pairs: of a script
    that is indexed by its characters, the tokens that stand for it, in order.
    """

    stem: str
    word: str
    pairs: tuple[str, ...] = ()


def terms(text: str) -> list[Term]:
    """The distinct content terms of `text` in their order, at most MAX_TERMS; all its words when it has none, and its emoji when
    it has no words."""
    text = text[:MAX_QUERY_CHARACTERS]
    of_scripts = scripts.runs(text) if not text.isascii() else []
    if of_scripts:
        text = scripts.without_runs(text)
    spoken = [scripts.folded(word) for word in index_words(text)]
    chosen = [word for word in spoken if word not in STOP_WORDS] or ([] if of_scripts else spoken)
    by_stem: dict[str, Term] = {}
    for word in chosen:
        by_stem.setdefault(stem(word), Term(stem(word), word))
    for run, unspaced in of_scripts:
        for part in scripts.cut(run) if unspaced else [run]:
            by_stem.setdefault(part, Term(part, part, tuple(scripts.pairs(part))))
    for sign in scripts.emoji(text) if not by_stem and not text.isascii() else ():
        by_stem[sign] = Term(sign, sign, tuple(scripts.pairs(sign)))
    return list(by_stem.values())[:MAX_TERMS]


def terms_of(given: Iterable[str]) -> list[Term]:
    """The same for a list of words or phrases."""
    return terms(" ".join(given))


def match(term: Term, owner: int) -> str:
    """The full-text query for rows that `owner` may read and that hold `term`.

    The word is letters and digits only and quoted, so nothing in a person's text acts as an operator.
    """
    said = " ".join(term.pairs) or term.word
    return f'who : p{owner} AND body : "{said}"'
