"""A recalibration between compile and run: noticed, and on request compiled away."""

from __future__ import annotations

import json
import warnings
from datetime import UTC, datetime

import numpy as np
import pytest
from click.testing import CliRunner
from qiskit import ClassicalRegister, QuantumCircuit, qpy
from qiskit.circuit import Parameter
from qiskit.quantum_info import SparsePauliOp

from qdmi_qiskit import EstimatorV2, QDMIProvider, SamplerV2, drift
from qdmi_qiskit.cli.app import cli
from qdmi_qiskit.devices.iqm import wire
from qdmi_qiskit.errors import ConfigError
from qdmi_qiskit.origins import expected_fidelity
from tests.iqm.loopback import backend_on


def asymmetric(angle=None):
    """Five qubits that read 10110 with certainty, by gates between all neighbours; or by angle."""
    circuit = QuantumCircuit(5)
    for qubit in (1, 2, 4):
        circuit.rx(np.pi if angle is None or qubit != 4 else angle, qubit)
    for qubit in range(4):
        circuit.cz(qubit, qubit + 1)
        circuit.cx(qubit, qubit + 1)
        circuit.cx(qubit, qubit + 1)
    circuit.cz(4, 0)
    return circuit


def measured(angle=None):
    circuit = asymmetric(angle)
    circuit.measure_all()
    return circuit


WORD = "10110"


def test_a_recalibration_between_compile_and_run_is_noticed(server):
    backend = backend_on(server)
    isa = backend.pass_manager(1, seed_transpiler=3).run(measured())
    old = backend.calibration.id
    assert isa.metadata["qdmi_calibration"] == old
    assert backend.session.current_calibration() == old
    fresh = str(server.recalibrate("garnet").id)
    assert backend.session.current_calibration() == fresh
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = backend.run(isa, shots=20).result()  # the old set, which it was compiled for
    assert "drift" not in result.metadata
    found = backend.refresh()
    assert found
    assert found.recalibrated
    assert (found.before.calibration.id, found.after.calibration.id) == (old, fresh)
    assert found.changes[0].factor > 1
    assert {each.kind for each in found.changes} >= {"better", "worse"}
    assert fresh in str(found)
    with pytest.warns(UserWarning, match=f"compiled for calibration {old}.*{fresh} now"):
        result = backend.run([measured_on(backend), isa], shots=20).result()
    said = {"circuit": 1, "compiled_for": old, "calibration": fresh, "recompiled": False}
    assert result.metadata["drift"] == [said]
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # once is enough
        (pub,) = SamplerV2(backend).run([isa], shots=20).result()
    assert pub.metadata["drift"] == {k: v for k, v in said.items() if k != "circuit"}


def test_what_the_server_says_it_ran_with_is_compared(server):
    """Nobody refreshed, and the server ran another set than the one that was asked for."""
    backend = backend_on(server)
    isa = backend.pass_manager(1, seed_transpiler=3).run(measured())
    old, fresh = backend.calibration.id, str(server.recalibrate("garnet").id)
    backend.session.refresh(fresh)  # below the backend: it still has the old snapshot
    requests = []
    for ask in (
        lambda: backend.run(isa, shots=20).result().metadata["drift"][0],
        lambda: SamplerV2(backend).run([isa], shots=20).result()[0].metadata["drift"],
    ):
        before = len(server.log.requests)
        with pytest.warns(UserWarning, match=f"for calibration {old}.*ran with {fresh}"):
            told = ask()
        requests.append(len(server.log.requests) - before)
        told.pop("circuit", None)
        assert told == {"compiled_for": old, "calibration": fresh, "recompiled": False}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        backend.refresh()
        result = SamplerV2(backend).run([measured_on(backend)], shots=20).result()
    assert "drift" not in result[0].metadata
    assert max(requests) <= 4  # post, poll, fetch: as any run


