"""Two people of one name: an id is one of them, the name is not."""

import pytest

from kithnet.memory.people import namesakes, resolve
from kithnet.memory.rows import Person
from kithnet.runtime.errors import UnknownPerson

PEOPLE = [Person("alex", "Alex"), Person("alex 2", "Alex", aliases=("Lex",)), Person("ana", "Ana Ruiz")]


def test_a_name_that_two_bear_means_neither() -> None:
    assert resolve(PEOPLE, "alex").id == "alex" and resolve(PEOPLE, "lex").id == "alex 2"
    with pytest.raises(UnknownPerson, match="may mean 2 people: alex, alex 2"):
        resolve(PEOPLE, "Alex")


def test_a_question_with_such_a_name_says_whom_it_may_mean() -> None:
    assert namesakes(PEOPLE, "Where does Alex live, and Ana Ruiz?") == {"alex": ["alex", "alex 2"]}
    assert namesakes(PEOPLE, "Where does Alexandra live?") == {} == namesakes(PEOPLE, "And Lex?")
