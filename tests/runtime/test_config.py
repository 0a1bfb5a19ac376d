"""Settings: what is wrong is named, with what would be right; what is right survives the round trip."""

from dataclasses import FrozenInstanceError
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kithnet.runtime.config import (
    Config,
    DialogueConfig,
    DisclosureConfig,
    LimitsConfig,
    ModelConfig,
    RuleConfig,
)
from kithnet.runtime.errors import ConfigError

words = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
days = st.none() | st.dates()
actions = st.sampled_from(["tell", "ask", "refuse"])
rules = st.builds(
    RuleConfig,
    person=words,
    topic=words,
    sensitivity=st.sampled_from(["any", "private", "confidence"]),
    min_tie=st.integers(0, 10_000),
    after=days,
    before=days,
    action=actions,
)
configs = st.builds(
    Config,
    model=st.builds(
        ModelConfig,
        name=words,
        url=words,
        context=st.integers(0, 1 << 20),
        temperature=st.floats(0, 2),
        timeout=st.floats(0.1, 86_400),
    ),
    dialogue=st.builds(DialogueConfig, max_turns=st.integers(1, 200), tools=st.booleans()),
    disclosure=st.builds(DisclosureConfig, default_sensitive=actions, rules=st.lists(rules, max_size=3).map(tuple)),
    limits=st.builds(LimitsConfig, calls=st.integers(0, 10**12), seconds=st.floats(0, 1e12)),
)


@given(config=configs)
@settings(deadline=None)
def test_a_written_file_loads_as_the_same_config(config: Config, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("config") / "config.toml"
    path.write_text(config.to_toml(), encoding="utf-8")
    assert Config.load(path) == config


def test_defaults_need_no_file() -> None:
    config = Config.load()
    assert config == Config()
    assert (config.dialogue.max_turns, config.dialogue.stall_turns) == (10, 3)
    assert (config.consult.depth, config.consult.fan_out, config.consult.budget) == (2, 3, 16)
    assert (config.recall.k, config.recall.budget_tokens) == (12, 800)
    assert (config.disclosure.default_sensitive, config.disclosure.owner) == ("ask", "auto")


def test_an_override_wins_over_the_file_and_a_later_one_over_an_earlier(tmp_path: Path) -> None:
    path = tmp_path / "kith.toml"
    path.write_text("[recall]\nk = 4\nbudget_tokens = 200\n")
    config = Config.load(path, ["recall.k=7", "recall.k=9"])
    assert (config.recall.k, config.recall.budget_tokens) == (9, 200)


@pytest.mark.parametrize(
    ("override", "name"),
    [
        ("model.name=smollm2-135m", "smollm2-135m"),
        ("model.name=hf:owner/repo/a.gguf", "hf:owner/repo/a.gguf"),
        ('model.name="quoted"', "quoted"),
        ("model.name=7", "7"),
        ("model.name=2024-01-01", "2024-01-01"),
        ("model.name=a=b", "a=b"),
    ],
)
def test_text_on_the_command_line_needs_no_quotes(override: str, name: str) -> None:
    assert Config.load(None, [override]).model.name == name


def test_disclosure_rules_keep_their_order_and_their_days(tmp_path: Path) -> None:
    path = tmp_path / "kith.toml"
    path.write_text(
        '[[disclosure.rules]]\nperson = "ross"\ntopic = "the baby"\nbefore = 2024-05-01\naction = "tell"\n'
        '[[disclosure.rules]]\nsensitivity = "confidence"\naction = "refuse"\nafter = "2024-01-31"\n'
    )
    first, second = Config.load(path).disclosure.rules
    assert first == RuleConfig(person="ross", topic="the baby", before=date(2024, 5, 1), action="tell")
    assert second == RuleConfig(sensitivity="confidence", after=date(2024, 1, 31), action="refuse")


@pytest.mark.parametrize(
    ("override", "says", "hint"),
    [
        ("recal.k=2", "called recal", "did you mean recall"),
        ("dialogue.max_turn=2", "called dialogue.max_turn", "dialogue.max_turns"),
        ("limits.zzz=2", "called limits.zzz", "calls, tokens, seconds"),
        ("recall.k=0", "recall.k is 0; it must be a whole number from 1 to 100", "default is 12"),
        ("recall.k=many", "recall.k is 'many'; it must be a whole number", "default is 12"),
        ("recall.k=2.5", "recall.k is 2.5; it must be a whole number", "default is 12"),
        ("recall.k=true", "recall.k is True; it must be a whole number", "default is 12"),
        ("model.temperature=nan", "it must be a number from 0.0 to 2.0", "default is 0.0"),
        ("limits.calls=-1", "it must be a whole number, 0 or more", "default is 0"),
        ("limits.seconds=inf", "it must be a number, 0.0 or more", "default is 0.0"),
        ("disclosure.owner=me", "it must be auto, terminal or web", "default is"),
        ("disclosure.rules=3", "must be a list of tables", "[[disclosure.rules]]"),
        ("disclosure.rules=[3]", "disclosure.rules[0] is a section", ""),
        ("disclosure.rules=[{persn='x'}]", "disclosure.rules[0].persn", "disclosure.rules[0].person"),
        ("disclosure.rules=[{before='soon'}]", "it must be a day", "2024-05-31"),
        ("disclosure.rules=[{after=2024-01-01T10:00:00}]", "it must be a day", "2024-05-31"),
        ("recall=3", "recall is a section", "[recall]"),
        ("recall.k", "`recall.k` is not a setting", "-c section.key=value"),
        (".k=1", "is not a setting", "-c section.key=value"),
    ],
)
def test_a_wrong_setting_is_named_with_what_would_be_right(override: str, says: str, hint: str) -> None:
    with pytest.raises(ConfigError) as raised:
        Config.load(None, [override])
    assert says in raised.value.message
    assert hint in raised.value.hint
    assert raised.value.exit_status == 2


def test_an_override_below_a_value_of_the_file_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "kith.toml"
    path.write_text("recall = 3\n")
    with pytest.raises(ConfigError, match="recall is not a section"):
        Config.load(path, ["recall.k=1"])


def test_a_file_that_cannot_be_read_or_parsed_is_a_config_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot read"):
        Config.load(tmp_path / "absent.toml")
    bad = tmp_path / "bad.toml"
    bad.write_text("[recall\nk = 3\n")
    with pytest.raises(ConfigError, match="line 1"):
        Config.load(bad)
    bad.write_text("[model]\nname = 3\n")
    with pytest.raises(ConfigError, match=r"model\.name is 3; it must be text"):
        Config.load(bad)
    bad.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="not TOML"):
        Config.load(bad)


def test_a_config_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        Config().recall.k = 3  # type: ignore[misc]


def test_a_switch_is_true_or_false_and_nothing_else() -> None:
    assert Config.load(None, ["dialogue.tools=false"]).dialogue.tools is False
    with pytest.raises(ConfigError, match="true or false"):
        Config.load(None, ["dialogue.tools=1"])
