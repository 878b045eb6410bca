"""One allocation, one worker: outcomes, licences, and every way in which it can end."""

from __future__ import annotations

import os
import pwd
import signal
import subprocess
import threading
from pathlib import Path

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit.library import efficient_su2
from qiskit.quantum_info import SparsePauliOp

from qdmi_qiskit import EstimatorV2, QDMIProvider, SamplerV2
from qdmi_qiskit.batch import Session
from qdmi_qiskit.devices.slurm import driver
from qdmi_qiskit.errors import (
    ConfigError,
    JobFailedError,
    RejectedError,
    UnavailableError,
    UnsupportedError,
)
from qdmi_qiskit.model import DeviceStatus, JobStatus
from tests.slurm.works import OPTIONS, backend, crooked, is_empty, long, until


@pytest.fixture
def slurm(idle):
    """`slurm:aer`, closed at the end."""
    found = backend()
    yield found
    found.session.close()


@pytest.fixture
def aer():
    return QDMIProvider().get_backend("aer", num_qubits=5)


def ansatz(device):
    circuit = device.pass_manager().run(efficient_su2(4, reps=2))
    return circuit, np.linspace(0.1, 2.3, circuit.num_parameters)


def test_outcomes_are_those_of_the_device_opened_here(slurm, aer):
    isa = aer.pass_manager().run(crooked())
    here, there = (each.run(isa, shots=500, seed=3, memory=True).result() for each in (aer, slurm))
    assert there.get_memory() == here.get_memory()
    assert {word[0] + word[2] for word in there.get_memory()} == {"01"}
    circuit, values = ansatz(aer)
    pubs = [(circuit, ["ZZII", "XXIZ", "IYYI"], values, 0.05)]
    here, there = (EstimatorV2(each, seed=5).run(pubs).result()[0].data for each in (aer, slurm))
    assert np.array_equal(there.evs, here.evs)
    assert np.array_equal(there.stds, here.stds)
    measured = circuit.measure_all(inplace=False)
    points = np.stack([values, values + 0.3])
    here, there = (
        SamplerV2(each, seed=7).run([(measured, points)], shots=200).result()[0].data.meas
        for each in (aer, slurm)
    )
    assert np.array_equal(there.array, here.array)


def test_exact_values_are_those_of_the_device_opened_here(slurm, aer):
    circuit, values = ansatz(aer)
    pubs = [(circuit, ["ZZII", "XXIZ", "IYYI"], values)]
    here, there = (
        EstimatorV2(each).run(pubs, precision=0).result()[0].data for each in (aer, slurm)
    )
    assert np.array_equal(there.evs, here.evs)


def test_the_snapshot_is_the_inner_devices(slurm, aer):
    assert slurm.num_qubits == 5
    assert slurm.operation_names == aer.operation_names
    assert slurm.spec.operations == aer.spec.operations
    assert slurm.device_status().status is DeviceStatus.IDLE


def test_a_circuit_that_was_changed_in_place_is_another_one(slurm):
    circuit = QuantumCircuit(1, 1)
    circuit.id(0)
    circuit.measure(0, 0)
    assert slurm.run(circuit, shots=20).result().get_counts() == {"0": 20}
    circuit.data.insert(0, circuit.copy_empty_like().x(0)[0])
    assert slurm.run(circuit, shots=20).result().get_counts() == {"1": 20}


def test_a_recorded_device_is_the_same_inside(idle):
    here, there = (
        QDMIProvider().get_backend(name, **({} if k == 0 else {"partition": "quantum"}))
        for k, name in enumerate(("replay:grid20", "slurm:replay:grid20"))
    )
    assert there.spec.operations == here.spec.operations
    state = here.pass_manager(1, seed_transpiler=1).run(efficient_su2(3, reps=1))
    values = np.linspace(0.2, 2.0, state.num_parameters)
    pub = (state, SparsePauliOp(["ZZI", "IXX"]).apply_layout(state.layout), values, 0.1)
    found = [EstimatorV2(each, seed=3).run([pub]).result()[0].data for each in (here, there)]
    assert found[0].evs == found[1].evs
    there.session.close()


