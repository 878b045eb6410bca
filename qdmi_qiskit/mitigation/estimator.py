"""`MitigatedEstimator`: a V2 estimator around a V2 estimator."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from qiskit.primitives import (
    BaseEstimatorV2,
    DataBin,
    EstimatorPubLike,
    PrimitiveResult,
    PubResult,
)
from qiskit.primitives.containers.estimator_pub import EstimatorPub

from qdmi_qiskit.errors import ConfigError
from qdmi_qiskit.mitigation.around import Around, Stages
from qdmi_qiskit.mitigation.job import MitigatedJob
from qdmi_qiskit.mitigation.stage import Item, Outcome, Stage
from qdmi_qiskit.mitigation.tree import Node, expand, finished
from qdmi_qiskit.parts import parts_of, tagged, taken_up
from qdmi_qiskit.primitives.pubs import coerced
from qdmi_qiskit.provider import QDMIProvider


class MitigatedEstimator(Around, BaseEstimatorV2):
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
            tags: For the runs of the inner estimator, if it is ours. They carry the id of this job
                as well: `provider.jobs(tag=job.job_id())` lists them, in any process.

        Returns:
            A job. `result()[i].metadata` has `shots` and `circuits` (pubs that were sent), and
            `mitigation`: what each stage did. The result's `metadata` has the calibration's cost.

        Raises:
            ConfigError: A pub or a stage is wrong.
            UnsupportedError: A stage cannot be done here.
        """
        return self._started(pubs, precision, mitigation, list(tags), None, {})

    def resume(
        self,
        job_id: str,
        pubs: Iterable[EstimatorPubLike],
        *,
        precision: float | None = None,
        mitigation: Sequence[Stages] | None = None,
        provider: QDMIProvider | None = None,
    ) -> MitigatedJob:
        """Go on with a job of a process that ended: what it has sent is not sent again.

        Args:
            job_id: What its `job_id()` was.
            pubs: Those of that run; the journal keeps what was sent for them, not the pubs.
            precision: As then.
            mitigation: As then.
            provider: Whose journal knows the parts; one of the usual configuration if not given.

        Raises:
            ConfigError: The journal knows no part of the job. The job's `result` raises it if the
                pubs or stages are others.
        """
        mine = QDMIProvider() if provider is None else provider
        kept = parts_of(mine, job_id)
        backend = self.backend
        found = {name: lambda row=row: taken_up(mine, row, backend) for name, row in kept.items()}
        return self._started(pubs, precision, mitigation, [], job_id, found)

    def _started(
        self,
        pubs: Iterable[EstimatorPubLike],
        precision: float | None,
        mitigation: Sequence[Stages] | None,
        tags: list[str],
        job_id: str | None,
        kept: Mapping[str, Callable[[], Any]],
    ) -> MitigatedJob:
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

        def asked(job: MitigatedJob, some: Sequence[Item], part: str) -> list[Outcome]:
            if part in kept:
                result = job.sent(kept[part]())
            else:
                options = tagged(self._inner, job.job_id(), part, tags)
                result = job.sent(self._inner.run([item.pub() for item in some], **options))
            return _outcomes(result, some)

        return MitigatedJob(lambda job: self._mitigated(job, items, chosen, asked), job_id)

    def _mitigated(
        self,
        job: MitigatedJob,
        items: Sequence[Item],
        chosen: Sequence[tuple[Stage, ...]],
        asked: Callable[[MitigatedJob, Sequence[Item], str], list[Outcome]],
    ) -> PrimitiveResult[PubResult]:
        numbers = itertools.count()

        def run(some: Sequence[Item]) -> list[Outcome]:
            return asked(job, some, f"calibration-{next(numbers)}")

        context = self._context(run)
        nodes = [Node(item, stages, []) for item, stages in zip(items, chosen, strict=True)]
        shots, circuits = expand(nodes, context)
        leaves = [leaf for node in nodes for leaf in node.leaves()]
        answers = iter(asked(job, [leaf.item for leaf in leaves], "values"))
        results = []
        for node in nodes:
            found = finished(node, answers, context)
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
    if len(result) != len(items):
        raise ConfigError(
            f"{len(result)} values are kept where {len(items)} are wanted: these are not the pubs, "
            "or not the stages, of that job"
        )
    found = []
    for pub, item in zip(result, items, strict=True):
        stds, shots = np.asarray(pub.data.stds, dtype=np.float64), pub.metadata.get("shots")
        if shots is None:  # Qiskit's StatevectorEstimator adds noise and says it is 0
            stds = np.where(stds == 0, item.precision, stds)
        told = {"drift": pub.metadata["drift"]} if "drift" in pub.metadata else {}
        found.append(Outcome(np.asarray(pub.data.evs, dtype=np.float64), stds, shots, 1, told))
    return found
