"""What can be changed about a server while it runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

KeyOrder = Literal["program", "sorted", "reversed"]


@dataclass(slots=True)
class Behaviour:
    """The state of a server that tests turn.

    Attributes:
        noise: Whether the figures of the calibration sets are obeyed; else results are exact.
        spoilt: Whether calibration sets that are made from now on have useless observations.
        key_order: In which order results list measurement keys.
        queue_seconds: How long a job waits before it is executed.
        execution_seconds: How long each circuit takes, beyond the simulation.
        herald_loss: Probability that heralding discards a shot; None: by the readout errors.
        max_executions: Largest circuits x shots of a job.
        max_instructions: Largest circuit.
        max_circuits: Circuits in a job; None: the server does not say.
        max_shots: Shots of a circuit; None: the server does not say.
        max_body: Bytes in a request.
        timeslot_required: Whether jobs need a booked timeslot.
        calibration_runs: Whether clients can let the first machine calibrate itself.
        calibration_seconds: How long that takes.
        healthy: What the server says of its machines.
        rate_limit: What the server says of requests in a while; none is refused for that.
        renamed: Other names for job statuses, to see what a client does about unknown ones.
    """

    noise: bool = True
    spoilt: bool = True
    key_order: KeyOrder = "program"
    queue_seconds: float = 0.0
    execution_seconds: float = 0.0
    herald_loss: float | None = None
    max_executions: int = 1_000_000
    max_instructions: int = 10_000
    max_circuits: int | None = 500
    max_shots: int | None = 100_000
    max_body: int = 32_000_000
    timeslot_required: bool = False
    calibration_runs: bool = False
    calibration_seconds: float = 0.0
    healthy: bool = True
    rate_limit: int = 2000
    renamed: dict[str, str] = field(default_factory=dict)
