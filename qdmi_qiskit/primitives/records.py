"""A primitive's call in the journal: written as it begins, read by whoever goes on with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from qiskit import QuantumCircuit
from qiskit.exceptions import QiskitError
from qiskit.primitives.containers.bindings_array import BindingsArray

from qdmi_qiskit.backend import QDMIBackend
from qdmi_qiskit.errors import JournalError
from qdmi_qiskit.journal import Ledger
from qdmi_qiskit.model import Values
from qdmi_qiskit.primitives.job import PrimitiveJob
from qdmi_qiskit.primitives.pubs import points_of
from qdmi_qiskit.saved import call_loaded, call_saved, circuits_loaded, circuits_saved

Begun = Callable[[QDMIBackend, Ledger], Any]
"""Begins a call on a backend, as `PrimitiveJob` wants it."""


def saved(pubs: Sequence[Any], said: Sequence[Any], **call: Any) -> tuple[bytes, bytes | None]:
    """Return a call and its circuits as blobs.

    Args:
        pubs: Of the call.
        said: For each pub, what it has beside circuit and values; plain JSON.
        call: What else the call needs; plain JSON.
    """
    described = [
        [list(pub.parameter_values.shape), *each] for pub, each in zip(pubs, said, strict=True)
    ]
    blob = call_saved({"pubs": described, **call}, [points_of(pub) for pub in pubs])
    return blob, circuits_saved([pub.circuit for pub in pubs])


def taken_up(
    ledger: Ledger,
    opened: Callable[[Ledger], QDMIBackend],
    pub_of: Callable[..., Any],
    begun: Callable[[list[Any], dict[str, Any]], Begun],
) -> PrimitiveJob:
    """Return the job of a run in the journal.

    Args:
        ledger: Its page.
        opened: Returns its backend, for a page that is to be looked at or gone on with.
        pub_of: Makes a pub of a circuit, its values, and what `saved` was told of it.
        begun: Makes of the pubs and the rest of the call what begins it again.

    Raises:
        JournalError: The record is damaged.
    """
    call, values = call_loaded(ledger.inputs.call)
    circuits = circuits_loaded(ledger.inputs.circuits)
    with _reading(ledger.id):
        pubs = [
            pub_of(circuit, _bindings(circuit, table, shape), *said)
            for circuit, table, (shape, *said) in zip(circuits, values, call["pubs"], strict=True)
        ]
        again = begun(pubs, call)

    def begin(page: Ledger | None) -> Any:
        assert page is not None  # noqa: S101 - it is where the run comes from
        return again(opened(page), page)

    return PrimitiveJob(begin, ledger)


def _bindings(circuit: QuantumCircuit, values: Values, shape: Sequence[int]) -> BindingsArray:
    """Return a pub's values from what `points_of` made of them.

    Args:
        circuit: Of the pub.
        values: float64, shape `(points, parameters)`.
        shape: Of the pub's values.
    """
    if not circuit.num_parameters:
        return BindingsArray(shape=tuple(shape))
    table = values.reshape(*shape, circuit.num_parameters)
    return BindingsArray({tuple(circuit.parameters): table})


@contextmanager
def _reading(run_id: str) -> Iterator[None]:
    """Turn what a damaged record makes of pubs into our error.

    Raises:
        JournalError: Something in the block did not fit together.
    """
    try:
        yield
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, QiskitError) as error:
        raise JournalError(f"the record of run {run_id} is damaged: {error}") from error
