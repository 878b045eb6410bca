"""What a job tells of itself, from the server's JSON to Qiskit's results."""

from __future__ import annotations

import json
import logging
from datetime import datetime

from qiskit import QuantumCircuit
from qiskit.quantum_info import SparsePauliOp

from qdmi_qiskit import EstimatorV2, SamplerV2
from qdmi_qiskit.backend import QDMIBackend
from qdmi_qiskit.devices.iqm import session as sessions
from qdmi_qiskit.devices.iqm.facts import facts, joined
from tests.iqm import recorded
from tests.iqm.loopback import opened


def entry(status, time, source="iqm-server"):
    return {"source": source, "status": status, "timestamp": time}


def test_times_are_iso_and_the_first_or_last_of_their_kind():
    found = facts(
        recorded.job(
            "completed",
            timeline=[
                entry("created", "2026-11-20T10:00:00Z"),
                entry("received", "2026-11-20T10:00:01Z", "iqm-station-control"),
                entry("odd", "yesterday"),
                "odd",
                entry("execution_started", "2026-11-20T12:00:02.5+02:00", "iqm-station-control"),
                entry("execution_ended", "2026-11-20T10:00:03Z", "iqm-station-control"),
                entry("ready", "2026-11-20T10:00:04Z", "iqm-station-control"),
                entry("completed", "2026-11-20T10:00:05"),
            ],
            runtime_ms=500,
        )
    )
    assert found["submitted_at"] == "2026-11-20T10:00:00+00:00"
    assert found["started_at"] == "2026-11-20T10:00:02.500000+00:00"
    assert found["ended_at"] == "2026-11-20T10:00:05+00:00"
    assert found["runtime"] == 0.5
    assert [each["status"] for each in found["timeline"]] == [
        *("created", "received", "execution_started", "execution_ended", "ready", "completed")
    ]


def test_what_is_not_known_is_not_there():
    assert facts(recorded.job("waiting")) == {}
    nonsense = {
        "queue_position": None,
        "compilation": 3,
        "execution": {"progress": {"a": {"value": 1, "max_value": 0}, "b": None}},
        "runtime_ms": float("nan"),
        "messages": None,
        "timeline": "x",
        "tag": "",
    }
    assert facts(recorded.job("waiting", **nonsense)) == {}


def test_the_first_place_in_the_queue_is_a_place():
    assert facts(recorded.job("waiting", queue_position=0)) == {"queue_position": 0}


def test_parts_are_joined_to_what_holds_for_all():
    one = {"calibration": "s", "runtime": 1.0, "started_at": "2026-01-01", "ended_at": "2026-01-02"}
    two = {"calibration": "s", "runtime": 0.5, "started_at": "2026-01-03", "ended_at": "2026-01-04"}
    both = joined([one, two])
    assert both["parts"] == [one, two]
    assert (both["calibration"], both["runtime"]) == ("s", 1.5)
    assert (both["started_at"], both["ended_at"]) == ("2026-01-01", "2026-01-04")
    going_on = joined([one, {"calibration": "t", "queue_position": 4}])
    assert going_on["queue_position"] == 4
    assert not {"calibration", "runtime", "ended_at"} & going_on.keys()


# --- to Qiskit's results ---------------------------------------------------------------------


def measured(backend, one=1):
    circuit = QuantumCircuit(backend.num_qubits, 2)
    circuit.r(3.141592653589793, 0.0, one)
    circuit.measure([0, 1], [0, 1])
    return circuit


def check(device_jobs, server, backend):
    (found,) = device_jobs
    (job,) = server.jobs
    assert found["id"] == str(job.id)
    assert found["tag"] == job.tag
    assert found["calibration"] == backend.calibration.id == str(server.calibration("garnet").id)
    assert found["runtime"] == job.runtime_ms / 1000
    assert found["progress"] == {"circuits": 1.0}
    times = [
        datetime.fromisoformat(found[f"{word}_at"]) for word in ("submitted", "started", "ended")
    ]
    assert times == sorted(times)
    assert found["timeline"][0]["status"] == "created"
    assert "queue_position" not in found  # it waits no more
    assert json.loads(json.dumps(found)) == found


def test_it_is_in_the_result_of_run(server):
    backend = QDMIBackend(opened(server, "garnet"))
    result = backend.run([measured(backend)], shots=5).result()
    assert result.get_counts() == {"10": 5}
    check(result.metadata["device_jobs"], server, backend)


def test_it_is_in_the_result_of_the_sampler(server):
    backend = QDMIBackend(opened(server, "garnet"))
    result = SamplerV2(backend).run([measured(backend)], shots=5).result()
    check(result.metadata["device_jobs"], server, backend)


def test_it_is_in_the_result_of_the_estimator(server):
    backend = QDMIBackend(opened(server, "garnet"))
    circuit = QuantumCircuit(backend.num_qubits)
    circuit.r(3.141592653589793, 0.0, 1)
    operator = SparsePauliOp.from_sparse_list([("Z", [1], 1.0)], backend.num_qubits)
    result = EstimatorV2(backend).run([(circuit, operator)], precision=0.1).result()
    assert float(result[0].data.evs) == -1.0
    check(result.metadata["device_jobs"], server, backend)


def test_a_job_that_waits_says_where(server):
    backend = QDMIBackend(opened(server, "garnet"))
    server.pause()
    jobs = [backend.run([measured(backend)], shots=5) for _ in range(2)]
    second = backend.session.job(jobs[1].device_job_ids[0])
    assert second.metadata["queue_position"] == 1
    assert "started_at" not in second.metadata
    server.resume()
    assert [job.result().get_counts() for job in jobs] == [{"10": 5}] * 2


def test_a_drifted_default_is_said_in_the_result(server, monkeypatch, caplog):
    backend = QDMIBackend(opened(server, "garnet"))
    monkeypatch.setattr(sessions, "_LOOK_AGAIN", 0.0)
    pinned = backend.calibration.id
    fresh = str(server.recalibrate("garnet").id)
    with caplog.at_level(logging.WARNING):
        result = backend.run([measured(backend)], shots=5).result()
    (found,) = result.metadata["device_jobs"]
    assert found["calibration"] == pinned
    (said,) = found["warnings"]
    assert fresh in said
    assert "backend.refresh()" in said
    backend.refresh()
    (found,) = backend.run([measured(backend)], shots=5).result().metadata["device_jobs"]
    assert found["calibration"] == fresh
    assert "warnings" not in found
