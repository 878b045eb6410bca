"""The four experiments of the QCPaaS paper, on any backend by name.

1. One circuit with a mitigation of one's own composition, and a stage of one's own.
2. A batch with another mitigation for each circuit.
3. A loop of quantum machine learning with mitigated values.
4. A batch with each mitigation of the library.

    python examples/mitigation.py --backend replay:grid20 --scenario 1

Source: Tsymbalista, Katernyak, Academia Quantum 2 (2025), section 2.6.
"""

from __future__ import annotations

import argparse
import json
from typing import Any

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from qiskit.quantum_info import SparsePauliOp, Statevector

from qdmi_qiskit import EstimatorV2, QDMIProvider
from qdmi_qiskit.mitigation import DD, ZNE, MitigatedEstimator, PostSelect, Readout, Stage, Twirl

OBSERVABLE = SparsePauliOp(["ZZI", "IZZ", "XXX"], [1.0, 1.0, 0.5])


class Bounded(Stage):
    """A stage of one's own: values that no state can have are cut off."""

    name = "bounded"
    rank = 5  # outside of zne, which is 10

    def prepare(self, item: Any, context: Any) -> list[Any]:
        """Run the item as it is."""
        return [item]

    def finish(self, item: Any, outcomes: Any, context: Any) -> Any:
        """Cut the values, and say so."""
        (found,) = outcomes
        bound = [sum(abs(c) for c in terms.values()) for terms in item.observables.ravel()]
        evs = np.clip(found.evs, -max(bound), max(bound))
        told = {**found.told, "bounded": {"cut": int((evs != found.evs).sum())}}
        return type(found)(evs, found.stds, found.shots, found.circuits, told)


def chain(depth: int) -> QuantumCircuit:
    """Return a GHZ state after `depth` rounds of gates that undo each other."""
    circuit = QuantumCircuit(3, name=f"chain-{depth}")
    circuit.h(0)
    circuit.cx(0, 1)
    circuit.cx(1, 2)
    for _ in range(depth):
        for qubit in (0, 1):
            circuit.barrier()
            circuit.cx(qubit, qubit + 1)
            circuit.barrier()
            circuit.cx(qubit, qubit + 1)
    return circuit


class Lab:
    """A backend, its estimator, and what is asked of it."""

    def __init__(self, name: str, seed: int | None, precision: float) -> None:
        self.backend, self.seed, self.precision = QDMIProvider().get_backend(name), seed, precision
        options = {"seed": seed, "shot_allocation": "coefficients"}
        self.estimator = EstimatorV2(self.backend, options=options)
        self.mitigated = MitigatedEstimator(self.estimator, [], seed=seed)

    def errors(self, circuits: list[QuantumCircuit], mitigation: list[Any]) -> list[dict[str, Any]]:
        """Estimate circuits, each with its own mitigation; return how far each is off."""
        manager = self.backend.pass_manager(1, seed_transpiler=self.seed)
        pubs = []
        for circuit in circuits:
            isa = manager.run(circuit)
            pubs.append((isa, OBSERVABLE.apply_layout(isa.layout, isa.num_qubits)))
        job = self.mitigated.run(pubs, precision=self.precision, mitigation=mitigation)
        report = []
        for circuit, pub in zip(circuits, job.result(), strict=True):
            exact = Statevector(circuit).expectation_value(OBSERVABLE).real
            report.append(
                {
                    "circuit": circuit.name,
                    "stages": pub.metadata["mitigation"]["stages"],
                    "error": abs(float(pub.data.evs) - exact),
                    "stated": float(pub.data.stds),
                    "shots": pub.metadata["shots"],
                    "circuits": pub.metadata["circuits"],
                }
            )
        return report


def custom(lab: Lab) -> list[dict[str, Any]]:
    """Run one circuit with dd alone, and with zne around it and a stage of one's own around both.

    The noise of a replay has no memory, so there dd costs and gains nothing; zne sees its cost.
    """
    return lab.errors([chain(3)] * 2, [[DD("XX")], [Bounded(), ZNE((1, 2, 3)), DD("XX")]])


def batch(lab: Lab) -> list[dict[str, Any]]:
    """Run circuits of several depths, each with what suits it."""
    chosen = [["readout"], [ZNE((1, 3)), DD("XX")], [ZNE((1, 2, 3)), Twirl(4), "readout"]]
    return lab.errors([chain(depth) for depth in (0, 2, 4)], chosen)


def library(lab: Lab) -> list[dict[str, Any]]:
    """Run one circuit with every mitigation that there is."""
    chosen = [
        [],
        ["zne"],
        [Twirl(4)],
        ["readout"],
        [Readout("inversion")],
        ["dd"],
        [PostSelect({"XXX": 1})],
        [ZNE(), Twirl(4), "readout"],
    ]
    return lab.errors([chain(2)] * len(chosen), chosen)


def learn(lab: Lab, steps: int = 12) -> list[dict[str, Any]]:
    """Train a classifier of two angles on four points; mitigated values all along."""
    x, w = ParameterVector("x", 2), ParameterVector("w", 2)
    circuit = QuantumCircuit(2)
    for qubit in (0, 1):
        circuit.ry(x[qubit], qubit)
    circuit.cx(0, 1)
    for qubit in (0, 1):
        circuit.ry(w[qubit], qubit)
    isa = lab.backend.pass_manager(2, seed_transpiler=lab.seed).run(circuit)
    observable = SparsePauliOp("ZI").apply_layout(isa.layout, isa.num_qubits)
    data = np.array([[0.3, 0.2], [0.4, 2.9], [2.8, 0.3], [2.7, 2.9]])
    labels = np.array([1, -1, -1, 1])  # whether the two angles are alike
    mitigated = MitigatedEstimator(lab.estimator, [ZNE((1, 3)), DD("XX")], seed=lab.seed)
    rng, weights, report = np.random.default_rng(lab.seed), np.array([0.9, 1.3]), []

    def values(*candidates: np.ndarray) -> np.ndarray:
        # One circuit, compiled and folded once; every call only binds other numbers.
        rows = np.array([[*point, *each] for each in candidates for point in data])
        order = {name.name: k for k, name in enumerate([*x, *w])}
        table = rows[:, [order[parameter.name] for parameter in isa.parameters]]
        found = mitigated.run([(isa, observable, table)], precision=0.05).result()[0].data.evs
        return found.reshape(len(candidates), len(data))

    for step in range(steps):
        shift = 0.3 * rng.choice([-1, 1], 2)
        here, up, down = ((values(weights, weights + shift, weights - shift) - labels) ** 2).mean(1)
        report.append({"step": step, "loss": float(here), "weights": weights.tolist()})
        weights = weights - 0.25 * (up - down) / (2 * shift)
    found = values(weights)[0]
    report.append({"weights": weights.tolist(), "right": int((np.sign(found) == labels).sum())})
    return report


SCENARIOS = {"1": custom, "2": batch, "3": learn, "4": library}


def main() -> None:
    """Run the example."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--backend", default="replay:grid20")
    parser.add_argument("--scenario", choices=SCENARIOS, default="1")
    parser.add_argument("--seed", type=int)
    parser.add_argument("--precision", type=float, default=0.02)
    options = parser.parse_args()
    lab = Lab(options.backend, options.seed, options.precision)
    print(json.dumps(SCENARIOS[options.scenario](lab), indent=2))


if __name__ == "__main__":
    main()
