"""Energies of H2 and LiH with the noise of a recorded device: each stage of mitigation by itself.

    python -m benchmarks.mitigation --seeds 3
    python -m benchmarks.mitigation --seeds 3 --large

The state is the optimum of UCCSD, its parameters rounded to 1e-6; the circuit is lowered to
`replay:grid20`. LiH has two electrons in two orbitals, on 4 qubits. `--large`: nothing against the
default alone, with LiH's two electrons in three orbitals, on 6 qubits, and all of it on 12, where
the whole UCCSD is some 1 000 CZ, of which nothing would be left: its three largest excitations.
Told are the mean of the absolute error over seeds, what the results state, and shots, calibration
apart.
"""

from __future__ import annotations

import argparse
import time
import warnings
from typing import Any

import numpy as np
from qiskit.quantum_info import Statevector
from scipy.optimize import minimize

from qdmi_qiskit import EstimatorV2, QDMIProvider
from qdmi_qiskit.chemistry import MOLECULES, Molecule, bind, build, lower, uccsd
from qdmi_qiskit.mitigation import DD, DEFAULT, ZNE, MitigatedEstimator, PostSelect, Readout, Twirl

SYMMETRIES = PostSelect({"ZZZZ": 1, "IIZZ": -1})  # two electrons, one of them alpha
STAGES: dict[str, Any] = {
    "raw": None,
    "readout (TREX)": [Readout()],
    "readout (inversion)": [Readout("inversion")],
    "postselect": [SYMMETRIES],
    "zne": [ZNE()],
    "twirl": [Twirl()],
    "dd": [DD()],
    "zne, readout": [ZNE(), Readout()],
    "zne, twirl, readout": DEFAULT,
    "the same, line": [ZNE(extrapolation="linear"), Twirl(), Readout()],
    "the same, two-qubit gates": [ZNE(gates="two"), Twirl(), Readout()],
}
_WHOLE = MOLECULES["lih"]
PROBLEMS = {
    "H2": MOLECULES["h2"],
    "LiH": Molecule("LiH", _WHOLE.atoms, _WHOLE.bond, (1, 1), 2, _WHOLE.symmetry),
}
LARGE = {
    "LiH, 6 qubits": (Molecule("LiH", _WHOLE.atoms, _WHOLE.bond, (1, 1), 3, "C2v"), 1e-6, 0.05),
    "LiH, 12 qubits": (_WHOLE, 0.05, 0.2),
}
"""Molecules, the least amplitude of an excitation, and precision."""


def problem(molecule: Molecule, device: Any, prune: float = 1e-6) -> tuple[Any, Any, float]:
    """Return an ISA circuit, the Hamiltonian on it, and the energy of its state, hartree."""
    found = build(molecule)
    ansatz, start = uccsd(found, prune=prune)
    matrix = found.hamiltonian.to_matrix(sparse=True)
    gates = ansatz.decompose(reps=2)  # an exponential of 12 qubits is no matrix to work with

    def energy(values: Any) -> float:
        state = Statevector(bind(gates, dict(zip(start, values, strict=True)))).data
        return float((state.conj() @ (matrix @ state)).real)

    best = minimize(energy, list(start.values()), tol=1e-8)
    values = np.round(best.x, 6)
    bound = bind(ansatz, dict(zip(start, values, strict=True)))
    circuit = lower(bound, device, seed=7, trials=10)
    return circuit, found.hamiltonian.apply_layout(circuit.layout), energy(values)


def main() -> None:
    """Print a row for each stage."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--precision", type=float, default=0.01)
    parser.add_argument("--large", action="store_true")
    said = parser.parse_args()
    warnings.simplefilter("ignore")
    device = QDMIProvider().get_backend("replay:grid20")
    if said.large:
        few = {key: STAGES[key] for key in ("raw", "zne, twirl, readout")}
        for name, (molecule, prune, precision) in LARGE.items():
            tell(name, problem(molecule, device, prune), device, few, said.seeds, precision)
        return
    for name, molecule in PROBLEMS.items():
        tell(name, problem(molecule, device), device, STAGES, said.seeds, said.precision)


def tell(
    name: str,
    pub: tuple[Any, Any, float],
    device: Any,
    stages: dict[str, Any],
    seeds: int,
    precision: float,
) -> None:
    """Print the rows of a molecule."""
    circuit, hamiltonian, exact = pub
    gates = circuit.num_nonlocal_gates()
    print(f"{name}: {exact:.6f} hartree, {gates} CZ, {circuit.depth()} deep", flush=True)
    for label, some in stages.items():
        begun = time.process_time()
        errors, stds, shots = [], [], 0
        for seed in range(1, seeds + 1):
            inner = EstimatorV2(device, seed=seed, shot_allocation="coefficients")
            whole: Any = inner if some is None else MitigatedEstimator(inner, some, seed=seed)
            found = whole.run([(circuit, hamiltonian)], precision=precision).result()[0]
            errors.append(1e3 * (float(found.data.evs) - exact))
            stds.append(1e3 * float(found.data.stds))
            shots += int(np.max(found.metadata["shots"])) // seeds
        print(
            f"  {label:26s} {np.abs(errors).mean():7.1f} mHa, stated {np.mean(stds):6.1f}, "
            f"{shots:8d} shots, {time.process_time() - begun:6.1f} s of CPU",
            flush=True,
        )


if __name__ == "__main__":
    main()
