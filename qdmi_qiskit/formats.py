"""From a Qiskit circuit to a program in one of the formats a device takes."""

from __future__ import annotations

import io
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from threading import RLock
from typing import Any

from qiskit import QuantumCircuit, qasm2, qasm3, qpy

from qdmi_qiskit.errors import RejectedError, UnsupportedError
from qdmi_qiskit.model import Basis, Program, Values
from qdmi_qiskit.templates import Template, template


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
"""Points from which on a template of the text pays, if it is not kept for the next call."""


def encoder(
    formats: tuple[str, ...], extra: Mapping[str, Callable[[Any], Any]]
) -> Callable[[QuantumCircuit], Program]:
    """Return the encoder for the first format we know, in the device's order.

    Raises:
        UnsupportedError: We know none of `formats`.
    """
    return partial(_program, *chosen(formats, extra))


def _program(
    name: str,
    write: Callable[[Any], Any],
    circuit: QuantumCircuit,
    names_of: Callable[[QuantumCircuit], tuple[str, ...]] | None = None,
) -> Program:
    if not circuit.num_parameters:
        return Program(name, _written(write, circuit, name), circuit.num_clbits)
    plain = without_phase(circuit)
    names = (names_of or _names)(plain)
    return Program(name, _written(write, plain, name), circuit.num_clbits, names)


def _names(circuit: QuantumCircuit) -> tuple[str, ...]:
    return tuple([parameter.name for parameter in circuit.parameters])


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


class CircuitCodec:
    """What the planner needs to know of circuits for a device (`plan.Codec`)."""

    __slots__ = ("_compiled", "_measured", "_name", "_write")

    def __init__(
        self,
        formats: tuple[str, ...],
        extra: Mapping[str, Callable[[Any], Any]],
        measured: Callable[[QuantumCircuit, Basis], QuantumCircuit],
        compiled: Compiled | None = None,
    ) -> None:
        """Write for a device.

        Args:
            formats: The device's program formats, best first.
            extra: Encoders that only this vendor has.
            measured: Appends the measurement of a basis, in gates of the device.
            compiled: What was made of the same circuits before.

        Raises:
            UnsupportedError: We know none of `formats`.
        """
        self._name, self._write = chosen(formats, extra)
        self._measured, self._compiled = measured, compiled

    def encode(self, circuit: QuantumCircuit) -> Program:
        """Make a program of a circuit, its parameters left open."""
        if self._compiled is None:
            return _program(self._name, self._write, circuit)
        make = partial(_program, self._name, self._write, circuit, self._compiled.names)
        program: Program = self._compiled.product(circuit, "program", make)
        return program

    def bound(self, circuit: QuantumCircuit, values: Values) -> Iterator[Program]:
        """Make one program for each row of values."""
        name, write, compiled = self._name, self._write, self._compiled
        plain = without_phase(circuit)
        text: Template | None = None
        if plain.num_parameters and (compiled is not None or len(values) >= _WORTH):
            make = partial(template, plain, partial(_written, write, name=name))
            text = make() if compiled is None else compiled.product(circuit, "text", make)
        if text is not None:
            for payload in text.texts(values):
                yield Program(name, payload, circuit.num_clbits)
        else:
            for row in values:
                yield _program(name, write, bind(plain, row))

    def measured(self, circuit: QuantumCircuit, basis: Basis) -> QuantumCircuit:
        """Append the measurement of a basis to a circuit."""
        return self._measured(circuit, basis)


@dataclass(slots=True)
class _Known:
    """A circuit of a user's, the copy that stands for it, and the ids of what was made of that."""

    user: weakref.ref[QuantumCircuit]
    copy: QuantumCircuit
    ids: list[int] = field(default_factory=list)
    names: tuple[str, ...] | None = None


@dataclass(slots=True)
class _Made:
    """A copy, or a circuit made of one, and what was made of it."""

    circuit: QuantumCircuit
    origin: _Known
    products: dict[Any, Any] = field(default_factory=dict)


