"""What is asked of the chemistry and cannot be: a sentence, never another molecule."""

from __future__ import annotations

import pytest

from qdmi_qiskit.chemistry import MOLECULES, build
from qdmi_qiskit.chemistry.record import Record
from qdmi_qiskit.errors import ConfigError


def test_a_bond_length_that_a_geometry_does_not_have_is_refused():
    with pytest.raises(ConfigError, match=r"H2O has a fixed geometry, .* 1\.2 was asked for"):
        build(MOLECULES["h2o"], 1.2)


def test_a_chain_stretches_as_a_whole():
    assert build(MOLECULES["h4"], 1.0).hf_energy == pytest.approx(-2.0985459370, abs=1e-8)
    # Nuclear repulsion of four protons in a row: 1 + 1 + 1 + 1/2 + 1/2 + 1/3 over the distance.
    distance = 1.5 / 0.52917721092
    assert build(MOLECULES["h4"], 1.5).constant == pytest.approx(13 / 3 / distance, abs=1e-6)


def test_a_record_in_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(ConfigError, match=r"No such file .* wanted a file that can be written"):
        Record(tmp_path / "no" / "vqe.jsonl", {})
