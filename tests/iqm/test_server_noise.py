"""The noise of the loopback server is that of its figures."""

import math

import numpy as np
import pytest

from qdmi_qiskit.testing.iqm_server import IQMServer
from tests.iqm.server_asker import PI, Asker, circuit, measure, op, prx


@pytest.fixture(scope="module")
def noisy():
    with IQMServer("garnet", seed=11) as server:
        yield Asker(server)


def share(rows):
    return float(np.mean(rows))


def test_readout_errors_are_those_of_the_observations(noisy):
    site = noisy.server.calibration().sites["QB4"]
    zero, one = noisy.run(
        circuit(measure("m", "QB4")), circuit(prx("QB4"), measure("m", "QB4")), shots=20_000
    )
    sigma = math.sqrt(0.03 / 20_000)
    assert abs(share(zero["m"]) - site.prob_meas1_prep0) < 5 * sigma
    error = 1 - noisy.server.calibration().figure("prx", ("QB4",)).fidelity
    assert abs(1 - share(one["m"]) - site.prob_meas0_prep1) < 5 * sigma + 2 * error


def test_gate_errors_add_up(noisy):
    figures = noisy.server.calibration().figure("cz", ("QB1", "QB2"))
    count = 60
    site = noisy.server.calibration().sites["QB1"]
    steps = [op("cz", "QB1", "QB2")] * count
    (found,) = noisy.run(circuit(*steps, measure("m", "QB1")), shots=20_000)
    # A channel of average infidelity e moves a qubit of the pair from |0> to |1> with at most
    # 4/3 e / 2; relaxation, which is a part of e, does not.
    moved = (share(found["m"]) - site.prob_meas1_prep0) / count
    assert 0 < moved < 2 / 3 * (1 - figures.fidelity)


def test_delays_relax(noisy):
    t1 = noisy.server.calibration().sites["QB1"].t1
    wait = op("delay", "QB1", duration=t1 / 2)
    now, later = noisy.run(
        circuit(prx("QB1"), measure("m", "QB1")),
        circuit(prx("QB1"), wait, measure("m", "QB1")),
        shots=5000,
        max_circuit_duration_over_t2=0.0,
    )
    assert share(now["m"]) > 0.9
    assert abs(share(later["m"]) - math.exp(-0.5)) < 0.04


def test_heralding_discards_by_the_readout_errors(noisy):
    program = circuit(*(measure(f"m{k}", f"QB{k}") for k in (1, 2, 4)))
    (found,) = noisy.run(program, shots=5000, heralding_mode="zeros")
    sites = noisy.server.calibration().sites
    kept = math.prod(1 - sites[f"QB{k}"].prob_meas1_prep0 for k in (1, 2, 4))
    assert abs(len(found["m1"]) / 5000 - kept) < 5 * math.sqrt(kept * (1 - kept) / 5000)


def test_shots_depend_on_the_seed_and_on_nothing_else():
    program = circuit(prx("QB1", PI / 2), measure("m", "QB1"))

    def shots(seed):
        with IQMServer("garnet", seed=seed) as server:
            ask = Asker(server)
            return ask.run(program, program, shots=100)

    first = shots(1)
    assert first == shots(1)
    assert first != shots(2)
    assert first[0] != first[1]
