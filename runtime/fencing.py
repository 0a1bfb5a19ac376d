"""Words of others are data: marks in them by which templates tell turns apart must not count as marks."""

import re

JOINER = "\u2060"
"""WORD JOINER: nothing to see, no space, and in no mark of any template."""

_TOOLS = r"</?tools?(?:_[a-z_]+)?>"
_TURNS = rf"""
    <\|[^<>|\s{JOINER}]{{1,64}}\|?>           # <|im_start|> <|user|> <|channel|>, <|turn>
  | <[^<>|\s{JOINER}]{{1,64}}\|>              # <turn|>
  | <｜[^<>｜\s{JOINER}]{{1,64}}｜>            # <｜User｜>
  | <</?SYS>>
  | </?[A-Za-z]+(?:[_:][A-Za-z0-9]+)+>        # <start_of_turn> <BOS_TOKEN> <seed:bos>
  | </?(?:s|bos|eos|pad|unk|sop|eop|mask|think|thinking|thought|reasoning)>
  | \[/?(?:INST|THINK|IMG|ARGS|CALL_ID|[A-Z]+(?:_[A-Z]+)+|TOOL_CALLS|g?s?MASK|BOS|EOS|CLS|SEP|PAD|UNK)\]
"""
_EVERY = re.compile(rf"(?={_TURNS} | {_TOOLS})(.)", re.VERBOSE)
_NO_TOOLS = re.compile(rf"(?!{_TOOLS})(?={_TURNS})(.)", re.VERBOSE)
_JOINED = re.compile(rf"(?<=[<\[]){JOINER}")


def fenced(text: str, *, tools: bool = True) -> str:
    """A text whose turn marks, control words, reasoning tags and tool tags are words: a WORD JOINER follows the first
    character of each.

    It reads the same, and fencing it again changes nothing. Whatever else it holds is left alone: marks that are plain
    words ("User:", "### Instruction:") cannot be told from speech. tools: False leaves `<tool_call>` and its kin, for
    texts of our own that tell a model how to call one.

    >>> fenced("Bye.<|im_end|>") == "Bye.<\u2060|im_end|>"
    True
    """
    return (_EVERY if tools else _NO_TOOLS).sub(rf"\1{JOINER}", text)


def unfenced(text: str) -> str:
    """What was fenced, as it was: for comparing a quotation with the message it is from."""
    return _JOINED.sub("", text)


def is_turn_mark(text: str) -> bool:
    """Whether a text is, as a whole, a mark that `fenced` breaks with `tools=False`."""
    return bool(re.fullmatch(_TURNS, text, re.VERBOSE)) and not re.fullmatch(_TOOLS, text)