def test_messages_of_any_size_arrive_whole(slurm, aer):
    isa = aer.pass_manager().run(crooked())
    here, there = (
        each.run(isa, shots=200_000, seed=11, memory=True).result() for each in (aer, slurm)
    )
    assert there.get_memory() == here.get_memory()
    deep = QuantumCircuit(5, 1)
    for k in range(3000):
        deep.rx(0.001 * k, k % 5)
        deep.cz(k % 5, (k + 1) % 5)
    deep.x(0)
    deep.measure(0, 0)
    here, there = (each.run(deep, shots=300, seed=2).result().get_counts() for each in (aer, slurm))
    assert there == here


def test_many_threads_share_a_worker(slurm, aer):
    circuits = []
    for k in range(12):
        circuit = QuantumCircuit(4, 4)
        for bit in range(4):
            if k >> bit & 1:
                circuit.x(bit)
        circuit.measure(range(4), range(4))
        circuits.append(circuit)
    jobs = [slurm.run(circuit, shots=300) for circuit in circuits]
    for k, job in reversed(list(enumerate(jobs))):
        assert job.result().get_counts() == {f"{k:04b}": 300}


def test_the_result_says_where_it_was_made(slurm):
    (told,) = slurm.run(crooked(), shots=10).result().metadata["device_jobs"]
    assert told["slurm_job"].isdigit()
    assert told["node"] in ("n1", "n2")
    assert told["device_job"]


@pytest.mark.slow
def test_a_licence_is_held_while_a_session_is_open_and_a_third_waits(idle):
    first, second = backend(), backend()
    assert idle.licenses()["aer"] == 2
    third = driver.open("aer", **OPTIONS)
    opening = threading.Thread(target=third.spec)
    opening.start()
    assert until(lambda: "Licenses" in third.status().message)
    state = third.status()
    assert state.status is DeviceStatus.BUSY
    assert state.queue_length == 0
    assert state.message == "PENDING (Licenses)"
    first.session.close()
    assert idle.licenses()["aer"] <= 2
    opening.join(120)
    assert third.spec().num_qubits == 5
    for session in (second.session, third):
        session.close()
    assert is_empty(idle)


@pytest.mark.slow
def test_waiting_has_an_end_and_leaves_nothing(idle):
    first, second = backend(), backend()
    with pytest.raises(UnavailableError, match="no allocation after 8 s: PENDING"):
        backend(wait=8)  # a busy machine takes a second or two until Slurm knows of it
    assert idle.jobs("PENDING") == []
    for each in (first, second):
        each.session.close()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"licenses": "nosuch:1"}, "Invalid license specification"),
        ({"partition": "nosuch"}, "invalid partition"),
        ({"constraint": "gpu"}, "Invalid feature specification"),
        ({"extra": ("--nodelist=n7",)}, "Invalid node name"),
    ],
)
def test_what_slurm_refuses_is_to_be_corrected(idle, options, words):
    with pytest.raises(ConfigError, match=f"(?i){words}"):
        backend(**options)


def test_after_a_refusal_nothing_is_asked_for(idle):
    session = driver.open("aer", partition="nosuch")
    with pytest.raises(ConfigError):
        session.spec()
    state = session.status()
    assert state.status is DeviceStatus.IDLE
    assert state.message.startswith("no allocation now")
    session.close()


def test_what_the_node_refuses_is_told_in_its_words(idle):
    with pytest.raises(ConfigError, match="did you mean 'aer'"):
        backend("slurm:aerr", device_options={})
    with pytest.raises(ConfigError, match="unknown option 'num_qubit'; did you mean 'num_qubits'"):
        backend(device_options={"num_qubit": 5})
    assert until(lambda: idle.jobs() == [])


def test_an_interpreter_that_lacks_the_package_says_so(idle):
    with pytest.raises(UnavailableError, match="No module named"):
        backend(python="/usr/bin/python3")


def test_a_garbage_circuit_is_refused_at_once_and_spoils_nothing(slurm):
    bent = QuantumCircuit(1, 1)
    bent.store(bent.clbits[0], True)
    with pytest.raises(RejectedError, match="measures nothing"):
        slurm.run(bent)
    assert slurm.run(crooked(), shots=5).result().success


