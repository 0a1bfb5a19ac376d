"""No path of an OwnerMemory returns anything that its owner has not sent, received or noted."""

import inspect
import random
import tempfile
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kithnet.memory.indexer import Indexer
from kithnet.memory.links import LinkType
from kithnet.memory.owner import OwnerMemory
from kithnet.memory.recall import Hit
from kithnet.memory.store import Store
from kithnet.memory.vectors import ArrayIndex, HashEmbedder
from kithnet.network.records import ChatMessage, Person
from kithnet.runtime.errors import InputError, StorageError

WORDS = ("apple", "bridge", "p1", "p2", "who", "body", "OR", "NOT", "cat", "dog", "eve", "fay")
PEOPLE = [Person(name, name.title()) for name in ("ann", "bob", "cat", "dan")]
EMBEDDER = HashEmbedder(16)

names = st.sampled_from([person.id for person in PEOPLE])
sentences = st.lists(st.sampled_from(WORDS), min_size=1, max_size=5).map(" ".join)
lines = st.lists(
    st.tuples(names, names, sentences, st.sampled_from(["s1", "s2"])).filter(lambda line: line[0] != line[1]),
    min_size=1,
    max_size=25,
)
notes = st.lists(st.tuples(names, names, sentences, st.none() | st.lists(names, max_size=2)), max_size=6)
queries = st.one_of(sentences, st.text(max_size=20), st.just('cat" OR who : p1 OR body : "dog'))


def permitted(hit: Hit, owner: str) -> bool:
    return owner in (hit.sender, *hit.receivers) if hit.kind == "message" else hit.receivers == (owner,)


@given(lines, notes, queries, names, st.booleans(), st.data())
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_no_hit_lies_outside_the_owners_view_on_any_path(
    lines: list[tuple[str, str, str, str]],
    notes: list[tuple[str, str, str, list[str] | None]],
    query: str,
    partner: str,
    hybrid: bool,
    data: st.DataObject,
) -> None:
    messages = [ChatMessage(seq, a, b, text, None, session) for seq, (a, b, text, session) in enumerate(lines)]
    index = ArrayIndex(EMBEDDER.name, EMBEDDER.dim)
    with tempfile.TemporaryDirectory() as folder, Store.create(Path(folder) / "kith.db") as store:
        store.ingest(PEOPLE, [], messages)
        for owner, about, text, audience in notes:
            store.owner(owner).remember(
                about=about, text=text, told_by=about, kind="fact", evidence=[], audience=audience
            )
        if hybrid:
            Indexer(store, index, EMBEDDER).run()
        for person in PEOPLE:
            memory = store.owner(person.id, index, EMBEDDER)
            found = memory.recall(query, partner=partner, speakers=[partner], k=50, budget=10_000)
            assert found.mode == ("hybrid" if hybrid and query.strip() else "lexical")
            assert all(permitted(hit, person.id) for hit in found.hits)
            assert all(hit.audience is None or partner in hit.audience for hit in found.hits)
            assert all(permitted(hit, person.id) for session in ("s1", "s2") for hit in memory.session(session))
            assert all(permitted(hit, person.id) for hit in memory.memories())
            own = {f"m{seq + 1}" for seq, line in enumerate(lines) if person.id in line[:2]}
            item = f"m{data.draw(st.integers(1, len(lines)))}"
            if item in own:
                assert {hit.id for hit in memory.neighbours(item, 3, 3)} <= own
            else:
                with pytest.raises(InputError):
                    memory.message(item)
                with pytest.raises(InputError):
                    memory.neighbours(item)
            heard = {line[0] for line in lines if line[1] == person.id}
            assert memory.mentions(query.split()).keys() <= heard
            assert {partner.person for partner in memory.partners()} <= {p for line in lines for p in line[:2]}


linked = st.lists(
    st.tuples(st.integers(0, 7), st.integers(0, 7), st.sampled_from(["same_topic", "causes"])), max_size=10
)


