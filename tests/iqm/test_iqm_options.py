"""Options: where they come from, which are refused and why."""

from __future__ import annotations

import subprocess
import sys

import pytest

from qdmi_qiskit.devices.iqm.options import options_from
from qdmi_qiskit.errors import ConfigError
from qdmi_qiskit.secret import Secret

URL = "https://iqm.example.org"


def test_iqm_variables_are_honoured_and_explicit_values_win():
    environ = {
        "IQM_SERVER_URL": URL,
        "IQM_TOKEN": "dummy",
        "IQM_QUANTUM_COMPUTER": "emerald",
    }
    found = options_from({}, "", environ)
    assert (found.url, found.quantum_computer, found.token) == (
        URL,
        "emerald",
        Secret("env:IQM_TOKEN"),
    )
    assert options_from({}, "garnet", environ).quantum_computer == "garnet"
    explicit = options_from({"url": "https://other.test", "tokens_file": "/x"}, "", environ)
    assert (explicit.url, explicit.token, explicit.tokens_file) == (
        "https://other.test",
        None,
        "/x",
    )
    given = options_from({"token": Secret("env:LAB")}, "", environ | {"IQM_TOKENS_FILE": "/y"})
    assert (given.token, given.tokens_file) == (Secret("env:LAB"), None)


@pytest.mark.parametrize(
    ("options", "locator", "environ", "match"),
    [
        ({}, "", {}, "IQM_SERVER_URL"),
        ({"url": "http://iqm.example.org"}, "", {}, "https: over plain http"),
        ({"url": "ftp://x"}, "", {}, "a URL"),
        ({"url": "https://x/?y=1"}, "", {}, "without"),
        ({"url": "https://exämple.org"}, "", {}, "ASCII"),
        ({"url": URL, "quantum_computer": "emerald"}, "garnet", {}, "contradict"),
        ({"url": URL, "token": "dummy"}, "", {}, "must be a reference"),
        ({"url": URL, "token": Secret("env:A"), "tokens_file": "/x"}, "", {}, "both given"),
        ({"url": URL}, "", {"IQM_TOKEN": "a", "IQM_TOKENS_FILE": "b"}, "both set"),
        ({"url": URL, "shots": 5}, "", {}, "unknown option 'shots'"),
        ({"url": URL, "heraldin": "zeros"}, "", {}, "did you mean 'heralding'"),
        ({"url": URL, "heralding": "ones"}, "", {}, "heralding"),
        ({"url": URL, "qubit_mapping": {"a": "QB1"}}, "", {}, "initial_layout"),
        ({"url": URL, "calibration_set": "garnet"}, "", {}, "UUID"),
        ({"url": URL, "dd_strategy": {}}, "", {}, "turn it on"),
        ({"url": URL, "move_gate_validation": "none"}, "", {}, "needs move_gate_frame_tracking"),
        ({"url": URL, "active_reset_cycles": -1}, "", {}, "greater than or equal to 0"),
        ({"url": URL, "max_circuit_duration_over_t2": -0.1}, "", {}, "greater than or equal"),
    ],
)
def test_what_is_wrong_is_refused_with_a_reason(options, locator, environ, match):
    with pytest.raises(ConfigError, match=match) as caught:
        options_from(options, locator, environ)
    assert "dummy" not in str(caught.value)


@pytest.mark.parametrize("url", ["http://localhost:8000", "http://127.0.0.1", "http://[::1]:1"])
def test_plain_http_on_loopback_is_allowed(url):
    assert options_from({"url": f"{url}/"}, "", {}).url == url


def test_a_url_with_the_api_in_it_is_understood():
    assert options_from({"url": f"{URL}/api/v1/"}, "", {}).url == URL


def test_only_what_was_set_is_sent():
    assert options_from({"url": URL}, "", {}).request() == {}
    found = options_from(
        {"url": URL, "move_gate_validation": "allow_prx", "heralding": "none"}, "", {}
    )
    assert found.request() == {"move_gate_validation": "allow_prx"}


def test_the_plug_in_imports_none_of_iqms_heavy_modules():
    code = (
        "import sys, qdmi_qiskit.devices.iqm; "
        "print([m for m in ('iqm.iqm_client', 'iqm.pulse', 'pandas', 'xarray', 'scipy.signal',"
        " 'qiskit_aer') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
