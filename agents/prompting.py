"""Prompts are files: `agents/prompts/NAME.md`, rendered with strict undefined variables."""

from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from kithnet.runtime.chat import Message, ReplySpec, Traits

FOLDER = Path(__file__).parent / "prompts"


@lru_cache(maxsize=1)
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(FOLDER),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,
    )


def render(name: str, /, **inputs: Any) -> str:
    """The text of a prompt. A missing input is jinja2's UndefinedError: a defect, not a person's mistake."""
    return _environment().get_template(f"{name}.md").render(**inputs).strip()


def prompt(name: str, /, **inputs: Any) -> list[Message]:
    """A prompt as the one message that is continued."""
    return [Message("user", render(name, **inputs))]


def shaped(traits: Traits, spec: ReplySpec) -> ReplySpec:
    """The spec for this model: one that is not capable continues plain text best (AGENTS: measured)."""
    return replace(spec, raw=not traits.capable)
