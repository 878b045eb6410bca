"""VQE on any device: UCCSD from coupled-cluster amplitudes, energies by `EstimatorV2`.

    python examples/vqe.py --backend aer
    python examples/vqe.py --backend lab --molecule lih --maxiter 0 --precision 0.005

The device is a name and nothing else. What is reported is the energy of the last point, measured
again with its standard error: the lowest energy seen on the way is biased low by its own noise.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from chemistry import MOLECULES, Problem, build, uccsd
from qiskit import QuantumCircuit, generate_preset_pass_manager
from scipy.optimize import minimize

from qdmi_qiskit import EstimatorV2, QDMIProvider
from qdmi_qiskit.errors import QdmiError

if TYPE_CHECKING:
    from qiskit.providers import BackendV2
    from qiskit.quantum_info import SparsePauliOp

Parameters = dict[str, float]
"""Name of a circuit parameter -> its value, radians."""

FIRST_STEP, LAST_STEP = 0.1, 0.005
"""Trust region of COBYLA at the start and where it stops, radians."""


@dataclass
class Energy:
    """Measures energies on one device and keeps the account.

    Attributes:
        estimator: Opened on the backend; with a seed, each of its calls gets noise of its own.
        hamiltonian: Observable on the logical qubits.
        precision: Largest standard error allowed, hartree.
        evaluations: Energies measured so far.
        shots: Shots taken so far; None once a result does not tell.
    """

    estimator: EstimatorV2
    hamiltonian: SparsePauliOp
    precision: float
    evaluations: int = 0
    shots: int | None = field(default=0)

    def __call__(self, isa: QuantumCircuit, parameters: Parameters) -> tuple[float, float]:
        """Return energy and standard error, hartree."""
        # Lowering may reorder parameters: they are bound by name.
        values = [parameters[parameter.name] for parameter in isa.parameters]
        pub = (isa, self.hamiltonian.apply_layout(isa.layout), values)
        result = self.estimator.run([pub], precision=self.precision).result()[0]
        shots = result.metadata.get("shots")
        self.shots = None if shots is None or self.shots is None else self.shots + int(shots)
        self.evaluations += 1
        return float(result.data.evs), float(result.data.stds)


def lower(circuit: QuantumCircuit, backend: BackendV2, seed: int | None = None) -> QuantumCircuit:
    """Transpile in two stages: to one- and two-qubit gates first, then to the device.

    The first stage knows no coupling map and synthesises the exponentials of UCCSD well; in one
    go the router would see several times more gates.
    """
    basis = ["rz", "sx", "x", "cx"]
    gates = generate_preset_pass_manager(3, basis_gates=basis, seed_transpiler=seed)
    device = generate_preset_pass_manager(2, backend=backend, seed_transpiler=seed)
    return device.run(gates.run(circuit))


def bind(circuit: QuantumCircuit, parameters: Parameters) -> QuantumCircuit:
    """Bind all parameters by name."""
    values = {parameter: parameters[parameter.name] for parameter in circuit.parameters}
    return circuit.assign_parameters(values)


def optimise(energy: Energy, isa: QuantumCircuit, start: Parameters, *, maxiter: int) -> Parameters:
    """Minimise with COBYLA, at most `maxiter` energies; progress goes to a terminal only."""
    names = list(start)

    def measured(values: list[float]) -> float:
        value, error = energy(isa, dict(zip(names, map(float, values), strict=True)))
        if sys.stderr.isatty():
            print(
                f"\r{energy.evaluations:5d}/{maxiter}  {value:.6f} +- {error:.6f} Ha",
                end="",
                file=sys.stderr,
                flush=True,
            )
        return value

    options = {"rhobeg": FIRST_STEP, "maxiter": maxiter, "tol": LAST_STEP}
    found = minimize(measured, list(start.values()), method="COBYLA", options=options)
    if sys.stderr.isatty():
        print(file=sys.stderr)
    return dict(zip(names, map(float, found.x), strict=True))


def at_least(low: float, kind: type = int, *, above: bool = False) -> object:
    """Return an argparse type: a number not below `low`, or `above` it."""

    def number(text: str) -> float:
        value = kind(text)
        if not (low < value < float("inf") if above else low <= value < float("inf")):
            raise argparse.ArgumentTypeError(
                f"{text} is not a number {'above' if above else 'of at least'} {low}"
            )
        return value

    return number


def arguments(
    description: str, *, molecule: str, maxiter: int, precision: float
) -> argparse.ArgumentParser:
    """Return the arguments that both examples take."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    add = parser.add_argument
    add("--backend", default="aer", metavar="NAME", help="device or profile to run on")
    add("--molecule", default=molecule, choices=sorted(MOLECULES))
    add("--bond", type=at_least(0, float, above=True), help="bond length, angstrom")
    add(
        "--maxiter",
        type=at_least(0),
        default=maxiter,
        help="energies COBYLA may measure; 0: evaluate the start once",
    )
    add("--start", default="ccsd", choices=["ccsd", "hf"], help="parameters of the first point")
    add(
        "--precision",
        type=at_least(0, float),
        default=precision,
        help="largest standard error of an energy, hartree; 0 where the device is exact",
    )
    add("--seed", type=at_least(0), help="for devices that take one, and for transpiling")
    add("--json", action="store_true", help="print one JSON object instead of a table")
    return parser


