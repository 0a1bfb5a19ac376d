"""Every setting, with its range: read once from TOML and `-c section.key=value`, then passed down frozen."""

import difflib
import json
import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import Field, dataclass, field, fields, is_dataclass
from datetime import date, datetime
from pathlib import Path
from types import NoneType
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin, get_type_hints

from kithnet.runtime.engine.kvtypes import NAMES, KvTypes
from kithnet.runtime.errors import ConfigError
from kithnet.runtime.sizes import parse_size

if TYPE_CHECKING:
    from kithnet.runtime.offload.options import ExpertOptions


def _within(default: Any, low: float, high: float = math.inf) -> Any:
    return field(default=default, metadata={"low": low, "high": high})


@dataclass(frozen=True, slots=True)
class AdapterConfig:
    """A LoRA adapter that a request may choose by its name. path: a GGUF file. scale: multiplies its own strength."""

    name: str = ""
    path: str = ""
    scale: float = _within(1.0, -100.0, 100.0)


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """name: a model of the registry, a GGUF path, or the remote model's name. url: an OpenAI-compatible base URL;
    empty runs the model here. api_key_env: the environment variable that holds the key. context: tokens of one
    conversation, 0 for the model's own. parallel: requests evaluated at once. kv_mb: megabytes that the KV cache may
    take, 0 for two contexts of tokens. kv: its precision, keys/values; auto: what `kith model kv` chose, else f16.
    threads: 0 for all cores. timeout: seconds a call may take. retries: of a call that failed in passing. mind: whether the
    model thinks for the agents, or the reader does; auto: what `kith model check` found.
    reasoning_tokens: that a model which reasons may spend on it beside a reply's own tokens. consent: the owner's yes to
    sending messages to a url that is not this machine."""

    name: str = "smollm2-135m"
    url: str = ""
    mind: Literal["auto", "model", "reader"] = "auto"
    consent: bool = False
    api_key_env: str = "OPENAI_API_KEY"
    context: int = _within(0, 0, 1 << 20)
    parallel: int = _within(16, 1, 160)
    kv_mb: float = _within(0.0, 0.0)
    kv: str = "auto"
    threads: int = _within(0, 0, 1024)
    temperature: float = _within(0.0, 0.0, 2.0)
    seed: int = _within(0, 0, (1 << 32) - 1)
    timeout: float = _within(120.0, 0.1, 86_400.0)
    retries: int = _within(4, 0, 20)
    reasoning_tokens: int = _within(2048, 0, 1 << 20)
    adapters: tuple[AdapterConfig, ...] = ()

    def __post_init__(self) -> None:
        try:
            if self.kv != "auto":
                KvTypes.parse(self.kv)
        except ConfigError as error:
            hint = f"write auto, one of {', '.join(NAMES)}, or keys/values, as in q8_0/q4_0"
            raise ConfigError(f"model.kv is {self.kv!r}: {error.message}", hint) from error