def test_mitigated_and_dispatched_values_tell_of_drift(server):
    from qdmi_qiskit.dispatch import DispatchEstimator
    from qdmi_qiskit.mitigation import MitigatedEstimator

    backend = backend_on(server)
    isa = backend.pass_manager(1, seed_transpiler=3).run(asymmetric())
    old, fresh = backend.calibration.id, str(server.recalibrate("garnet").id)
    backend.session.refresh(fresh)
    pub = (isa, SparsePauliOp("ZIIII").apply_layout(isa.layout))
    wanted = {"compiled_for": old, "calibration": fresh, "recompiled": False}
    estimator = EstimatorV2(backend, seed=1)
    with pytest.warns(UserWarning, match="ran with"):
        (found,) = MitigatedEstimator(estimator, ["zne"]).run([pub], precision=0.1).result()
    assert found.metadata["drift"] == wanted
    group = DispatchEstimator([estimator, EstimatorV2(backend, seed=2)])
    with pytest.warns(UserWarning, match="ran with"):
        (found,) = group.run([pub], precision=0.1).result()
    assert list(found.metadata["drift"].values()) == [wanted] * 2


def test_a_backend_that_nobody_refreshed_looks_from_time_to_time(server, monkeypatch):
    backend = backend_on(server)
    isa = measured_on(backend)
    old, fresh = backend.calibration.id, str(server.recalibrate("garnet").id)
    before = len(server.log.requests)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        backend.current([isa])  # opened a moment ago: nobody is asked
        assert len(server.log.requests) == before
    monkeypatch.setattr(drift, "LOOK_AGAIN", 0.0)
    with pytest.warns(UserWarning, match=f"opened with calibration {old}.*has {fresh} by now"):
        backend.current([isa])
    assert len(server.log.requests) == before + 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        backend.current([isa])  # said once


