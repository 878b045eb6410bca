"""Bad input: the right class of error, and what came, what was wanted and what to do."""

from __future__ import annotations

import re

import numpy as np
import pytest
from qiskit import ClassicalRegister, QuantumCircuit
from qiskit.circuit import Parameter

from qdmi_qiskit import EstimatorV2, QDMIProvider, SamplerV2, config
from qdmi_qiskit.backend import QDMIBackend
from qdmi_qiskit.errors import ConfigError, RejectedError
from qdmi_qiskit.testing.poor import PoorSession

AER = QDMIProvider().get_backend("aer", num_qubits=4)
POOR = QDMIBackend(PoorSession())
MANY = 10**15


def bell(*, measured: bool = True) -> QuantumCircuit:
    circuit = QuantumCircuit(2, name="bell")
    circuit.h(0)
    circuit.cx(0, 1)
    return circuit.measure_all(inplace=False) if measured else circuit


def turned(*, measured: bool = True) -> QuantumCircuit:
    circuit = QuantumCircuit(1, name="turned")
    circuit.rx(Parameter("theta"), 0)
    circuit.ry(Parameter("phi"), 0)
    return circuit.measure_all(inplace=False) if measured else circuit


def refused(kind, call, *words: str) -> None:
    """`call` raises exactly `kind`, whose one paragraph has every one of `words` in order."""
    with pytest.raises(kind) as caught:
        call()
    assert type(caught.value) is kind
    message = str(caught.value)
    assert "\n" not in message
    assert re.search(".*".join(map(re.escape, words)), message), message


def sampler(**options):
    return SamplerV2(AER, **options)


def estimator(**options):
    return EstimatorV2(AER, **options)


# Names ------------------------------------------------------------------------------------------


def test_an_unknown_name():
    call = lambda: QDMIProvider().get_backend("aerr")  # noqa: E731
    refused(ConfigError, call, "no device scheme", "'aerr'", "did you mean 'aer'?")


def test_an_unknown_name_among_the_backends():
    refused(ConfigError, lambda: QDMIProvider().backends("aerr"), "'aerr'", "did you mean 'aer'?")


def test_an_unknown_locator():
    call = lambda: QDMIProvider().get_backend("aer:statevektor")  # noqa: E731
    refused(ConfigError, call, "'statevektor'", "'aer:statevektor'", "did you mean 'statevector'?")


def test_an_unknown_profile(tmp_path):
    file = tmp_path / "config.toml"
    file.write_text('[backends.laboratory]\ndevice = "aer"\n')
    call = lambda: QDMIProvider(config=file).get_backend("labratory")  # noqa: E731
    refused(ConfigError, call, "scheme or profile", "'labratory'", "did you mean 'laboratory'?")


def test_an_unknown_job():
    refused(ConfigError, lambda: QDMIProvider().job("abc"), "no job 'abc'", "check the id")


@pytest.mark.parametrize("primitive", [SamplerV2, EstimatorV2])
def test_a_name_in_place_of_a_backend(primitive):
    refused(
        ConfigError, lambda: primitive("aer"), "backend='aer'", "wanted a backend", "get_backend"
    )


# Options ----------------------------------------------------------------------------------------


def test_an_unknown_option_of_a_device():
    call = lambda: QDMIProvider().get_backend("aer", metod="stabilizer")  # noqa: E731
    refused(ConfigError, call, "aer", "unknown option 'metod'", "did you mean 'method'?")


def test_a_wrong_value_of_an_option():
    call = lambda: QDMIProvider().get_backend("aer", method="foo")  # noqa: E731
    refused(ConfigError, call, "'method' is 'foo'", "wanted", "'density_matrix'")


def test_an_unknown_option_of_run():
    refused(
        ConfigError, lambda: AER.run(bell(), shot=3), "run() has no option 'shot'", "mean 'shots'?"
    )


def test_an_unknown_option_of_the_sampler():
    call = lambda: sampler(default_shot=3)  # noqa: E731
    refused(ConfigError, call, "'default_shot'", "did you mean 'default_shots'?")