@dataclass(frozen=True, slots=True)
class ExpertsConfig:
    """Of a mixture of experts that runs here. mode: where they are: all in memory, paged by the system (mmap, or asked
    for ahead with willneed), or read from a store by need (offload); auto offloads what does not fit. memory: what they
    may take, as in 2GB; empty for what is free. policy: which leaves first. precision: high alone, or mixed, where what
    is missing may be lowered. t1, t2: unimportance up to which a missing expert is read in high, and in low precision;
    left at 1 they are those that `kith model calibrate` chose. beyond: what is done above t2. low: whether low precision
    is read by need or stays in memory. low_share: of the memory, for low precision read by need. prefetch: layers ahead
    that are predicted, 0 for none. readers: threads that read."""

    mode: Literal["auto", "memory", "mmap", "mmap+willneed", "offload"] = "auto"
    memory: str = ""
    policy: Literal["lcu", "lru", "lfu", "hobbit"] = "lcu"
    precision: Literal["high", "mixed"] = "high"
    t1: float = _within(1.0, 0.0, 1.0)
    t2: float = _within(1.0, 0.0, 1.0)
    beyond: Literal["low", "skip"] = "low"
    low: Literal["demand", "resident"] = "demand"
    low_share: float = _within(0.06, 0.0, 0.9)
    prefetch: int = _within(0, 0, 8)
    readers: int = _within(3, 1, 64)

    def __post_init__(self) -> None:
        if self.memory:
            parse_size(self.memory)

    def options(self) -> "ExpertOptions":
        """The same for `LocalModel`. A t2 below t1 counts as t1."""
        from kithnet.runtime.offload.options import ExpertOptions  # numpy, for those who run a model here

        memory = parse_size(self.memory) if self.memory else 0
        if self.precision == "high":
            return ExpertOptions(self.mode, memory, self.policy, prefetch=self.prefetch, readers=self.readers)
        return ExpertOptions(
            self.mode, memory, self.policy, self.t1, max(self.t1, self.t2), skip=self.beyond == "skip",
            resident_low=self.low == "resident", low_share=self.low_share, prefetch=self.prefetch, readers=self.readers,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class EmbedderConfig:
    """name: an embedder of the registry or a GGUF path."""

    name: str = "minilm-l6"


@dataclass(frozen=True, slots=True)
class ReaderConfig:
    """name: a trained reader of the registry or a GGUF path; "" for none: shared words decide then. sure: how likely what it found
    must answer before it is told, in [0, 1]."""

    name: str = "kith-reader"
    sure: float = _within(0.36, 0.0, 1.0)


@dataclass(frozen=True, slots=True)
class DialogueConfig:
    """max_turns: utterances of both agents. stall_turns: turns without a new fact before they stop.
    steps: moves of one turn, the last of which speaks. max_entries: that a ledger may hold. tools: compute by code over what
    the agents collect."""

    max_turns: int = _within(10, 1, 200)
    stall_turns: int = _within(3, 1, 200)
    steps: int = _within(6, 1, 32)
    max_entries: int = _within(300, 8, 2000)
    tools: bool = True


@dataclass(frozen=True, slots=True)
class ConsultConfig:
    """Third parties: how deep, how many at each step, how many in one task. depth 0 turns it off."""

    depth: int = _within(2, 0, 6)
    fan_out: int = _within(3, 1, 16)
    budget: int = _within(16, 0, 1000)


@dataclass(frozen=True, slots=True)
class RecallConfig:
    """k: hits of one recall. budget_tokens: tokens of them that reach a prompt. support: how well a memory must fit
    a question, in [0, 1], to count as evidence. firm: support below which people the question names are asked all
    the same."""

    k: int = _within(12, 1, 100)
    budget_tokens: int = _within(800, 16, 100_000)
    support: float = _within(0.4, 0.0, 1.0)
    firm: float = _within(0.6, 0.0, 1.0)


@dataclass(frozen=True, slots=True)
class MemoryConfig:
    """extract: what finds statements to remember when a session ends: rules; model: the chat model beside them; auto:
    the model if it is a capable one."""

    extract: Literal["auto", "rules", "model"] = "auto"


@dataclass(frozen=True, slots=True)
class RuleConfig:
    """One disclosure rule; the first that matches decides.

    person: who would hear it, an id or `*`. topic: words that the memory must share, empty for any. sensitivity:
    of the memory. min_tie: messages exchanged with the hearer at least. after, before: when it happened (the
    first day counts, the last does not)."""

    person: str = "*"
    topic: str = ""
    sensitivity: Literal["any", "private", "confidence"] = "any"
    min_tie: int = _within(0, 0)
    after: date | None = None
    before: date | None = None
    action: Literal["tell", "ask", "refuse"] = "ask"


@dataclass(frozen=True, slots=True)
class DisclosureConfig:
    """default_sensitive: for sensitive items that no rule names. owner: who answers an `ask`."""

    default_sensitive: Literal["tell", "ask", "refuse"] = "ask"
    owner: Literal["auto", "terminal", "web"] = "auto"
    rules: tuple[RuleConfig, ...] = ()


@dataclass(frozen=True, slots=True)
class ExecutorConfig:
    """in_flight: jobs at once."""

    in_flight: int = _within(4, 1, 256)


@dataclass(frozen=True, slots=True)
class LimitsConfig:
    """Of one run; 0 is none. Reaching one ends the run as an event, never silently. tokens_per_day: of all models behind a
    URL together, for everything that is done in a day."""

    calls: int = _within(0, 0)
    tokens: int = _within(0, 0)
    seconds: float = _within(0.0, 0.0)
    tokens_per_day: int = _within(0, 0)


@dataclass(frozen=True, slots=True)
class ServeConfig:
    """`kith serve`. host, port: where it listens; port 0 is any that is free. max_tokens, temperature: of a request
    that names none. timeout: seconds one model call may take. in_flight: requests answered at once, more are refused.
    body_bytes: of a request. inputs: texts of one embedding request. idle: seconds of silence that end a conversation
    with an agent. grace: seconds that requests may go on once the server is told to stop."""

    host: str = "127.0.0.1"
    port: int = _within(8080, 0, 65535)
    max_tokens: int = _within(1024, 1, 1 << 20)
    temperature: float = _within(0.0, 0.0, 2.0)
    timeout: float = _within(120.0, 0.1, 86_400.0)
    in_flight: int = _within(64, 1, 10_000)
    body_bytes: int = _within(4 << 20, 1024, 1 << 30)
    inputs: int = _within(256, 1, 100_000)
    idle: float = _within(900.0, 1.0, 604_800.0)
    grace: float = _within(2.0, 0.0, 600.0)


@dataclass(frozen=True, slots=True)
class Config:
    model: ModelConfig = ModelConfig()
    experts: ExpertsConfig = ExpertsConfig()
    embedder: EmbedderConfig = EmbedderConfig()
    reader: ReaderConfig = ReaderConfig()
    dialogue: DialogueConfig = DialogueConfig()
    consult: ConsultConfig = ConsultConfig()
    recall: RecallConfig = RecallConfig()
    memory: MemoryConfig = MemoryConfig()
    disclosure: DisclosureConfig = DisclosureConfig()
    executor: ExecutorConfig = ExecutorConfig()
    limits: LimitsConfig = LimitsConfig()
    serve: ServeConfig = ServeConfig()

    @classmethod
    def load(cls, path: Path | None = None, overrides: Sequence[str] = ()) -> "Config":
        """Read a TOML file (or none), then `section.key=value` overrides in their order.

        A value is TOML; what is not TOML is taken as text. Raises ConfigError for an unreadable file, an
        unknown key (with the nearest ones), a wrong type, a value out of range.
        """
        table = _read(path) if path else {}
        for override in overrides:
            _override(table, override)
        built = _build(cls, table, "")
        assert isinstance(built, cls)
        return built

    def to_toml(self) -> str:
        """Every setting as TOML; loading it gives an equal Config."""
        return "\n".join(_section(one.name, getattr(self, one.name)) for one in fields(self))


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read the settings in {path}: {error.strerror}", "check the path") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not TOML: {error}", "mend the line it names") from error


