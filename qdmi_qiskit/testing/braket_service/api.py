"""Braket's REST-JSON operations, and STS's one.

Source: botocore 1.44.5, braket/2019-09-01/service-2.json.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from qdmi_qiskit.testing.braket_service import checks
from qdmi_qiskit.testing.braket_service.documents import Device
from qdmi_qiskit.testing.braket_service.documents.parts import PROGRAM, PROGRAM_SET
from qdmi_qiskit.testing.braket_service.errors import ServiceError, invalid, missing
from qdmi_qiskit.testing.braket_service.tasks import Task, stamp
from qdmi_qiskit.testing.braket_service.wire import Request, Response
from qdmi_qiskit.testing.braket_service.world import World

Json = dict[str, Any]


def named(request: Request) -> tuple[str, str]:
    """Return the operation that a request is, and the ARN in its path."""
    method, path = request.method, request.path
    if (method, path) in _PLAIN:
        return _PLAIN[method, path], ""
    for verb, before, after, name in _WITH_ARN:
        if method == verb and path.startswith(before) and path.endswith(after):
            return name, path[len(before) : len(path) - len(after)]
    return "Unknown", ""


_PLAIN = {
    ("POST", "/devices"): "SearchDevices",
    ("POST", "/quantum-task"): "CreateQuantumTask",
    ("POST", "/quantum-tasks"): "SearchQuantumTasks",
}
_WITH_ARN = (
    ("PUT", "/quantum-task/", "/cancel", "CancelQuantumTask"),
    ("GET", "/quantum-task/", "", "GetQuantumTask"),
    ("GET", "/device/", "", "GetDevice"),
    ("GET", "/tags/", "", "ListTagsForResource"),
    ("POST", "/tags/", "", "TagResource"),
)


def refusal(error: ServiceError) -> Response:
    """Return an error in the words of REST-JSON."""
    body = {"message": error.message, **error.extra}
    return Response(
        error.status,
        json.dumps(body).encode(),
        {"Content-Type": "application/json", "x-amzn-ErrorType": error.name},
    )


def caller(account: str) -> Response:
    """Answer STS GetCallerIdentity."""
    body = (
        '<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">'
        f"<GetCallerIdentityResult><Arn>arn:aws:iam::{account}:user/loopback</Arn>"
        f"<UserId>LOOPBACK</UserId><Account>{account}</Account></GetCallerIdentityResult>"
        "<ResponseMetadata><RequestId>0</RequestId></ResponseMetadata>"
        "</GetCallerIdentityResponse>"
    )
    return Response(200, body.encode(), {"Content-Type": "text/xml"})


class Api:
    """The operations. Names of the methods are those of the API, in our spelling."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._known: dict[str, Callable[[Request, str], tuple[int, Json]]] = {
            "SearchDevices": self._search_devices,
            "GetDevice": self._get_device,
            "CreateQuantumTask": self._create,
            "GetQuantumTask": self._get,
            "CancelQuantumTask": self._cancel,
            "SearchQuantumTasks": self._search,
            "ListTagsForResource": self._tags,
            "TagResource": self._tag,
        }

    def answer(self, operation: str, arn: str, request: Request) -> Response:
        """Answer one request.

        Raises:
            ServiceError: It is refused.
        """
        if operation not in self._known:
            words = f"{request.method} {request.path} is no operation of the loopback service"
            raise ServiceError("UnknownOperationException", words)
        status, found = self._known[operation](request, arn)
        body = json.dumps(found).encode()
        return Response(status, body, {"Content-Type": "application/json"})

    def _search_devices(self, request: Request, _arn: str) -> tuple[int, Json]:
        body = _body(request)
        found = [d for d in self._world.devices.values() if request.region in d.regions]
        for each in body.get("filters", ()):
            if each.get("name") != "deviceArn":
                raise invalid(f"unknown filter {each.get('name')}; known: deviceArn")
            found = [device for device in found if device.arn in each["values"]]
        rows, more = _page([_summary(device) for device in found], body)
        return 200, {"devices": rows, **more}

    def _get_device(self, request: Request, arn: str) -> tuple[int, Json]:
        device = self._world.device(arn, request.region)
        if device is None:
            raise missing(f"device {arn} not found in {request.region}")
        queue = [
            {
                "queue": name,
                "queueSize": str(self._world.tasks.waiting(device)) if size is None else size,
                "queuePriority": priority,
            }
            for name, size, priority in device.queue
        ]
        document = json.dumps(device.document)
        return 200, {
            **_summary(device),
            "deviceCapabilities": document,
            "deviceQueueInfo": queue,
        }

    def _create(self, request: Request, _arn: str) -> tuple[int, Json]:
        body, world = _body(request), self._world
        checks.shape(body)
        task = world.tasks.with_token(body["clientToken"], body)
        if task is None:
            device = world.device(body["deviceArn"], request.region)
            if device is None:
                raise invalid(f"device {body['deviceArn']} is not in {request.region}")
            if device.status == "RETIRED":
                raise ServiceError("DeviceRetiredException", f"{device.name} is retired")
            if device.status == "OFFLINE":
                raise ServiceError("DeviceOfflineException", f"{device.name} is offline")
            bucket = world.store.buckets.get(body["outputS3Bucket"])
            if bucket is None or bucket.region != request.region:
                raise invalid(f"bucket {body['outputS3Bucket']} is not in {request.region}")
            work = checks.work(body, device)
            task = world.tasks.create(request.region, device, body, work, world.concurrent)
        return 201, {"quantumTaskArn": task.arn}

    def _get(self, request: Request, arn: str) -> tuple[int, Json]:
        task = self._task(request, arn)
        found = _task_summary(task)
        place = self._world.tasks.position(task)
        found["status"] = self._world.faults.take_status() or found["status"]
        found["deviceParameters"] = task.request.get("deviceParameters") or "{}"
        found["numSuccessfulShots"] = task.good_shots
        found["actionMetadata"] = _action(task)
        found["associations"] = task.request.get("associations") or []
        if task.reason is not None:
            found["failureReason"] = task.reason
        if task.request.get("experimentalCapabilities"):
            found["experimentalCapabilities"] = task.request["experimentalCapabilities"]
        if "QueueInfo" in request.query.get("additionalAttributeNames", ""):
            found["queueInfo"] = {
                "queue": "QUANTUM_TASKS_QUEUE",
                "position": "None" if place is None else (str(place) if place <= 2000 else ">2000"),
                "queuePriority": "Normal",
                "message": f"Task is in {task.state} status.",
            }
        return 200, found

    def _cancel(self, request: Request, arn: str) -> tuple[int, Json]:
        task = self._task(request, arn)
        if not _body(request).get("clientToken"):
            raise invalid("clientToken is required")
        return 200, {
            "quantumTaskArn": task.arn,
            "cancellationStatus": self._world.tasks.cancel(task),
        }

    def _search(self, request: Request, _arn: str) -> tuple[int, Json]:
        body = _body(request)
        found = [t for t in self._world.tasks.all() if t.region == request.region]
        for each in body.get("filters", ()):
            found = [task for task in found if _fits(task, each)]
        rows, more = _page([_task_summary(task) for task in reversed(found)], body)
        return 200, {"quantumTasks": rows, **more}

    def _tags(self, request: Request, arn: str) -> tuple[int, Json]:
        return 200, {"tags": self._task(request, arn).tags}

    def _tag(self, request: Request, arn: str) -> tuple[int, Json]:
        self._task(request, arn).tags.update(_body(request).get("tags", {}))
        return 200, {}

    def _task(self, request: Request, arn: str) -> Task:
        """Return a task of the request's region."""
        task = self._world.tasks.get(arn)
        if task is None or task.region != request.region:
            raise missing(f"quantum task {arn} not found in {request.region}")
        return task


