"""Search in all scripts: a piece of what was said finds it, wherever it stands, among talk of the same languages."""

from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest

from kithnet.memory.lexical import terms
from kithnet.memory.owner import OwnerMemory
from kithnet.memory.store import Store
from kithnet.network.records import ChatMessage, Person, Tie

# Of each language: who, does, what: every combination of them is said by somebody.
FILLERS = [
    (("我", "妈妈", "老师"), ("今天想", "昨天没有", "下周要"), ("买水果", "看电影。", "学习中文", "去公园跑步")),
    (("私は", "母が", "先生も"), ("今日", "明日は", "週末に"), ("買い物をします", "映画を見る。", "本を読みました", "公園を走る")),
    (("ฉัน", "แม่", "ครู"), ("วันนี้จะ", "เมื่อวาน", "อยาก"), ("ซื้อผลไม้", "ดูหนัง", "อ่านหนังสือ", "วิ่งในสวน")),
    (("أنا", "أمي", "المعلم"), ("اليوم", "أمس", "غدا"), ("في السوق", "يشرب القهوة", "مع الأصدقاء", "يقرأ كتابا")),
    (("मैं", "माँ", "शिक्षक"), ("आज", "कल", "अगले हफ्ते"), ("बाज़ार में", "चाय पी", "दोस्तों के साथ", "फिल्म देखी")),
    (("나는", "엄마가", "선생님도"), ("오늘", "어제", "주말에"), ("시장에 갔다", "커피를 마셔요", "영화를 봐요", "책을 읽었다")),
    (("Ben", "Annem", "Öğretmen"), ("bugün", "dün", "haftaya"), ("pazara gitti", "kahve içti", "film izledi", "kitap okudu")),
    (("I", "Mum", "The teacher"), ("today", "yesterday", "next week"), ("at the shop", "with coffee", "a film", "reading a book")),
]  # fmt: skip
SAID = [  # what is said, and pieces of it by which it is asked for
    ("明天早上八点在火车站见面，别忘了带护照", ("火车站", "护照", "早上八点")),
    ("他终于通过了驾照考试！", ("驾照", "通过了驾照考试")),
    ("外婆做的红烧肉最好吃", ("红烧肉", "外婆")),
    ("來週三要交報告", ("報告", "週三")),
    ("来月から京都に引っ越します", ("引っ越し", "京都")),
    ("クリスマスプレゼントは自転車がいい", ("自転車", "プレゼント")),
    ("おばあちゃんの誕生日は六月です", ("誕生日", "六月")),
    ("พรุ่งนี้นัดหมอฟันตอนบ่ายสาม", ("หมอฟัน", "บ่ายสาม")),
    ("แมวตัวใหม่ของน้องชื่อส้มโอ", ("ส้มโอ", "แมว")),
    ("ولدت ابنة خالتي في المستشفى", ("مستشفى", "خالتي")),
    ("اشترينا سيارة زرقاء من دمشق", ("سيارة", "دمشق")),
    ("هل تتذكر كلمة السر؟ هي ياسمين", ("ياسمين", "كلمة السر")),
    ("दादी को अस्पताल से छुट्टी मिल गई", ("अस्पताल", "दादी")),
    ("मेरी नौकरी दिल्ली में लग गई है", ("नौकरी", "दिल्ली")),
    ("다음 달에 부산으로 이사해요", ("부산", "이사")),
    ("할머니께서 김장을 하셨다", ("김장", "할머니")),
    ("비밀번호는 고양이 이름이야", ("비밀번호", "고양이")),
    ("İstanbul'a taşınıyoruz", ("istanbul", "İSTANBUL")),
    ("IŞIK AÇIK KALMIŞ", ("ışık", "isik")),
    ("Isparta'da gül bahçesi var", ("ısparta", "gül bahçesi")),
    ("Diyarbakır karpuzu çok tatlı", ("diyarbakir", "KARPUZU")),
    ("明天的 meeting 改到三点，zoom 链接不变", ("zoom", "链接")),
    ("iPhone の充電器を忘れた", ("充電器", "iphone")),
    ("kimchi 찌개 recipe please", ("찌개", "kimchi")),
]
MIXED = [
    ("meeting 三点", "明天的 meeting 改到三点，zoom 链接不变"), ("iphone 充電器", "iPhone の充電器を忘れた"),
    ("recipe for 찌개", "kimchi 찌개 recipe please"), ("护照 passport", "明天早上八点在火车站见面，别忘了带护照"),
    ("when is the 誕生日?", "おばあちゃんの誕生日は六月です"),
]  # fmt: skip
ENGLISH = [
    ("What did she name the parrot?", "We named the parrot Captain"),
    ("naïve café", "The café was a naive idea"),
    ("running shoes", "My shoes for the run are red"),
]


@pytest.fixture(scope="module")
def memory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnerMemory]:
    said = [
        " ".join(words) if n > 2 else "".join(words) for n, parts in enumerate(FILLERS) for words in product(*parts)
    ]
    told = [
        *(text for text, _ in SAID),
        *(text for _, text in ENGLISH),
        "木",
        "🎸🎸 tonight",
        "🥦 for dinner",
        "好",
        "👋🏿 hi",
    ]
    step = len(said) // len(told)
    for place, text in enumerate(told):
        said.insert(place * (step + 1), text)
    path: Path = tmp_path_factory.mktemp("scripts") / "kith.db"
    with Store.create(path) as store:
        lines = [
            ChatMessage(n, ("a", "b")[n % 2], ("b", "a")[n % 2], one, None, f"s{n // 10}") for n, one in enumerate(said)
        ]
        store.ingest([Person("a", "Aa"), Person("b", "Bb")], [Tie("a", "b")], lines)
        yield store.owner("a")


ASKED = [(piece, text) for text, pieces in SAID for piece in pieces]


def test_a_piece_of_a_text_finds_it_first(memory: OwnerMemory) -> None:
    found = {(piece, text): memory.recall(piece, k=1).hits[:1] for piece, text in ASKED}
    wrong = {asked: hits for asked, hits in found.items() if not hits or hits[0].text != asked[1]}
    assert len(ASKED) >= 40 and not wrong
    assert memory.recall("x", k=1).searched > 280


@pytest.mark.parametrize(("query", "text"), MIXED)
def test_words_of_two_scripts_in_one_question(memory: OwnerMemory, query: str, text: str) -> None:
    assert memory.recall(query, k=1).hits[0].text == text


def test_one_character_is_found_where_it_stands(memory: OwnerMemory) -> None:
    assert memory.recall("木", k=1).hits[0].text == "木"
    assert memory.recall("护", k=1).hits[0].text == "明天早上八点在火车站见面，别忘了带护照"
    assert {hit.text for hit in memory.recall("好", k=2).hits} == {"好", "外婆做的红烧肉最好吃"}
    assert memory.recall("鸟", k=5).abstained


@pytest.mark.parametrize(("query", "text"), [("🎸", "🎸🎸 tonight"), ("🥦🥦", "🥦 for dinner"), ("👋🏽", "👋🏿 hi")])
def test_an_emoji_is_found_where_there_are_no_words(memory: OwnerMemory, query: str, text: str) -> None:
    assert memory.recall(query, k=1).hits[0].text == text
    assert [term.word for term in terms(f"see the guitar {query}")] == ["guitar"]


@pytest.mark.parametrize(("query", "text"), ENGLISH)
def test_english_is_found_by_its_stems(memory: OwnerMemory, query: str, text: str) -> None:
    assert memory.recall(query, k=1).hits[0].text == text
