"""From a Qiskit circuit to a program in one of the formats a device takes."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from qiskit import QuantumCircuit, qasm2, qasm3, qpy

from qdmi_qiskit.errors import RejectedError, UnsupportedError
from qdmi_qiskit.model import Basis, Program, Values
from qdmi_qiskit.plan import Codec
from qdmi_qiskit.templates import template


def _qiskit(circuit: QuantumCircuit) -> Any:
    return circuit


def _qpy(circuit: QuantumCircuit) -> bytes:
    buffer = io.BytesIO()
    qpy.dump(circuit, buffer)
    return buffer.getvalue()


def _qasm3(circuit: QuantumCircuit) -> str:
    text: str = qasm3.dumps(numbered(circuit))
    return text


def _qasm2(circuit: QuantumCircuit) -> str:
    text: str = qasm2.dumps(numbered(circuit))
    return text


ENCODERS: Mapping[str, Callable[[QuantumCircuit], Any]] = {
    "qiskit": _qiskit,
    "qpy": _qpy,
    "qasm3": _qasm3,
    "qasm2": _qasm2,
}
"""The wire formats that are nobody's in particular."""

_WORTH = 2
"""Points from which on a template of the text pays."""


def encoder(
    formats: tuple[str, ...], extra: Mapping[str, Callable[[Any], Any]]
) -> Callable[[QuantumCircuit], Program]:
    """Return the encoder for the first format we know, in the device's order.

    Raises:
        UnsupportedError: We know none of `formats`.
    """
    name, write = chosen(formats, extra)

    def encode(circuit: QuantumCircuit) -> Program:
        if not circuit.num_parameters:
            return Program(name, _written(write, circuit, name), circuit.num_clbits)
        plain = without_phase(circuit)
        names = tuple(parameter.name for parameter in plain.parameters)
        return Program(name, _written(write, plain, name), circuit.num_clbits, names)

    return encode


def chosen(
    formats: tuple[str, ...], extra: Mapping[str, Callable[[Any], Any]]
) -> tuple[str, Callable[[Any], Any]]:
    """Return the first of a device's formats that we can write, and what writes it.

    Raises:
        UnsupportedError: We know none of `formats`.
    """
    for name in formats:
        write = extra.get(name) or ENCODERS.get(name)
        if write is not None:
            return name, write
    raise UnsupportedError(
        f"no encoder for any of the device's formats {formats}; known: "
        f"{', '.join([*ENCODERS, *extra])}"
    )


def _written(write: Callable[[Any], Any], circuit: QuantumCircuit, name: str) -> Any:
    try:
        return write(circuit)
    except (qasm2.QASM2ExportError, qasm3.QASM3ExporterError) as error:
        raise RejectedError(
            f"circuit {circuit.name!r} cannot be written as {name}: {error}"
        ) from error


def numbered(circuit: QuantumCircuit) -> QuantumCircuit:
    """Return the circuit such that text declares its k-th bit as the k-th of all.

    OpenQASM knows registers and no bits: what overlaps would be declared twice, and a bit of no
    register moves behind those that have one. Such circuits get one register of each kind.

    Raises:
        RejectedError: A condition reads a register that has no place then.
    """
    if _in_order(circuit.qubits, circuit.qregs) and _in_order(circuit.clbits, circuit.cregs):
        return circuit
    plain = QuantumCircuit(circuit.num_qubits, circuit.num_clbits, name=circuit.name)
    plain.compose(circuit, inplace=True, copy=False)
    if not _in_order(plain.clbits, plain.cregs):
        raise RejectedError(
            f"circuit {circuit.name!r} has a condition on a classical register that overlaps "
            "another or does not begin where the one before ends, which OpenQASM cannot say: "
            "use registers that share no bits"
        )
    return plain


def _in_order(bits: Sequence[Any], registers: Sequence[Any]) -> bool:
    return [bit for register in registers for bit in register] == list(bits)


def without_phase(circuit: QuantumCircuit) -> QuantumCircuit:
    """Return the circuit without a symbolic global phase, which no outcome can show.

    Binding one costs 500 times the rest of the circuit, and Aer evaluates it per point.
    Parameters that occur in the phase alone stay, so that columns of values keep their places.
    """
    if not getattr(circuit.global_phase, "parameters", None):
        return circuit
    plain: QuantumCircuit = circuit.copy()
    plain.global_phase = 0
    if plain.num_parameters != circuit.num_parameters:
        return circuit
    return plain


def bind(circuit: QuantumCircuit, row: Values) -> QuantumCircuit:
    """Return the circuit with its parameters set, in `circuit.parameters` order."""
    return circuit.assign_parameters(row.tolist()) if circuit.num_parameters else circuit


def codec(
    formats: tuple[str, ...],
    extra: Mapping[str, Callable[[Any], Any]],
    measured: Callable[[QuantumCircuit, Basis], QuantumCircuit],
) -> Codec[QuantumCircuit]:
    """Return what the planner needs to know of circuits for a device.

    Args:
        formats: The device's program formats, best first.
        extra: Encoders that only this vendor has.
        measured: Appends the measurement of a basis, in gates of the device.
    """
    encode = encoder(formats, extra)

    def bound(circuit: QuantumCircuit, values: Values) -> Iterator[Program]:
        plain = without_phase(circuit)
        if plain.num_parameters and len(values) >= _WORTH:
            name, write = chosen(formats, extra)
            text = template(plain, partial(_written, write, name=name))
            if text is not None:
                for payload in text.texts(values):
                    yield Program(name, payload, circuit.num_clbits)
                return
        for row in values:
            yield encode(bind(plain, row))

    return Codec(encode, bound, measured)