@given(st.lists(st.tuples(sentences, st.none() | st.lists(names, max_size=3)), min_size=1, max_size=8), linked, queries,
       names | st.just("a stranger"), st.booleans())  # fmt: skip
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_no_memory_reaches_a_partner_outside_its_audience_by_any_path(
    noted: list[tuple[str, list[str] | None]],
    links: list[tuple[int, int, LinkType]],
    query: str,
    partner: str,
    hybrid: bool,
) -> None:
    index = ArrayIndex(EMBEDDER.name, EMBEDDER.dim)
    with tempfile.TemporaryDirectory() as folder, Store.create(Path(folder) / "kith.db") as store:
        store.ingest(PEOPLE, [], [])
        memory = store.owner("ann", index if hybrid else None, EMBEDDER if hybrid else None)
        audiences: dict[str, list[set[str] | None]] = {}
        ids = []
        for text, audience in noted:
            kept = memory.remember(
                about="bob", text=text, told_by="bob", kind="fact", evidence=[], audience=audience, session="s"
            )
            ids.append(kept.id)
            audiences.setdefault(kept.id, []).append(None if audience is None else set(audience))
        for a, b, kind in links:
            if a < len(ids) and b < len(ids):
                memory.link(ids[a], ids[b], kind)
        if hybrid:
            Indexer(store, index, EMBEDDER).run()
        forbidden = {
            one for one, told in audiences.items() if all(who is not None and partner not in who for who in told)
        }
        found = memory.recall(query, partner=partner, k=50, budget=10_000)
        assert not forbidden & {hit.id for hit in found.hits}
        assert found.searched == len(set(ids) - forbidden)
        for one in memory.explain(query, partner=partner, k=50, budget=10_000):
            assert one.id not in forbidden or (one.text, one.kept, one.why, one.scores) == ("", False, "audience", {})
        for item in ids:
            ends = {end for link in memory.links(item, partner=partner) for end in (link.a, link.b)}
            assert not ends & forbidden


def test_random_probes_for_secrets_of_others_leak_nothing(tmp_path: Path) -> None:
    rng = random.Random(7)
    people = [Person(f"p{number}", f"Person {number}") for number in range(20)]
    secrets = {person.id: f"secret{number}word" for number, person in enumerate(people)}
    messages = []
    for seq in range(2_000):
        sender, receiver = rng.sample(people, 2)
        text = f"{rng.choice(WORDS)} {rng.choice(WORDS)}"
        if seq % 10 == 0:  # what only these two know
            text = f"{secrets[sender.id]} {secrets[receiver.id]}"
        at = datetime(2024, 1, 1) + timedelta(minutes=seq)
        messages.append(ChatMessage(seq, sender.id, receiver.id, text, at, f"s{seq // 20}"))
    with Store.create(tmp_path / "kith.db") as store:
        store.ingest(people, [], messages)
        owners = {person.id: store.owner(person.id) for person in people}
        for person, memory in owners.items():
            memory.remember(
                about=person, text=f"{secrets[person]} noted", told_by=person, kind="fact", evidence=[], audience=[]
            )
        leaks = 0
        for probe in range(300):
            owner, partner = rng.sample(people, 2)
            words = " ".join(rng.sample([*secrets.values(), *WORDS], 10))
            hits = owners[owner.id].recall(words, partner=partner.id, k=10, speakers=[partner.id]).hits
            leaks += sum(not permitted(hit, owner.id) or hit.audience == () for hit in hits)
            assert probe > 50 or hits
        assert leaks == 0


def test_no_method_of_an_owners_memory_takes_another_owner() -> None:
    for name, method in inspect.getmembers(OwnerMemory, inspect.isfunction):
        if not name.startswith("_"):
            assert not {"owner", "person", "database", "scope"} & set(inspect.signature(method).parameters), name


def test_the_read_path_cannot_write(store: Store) -> None:
    with pytest.raises(StorageError, match=r"cannot open or write"), store.database.read() as connection:
        connection.exec_driver_sql("DELETE FROM message")
    assert store.stats().messages == 12
