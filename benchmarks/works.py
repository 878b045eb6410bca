"""The works of the table: what is done, by whom, and what must come out."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from qiskit import QuantumCircuit, qasm3
from qiskit.circuit.library import efficient_su2
from qiskit.primitives import BackendEstimatorV2, BackendSamplerV2, BitArray
from qiskit.quantum_info import SparsePauliOp, Statevector
from qiskit.transpiler import InstructionProperties, Target
from qiskit_aer import AerSimulator
from qiskit_aer.noise import NoiseModel, depolarizing_error
from qiskit_aer.primitives import EstimatorV2 as AerEstimatorV2

from benchmarks.race import Race
from qdmi_qiskit import EstimatorV2, QDMIBackend, QDMIProvider, SamplerV2, bits
from qdmi_qiskit.device import Job, Session
from qdmi_qiskit.formats import CircuitCodec
from qdmi_qiskit.model import (
    Capabilities,
    DeviceSpec,
    Figures,
    JobStatus,
    Operation,
    Shots,
    Site,
    Task,
)
from qdmi_qiskit.target import target_from

RNG = np.random.default_rng(5)


def ansatz(num_qubits: int, reps: int, *, measured: bool = True) -> QuantumCircuit:
    circuit = efficient_su2(num_qubits, reps=reps).decompose()
    if measured:
        circuit.measure_all()
    return circuit


def points(circuit: QuantumCircuit, number: int) -> np.ndarray:
    return np.random.default_rng(3).uniform(-np.pi, np.pi, (number, circuit.num_parameters))


def binds(circuit: QuantumCircuit, table: np.ndarray) -> list[dict[Any, list[float]]]:
    return [dict(zip(circuit.parameters, table.T.tolist(), strict=True))]


def close_to(wanted: np.ndarray, shots: int) -> Callable[[Any], None]:
    """Each point's mean of each bit within 6 sigma of the exact one."""

    def check(outcome: Any) -> None:
        if isinstance(outcome, list):  # dictionaries of counts
            n = wanted.shape[1]
            means = np.array([_means(counts, n) for counts in outcome])
        else:
            array = np.unpackbits(outcome[0].data.meas.array, axis=-1)[..., ::-1]
            means = array[..., : wanted.shape[1]].mean(axis=-2).reshape(wanted.shape)
        sigma = np.sqrt(np.maximum(wanted * (1 - wanted), 1 / shots) / shots)
        worst = float((np.abs(means - wanted) / sigma).max())
        assert worst < 6, f"off by {worst:.1f} sigma"

    return check


def _means(counts: dict[str, int], n: int) -> list[float]:
    total = sum(counts.values())
    return [sum(v for k, v in counts.items() if k[n - 1 - q] == "1") / total for q in range(n)]


def exact_means(circuit: QuantumCircuit, table: np.ndarray, noise: Any = None) -> np.ndarray:
    """Each qubit's chance of 1 at each point, by Qiskit or, under noise, by density matrices."""
    plain = circuit.remove_final_measurements(inplace=False)
    matrices = AerSimulator(method="density_matrix", noise_model=noise)
    rows = []
    for row in table:
        bound = plain.assign_parameters(row)
        if noise is None:
            chances = Statevector(bound).probabilities()
        else:
            bound.save_probabilities()
            chances = matrices.run(bound, shots=1).result().data()["probabilities"]
        rows.append(
            [
                chances[(np.arange(len(chances)) >> q & 1) == 1].sum()
                for q in range(plain.num_qubits)
            ]
        )
    return np.array(rows)


