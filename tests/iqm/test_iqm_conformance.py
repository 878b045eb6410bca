"""The plug-in keeps the contract on every loopback device, whatever the order of keys."""

from __future__ import annotations

from functools import partial

import pytest

from qdmi_qiskit.testing import CHECKS, Harness
from tests.iqm.loopback import NAMES, ORDERS, exact, opened


def session(name, order, **options):
    return opened(exact(order), name, **options)


HARNESSES = {
    (name, order): Harness(partial(session, name, order)) for name in NAMES for order in ORDERS
}
# Ten circuits or so in a submission: large jobs are several of the server's.
HARNESSES["cut", "program"] = Harness(partial(session, "garnet", "program", max_job_bytes=4000))


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("device", HARNESSES, ids="-".join)
def test_the_device_keeps_the_contract(device, check):
    harness = HARNESSES[device]
    harness.secrets = (exact(device[1]).token,)
    CHECKS[check](harness)
