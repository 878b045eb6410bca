"""`qdmi show` has all that a library says, and says plainly what it cannot do."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from qdmi_qiskit.cli import cli
from qdmi_qiskit.testing.native_device import PREFIX
from tests.native.libraries import DDSIM, c_library, needs_compiler, needs_core, opened


def show(name, *arguments, **options):
    words = [part for key, value in options.items() for part in ("-o", f"{key}={value}")]
    ran = CliRunner().invoke(cli, ["show", name, *words, *arguments])
    assert ran.exit_code == 0, ran.stderr
    return ran.stdout


def made(minor=4, **options):
    return {"library": str(c_library(minor)), "prefix": PREFIX, **options}


@needs_compiler
def test_a_device_without_formats_takes_no_programs():
    text = show("native:lab", **made(custom1="no-formats"))
    assert "takes   no programs" in text
    assert "programs as" not in text
    assert "shots a program" not in text


@needs_compiler
@pytest.mark.parametrize("minor", [2, 3, 4])
def test_facts_are_in_qdmis_words_and_units(minor):
    facts = json.loads(show("native:lab", "--facts", **made(minor)))
    assert facts["minatomdistance"] == 4
    assert facts["calibration"] == "calibration-9"
    assert facts["supportedprogramformats"] == ["QASM3", "QASM2"]
    assert ("needscalibration" in facts) is (minor < 4)
    assert facts.get("childdevices") == (None if minor == 2 else 2)
    assert facts["sites"][3]["t1"] == 44000
    assert facts["sites"][3]["zcoordinate"] == 3
    assert facts["couplingmap"][2:4] == [[2, 1], [3, 0]]
    cnot = next(each for each in facts["operations"] if each["name"] == "cnot")
    assert cnot["interactionradius"] == 6
    assert cnot["sites"][4] == [3, 4]
    on = next(each for each in cnot["on"] if each["sites"] == [3, 4])
    assert on["duration"] == 134
    assert on["idlingfidelity"] == 0.9995


@needs_compiler
def test_a_device_with_zones_is_shown_in_its_own_words():
    facts = json.loads(show("native:lab", "--facts", **made(custom1="zones")))
    assert facts["sites"][7]["iszone"] is True
    assert facts["sites"][7]["xextent"] == 98
    shuttle = next(each for each in facts["operations"] if each["name"] == "shuttle")
    assert shuttle["meanshuttlingspeed"] == 55


@needs_compiler
def test_the_page_ends_with_them_in_short():
    lines = show("native:lab", **made()).splitlines()
    told = lines[next(k for k, line in enumerate(lines) if "own words" in line) :]
    assert "lengthunit               um" in told
    assert "supportedprogramformats  QASM3, QASM2" in told
    assert "sites                    7 entries" in told


@needs_compiler
def test_facts_are_part_of_the_document():
    document = json.loads(show("native:lab", "--json", **made()))
    with opened("test-1.4") as session:
        assert document["facts"] == json.loads(json.dumps(session.facts()))


@needs_core
def test_a_simulator_has_facts_as_well():
    assert json.loads(show(f"native:{DDSIM}", "--facts"))["qubitsnum"] == 65535
