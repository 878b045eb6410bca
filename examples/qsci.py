"""QSCI on any device: sample UCCSD, diagonalise exactly the determinants that were seen.

    python examples/qsci.py --backend aer
    python examples/qsci.py --backend lab --molecule lih --shots 20000 --determinants 16

Beside the result stands its control: uniformly random bits through the same code, at the same
number of determinants. Only where the control fails does the energy say anything about the device.
Source: arXiv:2302.11320; on the limits of the method arXiv:2501.07231.
"""

from __future__ import annotations

import json
from dataclasses import asdict

from common import account, arguments, at_least, head, prepare, references, row, solved

from qdmi_qiskit import SamplerV2
from qdmi_qiskit.chemistry import (
    CHEMICAL_ACCURACY,
    Control,
    Problem,
    Spread,
    Subspace,
    batches,
    bind,
    control,
    determinants_from,
    lower,
    qsci,
    sqd,
)


def lines(
    problem: Problem, found: Subspace, spread: Spread, product: Subspace, random: Control
) -> list[str]:
    """Return the report on the subspaces as text."""
    size, sector = found.num_determinants, problem.sector_dimension
    alpha, beta = problem.electrons
    table = [
        row(f"QSCI, {size} determinants", found.energy, found.error_mha),
        row(f"random control, {size} with HF", random.energy, random.error_mha),
    ]
    if (bare := random.energy_without_hf) is not None:
        table.append(row(f"random control, {size} by chance", bare, problem.error(bare)))
    passed = "passes" if found.error_mha < CHEMICAL_ACCURACY else "fails"
    table += [
        row(f"SQD, product of dimension {product.dimension}", product.energy, product.error_mha),
        row("exact", problem.exact_energy, 0.0),
        "",
        f"QSCI: {size} of {sector} determinants ({size / sector:.1%} of the sector), the most "
        f"frequent of {found.num_seen} seen, Hartree-Fock "
        f"{'seen' if found.hf_seen else 'never seen but included'}",
        f"QSCI in {spread.batches} batches of {spread.shots} shots: "
        f"{problem.error(spread.mean):.3f} +- {1000 * spread.std:.3f} mHa each",
        f"Sector fraction: {found.sector_fraction:.4f} of {found.shots} shots have {alpha} "
        f"alpha and {beta} beta electrons; of random bits {random.sector_fraction:.4f}",
        f"Control: mean of {random.draws} draws of {found.shots} uniformly random "
        f"{problem.num_qubits}-bit strings, post-selected and cut to the same number by the same "
        f"code; best draw {random.best_error_mha:.3f} mHa",
    ]
    if random.dimension < size:
        table.append(f"Control: some draws held only {random.dimension} determinants")
    if sector in (size, product.dimension):
        table.append("The whole sector is exact whatever the device returned")
    table.append(
        f"Within {CHEMICAL_ACCURACY} mHa of exact: QSCI {passed}; "
        f"the random control passes in {random.passed} of {random.draws} draws"
    )
    return table


def main() -> None:
    """Run the example."""
    parser = arguments(__doc__.partition("\n")[0], molecule="lih", maxiter=0, precision=0.01)
    parser.add_argument("--shots", type=at_least(2), default=10_000, help="shots of the sampler")
    parser.add_argument(
        "--determinants",
        type=at_least(1),
        metavar="R",
        help="determinants to keep at most; None: half of the sector",
    )
    options = parser.parse_args()
    backend, problem, ansatz, vqe, start = prepare(parser, options)
    size = options.determinants or problem.sector_dimension // 2
    if size > problem.sector_dimension:
        parser.error(f"--determinants {size}: the sector has {problem.sector_dimension}")

    final, report = solved(vqe, start, problem, options.start)
    circuit = bind(ansatz, final.parameters)
    # The logical qubits are measured, before any layout: clbit q is qubit q on every device.
    circuit.measure_all()
    isa = lower(circuit, backend, seed=options.seed)
    sampler = SamplerV2(backend, options={"seed": options.seed})
    shots = determinants_from(sampler.run([isa], shots=options.shots).result()[0].data.meas)

    found, product = qsci(problem, shots, size), sqd(problem, shots)
    number = min(5, len(shots))
    spread = batches(problem, shots, lambda problem, part: qsci(problem, part, size), number)
    random = control(problem, found, seed=options.seed or 0)
    if options.json:
        parts = {"qsci": found, "batches": spread, "sqd": product, "control": random}
        whole = {"backend": options.backend, **references(problem), "vqe": report}
        whole |= {name: asdict(part) for name, part in parts.items()}
        print(json.dumps(whole, indent=2))
        return
    print(f"{problem.title}; backend {options.backend}\n")
    print(*head(problem, report), *lines(problem, found, spread, product, random), sep="\n")
    if found.num_determinants < size:
        print(f"QSCI: {size} determinants allowed, {found.num_determinants} seen")
    print(account(report))


if __name__ == "__main__":
    main()