def _summary(device: Device) -> Json:
    """Return a device as in a list."""
    return {
        "deviceArn": device.arn,
        "deviceName": device.name,
        "providerName": device.provider,
        "deviceType": device.kind,
        "deviceStatus": device.status,
    }


def _task_summary(task: Task) -> Json:
    """Return a task as in a list."""
    found: Json = {
        "quantumTaskArn": task.arn,
        "status": task.state,
        "deviceArn": task.device.arn,
        "shots": task.request["shots"],
        "outputS3Bucket": task.request["outputS3Bucket"],
        "outputS3Directory": task.directory,
        "createdAt": stamp(task.created),
        "tags": task.tags,
    }
    if task.ended is not None:
        found["endedAt"] = stamp(task.ended)
    return found


def _action(task: Task) -> Json:
    """Return what kind of action a task is."""
    if not task.work.program_set:
        return {"actionType": PROGRAM}
    return {
        "actionType": PROGRAM_SET,
        "programCount": len(task.work.programs),
        "executableCount": task.work.executables,
    }


def _fits(task: Task, rule: Json) -> bool:
    """Tell whether a task fits a filter."""
    row = {**_task_summary(task), "jobArn": None}
    name, values = rule.get("name"), rule.get("values", [])
    if name not in ("quantumTaskArn", "deviceArn", "jobArn", "status", "createdAt"):
        raise invalid(f"unknown filter {name}")
    found = row[name]
    if rule.get("operator") == "EQUAL":
        return found in values
    if name != "createdAt":
        raise invalid(f"{name} can only be compared by EQUAL")
    low, high = values[0], values[-1]
    return bool(
        {
            "LT": found < low,
            "LTE": found <= low,
            "GT": found > low,
            "GTE": found >= low,
            "BETWEEN": low <= found <= high,
        }[rule["operator"]]
    )


def _page(rows: list[Json], body: Json) -> tuple[list[Json], Json]:
    """Return one page of a list and the token of the next."""
    begin, size = int(body.get("nextToken") or 0), int(body.get("maxResults") or 10)
    if not 1 <= size <= 100:
        raise invalid("maxResults must be 1 to 100")
    more = {"nextToken": str(begin + size)} if begin + size < len(rows) else {}
    return rows[begin : begin + size], more


def _body(request: Request) -> Json:
    """Return the body of a request."""
    try:
        found = json.loads(request.body or b"{}")
    except ValueError as error:
        raise invalid("the body is no JSON") from error
    if not isinstance(found, dict):
        raise invalid("the body must be an object")
    return found
