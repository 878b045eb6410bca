"""QSCI on any device: sample UCCSD, diagonalise exactly the determinants that were seen.

    python examples/qsci.py --backend aer
    python examples/qsci.py --backend lab --molecule lih --shots 20000 --determinants 16

Beside the result stands its control: uniformly random bits through the same code, at the same
number of determinants. Only where the control fails does the energy say anything about the device.
Source: arXiv:2302.11320; on the limits of the method arXiv:2501.07231.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
from chemistry import CHEMICAL_ACCURACY, Problem
from determinants import determinants_from, ground_energy, in_sector, most_frequent
from vqe import (
    Parameters,
    account,
    arguments,
    at_least,
    bind,
    lower,
    prepare,
    references,
    row,
    solve,
    vqe_lines,
)

from qdmi_qiskit import SamplerV2

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from qiskit import QuantumCircuit
    from qiskit.providers import BackendV2

DRAWS = 20
"""How often the control is drawn."""


def sample(
    backend: BackendV2,
    ansatz: QuantumCircuit,
    parameters: Parameters,
    shots: int,
    seed: int | None,
) -> NDArray[np.int64]:
    """Return one determinant per shot."""
    circuit = bind(ansatz, parameters)
    # The logical qubits are measured, before any layout: clbit q is qubit q on every device.
    circuit.measure_all()
    isa = lower(circuit, backend, seed)
    sampler = SamplerV2(backend, options={"seed": seed})
    result = sampler.run([isa], shots=shots).result()[0]
    return determinants_from(result.data.meas)


def valid(problem: Problem, shots: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the shots with the right numbers of alpha and beta electrons."""
    molecule = problem.molecule
    return shots[in_sector(shots, molecule.num_orbitals, molecule.electrons)]


def select(problem: Problem, shots: NDArray[np.int64], size: int) -> dict[str, object]:
    """Post-select, keep the most frequent determinants and diagonalise them.

    The Hartree-Fock determinant is always among them and counts toward `size`: a noisy device
    may never return it.
    """
    kept = valid(problem, shots)
    chosen = most_frequent(kept, size, include=problem.hf_determinant)
    energy = ground_energy(problem.hamiltonian, chosen)
    return {
        "energy": energy,
        "error_mha": problem.error(energy),
        "determinants": len(chosen),
        "distinct_seen": len(np.unique(kept)),
        "hf_seen": bool(problem.hf_determinant in kept),
        "shots": len(shots),
        "sector_fraction": len(kept) / len(shots),
    }


def control(problem: Problem, shots: int, size: int, seed: int) -> dict[str, object]:
    """Put uniformly random bits through the same selection, `DRAWS` times.

    The Hartree-Fock determinant is included here as it is in QSCI, so that the two differ in
    where their bits come from and in nothing else; `energy_without_hf` leaves it to chance.
    """
    rng = np.random.default_rng(seed)
    draws, without = [], []
    for _ in range(DRAWS):
        bits = rng.integers(0, 1 << problem.num_qubits, size=shots, dtype=np.int64)
        draws.append(select(problem, bits, size))
        chance = most_frequent(valid(problem, bits), size)
        if len(chance):
            without.append(ground_energy(problem.hamiltonian, chance))
    errors = [draw["error_mha"] for draw in draws]
    return {
        "draws": DRAWS,
        "seed": seed,
        "determinants": min(draw["determinants"] for draw in draws),
        "energy": float(np.mean([draw["energy"] for draw in draws])),
        "error_mha": float(np.mean(errors)),
        "best_error_mha": min(errors),
        "passed": sum(error < CHEMICAL_ACCURACY for error in errors),
        "energy_without_hf": float(np.mean(without)) if without else None,
        "sector_fraction": float(np.mean([draw["sector_fraction"] for draw in draws])),
    }


def lines(problem: Problem, report: dict[str, dict[str, object]]) -> list[str]:
    """Return the report as text."""
    qsci, random, size = report["qsci"], report["control"], report["qsci"]["determinants"]
    alpha, beta = problem.molecule.electrons
    table = [
        *vqe_lines(report),
        row(f"QSCI, {size} determinants", qsci["energy"], qsci["error_mha"]),
        row(f"random control, {size} with HF", random["energy"], random["error_mha"]),
    ]
    if (bare := random["energy_without_hf"]) is not None:
        table.append(row(f"random control, {size} by chance", bare, problem.error(bare)))
    table += [
        row("exact", problem.exact_energy, 0.0),
        "",
        account(report["vqe"]),
        f"QSCI: {size} of {problem.sector_dimension} determinants "
        f"({size / problem.sector_dimension:.1%} of the sector), the most frequent of "
        f"{qsci['distinct_seen']} seen, Hartree-Fock "
        f"{'seen' if qsci['hf_seen'] else 'never seen but included'}",
        f"Sector fraction: {qsci['sector_fraction']:.4f} of {qsci['shots']} shots have {alpha} "
        f"alpha and {beta} beta electrons; of random bits {random['sector_fraction']:.4f}",
        f"Control: mean of {DRAWS} draws (seed {random['seed']}) of {qsci['shots']} uniformly "
        f"random {problem.num_qubits}-bit strings, post-selected and cut to the same number by "
        f"the same code; best draw {random['best_error_mha']:.3f} mHa",
    ]
    if random["determinants"] < size:
        table.append(f"Control: some draws held only {random['determinants']} determinants")
    if size < report["determinants_asked"]:
        table.append(f"QSCI: {report['determinants_asked']} determinants allowed, {size} seen")
    if size == problem.sector_dimension:
        table.append("QSCI: the whole sector is exact whatever the device returned")
    passed = "passes" if qsci["error_mha"] < CHEMICAL_ACCURACY else "fails"
    table.append(
        f"Within {CHEMICAL_ACCURACY} mHa of exact: QSCI {passed}; "
        f"the random control passes in {random['passed']} of {DRAWS} draws"
    )
    return table


def main() -> None:
    """Run the example."""
    parser = arguments(__doc__.partition("\n")[0], molecule="lih", maxiter=0, precision=0.01)
    parser.add_argument("--shots", type=at_least(1), default=10_000, help="shots of the sampler")
    parser.add_argument(
        "--determinants",
        type=at_least(1),
        metavar="R",
        help="determinants to keep; None: an eighth of the sector, at least 2",
    )
    options = parser.parse_args()
    backend, problem, ansatz, start = prepare(parser, options)
    size = options.determinants or max(2, problem.sector_dimension // 8)
    if size > problem.sector_dimension:
        parser.error(f"--determinants {size}: the sector has {problem.sector_dimension}")

    final, vqe = solve(backend, problem, ansatz, start, options)
    shots = sample(backend, ansatz, final, options.shots, options.seed)
    qsci = select(problem, shots, size)
    report = {
        "backend": options.backend,
        **references(problem),
        "vqe": vqe,
        "qsci": qsci,
        "determinants_asked": size,
        "control": control(problem, options.shots, qsci["determinants"], options.seed or 0),
    }
    if options.json:
        print(json.dumps(report, indent=2))
        return
    print(f"{problem.title}; backend {options.backend}\n")
    print(*lines(problem, report), sep="\n")


if __name__ == "__main__":
    main()
