"""A client of the loopback server that knows nothing, and instructions in IQM's JSON."""

import json
import math
import urllib.error
import urllib.request
from types import SimpleNamespace

import pytest

PI = math.pi


class Asker:
    """A client that knows nothing."""

    def __init__(self, server):
        self.server, self.token = server, server.token

    def raw(self, method, path, body=None, **headers):
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        headers = {"Content-Type": "application/json", **headers}
        if self.token is not None:
            headers.setdefault("Authorization", f"Bearer {self.token}")
        request = urllib.request.Request(  # noqa: S310
            f"{self.server.url}/{path}", data=body, headers=headers, method=method
        )
        with urllib.request.urlopen(request, timeout=300) as answer:  # noqa: S310
            return SimpleNamespace(status=answer.status, headers=answer.headers, body=answer.read())

    def __call__(self, method, path, body=None):
        found = self.raw(method, f"api/v1/{path}", body).body
        return json.loads(found) if found else None

    def get(self, path):
        return self("GET", path)

    def refused(self, method, path, body=None):
        with pytest.raises(urllib.error.HTTPError) as info:
            self(method, path, body)
        with info.value as error:
            content = json.loads(error.read())
            assert content["message"]
            assert content["request_id"]
            return error.code, content["error_code"]

    def submit(self, *circuits, on="garnet", query="", shots=10, **fields):
        body = {"circuits": list(circuits), "shots": shots, **fields}
        return self("POST", f"jobs/{on}/circuit{query}", body)["id"]

    def wait(self, job_id):
        for _ in range(20):
            job = self.get(f"jobs/{job_id}?wait_until_terminal=true&timeout_seconds=10")
            if job["status"] not in ("waiting", "processing"):
                break
        return job

    def run(self, *circuits, **fields):
        job = self.wait(self.submit(*circuits, **fields))
        assert job["status"] == "completed", job["errors"]
        return self.get(f"jobs/{job['id']}/artifacts/measurements")

    def failure(self, *circuits, **fields):
        job = self.wait(self.submit(*circuits, **fields))
        assert job["status"] == "failed"
        return job["errors"][0]["message"]


def op(name, *locus, **args):
    return {"name": name, "locus": list(locus), "args": args}


def prx(qubit, angle=PI, phase=0.0):
    return op("prx", qubit, angle=angle, phase=phase)


def measure(key, *locus, **args):
    return op("measure", *locus, key=key, **args)


def circuit(*instructions, name="c"):
    return {"name": name, "instructions": list(instructions)}


ONE = circuit(prx("QB1"), measure("m", "QB1"))


OPEN = circuit(op("move", "QB1", "CR1"), measure("m", "QB2"))


def star_circuit(one, *, final=-PI / 2):
    """A CNOT from QB2 to QB1 around the resonator."""
    move = op("move", "QB2", "CR1")
    return circuit(
        prx("QB2", PI * one),
        prx("QB1", PI / 2, PI / 2),
        move,
        op("cz", "QB1", "CR1"),
        move,
        prx("QB1", final, PI / 2),
        measure("m", "QB1", "QB2"),
    )
