"""Whatever a client sends, the answer is one that the server's own description promises."""

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import CHECKS

from kithnet.app.server.services import Services
from kithnet.runtime.config import ServeConfig
from kithnet.runtime.scripted import ScriptedModel

POSTED = {"/v1/chat/completions": 80, "/v1/embeddings": 40}
"""Requests made of each kind, valid and not."""
TOO_STRICT = ("positive_data_acceptance",)
"""A request may fit its schema and still contradict itself: two tools of one name."""


class Embedder:
    """Vectors of a text's length."""

    name, dim = "lengths", 2

    def embed(self, texts: Sequence[str]) -> Any:
        return np.array([[len(text), 0.5] for text in texts], np.float32)


@pytest.fixture
def described(serve: Callable[..., Any]) -> Any:
    """A server whose model says what fits no schema, and its own description."""
    replies = itertools.cycle(["Good day.", "{}", "null", "Look: <tool_call>"])
    model = ScriptedModel(lambda messages, spec: next(replies), name="m")
    live = serve(Services({"m": model}, Embedder()), ServeConfig(grace=0.1))
    return live, schemathesis.openapi.from_dict(live.http.get("/openapi.json").json())


def test_every_answer_is_as_it_is_described(described: Any) -> None:
    live, schema = described
    excluded = [CHECKS.get_one(name) for name in TOO_STRICT]
    session = requests.Session()
    session.trust_env = False
    seen = set()
    for operation in (result.ok() for result in schema.get_all_operations()):
        seen.add(operation.path)
        for mode in (
            schemathesis.GenerationMode if operation.method == "post" else [schemathesis.GenerationMode.POSITIVE]
        ):

            @settings(
                max_examples=POSTED.get(operation.path, 10), deadline=None, derandomize=True, database=None,
                phases=(Phase.generate,), suppress_health_check=list(HealthCheck),
            )  # fmt: skip
            @given(case=operation.as_strategy(generation_mode=mode))
            def holds(case: Any) -> None:
                if isinstance(case.body, dict) and isinstance(case.body.get("model"), str):
                    case.body["model"] = "lengths" if "embed" in case.path else "m"
                case.call_and_validate(base_url=live.url, session=session, excluded_checks=excluded)

            holds()
    assert seen >= {*POSTED, "/v1/models", "/health", "/metrics"}
    session.close()
