"""Where each trap of Braket is tested: an index, and a check that it is a true one."""

from __future__ import annotations

from importlib import import_module

import pytest

TRAPS = {
    "1 the order of bits": "outcome.columns_go_where_they_were_recorded",
    "2 columns are measured bits only": "emit.only_measured_bits_have_columns",
    "2 a qubit in two bits": "emit.one_qubit_read_into_two_bits_is_measured_once",
    "3 measures are explicit": "emit.a_virtual_program",
    "4 one register": "emit.registers_of_any_number_are_one",
    "5 the last measurement into a bit wins": "emit.a_later_measurement_into_a_bit_wins",
    "5 and an earlier one is not dropped": "emit.a_measurement_in_the_middle_is_refused",
    "6 labels are not indices": "spec.labels_are_sorted_as_numbers_and_closed_up",
    "6 nor are those of observables": "batches.expectations_of_single_qubits_have_their_signs",
    "7 devices without a graph": "spec.a_simulator_has_no_places_and_no_labels",
    "8 labels and virtual qubits": "emit.a_verbatim_program_names_the_devices_labels",
    "9 what a verbatim box may have": "service_refusals.a_program_is_refused",
    "9 nothing native, no box": "emit.an_empty_box_is_left_out",
    "10 rewiring is not asked for": "submission.without_options_the_request_is_bare",
    "11 words for gates": "gates.a_word_is_the_same_matrix",
    "12 radians": "gates.the_gates_of_qiskit_ionq_count_in_turns_and_stay_apart_from_ours",
    "12 upper case": "gates.upper_case_names_are_the_same_gates",
    "13 angles of Rigetti": "spec.rigettis_rx_is_quarter_turns_and_rz_is_free",
    "14 units of time": "spec.times_come_in_any_unit_and_leave_in_seconds",
    "14 per cent": "spec.percent_is_a_fraction",
    "14 errors and fidelities": "spec.readout_errors_are_errors_and_readout_is_a_fidelity",
    "14 version 3": "spec.version_3_speaks_of_the_whole_device",
    "15 pairs": "spec.pairs_are_read_by_gate_name_both_ways_the_worst_of_two",
    "16 ranges of shots": "spec.limits_price_and_calibration",
    "16 shots of a set": "batches.250_circuits_of_4096_shots_fit_both_limits_in_order",
    "17 one number of shots in a set": "batches.pubs_of_different_shots_are_different_tasks",
    "18 names of parameters": "emit.parameters_are_renamed_whatever_they_are_called",
    "19 no stdgates.inc": "emit.a_virtual_program",
    "20 a failure is no empty result": "jobs.the_reason_of_a_failure_is_told",
    "21 polling": "jobs.looks_are_as_far_apart_as_the_device_says",
    "22 a queue blocks nothing": "submission.an_endless_queue_does_not_block_run",
    "22 nothing is resubmitted": "submission.a_task_that_ends_badly_is_not_sent_again",
    "23 credentials for results": "results_from_s3.credentials_are_those_of_the_profile",
    "23 results in parallel": "results_from_s3.executables_are_read_at_once",
    "24 probabilities": "outcome.probabilities_become_exactly_as_many_shots",
    "25 five GetDevice a second": "names.a_document_on_disk_spares_a_call",
    "26 regions": "names.a_device_is_found_by_name_or_arn_in_its_region",
    "27 no list of devices": "names.a_retired_device_is_not_found_by_name",
    "28 execution windows": "states.windows",
    "29 cancel": "jobs.cancel_twice_and_after_the_end",
    "29 a conflict": "jobs.a_conflict_means_that_it_ended_meanwhile",
    "30 seeds of the local simulators": "local.a_seed_fixes_dynamic_circuits_too",
    "30 qubits in use": "local.wide_circuits_count_only_the_qubits_in_use",
    "31 a simulator takes anything": "service_refusals.a_program_is_refused",
    "32 no accounts in messages": (
        "submission.what_the_service_refuses_is_rejected_without_an_account"
    ),
    "33 imports": "names.the_cloud_imports_no_sdk_and_the_scheme_imports_nothing",
}


@pytest.mark.parametrize("place", TRAPS.values(), ids=TRAPS.keys())
def test_the_index_is_true(place):
    module, name = place.split(".")
    assert callable(getattr(import_module(f"tests.braket.test_{module}"), f"test_{name}"))


def test_no_trap_is_left_out():
    assert {int(title.split()[0]) for title in TRAPS} == set(range(1, 34))
