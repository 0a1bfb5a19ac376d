"""The iAgents dump: read as text by a tokenizer, never executed."""

from pathlib import Path

import pytest

from kithnet.network.importers import read_iagents_sql
from kithnet.runtime.errors import RecordError

USERS = """
-- a comment; with a semicolon
/*!40101 SET @OLD = 'x;y' */;
DROP TABLE IF EXISTS `users`;
CREATE TABLE `users` (
  `id` int NOT NULL AUTO_INCREMENT, `name` varchar(255) NOT NULL, `password` varchar(255) NOT NULL,
  `picture` varchar(255) DEFAULT 'default.png', PRIMARY KEY (`id`), UNIQUE KEY `name` (`name`)
) ENGINE=InnoDB;
INSERT INTO `users` VALUES (1,'ann','hunter2',NULL),(2,'carol\\'s baby','x','a.png');
INSERT INTO users (name, id, password) VALUES ('bob', 3, 'y');
"""
FRIENDSHIPS = """
CREATE TABLE friendships (user_id INT, friend_id INT, PRIMARY KEY (user_id, friend_id));
INSERT INTO `friendships` VALUES (1,2),(2,1),(3,3);
"""
CHATS = """
CREATE TABLE `chats` (`id` int, `sender` varchar(255), `receiver` varchar(255), `message` text,
  `communication_history` text, `timestamp` timestamp NULL DEFAULT CURRENT_TIMESTAMP);
LOCK TABLES `chats` WRITE;
INSERT INTO `chats` VALUES
(1,'ann','bob','it''s \\"here\\"; INSERT INTO `users` VALUES (9,\\'eve\\')\\nnow','','2024-06-15 04:17:45'),
(2,'bob','ann','','','2024-06-15 04:18:45'), (3,'ann','ann','hm',NULL,'2024-06-15 04:19:45'),
(4,'bob','ann','C:\\\\temp, 100\\%',NULL,'2024-06-15 08:17:45');
UNLOCK TABLES;
"""


def dump(folder: Path, *parts: str) -> Path:
    path = folder / "dump.sql"
    path.write_text("".join(parts), encoding="utf-8")
    return path


def test_users_friendships_and_chats_become_a_world(tmp_path: Path) -> None:
    world = read_iagents_sql(dump(tmp_path, USERS, FRIENDSHIPS, CHATS))
    assert [person.id for person in world.people] == ["ann", "carol's baby", "bob"]
    assert [(tie.a, tie.b, tie.kind) for tie in world.ties] == [("ann", "carol's baby", "friend"), ("ann", "bob", "")]
    first, second = world.messages
    assert first.text == "it's \"here\"; INSERT INTO `users` VALUES (9,'eve')\nnow"
    assert second.text == "C:\\temp, 100%"
    assert (first.session, second.session) == ("ann & bob 1", "ann & bob 2")
    assert world.dropped == {"self-tie": 2, "empty message": 1}


def test_passwords_stay_in_the_dump(tmp_path: Path) -> None:
    assert "hunter2" not in repr(read_iagents_sql(dump(tmp_path, USERS, CHATS)))


def test_one_timestamp_for_every_chat_says_nothing_about_time(tmp_path: Path) -> None:
    chats = (
        CHATS.replace("2024-06-15 08:17:45", "2024-06-15 04:17:45").replace("04:18", "04:17").replace("04:19", "04:17")
    )
    assert [message.at for message in read_iagents_sql(dump(tmp_path, USERS, chats)).messages] == [None, None]


@pytest.mark.parametrize(
    ("parts", "row", "said"),
    [
        (("",), 0, "is empty"),
        ((USERS,), 0, "lacks the table 'chats'"),
        ((CHATS,), 0, "lacks the table 'users'"),
        ((USERS, CHATS.replace("`message` text", "`words` text")), 0, "lacks the column 'message'"),
        ((USERS, CHATS.replace("'bob','ann'", "'eve','ann'")), 2, "a chat of 'eve'"),
        ((USERS, FRIENDSHIPS.replace("(3,3)", "(3,8)"), CHATS), 3, "user 8"),
        ((USERS.replace("'bob', 3", "'ann', 3"), CHATS), 3, "'ann' is there twice, first in row 1"),
        ((USERS, CHATS.replace("(4,'bob','ann',", "(4,CONCAT('b'),'ann',")), 4, "'CONCAT'"),
        ((USERS, CHATS.replace("(4,'bob',", "(4,")), 4, "5 values here for 6 columns"),
        ((USERS, CHATS.replace("2024-06-15 08:17:45", "soon")), 4, "'soon' is not a date"),
        ((USERS, CHATS[: CHATS.index("100")]), 0, "cannot be read from line"),
        ((USERS, CHATS[: CHATS.index("UNLOCK") - 2]), 0, "ends inside a statement"),
        ((USERS, CHATS, "\0"), 0, "NUL"),
    ],
)
def test_a_broken_dump_is_told_with_its_row(tmp_path: Path, parts: tuple[str, ...], row: int, said: str) -> None:
    with pytest.raises(RecordError) as caught:
        read_iagents_sql(dump(tmp_path, *parts))
    assert said in caught.value.message
    assert caught.value.row == row
    assert caught.value.hint


def test_a_dump_that_is_not_utf8_says_how_to_convert_it(tmp_path: Path) -> None:
    path = tmp_path / "dump.sql"
    path.write_bytes(USERS.encode() + CHATS.replace("here", "caf\xe9").encode("latin1"))
    with pytest.raises(RecordError, match="not UTF-8"):
        read_iagents_sql(path)
