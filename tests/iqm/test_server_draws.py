"""The random numbers of the loopback server: by content and count, not by arrival."""

from __future__ import annotations

import itertools

import pytest

from qdmi_qiskit.testing.iqm_server import IQMServer
from tests.iqm.server_asker import PI, Asker, circuit, measure, prx

SHOTS = 60


def turned(angle, *, key="m", name="c"):
    return circuit(prx("QB1", angle), measure(key, "QB1"), name=name)


def asked(server, *angles):
    """Return the shots of jobs of one circuit each, sent in this order."""
    ask = Asker(server)
    server.pause()
    jobs = [ask.submit(turned(angle), shots=SHOTS) for angle in angles]
    server.resume()
    assert all(ask.wait(job)["status"] == "completed" for job in jobs)
    return [bits(ask, job) for job in jobs]


def bits(ask, job):
    (found,) = ask.get(f"jobs/{job}/artifacts/measurements")
    return found["m"]


def fresh(**options):
    return IQMServer("garnet", seed=9, **options)


def test_the_same_jobs_have_the_same_bits_in_any_order():
    angles = [PI / 2, PI / 3, PI / 2, 2 * PI / 3]
    found = set()
    for order in itertools.islice(itertools.permutations(range(4)), 0, 24, 5):
        with fresh() as server:
            shots = asked(server, *(angles[k] for k in order))
        by_place = dict(zip(order, shots, strict=True))
        # Of the two alike, whichever comes first has the first bits.
        alike = [rows for k, rows in zip(order, shots, strict=True) if k in (0, 2)]
        found.add(str([*alike, by_place[1], by_place[3]]))
        assert alike[0] != alike[1]
    assert len(found) == 1


def test_jobs_may_be_joined_or_apart():
    one, two = turned(PI / 2), turned(PI / 3)
    with fresh() as server:
        ask = Asker(server)
        joined = ask.run(one, two, one, shots=SHOTS)
    with fresh() as server:
        ask = Asker(server)
        apart = [ask.run(each, shots=SHOTS)[0] for each in (two, one, one)]
    assert joined == [apart[1], apart[0], apart[2]]


def test_names_are_no_content_but_angles_shots_and_seeds_are():
    with fresh() as server:
        (first,) = Asker(server).run(turned(PI / 2), shots=SHOTS)
    with fresh() as server:
        other = turned(PI / 2, key="c17_1_0_0", name="circuit-160")
        (renamed,) = Asker(server).run(other, shots=SHOTS)
        (again,) = Asker(server).run(turned(PI / 2), shots=SHOTS)
        (longer,) = Asker(server).run(turned(PI / 2), shots=2 * SHOTS)
        (turned_more,) = Asker(server).run(turned(PI / 2 + 1e-9), shots=SHOTS)
    assert renamed["c17_1_0_0"] == first["m"]
    assert len({str(each) for each in (first, again, turned_more)}) == 3
    assert longer["m"][:SHOTS] not in (first["m"], again["m"])
    with IQMServer("garnet", seed=10) as server:
        assert Asker(server).run(turned(PI / 2), shots=SHOTS) != [first]


@pytest.mark.parametrize("how", ["failed", "cancelled", "cancelled half-way", "refused", "dropped"])
def test_what_led_to_no_shots_shifts_nothing(how):
    with fresh() as server:
        want = asked(server, PI / 2, PI / 2)
    with fresh() as server:
        ask = Asker(server)
        if how == "failed":
            server.fail_next_job()
            ask.failure(turned(PI / 2), shots=SHOTS)
        elif how == "cancelled":
            server.pause()
            ask("POST", f"jobs/{ask.submit(turned(PI / 2), shots=SHOTS)}/cancel")
            server.resume()
        elif how == "cancelled half-way":
            server.behaviour.execution_seconds = 60.0
            job = ask.submit(turned(PI / 2), turned(PI / 2), shots=SHOTS)
            while ask.get(f"jobs/{job}")["execution"] is None:
                pass
            ask("POST", f"jobs/{job}/cancel")
            server.behaviour.execution_seconds = 0.0
        else:
            server.inject_submit("error" if how == "refused" else "drop_before")
            with pytest.raises(OSError):  # noqa: PT011 - an HTTPError is one, as a broken line is
                ask.submit(turned(PI / 2), shots=SHOTS)
        assert asked(server, PI / 2, PI / 2) == want


def test_a_herald_that_leaves_nothing_is_luck_and_another_try_has_its_own():
    with fresh(noise=False, herald_loss=0.5) as server:
        ask = Asker(server)
        ends = [
            ask.wait(ask.submit(turned(PI), shots=1, heralding_mode="zeros"))["status"]
            for _ in range(8)
        ]
    assert set(ends) == {"completed", "failed"}