@pytest.mark.parametrize("trouble", ["closed", "throttle", "error", "garbage"])
def test_whoever_cannot_be_asked_gives_no_warning_and_is_asked_once(server, monkeypatch, trouble):
    backend = backend_on(server)
    isa = measured_on(backend)
    monkeypatch.setattr(drift, "LOOK_AGAIN", 0.0)
    before, pauses = len(server.log.requests), []
    monkeypatch.setattr(wire.time, "sleep", pauses.append)
    if trouble == "closed":
        server.close()
    else:
        server.recalibrate("garnet")
        server.inject(trouble, times=-1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert backend.current([isa]) == [isa]
    assert len(server.log.requests) - before == (0 if trouble == "closed" else 1)
    assert pauses == []  # a run is not kept waiting for a warning


def measured_on(backend):
    return backend.pass_manager(1, seed_transpiler=3).run(measured())


def test_on_drift_compiles_anew_and_better_on_the_new_figures(server):
    backend = backend_on(server)
    backend.recompile = "on_drift"
    isa = backend.pass_manager(2, seed_transpiler=3).run(measured())
    old = backend.calibration.id
    gains = []
    for _ in range(4):
        fresh = str(server.recalibrate("garnet").id)
        (now,) = backend.current([isa])
        assert backend.calibration.id == fresh
        assert (now.metadata["qdmi_calibration"], now.metadata["qdmi_calibration_before"]) == (
            fresh,
            old,
        )
        backend.isa.check(now)
        before = expected_fidelity(isa, backend.target)
        gains.append(expected_fidelity(now, backend.target) / before)
        assert backend.current([isa])[0] is now  # compiled once for a calibration
        result = backend.run(isa, shots=50).result()
        assert result.get_counts() == {WORD: 50}
        (told,) = result.metadata["device_jobs"]
        assert told["calibration"] == fresh
        (drift,) = result.metadata["drift"]
        assert (drift["compiled_for"], drift["recompiled"]) == (old, True)
    assert min(gains) >= 1
    assert max(gains) > 1.001


def test_on_drift_asks_one_thing_and_leaves_what_is_current(server):
    backend = backend_on(server)
    backend.recompile = "on_drift"
    isa = measured_on(backend)
    before = len(server.log.requests)
    assert backend.current([isa])[0] is isa
    assert len(server.log.requests) == before + 1


def test_values_and_observables_move_with_the_circuit(server):
    backend = backend_on(server)
    backend.recompile = "on_drift"
    angle = Parameter("a")
    bare, full = asymmetric(angle), measured(angle)
    manager = backend.pass_manager(2, seed_transpiler=3)
    isa, sampled = manager.run([bare, full])
    terms = [("ZIIII", 1.0), ("IZIII", 0.5), ("IIIZZ", 0.25), ("IIZIZ", 2.0)]
    observable = SparsePauliOp.from_list(terms)
    old = isa.layout.final_index_layout()
    # word 10110: qubit 4 is 1 at angle pi; qubits 3..0 are 0, 1, 1, 0
    rest = 0.5 * 1 + 0.25 * -1 * 1 + 2.0 * -1 * 1
    wanted = np.array([1.0 + rest, -1.0 + rest])
    moved = 0
    estimator, sampler = EstimatorV2(backend), SamplerV2(backend)
    for _ in range(3):
        server.recalibrate("garnet")
        pub = (isa, observable.apply_layout(isa.layout), [[0.0], [np.pi]])
        (found,) = estimator.run([pub], precision=0.05).result()
        np.testing.assert_allclose(found.data.evs, wanted, atol=1e-12)
        assert found.metadata["drift"]["recompiled"]
        (counts,) = sampler.run([(sampled, [[0.0], [np.pi]])], shots=30).result()
        assert counts.data.meas.get_counts(0) == {"00110": 30}
        assert counts.data.meas.get_counts(1) == {WORD: 30}
        moved += backend.current([isa])[0].layout.final_index_layout() != old
    assert moved


def test_what_was_changed_bound_or_read_is_not_compiled_anew(server, tmp_path):
    backend = backend_on(server)
    backend.recompile = "on_drift"
    angle = Parameter("a")
    manager = backend.pass_manager(1, seed_transpiler=3)
    bare, whole = manager.run([asymmetric(), measured(angle)])
    places = bare.layout.final_index_layout()
    bare.add_register(ClassicalRegister(5, "late"))
    bare.measure(places, range(5))
    bound = whole.assign_parameters([np.pi])
    old = backend.calibration.id
    file = tmp_path / "bound.qpy"
    with file.open("wb") as stream:
        qpy.dump(bound, stream)
    with file.open("rb") as stream:
        (read,) = qpy.load(stream)
    server.recalibrate("garnet")
    with pytest.warns(UserWarning, match="cannot be done here"):
        now = backend.current([bare, bound, read])
    assert all(a is b for a, b in zip(now, (bare, bound, read), strict=True))
    result = backend.run(now, shots=20).result()
    assert result.get_counts() == [{WORD: 20}] * 3
    assert [each["recompiled"] for each in result.metadata["drift"]] == [False] * 3
    assert {each["compiled_for"] for each in result.metadata["drift"]} == {old}


def test_by_name_with_a_history_in_the_journal(server, tmp_path, monkeypatch):
    for key, value in server.environment("garnet").items():
        monkeypatch.setenv(key, value)
    monkeypatch.setenv("QDMI_JOURNAL", str(tmp_path / "runs.sqlite"))
    provider = QDMIProvider()
    with pytest.raises(ConfigError, match=r"recompile = 'always'.*on_drift"):
        provider.get_backend("iqm:garnet", recompile="always")
    backend = provider.get_backend("iqm:garnet", recompile="on_drift")
    first = backend.calibration
    assert 0 <= first.age < 1e9
    isa = measured_on(backend)
    second = str(server.recalibrate("garnet").id)
    assert backend.run(isa, shots=10).result().get_counts() == {WORD: 10}
    provider.get_backend("iqm:garnet")  # known already
    kept = provider.calibrations("iqm:garnet")
    assert [spec.calibration.id for spec in kept] == [first.id, second]
    assert kept[1].operations == backend.spec.operations
    assert provider.prune(before=datetime.now(UTC), everything=True) == 1
    assert len(provider.calibrations("iqm:garnet")) == 2
    picture = tmp_path / "history.png"
    ran = CliRunner().invoke(
        cli, ["calibration", "iqm:garnet", "--history", "--json", "--plot", str(picture)]
    )
    assert ran.exit_code == 0, ran.output
    rows = json.loads(ran.stdout)
    assert [row["calibration"] for row in rows] == [first.id, second]
    assert rows[1]["changes"]["worse"] > 0
    assert rows[0]["T1"] == pytest.approx(np.median([site.t1 for site in kept[0].sites if site.t1]))
    assert picture.read_bytes().startswith(b"\x89PNG")
    ran = CliRunner().invoke(cli, ["calibration", "iqm:garnet", "--history"])
    assert second in ran.stdout
    ran = CliRunner().invoke(cli, ["calibration", "iqm:garnet"])
    assert second in ran.stdout
    assert CliRunner().invoke(cli, ["calibration", "aer", "--plot"]).exit_code == 2
