"""From bytes to bits: every form of a result, against the SDK's reader and a plain one."""

import json

import numpy as np
import pytest
from braket.tasks import GateModelQuantumTaskResult
from hypothesis import given, settings
from hypothesis import strategies as st

from qdmi_qiskit.bits import to_ints
from qdmi_qiskit.devices.braket.outcome import packed, read, sampled
from qdmi_qiskit.errors import ProtocolError


def document(**more):
    header = {"name": "braket.task_result.gate_model_task_result", "version": "1"}
    task = {"id": "t", "shots": 3, "deviceId": "d"}
    return {"braketSchemaHeader": header, "taskMetadata": task, **more}


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 6).flatmap(
        lambda width: st.lists(
            st.lists(st.integers(0, 1), min_size=width, max_size=width), min_size=1, max_size=9
        )
    ),
    st.sampled_from([None, 0, 2]),
)
def test_any_layout_of_the_file_reads_the_same(rows, indent):
    whole = document(note='"measurements": [[1]]', measurements=rows, measuredQubits=[0])
    rest, found = read(json.dumps(whole, indent=indent).encode())
    assert found.tolist() == rows
    assert found.dtype == np.uint8
    assert "measurements" not in rest
    assert rest["note"] == whole["note"]


def test_what_the_sdk_reads_is_what_we_read():
    rows = np.random.default_rng(7).integers(0, 2, (40, 9)).tolist()
    metadata = {"action": {"braketSchemaHeader": {"name": "braket.ir.openqasm.program",
                "version": "1"}, "source": "OPENQASM 3.0;"}}  # fmt: skip
    body = json.dumps(
        document(measurements=rows, measuredQubits=list(range(9)), additionalMetadata=metadata)
    )
    theirs = GateModelQuantumTaskResult.from_string(body)
    assert read(body.encode())[1].tolist() == theirs.measurements.tolist()


@pytest.mark.parametrize(
    "rows",
    [[[1.0, 0.0], [0.0, 1.0]], [[True, False], [False, True]]],
)
def test_odd_but_clear_measurements_are_read_by_json(rows):
    assert read(json.dumps(document(measurements=rows)).encode())[1].tolist() == [[1, 0], [0, 1]]


@pytest.mark.parametrize("rows", [[[0, 1], [1]], [[0, 2]], [[10, 1]], [[-1, 0]], [["a", "b"]], [0]])
def test_nonsense_is_refused(rows):
    with pytest.raises(ProtocolError):
        read(json.dumps(document(measurements=rows)).encode())


@pytest.mark.parametrize("body", [b"", b"{", b"[1]", b'{"measurements": [[0, 1], [1'])
def test_half_a_file_is_refused(body):
    with pytest.raises(ProtocolError):
        read(body)


@pytest.mark.parametrize("none", [{}, {"measurements": None}, {"measurements": []}])
def test_no_measurements_are_none(none):
    assert read(json.dumps(document(**none)).encode())[1] is None


def test_columns_go_where_they_were_recorded():
    rows = np.array([[1, 0], [1, 1], [0, 0]], np.uint8)
    assert to_ints(packed(rows, (-1, 1, -1, 0))) == [8, 10, 0]
    assert to_ints(packed(rows[:, :1], (0, -1, 0))) == [5, 5, 0]
    assert to_ints(packed(rows, (0, 1))) == [1, 3, 0]
    wide = np.zeros((1, 9), np.uint8)
    wide[0, 8] = 1
    assert packed(wide, range(9)).tolist() == [[1, 0]]


@pytest.mark.parametrize("columns", [(0,), (0, 1, 2)])
def test_a_wrong_number_of_columns_is_refused(columns):
    with pytest.raises(ProtocolError, match="columns"):
        packed(np.zeros((1, 2), np.uint8), columns)


@settings(max_examples=80, deadline=None)
@given(
    st.dictionaries(
        st.text("01", min_size=3, max_size=3),
        st.floats(0, 1, allow_subnormal=False),
        min_size=1,
    ).filter(lambda given: sum(given.values()) > 1e-6),
    st.integers(1, 500),
)
def test_probabilities_become_exactly_as_many_shots(probabilities, shots):
    rows = sampled(probabilities, shots)
    assert rows.shape == (shots, 3)
    assert (rows == sampled(dict(reversed(probabilities.items())), shots)).all()
    total = sum(probabilities.values())
    for word, share in probabilities.items():
        seen = int((rows == [int(bit) for bit in word]).all(axis=1).sum())
        assert abs(seen - shots * share / total) < 1 + 1e-9


@pytest.mark.parametrize(
    "given_", [{}, {"0": 0.0}, {"0": float("nan")}, {"0x": 1.0}, {"0": 1, "11": 1}]
)
def test_probabilities_that_say_nothing_are_refused(given_):
    with pytest.raises(ProtocolError):
        sampled(given_, 10)
