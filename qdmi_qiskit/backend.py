"""A device as a Qiskit backend."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from importlib import import_module
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from qiskit import QuantumCircuit
from qiskit.providers import BackendV2, Options

from qdmi_qiskit import telemetry
from qdmi_qiskit.calls import begun, check, circuits_from, options_from
from qdmi_qiskit.drift import Drift
from qdmi_qiskit.errors import ConfigError, UnsupportedError
from qdmi_qiskit.forecast import Estimate, Queue, is_estimator_pub, queue_from
from qdmi_qiskit.formats import Compiled
from qdmi_qiskit.isa import IsaChecker
from qdmi_qiskit.job import QDMIJob
from qdmi_qiskit.journal import Ledger, Recorder, checked_tags
from qdmi_qiskit.origins import RememberingPassManager
from qdmi_qiskit.saved import call_saved, circuits_saved
from qdmi_qiskit.target import target_from
from qdmi_qiskit.watch import CalibrationWatch

if TYPE_CHECKING:
    from qiskit.transpiler import StagedPassManager, Target

    from qdmi_qiskit.device import Session
    from qdmi_qiskit.model import Calibration, DeviceSpec, DeviceState


class QDMIBackend(BackendV2):
    """One open device. `target` and `spec` are one snapshot until `refresh()` takes another.

    Attributes:
        session: The open session; everything it can do beyond Qiskit is there.
        mitigation: Names of the stages that every `EstimatorV2` on it puts around itself.
        recompile: `"on_drift"`: ask before each run whether the device was recalibrated, and
            compile circuits of `pass_manager` anew if so. None: run them, and say so.
    """

    mitigation: Any = ()
    recompile: str | None = None

    def __init__(
        self,
        session: Session,
        *,
        name: str | None = None,
        provider: Any = None,
        target: Target | None = None,
        recorder: Recorder | None = None,
    ) -> None:
        """Wrap an open session.

        Args:
            session: From `QDMIProvider().get_backend(name)`, or a driver's `open`.
            name: Under which the user asked for it; the device's own if not given.
            provider: Where it came from.
            target: The device's Target, where it exists already; else built from the spec.
            recorder: Keeps runs in the journal; None: they are not kept.
        """
        self.session = session
        self._recorder = recorder
        self._given_target = target
        self._watch = CalibrationWatch()
        self._snapshot()
        super().__init__(
            provider=provider,
            name=name or self._spec.name,
            description=f"{self._spec.name} through QDMI",
            backend_version=self._spec.version,
        )

    def __repr__(self) -> str:
        return f"<QDMIBackend {self.name!r}: {self._spec.name}, {self.num_qubits} qubits>"

    def __getstate__(self) -> dict[str, Any]:
        made = ("_pass_managers", "compiled")  # they do not pickle
        return {name: value for name, value in self.__dict__.items() if name not in made}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _pass_managers={}, compiled=Compiled())
        self._watch.restart()

    def _snapshot(self, spec: DeviceSpec | None = None) -> None:
        self._spec = self.session.spec() if spec is None else spec
        self._watch.restart()
        given = self._given_target
        self._pass_managers: dict[int, StagedPassManager] = {}
        self.compiled = Compiled()  # of this calibration
        self._target = given or target_from(self._spec, self.session.gates)
        self.isa = IsaChecker(self._target, self._spec.name, self._spec.capabilities.max_qubits)
        if self._recorder is not None:
            self._recorder.keep(self._spec)

    @classmethod
    def _default_options(cls) -> Options:
        return Options(shots=1024, seed=None, memory=False)

    @property
    def spec(self) -> DeviceSpec:
        """The snapshot that `target` was built from."""
        return self._spec

    @property
    def target(self) -> Target:
        """What the device executes, with errors, durations (s), T1 and T2 (s); built once."""
        return self._target

    def pass_manager(self, level: int = 2, **options: Any) -> StagedPassManager:
        """Return what transpiles circuits for this device.

        One per level is made and kept until `refresh()`; with `options` a new one is made. It
        loads no transpiler plug-ins of other installed packages: ask
        `generate_preset_pass_manager(level, backend=backend, ...)` for those.

        Args:
            level: Optimisation level, 0 to 3.
            options: Further ones of `generate_preset_pass_manager`, such as `seed_transpiler`.

        Raises:
            ConfigError: There is no such level.
        """
        if level not in (0, 1, 2, 3):
            raise ConfigError(f"level={level!r}: wanted an optimisation level, 0, 1, 2 or 3")
        from qdmi_qiskit.passes import pass_manager

        if options or level not in self._pass_managers:
            made = pass_manager(self._target, level, **options)
            if self._spec.calibration is not None:
                made = RememberingPassManager(made, self._spec.calibration.id, level, options)
            if options:
                return made
            self._pass_managers[level] = made
        return self._pass_managers[level]

    @property
    def max_circuits(self) -> None:
        """No limit: what a device takes at once is the planner's business."""
        return None

    def configuration(self) -> SimpleNamespace:
        """Return what mthree asks for, in the words of Qiskit's older backends.

        `target` and `spec` say all else. The planner takes any number of circuits at once.
        """
        return SimpleNamespace(
            num_qubits=self.num_qubits,
            simulator=self._spec.simulator,
            max_shots=self._spec.capabilities.max_shots,
            max_experiments=1_000_000,
        )

    @property
    def calibration(self) -> Calibration | None:
        """The calibration that the figures belong to, where the device says."""
        return self._spec.calibration

    def device_status(self) -> DeviceState:
        """Ask the device what it is doing now."""
        return self.session.status()

    def queue(self, job: Any = None) -> Queue:
        """Ask how long the queue is, and when a job would start.

        Args:
            job: One of this backend's, whose position is wanted.

        Returns:
            Each figure with its source: the device, or how long earlier jobs of the journal waited.
        """
        state = self.device_status()
        telemetry.level("device.queue_length", state.queue_length, "{job}", device_id=self.name)
        place = None if job is None else job.progress().queue_position
        earlier = getattr(self.provider, "waits", None)
        return queue_from(state, place, [] if earlier is None else earlier(self.name))

    def estimate(
        self, pubs: Any, *, shots: int | None = None, precision: float | None = None
    ) -> Estimate:
        """Return what a run would take, without sending anything.

        Args:
            pubs: Circuits, or pubs of a sampler or of an estimator: all of one kind.
            shots: As for `SamplerV2.run`.
            precision: As for `EstimatorV2.run`.

        Returns:
            Shots, device jobs, seconds and price, each with where the figure comes from.

        Raises:
            ConfigError: A pub is wrong.
        """
        listed = [pubs] if isinstance(pubs, QuantumCircuit) else list(pubs)
        module = import_module("qdmi_qiskit.primitives")  # it is above this floor
        if precision is not None or any(is_estimator_pub(pub) for pub in listed):
            found: Estimate = module.EstimatorV2(self).estimate(listed, precision=precision)
        else:
            found = module.SamplerV2(self).estimate(listed, shots=shots)
        return found

    def guarded(self, guard: Session) -> QDMIBackend:
        """Return this device behind a session that watches over it."""
        found = QDMIBackend(
            guard, name=self.name, provider=self.provider, target=self._given_target,
            recorder=self._recorder,
        )  # fmt: skip
        found.options.update_options(**vars(self.options))
        found.mitigation, found.recompile = self.mitigation, self.recompile
        return found

    def refresh(self) -> Drift:
        """Ask the device anew, and take a new snapshot.

        Returns:
            What changed: false if nothing but the time of the snapshot did. Circuits compiled
            before may not fit, or may not be best, any more.
        """
        before = self._spec
        self.session.refresh()
        self._snapshot()
        return Drift(before, self._spec)

    def current(self, circuits: Sequence[QuantumCircuit]) -> list[QuantumCircuit]:
        """Return what to run for circuits that were compiled some time ago.

        Of a circuit that `pass_manager` compiled for another calibration than that of now a warning
        is given, once; also, at most once a minute, of a device that has another by now. With
        `recompile="on_drift"` the device is asked which calibration holds now, and such circuits
        are compiled anew, at the same level, from the originals; what `is_outdated` then has no
        original in this process, or was changed since it was compiled.
        """
        return self._watch.current(self, circuits, self._snapshot)

    def run(
        self,
        run_input: QuantumCircuit | Iterable[QuantumCircuit],
        *,
        shots: int | None = None,
        seed: int | None = None,
        memory: bool | None = None,
        tags: Iterable[str] = (),
        detach: bool = False,
        job_tags: Iterable[str] | None = None,
        **options: Any,
    ) -> QDMIJob:
        """Run circuits that are transpiled for this backend and have no free parameters.

        Args:
            run_input: One circuit, or several, which become one job.
            shots: How often each is run; `options.shots` (1024) if not given.
            seed: Makes outcomes reproducible on simulators. Circuits of one run never share one.
                `seed_simulator` means the same.
            memory: Whether the result has every shot in order, not only counts.
            tags: Words by which `provider.jobs(tag=)` finds the job.
            detach: Whether the job has to outlive this process: see `detached`.
            job_tags: Further tags, as IBM's clients call them.
            options: No others; a name that is none of these raises. `meas_level=2` and
                `rep_delay=None` ask for nothing and are taken.

        Returns:
            A job, at once. `job.result().get_counts()` reads like Aer's for the same circuit.

        Raises:
            ConfigError: An option or the number of shots is wrong, or there is no circuit.
            RejectedError: A circuit is not ISA, has free parameters or measures nothing.
            UnsupportedError: `detach`, and the device has no jobs that outlive the process.
        """
        if job_tags:
            tags = (*checked_tags(tags), *checked_tags(job_tags))
        if detach and not self._spec.capabilities.detached:
            return self.detached().run(
                run_input, shots=shots, seed=seed, memory=memory, tags=tags, **options
            )
        chosen = options_from(self.options, options, shots=shots, seed=seed, memory=memory)
        circuits = self.current(circuits_from(run_input))
        for circuit in circuits:
            check(circuit, self.isa)

        def saved() -> tuple[bytes, bytes | None]:
            return call_saved(chosen), circuits_saved(circuits)

        ledger = self.ledger("backend", saved, tags)
        return QDMIJob(self, partial(begun, self.session, self._spec, circuits, chosen), ledger)

    def detached(self) -> QDMIBackend:
        """Return this device with jobs that outlive the process, such as batch jobs of Slurm.

        Raises:
            UnsupportedError: The device has none.
        """
        if self._spec.capabilities.detached:
            return self
        make = getattr(self.session, "detached", None)
        if make is None:
            raise UnsupportedError(
                f"jobs of {self.name} end with this process; 'slurm:{self.name}' detaches them"
            )
        recorder = self._recorder
        if recorder is not None and recorder.options is not None:
            recorder = replace(recorder, options={**recorder.options, "detach": True})
        found = QDMIBackend(
            make(), name=self.name, provider=self.provider, target=self._given_target,
            recorder=recorder,
        )  # fmt: skip
        found.mitigation, found.recompile = self.mitigation, self.recompile
        found.options.update_options(**vars(self.options))
        return found

    def ledger(
        self, kind: str, saved: Callable[[], tuple[bytes, bytes | None]], tags: Iterable[str]
    ) -> Ledger | None:
        """Return a page of the journal for a run that begins; None where none is kept."""
        if self._recorder is None:
            checked_tags(tags)
            return None
        return self._recorder.ledger(self._spec, kind, saved, tags)