def test_an_unknown_option_of_the_estimator():
    call = lambda: estimator(options={"default_precison": 0.1})  # noqa: E731
    refused(ConfigError, call, "'default_precison'", "did you mean 'default_precision'?")


def test_an_option_that_is_given_twice():
    call = lambda: sampler(options={"default_shots": 3}, default_shots=4)  # noqa: E731
    refused(ConfigError, call, "'default_shots' is given both", "as a keyword")


def test_an_unknown_way_to_allot_shots():
    call = lambda: estimator(shot_allocation="varience")  # noqa: E731
    refused(ConfigError, call, "shot_allocation='varience'", "did you mean 'variance'?")


@pytest.mark.parametrize("seed", [-1, 1.5, True, 2**63, "7"])
def test_a_seed_that_is_none(seed):
    words = (f"seed={seed!r}", "wanted a whole number", "or None")
    refused(ConfigError, lambda: AER.run(bell(), seed=seed), *words)
    refused(ConfigError, lambda: sampler(seed=seed), *words)
    refused(ConfigError, lambda: estimator(seed=seed), *words)


# Parameters -------------------------------------------------------------------------------------


def test_unbound_parameters_in_run():
    refused(
        RejectedError,
        lambda: AER.run(turned()),
        "'turned'",
        "unbound parameters: phi, theta",
        "assign_parameters(values)",
    )


def test_unbound_parameters_in_the_sampler():
    call = lambda: sampler().run([turned()])  # noqa: E731
    refused(ConfigError, call, "pub 0", "parameters: phi, theta", "(0)", "(2)", "values, shots")


def test_unbound_parameters_in_the_estimator():
    call = lambda: estimator().run([(turned(measured=False), "Z")])  # noqa: E731
    refused(ConfigError, call, "pub 0", "parameters: phi, theta", "(0)", "(2)", "observables")


def test_a_wrong_number_of_values_in_the_sampler():
    call = lambda: sampler().run([bell(), (turned(), [0.1, 0.2, 0.3])])  # noqa: E731
    refused(ConfigError, call, "pub 1", "phi, theta", "[0.1 0.2 0.3]", "wanted run([(circuit, v")


def test_a_wrong_number_of_values_in_the_estimator():
    call = lambda: estimator().run([(turned(measured=False), "Z", [[0.1]])])  # noqa: E731
    refused(ConfigError, call, "pub 0", "phi, theta", "[[0.1]]", "wanted run([(circuit, o")


def test_values_where_there_is_nothing_to_bind():
    call = lambda: sampler().run([(bell(), [0.1])])  # noqa: E731
    refused(ConfigError, call, "pub 0", "parameters: none", "wanted run(")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_no_numbers(value):
    words = ("'turned'", f"theta is {value} at point 1", "wanted finite", "check")
    values = [[0.1, 0.2], [0.3, value]]
    refused(ConfigError, lambda: sampler().run([(turned(), values)]), *words)
    for precision in (0.1, 0):
        pubs = [(turned(measured=False), "Z", values)]
        refused(ConfigError, lambda p=precision, q=pubs: estimator().run(q, precision=p), *words)


# Circuits ---------------------------------------------------------------------------------------


def test_what_is_not_isa_in_run():
    words = ("'bell", "uses h on qubit 0, which poor", "generate_preset_pass_manager", "backend)")
    refused(RejectedError, lambda: POOR.run(bell()), *words)


def test_what_is_not_isa_in_the_sampler():
    words = ("'bell", "uses h on qubit 0, which poor", "generate_preset_pass_manager", "backend)")
    refused(RejectedError, lambda: SamplerV2(POOR).run([bell()]), *words)


def test_what_is_not_isa_in_the_estimator():
    words = ("'bell", "uses h on qubit 0, which poor", "generate_preset_pass_manager", "backend)")
    call = lambda: EstimatorV2(POOR).run([(bell(measured=False), "ZZ")])  # noqa: E731
    refused(RejectedError, call, *words)


