"""The service: one port on loopback for Braket, S3 and STS."""

from __future__ import annotations

import os
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from qdmi_qiskit.testing.braket_service import api, bucket, documents
from qdmi_qiskit.testing.braket_service.errors import ServiceError
from qdmi_qiskit.testing.braket_service.faults import Fault, Faults
from qdmi_qiskit.testing.braket_service.tasks import Task, Tasks
from qdmi_qiskit.testing.braket_service.wire import Request, Response, Server
from qdmi_qiskit.testing.braket_service.world import Rates, World, executes

ACCOUNT = "123456789012"
# No key of anyone: what a client needs in order to sign at all.
KEYS = {"AWS_ACCESS_KEY_ID": "LOOPBACKONLY00000000", "AWS_SECRET_ACCESS_KEY": "loopback-only"}
SERVICES = ("BRAKET", "S3", "STS")
# What would send a client elsewhere, or make it look for other credentials.
UNSET = (
    "AWS_CA_BUNDLE", "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_DEFAULT_PROFILE", "AWS_PROFILE",
    "AWS_ROLE_ARN", "AWS_SECURITY_TOKEN", "AWS_SESSION_TOKEN", "AWS_USE_DUALSTACK_ENDPOINT",
    "AWS_USE_FIPS_ENDPOINT", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
    "AMZN_BRAKET_JOB_TOKEN", "AMZN_BRAKET_OUT_S3_BUCKET", "AMZN_BRAKET_RESERVATION_DEVICE_ARN",
    "AMZN_BRAKET_RESERVATION_TIME_WINDOW_ARN", "AMZN_BRAKET_TASK_RESULTS_S3_URI",
    "BRAKET_ENDPOINT", "HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy",
    "ALL_PROXY", "all_proxy",
)  # fmt: skip


_TOKEN = re.compile(rb'"clientToken":\s*"([^"]*)"')


@dataclass(frozen=True, slots=True)
class Call:
    """One request that came: what it was and how it was answered (0: not at all)."""

    operation: str
    region: str
    status: int
    token: str = ""
    user_agent: str = ""