def sampler_races() -> Iterator[Race]:
    aer, ours = AerSimulator(), QDMIProvider().get_backend("aer")
    sampler, theirs = SamplerV2(ours), BackendSamplerV2(backend=aer)
    eight = ansatz(8, 3)
    table = points(eight, 1000)
    wanted = exact_means(eight, table)

    def go() -> Any:
        return sampler.run([(eight, table)], shots=1024).result()

    def direct(circuit: QuantumCircuit, values: np.ndarray, simulator: AerSimulator = aer) -> Any:
        job = simulator.run([circuit], parameter_binds=binds(circuit, values), shots=1024)
        return job.result().get_counts()

    name = "sampler, 8 qubits, 1 000 points x 1 024 shots"
    check = close_to(wanted, 1024)
    yield Race(
        name,
        "BackendSamplerV2(Aer)",
        go,
        lambda: theirs.run([(eight, table)], shots=1024).result(),
        check,
        0.10,
        3,
        shortcut=True,
    )
    yield Race(
        name,
        "Aer.run(parameter_binds).get_counts()",
        go,
        lambda: direct(eight, table),
        check,
        0.25,
        3,
        shortcut=True,
    )
    patient = SamplerV2(QDMIProvider().get_backend("aer", sample_states=False))
    yield Race(
        name + ", Aer's own shots",
        "BackendSamplerV2(Aer)",
        lambda: patient.run([(eight, table)], shots=1024).result(),
        lambda: theirs.run([(eight, table)], shots=1024).result(),
        check,
        None,
        3,
    )
    wide = ansatz(16, 2)
    few = points(wide, 20)
    yield Race(
        "sampler, 16 qubits, 20 points",
        "Aer.run(parameter_binds).get_counts()",
        lambda: sampler.run([(wide, few)], shots=1024).result(),
        lambda: direct(wide, few),
        close_to(exact_means(wide, few), 1024),
        0.90,
        7,
        shortcut=True,
    )
    bell = QuantumCircuit(2)
    bell.h(0)
    bell.cx(0, 1)
    bell.measure_all()
    yield Race(
        "one Bell circuit, 1 000 shots",
        "Aer.run(qc).result().get_counts()",
        lambda: sampler.run([bell], shots=1000).result(),
        lambda: [aer.run(bell, shots=1000).result().get_counts()],
        close_to(np.array([[0.5, 0.5]]), 1000),
        1.25,
        15,
        20,
        shortcut=True,
    )
    yield Race(
        "the same",
        "BackendSamplerV2(Aer)",
        lambda: sampler.run([bell], shots=1000).result(),
        lambda: theirs.run([bell], shots=1000).result(),
        close_to(np.array([[0.5, 0.5]]), 1000),
        0.45,
        15,
        20,
        shortcut=True,
    )
    noise = NoiseModel(basis_gates=["r", "cx"])
    noise.add_all_qubit_quantum_error(depolarizing_error(0.01, 2), ["cx"])
    noise.add_basis_gates(["ry", "rz", "rx", "x", "sx", "p"])
    noisy = AerSimulator(noise_model=noise)
    mine = SamplerV2(QDMIProvider().get_backend("aer", noise=noise))
    hundred = table[:100]
    yield Race(
        "sampler through shots (noise), 8 qubits, 100 points",
        "Aer.run(parameter_binds).get_counts()",
        lambda: mine.run([(eight, hundred)], shots=1024).result(),
        lambda: direct(eight, hundred, noisy),
        close_to(exact_means(eight, hundred, noise), 1024),
        1.15,
        7,
    )


def molecule(name: str) -> SparsePauliOp:
    """A molecular Hamiltonian in STO-3G, Jordan-Wigner, its constant left out."""
    from qiskit_nature.second_q.drivers import PySCFDriver
    from qiskit_nature.second_q.mappers import JordanWignerMapper

    atoms = {
        "H2": "H 0 0 0; H 0 0 0.735",
        "LiH": "Li 0 0 0; H 0 0 1.595",
        "H2O": "O 0 0 0; H 0 0.7569503273 0.5858822766; H 0 -0.7569503273 0.5858822766",
    }
    problem = PySCFDriver(atom=atoms[name], basis="sto3g").run()
    operator = JordanWignerMapper().map(problem.hamiltonian.second_q_op())
    return SparsePauliOp(operator.paulis, operator.coeffs.real)


