"""Values of the device contract as JSON, for frames and job directories. No pickle anywhere."""

from __future__ import annotations

import base64
import io
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from qdmi_qiskit import errors
from qdmi_qiskit.errors import JobFailedError, ProtocolError, QdmiError, RejectedError
from qdmi_qiskit.model import Basis, Capabilities, DeviceState, DeviceStatus, PauliSum, Shots

_KINDS = ("<f8", "<i8", "|u1", "|b1")
_ERRORS: Mapping[str, type[QdmiError]] = {
    name: kind
    for name, kind in vars(errors).items()
    if isinstance(kind, type) and issubclass(kind, QdmiError)
}


def from_array(array: npt.NDArray[Any]) -> list[Any]:
    """Return `[type, shape, base64]`; little-endian bytes in C order.

    Outcomes (uint8) are a zlib stream of those: most of their bits are zero.

    >>> from_array(np.array([[1.0, 2.0]]))
    ['<f8', [1, 2], 'AAAAAAAA8D8AAAAAAAAAQA==']
    """
    kind = {"f": "<f8", "i": "<i8", "u": "|u1", "b": "|b1"}[array.dtype.kind]
    data = np.ascontiguousarray(array, np.dtype(kind)).tobytes()
    if kind == "|u1":
        data = zlib.compress(data, 1)
    return [kind, list(array.shape), base64.b64encode(data).decode()]


def to_array(document: Sequence[Any]) -> npt.NDArray[Any]:
    """Return what `from_array` wrote, in native order."""
    kind, shape, text = document
    if kind not in _KINDS:
        raise ProtocolError(f"an array of type {kind!r}; wanted one of {', '.join(_KINDS)}")
    data = base64.b64decode(text)
    if kind == "|u1":
        data = zlib.decompress(data)
    array = np.frombuffer(data, np.dtype(kind)).reshape(shape)
    return array.astype(array.dtype.newbyteorder("="))


def from_circuit(circuit: Any, version: int | None = None) -> bytes:
    """Return a circuit as QPY, in the newest version that both sides read.

    Raises:
        RejectedError: QPY cannot say it.
    """
    from qiskit import QuantumCircuit, qpy

    if not isinstance(circuit, QuantumCircuit):
        raise RejectedError(f"this device takes a QuantumCircuit, not a {type(circuit).__name__}")
    buffer = io.BytesIO()
    newest: int = qpy.common.QPY_VERSION
    try:
        qpy.dump(circuit, buffer, version=min(newest, version or newest))
    except Exception as error:
        raise RejectedError(
            f"circuit {circuit.name!r} cannot be sent: QPY refuses it ({error})"
        ) from error
    return buffer.getvalue()


def to_circuit(data: bytes) -> Any:
    """Return the circuit in QPY.

    Raises:
        RejectedError: It is damaged or too new; names both versions.
    """
    from qiskit import __version__, qpy

    try:
        return qpy.load(io.BytesIO(data))[0]
    except Exception as error:
        raise RejectedError(
            f"a circuit (QPY version {data[6] if len(data) > 6 else '?'}) cannot be read by "
            f"Qiskit {__version__} (QPY version {qpy.common.QPY_VERSION}) on the node: {error}"
        ) from error


def from_basis(basis: Basis) -> list[Any]:
    """Return a basis as JSON."""
    return [from_array(part) for part in (basis.qubits, basis.x, basis.z)]


def to_basis(document: Sequence[Any]) -> Basis:
    """Return a basis from JSON."""
    qubits, x, z = (to_array(part) for part in document)
    return Basis(qubits.astype(np.intp), x, z)


def from_sum(observable: PauliSum) -> list[Any]:
    """Return an observable as JSON."""
    return [from_array(part) for part in (observable.x, observable.z, observable.coefficients)]


def to_sum(document: Sequence[Any]) -> PauliSum:
    """Return an observable from JSON."""
    return PauliSum(*(to_array(part) for part in document))


def from_shots(shots: Shots) -> dict[str, Any]:
    """Return an outcome as JSON."""
    document: dict[str, Any] = {"bits": from_array(shots.bits), "num_bits": shots.num_bits}
    if shots.valid is not None:
        document["valid"] = from_array(shots.valid)
    if shots.failures:
        document["failures"] = [[point, reason] for point, reason in shots.failures.items()]
    return document


def to_shots(document: Mapping[str, Any]) -> Shots:
    """Return an outcome from JSON."""
    valid = document.get("valid")
    return Shots(
        to_array(document["bits"]),
        document["num_bits"],
        None if valid is None else to_array(valid),
        {int(point): reason for point, reason in document.get("failures", ())},
    )


def from_state(state: DeviceState) -> dict[str, Any]:
    """Return what a device does as JSON."""
    return asdict(state) | {"status": state.status.value}


def to_state(document: Mapping[str, Any]) -> DeviceState:
    """Return what a device does from JSON."""
    return DeviceState(**{**document, "status": DeviceStatus(document["status"])})


def from_capabilities(capabilities: Capabilities) -> dict[str, Any]:
    """Return capabilities as JSON."""
    return asdict(capabilities)


def to_capabilities(document: Mapping[str, Any]) -> Capabilities:
    """Return capabilities from JSON; what this side does not know is left out."""
    known = {each.name for each in fields(Capabilities)}
    given = {key: value for key, value in document.items() if key in known}
    return Capabilities(**{**given, "formats": tuple(given["formats"])})


def from_error(error: BaseException) -> dict[str, str]:
    """Return an error as JSON: its kind, its words, and the job it speaks of."""
    if isinstance(error, QdmiError):
        return {
            "kind": type(error).__name__,
            "message": str(error),
            "job_id": getattr(error, "job_id", ""),
        }
    return {"kind": "ProtocolError", "message": f"{type(error).__name__}: {error}"}


def to_error(document: Mapping[str, str], where: str = "") -> QdmiError:
    """Return an error from JSON, with where it happened."""
    kind = _ERRORS.get(document["kind"], ProtocolError)
    message = document["message"] + (f" ({where})" if where else "")
    if kind is JobFailedError:
        return JobFailedError(message, job_id=document.get("job_id", ""))
    return kind(message)
