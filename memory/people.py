"""Who a name on the command line means."""

import difflib
from collections.abc import Callable, Sequence

from kithnet.memory.language.text import place_of, words
from kithnet.memory.rows import Person
from kithnet.runtime.errors import UnknownPerson


def resolve(people: Sequence[Person], name: str) -> Person:
    """The person whom `name` means: by id, then by name or alias in any case, then as a unique beginning or word.

    Raises UnknownPerson, with the closest names, when nobody or more than one person fits.
    """
    wanted = " ".join(name.split()).casefold()
    if not wanted:
        raise UnknownPerson("no name was given", "`kith world show WORLD` lists the people")
    readings: list[Callable[[Person], bool]] = [
        lambda person: person.id == name,
        # An id is the name of the first who bore it: "Alex" means any of two, "alex" the first.
        lambda person: wanted in {part.casefold() for part in (person.id, person.name, *person.aliases)},
        lambda person: any(wanted == spoken.split()[0] for spoken in _spoken(person)),
        lambda person: any(spoken.startswith(wanted) for spoken in _spoken(person)),
        lambda person: any(word.startswith(wanted) for spoken in _spoken(person) for word in spoken.split()),
    ]
    for reading in readings:
        found = [person for person in people if reading(person)]
        if len(found) == 1:
            return found[0]
        if found:
            names = ", ".join(person.id for person in found[:5])
            raise UnknownPerson(f"{name!r} may mean {len(found)} people: {names}", "give the full name")
    raise UnknownPerson(f"no person {name!r} in this world", _closest(people, wanted))


def _spoken(person: Person) -> list[str]:
    """The forms by which a person may be called, folded and not empty."""
    forms = (person.id.replace("_", " "), person.name, *person.aliases)
    return [folded for form in forms if (folded := form.casefold().strip())]


def _closest(people: Sequence[Person], wanted: str) -> str:
    by_form = {form: person.id for person in people for form in (*_spoken(person), *_spoken(person)[0].split())}
    close = dict.fromkeys(by_form[form] for form in difflib.get_close_matches(wanted, by_form, n=6, cutoff=0.6))
    if close:
        return "did you mean " + " or ".join(list(close)[:3]) + "?"
    return "`kith world show WORLD` lists the people"


def namesakes(people: Sequence[Person], text: str) -> dict[str, list[str]]:
    """Names that stand in `text` and are those of several people, each with their ids: nothing says who is meant."""
    spoken, bearers = words(text), dict[tuple[str, ...], list[str]]()
    for person in people:
        for name in dict.fromkeys(tuple(words(one)) for one in (person.name, *person.aliases)):
            bearers.setdefault(name, []).append(person.id)
    shared = [name for name, ids in bearers.items() if name and len(ids) > 1 and place_of(name, spoken) is not None]
    return {" ".join(name): bearers[name] for name in shared}