def estimates(wanted: np.ndarray, sigmas: float = 6.0) -> Callable[[Any], None]:
    """Each value within 6 of the stds that come with it; without any, of the precision asked."""

    def check(result: Any) -> None:
        data = result[0].data
        error = np.abs(data.evs - wanted)
        stated = getattr(data, "stds", None)
        if stated is not None and not np.any(stated):
            assert error.max() < 1e-9, f"states stds of 0 and is off by up to {error.max():.2g}"
            return
        stds = np.full(error.shape, 1 / 64) if stated is None else np.maximum(stated, 1e-9)
        worst = float((error / stds).max())
        assert worst < sigmas, f"off by {worst:.1f} of the stds that it states or was asked for"

    return check


def estimator_races() -> Iterator[Race]:
    aer, ours = AerSimulator(), EstimatorV2(QDMIProvider().get_backend("aer"))
    theirs, aers = BackendEstimatorV2(backend=aer), AerEstimatorV2()
    for name, size, limit, rounds in (("H2", 200, 0.02, 3), ("LiH", 20, 0.04, 3)):
        operator = molecule(name)
        circuit = ansatz(operator.num_qubits, 2, measured=False)
        table = points(circuit, size)
        wanted = np.array(
            [
                Statevector(circuit.assign_parameters(row)).expectation_value(operator).real
                for row in table
            ]
        )
        pubs = [(circuit, operator, table)]
        work = f"estimator, {name} ({len(operator)} terms), {size} points, precision 1/64"
        yield Race(
            work,
            "BackendEstimatorV2(Aer)",
            lambda p=pubs: ours.run(p, precision=1 / 64).result(),
            lambda p=pubs: theirs.run(p, precision=1 / 64).result(),
            estimates(wanted),
            limit,
            rounds,
            shortcut=True,
        )
        if name == "LiH":
            yield Race(
                "estimator, LiH, 20 points, exact",
                "Aer's EstimatorV2, exact",
                lambda p=pubs: ours.run(p, precision=0).result(),
                lambda p=pubs: aers.run(p, precision=0).result(),
                lambda r, w=wanted: np.testing.assert_allclose(r[0].data.evs, w, atol=1e-8),
                0.20,
                5,
            )


class AtOnce(Session):
    """A device that answers at once with fixed bits: what is left is the framework's own cost."""

    def __init__(self, num_qubits: int) -> None:
        self._num_qubits = num_qubits

    def spec(self) -> DeviceSpec:
        names = {
            "rz": 1,
            "sx": 1,
            "x": 1,
            "h": 1,
            "sdg": 1,
            "ry": 1,
            "r": 1,
            "p": 1,
            "cx": 2,
            "measure": 1,
        }
        return DeviceSpec(
            name="at once",
            version="1",
            sites=tuple(Site(k) for k in range(self._num_qubits)),
            operations=tuple(Operation(name, size) for name, size in names.items()),
            capabilities=Capabilities(
                formats=("qiskit",), sweeps=True, max_executables=None, mixed_shots=True
            ),
        )

    def submit(self, tasks: Sequence[Task], *, key: str) -> Job:
        return AnsweredJob(key, tasks)


class AnsweredJob(Job):
    def __init__(self, key: str, tasks: Sequence[Task]) -> None:
        self.id, self._tasks = key, tasks

    def status(self) -> JobStatus:
        return JobStatus.DONE

    def result(self) -> tuple[Shots, ...]:
        return tuple(
            Shots(np.zeros((t.points, t.shots, bits.num_bytes(t.num_bits)), np.uint8), t.num_bits)
            for t in self._tasks
        )