def test_a_banner_on_stdout_leaves_results_intact(idle):
    prolog = idle.folder / "prolog"
    prolog.write_text(
        '#!/bin/sh\necho print Welcome to this fine cluster\nprintf \'print {"job": 1, "end": \'\n'
    )
    prolog.chmod(0o755)
    before = idle.conf.read_text()
    idle.reconfigure(f"TaskProlog={prolog}")
    try:
        slurm = backend()
        assert set(slurm.run(crooked(), shots=100).result().get_counts()) == {"001", "011"}
        allocation = slurm.session._allocation
        assert "Welcome to this fine cluster" in allocation._srun.frames.noise
        slurm.session.close()
    finally:
        idle._write("slurm.conf", before)
        idle.run("scontrol", "reconfigure")


def test_the_time_limit_is_always_given(idle):
    slurm = backend(time="00:07:00", extra=("--comment=for test",))
    said = idle.run("squeue", "-h", "-o", "%l|%P|%W|%j").stdout.strip().split("|")
    assert said[:3] == ["7:00", "quantum", "aer:1"]
    assert said[3].startswith("qdmi-")
    slurm.session.close()


@pytest.mark.slow
def test_two_sessions_work_on_two_nodes_at_once(idle):
    nodes = {node: backend(extra=(f"--nodelist={node}",)) for node in ("n1", "n2")}
    jobs = {node: slurm.run(crooked(), shots=50) for node, slurm in nodes.items()}
    for node, slurm in nodes.items():
        result = jobs[node].result()
        assert result.metadata["device_jobs"][0]["node"] == node
        assert set(result.get_counts()) == {"001", "011"}
        slurm.session.close()


@pytest.mark.slow
def test_a_reservation_of_slurm_is_held(idle):
    user = pwd.getpwuid(os.getuid()).pw_name
    said = idle.run(
        "scontrol", "create", "reservation", "reservationname=quiet", "starttime=now",
        "duration=10", f"users={user}", "nodes=n2", "licenses=aer:1",
    )  # fmt: skip
    assert said.returncode == 0, said.stderr
    try:
        slurm = backend(reservation="quiet")
        with Session(slurm, must_hold=True) as session:
            result = session.backend.run(crooked(), shots=50).result()
        assert result.metadata["device_jobs"][0]["node"] == "n2"
        slurm.session.close()
        plain = backend()
        assert plain.run(crooked(), shots=1).result().metadata["device_jobs"][0]["node"] == "n1"
        with pytest.raises(UnsupportedError, match=r"reservation=\.\.\. \(slurm:\)"):
            Session(plain, must_hold=True)
        plain.session.close()
    finally:
        idle.run("scontrol", "delete", "reservationname=quiet")


def test_an_idle_session_gives_its_licence_back_and_takes_another(idle):
    slurm = backend(idle=0.4)
    first = slurm.run(crooked(), shots=50).result().metadata["device_jobs"][0]["slurm_job"]
    assert is_empty(idle)
    result = slurm.run(crooked(), shots=50).result()
    assert set(result.get_counts()) == {"001", "011"}
    assert int(result.metadata["device_jobs"][0]["slurm_job"]) > int(first)
    slurm.session.close()


@pytest.mark.slow
def test_a_job_cancelled_by_its_user_ends_and_the_session_goes_on(slurm):
    job = slurm.run(long(), shots=200_000)
    assert until(lambda: job.qdmi_status() is JobStatus.RUNNING)
    assert job.cancel()
    with pytest.raises(JobFailedError, match="canceled"):
        job.result()
    assert set(slurm.run(crooked(), shots=50).result().get_counts()) == {"001", "011"}


@pytest.mark.slow
def test_an_allocation_that_slurm_ends_fails_its_jobs_with_the_reason(idle):
    slurm = backend()
    job = slurm.run(long(), shots=200_000)
    assert until(lambda: idle.jobs("RUNNING"))
    idle.run("scancel", *idle.jobs())
    with pytest.raises(JobFailedError, match=r"was lost: the allocation .* CANCELLED"):
        job.result()
    assert until(lambda: idle.licenses()["aer"] == 0)
    # The next call takes a new allocation.
    assert set(slurm.run(crooked(), shots=50).result().get_counts()) == {"001", "011"}
    slurm.session.close()


def test_closing_gives_the_licence_back(idle):
    slurm = backend()
    slurm.run(crooked(), shots=5).result()
    slurm.session.close()
    assert is_empty(idle)


PARENT = """
import sys, threading
sys.path.insert(0, {root!r})
from tests.slurm.works import backend, long
slurm = backend()
print("open", flush=True)
if {busy}:
    job = slurm.run(long(), shots=200_000)
    print("running", flush=True)
threading.Event().wait(600)
"""


