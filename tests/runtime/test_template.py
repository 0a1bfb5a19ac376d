"""Chat templates shaped as those of Qwen3, SmolLM3, LFM2.5, DeepSeek-R1 and gpt-oss: with and without reasoning."""

import jinja2
import pytest

from kithnet.runtime.template import CHATML, ChatTemplate

TURNS = [{"role": "user", "content": "Which day?"}]
_TURN = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
QWEN3 = (
    _TURN + "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}"
    "{% if enable_thinking is defined and enable_thinking is false %}{{ '<think>\\n\\n</think>\\n\\n' }}{% endif %}{% endif %}"
)
QWEN3_THINKING = _TURN + "{{ '<|im_start|>assistant\\n<think>\\n' }}{# '</think>' #}"
SMOLLM3 = (
    "{% set thinking = enable_thinking | default(true) %}<|im_start|>system\nReasoning: "
    "{{ '/think' if thinking else '/no_think' }}<|im_end|>\n" + _TURN + "{{ '<|im_start|>assistant\\n' }}"
    "{% if not thinking %}{{ '<think>\\n\\n</think>\\n' }}{% endif %}"
)
LFM25 = (
    "{{ bos_token }}{% for m in messages %}{{ '<|im_start|>' + m.role + '\\n' }}"
    "{{ m.content.split('</think>')[-1] | trim }}<|im_end|>\n{% endfor %}{{ '<|im_start|>assistant\\n' }}"
)
R1 = "{{ bos_token }}{% for m in messages %}<｜User｜>{{ m.content }}{% endfor %}<｜Assistant｜><think>\n{# </think> #}"
GPT_OSS = (
    "<|start|>system<|message|># Valid channels: analysis, commentary, final.<|end|>"
    "{% for m in messages %}<|start|>{{ m.role }}<|message|>{{ m.content }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|start|>assistant{% endif %}{# <|channel|> #}"
)
GEMMA = (
    "{% if messages[0].role == 'system' %}{{ raise_exception('no system turn') }}{% endif %}"
    "{% for m in messages %}<start_of_turn>{{ m.role }}\n{{ m.content }}<end_of_turn>\n{% endfor %}"
)


def template(source: str) -> ChatTemplate:
    return ChatTemplate(source, "<s>", "</s>")


@pytest.mark.parametrize(
    ("source", "form", "end"),
    [
        (QWEN3, "tags", "assistant\n<think>\n\n</think>\n\n"),
        (QWEN3_THINKING, "tags", "assistant\n<think>\n\n</think>\n\n"),
        (SMOLLM3, "tags", "assistant\n<think>\n\n</think>\n"),
        (LFM25, "tags", "assistant\n<think>\n\n</think>\n\n"),
        (R1, "tags", "<｜Assistant｜><think>\n\n</think>\n\n"),
        (GPT_OSS, "channels", "<|start|>assistant<|channel|>final<|message|>"),
    ],
    ids=["qwen3", "qwen3-thinking", "smollm3", "lfm2.5", "r1", "gpt-oss"],
)
def test_a_closed_prompt_ends_where_the_reply_begins(source: str, form: str, end: str) -> None:
    made = template(source)
    assert made.reasoning == form
    assert made.render(TURNS, closed=True).endswith(end)
    opened = made.render(TURNS)
    assert made.opens == opened.rstrip().endswith("<think>") == (source in (QWEN3_THINKING, R1))
    assert "</think>" not in opened and "final<|message|>" not in opened


def test_smollm3_is_told_not_to_think_in_its_system_turn() -> None:
    made = template(SMOLLM3)
    assert "/no_think" in made.render(TURNS, closed=True)
    assert "/no_think" not in made.render(TURNS)


def test_a_template_that_knows_of_no_reasoning_renders_the_same_either_way() -> None:
    made = template(CHATML)
    assert made.reasoning == ""
    assert made.render(TURNS, closed=True) == made.render(TURNS)


def test_a_system_turn_that_a_template_refuses_goes_before_the_first_turn() -> None:
    made = template(GEMMA)
    text = made.render([{"role": "system", "content": "Be brief."}, *TURNS])
    assert text == "<start_of_turn>user\nBe brief.\n\nWhich day?<end_of_turn>\n"
    with pytest.raises((jinja2.TemplateError, ValueError)):
        made.render([{"role": "system", "content": "Be brief."}])
