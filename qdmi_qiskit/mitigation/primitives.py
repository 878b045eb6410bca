"""`MitigatedEstimator` and `MitigatedSampler`: V2 primitives around V2 primitives."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from qiskit.primitives import (
    BaseEstimatorV2,
    BaseSamplerV2,
    BitArray,
    DataBin,
    EstimatorPubLike,
    PrimitiveResult,
    PubResult,
    SamplerPubLike,
    SamplerPubResult,
)
from qiskit.primitives.containers.estimator_pub import EstimatorPub
from qiskit.primitives.containers.sampler_pub import SamplerPub

from qdmi_qiskit.checks import checked_seed, checked_shots
from qdmi_qiskit.errors import ConfigError, JobFailedError
from qdmi_qiskit.mitigation.job import MitigatedJob
from qdmi_qiskit.mitigation.registry import composed
from qdmi_qiskit.mitigation.stage import Context, Item, Outcome, Stage
from qdmi_qiskit.primitives.pubs import coerced

DEFAULT = ("zne", "twirl", "readout")
"""What is composed where nothing is said."""

Stages = Sequence[Any] | str | None


class _Around:
    """What both have in common: a primitive, stages, and what they remember."""

    def __init__(
        self,
        inner: Any,
        mitigation: Stages = DEFAULT,
        *,
        seed: int | None = None,
        target: Any = None,
    ) -> None:
        """Put stages around a primitive.

        Args:
            inner: Ours, IBM's, anyone's.
            mitigation: Names or stages, outermost first; `DEFAULT` if not given.
            seed: For random choices.
            target: Of the device, where the primitive shows no backend.

        Raises:
            ConfigError: A stage is unknown, or the order is wrong.
        """
        if getattr(inner, "mitigation", ()):
            raise ConfigError(
                f"the backend's profile asks for mitigation={inner.mitigation!r} already: leave it "
                "out there, or use the estimator as it is"
            )
        self._inner, self.stages = inner, composed(mitigation)
        self._rng = np.random.default_rng(checked_seed(seed))
        self._target, self._kept = target, {}  # type: ignore[var-annotated]

    @property
    def backend(self) -> Any:
        """The backend of the inner primitive; None where it shows none."""
        found = getattr(self._inner, "backend", None)
        return found() if callable(found) else found

    def _context(self, run: Any = None) -> Context:
        backend = self.backend
        target = getattr(backend, "target", None) if self._target is None else self._target
        calibration = getattr(getattr(backend, "calibration", None), "id", None)
        return Context(target, calibration, self._rng, run, self._kept)

    def _of_pubs(self, number: int, mitigation: Sequence[Stages] | None) -> list[tuple[Stage, ...]]:
        if mitigation is None:
            return [self.stages] * number
        if isinstance(mitigation, str) or len(mitigation) != number:
            raise ConfigError(f"mitigation: wanted a list of stages for each of {number} pubs")
        return [composed(each) for each in mitigation]


@dataclass
class _Node:
    """An item, and what its first stage made of it."""

    item: Item
    stages: tuple[Stage, ...]
    children: list[_Node]

    def leaves(self) -> list[_Node]:
        if not self.stages:
            return [self]
        return [leaf for child in self.children for leaf in child.leaves()]


class MitigatedEstimator(_Around, BaseEstimatorV2):
    """Estimates with less of the device's error.

    `precision` is asked of each noise level before it is extrapolated or selected; the `stds` that
    come back are of the result, calibration and fit included.
    """

    def run(
        self,
        pubs: Iterable[EstimatorPubLike],
        *,
        precision: float | None = None,
        mitigation: Sequence[Stages] | None = None,
        tags: Iterable[str] = (),
    ) -> MitigatedJob:
        """Start estimating, and return at once.

        Args:
            pubs: As for `EstimatorV2`, ISA.
            precision: For pubs that name none; 1/64 if not given.
            mitigation: For each pub its own stages, instead of those of this estimator.
            tags: For the jobs of the inner estimator, if it is ours.

        Returns:
            A job. `result()[i].metadata` has `shots` and `circuits` (pubs that were sent), and
            `mitigation`: what each stage did. The result's `metadata` has the calibration's cost.

        Raises:
            ConfigError: A pub or a stage is wrong.
            UnsupportedError: A stage cannot be done here.
        """
        goal = 0.015625 if precision is None else float(precision)
        wanted = "(circuit, observables, values, precision)"
        whole: list[EstimatorPub] = [
            coerced(EstimatorPub.coerce, pub, goal, index=k, wanted=wanted)
            for k, pub in enumerate(pubs)
        ]
        if not whole:
            raise ConfigError("run() got an empty list of pubs: give it at least one")
        chosen = self._of_pubs(len(whole), mitigation)
        items = [
            Item(pub.circuit, pub.observables, pub.parameter_values, pub.precision) for pub in whole
        ]
        context = self._context()
        for item, stages in zip(items, chosen, strict=True):
            for stage in stages:
                stage.check(item, context)
        options = {"tags": list(tags)} if tags else {}
        return MitigatedJob(lambda job: self._mitigated(job, items, chosen, options))

    def _mitigated(
        self,
        job: MitigatedJob,
        items: Sequence[Item],
        chosen: Sequence[tuple[Stage, ...]],
        options: dict[str, Any],
    ) -> PrimitiveResult[PubResult]:
        def run(some: Sequence[Item]) -> list[Outcome]:
            pubs = [item.pub() for item in some]
            return _outcomes(job.sent(self._inner.run(pubs, **options)), some)

        context = self._context(run)
        nodes = [_Node(item, stages, []) for item, stages in zip(items, chosen, strict=True)]
        shots, circuits = _expand(nodes, context)
        leaves = [leaf for node in nodes for leaf in node.leaves()]
        answers = iter(run([leaf.item for leaf in leaves]))
        results = []
        for node in nodes:
            found = _finished(node, answers, context)
            drift = {"drift": found.told.pop("drift")} if "drift" in found.told else {}
            metadata = {
                **drift,
                "shots": found.shots,
                "circuits": found.circuits,
                "target_precision": node.item.precision,
                "circuit_metadata": node.item.circuit.metadata,
                "mitigation": {
                    "stages": [stage.name for stage in node.stages],
                    "calibration": context.calibration,
                    **found.told,
                },
            }
            data = DataBin(evs=found.evs, stds=found.stds, shape=found.evs.shape)
            results.append(PubResult(data, metadata=metadata))
        jobs = [
            each for inner in job.inner for each in inner.result().metadata.get("device_jobs", ())
        ]
        told = {
            "version": 2,
            "calibration_shots": shots,
            "calibration_circuits": circuits,
            "device_jobs": jobs,
        }
        return PrimitiveResult(results, metadata=told)


def _outcomes(result: Any, items: Sequence[Item]) -> list[Outcome]:
    found = []
    for pub, item in zip(result, items, strict=True):
        stds, shots = np.asarray(pub.data.stds, dtype=np.float64), pub.metadata.get("shots")
        if shots is None:  # Qiskit's StatevectorEstimator adds noise and says it is 0
            stds = np.where(stds == 0, item.precision, stds)
        told = {"drift": pub.metadata["drift"]} if "drift" in pub.metadata else {}
        found.append(Outcome(np.asarray(pub.data.evs, dtype=np.float64), stds, shots, 1, told))
    return found


def _expand(nodes: Sequence[_Node], context: Context) -> tuple[int, int]:
    """Prepare level by level, so that a stage calibrates once for all items that come to it."""
    shots = circuits = 0
    level = [node for node in nodes if node.stages]
    while level:
        rank = min(node.stages[0].rank for node in level)
        now = [node for node in level if node.stages[0].rank == rank]
        later = [node for node in level if node.stages[0].rank != rank]
        different: list[Stage] = []
        for node in now:  # not a set: stages may hold dictionaries
            if node.stages[0] not in different:
                different.append(node.stages[0])
        for stage in different:
            some = [node.item for node in now if node.stages[0] == stage]
            cost = stage.calibrate(some, context)
            shots, circuits = shots + cost[0], circuits + cost[1]
        for node in now:
            made = node.stages[0].prepare(node.item, context)
            node.children = [_Node(item, node.stages[1:], []) for item in made]
            later += [child for child in node.children if child.stages]
        level = later
    return shots, circuits


def _finished(node: _Node, answers: Any, context: Context) -> Outcome:
    if not node.stages:
        found: Outcome = next(answers)
        return found
    outcomes = [_finished(child, answers, context) for child in node.children]
    return node.stages[0].finish(node.item, outcomes, context)


class MitigatedSampler(_Around, BaseSamplerV2):
    """Samples with less of the device's error: twirling, decoupling, post-selection."""

    def __init__(self, inner: Any, mitigation: Stages = ("twirl",), **options: Any) -> None:
        """Put stages around a sampler; see `MitigatedEstimator`."""
        super().__init__(inner, mitigation, **options)

    def run(
        self,
        pubs: Iterable[SamplerPubLike],
        *,
        shots: int | None = None,
        mitigation: Sequence[Stages] | None = None,
    ) -> MitigatedJob:
        """Start sampling, and return at once.

        Args:
            pubs: As for `SamplerV2`, ISA.
            shots: For pubs that name none; 1024 if not given. They are spread over the circuits
                that the stages make of one, and add up.
            mitigation: For each pub its own stages.

        Raises:
            ConfigError: A pub or a stage is wrong.
            UnsupportedError: A stage cannot be done here, or not to samples.
        """
        default = checked_shots(1024 if shots is None else shots)
        wanted = "(circuit, values, shots)"
        whole: list[SamplerPub] = [
            coerced(SamplerPub.coerce, pub, default, index=k, wanted=wanted)
            for k, pub in enumerate(pubs)
        ]
        if not whole:
            raise ConfigError("run() got an empty list of pubs: give it at least one")
        chosen = self._of_pubs(len(whole), mitigation)
        context = self._context()
        parts = [_parts(pub, stages, context) for pub, stages in zip(whole, chosen, strict=True)]

        def work(job: MitigatedJob) -> PrimitiveResult[SamplerPubResult]:
            result = job.sent(self._inner.run([part for some in parts for part in some]))
            answers = iter(result)
            found = [
                _sampled(pub, [next(answers) for _ in some], stages, context)
                for pub, some, stages in zip(whole, parts, chosen, strict=True)
            ]
            jobs = result.metadata.get("device_jobs", ())
            return PrimitiveResult(found, metadata={"version": 2, "device_jobs": list(jobs)})

        return MitigatedJob(work)