def at_once_backend(num_qubits: int) -> Any:
    """The same for Qiskit's own primitives: a BackendV2 that answers at once."""
    from qiskit.providers import BackendV2, Options
    from qiskit.providers.job import JobV1
    from qiskit.result import Result

    class Answered(JobV1):
        def __init__(self, backend: Any, result: Any) -> None:
            super().__init__(backend, "id")
            self._result = result

        def submit(self) -> None: ...
        def result(self) -> Any:
            return self._result

        def status(self) -> Any: ...

    class Backend(BackendV2):
        @property
        def target(self) -> Any:
            return aer.target

        @property
        def max_circuits(self) -> None:
            return None

        @classmethod
        def _default_options(cls) -> Any:
            return Options(shots=1024, memory=False, seed_simulator=None)

        def run(self, circuits: Any, shots: int = 1024, memory: bool = False, **_: Any) -> Any:
            word = ["0x0"] * shots if memory else None
            results = [
                {
                    "shots": shots,
                    "success": True,
                    "data": {"counts": {"0x0": shots}} | ({"memory": word} if memory else {}),
                    "header": {
                        "creg_sizes": [[r.name, r.size] for r in c.cregs],
                        "memory_slots": c.num_clbits,
                        "name": c.name,
                        "metadata": c.metadata,
                    },
                }
                for c in circuits
            ]
            return Answered(
                self,
                Result.from_dict(
                    {
                        "results": results,
                        "success": True,
                        "backend_name": "x",
                        "backend_version": "1",
                        "job_id": "id",
                    }
                ),
            )

    aer = QDMIBackend(AtOnce(num_qubits))
    return Backend()


def framework_races() -> Iterator[Race]:
    operator = molecule("LiH")
    n = operator.num_qubits
    circuit = ansatz(n, 2, measured=False)
    ours = EstimatorV2(QDMIBackend(AtOnce(n)))
    theirs = BackendEstimatorV2(backend=at_once_backend(n))
    pubs = [(circuit, operator, points(circuit, 5))]

    def nothing_measured(result: Any) -> None:
        """Every shot read zero, so that every term is worth its coefficient."""
        np.testing.assert_allclose(result[0].data.evs, operator.coeffs.real.sum(), rtol=1e-12)

    def first() -> Any:
        """Everything is new, as in a program that estimates once."""
        operator = SparsePauliOp(pubs[0][1].paulis.copy(), pubs[0][1].coeffs.copy())
        estimator = EstimatorV2(QDMIBackend(AtOnce(n)))
        return estimator.run([(circuit.copy(), operator, pubs[0][2])]).result()

    yield Race(
        "estimator, LiH, 5 points, a device that answers at once, first call",
        "BackendEstimatorV2 on the same",
        first,
        lambda: theirs.run(pubs).result(),
        nothing_measured,
        0.06,
        9,
    )
    yield Race(
        "the same, calls after the first",
        "BackendEstimatorV2 on the same",
        lambda: ours.run(pubs).result(),
        lambda: theirs.run(pubs).result(),
        nothing_measured,
        0.06,
        5,
    )
    eight = ansatz(8, 3)
    table = points(eight, 20)
    sampler, other = SamplerV2(QDMIBackend(AtOnce(8))), BackendSamplerV2(backend=at_once_backend(8))
    yield Race(
        "sampler, 20 points, a device that answers at once",
        "BackendSamplerV2 on the same",
        lambda: sampler.run([(eight, table)]).result(),
        lambda: other.run([(eight, table)]).result(),
        lambda result: np.testing.assert_array_equal(result[0].data.meas.array, 0),
        0.05,
        9,
        5,
    )


