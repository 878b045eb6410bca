"""The tests of the IQM plug-in need its extra; servers that many of them use."""

from importlib.util import find_spec

import pytest

LACKING = [name for name in ("iqm", "requests", "responses") if find_spec(name) is None]

collect_ignore_glob = ["test_*.py"] if LACKING else []


@pytest.fixture
def server():
    """An exact 20-qubit machine of one's own."""
    from qdmi_qiskit.testing.iqm_server import IQMServer

    with IQMServer("garnet", noise=False) as found:
        yield found


@pytest.fixture
def ask(server):
    """A client of it that knows nothing."""
    from tests.iqm.server_asker import Asker

    return Asker(server)


@pytest.fixture(scope="module")
def shared():
    """A client of an exact server that is never broken or changed."""
    from qdmi_qiskit.testing.iqm_server import NAMES, IQMServer
    from tests.iqm.server_asker import Asker

    with IQMServer(*NAMES, noise=False) as found:
        yield Asker(found)