def _override(table: dict[str, Any], override: str) -> None:
    dotted, equals, text = override.partition("=")
    names = [name.strip() for name in dotted.split(".")]
    if not equals or not all(names):
        raise ConfigError(f"`{override}` is not a setting", "write -c section.key=value, as in -c recall.k=8")
    for depth, name in enumerate(names[:-1], start=1):
        inner = table.setdefault(name, {})
        if not isinstance(inner, dict):
            raise ConfigError(
                f"{'.'.join(names[:depth])} is not a section", "write -c section.key=value, as in -c recall.k=8"
            )
        table = inner
    table[names[-1]] = _Text(text.strip())


class _Text(str):
    """A value from the command line: its type is that of the setting it is for."""

    def parsed(self, kind: object) -> Any:
        try:
            value = tomllib.loads(f"value = {self}")["value"]
        except tomllib.TOMLDecodeError:
            return str(self)
        return str(self) if kind is str and not isinstance(value, str) else value


def _build(cls: type, table: Mapping[str, Any], where: str) -> Any:
    """An instance of the dataclass `cls` from a TOML table; `where` is its dotted name."""
    if not isinstance(table, dict):
        raise ConfigError(f"{where} is a section, not a value", f"write it as [{where}]")
    known: dict[str, Field[Any]] = {one.name: one for one in fields(cls)}
    hints = get_type_hints(cls)
    values: dict[str, Any] = {}
    for key, value in table.items():
        name = f"{where}.{key}" if where else key
        if key not in known:
            raise _unknown(name, key, known)
        values[key] = _value(value, hints[key], known[key], name)
    return cls(**values)


