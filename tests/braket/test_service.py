"""The loopback Braket, asked by plain boto3: bits, objects, its life."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import threading
import time
from urllib.parse import quote

import boto3
import pytest
from botocore.exceptions import (
    ClientError,
)

from qdmi_qiskit.errors import ConfigError
from qdmi_qiskit.testing.braket_service import BraketService, fixture
from qdmi_qiskit.testing.braket_service.documents.parts import PROGRAM, PROGRAM_SET
from qdmi_qiskit.testing.braket_service.rehearse import rehearse, separate
from tests.braket.service_user import BUCKET, PI, REGION, User, box, program, program_set


def test_columns_are_measured_bits_in_order(user):
    result = user.result(program(box("prx(pi, 0) $4; cz $4, $5;", 5, 4, 10)), shots=3)
    assert result["measurements"] == [[0, 1, 0]] * 3
    assert result["measuredQubits"] == [5, 4, 10]
    assert result["braketSchemaHeader"]["name"] == "braket.task_result.gate_model_task_result"
    assert result["taskMetadata"]["shots"] == 3
    assert len(result["taskMetadata"]["createdAt"]) == 24


def test_a_bit_that_is_not_written_has_no_column(user):
    source = "OPENQASM 3.0;\nqubit[3] q;\nbit[3] b;\nx q[2];\nb[1] = measure q[2];\n"
    result = user.result(program(source), shots=2)
    assert (result["measurements"], result["measuredQubits"]) == ([[1], [1]], [2])


def test_a_virtual_register_measured_whole(user):
    source = "OPENQASM 3.0;\nqubit[3] q;\nbit[3] b;\nx q[1];\nx q[2];\nb = measure q;\n"
    assert user.result(program(source), shots=2)["measurements"] == [[0, 1, 1]] * 2


def test_every_label_of_the_device_can_be_measured(user, shared):
    labels = [label for label in range(108) if label != 8]
    other = User(shared, "cepheus")
    result = other.result(program(box("rx(pi) $9; rx(-pi) $107;", *labels)), shots=10)
    assert [label for label, bit in zip(labels, result["measurements"][0], strict=True) if bit] == [
        9,
        107,
    ]


def test_a_device_of_histograms_gives_shares_that_sum_to_one(user, shared):
    other = User(shared, "forte")
    result = other.result(program(box("gpi2(0) $3;", 5, 3)), shots=1000)
    assert "measurements" not in result
    assert set(result["measurementProbabilities"]) == {"00", "01"}
    assert sum(result["measurementProbabilities"].values()) == pytest.approx(1)
    assert result["measurementProbabilities"]["01"] == pytest.approx(0.5, abs=0.1)  # 6 sigma


def test_native_angles_of_forte_are_radians(user, shared):
    other = User(shared, "forte")
    # zz(pi/2) between two half turns about x is a CNOT up to turns about z, if it is radians.
    gates = "gpi(0) $0; gpi2(1.5707963267948966) $1; zz(pi/2) $0, $1; gpi2(pi) $1;"
    shares = other.result(program(box(gates, 0, 1)), shots=100)["measurementProbabilities"]
    assert list(shares) in (["10"], ["11"])


def test_inputs_are_bound(user):
    source = box("prx(2*t + 0.0, 0) $4;", 4, 5, head="input float t;\n")
    assert user.result(program(source, t=PI / 2), shots=2)["measurements"] == [[1, 0]] * 2


def test_outcomes_depend_on_the_seed_alone():
    def draw(seed):
        with BraketService(seed=seed, step=0.002, buckets={BUCKET: REGION}) as running:
            user = User(running)
            source = program(box("prx(pi/2, 0) $4;", 4))
            return [user.result(source, shots=64)["measurements"] for _ in range(2)]

    first = draw(1)
    assert draw(1) == first
    assert draw(2) != first
    assert first[0] != first[1]


def test_a_program_set_has_a_file_per_executable(user):
    sweep = box("prx(t, 0) $4;", 4, 5, head="input float t;\n")
    action = program_set((box("prx(pi, 0) $5;", 4, 5), {}), (sweep, {"t": [0.0, PI]}))
    task = user.done(user.create(action, shots=30))
    assert task["actionMetadata"] == {
        "actionType": PROGRAM_SET,
        "programCount": 2,
        "executableCount": 3,
    }
    assert task["numSuccessfulShots"] == 30
    top = user.file(task, "results.json")
    assert top["s3Location"] == [BUCKET, task["outputS3Directory"]]
    bits = []
    for name in top["programResults"]:
        part = user.file(task, name)
        place = name.rpartition("/")[0]
        rows = [user.file(task, f"{place}/{each}") for each in part["executableResults"]]
        assert [row["inputsIndex"] for row in rows] == list(range(len(rows)))
        bits += [(row["measurements"][0], len(row["measurements"])) for row in rows]
        assert "source" in user.file(task, f"{place}/{part['source']}")
    assert bits == [([0, 1], 10), ([0, 0], 10), ([1, 0], 10)]
    assert user.file(task, top["taskMetadata"])["successfulShots"] == 30


def test_a_program_set_may_fail_in_part(user, shared):
    shared.faults.fail_executables([0], "lost", status="FAILED", category="COMPILATION")
    source = box("prx(t, 0) $4;", 4, head="input float t;\n")
    task = user.done(user.create(program_set((source, {"t": [0.0, PI]})), shots=4))
    assert (task["status"], task["failureReason"]) == ("FAILED", "lost")
    assert task["numSuccessfulShots"] == 2
    lost, kept = (user.file(task, f"programs/0/executables/{k}.json") for k in (0, 1))
    assert lost["failureMetadata"] == {
        "failureReason": "lost",
        "retryable": True,
        "category": "COMPILATION",
    }
    assert kept["measurements"] == [[1], [1]]


def test_objects(user, fresh):
    other = User(fresh)
    other.s3.put_object(Bucket=BUCKET, Key="a/b c+d", Body=b"0123456789")
    head = other.s3.head_object(Bucket=BUCKET, Key="a/b c+d")
    assert head["ContentLength"] == 10
    part = other.s3.get_object(Bucket=BUCKET, Key="a/b c+d", Range="bytes=2-4")
    assert part["Body"].read() == b"234"
    assert part["ContentRange"] == "bytes 2-4/10"
    listed = other.s3.list_objects_v2(Bucket=BUCKET, Prefix="a/")
    assert [each["Key"] for each in listed["Contents"]] == ["a/b c+d"]
    with pytest.raises(ClientError, match="NoSuchKey"):
        other.s3.get_object(Bucket=BUCKET, Key="nothing")
    with pytest.raises(ClientError, match="404"):
        other.s3.head_object(Bucket=BUCKET, Key="nothing")


def test_buckets(fresh):
    user = User(fresh)
    place = {"LocationConstraint": REGION}
    user.s3.create_bucket(Bucket="a-new-bucket", CreateBucketConfiguration=place)
    user.s3.head_bucket(Bucket="a-new-bucket")
    with pytest.raises(ClientError, match="BucketAlreadyOwnedByYou"):
        user.s3.create_bucket(Bucket="a-new-bucket", CreateBucketConfiguration=place)
    with pytest.raises(ClientError, match="IllegalLocationConstraint"):
        user.s3.create_bucket(Bucket="another-bucket")
    with pytest.raises(ClientError, match="404"):
        user.s3.head_bucket(Bucket="no-such-bucket")


def test_a_bucket_is_found_from_another_region(fresh):
    User(fresh).s3.put_object(Bucket=BUCKET, Key="k", Body=b"v")
    other = User(fresh, region="us-east-1")
    assert other.s3.get_object(Bucket=BUCKET, Key="k")["Body"].read() == b"v"


def test_virtual_hosts(fresh):
    User(fresh).s3.put_object(Bucket=BUCKET, Key="a/b", Body=b"v")
    connection = http.client.HTTPConnection("127.0.0.1", fresh.port, timeout=60)
    scope = f"AWS4-HMAC-SHA256 Credential=K/20260101/{REGION}/s3/aws4_request, Signature=0"
    headers = {"Host": f"{BUCKET}.s3.localhost:{fresh.port}", "Authorization": scope}
    connection.request("GET", "/a/b", headers=headers)
    assert connection.getresponse().read() == b"v"
    connection.close()


ENCODED = "arn:aws:braket:::device%2Fquantum-simulator%2Famazon%2Fsv1"


@pytest.mark.parametrize("path", [ENCODED, None])
def test_clients_differ_in_what_of_an_arn_they_encode(shared, path):
    arn = shared.devices["sv1"].arn
    connection = http.client.HTTPConnection("127.0.0.1", shared.port, timeout=60)
    scope = "AWS4-HMAC-SHA256 Credential=K/20260101/us-east-1/braket/aws4_request, Signature=0"
    headers = {"Authorization": scope}
    connection.request("GET", f"/device/{path or quote(arn, safe='')}", headers=headers)
    assert json.loads(connection.getresponse().read())["deviceName"] == "SV1"
    connection.close()


def test_the_caller(user):
    assert user.client("sts").get_caller_identity()["Account"] == "123456789012"


def test_a_request_has_to_be_signed(shared):
    connection = http.client.HTTPConnection("127.0.0.1", shared.port, timeout=60)
    connection.request("POST", "/devices", body=b"{}")
    answer = connection.getresponse()
    assert answer.status == 403
    assert answer.headers["x-amzn-ErrorType"] == "MissingAuthenticationTokenException"
    connection.close()


def test_no_thread_outlives_the_service():
    before = set(threading.enumerate())
    with BraketService(buckets={BUCKET: REGION}) as running:
        user = User(running)
        user.done(user.create(program(box("", 1))))
    user.close()
    left = [t for t in set(threading.enumerate()) - before if t.name.startswith("braket-service")]
    assert left == []
    running.close()


def test_the_service_ends_after_its_lifetime():
    running = BraketService(lifetime=0.01)
    for _ in range(6000):
        if running.closed:
            break
        time.sleep(0.01)
    with pytest.raises(OSError, match="refused"):
        http.client.HTTPConnection("127.0.0.1", running.port, timeout=60).connect()


def test_the_environment_points_at_nothing_else(shared, monkeypatch):
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "secret")
    before = dict(os.environ)
    with shared.activated("eu-north-1"):
        assert not {"AWS_PROFILE", "AWS_SESSION_TOKEN"} & set(os.environ)
        session = boto3.Session()
        assert session.region_name == "eu-north-1"
        for name in ("braket", "s3", "sts"):
            client = session.client(name)
            assert client.meta.endpoint_url == shared.url
            client.close()
    assert dict(os.environ) == before


braket_service = fixture.braket_service


def test_the_fixture_points_this_process_at_the_service(braket_service):
    assert boto3.client("sts").get_caller_identity()["Account"] == "123456789012"
    assert braket_service.count("GetCallerIdentity") == 1


SCRIPT = """
import boto3, sys
found = boto3.client("braket").search_devices(filters=[])["devices"]
sys.exit(0 if "Garnet" in [each["deviceName"] for each in found] else 3)
"""


def test_a_command_can_be_rehearsed():
    assert rehearse("braket:garnet", [sys.executable, "-c", SCRIPT], timeout=300) == 0
    assert rehearse("sv1", [sys.executable, "-c", SCRIPT], timeout=300) == 3
    assert rehearse("sv1", [sys.executable, "-c", "import time; time.sleep(60)"], timeout=1) == 124
    with pytest.raises(ConfigError, match="no device 'ankaa'"):
        rehearse("ankaa", ["true"])


def test_a_device_may_change_while_the_service_runs(fresh):
    user = User(fresh)
    fresh.devices["garnet"].document["action"][PROGRAM]["supportedOperations"].remove("x")
    with pytest.raises(ClientError, match="x which is not"):
        user.create(program("OPENQASM 3.0;\nqubit[1] q;\nx q[0];"))


def test_a_service_in_a_process_of_its_own():
    with separate("--region", "eu-north-1", "--lifetime", "600") as environment:
        wanted = {**environment, "PATH": os.environ["PATH"]}
        ran = subprocess.run([sys.executable, "-c", SCRIPT], env=wanted, timeout=300, check=False)
        port = int(environment["AWS_ENDPOINT_URL"].rpartition(":")[2])
        assert ran.returncode == 0
    with pytest.raises(OSError, match="refused"):
        http.client.HTTPConnection("127.0.0.1", port, timeout=60).connect()


def test_results_may_be_indented():
    with BraketService(pretty=True, buckets={BUCKET: REGION}) as running:
        user = User(running)
        task = user.done(user.create(program(box("prx(pi, 0) $4;", 4, 5)), shots=2))
        body = running.objects.get(BUCKET, f"{task['outputS3Directory']}/results.json")
    assert body.count(b"\n") > 10
    assert json.loads(body)["measurements"] == [[1, 0]] * 2
