"""Races against others' primitives: Aer's, Qiskit's, and of providers installed beside us."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

import numpy as np
from qiskit.primitives import (
    BackendEstimatorV2,
    BackendSamplerV2,
    StatevectorEstimator,
    StatevectorSampler,
)
from qiskit.quantum_info import Statevector
from qiskit_aer.primitives import EstimatorV2 as AerEstimatorV2
from qiskit_aer.primitives import SamplerV2 as AerSamplerV2

from benchmarks.race import Race
from benchmarks.works import ansatz, close_to, estimates, exact_means, molecule, points
from qdmi_qiskit import EstimatorV2, QDMIProvider, SamplerV2


def peer_races() -> Iterator[Race]:
    """Ours on Aer, theirs on their own simulator; the same work, checked by the same values."""
    backend = QDMIProvider().get_backend("aer")
    sampler, estimator = SamplerV2(backend), EstimatorV2(backend)
    eight = ansatz(8, 3)
    table = points(eight, 20)
    check = close_to(exact_means(eight, table), 1024)
    operator = molecule("H2")
    circuit = ansatz(operator.num_qubits, 2, measured=False)
    few = points(circuit, 5)
    wanted = [
        Statevector(circuit.assign_parameters(row)).expectation_value(operator).real for row in few
    ]
    for name, their_sampler, their_estimator in _peers():
        yield Race(
            "sampler, 8 qubits, 20 points x 1 024 shots",
            name,
            lambda: sampler.run([(eight, table)], shots=1024).result(),
            lambda s=their_sampler: s.run([(eight, table)], shots=1024).result(),
            check,
            None,
            3,
            shortcut=True,
        )
        yield Race(
            "estimator, H2 (15 terms), 5 points, precision 1/64",
            name,
            lambda: estimator.run([(circuit, operator, few)], precision=1 / 64).result(),
            lambda e=their_estimator: e.run([(circuit, operator, few)], precision=1 / 64).result(),
            estimates(np.array(wanted)),
            None,
            3,
            shortcut=True,
        )


def _peers() -> Iterator[tuple[str, Any, Any]]:
    yield "Aer's own primitives", AerSamplerV2(), AerEstimatorV2()
    yield "Qiskit's Statevector primitives", StatevectorSampler(), StatevectorEstimator()
    if find_spec("qiskit_braket_provider") is not None:
        from qiskit_braket_provider import BraketEstimator, BraketLocalBackend, BraketSampler

        local = BraketLocalBackend()
        name = "qiskit-braket-provider, local (states no stds)"
        yield name, BraketSampler(local), BraketEstimator(local)
    if find_spec("mqt") is not None and find_spec("mqt.core") is not None:
        from mqt.core.plugins.qiskit import QDMIBackend

        ddsim = QDMIBackend.from_device_id("mqt.ddsim.default")  # lists no devices, opens no cloud
        yield (
            "mqt-core on DDSIM",
            BackendSamplerV2(backend=ddsim),
            BackendEstimatorV2(backend=ddsim),
        )
