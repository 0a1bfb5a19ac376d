"""What a model's blocks are given while it reads a text: inputs of every feed-forward block."""

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
import numpy.typing as npt

from kithnet.runtime.divergence import WINDOW, windows
from kithnet.runtime.engine.context import BATCH, Context, Piece
from kithnet.runtime.errors import ConfigError, ModelUnavailable
from kithnet.runtime.hook import TensorView
from kithnet.runtime.llama import LlamaModel, default_threads

_INPUT = "ffn_norm-"


class InputRecorder:
    """A hook that keeps the normalised input of every feed-forward block. by_layer: layer to blocks of (tokens, width)."""

    def __init__(self) -> None:
        self.by_layer: dict[int, list[npt.NDArray[np.float32]]] = {}

    def wants(self, name: str) -> bool:
        return name.startswith(_INPUT) and name.removeprefix(_INPUT).isdigit()

    def computed(self, tensor: TensorView) -> None:
        self.by_layer.setdefault(int(tensor.name.removeprefix(_INPUT)), []).append(tensor.numpy().copy())


def block_inputs(model: Path, tokens: Sequence[int]) -> dict[int, npt.NDArray[np.float32]]:
    """Layer to (tokens, width). Raises ConfigError for a text of less than a window, ModelFileError."""
    if len(tokens) < WINDOW:
        raise ConfigError(f"{len(tokens)} tokens are too few to see what neurons do", f"give {WINDOW} or more")
    recorder = InputRecorder()
    with closing(LlamaModel.load(model)) as loaded:
        cells = max(WINDOW, BATCH)
        with closing(Context(loaded, cells=cells, sequences=1, threads=default_threads(), hook=recorder)) as context:
            for part in windows(loaded, tokens, WINDOW):
                context.cut(0, 0)
                if status := context.decode(
                    [Piece(0, 0, part, len(part))]
                ):  # all outputs, else the last layer drops rows
                    raise ModelUnavailable(f"llama.cpp could not evaluate a text (status {status})", "free some memory")
    return {layer: np.concatenate(blocks) for layer, blocks in recorder.by_layer.items()}