class BraketService:
    """A loopback Braket with S3 and STS.

    Args:
        devices: By short name; default: `documents.devices()`.
        step: Seconds that a task stays in each of its states, at least.
        seed: Of all outcomes; the same programs in the same number give the same bits, in whatever
            order they come, and whatever failed or was cancelled in between.
        lifetime: Seconds after which the service ends by itself.
        rates: Refuse requests above the documented rates with `ThrottlingException`.
        latency: Seconds before each answer.
        concurrent: Tasks that may be active on one device; None: no limit.
        clock: Returns the time in UTC, for execution windows; None: devices always execute.
        buckets: Buckets that exist, by name, with their region.
        poll: Milliseconds between polls that every device suggests; None: as in its document.
        pretty: Results are indented, as some of the real ones are.
    """

    def __init__(
        self,
        devices: Mapping[str, documents.Device] | None = None,
        *,
        step: float = 0.01,
        seed: int = 0,
        lifetime: float = 3600.0,
        rates: bool = False,
        latency: float = 0.0,
        concurrent: int | None = None,
        clock: Callable[[], datetime] | None = None,
        buckets: Mapping[str, str] | None = None,
        poll: int | None = None,
        pretty: bool = False,
    ) -> None:
        self.faults = Faults()
        self.devices = dict(documents.devices() if devices is None else devices)
        if poll is not None:
            for device in self.devices.values():
                device.document["service"]["getTaskPollIntervalMillis"] = poll
        self.clock, self.latency = clock, latency
        self.objects = bucket.Store()
        for name, region in (buckets or {}).items():
            self.objects.create(name, region)
        self._tasks = Tasks(
            self.objects,
            self.faults,
            account=ACCOUNT,
            step=step,
            seed=seed,
            open_now=lambda device: executes(device, self.clock),
        )
        self._tasks.pretty = pretty
        self.blunders = self._tasks.blunders  # errors in the service itself; there should be none
        self._api = api.Api(World(self.devices, self.objects, self._tasks, self.faults, concurrent))
        self.rates = Rates() if rates else None
        self._lock = threading.Lock()
        self._calls: list[Call] = []
        self._closing = self.closed = False
        self._server = Server(0, self._answer)
        self.port: int = self._server.server_address[1]
        self._thread: threading.Thread | None = None
        self._end = threading.Timer(lifetime, self.close)
        self._end.daemon = True
        self._listen()
        self._end.start()

    @property
    def url(self) -> str:
        """Where the service listens."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def calls(self) -> tuple[Call, ...]:
        """Every request so far, in the order of the answers."""
        with self._lock:
            return tuple(self._calls)

    @property
    def tasks(self) -> tuple[Task, ...]:
        """Every task so far, the oldest first."""
        return tuple(self._tasks.all())

    @property
    def tasks_per_token(self) -> Counter[str]:
        """How many tasks each client token has created."""
        return Counter(task.request["clientToken"] for task in self.tasks)

    def count(self, operation: str) -> int:
        """Return how many requests of an operation came."""
        return sum(call.operation == operation for call in self.calls)

    def environment(
        self, region: str | None = None, base: Mapping[str, str] | None = None
    ) -> dict[str, str]:
        """Return an environment in which boto3 and the SDK find the service and nothing else.

        Args:
            region: For `AWS_REGION`; default us-east-1.
            base: What to begin with; default: that of this process.
        """
        found = {k: v for k, v in (os.environ if base is None else base).items() if k not in UNSET}
        found.update(KEYS)
        found["AWS_ENDPOINT_URL"] = self.url
        found.update({f"AWS_ENDPOINT_URL_{name}": self.url for name in SERVICES})
        found["AWS_REGION"] = found["AWS_DEFAULT_REGION"] = region or "us-east-1"
        found["AWS_EC2_METADATA_DISABLED"] = "true"
        found["AWS_CONFIG_FILE"] = found["AWS_SHARED_CREDENTIALS_FILE"] = os.devnull
        found["NO_PROXY"] = found["no_proxy"] = "127.0.0.1,localhost"
        return found

    @contextmanager
    def activated(self, region: str | None = None) -> Iterator[Self]:
        """Let this process use the environment for a while."""
        before = dict(os.environ)
        wanted = self.environment(region)
        try:
            for name in set(before) - set(wanted):
                del os.environ[name]
            os.environ.update(wanted)
            yield self
        finally:
            for name in set(os.environ) - set(before):
                del os.environ[name]
            os.environ.update(before)

    def hold(self, state: str = "QUEUED") -> None:
        """Let no task leave a state until `release()`: a queue without end."""
        self._tasks.hold(state)

    def release(self, state: str | None = None) -> None:
        """Let tasks leave a state; None: every state."""
        self._tasks.release(state)

    @contextmanager
    def outage(self) -> Iterator[None]:
        """Stop listening for a while; connections are closed, tasks and objects stay."""
        self._deafen()
        try:
            yield
        finally:
            self._server = Server(self.port, self._answer)
            self._listen()

    def restart(self) -> None:
        """Close every connection and listen anew on the same port."""
        with self.outage():
            pass

    def close(self) -> None:
        """End the service and its threads."""
        self._end.cancel()
        with self._lock:
            first, self._closing = not self._closing, True
        if first:
            self._deafen()
            self._tasks.close()
            self.closed = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _listen(self) -> None:
        """Serve, in a thread."""
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.02,), name="braket-service-wire", daemon=True
        )
        self._thread.start()

    def _deafen(self) -> None:
        """Stop serving and close every connection."""
        if self._thread is None:
            return
        self._server.shutdown()
        self._server.server_close()
        self._server.hang_up()
        self._thread.join(5)
        self._thread = None

    def _answer(self, request: Request) -> tuple[Response, Fault | None]:
        """Answer one request, with whatever is to go wrong."""
        operation, arn = self._named(request)
        time.sleep(self.latency + self.faults.seconds(operation))
        fault = self.faults.take(operation)
        if fault is not None and fault.kind == "drop":
            self._note(request, operation, 0)
            return Response(500), fault
        if fault is not None and fault.kind == "slow":
            time.sleep(fault.seconds)
        try:
            response = self._served(request, operation, arn, fault)
        except ServiceError as error:
            response = self._refused(request, error)
        except Exception as error:  # noqa: BLE001 - the boundary: a client must get an answer
            self.blunders.append(error)
            words = f"a blunder of the loopback service: {error!r}"
            response = self._refused(request, ServiceError("InternalServiceException", words))
        self._note(
            request, operation, 0 if fault and fault.kind == "drop after" else response.status
        )
        return response, fault

    def _served(self, request: Request, operation: str, arn: str, fault: Fault | None) -> Response:
        """Answer one request, or raise."""
        if not request.service:
            words = "the request is not signed"
            raise ServiceError("MissingAuthenticationTokenException", words)
        if fault is not None and fault.kind == "refuse":
            raise ServiceError(fault.error, fault.message)
        if self.rates is not None and not self.rates.allows(operation):
            raise ServiceError("ThrottlingException", "Rate exceeded")
        if request.service == "s3":
            return self.objects.answer(operation, request)
        if request.service == "sts":
            return api.caller(ACCOUNT)
        return self._api.answer(operation, arn, request)

    def _named(self, request: Request) -> tuple[str, str]:
        """Return the operation that a request is, and the ARN in its path."""
        if request.service == "s3":
            return bucket.named(request), ""
        return ("GetCallerIdentity", "") if request.service == "sts" else api.named(request)

    def _refused(self, request: Request, error: ServiceError) -> Response:
        """Return an error in the words of the service that was asked."""
        if request.service == "s3":
            return bucket.refusal(error, request)
        return api.refusal(error)

    def _note(self, request: Request, operation: str, status: int) -> None:
        """Keep a record of a request."""
        found = _TOKEN.search(request.body) if operation == "CreateQuantumTask" else None
        token = found[1].decode(errors="replace") if found else ""
        agent = request.headers.get("user-agent", "")
        with self._lock:
            self._calls.append(Call(operation, request.region, status, token, agent))
