"""What speaks for an item (an utterance of the owner's view, or a memory), as arrays; no database, no text.

Signals, each (D,) float32 and in [0, 1] unless said otherwise:

- `coverage`: share of the question that the item or its neighbours in the session account for, terms weighed by their
  rarity in the owner's own view. In a chat the question is often in one message and the answer in the next.
- `best`: BM25 of the item's own text, as a share of the best item's.
- `session`: BM25 of its whole session, as a share of the best session's; of a memory, its coverage.
- `speaker`: a person named in the question said it. `mentioned`: it names such a person.
- `dated`: it was said on a date that the question names.
- `length`: how much it says, by the logarithm of its words.
- `linked`: a memory one link away is well supported.
- `cosine`: cosine to the question, above that of unrelated texts. `nearest`: the same, between the worst and the best
  of this question. `around`: how near its neighbours in the session are, up to 2.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kithnet.memory.weights import SHAPE, Shape

Array = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]
Signals = dict[str, Floats]

LONGEST = 60  # words from which an item counts as long


@dataclass(frozen=True)
class Evidence:
    """What is known of D items, U utterances and then memories, for T terms.

    held: (T, D) the item's text holds the term. named: (T, D) how far it names its sender or receiver. words: (D,)
    length. speaker, mentioned, dated: (D,) as above. session: (U,) number of each utterance's session, from 0.
    names_only: the question is nothing but names; else who said something does not alone make it a candidate.
    """

    held: Bools
    named: Floats
    words: Floats
    speaker: Floats
    mentioned: Floats
    dated: Floats
    session: Array
    names_only: bool = False


def inverse_frequency(frequency: npt.NDArray[np.int64], items: int) -> npt.NDArray[np.float64]:
    """BM25's idf of terms that `frequency` of `items` hold; positive, highest for a term that none holds."""
    return np.log1p((items - frequency + 0.5) / (frequency + 0.5)).astype(np.float64)


def spoken(evidence: Evidence, shape: Shape = SHAPE) -> Signals:
    """The signals that need no vector."""
    terms, items = evidence.held.shape
    utterances = len(evidence.session)
    coverage = np.zeros(items, dtype=np.float32)
    own = np.zeros(items, dtype=np.float32)
    touched = np.full(items, evidence.names_only)
    if items and terms:
        idf = inverse_frequency(np.count_nonzero(evidence.held | (evidence.named > 0), axis=1), items)
        saturation = _saturation(evidence.words, shape)
        for share, held, named in zip(idf / idf.sum(), evidence.held, evidence.named, strict=True):
            reached = held.astype(np.float32)
            if held[:utterances].any():
                near = neighbours(held[:utterances], evidence.session, shape.before, shape.after, np.maximum)
                np.maximum(reached[:utterances], near, out=reached[:utterances])
            touched |= reached > 0
            coverage += np.float32(share) * np.maximum(reached, named)
            own += np.float32(share) * held
        own *= saturation
    coverage *= touched
    session = np.concatenate((_sessions(evidence, shape), coverage[utterances:]))
    return {
        "coverage": np.minimum(coverage, 1.0),
        "best": _share_of_best(own),
        "session": session,
        "speaker": evidence.speaker,
        "mentioned": evidence.mentioned,
        "dated": evidence.dated,
        "length": np.log1p(np.minimum(evidence.words, LONGEST)) / np.float32(np.log1p(LONGEST)),
    }


def seen(cosines: Floats, session: Array, shape: Shape = SHAPE) -> Signals:
    """The signals that vectors give. cosines: (D,), NaN where none is known, which counts as the worst that is."""
    known = ~np.isnan(cosines)
    if not known.any():
        zeros = np.zeros(len(cosines), dtype=np.float32)
        return {"cosine": zeros, "nearest": zeros, "around": zeros}
    lowest, highest = float(cosines[known].min()), float(cosines[known].max())
    filled = np.where(known, cosines, lowest).astype(np.float32)
    nearest = (filled - lowest) / max(highest - lowest, 1e-6)
    around = np.zeros(len(cosines), dtype=np.float32)
    spoken_of = nearest[: len(session)]
    around[: len(session)] = neighbours(spoken_of, session, shape.around_before, shape.around_after, np.add)
    above = np.clip((filled - shape.cosine_floor) / (1 - shape.cosine_floor), 0, 1)
    return {"cosine": above.astype(np.float32), "nearest": nearest.astype(np.float32), "around": around}


