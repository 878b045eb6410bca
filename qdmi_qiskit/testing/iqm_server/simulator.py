"""Executes compiled circuits on Aer, with noise from the calibration set or without.

A resonator is a qubit here. MOVE exchanges its excitation with a qubit's under an arbitrary phase,
which the second MOVE of a pair undoes; without full frame tracking it does not quite.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from qiskit import QuantumCircuit
from qiskit.circuit import Instruction
from qiskit.circuit.library import UnitaryGate
from qiskit_aer import AerSimulator
from qiskit_aer.noise import NoiseModel, QuantumError, ReadoutError

from qdmi_qiskit.devices.aer.noise import dampings, gate_error, relaxation
from qdmi_qiskit.devices.aer.programs import settled
from qdmi_qiskit.model import Figures, Site
from qdmi_qiskit.testing.iqm_server.calibration import Calibration
from qdmi_qiskit.testing.iqm_server.station import Compiled, Step

_PHASE = np.exp(0.7j)
_MOVE = np.array([[1, 0, 0, 0], [0, 0, _PHASE, 0], [0, _PHASE.conjugate(), 0, 0], [0, 0, 0, 1]])
_UNTRACKED = 0.7
# One circuit's shots by key: uint8 of shape (shots, components of the measurement).
Outcome = dict[str, npt.NDArray[np.uint8]]


@dataclass(frozen=True, slots=True)
class Settings:
    """How circuits are executed.

    Attributes:
        noise: Whether the figures of the calibration set are obeyed.
        herald: Whether shots are kept only if all qubits read 0 beforehand.
        herald_loss: Probability that heralding discards a shot; None: by the readout errors.
        tracked: Whether the phases of MOVE are looked after.
    """

    noise: bool
    herald: bool = False
    herald_loss: float | None = None
    tracked: bool = True


@lru_cache(maxsize=4096)
def _error(figures: Figures, sites: tuple[Site, ...]) -> QuantumError | None:
    """Return the error of a gate but for `_dampings`; a pair takes some 10 ms to build."""
    return gate_error(figures, sites, damping=False)


@lru_cache(maxsize=4096)
def _dampings(
    name: str, figures: Figures, sites: tuple[Site, ...]
) -> tuple[tuple[int, Instruction], ...]:
    """Return the part that has to stand in the circuit, where T2 > T1: Aer's own limit."""
    return dampings(name, figures, sites)


@lru_cache(maxsize=4096)
def _waiting(seconds: float, site: Site) -> Instruction | None:
    return relaxation(seconds, site)


def warm_up() -> None:
    """Use Aer once; its first use in two threads at a time has crashed the process."""
    circuit = QuantumCircuit(1, 1)
    circuit.measure(0, 0)
    AerSimulator(max_parallel_threads=1).run(circuit, shots=1).result()


def executed(
    compiled: Compiled,
    shots: int,
    calibration: Calibration,
    settings: Settings,
    entropy: np.random.SeedSequence,
) -> Outcome:
    """Return the shots of a circuit that heralding keeps."""
    source = np.random.default_rng(entropy)
    kept = np.ones(shots, bool)
    if settings.herald:
        loss = settings.herald_loss
        if loss is None:
            loss = _herald_loss(compiled, calibration) if settings.noise else 0.0
        kept = source.random(shots) >= loss
    measures = compiled.measures
    bits = _sampled(compiled, shots, calibration, settings, int(source.integers(2**31)))
    starts = np.cumsum([0, *(len(step.locus) for step in measures)])
    return {
        step.args["key"]: bits[kept, start : start + len(step.locus)]
        for step, start in zip(measures, starts[:-1], strict=True)
    }


def _herald_loss(compiled: Compiled, calibration: Calibration) -> float:
    """Return how often at least one of the used qubits seems to be in state 1."""
    sites = [calibration.sites[name] for name in compiled.components]
    return 1 - float(np.prod([1 - (site.prob_meas1_prep0 or 0.0) for site in sites]))


