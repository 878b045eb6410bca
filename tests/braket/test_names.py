"""Which device a name means, what is kept of it, and what can be said about it."""

import subprocess
import sys
from dataclasses import replace

import pytest

from qdmi_qiskit import registry
from qdmi_qiskit.devices.braket import driver
from qdmi_qiskit.errors import ConfigError, MissingPluginError, UnavailableError
from qdmi_qiskit.model import DeviceStatus
from tests.braket.cloud import session

GARNET = "arn:aws:braket:eu-north-1::device/qpu/iqm/Garnet"


@pytest.mark.parametrize(
    ("name", "found", "region"),
    [
        ("sv1", "SV1", "us-east-1"),
        ("SV1", "SV1", "us-east-1"),
        ("garnet", "Garnet", "eu-north-1"),
        (GARNET, "Garnet", "eu-north-1"),
        ("Forte Enterprise 1", "Forte Enterprise 1", "us-east-1"),
        ("forte-enterprise-1", "Forte Enterprise 1", "us-east-1"),
        ("cepheus-1-108q", "Cepheus-1-108Q", "us-west-1"),
    ],
)
def test_a_device_is_found_by_name_or_arn_in_its_region(service, name, found, region):
    opened = session(name)
    assert repr(opened) == f"<BraketSession {found!r} in {region}>"
    assert opened.spec().name == f"braket:{found}"


def test_a_region_that_is_chosen_is_the_only_one(service):
    with pytest.raises(ConfigError, match="no Braket device 'garnet' in us-east-1"):
        session("garnet", region="us-east-1")
    assert session("garnet", region="eu-north-1").spec().num_qubits == 20


@pytest.mark.parametrize("variable", ["AWS_REGION", "AWS_DEFAULT_REGION"])
def test_no_region_at_all_is_no_obstacle(service, monkeypatch, variable):
    monkeypatch.delenv("AWS_REGION")
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    assert session(GARNET).spec().num_qubits == 20
    assert session("sv1").spec().num_qubits == 34


def test_a_wrong_name_suggests_the_right_one(service):
    with pytest.raises(ConfigError, match="did you mean 'garnet'"):
        session("garnot")


def test_a_retired_device_is_not_found_by_name(service):
    device = service.devices["garnet"]
    device.status = "RETIRED"
    try:
        with pytest.raises(ConfigError, match="no Braket device 'garnet'"):
            session("garnet")
        state = session(GARNET).status()
        assert state.status is DeviceStatus.OFFLINE
    finally:
        device.status = "ONLINE"


def test_an_arn_of_nothing(service):
    with pytest.raises(ConfigError):
        session("arn:aws:braket:eu-north-1::device/qpu/iqm/Nothing")


def test_names_lists_what_the_region_has(service):
    names = driver.names()
    assert names[:2] == ("local", "local-dm")
    assert {"sv1", "dm1", "forte-enterprise-1"} <= set(names)
    assert "garnet" not in names
    assert "garnet" in driver.names(region="eu-north-1")


def test_a_document_on_disk_spares_a_call(service):
    session("garnet")
    before = service.count("GetDevice")
    spec = session("garnet").spec()
    assert service.count("GetDevice") == before
    again = session("garnet", cache_seconds=0).spec()
    assert replace(again, taken_at=spec.taken_at) == spec
    assert service.count("GetDevice") == before + 1


def test_a_new_document_is_seen_by_the_next_snapshot(service):
    opened = session("garnet")
    first = opened.spec()
    block = service.devices["garnet"].document["service"]
    before = dict(block)
    block.update(updatedAt="2026-03-01T00:00:00", shotsRange=[1, 777])
    try:
        second = opened.spec()
        assert second.calibration.id == "2026-03-01T00:00:00"
        assert second.capabilities.max_shots == 777
        assert session("garnet").spec().capabilities.max_shots == 777  # and is kept
    finally:
        block.update(before)
    assert first.capabilities.max_shots == 20000


def test_a_cache_that_is_spoiled_is_not_there(service, tmp_path):
    session("sv1")
    for kept in (tmp_path / "cache").rglob("*.json"):
        kept.write_text('{"layout": 2')
    assert session("sv1").spec().num_qubits == 34


def test_another_endpoint_has_other_documents(service, tmp_path):
    session("sv1")
    session("sv1", endpoint=service.url.replace("127.0.0.1", "localhost"))
    assert len(list((tmp_path / "cache").rglob("*.json"))) == 4  # a name and a document each


def test_the_queue_makes_it_busy(service):
    device = service.devices["sv1"]
    before = list(device.queue)
    try:
        device.queue[0] = ("QUANTUM_TASKS_QUEUE", ">4000", "Normal")
        state = session("sv1").status()
        assert (state.status, state.queue_length) == (DeviceStatus.BUSY, 4000)
        assert session("sv1", busy_above=5000).status().status is DeviceStatus.IDLE
    finally:
        device.queue[:] = before


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"max_costs": 1}, "did you mean 'max_cost'"),
        ({"s3": "my-bucket"}, "s3://BUCKET"),
        ({"max_cost": -1}, "max_cost"),
        ({"poll_interval": 0}, "poll_interval"),
        ({"aws_secret_access_key": "abc"}, "must be a reference"),
    ],
)
def test_wrong_options_are_refused_before_anything_is_asked(options, told):
    with pytest.raises(ConfigError, match=told):
        driver.open("sv1", **options)


@pytest.mark.parametrize(("name", "told"), [("", "braket:sv1"), ("local-xx", "no Braket device")])
def test_wrong_names(name, told, service):
    with pytest.raises(ConfigError, match=told):
        driver.open(name)


def test_no_service_is_unavailable(monkeypatch):
    for key, value in {
        "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_REGION": "us-east-1",
    }.items():  # fmt: skip
        monkeypatch.setenv(key, value)
    with pytest.raises(UnavailableError):
        driver.open("sv1", endpoint="http://127.0.0.1:9", region="us-east-1", attempts=1)


def test_the_cloud_imports_no_sdk_and_the_scheme_imports_nothing():
    code = (
        "import sys\n"
        "from qdmi_qiskit import registry\n"
        "registry.driver('braket')\n"
        "assert not {'boto3', 'braket', 'qiskit'} & set(sys.modules), 'naming'\n"
        "import qdmi_qiskit.devices.braket.session\n"
        "assert 'boto3' in sys.modules and 'braket' not in sys.modules, 'cloud'\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=300)


@pytest.mark.parametrize(("locator", "package"), [("sv1", "boto3"), ("local", "braket")])
def test_a_missing_package_says_what_to_install(monkeypatch, locator, package):
    for name in list(sys.modules):
        if name.startswith("qdmi_qiskit.devices.braket.") and "driver" not in name:
            monkeypatch.delitem(sys.modules, name)
    for name in list(sys.modules):
        if name.split(".")[0] == package:
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingPluginError, match=r"qdmi-qiskit\[braket\]"):
        driver.open(locator)


def test_it_is_a_plug_in_like_any_other():
    assert "braket" in registry.schemes()
    assert registry.driver("braket") is driver
