"""The loopback server is one: the unmodified iqm-client runs circuits on it."""

import math
import warnings

import numpy as np
import pytest

from qdmi_qiskit.testing.iqm_server import IQMServer, write_tokens_file

pytest.importorskip("iqm.iqm_client", reason="needs iqm-client", exc_type=ImportError)

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import requests
    from exa.common.errors import iqm_error
    from iqm.iqm_client import CircuitCompilationOptions, HeraldingMode, IQMClient
    from iqm.iqm_client.transpile import transpile_insert_moves
    from iqm.iqm_client.validation import CircuitValidationError
    from iqm.pulse import Circuit, CircuitOperation
    from iqm.station_control.client.authentication import ClientAuthenticationError
    from iqm.station_control.interface.models.jobs_new import JobStatus

PI = math.pi
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture(autouse=True)
def clean(monkeypatch):
    for name in ("IQM_SERVER_URL", "IQM_TOKEN", "IQM_TOKENS_FILE", "IQM_QUANTUM_COMPUTER"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def server():
    with IQMServer("garnet", "garnet-dead", "deneb", noise=False) as found:
        yield found


@pytest.fixture(scope="module")
def garnet(server):
    return client(server, "garnet")


@pytest.fixture
def own():
    """A server that can be changed, and its client."""
    with IQMServer("garnet", noise=False) as found:
        yield found, client(found)


def client(server, alias=None, **options):
    if not options:
        options = {"token": server.token}
    return IQMClient.from_url(server.url, quantum_computer=alias, **options)


def op(name, *locus, **args):
    return CircuitOperation(name=name, locus=locus, args=args)


def prx(qubit, angle=PI, phase=0.0):
    return op("prx", qubit, angle=angle, phase=phase)


def measure(key, *locus, **args):
    return op("measure", *locus, key=key, **args)


def circuit(*instructions):
    return Circuit(name="c", instructions=instructions)


ONE = circuit(prx("QB1"), measure("m", "QB1"))


def finished(job):
    assert job.wait_for_completion(timeout_secs=200, polling_interval=0.02, progress_callback=print)
    return job


def test_architectures_are_read(server, garnet):
    static, dynamic = (
        garnet.get_static_quantum_architecture(),
        garnet.get_dynamic_quantum_architecture(),
    )
    assert static.qubits == dynamic.qubits == [f"QB{k}" for k in range(1, 21)]
    assert len(static.connectivity) == 30
    assert dynamic.calibration_set_id == server.calibration("garnet").id
    assert dynamic.gates["cz"].override_default_implementation[("QB1", "QB4")] == "tgss"
    assert client(server, "garnet-dead").get_dynamic_quantum_architecture().qubits == [
        name for name in static.qubits if name != "QB11"
    ]
    star = client(server, "deneb").get_dynamic_quantum_architecture()
    assert star.computational_resonators == ["CR1"]
    assert ("QB3", "CR1") in star.gates["move"].loci


def test_metrics_are_found(server, garnet):
    truth = server.calibration("garnet")
    found = garnet.get_calibration_quality_metrics(truth.id)
    assert found.get_gate_fidelity("cz", "crf", ("QB8", "QB3")) == (
        truth.figure("cz", ("QB8", "QB3")).fidelity
    )
    site = truth.sites["QB2"]
    assert found.get_coherence_times(["QB2"]) == ({"QB2": site.t1}, {"QB2": site.t2})
    assert found.get_measure_errors("measure", "constant", ("QB2",)) == (
        site.prob_meas1_prep0,
        site.prob_meas0_prep1,
    )
    assert garnet.get_quality_metric_set().describes_id == truth.id
    assert garnet.get_calibration_set().observation_set_id == truth.id


def test_server_is_healthy_and_tells_about_itself(garnet):
    assert garnet.get_health()["healthy"] is True
    assert garnet.get_about()["about_station"]["version"] == "loopback"


@pytest.mark.parametrize("order", ["program", "sorted", "reversed"])
def test_bits_are_right(own, order):
    server, garnet = own
    server.behaviour.key_order = order
    read = (measure("z", "QB4"), measure("a", "QB12", "QB3", "QB7"), measure("m", "QB20"))
    job = garnet.submit_circuits([circuit(prx("QB3"), prx("QB20"), *read), ONE], shots=4)
    finished(job)
    assert job.status == JobStatus.COMPLETED
    first, second = job.result()
    assert first == {"z": [[0]] * 4, "a": [[0, 1, 0]] * 4, "m": [[1]] * 4}
    assert second == {"m": [[1]] * 4}
    words = {"z": "0", "a": "010", "m": "1"}
    counts = job.result_counts()[0]
    assert counts.counts == {"".join(words[key] for key in counts.measurement_keys): 4}


def test_feedback_and_mapping_are_understood(garnet):
    program = circuit(
        prx("a"),
        measure("x", "a", feedback_key="f"),
        op("cc_prx", "b", angle=PI, phase=0.0, feedback_qubit="a", feedback_key="f"),
        op("barrier", "a", "b"),
        op("delay", "b", duration=1e-7),
        measure("y", "b", "c"),
    )
    job = garnet.submit_circuits([program], qubit_mapping={"a": "QB9", "b": "QB2", "c": "QB1"})
    assert finished(job).result() == [{"x": [[1]], "y": [[1, 0]]}]
    assert job.job_data.compilation.calibration_set_id is not None


def test_star_runs_what_the_clients_own_pass_makes(server):
    deneb = client(server, "deneb")
    for one in (0, 1):
        flat = circuit(
            prx("QB2", PI * one),
            prx("QB5", PI / 2, PI / 2),
            op("cz", "QB2", "QB5"),
            prx("QB5", -PI / 2, PI / 2),
            measure("m", "QB5", "QB2", "QB1"),
        )
        moved = transpile_insert_moves(flat, deneb.get_dynamic_quantum_architecture())
        assert sum(each.name == "move" for each in moved.instructions) == 2
        assert finished(deneb.submit_circuits([moved], shots=5)).result() == [
            {"m": [[one, one, 0]] * 5}
        ]


def test_client_and_server_refuse_the_same_loci(server, garnet):
    bad = circuit(op("cz", "QB1", "QB3"))
    with pytest.raises(CircuitValidationError):
        garnet.submit_circuits([bad])
    definition = garnet.create_circuit_job_definition([ONE])
    definition.circuits = [bad]
    job = finished(garnet.submit_circuit_job(definition))
    assert job.status == JobStatus.FAILED
    assert "not allowed as locus" in job.errors
    assert job.result() is None


def test_job_is_found_again_with_its_payload(server, garnet):
    job = finished(garnet.submit_circuits([ONE], shots=3))
    again = client(server, "garnet").get_job(job.job_id)
    assert again.result() == job.result() == [{"m": [[1]] * 3}]
    assert again.payload().shots == 3
    assert again.payload().circuits[0].instructions == ONE.instructions
    assert again.find_timeline_entry("completed", "iqm-server") is not None


def test_waiting_job_is_cancelled_and_a_finished_one_is_not(own):
    server, garnet = own
    server.pause()
    job = garnet.submit_circuits([ONE])
    assert job.job_data.queue_position == 0
    job.cancel()
    assert job.update() == JobStatus.CANCELLED
    with pytest.raises(iqm_error.ForbiddenError):
        job.cancel()
    garnet.delete_job(job.job_id)
    with pytest.raises(iqm_error.NotFoundError):
        garnet.get_job(job.job_id)


def test_heralding_and_other_options_are_taken(own):
    server, garnet = own
    server.behaviour.herald_loss = 0.08
    options = CircuitCompilationOptions(
        heralding_mode=HeraldingMode.ZEROS, active_reset_cycles=1, max_circuit_duration_over_t2=1.0
    )
    (found,) = finished(garnet.submit_circuits([ONE], shots=1000, options=options)).result()
    assert 880 < len(found["m"]) < 960
    server.behaviour.herald_loss = 1.0
    assert finished(garnet.submit_circuits([ONE], options=options)).status == JobStatus.FAILED


def test_calibration_set_is_pinned(own):
    server, garnet = own
    old, new = server.calibration(), server.recalibrate()
    for wanted, used in ((None, new.id), (old.id, old.id)):
        job = finished(garnet.submit_circuits([ONE], calibration_set_id=wanted))
        assert job.job_data.compilation.calibration_set_id == used
    assert garnet.get_dynamic_quantum_architecture().calibration_set_id == new.id


def test_refusals_have_the_clients_own_names(own):
    server, garnet = own
    server.behaviour.max_shots = 5
    with pytest.raises(iqm_error.InvalidOperationError, match="at most 5"):
        garnet.submit_circuits([ONE], shots=6)
    with pytest.raises(iqm_error.ForbiddenError, match="timeslot"):
        garnet.submit_circuits([ONE], use_timeslot=True)
    server.recalibrate(has_metrics=False)
    with pytest.raises(iqm_error.NotFoundError, match="metrics"):
        garnet.get_quality_metric_set()
    with pytest.raises(iqm_error.AuthenticationError):
        client(server, token=server.token + "x")
    server.tokens.expire()
    with pytest.raises(iqm_error.AuthenticationError, match="expired"):
        garnet.get_health()
    assert server.jobs_created == 0


@pytest.mark.parametrize(
    ("kind", "status", "error"),
    [
        ("throttle", 429, iqm_error.RateLimitError),
        ("error", 500, iqm_error.InternalSystemError),
        ("error", 502, iqm_error.BadGatewayError),
        ("error", 503, iqm_error.SystemUnavailableError),
        ("drop_before", 0, requests.ConnectionError),
        ("drop_after", 0, requests.ConnectionError),
        ("truncate", 0, requests.RequestException),
        ("garbage", 0, ValueError),
    ],
)
def test_faults_reach_the_client(own, kind, status, error):
    server, garnet = own
    server.inject_submit(kind, status=status)
    with pytest.raises(error):
        garnet.submit_circuits([ONE])
    assert server.jobs_created == (kind in ("drop_after", "truncate", "garbage"))
    assert finished(garnet.submit_circuits([ONE])).result() == [{"m": [[1]]}]


def test_token_is_renewed_on_disk(own, tmp_path):
    server, _ = own
    path = tmp_path / "tokens.json"
    old = server.tokens.issue(30)  # so near its end that the client looks for another
    write_tokens_file(path, old)
    found = client(server, tokens_file=str(path))
    server.tokens.expire(old.text)
    write_tokens_file(path, server.tokens.issue(3600))
    assert found.get_health()["healthy"] is True
    write_tokens_file(path, server.tokens.issue(-5))
    with pytest.raises(ClientAuthenticationError):
        client(server, tokens_file=str(path))


def test_jobs_outlive_a_restart(own):
    server, garnet = own
    server.pause()
    job = garnet.submit_circuits([ONE])
    server.restart()
    server.resume()
    assert finished(job).result() == [{"m": [[1]]}]


def test_noise_reaches_the_client():
    with IQMServer("garnet", seed=3) as server:
        garnet = client(server)
        program = circuit(prx("QB1"), measure("m", "QB1", "QB2"))
        (found,) = finished(garnet.submit_circuits([program], shots=20_000)).result()
        one, zero = 1 - np.mean(found["m"], axis=0)
        sites = server.calibration().sites
        # Six sigma of 3 %, and what the pulse errs.
        assert abs(one - sites["QB1"].prob_meas0_prep1) < 0.0075 + 0.0025
        assert abs(1 - zero - sites["QB2"].prob_meas1_prep0) < 0.0075
