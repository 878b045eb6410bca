"""Mitigation by profile: the notebook stays as it is."""

from __future__ import annotations

import numpy as np
import pytest
from qiskit import QuantumCircuit

from qdmi_qiskit import EstimatorV2, QDMIProvider, spec_json
from qdmi_qiskit.errors import ConfigError
from tests.mitigation.devices import spec


def notebook(provider):
    backend = provider.get_backend("lab")
    circuit = QuantumCircuit(4)
    circuit.r(np.pi, 0.1, 0)
    return EstimatorV2(backend, seed=1).run([(circuit, "IIIZ")], precision=0.02).result()[0]


def test_a_profile_mitigates(tmp_path):
    (tmp_path / "line.json").write_text(spec_json.dumps(spec(readout=((0.02, 0.1),))))
    config = tmp_path / "config.toml"
    text = f'[backends.lab]\ndevice = "aer"\nnoise = "{tmp_path}/line.json"\n'
    config.write_text(text)
    plain = notebook(QDMIProvider(config=config, environ={}))
    assert abs(plain.data.evs + 0.8) < 0.1
    assert "mitigation" not in plain.metadata
    config.write_text(text + 'mitigation = ["twirl", "readout"]\n')
    found = notebook(QDMIProvider(config=config, environ={}))
    assert abs(found.data.evs + 1) < 4.5 * found.data.stds
    assert found.metadata["mitigation"]["stages"] == ["twirl", "readout"]
    config.write_text(text + 'mitigation = ["twirl", "raedout"]\n')
    with pytest.raises(ConfigError, match="did you mean 'readout'"):
        notebook(QDMIProvider(config=config, environ={}))


def test_and_so_does_a_keyword():
    backend = QDMIProvider().get_backend("aer", num_qubits=2, mitigation="zne")
    result = EstimatorV2(backend, seed=2).run([(QuantumCircuit(2), "ZZ")]).result()
    assert result[0].metadata["mitigation"]["stages"] == ["zne"]
    wrong = QDMIProvider().get_backend("aer", num_qubits=2, mitigation=True)
    with pytest.raises(ConfigError, match="wanted names of stages"):
        EstimatorV2(wrong).run([(QuantumCircuit(2), "ZZ")])


def test_nothing_is_mitigated_twice():
    from qdmi_qiskit.mitigation import MitigatedEstimator

    backend = QDMIProvider().get_backend("aer", num_qubits=2, mitigation="zne")
    with pytest.raises(ConfigError, match="already"):
        MitigatedEstimator(EstimatorV2(backend), ["zne"])
