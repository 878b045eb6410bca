"""An experiment said in a file: circuits, backends, split, merge, output."""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from qiskit import QuantumCircuit, qasm3
from qiskit.exceptions import QiskitError
from qiskit.quantum_info import SparsePauliOp

from qdmi_qiskit.dispatch.folder import Folder
from qdmi_qiskit.dispatch.job import DispatchJob
from qdmi_qiskit.dispatch.members import Member
from qdmi_qiskit.dispatch.merge import total_variation
from qdmi_qiskit.dispatch.plan import Plan
from qdmi_qiskit.dispatch.policies import Cheapest, Policy, Race, Replicate, SplitPubs, SplitShots
from qdmi_qiskit.dispatch.primitives import DispatchEstimator, DispatchSampler
from qdmi_qiskit.errors import ConfigError, did_you_mean
from qdmi_qiskit.model import Price
from qdmi_qiskit.provider import QDMIProvider

Read = Callable[[str], list[QuantumCircuit]]
_MERGES = ("pool", "each", "distance")
_SPLITS = ("shots", "pubs", "replicate", "race", "cheapest")
_MEMBER = {"backend", "name", "options", "capacity", "min_shots", "max_shots", "price", "queue",
           "fidelity"}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """What the file says.

    Attributes:
        circuits: Files of circuits, relative to the experiment's; each may hold several.
        backends: Names, or tables with `backend` and figures of `Member`.
        shots: Of each circuit; for samplers.
        observables: Pauli labels, or tables label -> coefficient; makes it an estimate.
        precision: Standard error of each value; for estimators.
        split: `"shots"`, `"pubs"`, `"replicate"`, `"race"` or `"cheapest"`.
        weights: As in `SplitShots`, for the first two.
        budget: Most it may cost, for `"cheapest"`.
        merge: `"pool"`; `"each"`: by member; `"distance"`: total-variation distance of every
            member's counts to those of `reference`.
        reference: A member, for `"distance"`.
        optimization_level: To compile with, for every backend.
        seed: For compiling and simulators.
        deadline: Seconds.
        output: Folder of the results, relative to the experiment's file.
    """

    circuits: tuple[str, ...]
    backends: tuple[Any, ...]
    shots: int | None = None
    observables: tuple[Any, ...] = ()
    precision: float | None = None
    split: str = "shots"
    weights: Any = "even"
    budget: float | None = None
    merge: str = "pool"
    reference: str = ""
    optimization_level: int = 2
    seed: int | None = None
    deadline: float | None = None
    output: str = "results"

    def policy(self) -> Policy:
        """Return the policy of `split`."""
        policies: dict[str, Callable[[], Policy]] = {
            "shots": lambda: SplitShots(self.weights),
            "pubs": lambda: SplitPubs(self.weights),
            "replicate": Replicate,
            "race": Race,
            "cheapest": lambda: Cheapest(self.budget),
        }
        return policies[self.split]()


