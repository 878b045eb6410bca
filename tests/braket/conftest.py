"""What every test here needs: the packages, a private cache, and no way to AWS."""

import gc
import importlib.util

import pytest

collect_ignore_glob = []
if any(importlib.util.find_spec(name) is None for name in ("boto3", "braket")):
    collect_ignore_glob = ["test_*.py"]


@pytest.fixture(autouse=True)
def _no_aws(monkeypatch, tmp_path):
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "no-config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "no-credentials"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name in ("AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "BRAKET_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def running_service():
    from qdmi_qiskit.testing.braket_service import BraketService

    with BraketService(step=0.0) as service:
        yield service


@pytest.fixture
def service(running_service, _no_aws):
    with running_service.activated("us-east-1"):
        yield running_service
        running_service.faults.clear()
        running_service.release()
        running_service.latency = 0.0


@pytest.fixture(scope="module")
def _one_service():
    from qdmi_qiskit.testing.braket_service import BraketService
    from tests.braket.service_user import BUCKET, REGION

    with BraketService(step=0.002, buckets={BUCKET: REGION}) as running:
        yield running


@pytest.fixture(scope="module")
def _one_user(_one_service):
    from tests.braket.service_user import User

    user = User(_one_service)
    yield user
    user.close()


@pytest.fixture
def shared(_one_service):
    """The service of a module, of which no test leaves anything held or broken."""
    yield _one_service
    _one_service.faults.clear()
    _one_service.release()
    assert _one_service.blunders == []


@pytest.fixture
def user(shared, _one_user):
    """A user of its Garnet, with boto3."""
    return _one_user


@pytest.fixture
def fresh():
    """A service of its own."""
    from qdmi_qiskit.testing.braket_service import BraketService
    from tests.braket.service_user import BUCKET, REGION

    with BraketService(step=0.002, buckets={BUCKET: REGION}) as running:
        yield running
        assert running.blunders == []


@pytest.fixture(scope="module")
def polled():
    """A service for clients that poll as a device says, or each second."""
    from qdmi_qiskit.testing.braket_service import BraketService

    with BraketService(poll=20) as running:
        yield running


@pytest.fixture
def _pointed(polled):
    with polled.activated("us-east-1"):
        yield
    gc.collect()  # while the warnings of the SDK's event loops are ignored
