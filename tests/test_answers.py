"""What services say, as values that can be used and written."""

from __future__ import annotations

import json

import pytest

from qdmi_qiskit.answers import loads, parsed, understood
from qdmi_qiskit.errors import ConfigError, ProtocolError


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": "\\ud800"}', {"a": "?"}),
        ('{"\\udfff": [1.5, null]}', {"?": [1.5, None]}),
        (b'{"a": "\xed\xa0\x80"}', {"a": "?"}),
        ('{"a": "\ud800"}', {"a": "?"}),
        ('{"a": "\\ud83d\\ude00"}', {"a": "\U0001f600"}),
        ('{"a": "\\u00e9 é"}', {"a": "é é"}),
        ('["\\ud800", 1e400, 12345678901234567890]', ["?", 1e400, 12345678901234567890]),
    ],
)  # fmt: skip
def test_half_a_surrogate_pair_is_no_text(text, value):
    found = loads(text)
    assert found == value
    assert json.dumps(found, ensure_ascii=False).encode()


@pytest.mark.parametrize("text", ["", "{", '{"a": "\\ud8"}', "[" * 100_000, b"\xff"])
def test_what_is_no_json_is_said(text):
    with pytest.raises(ProtocolError, match="it is no JSON"):
        parsed(text, "it")


def test_our_own_errors_pass_and_others_are_ours_afterwards():
    with pytest.raises(ConfigError, match="no such key"), understood("it"):
        raise ConfigError("no such key")
    with pytest.raises(ProtocolError, match="it is not understood"), understood("it"):
        raise KeyError("key")
