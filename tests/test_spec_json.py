import json
import math
import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qdmi_qiskit import spec_json
from qdmi_qiskit.errors import ConfigError
from qdmi_qiskit.model import (
    Calibration,
    Capabilities,
    DeviceSpec,
    Figures,
    Operation,
    Price,
    Site,
)
from qdmi_qiskit.spec_json import dumps, load, loads

SPEC = DeviceSpec(
    name="garnet",
    version="3.2",
    sites=(Site(0, "QB1", t1=3.1e-5, frequency=4.2e9), Site(1, "QB2", prob_meas1_prep0=0.02)),
    operations=(
        Operation("r", 1, ("theta", "phi"), bounds=((0.0, 3.5), None)),
        Operation("cz", 2, (), {(0, 1): Figures(4e-8, 0.9912), (1, 0): Figures()}),
        Operation("barrier", None, (), {}),
    ),
    capabilities=Capabilities(formats=("iqm-json", "qasm3"), max_shots=20000, sweeps=True),
    calibration=Calibration(
        "cal-1", datetime(2026, 11, 20, 8, tzinfo=timezone(timedelta(hours=2)))
    ),
    price=Price(0.3, 0.00145),
    dt=1e-9,
    taken_at=datetime(2026, 11, 20, 9, 30, 1, 123456, tzinfo=UTC),
)

floats = st.floats(allow_nan=False, allow_infinity=False)
text = st.text(max_size=8)
zones = st.builds(timezone, st.integers(-1439, 1439).map(lambda m: timedelta(minutes=m)))
times = st.datetimes(
    min_value=datetime(2, 1, 1),
    max_value=datetime(9998, 1, 1),
    timezones=zones,
)
counts = st.integers(1, 2**40)


@st.composite
def operations(draw, num_sites):
    size = draw(st.none() | st.integers(0, min(3, num_sites)))
    lengths = st.integers(0, min(3, num_sites)) if size is None else st.just(size)
    keys = lengths.flatmap(lambda k: st.permutations(range(num_sites)).map(lambda p: tuple(p[:k])))
    figures = st.builds(Figures, st.none() | floats, st.none() | floats)
    parameters = tuple(draw(st.lists(text, max_size=3)))
    bound = st.none() | st.tuples(floats, floats).map(lambda pair: tuple(sorted(pair)))
    exactly = {"min_size": len(parameters), "max_size": len(parameters)}
    return Operation(
        draw(text),
        size,
        parameters,
        draw(st.none() | st.dictionaries(keys, figures, max_size=4)),
        draw(st.none() | st.lists(bound, **exactly).map(tuple)),
    )


@st.composite
def specs(draw):
    num_sites = draw(st.integers(0, 4))
    maybe = st.none() | floats
    capabilities = st.builds(
        Capabilities,
        formats=st.lists(text, max_size=3).map(tuple),
        min_shots=counts,
        max_shots=st.none() | counts,
        max_executables=st.none() | counts,
        sweeps=st.booleans(),
        seeds=st.booleans(),
    )
    return DeviceSpec(
        name=draw(text),
        version=draw(text),
        sites=tuple(
            Site(k, draw(text), *(draw(maybe) for _ in range(5))) for k in range(num_sites)
        ),
        operations=tuple(draw(st.lists(operations(num_sites), max_size=3))),
        capabilities=draw(capabilities),
        simulator=draw(st.booleans()),
        calibration=draw(st.none() | st.builds(Calibration, text, st.none() | times)),
        price=draw(st.none() | st.builds(Price, floats, floats, text)),
        dt=draw(maybe),
        taken_at=draw(times),
    )


def shown(spec):
    return repr(spec).replace(", fold=1", "")


@settings(derandomize=True, deadline=None, max_examples=100)
@given(specs())
def test_a_spec_comes_back_exactly(spec):
    document = dumps(spec)
    again = loads(document)
    assert again == spec
    assert shown(again) == shown(spec)  # tells -0.0 from 0.0 and a list from a tuple
    assert dumps(again) == document


def test_none_and_empty_stay_apart():
    again = loads(dumps(SPEC))
    assert again == SPEC
    assert again.operations[0].sites is None
    assert again.operations[2].sites == {}
    assert again.operations[0].bounds == ((0.0, 3.5), None)
    assert isinstance(again.sites, tuple)
    assert again.calibration.time.utcoffset() == timedelta(hours=2)


def test_the_document_reads_as_promised():
    document = json.loads(dumps(SPEC))
    assert (document["format"], document["version"]) == ("qdmi-qiskit/device-spec", 1)
    assert document["device_version"] == "3.2"
    assert document["taken_at"] == "2026-11-20T09:30:01.123456+00:00"
    assert document["operations"][1]["sites"] == [
        {"sites": [0, 1], "duration": 4e-08, "fidelity": 0.9912},
        {"sites": [1, 0], "duration": None, "fidelity": None},
    ]
    assert max(map(len, dumps(SPEC).splitlines())) <= 330
    assert dumps(SPEC).count("\n") > 8


