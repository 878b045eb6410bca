"""A user's program that does everything once and shows all that it sees: `python -m` with a folder.

Run by `test_secrets_everywhere`, in a process of its own, with every logger at DEBUG.
"""

# ruff: noqa: T201 - it shows things

from __future__ import annotations

import copy
import logging
import os
import pickle
import shutil
import sys
import traceback
from pathlib import Path

import numpy as np
from qiskit import QuantumCircuit


def circuit(gate):
    made = QuantumCircuit(2, 2)
    made.x(0) if gate == "x" else made.r(np.pi, 0.0, 0)
    made.measure([0, 1], [0, 1])
    return made


def shown(name, thing, folder):
    """Show a thing in every way that a notebook, a debugger or a cluster would."""
    print(name, repr(thing), str(thing), f"{thing}")
    print(name, {key: repr(value) for key, value in vars(thing).items()})
    for what, dump in (("pickle", pickle.dumps), ("copy", copy.copy)):
        try:
            dumped = dump(thing)
        except Exception as error:  # noqa: BLE001 - locks and clients do not pickle
            print(name, what, repr(error))
            continue
        if what == "pickle":
            (folder / f"{name}.pickle").write_bytes(dumped)


def failing(call, folder):
    """Call what fails, and show why in every way."""
    try:
        call()
    except Exception as error:
        print("error:", repr(error), error.args, error)
        print("cause:", repr(error.__cause__), repr(error.__context__))
        traceback.print_exc(chain=True)
        logging.getLogger("user").exception("it failed")
        (folder / f"{id(error)}-error.pickle").write_bytes(pickle.dumps(error))
        return
    raise AssertionError("it did not fail")


def run(provider, name, gate, folder):
    """Open, run by all roads, find again, record."""
    from qdmi_qiskit import EstimatorV2, SamplerV2, spec_json

    backend = provider.get_backend(name)
    isa = backend.pass_manager(1).run(circuit(gate))
    job = backend.run([isa], shots=5, tags=["dummy"])
    print(job.result())
    again = provider.job(job.job_id(), backend=backend)
    print(again, again.result().to_dict())
    print(SamplerV2(backend).run([isa], shots=5).result())
    bare = backend.pass_manager(1).run(circuit(gate).remove_final_measurements(inplace=False))
    print(EstimatorV2(backend).run([(bare, "I" * (bare.num_qubits - 1) + "Z")]).result())
    shown(f"{gate}-backend", backend, folder)
    shown(f"{gate}-session", backend.session, folder)
    shown(f"{gate}-result", job.result(), folder)
    (folder / f"{gate}-spec.pickle").write_bytes(pickle.dumps(backend.spec))
    (folder / f"{gate}-spec.json").write_text(spec_json.dumps(backend.spec))
    for part in vars(backend.session).values():
        if type(part).__module__.startswith("qdmi_qiskit"):
            print(repr(part))
            if hasattr(part, "__dict__"):
                print({key: repr(value) for key, value in vars(part).items()})
    failing(lambda: backend.run([circuit("x") if gate == "r" else circuit("r").power(2)]), folder)
    failing(
        lambda: backend.session.job("arn:aws:braket:us-east-1:123456789012:quantum-task/nope"),
        folder,
    )
    backend.session.close()


def main(folder):
    from qdmi_qiskit import QDMIProvider

    logging.basicConfig(level=logging.DEBUG, stream=sys.stderr, force=True)
    provider = QDMIProvider()
    run(provider, "iqm-env", "r", folder)
    run(provider, "iqm-file", "r", folder)
    run(provider, "braket-here", "x", folder)
    for name in ("iqm-echo", "iqm-spaces", "braket-echo", "iqm-nowhere"):
        failing(lambda name=name: provider.get_backend(name), folder)
    print(provider, provider.jobs())
    for file in Path(os.environ["XDG_DATA_HOME"], "qdmi").iterdir():  # while it is open: the WAL
        shutil.copy(file, folder / f"open-{file.name}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