def parent(python, *, busy=False):
    code = PARENT.format(root=str(Path.cwd()), busy=busy)
    return subprocess.Popen([python, "-c", code], stdout=subprocess.PIPE, text=True)


@pytest.mark.slow
@pytest.mark.parametrize("busy", [False, True])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_parent_that_is_killed_leaves_no_job_and_no_licence(idle, python, busy, number):
    with parent(python, busy=busy) as process:
        for _ in range(1 + busy):
            assert process.stdout.readline()
        assert idle.licenses()["aer"] == 1
        process.send_signal(number)
        process.wait(120)
    assert until(lambda: idle.jobs() == [] and idle.licenses()["aer"] == 0)


@pytest.mark.slow
def test_a_parent_that_is_killed_in_the_queue_leaves_no_ghost(idle, python):
    first, second = backend(), backend()
    with parent(python) as process:
        assert until(lambda: idle.jobs("PENDING"))
        process.kill()
        process.wait(120)
    assert until(lambda: idle.jobs("PENDING") == [])
    for each in (first, second):
        each.session.close()


INTERRUPTED = """
import sys
sys.path.insert(0, {root!r})
from tests.slurm.works import backend, crooked, long
slurm = backend()
job = slurm.run(long(), shots=200_000)
try:
    print("running", flush=True)  # what follows it is to be interrupted, wherever it is by then
    job.result()
except KeyboardInterrupt:
    print(job.qdmi_status().final, slurm.session._allocation.over.is_set(), flush=True)
slurm.session.close()
"""


@pytest.mark.slow
def test_ctrl_c_ends_the_call_and_not_the_session(idle, python):
    with interrupted(python, INTERRUPTED) as process:
        assert process.stdout.readline() == "running\n"
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to srun as well, if it hears
        assert process.stdout.readline() == "False False\n"
        assert process.wait(120) == 0
    assert until(lambda: idle.jobs() == [])


def interrupted(python, code):
    """Start a script in a process group of its own."""
    command = [python, "-c", code.format(root=str(Path.cwd()), busy=False)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)


@pytest.mark.slow
def test_ctrl_c_in_the_queue_leaves_nothing(idle, python):
    first, second = backend(), backend()
    with interrupted(python, PARENT) as process:
        assert until(lambda: idle.jobs("PENDING"))
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(120) != 0
        assert until(lambda: idle.jobs("PENDING") == [])
    for each in (first, second):
        each.session.close()


INSIDE = """
import os, sys
sys.path.insert(0, {root!r})
from tests.slurm.works import backend, crooked
assert os.environ["SLURM_JOB_PARTITION"] == "classical"
slurm = backend()
told = slurm.run(crooked(), shots=5).result().metadata["device_jobs"][0]
print(os.environ["SLURM_JOB_ID"], told["slurm_job"], flush=True)
os.system("squeue -h -o '%A %P %W'")
slurm.session.close()
"""


def test_inside_another_job_a_job_of_its_own_is_taken(idle, python):
    """`srun` would make a step in the wrong partition, without the licence and without a word."""
    code = INSIDE.format(root=str(Path.cwd()))
    said = idle.run("srun", "-p", "classical", "-t", "2", python, "-c", code, timeout=300)
    numbers, *queue = said.stdout.splitlines()
    outer, inner = numbers.split()
    assert outer != inner
    assert f"{inner} quantum aer:1" in queue
    assert f"{outer} classical (null)" in queue


def test_a_job_that_was_given_the_device_opens_a_step_in_itself(idle, python):
    code = INSIDE.format(root=str(Path.cwd())).replace('"classical"', '"quantum"')
    said = idle.run(
        "srun", "-p", "quantum", "-L", "aer:1", "-t", "2", python, "-c", code,
        timeout=300, QDMI_GRANTED="aer",
    )  # fmt: skip
    outer, inner = said.stdout.splitlines()[0].split()
    assert outer == inner


def test_a_session_that_was_asked_nothing_takes_no_allocation(idle):
    session = driver.open("aer", **OPTIONS)
    assert session.status().message == "no allocation now; the next call asks for one"
    with pytest.raises(ConfigError, match="no job 'qdmi-0000'"):
        session.job("qdmi-0000")
    session.close()
    assert idle.jobs() == []
