"""`MitigatedSampler`: a V2 sampler around a V2 sampler."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from qiskit.primitives import (
    BaseSamplerV2,
    BitArray,
    DataBin,
    PrimitiveResult,
    SamplerPubLike,
    SamplerPubResult,
)
from qiskit.primitives.containers.sampler_pub import SamplerPub

from qdmi_qiskit.checks import checked_shots
from qdmi_qiskit.errors import ConfigError, JobFailedError
from qdmi_qiskit.mitigation.around import Around, Stages
from qdmi_qiskit.mitigation.job import MitigatedJob
from qdmi_qiskit.mitigation.stage import Context, Stage
from qdmi_qiskit.parts import parts_of, tagged, taken_up
from qdmi_qiskit.primitives.pubs import coerced
from qdmi_qiskit.provider import QDMIProvider


class MitigatedSampler(Around, BaseSamplerV2):
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
        tags: Iterable[str] = (),
    ) -> MitigatedJob:
        """Start sampling, and return at once.

        Args:
            pubs: As for `SamplerV2`, ISA.
            shots: For pubs that name none; 1024 if not given. They are spread over the circuits
                that the stages make of one, and add up.
            mitigation: For each pub its own stages.
            tags: For the run of the inner sampler, if it is ours, which has the id of this job too:
                `provider.jobs(tag=job.job_id())` lists it, in any process.

        Raises:
            ConfigError: A pub or a stage is wrong.
            UnsupportedError: A stage cannot be done here, or not to samples.
        """
        return self._started(pubs, shots, mitigation, list(tags), None, {})

    def resume(
        self,
        job_id: str,
        pubs: Iterable[SamplerPubLike],
        *,
        shots: int | None = None,
        mitigation: Sequence[Stages] | None = None,
        provider: QDMIProvider | None = None,
    ) -> MitigatedJob:
        """Go on with a job of a process that ended: what it has sent is not sent again.

        Args:
            job_id: What its `job_id()` was.
            pubs: Those of that run; the journal keeps what was sent for them, not the pubs.
            shots: As then.
            mitigation: As then.
            provider: Whose journal knows the part; one of the usual configuration if not given.

        Raises:
            ConfigError: The journal knows no part of the job. The job's `result` raises it if the
                pubs or stages are others.
        """
        mine = QDMIProvider() if provider is None else provider
        kept = parts_of(mine, job_id)
        backend = self.backend
        found = {name: lambda row=row: taken_up(mine, row, backend) for name, row in kept.items()}
        return self._started(pubs, shots, mitigation, [], job_id, found)

    def _started(
        self,
        pubs: Iterable[SamplerPubLike],
        shots: int | None,
        mitigation: Sequence[Stages] | None,
        tags: list[str],
        job_id: str | None,
        kept: Mapping[str, Callable[[], Any]],
    ) -> MitigatedJob:
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
            flat = [part for some in parts for part in some]
            if "samples" in kept:
                result = job.sent(kept["samples"]())
                _check_kept(result, flat)
            else:
                options = tagged(self._inner, job.job_id(), "samples", tags)
                result = job.sent(self._inner.run(flat, **options))
            answers = iter(result)
            found = [
                _sampled(pub, [next(answers) for _ in some], stages, context)
                for pub, some, stages in zip(whole, parts, chosen, strict=True)
            ]
            jobs = result.metadata.get("device_jobs", ())
            return PrimitiveResult(found, metadata={"version": 2, "device_jobs": list(jobs)})

        return MitigatedJob(work, job_id)


def _check_kept(result: Any, wanted: Sequence[SamplerPub]) -> None:
    """Pass if samples that were kept have the shape of those that would be asked for.

    Random copies of a circuit may be others now: whichever they were, their samples count alike.
    Where the device discarded shots, what had been asked for counts.
    """
    kept = [
        (
            pub.data.shape,
            {name: bits.num_bits for name, bits in pub.data.items()},
            pub.metadata.get("requested_shots", pub.metadata["shots"]),
        )
        for pub in result
    ]
    asked = [
        (pub.shape, {register.name: register.size for register in pub.circuit.cregs}, pub.shots)
        for pub in wanted
    ]
    if kept != asked:
        raise ConfigError(
            "the samples that are kept are not of these pubs, shots or stages: give those of then"
        )


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