def _sampled(
    compiled: Compiled, shots: int, calibration: Calibration, settings: Settings, seed: int
) -> npt.NDArray[np.uint8]:
    """Return uint8 of shape (shots, measured components), in program order."""
    width = sum(len(step.locus) for step in compiled.measures)
    if not width:
        return np.zeros((shots, 0), np.uint8)
    index = {name: k for k, name in enumerate(compiled.components)}
    model = _noise(compiled, calibration, index) if settings.noise else None
    build = _Build(index, width, calibration if settings.noise else None, settings.tracked)
    for step in compiled.steps:
        build.add(step)
    simulator = AerSimulator(noise_model=model, max_parallel_threads=1, seed_simulator=seed)
    result = simulator.run(settled(build.circuit), shots=shots, memory=True).result()
    if not result.success:
        raise RuntimeError(f"Aer failed: {result.status}")
    mask = (1 << width) - 1
    words = [int(word, 16) & mask for word in result.data(0)["memory"]]
    digits = "".join(f"{word:0{width}b}" for word in words).encode()
    return np.frombuffer(digits, np.uint8).reshape(shots, width)[:, ::-1] - ord("0")


class _Build:
    """A Qiskit circuit in the making, one classical bit to each measured component."""

    def __init__(
        self, index: dict[str, int], width: int, noise: Calibration | None, tracked: bool
    ) -> None:
        self.circuit = QuantumCircuit(len(index), width)
        self._index, self._noise, self._tracked = index, noise, tracked
        self._bits = itertools.count()
        self._signals: dict[tuple[str, str], int] = {}
        self._away: set[str] = set()

    def add(self, step: Step) -> None:
        """Append an operation."""
        qubits = [self._index[name] for name in step.locus]
        circuit, args = self.circuit, step.args
        if step.name == "prx":
            circuit.r(args["angle"], args["phase"], qubits[0])
            self._damp(step, qubits)
        elif step.name == "cz":
            circuit.cz(*qubits)
            self._damp(step, qubits)
        elif step.name == "move":
            circuit.append(UnitaryGate(_MOVE, label="move"), qubits)
            self._damp(step, qubits)
            self._away ^= {step.locus[0]}
            if step.locus[0] not in self._away and not self._tracked:
                circuit.rz(_UNTRACKED, qubits[0])
        elif step.name == "reset":
            circuit.reset(qubits)
        elif step.name == "measure":
            self._measure(step, qubits)
        elif step.name == "cc_prx":
            bit = self._signals[args["feedback_key"], args["feedback_qubit"]]
            with circuit.if_test((circuit.clbits[bit], 1)):
                circuit.r(args["angle"], args["phase"], qubits[0])
                self._damp(step, qubits)
        elif step.name == "delay" and self._noise is not None:
            for name, qubit in zip(step.locus, qubits, strict=True):
                channel = _waiting(args["duration"], self._noise.sites[name])
                if channel is not None:
                    circuit.append(channel, [qubit])

    def _damp(self, step: Step, qubits: Sequence[int]) -> None:
        if self._noise is None:
            return
        sites = tuple(self._noise.sites[name] for name in step.locus)
        for place, channel in _dampings(_gate(step), _figures(step, self._noise), sites):
            self.circuit.append(channel, [qubits[place]])

    def _measure(self, step: Step, qubits: list[int]) -> None:
        for name, qubit in zip(step.locus, qubits, strict=True):
            bit = next(self._bits)
            self.circuit.measure(qubit, bit)
            if step.args.get("feedback_key") is not None:
                self._signals[step.args["feedback_key"], name] = bit


def _noise(compiled: Compiled, calibration: Calibration, index: dict[str, int]) -> NoiseModel:
    model = NoiseModel(["r", "cz", "unitary", "rz"])
    seen = set()
    for step in compiled.steps:
        name = _gate(step)
        key = (name, step.locus)
        if key in seen:
            continue
        seen.add(key)
        qubits = [index[component] for component in step.locus]
        sites = [calibration.sites[component] for component in step.locus]
        if name == "measure":
            for qubit, site in zip(qubits, sites, strict=True):
                wrong_one, wrong_zero = site.prob_meas1_prep0 or 0.0, site.prob_meas0_prep1 or 0.0
                matrix = [[1 - wrong_one, wrong_one], [wrong_zero, 1 - wrong_zero]]
                model.add_readout_error(ReadoutError(matrix), [qubit], warnings=False)
        elif name in ("r", "cz", "move"):
            error: QuantumError | None = _error(_figures(step, calibration), tuple(sites))
            if error is not None and not error.ideal():
                model.add_quantum_error(error, name, qubits, warnings=False)
    return model


def _gate(step: Step) -> str:
    """Return Aer's name for an operation."""
    return {"prx": "r", "cc_prx": "r"}.get(step.name, step.name)


def _figures(step: Step, calibration: Calibration) -> Figures:
    return calibration.figure("prx", step.locus) if _gate(step) == "r" else step.figures
