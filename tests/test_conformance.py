"""Every device that comes with the package keeps the contract; so do devices made for tests."""

from __future__ import annotations

from dataclasses import replace

import pytest
from qiskit.providers.fake_provider import GenericBackendV2

from qdmi_qiskit.adopt import BackendSession
from qdmi_qiskit.devices.aer import driver as aer
from qdmi_qiskit.errors import ConfigError, ProtocolError, UnsupportedError
from qdmi_qiskit.model import Figures
from qdmi_qiskit.testing import (
    CHECKS,
    Harness,
    check_device,
    heralding,
    outcome,
    parametrize_with_checks,
    poor,
)
from qdmi_qiskit.testing.broken import Wrong


def small_noisy_spec():
    """Two qubits, figures of a good device."""
    whole = poor.PoorSession().spec()
    good = {"cx": Figures(200e-9, 0.995), "measure": Figures(1e-6, 0.99)}
    operations = tuple(
        replace(
            op,
            sites={
                place: good.get(op.name, figures)
                for place, figures in op.sites.items()
                if max(place) < 2
            },
        )
        for op in whole.operations
    )
    return replace(whole, name="noisy", sites=whole.sites[:2], operations=operations)


class Limited(Wrong):
    """A device with every limit there is, which it enforces."""

    def __init__(self):
        super().__init__(heralding.HeraldingSession())

    def bend_claims(self, claims):
        return replace(
            claims,
            min_shots=3,
            max_shots=90,
            max_executables=4,
            max_total_shots=200,
            max_jobs=2,
            max_qubits=3,
        )

    def bend_tasks(self, tasks):
        shots = [task.shots for task in tasks for _ in range(task.points)]
        if min(shots) < 3 or max(shots) > 90 or len(shots) > 4 or sum(shots) > 200:
            raise ProtocolError(f"shots {shots} are beyond the limits")
        return tasks


AER = Harness(lambda: aer.open("", num_qubits=5))
MIXED = Harness(lambda: aer.open("density_matrix", num_qubits=5))
PRODUCT = Harness(lambda: aer.open("matrix_product_state", num_qubits=5))
CLIFFORD = Harness(
    lambda: aer.open("stabilizer", num_qubits=5),
    xfail={
        "expectations_as_declared": "never: the check turns by angles that are no Clifford gates"
    },
)
NOISY = Harness(lambda: aer.open("", noise=small_noisy_spec()), tolerance=0.1)
POOR = Harness(lambda: poor.driver.open(""))
HERALDING = Harness(lambda: heralding.driver.open(""))
LIMITED = Harness(Limited)
FOREIGN = Harness(lambda: BackendSession(GenericBackendV2(5, seed=1)), tolerance=0.1)


@parametrize_with_checks(AER)
def test_aer_keeps_the_contract(harness, check):
    check(harness)


@parametrize_with_checks(MIXED)
def test_aer_density_matrix_keeps_the_contract(harness, check):
    check(harness)


@parametrize_with_checks(PRODUCT)
def test_aer_matrix_product_state_keeps_the_contract(harness, check):
    check(harness)


@parametrize_with_checks(CLIFFORD)
def test_aer_stabilizer_keeps_the_contract(harness, check):
    check(harness)


@parametrize_with_checks(NOISY)
def test_a_noisy_twin_keeps_the_contract(harness, check):
    check(harness)


@parametrize_with_checks(POOR)
def test_the_poorest_device_keeps_the_contract(harness, check):
    check(harness)


@parametrize_with_checks(HERALDING)
def test_a_device_that_discards_shots_keeps_the_contract(harness, check):
    check(harness)


@parametrize_with_checks(LIMITED)
def test_a_device_with_every_limit_keeps_the_contract(harness, check):
    check(harness)


@parametrize_with_checks(FOREIGN)
def test_an_adopted_backend_keeps_the_contract(harness, check):
    check(harness)


def test_check_device_reports_every_check():
    report = check_device(Harness(lambda: heralding.driver.open("")))
    assert report.passed, str(report)
    assert [each.name for each in report.outcomes] == list(CHECKS)
    assert str(report).splitlines()[0] == "passed spec_is_plain_data"


def test_an_expected_failure_is_reported_with_its_reason():
    reason = "never: it is the wrong width"
    harness = Harness(lambda: UnlistedMeasure(), xfail={"operations_are_known": reason})
    found = outcome(harness, "operations_are_known")
    assert (found.outcome, found.message) == ("xfail", reason)


def test_an_expected_failure_that_passes_is_a_failure():
    harness = Harness(
        lambda: heralding.driver.open(""), xfail={"bit_order": "notyet: they reverse it"}
    )
    found = outcome(harness, "bit_order")
    assert found.outcome == "failed"
    assert "remove it" in found.message


def test_an_expected_failure_needs_a_reason():
    with pytest.raises(ConfigError, match="notimpl:, notyet:, never:"):
        Harness(poor.PoorSession, xfail={"bit_order": "flaky"})


def test_an_expected_failure_of_no_check_is_refused():
    harness = Harness(poor.PoorSession, xfail={"bit_ordre": "never: typo"})
    with pytest.raises(ConfigError, match="did you mean 'bit_order'"):
        check_device(harness)
    with pytest.raises(ConfigError, match="did you mean 'bit_order'"):
        parametrize_with_checks(harness)


def test_a_check_that_is_not_there_is_refused():
    with pytest.raises(ConfigError, match="did you mean 'bit_order'"):
        outcome(POOR, "bit_orders")


class UnlistedMeasure(poor.PoorSession):
    def spec(self):
        spec = super().spec()
        kept = tuple(op for op in spec.operations if op.name != "measure")
        return replace(spec, operations=kept)


@pytest.mark.parametrize("driver", [poor.driver, heralding.driver])
def test_devices_in_memory_open_like_plug_ins(driver):
    assert driver.names() == ("",)
    assert driver.open("", seed=3).spec().num_qubits == 5
    with pytest.raises(ConfigError):
        driver.open("somewhere")
    with pytest.raises(ConfigError):
        driver.open("", sead=3)


def test_outcomes_of_the_poor_device_are_reproducible():
    harness = [Harness(lambda: poor.driver.open("", seed=5)) for _ in range(2)]
    checks = [outcome(each, "result_twice_is_equal").outcome for each in harness]
    assert checks == ["passed", "passed"]
    with pytest.raises(UnsupportedError):
        harness[0].session.job("poor-1")