def _parts(pub: SamplerPub, stages: Sequence[Stage], context: Context) -> list[SamplerPub]:
    circuits = [pub.circuit]
    for stage in stages:
        circuits = [made for circuit in circuits for made in stage.copies(circuit, context)]
    used = circuits[: pub.shots]
    each, extra = divmod(pub.shots, len(used))
    return [
        SamplerPub(circuit, pub.parameter_values, each + (k < extra))
        for k, circuit in enumerate(used)
    ]


def _sampled(
    pub: SamplerPub, results: Sequence[Any], stages: Sequence[Stage], context: Context
) -> SamplerPubResult:
    data = results[0].data
    registers = {
        name: BitArray.concatenate_shots([result.data[name] for result in results])
        for name in data.keys()  # noqa: SIM118 - a DataBin iterates over nothing
    }
    told: dict[str, Any] = {"stages": [stage.name for stage in stages], "circuits": len(results)}
    metadata = {"shots": pub.shots, "circuit_metadata": pub.circuit.metadata}
    found = SamplerPubResult(DataBin(**registers, shape=pub.shape))
    for stage in stages:
        good = stage.keep(_joint(found), pub.circuit, context)
        if good is not None:
            found, kept = _selected(found, good)
            told[stage.name] = {"kept": kept.tolist()}
            metadata |= {"shots": int(kept.min()), "requested_shots": pub.shots}
    return SamplerPubResult(found.data, metadata={**metadata, "mitigation": told})


def _joint(result: SamplerPubResult) -> Any:
    bits = [bits.to_bool_array(order="little") for bits in result.data.values()]
    return np.concatenate(bits, axis=-1)


def _selected(result: SamplerPubResult, good: Any) -> tuple[SamplerPubResult, Any]:
    """Keep the good shots: as many of each point as the poorest point has."""
    kept = good.sum(axis=-1)
    least = int(kept.min())
    if least == 0:
        raise JobFailedError(
            "postselect: no shot has the wanted parities: ask for more, or check them", job_id=""
        )
    order = np.argsort(~good, axis=-1, kind="stable")[..., :least]
    registers = {
        name: BitArray(np.take_along_axis(bits.array, order[..., None], axis=-2), bits.num_bits)
        for name, bits in result.data.items()
    }
    shape = result.data.shape
    return SamplerPubResult(DataBin(**registers, shape=shape)), kept
