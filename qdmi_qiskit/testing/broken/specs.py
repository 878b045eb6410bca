"""Devices that are described wrongly."""

from __future__ import annotations

from dataclasses import replace

from qdmi_qiskit.model import (
    DeviceSpec,
    DeviceState,
    Figures,
    Operation,
)
from qdmi_qiskit.testing.broken.wrong import (
    Wrong,
    claims,
    fails,
)

claims("Cancel is hidden", "cancel_as_declared", cancel=False)
claims("Retrieve is not declared", "retrieve_as_declared", retrieve=False)
claims("The key is not declared", "submit_key_as_declared", submit_key=False)
claims("Sweeps are not declared", "sweep_as_declared", sweeps=False)
claims("Expectations are not declared", "expectations_as_declared", expectations=False)
claims("Mixed shots are not declared", "mixed_shots_as_declared", mixed_shots=False)
claims("No format is known", "capabilities_make_sense", formats=("acme-text",))
claims("Jobs go on but are lost", "capabilities_make_sense", detached=True, retrieve=False)
claims("No job can be sent", "capabilities_make_sense", min_shots=10, max_shots=5)


@fails("spec_is_plain_data")
class UnpicklableSpec(Wrong):
    """The spec holds a function."""

    def bend_spec(self, spec: DeviceSpec) -> DeviceSpec:
        return replace(spec, version=lambda: "1")  # type: ignore[arg-type]


@fails("spec_is_the_same_when_asked_again")
class RestlessSpec(Wrong):
    """The spec changes from call to call."""

    def bend_spec(self, spec: DeviceSpec) -> DeviceSpec:
        self.calls = getattr(self, "calls", 0) + 1
        return replace(spec, version=str(self.calls))


@fails("spec_goes_through_json")
class UnwritableSpec(Wrong):
    """The spec holds a number that JSON has not."""

    def bend_spec(self, spec: DeviceSpec) -> DeviceSpec:
        first = replace(spec.sites[0], t1=float("inf"))
        return replace(spec, sites=(first, *spec.sites[1:]))


@fails("sites_are_numbered_from_zero")
class SitesFromOne(Wrong):
    """Sites count from 1."""

    def bend_spec(self, spec: DeviceSpec) -> DeviceSpec:
        sites = tuple(replace(site, index=site.index + 1) for site in spec.sites)
        return replace(spec, sites=sites)


def _with_x(spec: DeviceSpec, figures: Figures, *sites: int) -> DeviceSpec:
    others = tuple(operation for operation in spec.operations if operation.name != "x")
    table: dict[tuple[int, ...], Figures] = {
        (site,): figures for site in sites or range(spec.num_qubits)
    }
    return replace(spec, operations=(*others, Operation("x", 1, (), table)))


@fails("times_are_in_seconds")
class Nanoseconds(Wrong):
    """Durations are nanoseconds."""

    def bend_spec(self, spec: DeviceSpec) -> DeviceSpec:
        return _with_x(spec, Figures(duration=40.0))


@fails("times_are_in_seconds")
class Microseconds(Wrong):
    """T1 is in microseconds."""

    def bend_spec(self, spec: DeviceSpec) -> DeviceSpec:
        sites = tuple(replace(site, t1=55.0) for site in spec.sites)
        return _with_x(replace(spec, sites=sites), Figures(duration=40e-9))


@fails("probabilities_are_fractions")
class Percent(Wrong):
    """Fidelities are percent."""

    def bend_spec(self, spec: DeviceSpec) -> DeviceSpec:
        return _with_x(spec, Figures(fidelity=99.5))


@fails("operations_fit_the_sites")
class ForeignSite(Wrong):
    """A gate is listed on a site that is not there."""

    def bend_spec(self, spec: DeviceSpec) -> DeviceSpec:
        return _with_x(spec, Figures(), 0, 1, 2, 3, 99)


@fails("operations_are_known")
class StrangeGate(Wrong):
    """A gate has the vendor's name."""

    def bend_spec(self, spec: DeviceSpec) -> DeviceSpec:
        return replace(spec, operations=(*spec.operations, Operation("acme_flip", 1)))


@fails("every_gate_runs")
class EmptyPromise(Wrong):
    """A gate is listed that the device refuses."""

    def bend_spec(self, spec: DeviceSpec) -> DeviceSpec:
        return replace(spec, operations=(*spec.operations, Operation("xx_minus_yy", 2, ("a", "b"))))


@fails("status_is_one_of_six")
class VendorStatus(Wrong):
    """The status is the vendor's word."""

    def status(self) -> DeviceState:
        return DeviceState(status="online")  # type: ignore[arg-type]
