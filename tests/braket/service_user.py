"""What the tests of the loopback Braket ask with: programs as text, boto3 as it comes."""

from __future__ import annotations

import json
import time

import boto3
from botocore.config import Config

from qdmi_qiskit.testing.braket_service.documents.parts import PROGRAM, PROGRAM_SET
from qdmi_qiskit.testing.braket_service.service import KEYS

BUCKET, REGION, PI = "amazon-braket-tests", "eu-north-1", 3.141592653589793
FINAL = {"COMPLETED", "FAILED", "CANCELLED"}
STANDARD = Config(retries={"total_max_attempts": 5, "mode": "standard"})

SESSION = boto3.Session(KEYS["AWS_ACCESS_KEY_ID"], KEYS["AWS_SECRET_ACCESS_KEY"])


def box(gates, *labels, head=""):
    """Gates in a verbatim box, then measurements of labels in this order."""
    text = f"OPENQASM 3.0;\n{head}bit[{len(labels)}] b;\n"
    if gates:
        text += f"#pragma braket verbatim\nbox{{\n{gates}\n}}\n"
    return text + "".join(f"b[{k}] = measure ${label};\n" for k, label in enumerate(labels))


def program(source, **inputs):
    """One program."""
    header = {"name": PROGRAM, "version": "1"}
    return json.dumps({"braketSchemaHeader": header, "source": source, "inputs": inputs})


def program_set(*programs):
    """Pairs (source, columns of inputs)."""
    return json.dumps(
        {
            "braketSchemaHeader": {"name": PROGRAM_SET, "version": "1"},
            "programs": [
                {
                    "braketSchemaHeader": {"name": PROGRAM, "version": "1"},
                    "source": source,
                    "inputs": inputs,
                }
                for source, inputs in programs
            ],
        }
    )


class User:
    """Someone with boto3 and a device."""

    def __init__(self, service, device="garnet", *, region=None, config=STANDARD):
        self.service, self.config = service, config
        self.device = service.devices[device].arn
        self.region = region or service.devices[device].regions[0]
        self.bucket = f"{BUCKET}" if self.region == REGION else f"{BUCKET}-{self.region}"
        service.objects.create(self.bucket, self.region)
        self.braket, self.s3 = self.client("braket"), self.client("s3")

    def client(self, name):
        place = {"region_name": self.region, "endpoint_url": self.service.url}
        return SESSION.client(name, config=self.config, **place)

    def close(self):
        self.braket.close()
        self.s3.close()

    def create(self, action, shots=10, **more):
        request = {
            "deviceArn": self.device,
            "shots": shots,
            "outputS3Bucket": self.bucket,
            "outputS3KeyPrefix": "tasks",
            "action": action,
            **more,
        }
        return self.braket.create_quantum_task(**request)["quantumTaskArn"]

    def get(self, task):
        return self.braket.get_quantum_task(
            quantumTaskArn=task, additionalAttributeNames=["QueueInfo"]
        )

    def cancel(self, task):
        return self.braket.cancel_quantum_task(quantumTaskArn=task)["cancellationStatus"]

    def until(self, task, states):
        for _ in range(20_000):
            if (found := self.get(task))["status"] in states:
                return found
            time.sleep(0.005)
        raise AssertionError(f"{found['status']} is not among {states}")

    def done(self, task):
        return self.until(task, FINAL)

    def file(self, task, name):
        key = f"{task['outputS3Directory']}/{name}"
        return json.loads(self.s3.get_object(Bucket=task["outputS3Bucket"], Key=key)["Body"].read())

    def result(self, action, shots, **more):
        task = self.done(self.create(action, shots, **more))
        assert task["status"] == "COMPLETED", task
        return self.file(task, "results.json")

    def search(self, name, operator, *values, size=10):
        rules = [{"name": name, "operator": operator, "values": list(values)}]
        pages = self.braket.get_paginator("search_quantum_tasks")
        found = pages.paginate(filters=rules, PaginationConfig={"PageSize": size})
        return [task["quantumTaskArn"] for page in found for task in page["quantumTasks"]]
