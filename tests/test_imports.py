"""What is imported when, seen on `sys.modules` of a fresh interpreter."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

import qdmi_qiskit

VENDORS = ("boto3", "botocore", "braket", "iqm", "submitit")
HEAVY = ("numpy", "qiskit", "qiskit_aer", "scipy", "pydantic", "click", "rich", *VENDORS)


def loaded(code: str) -> set[str]:
    """Which of HEAVY a fresh interpreter has after `code`."""
    script = f"{code}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(json.loads(ran.stdout.splitlines()[-1])) & set(HEAVY)


def test_the_package_imports_nothing():
    assert loaded("import qdmi_qiskit; qdmi_qiskit.__version__; dir(qdmi_qiskit)") == set()


@pytest.mark.parametrize(
    "code",
    [
        "from qdmi_qiskit import registry; registry.schemes()",
        "from qdmi_qiskit import config; config.resolve('aer'); config.resolve('iqm:garnet')",
        "from qdmi_qiskit import config; config.profiles(); config.files()",
    ],
)
def test_naming_devices_imports_no_vendor_and_no_qiskit(code):
    assert loaded(code) <= {"numpy"}


@pytest.mark.parametrize("name", ["SamplerV2", "EstimatorV2", "QDMIBackend", "QDMIProvider"])
def test_a_public_name_imports_qiskit_but_no_device(name):
    found = loaded(f"import qdmi_qiskit; qdmi_qiskit.{name}")
    assert "qiskit" in found
    assert found.isdisjoint({"qiskit_aer", *VENDORS})


def test_a_provider_imports_no_device_before_one_is_opened():
    code = "from qdmi_qiskit import QDMIProvider; provider = QDMIProvider()"
    assert "qiskit_aer" not in loaded(code)
    opened = loaded(f"{code}; provider.get_backend('aer')")
    assert "qiskit_aer" in opened
    assert opened.isdisjoint(VENDORS)


def test_a_plug_in_of_an_unknown_name_imports_none():
    code = (
        "from qdmi_qiskit import QDMIProvider\n"
        "try: QDMIProvider().get_backend('aerr')\n"
        "except ValueError as error: assert 'did you mean' in str(error)"
    )
    assert "qiskit_aer" not in loaded(code)


def test_all_is_exactly_what_is_public():
    assert qdmi_qiskit.__all__ == sorted(qdmi_qiskit.__all__)
    assert {*qdmi_qiskit._HOMES, "__version__"} == set(qdmi_qiskit.__all__)
    for name in qdmi_qiskit.__all__:
        assert getattr(qdmi_qiskit, name) is not None
        assert name in dir(qdmi_qiskit)
    script = "from qdmi_qiskit import *\nprint(*sorted(n for n in dir() if n not in start))"
    ran = subprocess.run(
        [sys.executable, "-c", f"start = dir() + ['start']\n{script}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert sorted(ran.stdout.split()) == qdmi_qiskit.__all__


def test_a_name_that_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'Sampler'"):
        _ = qdmi_qiskit.Sampler
