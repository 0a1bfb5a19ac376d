"""Reasoning parted from replies, in the forms in which Qwen3, SmolLM3, LFM2.5, DeepSeek-R1 and gpt-oss write it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kithnet.runtime.chat import ReplySpec
from kithnet.runtime.errors import ConfigError
from kithnet.runtime.reasoning import Parting, Visible, parted

QWEN3 = "<think>\nOkay, the user asks about <b>Friday</b>.\nLet me see.\n</think>\n\nThe dentist is on Friday."
QWEN3_OFF = "<think>\n\n</think>\n\nThe dentist is on Friday."
SMOLLM3 = "<think>\nFirst, Monday; then Friday.\n</think>\nThe dentist is on Friday."
LFM25 = "<think>It says Friday, so Friday.</think>\n\nThe dentist is on Friday."
R1 = "Okay, so the dentist. Friday, it says.\n</think>\n\nThe dentist is on Friday."
GPT_OSS = (
    "<|channel|>analysis<|message|>User asks for a day. Friday.<|end|>"
    "<|start|>assistant<|channel|>final<|message|>The dentist is on Friday.<|return|>"
)
GPT_OSS_TOOL = (
    "<|channel|>analysis<|message|>Say so first.<|end|><|start|>assistant<|channel|>commentary<|message|>I will look."
    '<|end|><|start|>assistant<|channel|>commentary to=functions.find <|constrain|>json<|message|>{"q": 1}<|call|>'
    "<|start|>assistant<|channel|>final<|message|>The dentist is on Friday."
)
GPT_OSS_BARE = "analysis<|message|>Friday.<|end|><|start|>assistant<|channel|>final<|message|>The dentist is on Friday."
MAGISTRAL = "[THINK]Friday?[/THINK]The dentist is on Friday."
TWICE = "<think>One.</think>\n<think>Two.</think>\n\nThe dentist is on Friday."
FORMS = {
    "qwen3": QWEN3, "qwen3-off": QWEN3_OFF, "smollm3": SMOLLM3, "lfm2.5": LFM25, "r1": R1, "gpt-oss": GPT_OSS,
    "gpt-oss-tool": GPT_OSS_TOOL, "gpt-oss-bare": GPT_OSS_BARE, "magistral": MAGISTRAL, "twice": TWICE,
}  # fmt: skip
TEXTS = (
    "Use <think> and </think> around it.",
    "a < b, <thin> and <|x|> stay",
    "Write `</think>` when you are done.",
    '{"tag": "<think>", "close": "</think>", "mark": "<|channel|>final<|message|>"}',
    '[{"a": "</think>\\n"}]',
    '  "<think>"',
    "",
    "  \n",
    "<",
    "<think",
    "The word final<|message|>",
)


def streamed(pieces: list[str], opened: bool | None, cut: bool) -> tuple[str, str]:
    parting = Parting(opened)
    shown = "".join(map(parting.feed, pieces)) + parting.finish(cut)
    assert shown == parting.text
    return shown, parting.reasoning


@pytest.mark.parametrize("form", FORMS)
def test_only_the_reply_is_shown(form: str) -> None:
    text, reasoning = parted(FORMS[form])
    assert text == "The dentist is on Friday."
    assert bool(reasoning) == (form != "qwen3-off")
    assert "think" not in reasoning.lower() and "<|" not in reasoning


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("opened", [None, False])
def test_text_that_speaks_of_marks_is_not_lost(text: str, opened: bool | None) -> None:
    assert parted(text, opened=opened) == (text, "")


@pytest.mark.parametrize("form", FORMS)
def test_however_max_tokens_cuts_no_reasoning_is_shown(form: str) -> None:
    whole = FORMS[form]
    for length in range(len(whole) + 1):
        text, _ = parted(whole[:length], opened=form == "r1", cut=True)
        assert "The dentist is on Friday.".startswith(text.rstrip()), whole[:length]


def test_a_cut_close_of_a_block_that_the_template_may_have_opened_ends_nothing_but_reasoning() -> None:
    for tail in ("</think>", "</think", "</t"):
        assert parted(f"Let me see.\n{tail}", cut=True)[0] == ""
    assert parted("Let me see.\n</", cut=True)[0] == "Let me see.\n</"


def test_what_the_template_opened_is_reasoning_to_the_close_or_to_the_end() -> None:
    assert parted(R1, opened=True) == parted(R1)
    assert parted("Hmm, let me", opened=True, cut=True) == ("", "Hmm, let me")
    assert parted("No close without opening.</think>Yes", opened=False)[1] == ""


def test_a_reply_in_a_channel_may_end_in_any_way() -> None:
    for end in ("<|return|>", "<|end|>", "", "<|ret"):
        assert parted(f"<|channel|>final<|message|>Yes.{end}", cut=True)[0] == "Yes."
    assert parted("<|start|>assistant<|message|>Yes.")[0] == "Yes."


def test_a_channel_mark_in_the_midst_of_a_text_begins_a_channel() -> None:
    text = "Hello<|end|><|start|>assistant<|channel|>analysis<|message|>hm<|end|><|channel|>final<|message|> there"
    for opened in (None, False):
        assert parted(text, opened=opened) == ("Hello there", "hm")


def test_pieces_are_shown_at_once_when_the_ways_of_the_model_are_known() -> None:
    parting = Parting(opened=False)
    assert [parting.feed(piece) for piece in ("<th", "ink>Hm", "</", "think>\n", "\nHel", "lo")] == [
        "", "", "", "", "Hel", "lo",
    ]  # fmt: skip
    assert not parting.thinking


def test_nothing_is_shown_while_a_close_may_come_until_it_is_settled() -> None:
    parting = Parting(opened=None)
    assert [parting.feed(piece) for piece in ("Let ", "me see")] == ["", ""]
    assert parting.settle() == "Let me see"
    assert parting.feed(" on.</think>") == " on.</think>"


def test_what_closes_reasoning_closes_it() -> None:
    for begun in ("<think>Hm", "[THINK]Hm", "<|channel|>analysis<|message|>Hm", "<|channel|>anal", "<think>"):
        parting = Parting()
        parting.feed(begun)
        assert parting.thinking
        parting.feed(parting.closing)
        parting.feed("Yes.")
        assert (parting.text, parting.thinking, parting.closing) == ("Yes.", False, "")


def test_stop_strings_are_looked_for_in_the_reply_alone() -> None:
    visible = Visible(stop=("\n",))
    shown = [visible.feed(piece) for piece in ("<think>one\ntwo\n</think>\n\nYe", "s\nNo", "!")]
    assert (shown, visible.finish(), visible.text, visible.stopped) == (["Ye", "s", ""], "", "Yes", "\n")
    assert visible.parting.reasoning == "one\ntwo"


def test_a_budget_below_nothing_is_out_of_range() -> None:
    with pytest.raises(ConfigError, match="reasoning_tokens"):
        ReplySpec(reasoning_tokens=-1)


MARKS = st.sampled_from([
    "<think>", "</think>", "<|channel|>", "<|message|>", "<|start|>", "<|end|>", "<|return|>", "analysis", "final",
    "assistant", "[THINK]", "[/THINK]", "\n", " ", "`", "{", "<", "<|", "a", "Yes.", "</",
])  # fmt: skip
REPLIES = st.one_of(
    st.sampled_from([*FORMS.values(), *TEXTS]),
    st.lists(MARKS, max_size=14).map("".join),
    st.text(alphabet="<|>think/aé \n{`", max_size=40),
)


@given(REPLIES, st.data(), st.sampled_from([None, False, True]), st.booleans())
def test_any_cut_into_pieces_shows_what_the_whole_shows(
    text: str, data: st.DataObject, opened: bool | None, cut: bool
) -> None:
    borders = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=12)))
    pieces = [text[a:b] for a, b in zip([0, *borders], [*borders, len(text)], strict=True)]
    assert streamed(pieces, opened, cut) == parted(text, opened=opened, cut=cut)
    assert streamed(list(text), opened, cut) == parted(text, opened=opened, cut=cut)