def test_numbers_of_numpy_become_plain_ones():
    spec = replace(SPEC, dt=np.float64(0.1), sites=(Site(np.int64(0), t1=np.float32(0.5)),))
    again = loads(dumps(replace(spec, operations=())))
    assert (again.dt, again.sites) == (0.1, (Site(0, t1=0.5),))
    assert type(again.sites[0].t1) is float


def test_fields_of_a_newer_writer_are_skipped():
    document = json.loads(dumps(SPEC))
    document["colour"] = "blue"
    document["sites"][0]["mood"] = [1]
    document["operations"][1]["sites"][0]["weight"] = {}
    assert loads(json.dumps(document)) == SPEC


def test_fields_of_an_older_writer_take_their_defaults():
    document = json.loads(dumps(SPEC))
    del document["price"], document["capabilities"]["max_jobs"], document["sites"][0]["t2"]
    assert loads(json.dumps(document)) == replace(SPEC, price=None)


REMOVE = object()


def changed(path, value):
    """Return the document of SPEC with one place changed."""
    document = json.loads(dumps(SPEC))
    place = document
    for step in path[:-1]:
        place = place[step]
    if value is REMOVE:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return json.dumps(document)


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (["format"], "other", "format: got 'other'; wanted 'qdmi-qiskit/device-spec'"),
        (["format"], REMOVE, "format: got None; wanted"),
        (["version"], 2, "version: got 2; wanted 1"),
        (["version"], True, "version: got True; wanted 1"),
        (["name"], 5, "name: got 5; wanted a string"),
        (["name"], REMOVE, "name: missing; wanted a string"),
        (["device_version"], None, "device_version: got None; wanted a string"),
        (["simulator"], 1, "simulator: got 1; wanted true or false"),
        (["dt"], "fast", "dt: got 'fast'; wanted a finite number"),
        (["dt"], True, "dt: got True; wanted a finite number"),
        (["dt"], 10**400, "dt: got 1000"),
        (["taken_at"], REMOVE, "taken_at: missing; wanted a time"),
        (["taken_at"], "yesterday", "taken_at: got 'yesterday'; wanted a time with a time zone"),
        (["taken_at"], "2026-11-20T08:00:00", "taken_at: got '2026-11-20T08:00:00'; wanted a time"),
        (["taken_at"], 5, "taken_at: got 5; wanted a time"),
        (["calibration", "id"], None, "calibration.id: got None; wanted a string"),
        (["calibration"], [], "calibration: got []; wanted an object"),
        (["sites"], {}, "sites: got {}; wanted a list"),
        (["sites"], REMOVE, "sites: missing; wanted a list"),
        (["sites", 1], 5, "sites[1]: got 5; wanted an object"),
        (["sites", 1, "index"], 0, "sites[1].index: got 0; wanted 1, its place"),
        (["sites", 1, "index"], 1.0, "sites[1].index: got 1.0; wanted an integer"),
        (["sites", 1, "index"], True, "sites[1].index: got True; wanted an integer"),
        (["sites", 0, "t1"], [], "sites[0].t1: got []; wanted a finite number"),
        (["capabilities"], REMOVE, "capabilities: missing; wanted an object"),
        (["capabilities", "formats"], "qasm3", "capabilities.formats: got 'qasm3'; wanted a list"),
        (["capabilities", "formats", 0], 5, "capabilities.formats[0]: got 5; wanted a string"),
        (["capabilities", "max_shots"], 2**63, "capabilities.max_shots: got 9223372036854775808"),
        (["operations", 1, "num_sites"], -1, "operations[1].num_sites: got -1; wanted 0 or more"),
        (["operations", 1, "num_sites"], 3, "operations[1].sites[0].sites: got [0, 1]; wanted 3"),
        (["operations", 1, "sites"], {}, "operations[1].sites: got {}; wanted a list"),
        (["operations", 1, "sites", 0], 5, "operations[1].sites[0]: got 5; wanted an object"),
        (
            ["operations", 1, "sites", 0, "fidelity"],
            "good",
            "operations[1].sites[0].fidelity: got 'good'; wanted a finite number",
        ),
        (
            ["operations", 1, "sites", 0, "sites"],
            REMOVE,
            "operations[1].sites[0].sites: missing; wanted a list",
        ),
        (
            ["operations", 1, "sites", 0, "sites"],
            [0, 2],
            "operations[1].sites[0].sites: got [0, 2]; wanted indices from 0 to 1",
        ),
        (
            ["operations", 1, "sites", 0, "sites"],
            [-1, 0],
            "operations[1].sites[0].sites: got [-1, 0]; wanted indices from 0 to 1",
        ),
        (
            ["operations", 1, "sites", 0, "sites"],
            [1, 1],
            "operations[1].sites[0].sites: got [1, 1]; wanted 2 different sites",
        ),
        (
            ["operations", 1, "sites", 1, "sites"],
            [0, 1],
            "operations[1].sites[1].sites: got [0, 1]; wanted sites that are not listed before",
        ),
        (
            ["operations", 1, "sites", 0, "sites", 1],
            "x",
            "operations[1].sites[0].sites[1]: got 'x'; wanted an integer",
        ),
        (["operations", 0, "bounds", 0], [1.0], "operations[0].bounds[0]: got [1.0]; wanted 2 it"),
        (["operations", 0, "bounds", 0], [2, 1], "operations[0].bounds[0]: got [2.0, 1.0]; wanted"),
        (["operations", 0, "bounds"], [None], "operations[0].bounds: got [None]; wanted one item"),
    ],
)
def test_what_is_wrong_is_named_by_its_path(path, value, words):
    with pytest.raises(ConfigError) as caught:
        loads(changed(path, value))
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "not JSON"),
        ("{", "not JSON"),
        ('{"a": 1,}', "line 1"),
        ("[]", "document: got []; wanted an object"),
        ("null", "document: got None; wanted an object"),
        ("[" * 200_000, "nested too deeply"),
        ('{"a":' * 200_000, "nested too deeply"),
        ("9" * 10_000, "not JSON"),
        ("NaN", "NaN is not JSON"),
        ("[-Infinity]", "-Infinity is not JSON"),
        (" " * (spec_json.LARGEST + 1), "wanted at most"),
    ],
)
def test_what_is_no_document_is_refused(text, words):
    with pytest.raises(ConfigError) as caught:
        loads(text)
    assert words in str(caught.value)
    assert len(str(caught.value)) < 300