def weighed(signals: Mapping[str, Floats], weights: Mapping[str, float]) -> Floats:
    """(D,) the weighted sum of those signals that have a weight."""
    total: Floats | None = None
    for name, weight in weights.items():
        if name in signals:
            part = np.float32(weight) * signals[name]
            total = part if total is None else total + part
    if total is None:
        raise ValueError("none of the signals has a weight")
    return total


def by_words(signals: Mapping[str, Floats], shape: Shape = SHAPE) -> Floats:
    """(D,) in [0, 1]: how far the words of a question support each item; more where a person it names said it."""
    supported: Floats = np.minimum(
        signals["coverage"] * (1 + np.float32(shape.said_by_named) * signals["speaker"]), 1.0
    )
    return supported


def support(signals: Mapping[str, Floats], shape: Shape = SHAPE) -> Floats:
    """(D,) in [0, 1]: how far each item is supported by itself, by words and by the cosine where there is one.

    Unlike the weighted sum it compares across questions: the best item of a question about nothing known stays low.
    """
    words = by_words(signals, shape)
    share = np.float32(shape.cosine_share)
    return (1 - share) * words + share * signals["cosine"] if "cosine" in signals else words


def scored(total: Floats, supported: Floats, order: Array, shape: Shape = SHAPE) -> Floats:
    """(D,) in [0, 1], falling along `order`: the best has the support of the first few, the others their share of it."""
    scores = np.zeros(len(total), dtype=np.float32)
    if len(order):
        best = float(supported[order[: shape.supporters]].max())
        top = max(float(total[order[0]]), 1e-6)
        share = np.clip(total[order] / np.float32(top), 0.01, 1.0)
        scores[order] = np.maximum(best * share**shape.steepness, 1e-4)
    return scores


def neighbours(
    values: npt.NDArray[np.generic], session: Array, before: tuple[float, ...], after: tuple[float, ...], join: np.ufunc
) -> Floats:
    """(U,) what the utterances of the same session before and after each one add, joined by `join`.

    values: (U,) numbers or truth values. before, after: weights by distance, from 1.
    """
    near = np.zeros(len(session), dtype=np.float32)
    for distance in range(1, max(len(before), len(after)) + 1):
        if len(session) <= distance:
            break
        together = session[distance:] == session[:-distance]
        if distance <= len(before):
            part = np.float32(before[distance - 1]) * (values[:-distance] * together)
            join(near[distance:], part, out=near[distance:])
        if distance <= len(after):
            part = np.float32(after[distance - 1]) * (values[distance:] * together)
            join(near[:-distance], part, out=near[:-distance])
    return near


def _saturation(words: Floats, shape: Shape) -> Floats:
    average = max(float(words.mean()), 1.0)
    length = 1 - shape.b + shape.b * np.minimum(words / average, 8.0)
    saturation: Floats = ((shape.k1 + 1) / (1 + shape.k1 * length)).astype(np.float32)
    return saturation


def _share_of_best(values: Floats) -> Floats:
    highest = float(values.max(initial=0.0))
    return values / np.float32(highest) if highest > 0 else np.zeros_like(values)


def _sessions(evidence: Evidence, shape: Shape) -> Floats:
    """(U,) BM25 of each utterance's session, as a share of the best; a term counts once an utterance."""
    utterances = len(evidence.session)
    score = np.zeros(int(evidence.session.max(initial=-1)) + 1, dtype=np.float64)
    if not utterances or not len(evidence.held):
        return np.zeros(utterances, dtype=np.float32)
    length = np.bincount(evidence.session, weights=evidence.words[:utterances], minlength=len(score))
    norm = shape.session_k1 * (1 - shape.session_b + shape.session_b * length / max(length.mean(), 1.0))
    for held in evidence.held[:, :utterances]:
        count = np.bincount(evidence.session[held], minlength=len(score))
        idf = inverse_frequency(np.array([np.count_nonzero(count)]), len(score))[0]
        score += idf * count * (shape.session_k1 + 1) / (count + norm)
    return _share_of_best(score.astype(np.float32))[evidence.session]
