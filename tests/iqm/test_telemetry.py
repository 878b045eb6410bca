"""Traces over the IQM loopback server: complete, nested, continued by another process."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections import Counter

import pytest
from click.testing import CliRunner
from qiskit import QuantumCircuit

from qdmi_qiskit import QDMIProvider, SamplerV2, telemetry
from qdmi_qiskit.cli.app import cli
from qdmi_qiskit.errors import JobFailedError
from qdmi_qiskit.testing.iqm_server import IQMServer

pytest.importorskip("opentelemetry.sdk", reason="needs opentelemetry-sdk")

from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter


@pytest.fixture
def spans(monkeypatch):
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", provider)
    return exporter


@pytest.fixture
def reader(monkeypatch):
    found = InMemoryMetricReader()
    monkeypatch.setattr(metrics._internal, "_METER_PROVIDER", MeterProvider([found]))
    return found


@pytest.fixture
def server(monkeypatch, tmp_path):
    with IQMServer("garnet", noise=False) as found:
        for key, value in found.environment("garnet").items():
            monkeypatch.setenv(key, value)
        monkeypatch.setenv("QDMI_JOURNAL", str(tmp_path / "runs.sqlite"))
        yield found


def circuits(backend, number):
    """Circuits that read their own number."""
    found = []
    for k in range(number):
        circuit = QuantumCircuit(7)
        for bit in range(7):
            if k >> bit & 1:
                circuit.x(bit)
        circuit.measure_all()
        found.append(circuit)
    return backend.pass_manager(0).run(found)


def nested(found):
    """Check that spans lie within their parents; return how many there are of each name."""
    known = {span.context.span_id: span for span in found}
    for span in found:
        if span.parent is not None and span.parent.span_id in known:
            parent = known[span.parent.span_id]
            assert parent.start_time <= span.start_time <= span.end_time <= parent.end_time, (
                parent.name,
                span.name,
            )
    return Counter(span.name for span in found)


def test_the_trace_of_100_circuits_is_complete_and_nests(server, spans, reader):
    server.behaviour.max_circuits = 10
    backend = QDMIProvider().get_backend("iqm:garnet")
    isa = circuits(backend, 100)
    job = SamplerV2(backend).run([(each,) for each in isa], shots=5)
    result = job.result()
    for k, pub in enumerate(result):
        assert pub.data.meas.get_counts() == {f"{k:07b}": 5}
    found = spans.get_finished_spans()
    jobs = len(job.device_job_ids)
    assert nested(found) == {
        "qdmi.run": 1,
        "qdmi.plan": 1,
        "qdmi.submit": jobs,
        "qdmi.fetch": jobs,
        "qdmi.queue": jobs,
        "qdmi.execute": jobs,
        "qdmi.postprocess": 1,
    }
    (root,) = [span for span in found if span.parent is None]
    assert root.name == "qdmi.run"
    assert root.attributes["qdmi.run.id"] == job.job_id()
    assert {span.context.trace_id for span in found} == {root.context.trace_id}
    assert all(span.parent.span_id == root.context.span_id for span in found if span.parent)
    sent = [span for span in found if span.name == "qdmi.submit"]
    assert sum(span.attributes["qdmi.program.circuits"] for span in sent) == 100
    assert sum(span.attributes["qdmi.shots"] for span in sent) == 500
    assert {span.attributes["qdmi.job.id"] for span in sent} == set(job.device_job_ids)
    told = {each["id"]: each for each in job.device_jobs}
    for span in found:
        if span.name == "qdmi.execute":
            vendor = told[span.attributes["qdmi.job.id"]]
            assert span.attributes["qdmi.vendor.started_at"] == vendor["started_at"]
            assert span.attributes["qdmi.execute.duration"] == vendor["runtime"]
    points = {
        metric.name: metric
        for resource in reader.get_metrics_data().resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
    }
    assert points["qdmi.shots"].data.data_points[0].value == 500
    assert points["qdmi.queue.duration"].data.data_points[0].count == jobs
    assert points["qdmi.execute.duration"].unit == "s"
    for metric in points.values():  # identifiers would make a time series each
        for point in metric.data.data_points:
            assert set(point.attributes) <= {"qdmi.device.id", "qdmi.job.state", "qdmi.currency"}


def test_retries_are_counted(server, reader):
    backend = QDMIProvider().get_backend("iqm:garnet")
    server.inject("throttle", times=2, method="POST", path="circuit", retry_after=0)
    backend.run(circuits(backend, 3)[2], shots=5).result()
    (found,) = (
        metric
        for resource in reader.get_metrics_data().resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
        if metric.name == "qdmi.retries"
    )
    assert [(dict(p.attributes), p.value) for p in found.data.data_points] == [
        ({"qdmi.retry.asked": True}, 2)
    ]


def test_a_failure_is_in_the_trace(server, spans):
    backend = QDMIProvider().get_backend("iqm:garnet")
    server.fail_next_job()
    job = backend.run(circuits(backend, 3)[2], shots=5)
    with pytest.raises(JobFailedError):
        job.result()
    found = {span.name: span for span in spans.get_finished_spans()}
    nested(found.values())
    assert not found["qdmi.run"].status.is_ok
    assert found["qdmi.run"].attributes["error.type"] == "JobFailedError"
    assert server.token not in "".join(span.to_json() for span in found.values())


SENDER = """
from qiskit import QuantumCircuit
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
trace.set_tracer_provider(TracerProvider())
from qdmi_qiskit import QDMIProvider, SamplerV2
backend = QDMIProvider().get_backend("iqm:garnet")
circuit = QuantumCircuit(3)
circuit.x(1)
circuit.measure_all()
job = SamplerV2(backend).run([backend.pass_manager(0).run(circuit)], shots=5)
from qdmi_qiskit.journal import journal_at
job._ledger.journal.flush()
print(job.job_id(), job._span.carrier()["traceparent"], flush=True)
import os
os._exit(0)
"""


def test_another_process_goes_on_with_the_trace(server, spans):
    ran = subprocess.run(
        [sys.executable, "-c", SENDER],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    job_id, parent = ran.stdout.split()
    job = QDMIProvider().job(job_id)
    assert job.result()[0].data.meas.get_counts() == {"010": 5}
    found = {span.name: span for span in spans.get_finished_spans()}
    _, trace_id, span_id, _ = parent.split("-")
    assert {f"{span.context.trace_id:032x}" for span in found.values()} == {trace_id}
    assert f"{found['qdmi.resume'].parent.span_id:016x}" == span_id
    for name in ("qdmi.fetch", "qdmi.execute", "qdmi.queue", "qdmi.postprocess"):
        assert found[name].parent.span_id == found["qdmi.resume"].context.span_id
    shown = CliRunner().invoke(cli, ["trace", job_id[:10], "--json"])
    assert shown.exit_code == 0, shown.output
    told = json.loads(shown.stdout)
    assert told["traceparent"] == parent
    ours = [event["what"] for event in told["events"] if event["source"] == "here"]
    assert ours == ["begun", "sent", "fetched"]
    (facts,) = job.device_jobs
    assert told["execute_seconds"] == facts["runtime"]
    vendor = [event["what"] for event in told["events"] if event["source"] == "vendor"]
    assert vendor == ["submitted", "started", "ended"]
    assert len(told["events"]) == 6 + len(facts["timeline"])
    text = CliRunner().invoke(cli, ["trace", job_id[:10]])
    assert "fetched" in text.stdout
    assert CliRunner().invoke(cli, ["trace", "nothing"]).exit_code == 2


def test_logs_are_found_by_run_and_job(server, caplog):
    backend = QDMIProvider().get_backend("iqm:garnet")
    with caplog.at_level(logging.INFO, "qdmi_qiskit.sending"):
        job = backend.run(circuits(backend, 2)[1], shots=5)
    (record,) = [each for each in caplog.records if each.name == "qdmi_qiskit.sending"]
    assert (record.qdmi_run, record.qdmi_device) == (job.job_id(), "garnet")
    assert (record.qdmi_job,) == job.device_job_ids
    assert server.token not in caplog.text


def test_nothing_is_made_or_imported_unless_configured():
    script = (
        "import sys\n"
        "from qdmi_qiskit import QDMIProvider, SamplerV2, telemetry\n"
        "from qiskit import QuantumCircuit\n"
        "circuit = QuantumCircuit(1)\n"
        "circuit.measure_all()\n"
        "backend = QDMIProvider().get_backend('aer')\n"
        "job = SamplerV2(backend).run([circuit])\n"
        "job.result()\n"
        "print(telemetry.is_on(), job._span)\n"
        "print([name for name in sys.modules if name.startswith('opentelemetry')])\n"
        "import opentelemetry.trace\n"
        "print(telemetry.is_on())\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=120
    )
    assert ran.stdout.split("\n")[:3] == ["False None", "[]", "False"]
    assert telemetry.run_span() is None
