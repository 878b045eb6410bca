"""From a capability document to a device: a pure function of the JSON that GetDevice returns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime

from qdmi_qiskit.devices.braket.capability import (
    Device,
    capabilities_of,
    dialect_of,
    labels_of,
    price_of,
)
from qdmi_qiskit.devices.braket.emit import Dialect
from qdmi_qiskit.devices.braket.figures import Standardized, standardized, table
from qdmi_qiskit.devices.braket.gates import Word
from qdmi_qiskit.model import Calibration, DeviceSpec, Figures, Operation, Site


def spec_from(
    device: Device,
    *,
    verbatim: bool = True,
    experimental: bool = False,
    reserved: bool = False,
    debias: bool = False,
    program_sets: bool = True,
    per_task: float = 0.0,
) -> DeviceSpec:
    """Return the snapshot of a device.

    Args:
        device: What GetDevice said.
        verbatim: Whether programs are in native gates, else the service compiles them.
        experimental: Whether tasks ask for experimental capabilities.
        reserved: Whether tasks run in a reservation, which may have other limits of shots, and
            is paid by the hour.
        debias: Whether the service mitigates errors, which takes more shots.
        program_sets: Whether to use them where they are offered.
        per_task: What the vendor charges for a task in USD; the document does not say.
    """
    dialect = dialect_of(device, verbatim=verbatim, experimental=experimental)
    labels = dialect.labels or labels_of(device)
    known = standardized(device.document)
    return DeviceSpec(
        name=f"braket:{device.name}",
        version=str(table(device.document.get("braketSchemaHeader")).get("version") or ""),
        sites=tuple(_site(k, label, dialect, known) for k, label in enumerate(labels)),
        operations=tuple(_operations(device, dialect, labels, known)),
        capabilities=capabilities_of(device, reserved=reserved, sets=program_sets, debias=debias),
        simulator=device.simulator,
        calibration=_calibration(device),
        price=None if reserved else price_of(device, per_task),
    )


def _site(index: int, label: int, dialect: Dialect, known: Standardized) -> Site:
    if dialect.labels is None:  # the service chooses the qubits
        return Site(index)
    own = known.qubit(label)
    return Site(
        index,
        str(label),
        t1=own.t1,
        t2=own.t2,
        prob_meas1_prep0=own.reads_0_as_1,
        prob_meas0_prep1=own.reads_1_as_0,
    )


def _operations(
    device: Device, dialect: Dialect, labels: tuple[int, ...], known: Standardized
) -> Iterator[Operation]:
    if dialect.feedback or dialect.branches:
        yield Operation("if_else", None)
    if dialect.labels is None:
        for name, word in dialect.words.items():
            yield Operation(name, word.num_sites, _angles(word))
        yield Operation("measure", 1)
        if dialect.resets:
            yield Operation("reset", 1)
        return
    index = {label: k for k, label in enumerate(labels)}
    edges = tuple(_edges(device, labels))
    for name, word in dialect.words.items():
        if word.num_sites == 1:
            yield Operation(name, 1, _angles(word), _ones(name, index, known))
        elif word.num_sites == 2:
            yield Operation(name, 2, _angles(word), _twos(word, edges, index, known))
    yield Operation(
        "measure",
        1,
        sites={
            (k,): Figures(known.readout_duration, known.qubit(label).readout)
            for label, k in index.items()
        },
    )
    if dialect.resets or dialect.feedback:
        yield Operation(
            "reset", 1, sites={(k,): Figures(known.reset_duration) for k in index.values()}
        )


def _angles(word: Word) -> tuple[str, ...]:
    names = {1: ("theta",), 2: ("theta", "phi"), 3: ("theta", "phi", "lam")}
    return names.get(word.num_angles, ())


def _ones(
    name: str, index: Mapping[int, int], known: Standardized
) -> dict[tuple[int, ...], Figures]:
    if name == "rz":  # a change of frame: no pulse, so neither time nor error
        return {(k,): Figures(0.0, 1.0) for k in index.values()}
    return {
        (k,): Figures(known.gate_duration, known.qubit(label).gate) for label, k in index.items()
    }


def _twos(
    word: Word,
    edges: Iterable[tuple[int, int]],
    index: Mapping[int, int],
    known: Standardized,
) -> dict[tuple[int, ...], Figures]:
    found: dict[tuple[int, ...], Figures] = {}
    for a, b in edges:
        forward, backward = (
            known.pairs.get(pair, {}).get(word.name.lower()) for pair in ((a, b), (b, a))
        )
        # A fidelity listed for one order is that of the pair, unless the other has its own.
        value = forward if forward is not None else backward
        figures = Figures(known.pair_duration, known.pair if value is None else value)
        found[index[a], index[b]] = figures
        if word.symmetric and backward is None:
            found.setdefault((index[b], index[a]), figures)
    return found


def _edges(device: Device, labels: tuple[int, ...]) -> Iterator[tuple[int, int]]:
    """Yield ordered pairs of labels, as the document's graph has them."""
    connectivity = table(table(device.document.get("paradigm")).get("connectivity"))
    graph = table(connectivity.get("connectivityGraph"))
    if connectivity.get("fullyConnected") and not any(graph.values()):
        yield from ((a, b) for a in labels for b in labels if a != b)
        return
    for a in sorted((label for label in graph if label.isdecimal()), key=int):
        near = graph[a] if isinstance(graph[a], list) else []
        yield from ((int(a), int(b)) for b in near if str(b).isdecimal() and int(b) != int(a))


def _calibration(device: Device) -> Calibration | None:
    standard = table(device.document.get("standardized"))
    said = str(standard.get("updatedAt") or device.updated_at)
    if not said:
        return None
    try:
        time = datetime.fromisoformat(said)
    except ValueError:
        return Calibration(said)
    return Calibration(said, time if time.tzinfo else time.replace(tzinfo=UTC))
