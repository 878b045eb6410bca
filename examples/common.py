"""What the chemistry scripts share: their arguments, the device and the table."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable

from qiskit import QuantumCircuit
from qiskit.providers import BackendV2

from qdmi_qiskit import QDMIProvider
from qdmi_qiskit.errors import MissingPluginError, QdmiError

try:
    from qdmi_qiskit.chemistry import MOLECULES, VQE, Outcome, Problem, build, uccsd
except MissingPluginError as missing:
    raise SystemExit(f"This example needs a package: {missing}") from missing


def at_least(low: float, kind: type = int, *, above: bool = False) -> Callable[[str], float]:
    """Return an argparse type: a number not below `low`, or `above` it."""

    def number(text: str) -> float:
        value = kind(text)
        if not (low < value < math.inf if above else low <= value < math.inf):
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
    add("--method", default="COBYLA", choices=["COBYLA", "SLSQP", "L-BFGS-B"])
    add(
        "--maxiter",
        type=at_least(0),
        default=maxiter,
        help="energies COBYLA may measure, or iterations; 0: measure the start once",
    )
    add("--start", default="ccsd", choices=["ccsd", "hf"], help="parameters of the first point")
    add(
        "--precision",
        type=at_least(0, float),
        default=precision,
        help="standard error of an energy, hartree; 0 where the device is exact",
    )
    add("--max-shots", type=at_least(1), help="budget of VQE")
    add("--record", metavar="FILE", help="go on from this record of energies, and add to it")
    add("--preview", action="store_true", help="say what VQE would take, and end")
    add("--seed", type=at_least(0), help="for devices that take one, and for transpiling")
    add("--json", action="store_true", help="print one JSON object instead of a table")
    return parser


def prepare(
    parser: argparse.ArgumentParser, options: argparse.Namespace
) -> tuple[BackendV2, Problem, QuantumCircuit, VQE, dict[str, float]]:
    """Open the backend and build the problem, its ansatz, VQE and start, or end with a sentence."""
    try:
        backend = QDMIProvider().get_backend(options.backend)
    except QdmiError as error:
        parser.error(f"--backend {options.backend}: {error}")
    try:
        problem = build(MOLECULES[options.molecule], options.bond)
    except (RuntimeError, QdmiError) as error:
        parser.error(str(error))
    if backend.num_qubits is not None and backend.num_qubits < problem.num_qubits:
        parser.error(
            f"{options.molecule} needs {problem.num_qubits} qubits, "
            f"{options.backend} has {backend.num_qubits}"
        )
    try:
        ansatz, start = uccsd(problem)
    except MissingPluginError as missing:
        raise SystemExit(f"This example needs a package: {missing}") from missing
    if options.start == "hf":
        start = dict.fromkeys(start, 0.0)
    try:
        vqe = VQE(
            backend,
            ansatz,
            problem.hamiltonian,
            maxiter=options.maxiter,
            method=options.method,
            precision=options.precision,
            max_shots=options.max_shots,
            seed=options.seed,
            record=options.record,
            callback=progress if sys.stderr.isatty() else None,
        )
    except QdmiError as error:
        parser.error(f"--{error}")
    if options.preview:
        print(f"{problem.title}; backend {options.backend}\nVQE: {vqe.preview()}")
        parser.exit()
    return backend, problem, ansatz, vqe, start


def progress(step: object) -> None:
    """Show an energy on a terminal."""
    print(f"\r{step.number:5d}  {step.energy:.6f} +- {step.error:.6f} Ha", end="", file=sys.stderr)


def solved(vqe: VQE, start: dict[str, float], problem: Problem, begin: str) -> tuple[Outcome, dict]:
    """Run VQE; return its outcome, and the report on the energy measured at the end."""
    try:
        found = vqe.run(start)
    except QdmiError as error:
        raise SystemExit(f"VQE: {error}") from error
    return found, {
        "energy": found.energy,
        "standard_error": found.error,
        "error_mha": problem.error(found.energy),
        "standard_error_mha": 1000 * found.error,
        "start": problem.method if begin == "ccsd" else "HF",
        "parameters": len(start),
        "two_qubit_gates": found.circuit.num_nonlocal_gates(),
        "evaluations": found.calls,
        "replayed": found.replayed,
        "shots": found.shots,
        "stopped": found.stopped,
    }


def references(problem: Problem) -> dict[str, object]:
    """Return the classical part of a report."""
    return {
        "molecule": problem.name,
        "qubits": problem.num_qubits,
        "sector_dimension": problem.sector_dimension,
        "hf": {"energy": problem.hf_energy, "error_mha": problem.error(problem.hf_energy)},
        "coupled_cluster": {"energy": problem.cc_energy, "method": problem.method},
        "exact": {"energy": problem.exact_energy},
    }


def row(label: str, energy: float, error_mha: float, standard_error_mha: float = 0.0) -> str:
    """Return one line of the table, with the standard error where there is one."""
    spread = f" +- {standard_error_mha:.3f}" if standard_error_mha else ""
    return f"{label:<44}{energy:>15.8f}{error_mha:>13.3f}{spread}"


def head(problem: Problem, vqe: dict) -> list[str]:
    """Return the head of the table down to the VQE energy."""
    return [
        f"{'':<44}{'energy (Ha)':>15}{'error (mHa)':>13}",
        row("Hartree-Fock", problem.hf_energy, problem.error(problem.hf_energy)),
        row(problem.method, problem.cc_energy, problem.error(problem.cc_energy)),
        row(
            "VQE, UCCSD, last point",
            vqe["energy"],
            vqe["error_mha"],
            vqe["standard_error_mha"],
        ),
    ]


def account(vqe: dict) -> str:
    """Return the sentence that says what VQE cost."""
    shots = "" if vqe["shots"] is None else f"; shots in all: {vqe['shots']}"
    known = f" ({vqe['replayed']} from the record)" if vqe["replayed"] else ""
    return (
        f"VQE: parameters: {vqe['parameters']}, started from {vqe['start']}; two-qubit gates: "
        f"{vqe['two_qubit_gates']}; energies measured: {vqe['evaluations']}{known}{shots}"
    )
