"""Where each trap of an IQM device is tested: an index, and a check that it is a true one."""

from __future__ import annotations

from importlib import import_module

import pytest

TRAPS = {
    "T1 memory is hexadecimal": "bits.qiskits_own_primitives_get_the_same_bits",
    "T2 QB1 is not index 0 past a dead qubit": "encode.indices_follow_the_names_past_a_dead_qubit",
    "T3 order of keys and bits": "bits.asymmetric_states_come_out_right_everywhere",
    "T4 keys of qiskit_iqm": "encode.keys_are_those_of_qiskit_iqm",
    "T4 loose bits, bits of two registers": (
        "bits.partial_several_loose_overlapping_and_unused_registers"
    ),
    "T4 a bit measured twice": "encode.a_bit_measured_again_keeps_the_last",
    "T5 a measurement of several qubits": (
        "interop.a_measurement_of_several_qubits_keeps_their_order"
    ),
    "T6 radians, and floats only": "encode.angles_are_floats_even_where_they_are_whole",
    "T7 no rz on the hardware": "fold.any_gates_of_numbers_are_one_pulse_and_a_frame",
    "T8 heralding": "heralding.the_estimator_is_unbiased_and_its_errors_are_right",
    "T8 no shot left": "heralding.a_shot_count_of_zero_is_a_failure_not_a_zero",
    "T9 the default set moves on": "facts.a_drifted_default_is_said_in_the_result",
    "T9 old sets without metrics": "session.a_set_without_metrics_still_opens",
    "T10 unknown statuses": "loopback.statuses_that_nobody_knows_are_survived",
    "T10 a failed query is no failed job": "session.dropped_polls_say_nothing_about_the_job",
    "T11 cancel of a final job": "session.cancel_of_a_job_that_ended_does_nothing",
    "T12 POST is not idempotent": "loopback.jobs_posted_are_jobs_asked_for_in_a_storm",
    "T13 one number of shots in a job": "bits.pubs_of_different_shots_are_jobs_of_their_own",
    "T13 circuits x shots": "session.batches_are_cut_by_the_servers_limits",
    "T13 413": "sending.what_is_too_large_for_one_job_is_several",
    "T14 too long for T2": "loopback.a_circuit_that_is_too_long_fails_with_the_servers_words",
    "T14 dt means nothing": "encode.dt_is_refused_since_it_means_nothing",
    "T15 MOVEs": "star.random_circuits_keep_their_distribution",
    "T15 resonators are not measured": "star.stock_transpile_at_every_level",
    "T16 reset and conditions where calibrated": "spec.reset_is_where_feedback_is",
    "T16 gates that nobody knows": "conformance.the_device_keeps_the_contract",
    "T17 CZ loci are stored one way": "spec.cz_is_there_both_ways_with_one_set_of_figures",
    "T18 units": "spec.garnet_has_names_figures_and_units",
    "T19 NaN, null, invalid": "spec.observations_that_are_no_numbers_are_left_out",
    "T20 a colon in an alias": "session.a_colon_in_an_alias_is_part_of_the_name",
    "T21 arguments and environment": "options.iqm_variables_are_honoured_and_explicit_values_win",
    "T22 one connection": "loopback.one_connection_serves_all_requests",
    "T22 threads": "loopback.a_session_serves_several_threads",
    "T23 copies of the target": "star.the_target_is_plain_and_survives_copies",
    "T24 precision": "heralding.the_estimator_is_unbiased_and_its_errors_are_right",
    "T25 id": "encode.identities_cost_nothing",
    "T26 mocks are random": "spec.a_mock_is_a_simulator",
}


@pytest.mark.parametrize("place", TRAPS.values(), ids=TRAPS.keys())
def test_the_index_is_true(place):
    module, name = place.split(".")
    assert callable(getattr(import_module(f"tests.iqm.test_iqm_{module}"), f"test_{name}"))


def test_no_trap_is_left_out():
    numbers = {int(title[1:].split()[0]) for title in TRAPS}
    assert numbers == set(range(1, 27))
