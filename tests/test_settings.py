"""Settings: where they come from, and what a wrong one is told."""

from __future__ import annotations

from dataclasses import fields

import pytest

from demijohn import SettingError, Settings
from demijohn.settings import PREFIX


def test_an_earlier_layer_wins_and_the_default_comes_last() -> None:
    read = Settings.load({"DEMIJOHN_MAX_BODY_BYTES": 5}, {"DEMIJOHN_MAX_BODY_BYTES": "6", "DEMIJOHN_STRICT": "yes"})
    assert (read.max_body_bytes, read.strict, read.unknown_query) == (5, True, "refuse")
    assert Settings.load({}) == Settings()


@pytest.mark.parametrize(
    ("text", "value"), [("1", True), ("On", True), ("FALSE", False), (" no ", False), (True, True)]
)
def test_a_switch_may_be_written_in_several_ways(text: object, value: bool) -> None:
    assert Settings.load({"DEMIJOHN_STRICT": text}).strict is value


def test_every_wrong_setting_is_told_with_what_is_allowed() -> None:
    wrong = {
        "DEMIJOHN_STRICT": "maybe",
        "DEMIJOHN_UNBOUND": "ignore",
        "DEMIJOHN_MAX_BODY_BYTES": "many",
        "DEMIJOHN_MAX_BODY_DEPTH": 0,
        "DEMIJOHN_MAX_FORM_PARTS": True,
    }
    with pytest.raises(SettingError) as caught:
        Settings.load(wrong)
    text = str(caught.value)
    assert len(caught.value.problems) == len(wrong)
    for key in wrong:
        assert f"{key}: found {wrong[key]!r}, allowed is " in text
    assert "one of refuse, 501, mock" in text


def test_every_setting_says_what_it_is_for() -> None:
    assert all(option.metadata["help"].endswith(".") for option in fields(Settings))
    assert PREFIX == "DEMIJOHN_"
