"""A model's chat template: a conversation as one text, with or without room for reasoning before the reply."""

import functools
from collections.abc import Mapping, Sequence
from typing import Literal

import jinja2
from llama_cpp.llama_chat_format import Jinja2ChatFormatter

from kithnet.runtime.reasoning import BODY, CHANNEL, CLOSE

CHATML = (
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\\n' + m['content'] + '<|im_end|>\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
OPEN = "<think>"
Turns = Sequence[Mapping[str, str]]


class ChatTemplate:
    """source: Jinja, as it stands in a GGUF. bos, eos: what the model calls the two tokens."""

    def __init__(self, source: str, bos: str, eos: str) -> None:
        self.source = source
        self._formatter = Jinja2ChatFormatter(template=source, bos_token=bos, eos_token=eos)

    @property
    def reasoning(self) -> Literal["", "tags", "channels"]:
        """In which form a model with this template reasons, as far as the template tells; empty for not at all."""
        if CHANNEL in self.source and BODY in self.source:
            return "channels"
        return "tags" if CLOSE in self.source or "enable_thinking" in self.source else ""

    @functools.cached_property
    def opens(self) -> bool:
        """Whether a prompt that is not closed ends inside a block of reasoning."""
        return self._render([{"role": "user", "content": "Hello"}], {}).rstrip().endswith(OPEN)

    def render(self, turns: Turns, *, closed: bool = False) -> str:
        """The text before the assistant's next turn. closed: the reply begins at once, after reasoning that is empty.

        A template that knows how to say so is asked to (`enable_thinking`), for others the block is closed here, or
        the channel of replies opened. Raises jinja2.TemplateError or ValueError for turns that the template refuses.
        """
        if not closed or not self.reasoning:
            return self._render(turns, {})
        text = self._render(turns, {"enable_thinking": False})
        if self.reasoning == "channels":
            return f"{text}{CHANNEL}final{BODY}"
        end = text.rstrip()
        if end.endswith(CLOSE):
            return text
        return f"{end}\n\n{CLOSE}\n\n" if end.endswith(OPEN) else f"{text}{OPEN}\n\n{CLOSE}\n\n"

    def _render(self, turns: Turns, options: Mapping[str, bool]) -> str:
        try:
            return self._formatted(turns, options)
        except (jinja2.TemplateError, ValueError):
            if len(turns) < 2 or turns[0]["role"] != "system":
                raise
            # Some templates (Gemma) refuse a system turn: its text goes before the first turn's.
            head, first, *rest = turns
            joined = {"role": first["role"], "content": f"{head['content']}\n\n{first['content']}"}
            return self._formatted([joined, *rest], options)

    def _formatted(self, turns: Turns, options: Mapping[str, bool]) -> str:
        return str(self._formatter(messages=list(turns), **options).prompt)  # type: ignore[arg-type]
