from typing import Literal

import pytest
from pydantic import BaseModel, Field, ValidationError, field_validator, model_validator

from qdmi_qiskit.config import Secret
from qdmi_qiskit.errors import ConfigError
from qdmi_qiskit.options import DeviceOptions, parse

HIDDEN = "hunter2"


class Retry(BaseModel, extra="forbid"):
    attempts: int = Field(default=3, ge=0)


class LabOptions(DeviceOptions):
    url: str = "https://x"
    timeout: float = Field(default=30.0, gt=0)
    shots: int | None = Field(default=None, ge=1)
    method: Literal["fast", "good"] = "fast"
    token: Secret | None = None
    api_key: str | None = None
    retry: Retry = Retry()
    even: int = 0
    model_name: str = ""

    @field_validator("even")
    @classmethod
    def _even(cls, value: int) -> int:
        if value % 2:
            raise ValueError("an even number")
        return value

    @model_validator(mode="after")
    def _together(self) -> "LabOptions":
        if self.method == "good" and self.shots == 1:
            raise ValueError("method='good' needs shots > 1")
        return self


class NeedsUrl(DeviceOptions):
    url: str


def refused(given, *words, model=LabOptions):
    with pytest.raises(ConfigError) as caught:
        parse(model, given, device="lab")
    message = str(caught.value)
    assert message.startswith("lab: ")
    for word in words:
        assert word in message
    assert HIDDEN not in message
    return message


def test_options_keep_their_values_and_defaults():
    options = parse(LabOptions, {"shots": "5", "token": "env:X"}, device="lab")
    assert (options.shots, options.timeout, options.token) == (5, 30.0, Secret("env:X"))
    assert options.model_fields_set == {"shots", "token"}
    assert HIDDEN not in repr(options)


def test_options_do_not_change():
    with pytest.raises(ValidationError):
        parse(LabOptions, {}, device="lab").shots = 5


def test_an_unknown_name_gets_the_nearest():
    refused({"sots": 5}, "unknown option 'sots'; did you mean 'shots'?")


def test_an_unknown_name_far_from_all_gets_the_list():
    refused({"zzz": 5}, "unknown option 'zzz'; known: url", model=NeedsUrl)


def test_the_value_of_an_unknown_name_is_not_shown():
    refused({"tokne": HIDDEN}, "did you mean 'token'?")


def test_an_unknown_name_in_a_nested_table_gets_the_nearest_there():
    refused({"retry": {"atempts": 1}}, "'retry.atempts'; did you mean 'attempts'?")


def test_a_wrong_type_says_what_came_and_what_was_wanted():
    refused({"shots": "many"}, "option 'shots' is 'many'; wanted a valid integer")


def test_a_value_out_of_bounds_says_the_bound():
    refused({"timeout": 0}, "option 'timeout' is 0; wanted greater than 0")


def test_a_wrong_choice_lists_the_choices():
    refused({"method": "best"}, "option 'method' is 'best'; wanted 'fast' or 'good'")


def test_a_value_in_a_nested_table_is_named_by_its_path():
    refused({"retry": {"attempts": -1}}, "'retry.attempts' is -1; wanted greater than or equal")


def test_a_validators_own_words_are_kept():
    refused({"even": 3}, "option 'even' is 3; wanted an even number")


def test_options_that_do_not_go_together_are_said_in_the_plugins_words():
    refused({"method": "good", "shots": 1}, "method='good' needs shots > 1")


def test_a_missing_option_is_named():
    refused({}, "option 'url' is missing", model=NeedsUrl)


def test_all_problems_come_in_one_error():
    message = refused({"sots": 5, "timeout": -1})
    assert "'sots'" in message
    assert "'timeout' is -1" in message


def test_a_long_value_is_cut():
    assert len(refused({"shots": "x" * 10000})) < 200


def test_a_literal_secret_is_refused_without_showing_it():
    refused({"token": HIDDEN}, "'token' is a secret", "env:NAME")


def test_a_secret_in_a_field_of_another_type_is_not_shown():
    refused({"api_key": "env:X"}, "option 'api_key' is wrong (not shown)", "valid string")


def test_the_models_own_error_hides_its_input():
    with pytest.raises(ValidationError) as caught:
        LabOptions(shots=HIDDEN)
    assert HIDDEN not in str(caught.value)
