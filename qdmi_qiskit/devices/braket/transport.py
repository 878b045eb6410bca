"""Calls to AWS: clients made once, retries where they are safe, the documented rates."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from contextlib import closing, suppress
from functools import cache, partial
from typing import Any

import boto3
from botocore import __version__ as botocore_version
from botocore import exceptions as wire
from botocore.config import Config
from botocore.loaders import create_loader
from botocore.parsers import ResponseParserError
from botocore.session import get_session

from qdmi_qiskit.answers import LARGEST, taken
from qdmi_qiskit.devices.braket.faults import (
    BrokenAnswerError,
    passing,
    retry_after,
    throttled,
    translated,
    unanswered,
    unnamed,
    wire_errors,
)
from qdmi_qiskit.devices.braket.options import CloudOptions, bucket_and_prefix
from qdmi_qiskit.errors import SubmitUnknownError
from qdmi_qiskit.pace import Rate, Width, pause
from qdmi_qiskit.secret import redacted

_RATE, _BURST = 20.0, 40  # CreateQuantumTask, documented default quota of an account
_CONNECTIONS = 32
_PLACE = "AMZN_BRAKET_TASK_RESULTS_S3_URI"  # as in the SDK
_PAUSE, _LONGEST_PAUSE, _LONGEST_BLOCK = 0.1, 5.0, 120.0
_NAME = f"qdmi-qiskit Boto3/{boto3.__version__} Botocore/{botocore_version}"
_TOLD = {  # what every answer has; without it, it is none
    "create_quantum_task": "quantumTaskArn",
    "get_device": "deviceCapabilities",
    "get_quantum_task": "status",
    "search_devices": "devices",
    "search_quantum_tasks": "quantumTasks",
}


_rates: dict[tuple[str, str], Rate] = {}
_rates_lock = threading.Lock()


def _rate(region: str, endpoint: str) -> Rate:
    """Return the rate that all sessions of this process share in a region."""
    with _rates_lock:
        return _rates.setdefault((region, endpoint), Rate(_RATE, _BURST))


@cache
def _loader(data_path: str | None) -> Any:
    return create_loader(data_path)


def _aws_session(profile: str | None, region: str | None) -> boto3.Session:
    """Return a session of its own; only the descriptions of AWS's services are shared.

    Reading them is most of the time that a client takes. Credentials are not shared: they may be
    others the next time.
    """
    session = get_session()
    loader = _loader(session.get_config_variable("data_path"))
    session.register_component("data_loader", loader)
    return boto3.Session(botocore_session=session, profile_name=profile, region_name=region)


def _blotted(record: logging.LogRecord) -> bool:
    """Take session tokens and signatures out of what botocore logs of requests and answers."""
    record.msg, record.args = redacted(record.getMessage()), ()
    return True


for _name in ("auth", "endpoint", "hooks", "httpsession", "parsers", "retries.standard"):
    logging.getLogger(f"botocore.{_name}").addFilter(_blotted)  # called at DEBUG only


def _answered(call: Callable[..., Any], **arguments: Any) -> Any:
    """Make a call; where botocore stumbles over the answer, the answer is broken.

    It has an error of its own for some such answers, and trips over others.
    """
    try:
        return call(**arguments)
    except wire.ClientError as error:
        if not unnamed(error):
            raise
        raise BrokenAnswerError(error="a refusal without a reason") from error
    except (ResponseParserError, LookupError, ValueError) as error:
        said = f"{type(error).__name__} in reading it"
        raise BrokenAnswerError(error=said) from error


class Transport:
    """One account in one region."""

    def __init__(self, options: CloudOptions, region: str | None) -> None:
        self._options = options
        with wire_errors("opening an AWS session"):
            self._session = _aws_session(options.profile, region)
            self._braket = self._client("braket", options.endpoint)
        self.region: str = self._braket.meta.region_name
        self._lock = threading.Lock()
        self._s3: Any = None
        self._place: tuple[str, str] | None = None
        self._paced = _rate(self.region, self.endpoint)
        self.width, self.s3_width = Width(_CONNECTIONS), Width(_CONNECTIONS)

    @property
    def endpoint(self) -> str:
        """URL of the service."""
        return str(self._braket.meta.endpoint_url)

    def _client(self, service: str, endpoint: str | None) -> Any:
        config = Config(
            # Ours are told apart by what they may have done; botocore would hide the first.
            retries={"total_max_attempts": 1, "mode": "standard"},
            max_pool_connections=_CONNECTIONS,
            connect_timeout=min(self._options.timeout, 10.0),
            read_timeout=self._options.timeout,
            user_agent=_NAME,  # botocore would put a longer one together anew for each call
            parameter_validation=False,  # the options were checked, and the service checks all
        )
        return self._session.client(service, endpoint_url=endpoint, config=config)

    def call(self, operation: str, what: str, **arguments: Any) -> dict[str, Any]:
        """Make a call that changes nothing, or the same however often it is made."""
        reply: dict[str, Any] = self._repeat(self._asking(operation), what, arguments)
        return reply

    def _asking(self, operation: str) -> Callable[..., dict[str, Any]]:
        """Return a call that raises where the answer is none, as when a proxy answers."""
        told, method = _TOLD.get(operation), getattr(self._braket, operation)

        def ask(**arguments: Any) -> dict[str, Any]:
            answer: dict[str, Any] = _answered(method, **arguments)
            if told is not None and told not in answer:
                raise BrokenAnswerError(error=f"there is no {told} in it")
            return answer

        return ask

    def create(self, **arguments: Any) -> str:
        """Make a task and return its ARN; `clientToken` makes it the same task each time.

        Raises:
            RejectedError: The service refused it.
            UnavailableError: Nothing was made.
            SubmitUnknownError: The connection broke and the task may exist.
        """
        created: str = self._repeat(
            self._asking("create_quantum_task"), "submitting", arguments, paced=True
        )["quantumTaskArn"]
        return created

    def read(self, bucket: str, key: str, most: int = LARGEST) -> bytes:
        """Return an object of S3, which is JSON; one that breaks off is read again.

        Raises:
            TooLongError: It has more than `most` bytes.
        """
        with self._lock:
            if self._s3 is None:
                with wire_errors("opening S3"):
                    self._s3 = self._client("s3", self._options.s3_endpoint)
        s3 = self._s3

        def get(**arguments: Any) -> bytes:
            body = _answered(s3.get_object, **arguments)["Body"]
            with closing(body):
                content = taken(body.read, most, "a result")
            # A look at both ends costs nothing; whether all of it is JSON, the reader will see.
            if content[:64].lstrip()[:1] != b"{" or content[-64:].rstrip()[-1:] != b"}":
                raise BrokenAnswerError(error=f"{len(content)} bytes that are no whole result")
            return content

        what = "reading a result"
        body: bytes = self._repeat(get, what, {"Bucket": bucket, "Key": key}, width=self.s3_width)
        return body

    def _repeat(
        self,
        call: Callable[..., Any],
        what: str,
        arguments: dict[str, Any],
        *,
        paced: bool = False,
        width: Width | None = None,
    ) -> Any:
        doubtful = False
        for attempt in range(self._options.attempts):
            if paced:
                self._paced.wait()
            try:
                with (width or self.width).call() as under_way:
                    try:
                        return call(**arguments)
                    except BaseException as error:
                        (under_way.throttled if throttled(error) else under_way.failed)()
                        raise
            except (wire.BotoCoreError, wire.ClientError) as error:
                doubtful = doubtful or (paced and unanswered(error))
                asked = retry_after(error)
                left = attempt < self._options.attempts - 1 and (asked or 0.0) <= _LONGEST_BLOCK
                if left and passing(error):
                    time.sleep(pause(attempt, _PAUSE, _LONGEST_PAUSE, asked))
                    continue
                if doubtful and passing(error):
                    raise SubmitUnknownError(
                        f"{what}: the connection broke and the task may exist; sending it again "
                        f"under the same key makes no second one ({translated(error, what)})"
                    ) from error
                raise translated(error, what) from error
        raise AssertionError("unreachable")

    def destination(self) -> tuple[str, str]:
        """Return bucket and prefix for results; the default bucket is made where it is missing."""
        with self._lock:
            if self._place is None:
                said = self._options.s3 or os.environ.get(_PLACE)
                self._place = bucket_and_prefix(said) if said else self._default_place()
            return self._place

    def _default_place(self) -> tuple[str, str]:
        what = "looking for a place for results (say s3='s3://BUCKET/PREFIX')"
        with wire_errors(what):
            sts, s3 = self._client("sts", None), self._client("s3", self._options.s3_endpoint)
        caller = self._repeat(partial(_answered, sts.get_caller_identity), what, {})
        bucket = f"amazon-braket-{self.region}-{caller['Account']}"
        where = {"CreateBucketConfiguration": {"LocationConstraint": self.region}}

        def create(**arguments: Any) -> None:
            with suppress(s3.exceptions.BucketAlreadyOwnedByYou):
                _answered(s3.create_bucket, **arguments)

        there = {} if self.region == "us-east-1" else where
        self._repeat(create, what, {"Bucket": bucket, **there}, width=self.s3_width)
        return bucket, "tasks"

    def regions(self) -> tuple[str, ...]:
        """Return the regions that have Braket, this one first."""
        others = self._session.get_available_regions("braket")
        return tuple(dict.fromkeys([self.region, *others]))

    def close(self) -> None:
        """Close connections."""
        self._braket.close()
        if self._s3 is not None:
            self._s3.close()
