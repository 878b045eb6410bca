"""Spans and metrics by OpenTelemetry, where the program has configured it; else nothing.

Nothing here imports OpenTelemetry unless the program has: spans are made once its API is loaded and
a tracer provider is set, by `opentelemetry-instrument` or by hand; metrics likewise. Until then a
call here costs a look into `sys.modules`.

    qdmi.run                 from the user's call until the result is there, or nobody wants it
      qdmi.plan              circuits become programs, programs become device jobs
      qdmi.submit            one request that submits one device job
      qdmi.queue             of one device job, as the vendor says
      qdmi.execute           of one device job, as the vendor says
      qdmi.fetch             the wait for one device job, and its outcome
      qdmi.postprocess       shots become the result
    qdmi.resume              another process goes on: child of the `qdmi.run` in the journal

A vendor's clock is not ours: a vendor's span is cut to the time between submission and outcome, so
that spans nest; `qdmi.queue.duration` and `qdmi.execute.duration` are by the vendor's clock alone.
Identifiers of jobs and runs are on spans and never on metrics. Names follow OpenTelemetry's
conventions for names: dots between namespaces, durations in seconds, units in braces for counts.
"""

from __future__ import annotations

import sys
import time
import weakref
from collections.abc import Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import UTC, datetime
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_NAME = "qdmi_qiskit"
_NOTHING: AbstractContextManager[Any] = nullcontext()
_UNSET = ("ProxyTracerProvider", "NoOpTracerProvider", "_ProxyMeterProvider", "NoOpMeterProvider")
_INSTRUMENTS: dict[tuple[int, str], Any] = {}


def _tracer() -> Any:
    """Return a tracer; None: nobody has configured one."""
    api = sys.modules.get("opentelemetry.trace")
    if api is None:
        return None
    provider = api.get_tracer_provider()
    return None if type(provider).__name__ in _UNSET else provider.get_tracer(_NAME)


def is_on() -> bool:
    """Whether spans are made."""
    return _tracer() is not None


def span(name: str, **attributes: Any) -> AbstractContextManager[Any]:
    """Make a span around a block, below the one that is current; None where nothing is traced.

    Args:
        name: Without `qdmi.`.
        attributes: The same, `_` for `.`; None is left out.
    """
    tracer = _tracer()
    if tracer is None:
        return _NOTHING
    return _spanned(tracer, name, attributes)


@contextmanager
def _spanned(tracer: Any, name: str, attributes: Mapping[str, Any]) -> Iterator[Any]:
    kind = sys.modules["opentelemetry.trace"].SpanKind
    remote = kind.CLIENT if name in ("submit", "fetch") else kind.INTERNAL
    with tracer.start_as_current_span(
        f"qdmi.{name}", kind=remote, attributes=_named(attributes)
    ) as made:
        try:
            yield made
        except BaseException as error:
            made.set_attribute("error.type", type(error).__name__)
            raise


def _named(attributes: Mapping[str, Any]) -> dict[str, Any]:
    return {
        f"qdmi.{key.replace('_', '.')}": value
        for key, value in attributes.items()
        if value is not None
    }


def note(made: Any, **attributes: Any) -> None:
    """Add attributes to a span; nothing is done to None."""
    if made is not None:
        made.set_attributes(_named(attributes))


class RunSpan:
    """The span of a whole run, which begins in one call of the user and ends in another."""

    def __init__(self, carrier: Mapping[str, str] | None, attributes: Mapping[str, Any]) -> None:
        api = sys.modules["opentelemetry.trace"]
        parent = None if carrier is None else _propagator().extract(carrier)
        self._made = _tracer().start_span(
            "qdmi.run" if carrier is None else "qdmi.resume",
            context=parent,
            attributes=_named(attributes),
        )
        self._api = api
        self._end = weakref.finalize(self, self._made.end)

    def carrier(self) -> dict[str, str]:
        """Return the W3C trace context of this span."""
        found: dict[str, str] = {}
        context = self._api.set_span_in_context(self._made)
        _propagator().inject(found, context=context)
        return found

    def within(self) -> AbstractContextManager[Any]:
        """Make this the current span of a block; an error of the block is noted."""
        return self._within()

    @contextmanager
    def _within(self) -> Iterator[Any]:
        with self._api.use_span(self._made, end_on_exit=False):
            try:
                yield self._made
            except TimeoutError:  # the run goes on
                raise
            except BaseException as error:
                self._made.set_attribute("error.type", type(error).__name__)
                raise

    def end(self) -> None:
        """Say that the run is over; later calls do nothing."""
        self._end()


