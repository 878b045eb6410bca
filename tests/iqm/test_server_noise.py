"""The noise of the loopback server is that of its figures."""

import math
from dataclasses import replace

import numpy as np
import pytest

from qdmi_qiskit.model import Figures
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
    site = noisy.server.calibration().sites["QB1"]
    t1, left = site.t1, math.exp(-0.5)
    wait = op("delay", "QB1", duration=t1 / 2)
    now, later = noisy.run(
        circuit(prx("QB1"), measure("m", "QB1")),
        circuit(prx("QB1"), wait, measure("m", "QB1")),
        shots=5000,
        max_circuit_duration_over_t2=0.0,
    )
    assert share(now["m"]) > 0.9
    want = left * (1 - site.prob_meas0_prep1) + (1 - left) * site.prob_meas1_prep0
    assert abs(share(later["m"]) - want) < 6 * math.sqrt(want * (1 - want) / 5000)


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


def recalibrated(server, t1, t2, prx_figures, cz_figures):
    """Give every qubit the same figures, but for another T1 of some."""
    calibration = server.calibration()
    for name, site in calibration.sites.items():
        factor = 1.1 if name in ("QB2", "QB5") else 1.0
        calibration.sites[name] = replace(site, t1=t1 * factor, t2=t2)
    for key in calibration.figures:
        if key[0] in ("prx", "cz"):
            calibration.figures[key] = prx_figures if key[0] == "prx" else cz_figures


def test_coherence_longer_than_relaxation_breaks_nothing():
    """With just these figures in a noise model Aer fails: "Kraus is empty"."""
    names = [f"QB{k}" for k in range(1, 7)]
    steps = [prx(name, PI) for name in names]
    steps += [op("cz", f"QB{a}", f"QB{b}") for a, b in ((1, 2), (4, 5), (5, 6))]
    steps += [op("delay", name, duration=1e-6) for name in names]
    steps += [measure(f"m{name}", name) for name in names]
    with IQMServer("garnet", seed=1) as server:
        t1, t2 = 4.047286498801027e-05, 7.857622271814705e-05
        one, two = 0.9984728198340757, 0.9712837638215689
        recalibrated(server, t1, t2, Figures(4e-8, one), Figures(1.2e-7, two))
        (found,) = Asker(server).run(circuit(*steps), shots=50)  # few: Aer takes trajectories
    left = math.exp(-1.2e-6 / t1)  # of the excited qubits, but for errors of some per cent
    assert left - 0.2 < np.mean([share(found[f"m{name}"]) for name in names]) < left + 0.1


@pytest.mark.parametrize("longer", [0.7, 1.8])
def test_gates_relax_for_as_long_as_they_take(longer):
    """T1 alone is seen in the excited state, whichever way the channel is written."""
    t1, count, shots = 3e-5, 60, 8000
    with IQMServer("garnet", seed=5) as server:
        recalibrated(server, t1, longer * t1, Figures(5e-8), Figures(2e-7))
        site = server.calibration().sites["QB1"]
        steps = [prx("QB1"), *[op("cz", "QB1", "QB2")] * count, measure("m", "QB1")]
        (found,) = Asker(server).run(circuit(*steps), shots=shots, max_circuit_duration_over_t2=0.0)
    one = math.exp(-(count * 2e-7 + 5e-8) / t1)
    want = one * (1 - site.prob_meas0_prep1) + (1 - one) * site.prob_meas1_prep0
    assert abs(share(found["m"]) - want) < 5 * math.sqrt(want * (1 - want) / shots)
