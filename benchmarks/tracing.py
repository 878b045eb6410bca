"""What the hooks for traces cost where nobody traces: CPU per run, with them and with none at all.

    python -m benchmarks.tracing

The same runs of one circuit are made in turn with the hooks as they are and with every hook taken
out, on Aer, in blocks that alternate, so that a machine that slows down slows both. Told are the
median of the ratios of neighbouring blocks with its quartiles, and, sharper, the hooks of one run
timed by themselves as a share of the run.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from importlib import import_module

import numpy as np
from qiskit import QuantumCircuit

from qdmi_qiskit import QDMIProvider, SamplerV2, telemetry

_NOTHING = nullcontext()


@contextmanager
def without() -> Iterator[None]:
    """Take the hooks out: what is left of each is the call itself."""
    kept = telemetry.span, telemetry.is_on, telemetry.within
    telemetry.span = lambda name, **attributes: _NOTHING  # type: ignore[assignment]
    telemetry.is_on = lambda: False  # type: ignore[assignment]
    telemetry.within = lambda made: _NOTHING  # type: ignore[assignment]
    try:
        yield
    finally:
        telemetry.span, telemetry.is_on, telemetry.within = kept


def block(sampler: SamplerV2, circuit: QuantumCircuit, shots: int, runs: int) -> float:
    """Return CPU seconds per run."""
    before = time.process_time()
    for _ in range(runs):
        sampler.run([(circuit,)], shots=shots).result()
    return (time.process_time() - before) / runs


def hooks(runs: int = 20000) -> float:
    """Return CPU seconds of the hooks of one run, timed by themselves."""
    before = time.process_time()
    for _ in range(runs):
        telemetry.is_on()  # of the job
        with telemetry.within(None):
            pass
        with telemetry.span("plan", device_id="x", program_circuits=1):
            pass
        telemetry.is_on()  # of the chunk, when planned and when sent
        telemetry.is_on()
        with telemetry.span("postprocess"):
            pass
    return (time.process_time() - before) / runs


def loaded() -> float:
    """Return the same in a program whose packages have loaded OpenTelemetry's API, unused."""
    import_module("opentelemetry.trace")
    return hooks()


def main() -> None:
    """Print the ratios as JSON."""
    circuit = QuantumCircuit(5)
    circuit.h(0)
    for qubit in range(4):
        circuit.cx(qubit, qubit + 1)
    circuit.measure_all()
    backend = QDMIProvider().get_backend("aer", journal=False)
    sampler = SamplerV2(backend, seed=1)
    isa = backend.pass_manager(1).run(circuit)
    blocks, runs = (int(each) for each in (sys.argv[1:] or ["60", "20"]))
    block(sampler, isa, 1000, runs)
    ratios, costs = [], []
    for index in range(blocks):
        times = {}
        for hooked in (True, False) if index % 2 else (False, True):
            if hooked:
                times[hooked] = block(sampler, isa, 1000, runs)
            else:
                with without():
                    times[hooked] = block(sampler, isa, 1000, runs)
        ratios.append(times[True] / times[False])
        costs.append(times[False])
    low, middle, high = np.percentile(ratios, [25, 50, 75])
    cost = float(np.median(costs))
    print(
        json.dumps(
            {
                "cpu_s_per_run": cost,
                "ratio": {"median": middle, "quartiles": [low, high]},
                "hooks_s_per_run": hooks(),
                "hooks_share": hooks() / cost,
                "hooks_share_with_api_loaded": loaded() / cost,
            },
            indent=2,
        )
    )


if __name__ == "__main__":
    main()