def test_a_gate_where_the_device_has_none():
    circuit = QuantumCircuit(5, 1, name="far")
    circuit.cx(0, 4)
    circuit.measure(0, 0)
    refused(RejectedError, lambda: POOR.run(circuit), "'far'", "cx on qubits (0, 4)", "Transpile")


def test_a_circuit_that_is_too_wide():
    circuit = QuantumCircuit(5, 5, name="wide")
    circuit.measure(range(5), range(5))
    words = ("'wide' has 5 qubits", "aer has 4", "use fewer qubits")
    refused(RejectedError, lambda: AER.run(circuit), *words)
    refused(RejectedError, lambda: sampler().run([circuit]), *words)


def test_no_measurements_in_run():
    refused(
        RejectedError,
        lambda: AER.run(bell(measured=False)),
        "'bell' measures nothing",
        "would be empty",
        "measure_all()",
    )
    refused(RejectedError, lambda: AER.run(QuantumCircuit(1, 1)), "measures nothing", "measure_all")


def test_no_measurements_in_the_sampler_warns_as_qiskit_does():
    with pytest.warns(UserWarning, match="0-th pub's circuit has no output classical registers"):
        sampler().run([bell(measured=False)])


def test_a_register_whose_name_a_result_cannot_carry():
    circuit = QuantumCircuit(1, name="odd")
    circuit.add_register(ClassicalRegister(1, "items"))
    circuit.measure(0, 0)
    call = lambda: sampler().run([circuit])  # noqa: E731
    refused(ConfigError, call, "0-th pub", "name a result cannot carry", "items", "rename it")


def test_what_is_no_circuit():
    refused(ConfigError, lambda: AER.run("qc"), "got a str", "wanted a QuantumCircuit or a list")
    refused(ConfigError, lambda: sampler().run(["qc"]), "pub 0", "a str", "wanted a list of pubs")
    refused(ConfigError, lambda: estimator().run([3]), "pub 0", "with a int", "wanted a list")


def test_a_circuit_in_place_of_a_list():
    words = ("begins with a CircuitInstruction", "wanted a list of pubs", "run([(circuit")
    refused(ConfigError, lambda: sampler().run(bell()), *words)


def test_an_estimator_pub_without_observables():
    call = lambda: estimator().run([bell()])  # noqa: E731
    refused(ConfigError, call, "pub 0", "invalid Estimator pub-like", "wanted run([(circuit, obs")


# Observables ------------------------------------------------------------------------------------


def test_an_observable_of_another_size():
    call = lambda: estimator().run([(bell(measured=False), "ZZZ")])  # noqa: E731
    refused(ConfigError, call, "pub 0", "(2)", "observable (3)", "wanted run(")


def test_observables_and_values_that_do_not_broadcast():
    pub = (turned(measured=False), ["X", "Y", "Z"], np.zeros((2, 2)))
    refused(ConfigError, lambda: estimator().run([pub]), "(3,)", "(2,)", "not broadcastable", "run")


def test_an_observable_that_is_not_hermitian():
    call = lambda: estimator().run([(bell(measured=False), {"ZZ": 1j})])  # noqa: E731
    refused(ConfigError, call, "pub 0", "imaginary part", "wanted run(")


@pytest.mark.parametrize("label", ["ZZ", "II"])
@pytest.mark.parametrize("precision", [0, 0.1])
def test_an_observable_that_is_no_number(label, precision):
    pubs = [(bell(measured=False), [{"XX": 1}, {label: np.nan, "XX": 1}])]
    call = lambda: estimator().run(pubs, precision=precision)  # noqa: E731
    refused(ConfigError, call, "observable 1", "no finite number", "check")


# Shots and precision ----------------------------------------------------------------------------

WRONG_SHOTS = [0, -5, 1.5, 1024.0, True, "many"]


@pytest.mark.parametrize("shots", WRONG_SHOTS)
def test_shots_of_run_that_are_none(shots):
    words = (f"shots={shots!r}", "wanted a whole number of at least 1", "such as 1024")
    refused(ConfigError, lambda: AER.run(bell(), shots=shots), *words)


