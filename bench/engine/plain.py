"""The baseline: `llama_cpp.Llama` as it comes, one prompt after another in one context."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice

import llama_cpp

from kithnet.bench.engine.paired import Setup


class Plain:
    """Reads and continues token sequences greedily. It keeps only what it evaluated last."""

    def __init__(self, llama: llama_cpp.Llama) -> None:
        self._llama = llama

    def read(self, tokens: Sequence[int]) -> None:
        """Evaluate a prompt from its first token on."""
        self._llama.reset()  # type: ignore[no-untyped-call]
        self._llama.eval(tokens)

    def write(self, tokens: Sequence[int], count: int, *, afresh: bool = True) -> int:
        """Continue a prompt by `count` tokens, end marks or not; returns how many prompt tokens were evaluated.

        afresh: evaluate the whole prompt; otherwise a common prefix with the last one is kept, as the class does.
        """
        if afresh:
            self._llama.reset()  # type: ignore[no-untyped-call]
        before = self._llama.input_ids[: self._llama.n_tokens].tolist()
        kept: int = llama_cpp.Llama.longest_token_prefix(before, tokens[:-1])
        made = list(islice(self._llama.generate(tokens, temp=0.0, repeat_penalty=1.0), count))
        assert len(made) == count
        return len(tokens) - kept


@contextmanager
def plain(setup: Setup, context: int) -> Iterator[Plain]:
    """The same file with as many threads, everything else as the class has it."""
    llama = llama_cpp.Llama(
        str(setup.model.path), n_ctx=context, n_threads=setup.threads, n_threads_batch=setup.threads, verbose=False
    )
    try:
        yield Plain(llama)
    finally:
        llama.close()
