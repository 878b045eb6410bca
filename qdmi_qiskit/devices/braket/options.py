"""What can be said about a Braket device, checked before anything is asked or paid."""

from __future__ import annotations

import re
from typing import Any

from pydantic import Field, field_validator

from qdmi_qiskit.errors import ConfigError
from qdmi_qiskit.options import DeviceOptions

_S3 = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/(.*?))?/?")


class LocalOptions(DeviceOptions):
    """Options of `braket:local` and `braket:local-dm`.

    Attributes:
        num_qubits: Qubits of the Target; else as many as the simulator takes.
    """

    num_qubits: int | None = Field(default=None, ge=1)


class CloudOptions(DeviceOptions):
    """Options of a device in the cloud. Credentials are AWS's own business.

    Attributes:
        region: Where to look for the device; else its ARN's, `$AWS_REGION`, the profile's, all.
        profile: A profile of `~/.aws/config`.
        endpoint: URL of the Braket service, in place of AWS's.
        s3_endpoint: URL of S3, in place of AWS's.
        s3: Where results go, `s3://BUCKET/PREFIX`; else `$AMZN_BRAKET_TASK_RESULTS_S3_URI`, else
            `amazon-braket-REGION-ACCOUNT/tasks`, which is created where it is missing.
        verbatim: Circuits are in native gates and run as they are, on the qubits that they name.
            False: circuits are in any supported gates, and the service compiles them.
        program_sets: Send many circuits as one task where the device offers it.
        reservation_arn: Run in this reservation.
        tags: Tags of every task.
        device_parameters: Goes to the service as it is.
        debias: Let IonQ mitigate errors; takes more shots.
        experimental: Enable what the service calls experimental capabilities: on IQM's devices
            `reset`, measurements before the end, and `if_test` on one bit.
        poll_interval: Seconds between two looks at a task; else what the device says, else 1.
        busy_above: From so many waiting tasks on the device counts as busy.
        max_cost: Most that this session may spend, in the currency of the device's price.
        price_per_task: Price in USD of a task on a QPU; its document states only that of a shot.
            The default is that of AWS's list, where it is the same for every QPU, beside shot
            prices that are those of the documents (Source: aws.amazon.com/braket/pricing, a copy
            of 2025 with Aquila, Ankaa, Aria, Forte and Garnet). Say yours if it is another.
        cache_seconds: How long a capability document on disk is believed without asking again.
        attempts: How often a call that may be repeated is made.
        timeout: Seconds that one call may take.
    """

    region: str | None = None
    profile: str | None = None
    endpoint: str | None = None
    s3_endpoint: str | None = None
    s3: str | None = None
    verbatim: bool = True
    program_sets: bool = True
    reservation_arn: str | None = None
    tags: dict[str, str] = Field(default_factory=dict, max_length=50)
    device_parameters: dict[str, Any] = Field(default_factory=dict)
    debias: bool = False
    experimental: bool = False
    poll_interval: float | None = Field(default=None, gt=0)
    busy_above: int = Field(default=5, ge=1)
    max_cost: float | None = Field(default=None, ge=0)
    price_per_task: float = Field(default=0.3, ge=0)
    cache_seconds: float = Field(default=3600.0, ge=0)
    attempts: int = Field(default=6, ge=1)
    timeout: float = Field(default=60.0, gt=0)

    @field_validator("s3")
    @classmethod
    def _is_place(cls, value: str | None) -> str | None:
        if value is not None and not _S3.fullmatch(value):
            raise ValueError("s3://BUCKET or s3://BUCKET/PREFIX")
        return value


def bucket_and_prefix(place: str) -> tuple[str, str]:
    """Return the two halves of `s3://BUCKET/PREFIX`; the prefix is `tasks` if not given.

    >>> bucket_and_prefix("s3://amazon-braket-lab/mine")
    ('amazon-braket-lab', 'mine')
    """
    found = _S3.fullmatch(place)
    if found is None:
        raise ConfigError(f"{place!r} is no place for results: say s3://BUCKET/PREFIX")
    return found[1], found[2] or "tasks"