def _value(value: Any, kind: Any, one: Field[Any], name: str) -> Any:
    if isinstance(value, _Text):
        value = value.parsed(kind)
    if is_dataclass(kind):
        assert isinstance(kind, type)
        return _build(kind, value, name)
    if get_origin(kind) is tuple:
        if not isinstance(value, list):
            raise ConfigError(f"{name} must be a list of tables", f"write each as [[{name}]]")
        inner = get_args(kind)[0]
        return tuple(_build(inner, row, f"{name}[{number}]") for number, row in enumerate(value))
    if get_origin(kind) is Literal:
        if value not in get_args(kind):
            raise ConfigError(f"{name} is {value!r}; it must be {_either(get_args(kind))}", _default(one))
        return value
    if NoneType in get_args(kind):
        return _date(value, name)
    return _scalar(value, kind, one, name)


def _scalar(value: Any, kind: type, one: Field[Any], name: str) -> Any:
    if kind is bool:
        if not isinstance(value, bool):
            raise ConfigError(f"{name} is {value!r}; it must be true or false", _default(one))
        return value
    low, high = one.metadata.get("low", -math.inf), one.metadata.get("high", math.inf)
    words = {int: "a whole number", float: "a number", str: "text"}[kind] + _range(low, high)
    fits = isinstance(value, kind) or (kind is float and isinstance(value, int))
    if not fits or isinstance(value, bool):
        raise ConfigError(f"{name} is {value!r}; it must be {words}", _default(one))
    if kind is not str and not (low <= value <= high and math.isfinite(value)):
        raise ConfigError(f"{name} is {value}; it must be {words}", _default(one))
    return kind(value)


def _default(one: Field[Any]) -> str:
    default: Any = one.default
    return f"the default is {_toml(default)}"


def _range(low: float, high: float) -> str:
    if high < math.inf:
        return f" from {low} to {high}"
    return f", {low} or more" if low > -math.inf else ""


def _date(value: Any, name: str) -> date:
    if isinstance(value, str):
        try:
            return date.fromisoformat(value)
        except ValueError:
            pass  # said below, as for every other value that is not a day
    if not isinstance(value, date) or isinstance(value, datetime):
        raise ConfigError(f"{name} is {value!r}; it must be a day", "write it as 2024-05-31")
    return value


def _unknown(name: str, key: str, known: Mapping[str, object]) -> ConfigError:
    section = name.removesuffix(key)
    near = [section + one for one in difflib.get_close_matches(key, known, n=3, cutoff=0.5)]
    hint = f"did you mean {_either(near)}?" if near else f"known here: {', '.join(known)}"
    return ConfigError(f"there is no setting called {name}", hint)


def _either(names: Sequence[str]) -> str:
    return " or ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _section(name: str, section: Any) -> str:
    lines = [f"[{name}]"]
    tables: list[str] = []
    for one in fields(section):
        value = getattr(section, one.name)
        if isinstance(value, tuple):
            tables += [f"\n[[{name}.{one.name}]]\n{_pairs(row)}" for row in value]
    return "\n".join([*lines, _pairs(section), *tables]) + "\n"


def _pairs(section: Any) -> str:
    values = ((one.name, getattr(section, one.name)) for one in fields(section))
    return "\n".join(
        f"{key} = {_toml(value)}" for key, value in values if value is not None and not isinstance(value, tuple)
    )


def _toml(value: str | int | float | date) -> str:
    if isinstance(value, str):
        # JSON's escapes are TOML's; only DEL, which JSON leaves bare, TOML wants escaped.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.isoformat() if isinstance(value, date) else repr(value)
