"""Names of activities compared: "my bedtime" is "sleep", "the yoga class" is "yoga"."""

from kithnet.memory.language.text import index_words, stem

_SAME = {
    "bed": "sleep", "asleep": "sleep", "sleeping": "sleep", "slumber": "sleep", "bedtime": "sleep", "sleeps": "sleep",
    "lunchtime": "lunch",
}  # fmt: skip
_IGNORED = frozenset("a an the my our his her their your some at in of for to and on".split())


def same_activity(left: str, right: str) -> bool:
    """Whether two wordings name one activity: the content words of one are mostly those of the other."""
    a, b = stems_of(left), stems_of(right)
    if not a or not b:
        return False
    return a <= b or b <= a or len(a & b) / len(a | b) >= 0.5


def stems_of(activity: str) -> frozenset[str]:
    """The stems by which an activity is compared."""
    return frozenset(stem(_SAME.get(word, word)) for word in index_words(activity) if word not in _IGNORED)