def experiment_from(text: str, name: str) -> Experiment:
    """Return what a TOML text says.

    Raises:
        ConfigError: It is not TOML, a key is unknown, or a value is not possible.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{name}: not valid TOML: {error}") from error
    known = [each.name for each in fields(Experiment)]
    for key in document:
        if key not in known:
            raise ConfigError(f"{name}: unknown key {key!r}{did_you_mean(key, known)}")
    for key in ("circuits", "backends"):
        if not isinstance(document.get(key), list) or not document[key]:
            raise ConfigError(f"{name}: wanted {key} = [...], with at least one entry")
        document[key] = tuple(document[key])
    if "observables" in document:
        document["observables"] = tuple(document["observables"])
    found = Experiment(**document)
    for key, value, choices in (
        ("split", found.split, _SPLITS),
        ("merge", found.merge, _MERGES),
    ):
        if value not in choices:
            raise ConfigError(f"{name}: {key} = {value!r}{did_you_mean(str(value), choices)}")
    if (found.merge == "distance") != bool(found.reference):
        raise ConfigError(f'{name}: merge = "distance" goes with reference = "a member"')
    if found.observables and found.merge == "distance":
        raise ConfigError(f'{name}: merge = "distance" is of counts, not of observables')
    if bool(found.observables) == (found.shots is not None) and found.observables:
        raise ConfigError(f"{name}: estimates take precision, not shots")
    return found


def _member(given: Any, name: str) -> Member:
    if isinstance(given, str):
        return Member(over=given)
    if not isinstance(given, Mapping) or "backend" not in given:
        raise ConfigError(f'{name}: wanted a backend name or {{ backend = "...", ... }}')
    figures = dict(given)
    for key in figures:
        if key not in _MEMBER:
            raise ConfigError(f"{name}: unknown key {key!r}{did_you_mean(key, _MEMBER)}")
    if "price" in figures:
        try:
            figures["price"] = Price(**figures["price"])
        except TypeError as error:
            raise ConfigError(f"{name}: price: {error}") from error
    return Member(over=figures.pop("backend"), **figures)


class Attempt:
    """An experiment about to be done, or gone on with."""

    def __init__(self, path: Path, read: Read, provider: QDMIProvider | None = None) -> None:
        """Read the file and its circuits, open the backends, and plan; nothing is sent.

        Args:
            path: The TOML file.
            read: Returns the circuits of a file.
            provider: Opens backends.

        Raises:
            ConfigError: Something that it says is wrong.
        """
        text = path.read_text(encoding="utf-8")
        self.experiment = said = experiment_from(text, path.name)
        self._circuits = [c for file in said.circuits for c in read(str(path.parent / file))]
        members = [_member(each, path.name) for each in said.backends]
        kind = DispatchEstimator if said.observables else DispatchSampler
        self.group: Any = kind(
            members,
            said.policy(),
            optimization_level=said.optimization_level,
            seed=said.seed,
            deadline=said.deadline,
            provider=provider,
        )
        names = [member.name for member in self.group.members]
        if said.reference and said.reference not in names:
            raise ConfigError(
                f"{path.name}: reference: no backend {said.reference!r}"
                f"{did_you_mean(said.reference, names)}"
            )
        self._folder, self._provider = path.parent / said.output, provider
        self.plan: Plan = self._planned()

    def _planned(self) -> Plan:
        said = self.experiment
        if not said.observables:
            plan: Plan = self.group.plan(self._circuits, shots=said.shots)
            return plan
        try:
            values = [SparsePauliOp.from_list(list(_terms(each))) for each in said.observables]
            pubs = [(circuit, values) for circuit in self._circuits]
            plan = self.group.plan(pubs, precision=said.precision)
        except QiskitError as error:
            raise ConfigError(f"observables: {error.message}") from error
        return plan

    def digest(self) -> str:
        """Return what tells this experiment from others: what is sent, not how it is shown."""
        said = self.experiment
        shown = {
            each.name: getattr(said, each.name)
            for each in fields(said)
            if each.name not in ("output", "merge", "reference", "deadline", "circuits")
        }
        shown["circuits"] = [qasm3.dumps(circuit) for circuit in self._circuits]
        return hashlib.sha256(json.dumps(shown, sort_keys=True).encode()).hexdigest()

    def start(self, *, resend: bool = False) -> tuple[DispatchJob, Folder]:
        """Send what is not done yet.

        Raises:
            ConfigError: The folder holds another experiment, or the plan must not be sent.
        """
        names = [member.name for member in self.group.members]
        folder = Folder(self._folder, self.digest(), names, self._provider)
        plan = folder.place / "plan.json"
        if plan.exists():  # weights by queue or price may say otherwise today
            self.plan.update(json.loads(plan.read_text()))
        else:
            folder.write("plan.json", self.plan.to_dict())
        return self.group.send(
            self.plan, done=folder.shards(resend=resend), note=folder.note
        ), folder

    def outcome(self, job: DispatchJob, *, partial: bool = False) -> Any:
        """Return the merged outcome as JSON can say it.

        Raises:
            JobFailedError: Some part has no result.
        """
        merged = job.result(partial=partial)
        if self.experiment.merge == "pool":
            return [self._shown(pub, found) for pub, found in enumerate(merged)]
        found = job.by_member()
        if self.experiment.merge == "each":
            return {
                name: [self._shown(pub, result) for pub, result in pubs.items()]
                for name, pubs in found.items()
            }
        ideal = found[self.experiment.reference]
        return {
            name: [
                total_variation(_counts(result), _counts(ideal[pub]))
                for pub, result in pubs.items()
                if pub in ideal
            ]
            for name, pubs in found.items()
            if name != self.experiment.reference
        }

    def _shown(self, pub: int, result: Any) -> dict[str, Any]:
        head = {"pub": pub, "circuit": self._circuits[pub].name, "shots": result.metadata["shots"]}
        if self.experiment.observables:
            evs, stds = result.data.evs.tolist(), result.data.stds.tolist()
            test = result.metadata.get("consistency", {})
            return {**head, "evs": evs, "stds": stds, "consistency_p": test.get("p")}
        return {**head, "counts": _counts(result)}


def _terms(observable: Any) -> Any:
    return observable.items() if isinstance(observable, Mapping) else [(observable, 1.0)]


def _counts(result: Any) -> dict[str, int]:
    counts: dict[str, int] = result.join_data().get_counts()
    return dict(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])))
