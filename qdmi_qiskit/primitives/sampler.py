"""`SamplerV2` over any device."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import numpy as np
from qiskit import QuantumCircuit
from qiskit.primitives import (
    BaseSamplerV2,
    BitArray,
    DataBin,
    SamplerPubLike,
    SamplerPubResult,
)
from qiskit.primitives.containers.sampler_pub import SamplerPub

from qdmi_qiskit.adopt import adopted
from qdmi_qiskit.backend import QDMIBackend
from qdmi_qiskit.checks import checked_shots
from qdmi_qiskit.errors import ConfigError, JobFailedError
from qdmi_qiskit.forecast import Estimate, forecast
from qdmi_qiskit.isa import writes_bits
from qdmi_qiskit.journal import Ledger
from qdmi_qiskit.model import DeviceSpec, Shots
from qdmi_qiskit.plan import Request
from qdmi_qiskit.primitives.job import PrimitiveJob
from qdmi_qiskit.primitives.options import SamplerOptions, options_from
from qdmi_qiskit.primitives.pubs import coerced, note_drift, points_of
from qdmi_qiskit.primitives.records import Begun, saved, taken_up
from qdmi_qiskit.run import Run, seeds, start


class SamplerV2(BaseSamplerV2):
    """Samples the classical registers of ISA circuits.

    Takes what Qiskit's `BackendSamplerV2` takes, so swapping the import is enough. All pubs of
    one `run` share jobs where the device allows it.
    """

    def __init__(
        self, backend: Any, *, options: dict[str, Any] | None = None, **keywords: Any
    ) -> None:
        """Sample on a backend.

        Args:
            backend: From `QDMIProvider().get_backend(name)`; any other `BackendV2` works too.
            options: `SamplerOptions` by name: `default_shots`, `seed`.
            keywords: The same, as keywords.

        Raises:
            ConfigError: An option is unknown or wrong.
        """
        self._device: QDMIBackend = adopted(backend)
        self._backend = backend
        self._options = options_from(SamplerOptions, options, keywords)
        self._calls = itertools.count()

    @property
    def backend(self) -> Any:
        """The backend that this sampler runs on."""
        return self._backend

    @property
    def options(self) -> SamplerOptions:
        """The options; assign to them to change the next calls."""
        return self._options

    def run(
        self,
        pubs: Iterable[SamplerPubLike],
        *,
        shots: int | None = None,
        tags: Iterable[str] = (),
    ) -> PrimitiveJob:
        """Start sampling, and return at once.

        Args:
            pubs: Each a circuit, or `(circuit, values)`, or `(circuit, values, shots)`.
            shots: For pubs that name none; `options.default_shots` if not given.
            tags: Words by which `provider.jobs(tag=)` finds the job.

        Returns:
            A job. `job.result()[i].data.<register>` is a `BitArray` of pub i: any register of
            the circuit, bits that were not measured are 0. `metadata` has the shots, and
            `ordered_shots=False` where their order means nothing.

        Raises:
            ConfigError: A pub is wrong: values, shots, names of registers; or there is none.
            RejectedError: A circuit is not ISA.
        """
        default = checked_shots(self._options.default_shots if shots is None else shots)
        whole = [_coerced(pub, index, default) for index, pub in enumerate(pubs)]
        if not whole:
            raise ConfigError("run() got an empty list of pubs: give it at least one")
        for index, pub in enumerate(whole):
            _check(pub, index)
        whole = self._current(whole)
        for pub in whole:
            self._device.isa.check(pub.circuit)
        seed, call = self._options.chosen_seed(), next(self._calls)
        ledger = self._device.ledger("sampler", partial(_saved, whole, seed, call), tags)
        return PrimitiveJob(partial(self._begun, whole, seed, call), ledger)

    def estimate(self, pubs: Iterable[SamplerPubLike], *, shots: int | None = None) -> Estimate:
        """Return what `run` would take, without sending anything; see `QDMIBackend.estimate`."""
        default = checked_shots(self._options.default_shots if shots is None else shots)
        whole = [_coerced(pub, index, default) for index, pub in enumerate(pubs)]
        requests = [_request(pub, pub.circuit) for pub in whole]
        return forecast(self._device.spec, self._device.target, requests)

    def _current(self, pubs: list[SamplerPub]) -> list[SamplerPub]:
        circuits = [pub.circuit for pub in pubs]
        now = self._device.current(circuits)
        return [
            pub if found is pub.circuit else SamplerPub(found, pub.parameter_values, pub.shots)
            for pub, found in zip(pubs, now, strict=True)
        ]

    def _begun(
        self, pubs: Sequence[SamplerPub], seed: int | None, call: int, ledger: Ledger | None
    ) -> tuple[Run, Callable[..., list[SamplerPubResult]]]:
        spec, compiled = self._device.spec, self._device.compiled
        cheap = spec.capabilities.formats[:1] == ("qiskit",)  # to write, against to compare
        frozen = [pub.circuit if cheap else compiled.frozen(pub.circuit) for pub in pubs]
        run = start(
            self._device.session,
            spec,
            [_request(pub, circuit) for pub, circuit in zip(pubs, frozen, strict=True)],
            seeds=None if seed is None else seeds(seed, call=call),
            stage=None if ledger is None else ledger.stage(0, last=True),
            compiled=compiled,
        )
        return run, partial(_result, pubs=pubs, spec=spec)


def _saved(pubs: Sequence[SamplerPub], seed: int | None, call: int) -> tuple[bytes, bytes | None]:
    return saved(pubs, [[pub.shots] for pub in pubs], seed=seed, call=call)


def restored(ledger: Ledger, opened: Callable[[Ledger], QDMIBackend]) -> PrimitiveJob:
    """Return the job of a run in the journal; see `records.taken_up`."""

    def begun(pubs: list[Any], call: dict[str, Any]) -> Begun:
        seed, number = call["seed"], call["call"]
        return lambda backend, page: SamplerV2(backend)._begun(pubs, seed, number, page)  # noqa: SLF001

    return taken_up(ledger, opened, SamplerPub, begun)


def _coerced(pub: SamplerPubLike, index: int, shots: int) -> SamplerPub:
    if isinstance(pub, tuple | list) and len(pub) > 2 and pub[2] is not None:
        checked_shots(pub[2])
    wanted = "(circuit, values, shots)"
    return coerced(SamplerPub.coerce, pub, shots, index=index, wanted=wanted)


def _check(pub: SamplerPub, index: int) -> None:
    checked_shots(pub.shots)
    registers = pub.circuit.cregs
    if not registers:
        warnings.warn(
            f"The {index}-th pub's circuit has no output classical registers and so the result "
            "will be empty. Did you mean to add measurement instructions?",
            UserWarning,
            stacklevel=3,
        )
    try:
        DataBin(**dict.fromkeys((register.name for register in registers), 0))
    except ValueError as error:
        raise ConfigError(
            f"the {index}-th pub's circuit has a classical register whose name a result cannot "
            f"carry ({error}): rename it"
        ) from error


def _request(pub: SamplerPub, circuit: QuantumCircuit) -> Request[QuantumCircuit]:
    return Request(
        circuit, points_of(pub), pub.shots, circuit.num_clbits, writes=writes_bits(circuit)
    )


def _result(
    outcomes: Sequence[Shots], *, pubs: Sequence[SamplerPub], spec: DeviceSpec, partial: bool
) -> list[SamplerPubResult]:
    ordered = spec.capabilities.ordered_shots
    found = [
        _pub_result(index, pub, shots, ordered=ordered, partial=partial)
        for index, (pub, shots) in enumerate(zip(pubs, outcomes, strict=True))
    ]
    note_drift(found, [pub.circuit for pub in pubs], spec)
    return found


def _pub_result(
    index: int, pub: SamplerPub, shots: Shots, *, ordered: bool, partial: bool
) -> SamplerPubResult:
    metadata: dict[str, Any] = {"shots": pub.shots, "circuit_metadata": pub.circuit.metadata}
    packed = shots.bits
    if shots.valid is not None:
        if not partial:
            _check_complete(index, shots)
        whole_points = shots.valid[[p not in shots.failures for p in range(len(shots.valid))]]
        common = int(whole_points.min(initial=pub.shots)) if len(whole_points) else 0
        packed = packed[:, :common]
        metadata |= {
            "shots": common,
            "requested_shots": pub.shots,
            "valid_shots": shots.valid.reshape(pub.shape).tolist(),
        }
        if shots.failures:
            metadata["failures"] = dict(shots.failures)
    if not ordered:
        metadata["ordered_shots"] = False
    whole = BitArray(packed.reshape(*pub.shape, *packed.shape[1:]), shots.num_bits)
    registers = {
        register.name: _register(whole, pub.circuit, register) for register in pub.circuit.cregs
    }
    return SamplerPubResult(DataBin(**registers, shape=pub.shape), metadata=metadata)


def _check_complete(index: int, shots: Shots) -> None:
    if shots.failures:
        reasons = "; ".join(dict.fromkeys(shots.failures.values()))
        raise JobFailedError(
            f"points {sorted(shots.failures)} of pub {index} failed on the device: {reasons}. "
            "job.result(partial=True) returns the others",
            job_id="",
        )
    if shots.valid is not None and not shots.valid.all():
        raise JobFailedError(
            f"the device discarded every shot of point {int(shots.valid.argmin())} of pub "
            f"{index}: ask for more shots, or take the others by job.result(partial=True)",
            job_id="",
        )


def _register(whole: BitArray, circuit: QuantumCircuit, register: Any) -> BitArray:
    places = [circuit.find_bit(bit).index for bit in register]
    if places == list(range(whole.num_bits)):
        return whole
    if not places:
        return BitArray(np.empty((*whole.shape, whole.num_shots, 0), np.uint8), 0)
    return whole.slice_bits(places)