def prepare(
    parser: argparse.ArgumentParser, options: argparse.Namespace
) -> tuple[BackendV2, Problem, QuantumCircuit, Parameters]:
    """Open the backend and build the problem, its ansatz and the start, or end with a sentence."""
    try:
        backend = QDMIProvider().get_backend(options.backend)
    except QdmiError as error:
        parser.error(f"--backend {options.backend}: {error}")
    try:
        problem = build(MOLECULES[options.molecule], options.bond)
    except RuntimeError as error:
        parser.error(str(error))
    if backend.num_qubits is not None and backend.num_qubits < problem.num_qubits:
        parser.error(
            f"{options.molecule} needs {problem.num_qubits} qubits, "
            f"{options.backend} has {backend.num_qubits}"
        )
    ansatz, start = uccsd(problem)
    if 0 < options.maxiter < len(start) + 2:
        parser.error(
            f"COBYLA needs --maxiter of at least {len(start) + 2} for {len(start)} parameters, "
            "or 0 to evaluate the start once"
        )
    if options.start == "hf":
        start = dict.fromkeys(start, 0.0)
    return backend, problem, ansatz, start


def solve(
    backend: BackendV2,
    problem: Problem,
    ansatz: QuantumCircuit,
    start: Parameters,
    options: argparse.Namespace,
) -> tuple[Parameters, dict[str, object]]:
    """Run VQE; return the final parameters and the report on the energy measured there."""
    estimator = EstimatorV2(backend, options={"seed": options.seed})
    energy = Energy(estimator, problem.hamiltonian, options.precision)
    final = start
    if options.maxiter:
        isa = lower(ansatz, backend, options.seed)
        final = optimise(energy, isa, start, maxiter=options.maxiter)
    # Bound first, the circuit lowers to about half of the gates.
    isa = lower(bind(ansatz, final), backend, options.seed)
    value, error = energy(isa, {})
    return final, {
        "energy": value,
        "standard_error": error,
        "error_mha": problem.error(value),
        "standard_error_mha": 1000 * error,
        "start": problem.method if options.start == "ccsd" else "HF",
        "parameters": len(start),
        "two_qubit_gates": isa.num_nonlocal_gates(),
        "evaluations": energy.evaluations,
        "shots": energy.shots,
    }


def references(problem: Problem) -> dict[str, object]:
    """Return the classical part of a report."""
    return {
        "molecule": problem.molecule.name,
        "bond": problem.bond,
        "qubits": problem.num_qubits,
        "sector_dimension": problem.sector_dimension,
        "hf": {"energy": problem.hf_energy, "error_mha": problem.error(problem.hf_energy)},
        "exact": {"energy": problem.exact_energy},
    }


def row(label: str, energy: float, error_mha: float, standard_error_mha: float = 0.0) -> str:
    """Return one line of the table, with the standard error where there is one."""
    spread = f" +- {standard_error_mha:.3f}" if standard_error_mha else ""
    return f"{label:<44}{energy:>15.8f}{error_mha:>13.3f}{spread}"


def vqe_lines(report: dict[str, dict[str, object]]) -> list[str]:
    """Return the head of the table down to the VQE energy."""
    vqe = report["vqe"]
    values = (vqe["energy"], vqe["error_mha"], vqe["standard_error_mha"])
    return [
        f"{'':<44}{'energy (Ha)':>15}{'error (mHa)':>13}",
        row("Hartree-Fock", report["hf"]["energy"], report["hf"]["error_mha"]),
        row("VQE, UCCSD, last point", *values),
    ]


def account(vqe: dict[str, object]) -> str:
    """Return the sentence that says what VQE cost."""
    shots = "" if vqe["shots"] is None else f"; shots in all: {vqe['shots']}"
    return (
        f"VQE: parameters: {vqe['parameters']}, started from {vqe['start']}; two-qubit gates: "
        f"{vqe['two_qubit_gates']}; energies measured: {vqe['evaluations']}{shots}"
    )


def main() -> None:
    """Run the example."""
    parser = arguments(__doc__.partition("\n")[0], molecule="h2", maxiter=30, precision=0.005)
    options = parser.parse_args()
    backend, problem, ansatz, start = prepare(parser, options)
    final, vqe = solve(backend, problem, ansatz, start, options)
    report = {"backend": options.backend, **references(problem), "vqe": vqe | {"point": final}}
    if options.json:
        print(json.dumps(report, indent=2))
        return
    print(f"{problem.title}; backend {options.backend}\n")
    print(*vqe_lines(report), row("exact", problem.exact_energy, 0.0), "", account(vqe), sep="\n")


if __name__ == "__main__":
    main()
