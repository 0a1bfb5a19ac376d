"""What a Telegram export says of its chats and of people, before its messages are read: who writes where, who is a bot, who is
the owner. Only people and chats are kept of it, however many messages there are."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from kithnet.network.importers.files import Files
from kithnet.network.importers.items import ChatKind, Contact, Options, plain_name, plain_text

KINDS: dict[str, tuple[ChatKind, str]] = {
    "personal_chat": ("dyad", "user"),
    "bot_chat": ("group", "user"),
    "saved_messages": ("group", "user"),
    "replies": ("group", "user"),
    "verification_codes": ("group", "user"),
    "private_group": ("group", "chat"),
    "private_supergroup": ("group", "channel"),
    "public_supergroup": ("group", "channel"),
    "private_channel": ("channel", "channel"),
    "public_channel": ("channel", "channel"),
}
"""A chat's type: its kind here, and the family of its number. Numbers are unique in a family only."""
UNNAMED = {"saved_messages": "Saved Messages", "replies": "Replies", "verification_codes": "Verification codes"}
AUTOMATIC = frozenset({"user777000", "user42777"})
"""Telegram's own account, which sends login codes and news."""
PLACES = ("", "chats.list.item.", "left_chats.list.item.")


@dataclass
class Talk:
    """A chat as the first reading finds it. names: of those who wrote in it or did something, with their keys."""

    file: str
    place: str
    head: dict[str, Any] = field(default_factory=dict)
    count: int = 0
    names: dict[str, set[str]] = field(default_factory=dict)
    writers: set[str] = field(default_factory=set)

    @property
    def type(self) -> str:
        kind = self.head.get("type")
        if kind == "personal_chat" and f"user{self.number}" in AUTOMATIC:
            return "bot_chat"
        return kind if isinstance(kind, str) and kind in KINDS else "private_group"

    @property
    def number(self) -> str:
        number = self.head.get("id")
        return str(number) if isinstance(number, int | str) else plain_name(self.head.get("name")).casefold()

    @property
    def key(self) -> str:
        return KINDS[self.type][1] + self.number


@dataclass
class Account:
    """What the first reading of all files finds: chats, the names and telephone numbers of people by key, bots, the owner."""

    talks: list[Talk] = field(default_factory=list)
    names: dict[str, Counter[str]] = field(default_factory=dict)
    phones: dict[str, str] = field(default_factory=dict)
    bots: set[str] = field(default_factory=lambda: set(AUTOMATIC))
    me: str = ""
    my_name: str = ""

    def find_owner(self, given: str | None) -> None:
        """Who it is where the export does not say so: whom the user names, else of a personal chat the one whose number is not
        the chat's."""
        self.bots.update(talk.key for talk in self.talks if talk.type == "bot_chat")
        found: Counter[str] = Counter()
        for talk in self.talks:
            if talk.type == "personal_chat":
                found.update(talk.writers - {talk.key} - self.bots)
            elif talk.type == "saved_messages":
                found[talk.key] += 1
        called = [key for key in found if given and _same_name(given, self.names.get(key, ()))]
        if found and not self.me:
            self.me = called[0] if len(called) == 1 else max(found, key=lambda key: (found[key], key))

    def contact(self, key: str, options: Options) -> Contact:
        known = self.names.get(key, Counter())
        names = [name for name, _ in sorted(known.items(), key=lambda item: (-item[1], item[0]))]
        me = key == self.me
        written = (name for name in names if options.me and _same_name(options.me, [name]))
        given = next(written, options.me or self.my_name or (names[0] if names else "Me")) if me else ""
        shown = given or (names[0] if names else _nameless(key))
        return Contact(key, shown, tuple(other for other in names if other != shown), self.phones.get(key, ""), me)


def _same_name(given: str, names: Iterable[str]) -> bool:
    return plain_name(given).casefold() in {name.casefold() for name in names}


def _nameless(key: str) -> str:
    for family, what in (("user", "account"), ("channel", "channel"), ("chat", "group")):
        if key.startswith(family):
            return f"Deleted {what} {key.removeprefix(family)}"
    return key