def format_races() -> Iterator[Race]:
    rng = np.random.default_rng(2)
    circuit = QuantumCircuit(8, 8)
    from qiskit.circuit import Parameter

    for k in range(334):
        circuit.rz(Parameter(f"p{k}"), int(rng.integers(8)))
        if k % 2:
            a, b = rng.permutation(8)[:2].tolist()
            circuit.cx(a, b)
    circuit.measure(range(8), range(8))
    table = rng.uniform(-3, 3, (50, 334))
    writer = CircuitCodec(("qasm3",), {}, lambda c, b: c)
    bound = [circuit.assign_parameters(row) for row in table]
    counter = itertools.count()

    def ours() -> Any:
        return [program.payload for program in writer.bound(circuit, table)]

    def theirs() -> Any:
        return [qasm3.dumps(one) for one in bound]

    def check(texts: Any) -> None:
        next(counter)
        assert len(texts) == 50
        numbers = [
            np.array(re.findall(r"rz\((.*?)\)", text)) for text in (texts[7], qasm3.dumps(bound[7]))
        ]
        ours, theirs = ([eval(n, {"pi": np.pi}) for n in one] for one in numbers)  # noqa: S307
        np.testing.assert_allclose(ours, theirs, atol=1e-9)

    yield Race(
        "OpenQASM 3 of 500 gates, 334 parameters, 50 new points",
        "qasm3.dumps of the bound circuit",
        ours,
        theirs,
        check,
        0.05,
        5,
    )
    matrix = rng.integers(0, 2, (1_000_000, 32)).astype(np.uint8)
    flags = matrix.astype(bool)
    yield Race(
        "1e6 shots x 32 bits, matrix to BitArray",
        "BitArray.from_bool_array",
        lambda: BitArray(bits.from_bools(matrix), 32),
        lambda: BitArray.from_bool_array(flags, order="little"),
        lambda array: np.testing.assert_array_equal(
            array.array[:9], BitArray.from_bool_array(flags, order="little").array[:9]
        ),
        0.25,
        9,
    )


def target_races() -> Iterator[Race]:
    """Building a large Target, against creating the properties that it holds."""
    size = 1000
    rng = np.random.default_rng(1)
    ones = {(k,): Figures(50e-9, float(f)) for k, f in enumerate(rng.uniform(0.99, 1, size))}
    twos = {(k, k + 1): Figures(200e-9, 0.99) for k in range(size - 1)}
    spec = DeviceSpec(
        name="large",
        version="1",
        sites=tuple(Site(k, t1=1e-4, t2=5e-5) for k in range(size)),
        operations=(
            *(Operation(name, 1, (), ones) for name in ("sx", "x", "id", "measure", "reset")),
            Operation("rz", 1, ("a",), ones),
            Operation("cz", 2, (), {**twos, **{(b, a): f for (a, b), f in twos.items()}}),
        ),
        capabilities=Capabilities(formats=("qiskit",)),
    )

    def properties() -> Any:
        return [
            {q: InstructionProperties(f.duration, 1 - f.fidelity) for q, f in op.sites.items()}
            for op in spec.operations
        ]

    def check(found: Any) -> None:
        if isinstance(found, Target):
            assert found.num_qubits == size
            assert found["cz"][7, 8].error == 1 - twos[7, 8].fidelity
            assert found["sx"][(3,)].error == 1 - ones[3,].fidelity

    yield Race(
        "Target of 1 000 qubits",
        "creating its InstructionProperties",
        lambda: target_from(spec),
        properties,
        check,
        3.0,
        15,
    )


def layer_cost() -> tuple[float, float]:
    """Microseconds of CPU per job that the device layer takes on a null device: median, of many."""
    import time

    from qdmi_qiskit.plan import Request
    from qdmi_qiskit.run import start

    session = AtOnce(2)
    spec, circuit = session.spec(), QuantumCircuit(2, 2)
    circuit.measure([0, 1], [0, 1])
    request = [Request(circuit, np.empty((1, 0)), 1, 2)]
    tasks = [Task(CircuitCodec(("qiskit",), {}, lambda c, b: c).encode(circuit), 1)]
    full, bare = [], []
    for _ in range(300):
        t0 = time.process_time()
        for _ in range(20):
            start(session, spec, request).result()
        t1 = time.process_time()
        for _ in range(20):
            session.submit(tasks, key="k").result()
        t2 = time.process_time()
        full.append((t1 - t0) / 20 * 1e6)
        bare.append((t2 - t1) / 20 * 1e6)
    return float(np.median(full)), float(np.median(bare))
