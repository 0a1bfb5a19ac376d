"""The last gate: what repeats a refused item does not leave, whoever worded it."""

from collections.abc import Iterable, Sequence

from kithnet.agents.disclosure.policy import Item
from kithnet.agents.wording import content_words, stem, words


def leak(text: str, refused: Iterable[Item], known: str = "") -> Item | None:
    """The first refused item that `text` repeats, by a rare n-gram or by its value; None when it is clean.

    known: words the partner has said itself, which repeat nothing. An n-gram is rare when it is four words long with
    at least two content words among them that are not in `known`.
    """
    spoken = words(text)
    heard = {stem(word) for word in words(known)}
    for item in refused:
        if _repeats_run(spoken, words(item.text), heard) or _repeats_value(spoken, item.value, heard):
            return item
    return None


def _repeats_run(spoken: Sequence[str], secret: Sequence[str], heard: set[str], width: int = 4) -> bool:
    runs = {tuple(secret[at : at + width]) for at in range(max(1, len(secret) - width + 1))}
    for at in range(max(1, len(spoken) - width + 1)):
        run = tuple(spoken[at : at + width])
        fresh = [word for word in content_words(" ".join(run)) if stem(word) not in heard]
        if run in runs and len(fresh) >= min(2, len(run)):
            return True
    return False


def _repeats_value(spoken: Sequence[str], value: str, heard: set[str]) -> bool:
    wanted = {stem(word) for word in content_words(value)} - heard
    return bool(wanted) and wanted <= {stem(word) for word in spoken}