def _paths() -> dict[str, tuple[str, str]]:
    """The paths of a file that the first reading looks at: the place they belong to and what they are."""
    fields = ("messages.item", "name", "type", "id")
    said = ("type", "from", "from_id", "actor", "actor_id", "via_bot", "forwarded_from", "inline_bot_buttons")
    found = {place + what: (place, what) for place in PLACES for what in fields}
    found |= {f"{place}messages.item.{what}": (place, f"said.{what}") for place in PLACES for what in said}
    found |= {place.removesuffix("."): (place, "chat") for place in PLACES}
    mine = ("user_id", "first_name", "last_name", "phone_number")
    found |= {f"personal_information.{what}": ("mine", f"said.{what}") for what in mine}
    found |= {f"contacts.list.item.{what}": ("contact", f"said.{what}") for what in mine}
    return found | {"personal_information": ("mine", "person"), "contacts.list.item": ("contact", "person")}


def survey(files: Files, file: str, account: Account) -> None:
    """Read a file for everything but its messages."""
    paths = _paths()
    talks = {place: Talk(file, place) for place in PLACES}
    said: dict[str, Any] = {}
    for path, event, value in files.events(file):
        found = paths.get(path)
        if found is None or event == "map_key" or (event == "end_array" and path[-4:] != "item"):
            continue
        place, what = found
        if what.startswith("said."):
            said[what[5:]] = value if value is not None else event == "start_array"
        elif what == "person":
            if event == "end_map":
                _note_person(said, account, mine=place == "mine")
            said = {}
        elif what == "chat":
            if event == "start_map":
                talks[place] = Talk(file, place)
            elif event == "end_map" and (talks[place].count or talks[place].head.get("type") in KINDS):
                account.talks.append(talks[place])
        elif what == "messages.item":
            if event in ("end_map", "end_array"):
                _note_writer(said, talks[place], account)
            else:
                talks[place].count += 1
            said = {}
        elif event in ("string", "number"):
            talks[place].head[what] = value


def _note_person(said: dict[str, Any], account: Account, *, mine: bool) -> None:
    number = said.get("user_id")
    if not number or not isinstance(number, int | str):
        return
    key = f"user{number}"
    shown = plain_name(f"{plain_text(said.get('first_name'))} {plain_text(said.get('last_name'))}")
    if phone := plain_name(said.get("phone_number")):
        account.phones[key] = phone
    if mine:
        account.me, account.my_name = key, shown
    if shown:
        account.names.setdefault(key, Counter())[shown] += 1


def _note_writer(said: dict[str, Any], talk: Talk, account: Account) -> None:
    wrote = said.get("type") != "service"
    key, shown = writer(said, "from" if wrote else "actor")
    if not key:
        return
    if shown:
        account.names.setdefault(key, Counter())[shown] += 1
        talk.names.setdefault(shown.casefold(), set()).add(key)
    if wrote:
        talk.writers.add(key)
        # Only bots can put buttons under their own messages. Forwarded ones keep them, and so do those made through a bot.
        if (
            key.startswith("user")
            and said.get("inline_bot_buttons")
            and not said.get("via_bot")
            and not said.get("forwarded_from")
        ):
            account.bots.add(key)


def writer(entry: dict[str, Any], role: str) -> tuple[str, str]:
    """The key and the name of who wrote or did it; both "" where the entry does not tell."""
    number, shown = entry.get(f"{role}_id"), plain_name(entry.get(role))
    if isinstance(number, int) and not isinstance(number, bool):
        # Until 2021 the family was in the upper bits of the number.
        family = {0: "user", 1: "chat", 2: "channel"}.get(number >> 32, "user")
        return f"{family}{number & 0xFFFFFFFF}" if number >> 32 in (1, 2) else f"user{number}", shown
    return plain_name(number) or (by_name(shown) if shown else ""), shown


def by_name(shown: str) -> str:
    """The key of somebody whose number the export does not tell."""
    return f"name:{shown.casefold()}"