def test_a_number_too_large_for_a_float_is_refused():
    with pytest.raises(ConfigError, match="dt: got inf; wanted a finite number"):
        loads(dumps(SPEC).replace('"dt": 1e-09', '"dt": 1e999'))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"dt": math.inf}, "dt: got inf; wanted a finite number"),
        ({"dt": math.nan}, "dt: got nan; wanted a finite number"),
        ({"dt": True}, "dt: got True; wanted a finite number"),
        ({"name": None}, "name: got None; wanted a string"),
        ({"sites": [Site(0)]}, r"sites: got \[Site.*; wanted a tuple"),
        ({"sites": (Site(1), Site(0))}, r"sites\[0\].index: got 1; wanted 0"),
        ({"sites": (5,)}, r"sites\[0\]: got 5; wanted a Site"),
        ({"taken_at": datetime(2026, 1, 1)}, "taken_at: got datetime.*; wanted a time with a"),
        ({"operations": (Operation("x", 1, (), ()),)}, r"operations\[0\].sites: got \(\); wanted"),
        (
            {"operations": (Operation("x", 1, (), {(0,): Figures(fidelity=math.nan)}),)},
            r"operations\[0\].sites\[0\].fidelity: got nan",
        ),
        (
            {"operations": (Operation("x", 1, (), {(7,): Figures()}),)},
            r"operations\[0\].sites\[0\].sites: got \[7\]; wanted indices from 0 to 1",
        ),
    ],
)
def test_a_spec_that_breaks_the_model_is_not_written(change, words):
    with pytest.raises(ConfigError, match=words):
        dumps(replace(SPEC, **change))


def test_every_pair_of_300_sites_fits():
    row = {(298, k): Figures(4.2e-8, 0.9912345678901234) for k in range(298)}
    spec = replace(SPEC, sites=tuple(map(Site, range(300))), operations=(Operation("cz", 2),))
    full = replace(spec, operations=(Operation("cz", 2, (), row),))
    assert loads(dumps(full)) == full
    figures = (len(dumps(full)) - len(dumps(spec))) / len(row)
    assert len(dumps(spec)) + figures * 300 * 299 < spec_json.LARGEST


def test_a_spec_too_large_to_be_read_back_is_not_written():
    with pytest.raises(ConfigError, match=f"wanted at most {spec_json.LARGEST}"):
        dumps(replace(SPEC, version="x" * spec_json.LARGEST))


def test_only_a_spec_is_written():
    with pytest.raises(ConfigError, match="wanted a DeviceSpec"):
        dumps({})


def test_only_text_is_read():
    with pytest.raises(ConfigError, match="wanted a string"):
        loads(dumps(SPEC).encode())


def test_a_file_is_read(tmp_path):
    path = tmp_path / "garnet.json"
    path.write_text(dumps(SPEC))
    assert load(path) == load(str(path)) == SPEC


def test_an_error_in_a_file_names_the_file_and_the_path(tmp_path):
    path = tmp_path / "garnet.json"
    path.write_text(changed(["sites", 0, "t1"], "long"))
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert str(caught.value).startswith(f"{path}: sites[0].t1: got 'long'; wanted")


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: None, "No such file"),
        (lambda path: path.mkdir(), "not a regular file"),
        (lambda path: os.mkfifo(path), "not a regular file"),
        (lambda path: path.write_bytes(b"\xff"), "not UTF-8 text (byte 0)"),
        (lambda path: path.write_bytes(b" " * (spec_json.LARGEST + 1)), "larger than"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path, make, words):
    path = tmp_path / "garnet.json"
    make(path)
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert str(path) in str(caught.value)
    assert words in str(caught.value)


def test_text_that_cannot_be_written_is_refused():
    text = dumps(SPEC).replace('"name": "', '"name": "\\ud800', 1)
    with pytest.raises(ConfigError, match="surrogates"):
        loads(text)
