"""What capability documents have in common."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

Document = dict[str, Any]
Edges = Sequence[tuple[int, int]]
UPDATED = "2026-01-05T06:00:00"
PROGRAM = "braket.ir.openqasm.program"
PROGRAM_SET = "braket.ir.openqasm.program_set"

# Gates of Braket's dialect that compilers of the service understand.
GATES = [
    "ccnot",
    "cnot",
    "cphaseshift",
    "cphaseshift00",
    "cphaseshift01",
    "cphaseshift10",
    "cswap",
    "cy",
    "cz",
    "ecr",
    "h",
    "i",
    "iswap",
    "phaseshift",
    "pswap",
    "rx",
    "ry",
    "rz",
    "s",
    "si",
    "swap",
    "t",
    "ti",
    "v",
    "vi",
    "x",
    "xx",
    "xy",
    "y",
    "yy",
    "z",
    "zz",
]


@dataclass
class Device:
    """A device as the service knows it. Everything may be changed while it runs.

    Attributes:
        regions: Where it can be found; a QPU is in one.
        queue: Rows (queue, size, priority) of `deviceQueueInfo`; sizes are text;
            None: as many as wait in the service.
        angles: Angles that a native gate accepts, by its name; others: any.
        histograms: Results are `measurementProbabilities`, not rows of bits.
        density: It simulates noise.
    """

    arn: str
    name: str
    provider: str
    kind: str
    regions: tuple[str, ...]
    document: Document
    status: str = "ONLINE"
    queue: list[tuple[str, str | None, str]] = field(
        default_factory=lambda: [
            ("QUANTUM_TASKS_QUEUE", None, "Normal"),
            ("QUANTUM_TASKS_QUEUE", "0", "Priority"),
            ("JOBS_QUEUE", "0 (0 prioritized job(s) running)", "Normal"),
        ]
    )
    angles: dict[str, tuple[float, ...]] = field(default_factory=dict)
    histograms: bool = False
    density: bool = False

    @property
    def qpu(self) -> bool:
        return self.kind == "QPU"

    @property
    def action(self) -> Document:
        """What the document says about single programs."""
        return dict(self.document["action"][PROGRAM])


def header(name: str, version: int = 1) -> Document:
    """Return the header of a schema."""
    return {"name": name, "version": str(version)}


def service(
    shots: tuple[int, int],
    *,
    price: float,
    unit: str,
    place: str,
    windows: Iterable[tuple[str, str, str]],
    poll: int | None = None,
) -> Document:
    """Return the service block.

    Args:
        shots: Least and most shots of a task.
        price: US dollars per unit.
        unit: `shot`, `minute`, `hour` or `task`.
        place: Where the device stands, in words.
        windows: Triples (day, start, end), UTC.
        poll: Milliseconds between polls that the device suggests.
    """
    block: Document = {
        "braketSchemaHeader": header("braket.device_schema.device_service_properties"),
        "executionWindows": [
            {"executionDay": day, "windowStartHour": start, "windowEndHour": end}
            for day, start, end in windows
        ],
        "shotsRange": list(shots),
        "deviceCost": {"price": price, "unit": unit},
        "deviceDocumentation": {
            "imageUrl": None,
            "summary": "A synthetic device of a loopback service",
            "externalDocumentationUrl": None,
        },
        "deviceLocation": place,
        "updatedAt": UPDATED,
    }
    if poll is not None:
        block["getTaskPollIntervalMillis"] = poll
    return block


def program(operations: Sequence[str], pragmas: Sequence[str], **more: Any) -> Document:
    """Return the action block of single programs on a QPU; `more` overrides it."""
    return {
        "actionType": PROGRAM,
        "version": ["1"],
        "supportedOperations": list(operations),
        "supportedModifiers": [],
        "supportedPragmas": list(pragmas),
        "forbiddenPragmas": [],
        "maximumQubitArrays": 1,
        "maximumClassicalArrays": 1,
        "forbiddenArrayOperations": [
            "concatenation", "negativeIndex", "range", "rangeWithStep", "slicing", "selection",
        ],
        "requiresAllQubitsMeasurement": False,
        "supportPhysicalQubits": True,
        "requiresContiguousQubitIndices": False,
        "supportsPartialVerbatimBox": True,
        "supportsUnassignedMeasurements": False,
        "disabledQubitRewiringSupported": False,
        "supportedResultTypes": results(1, 20000),
        **more,
    }  # fmt: skip


def program_set(executables: int = 100, shots: int = 200_000) -> Document:
    """Return the action block of program sets."""
    return {
        "actionType": PROGRAM_SET,
        "version": ["1"],
        "maximumExecutables": executables,
        "maximumTotalShots": shots,
    }


def results(least: int, most: int) -> list[Document]:
    """Return the result types that need shots."""
    observables = ["x", "y", "z", "h", "i"]
    return [
        {
            "name": name,
            "observables": observables,
            "minShots": max(least, int(name == "Sample")),
            "maxShots": most,
        }
        for name in ("Sample", "Expectation", "Variance")
    ] + [{"name": "Probability", "observables": None, "minShots": least, "maxShots": most}]


def paradigm(labels: Sequence[int], native: Sequence[str], edges: Edges | None) -> Document:
    """Return the paradigm block; no edges: fully connected, with the graph all the same."""
    pairs = edges
    if pairs is None:
        pairs = [(a, b) for a in labels for b in labels if a < b]
    graph: dict[str, list[str]] = {}
    for a, b in pairs:
        graph.setdefault(str(a), []).append(str(b))
        graph.setdefault(str(b), []).append(str(a))
    return {
        "braketSchemaHeader": header("braket.device_schema.gate_model_qpu_paradigm_properties"),
        "qubitCount": len(labels),
        "nativeGateSet": list(native),
        "connectivity": {"fullyConnected": edges is None, "connectivityGraph": graph},
    }


def figure(base: float, step: float, label: int) -> float:
    """Return a figure that differs from one label to the next, to six digits."""
    return round(base + step * (label * 7 % 11), 9)