@pytest.mark.parametrize("shots", WRONG_SHOTS)
def test_shots_of_the_sampler_that_are_none(shots):
    words = (f"shots={shots!r}", "wanted a whole number of at least 1", "such as 1024")
    refused(ConfigError, lambda: sampler().run([bell()], shots=shots), *words)
    refused(ConfigError, lambda: sampler().run([(bell(), None, shots)]), *words)
    refused(ConfigError, lambda: sampler(default_shots=shots), *words)


@pytest.mark.parametrize("precision", [-0.1, np.nan, np.inf, True, "good", None])
def test_a_precision_that_is_none(precision):
    words = (f"precision={precision!r}", "wanted a", "0")
    pub = (bell(measured=False), "ZZ", None, precision)
    if precision is not None:
        refused(ConfigError, lambda: estimator().run([pub[:2]], precision=precision), *words)
        refused(ConfigError, lambda: estimator().run([pub]), *words)
    refused(ConfigError, lambda: estimator(default_precision=precision), *words)


def test_too_many_shots_in_run():
    words = (f"{MANY} shots", "would take", "this machine has", "ask for fewer shots")
    refused(ConfigError, lambda: AER.run(bell(), shots=MANY), *words)


def test_too_many_shots_in_the_sampler():
    words = (f"{MANY} shots", "would take", "this machine has", "ask for fewer shots")
    refused(ConfigError, lambda: sampler().run([bell()], shots=MANY), *words)


def test_too_many_shots_in_the_estimator():
    call = lambda: estimator().run([(bell(measured=False), "ZZ")], precision=1e-9)  # noqa: E731
    refused(ConfigError, call, "shots", "would take", "this machine has", "ask for fewer")


def test_fewer_shots_than_the_device_takes():
    circuit = QuantumCircuit(1, 1)
    circuit.measure(0, 0)
    words = ("1 shots asked", "no fewer than 2", "ask for at least 2")
    refused(ConfigError, lambda: POOR.run(circuit, shots=1), *words)
    refused(ConfigError, lambda: SamplerV2(POOR).run([circuit], shots=1), *words)


def test_an_empty_list_in_run():
    refused(ConfigError, lambda: AER.run([]), "run() got an empty list", "at least one circuit")


def test_an_empty_list_in_the_sampler():
    refused(ConfigError, lambda: sampler().run([]), "run() got an empty list", "at least one")


def test_an_empty_list_in_the_estimator():
    refused(ConfigError, lambda: estimator().run([]), "run() got an empty list", "at least one")


# Configuration ----------------------------------------------------------------------------------


def test_a_broken_toml_file(tmp_path):
    file = tmp_path / "config.toml"
    file.write_text('[backends.lab]\ndevice = "aer"\nurl = https\n')
    words = (f"{file}, line 3", "not valid TOML", "strings need quotes")
    refused(ConfigError, lambda: QDMIProvider(config=file).get_backend("lab"), *words)
    refused(ConfigError, lambda: config.resolve("lab", config=file), *words)


def test_a_profile_that_refers_to_itself(tmp_path):
    file = tmp_path / "config.toml"
    file.write_text('[backends.a]\ndevice = "b"\n[backends.b]\ndevice = "a"\n')
    words = ("round in a circle", "a -> b -> a", "give one of them a device")
    refused(ConfigError, lambda: QDMIProvider(config=file).get_backend("a"), *words)
    file.write_text('[backends.aer]\ndevice = "aer"\n')
    words = ("aer -> aer", "write 'aer:'")
    refused(ConfigError, lambda: QDMIProvider(config=file).get_backend("aer"), *words)


def test_a_configuration_that_does_not_exist(tmp_path):
    file = tmp_path / "none.toml"
    words = (f"{file} (keyword config)", "does not exist", "create it or name another")
    refused(ConfigError, lambda: QDMIProvider(config=file).get_backend("a"), *words)
