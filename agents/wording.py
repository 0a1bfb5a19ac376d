"""Words as the agents compare them: content words, normalised values, what is asked and told, people named in a text."""

from collections.abc import Iterable, Mapping, Sequence

from kithnet.memory.language.text import place_of, sentences, stem, words

INTERROGATIVES = frozenset(
    """who whom whose what which when where why how in on at to for from under with until is are was were do does did
    has have had can could will would should""".split()
)

FUNCTION_WORDS = frozenset(
    """a an the this that these those some any all both no not nor and or but if then than so as of at by for from in into
    on onto off out over to up with within without about after before between during through under until while
    i me my mine myself you your yours yourself he him his himself she her hers herself it its itself we us our
    ours ourselves they them their theirs themselves one ones who whom whose which what when where why how
    am is are was were be been being do does did done doing have has had having will would shall should can could
    may might must there here also just only very too again ever never now today
    i'm i've i'd i'll you're you've you'd you'll he's she's it's we're we've they're they've that's there's
    what's who's where's how's isn't aren't wasn't weren't don't doesn't didn't won't wouldn't can't couldn't
    haven't hasn't hadn't let's say says said saying tell tells told telling talk talked talking ask asked know knows
    knew mention mentioned please find s t m re ve ll d
    ah eh er ha haha hah heh hey hm hmm lol oh ok okay okey uh uhm um well wow xx xoxo""".split()
)

NUMBER_WORDS = dict(
    zip(
        "zero one two three four five six seven eight nine ten eleven twelve".split(),
        map(str, range(13)),
        strict=True,
    )
)


def content_words(text: str) -> list[str]:
    """The words that carry meaning, in order."""
    return [word for word in words(text) if word not in FUNCTION_WORDS]


def content_stems(text: str) -> frozenset[str]:
    return frozenset(stem(word) for word in content_words(text))


FIRST_PERSON = frozenset("i i'm i've my me i'll i'd mine we our we're we've".split())


def says_i(text: str) -> bool:
    """Whether the speaker of a text is in it."""
    return bool({*words(text)} & FIRST_PERSON)


def attributed(value: str, author: str) -> str:
    """A value as somebody else may pass it on: words in the first person go with the name of who said them."""
    return f"{author}: “{value}”" if author and says_i(value) else value


def adds_nothing(value: str, question: str, quote: str) -> bool:
    """Whether a value is no fact: it asks, repeats the question, or is cut from a sentence that only asks."""
    if only_asks(value) or not (content_stems(value) - content_stems(question) or says_i(value)):
        return True
    return any(value in sentence and only_asks(sentence) for sentence in sentences(quote))


def normalise(value: str) -> str:
    """A value as it is compared: case, punctuation, articles and number words do not count."""
    kept = [NUMBER_WORDS.get(word, word) for word in words(value) if word not in {"a", "an", "the"}]
    return " ".join(kept)


def agree(left: str, right: str) -> bool:
    """Whether two values say the same: equal when normalised, or one's content words lie within the other's."""
    if normalise(left) == normalise(right):
        return True
    a, b = content_stems(left), content_stems(right)
    return bool(a and b) and (a <= b or b <= a)


def questions(text: str) -> list[str]:
    """The separate questions of a text that ask for something, in order."""
    return [part for part in _asked(text) if part.endswith("?") and content_words(part)]


def _asked(task: str) -> list[str]:
    """The sentences of a task, which may be wrapped anywhere: the end of a line ends none."""
    return sentences(" ".join(task.split()))


def only_asks(text: str) -> bool:
    """Whether a message ends in a question and tells nothing with it: "He got the job, did he tell you?" tells."""
    last = sentences(text)[-1:] or [""]
    if not last[0].rstrip(" \"'”)").endswith("?"):
        return False
    told, comma, tag = last[0].rpartition(",")
    begins = words(told)[:1]
    tagged = comma and len(words(tag)) <= LONGEST_TAG and len(content_words(told)) > 1
    return not (tagged and begins and begins[0].partition("'")[0] not in INTERROGATIVES)


LONGEST_TAG = 5
"""Words of a question that only hangs on to what was told, such as "isn't it?"."""


def core(task: str) -> str:
    """What a task asks, without courtesies: "Please find out: Where is it?" asks "Where is it?"."""
    asked = task
    if len(found := questions(task)) == 1:
        about = content_stems(found[0])
        asked = " ".join(part for part in _asked(task) if part == found[0] or content_stems(part) & about)
    _, _, rest = asked.partition(": ")
    first = words(rest)[:1]
    return rest if first and first[0] in INTERROGATIVES and rest.endswith("?") else asked


def unknown_names(text: str, names: Mapping[str, Sequence[str]]) -> dict[str, Sequence[str]]:
    """Capitalised words inside a sentence that name nobody in `names`: people or things one has not met."""
    known = {part for called in names.values() for name in called for part in words(name)}
    found: dict[str, Sequence[str]] = {}
    for sentence in sentences(text):
        for part in sentence.split()[1:]:
            spoken = words(part)
            word = spoken[0].removesuffix("'s") if len(spoken) == 1 else ""
            if word and part.lstrip("“\"'(")[:1].isupper() and word not in known and word not in FUNCTION_WORDS:
                found[word] = (word,)
    return found


def named_people(text: str, names: Mapping[str, Sequence[str]]) -> list[str]:
    """People whose id, full name, alias or first name stands in the text as whole words, in order of mention.

    names: person id -> every name the person goes by. Function words are no names ("all", "both").
    """
    spoken = [word.removesuffix("'s") for word in words(text)]
    places: dict[str, int] = {}
    for person, called in names.items():
        for name in _ways_to_say(called):
            at = place_of(name, spoken)
            if at is not None:
                places[person] = min(at, places.get(person, at))
    return sorted(places, key=lambda person: (places[person], person))


def _ways_to_say(called: Iterable[str]) -> set[tuple[str, ...]]:
    ways = {tuple(words(name)) for name in called}
    ways |= {way[:1] for way in ways if way and len(way[0].rstrip(".")) > 2}
    return {way for way in ways if way and not set(way) <= FUNCTION_WORDS}