def _propagator() -> Any:
    module = import_module("opentelemetry.trace.propagation.tracecontext")
    return module.TraceContextTextMapPropagator()


def run_span(carrier: Mapping[str, str] | None = None, **attributes: Any) -> RunSpan | None:
    """Begin the span of a run; None where nothing is traced.

    Args:
        carrier: Of the run in the journal that this goes on with.
        attributes: As for `span`.
    """
    return None if _tracer() is None else RunSpan(carrier, attributes)


def within(made: RunSpan | None) -> AbstractContextManager[Any]:
    """Make the span of a run the current one of a block."""
    return _NOTHING if made is None else made.within()


def now() -> int:
    """Nanoseconds since 1970."""
    return time.time_ns()


def device_job(
    told: Mapping[str, Any], *, job_id: str, device: str, since: int, shots: int
) -> None:
    """Tell of a device job that ended: the vendor's times as spans, figures as metrics.

    Args:
        told: `Job.metadata`.
        job_id: The vendor's.
        device: Its name.
        since: When it was submitted, by our clock, in nanoseconds since 1970.
        shots: That it was asked for in all.
    """
    tracer, meter = _tracer(), _meter()
    if tracer is None and meter is None:
        return
    first, begun, ended = (_moment(told.get(f"{key}_at")) for key in _TIMES)
    runtime = told.get("runtime")
    if begun is None and ended is not None and isinstance(runtime, int | float):
        begun = ended - int(runtime * 1e9)
    queued = None if first is None or begun is None else max(begun - first, 0) / 1e9
    ran = None if begun is None or ended is None else max(ended - begun, 0) / 1e9
    if isinstance(runtime, int | float):
        ran = float(runtime)
    if tracer is not None:
        about = {"device_id": device, "job_id": job_id}
        for name, start, stop, length in (
            ("queue", first, begun, queued),
            ("execute", begun, ended, ran),
        ):
            if start is None or stop is None:
                continue
            attributes = _named({**about, f"{name}_duration": length})
            attributes |= {
                f"qdmi.vendor.{key}_at": told[f"{key}_at"] for key in _TIMES if f"{key}_at" in told
            }
            low, high = max(since, 0), now()
            start, stop = (min(max(each, low), high) for each in (start, stop))
            made = tracer.start_span(f"qdmi.{name}", start_time=start, attributes=attributes)
            made.end(end_time=max(start, stop))
    count("device_jobs", 1, "{job}", device_id=device, job_state="done")
    count("shots", shots, "{shot}", device_id=device)
    if queued is not None:
        duration("queue.duration", queued, device_id=device)
    if ran is not None:
        duration("execute.duration", ran, device_id=device)
    price = told.get("price")
    if isinstance(price, int | float):
        count("cost", price, "1", device_id=device, currency=told.get("currency"))


_TIMES = ("submitted", "started", "ended")


def _moment(text: Any) -> int | None:
    """Return nanoseconds since 1970 of a time in ISO 8601; without a time zone it is UTC."""
    try:
        found = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return None
    whole = found if found.tzinfo else found.replace(tzinfo=UTC)
    return int(whole.timestamp() * 1e9)


def _meter() -> Any:
    api = sys.modules.get("opentelemetry.metrics")
    if api is None:
        return None
    provider = api.get_meter_provider()
    return None if type(provider).__name__ in _UNSET else provider.get_meter(_NAME)


def _instrument(make: str, name: str, unit: str) -> Any:
    meter = _meter()
    if meter is None:
        return None
    key = id(sys.modules["opentelemetry.metrics"].get_meter_provider()), name
    if key not in _INSTRUMENTS:
        _INSTRUMENTS[key] = getattr(meter, make)(f"qdmi.{name}", unit=unit)
    return _INSTRUMENTS[key]


def duration(name: str, seconds: float, **attributes: Any) -> None:
    """Record a duration in a histogram."""
    found = _instrument("create_histogram", name, "s")
    if found is not None:
        found.record(seconds, _named(attributes))


def count(name: str, number: float, unit: str, **attributes: Any) -> None:
    """Add to a counter."""
    found = _instrument("create_counter", name, unit)
    if found is not None:
        found.add(number, _named(attributes))


def level(name: str, value: float | None, unit: str, **attributes: Any) -> None:
    """Record what something is at now; None is nothing."""
    if value is None:
        return
    found = _instrument("create_gauge", name, unit)
    if found is not None:
        found.set(value, _named(attributes))