class Compiled:
    """What was made of circuits for one calibration of a device, for the next call with the same.

    A circuit is known by its identity, and compared with a copy from when it was last seen: what
    was changed in place is compiled anew. Users' circuits are not kept alive. Bounded; thread-safe.
    """

    def __init__(self, circuits: int = 64, products: int = 1024) -> None:
        """Remember at most so many circuits of users, and so many circuits made of them."""
        self._limits, self._lock = (circuits, products), RLock()
        self._known: dict[int, _Known] = {}
        self._made: dict[int, _Made] = {}

    def frozen(self, circuit: QuantumCircuit) -> QuantumCircuit:
        """Return a copy without a symbolic global phase, which nobody changes.

        It is the same object as before if the circuit is the same object and has not changed.
        """
        with self._lock:
            known = self._known.get(id(circuit))
            if known is not None and known.user() is circuit and _same(circuit, known.copy):
                return known.copy
            self._forget(circuit)
            plain = without_phase(circuit)
            copy: QuantumCircuit = plain.copy() if plain is circuit else plain
            known = self._known[id(circuit)] = _Known(weakref.ref(circuit), copy)
            self._add(copy, known)
        return copy

    def product(self, circuit: QuantumCircuit, key: Any, make: Callable[[], Any]) -> Any:
        """Return what `make` returns, now or before, for this copy and key.

        A circuit that is made of a copy is remembered as one.

        Args:
            circuit: From `frozen` or from here; nothing is remembered for others.
            key: Says which product, by its content.
            make: Called without arguments.
        """
        with self._lock:
            made = self._made.get(id(circuit))
            if made is not None and made.circuit is not circuit:
                made = None
            if made is not None and key in made.products:
                return made.products[key]
        found = make()
        if made is not None:
            with self._lock:
                self._keep(made, key, found)
        return found

    def names(self, circuit: QuantumCircuit) -> tuple[str, ...]:
        """Return the names of the parameters, sorted once for all circuits made of one copy.

        What is made of a copy here has gates and measurements more, and the same parameters.
        """
        with self._lock:
            made = self._made.get(id(circuit))
            if made is None or made.circuit is not circuit:
                return _names(circuit)
            known = made.origin
            if circuit.num_parameters != known.copy.num_parameters:
                return _names(circuit)
            if known.names is None:
                known.names = _names(known.copy)
            return known.names

    def _keep(self, made: _Made, key: Any, found: Any) -> None:
        if isinstance(found, QuantumCircuit) and id(found) not in self._made:
            if len(self._made) >= self._limits[1] or id(made.circuit) not in self._made:
                return
            self._add(found, made.origin)
        made.products[key] = found

    def _add(self, circuit: QuantumCircuit, origin: _Known) -> None:
        self._made[id(circuit)] = _Made(circuit, origin)
        origin.ids.append(id(circuit))

    def _forget(self, circuit: QuantumCircuit) -> None:
        """Make room: for what has changed or is gone, else for the oldest."""
        gone = [key for key, known in self._known.items() if known.user() is None]
        if id(circuit) in self._known and id(circuit) not in gone:
            gone.append(id(circuit))
        if not gone and len(self._known) >= self._limits[0]:
            gone.append(next(iter(self._known)))
        for key in gone:
            for made in self._known.pop(key).ids:
                del self._made[made]


def _same(circuit: QuantumCircuit, copy: QuantumCircuit) -> bool:
    """Whether a circuit is as it was, its global phase left out, which no outcome shows."""
    return bool(
        circuit.name == copy.name
        and circuit.data == copy.data
        and circuit.qubits == copy.qubits
        and circuit.clbits == copy.clbits
        and circuit.qregs == copy.qregs
        and circuit.cregs == copy.cregs
        and circuit.parameters == copy.parameters
        and circuit.metadata == copy.metadata
    )
