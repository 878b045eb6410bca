"""The command line: what it prints, where, and how it ends."""

import json
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner
from qiskit import QuantumCircuit, qpy

from qdmi_qiskit import __version__, registry, spec_json
from qdmi_qiskit.cli import circuits, cli, plugins
from qdmi_qiskit.model import (
    Calibration,
    Capabilities,
    DeviceSpec,
    Figures,
    Operation,
    Price,
    Site,
)

BELL = """OPENQASM 2.0;
include "qelib1.inc";
qreg q[2];
creg meas[2];
h q[0];
cx q[0], q[1];
measure q -> meas;
"""
# q = 0b0101 read crosswise into two registers: a = (q3, q0, q1) -> "010", b = (q1, q2) -> "10"
PERMUTED = """OPENQASM 2.0;
include "qelib1.inc";
qreg q[4];
creg a[3];
creg b[2];
x q[0];
x q[2];
measure q[3] -> a[0];
measure q[0] -> a[1];
measure q[1] -> a[2];
measure q[1] -> b[0];
measure q[2] -> b[1];
"""
PERMUTED_3 = """// a comment before the header
OPENQASM 3.0;
include "stdgates.inc";
qubit[4] q;
bit[3] a;
bit[2] b;
x q[0];
x q[2];
a[0] = measure q[3];
a[1] = measure q[0];
a[2] = measure q[1];
b[0] = measure q[1];
b[1] = measure q[2];
"""
PLUGIN = """
import sys
import time
from dataclasses import replace

from qdmi_qiskit.devices.aer.driver import AerDriver
from qdmi_qiskit.devices.aer.options import AerOptions
from qdmi_qiskit.devices.aer.session import AerJob, AerSession
from qdmi_qiskit.errors import JobFailedError, SubmitUnknownError, UnavailableError
from qdmi_qiskit.model import JobStatus


class Job(AerJob):
    kind = ""

    def status(self):
        return JobStatus.RUNNING if self.kind == "slow" else JobStatus.FAILED

    def wait(self, timeout=None):
        if self.kind == "slow":
            print("SENT", self.id, flush=True)
            time.sleep(600)
        return self.status()

    def result(self):
        raise JobFailedError("the fridge\\nis \\x1b[31mwarm", job_id=self.id)


class Session(AerSession):
    def __init__(self, kind):
        super().__init__(AerOptions())
        self.kind = kind

    def spec(self):
        return replace(super().spec(), simulator=False)

    def submit(self, tasks, *, key):
        if self.kind == "lost":
            raise SubmitUnknownError("the line broke: look for the job at the vendor")
        if self.kind == "bug":
            raise AttributeError("no attribute")
        job = super().submit(tasks, key=key)
        if self.kind in ("slow", "fail"):
            job.__class__ = Job
            job.kind = self.kind
        return job


class Driver:
    def open(self, locator, **options):
        if locator == "down":
            raise UnavailableError("cannot reach the device: try again later")
        return Session(locator)

    def names(self, **options):
        return ("down", "slow")


driver = Driver()
"""


def qdmi(*arguments, stdin=None):
    return CliRunner().invoke(cli, [str(each) for each in arguments], input=stdin)


def process(*arguments, **options):
    return subprocess.run(
        [sys.executable, "-m", "qdmi_qiskit.cli", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        **options,
    )


def printed(result):
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def error_of(result, code):
    """Return the message of a failed call: one paragraph, on stderr alone."""
    assert result.exit_code == code, result.output
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    lines = result.stderr.splitlines()
    assert lines[-1].startswith("Error: ")
    return lines[-1].removeprefix("Error: ")


def rows(text):
    """Return the cells of each line of a plain table by its first cell."""
    lines = [line.split("  ") for line in text.splitlines() if line]
    return {cells[0].strip(): [cell.strip() for cell in cells if cell] for cells in lines}


@pytest.fixture(autouse=True)
def alone(monkeypatch, tmp_path):
    """No configuration but the test's own."""
    for name in [name for name in os.environ if name.startswith(("QDMI_", "XDG_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr("qdmi_qiskit.config.SYSTEM_CONFIG", tmp_path / "etc" / "config.toml")


@pytest.fixture
def bell(tmp_path):
    path = tmp_path / "bell.qasm"
    path.write_text(BELL)
    return path


@pytest.fixture
def profiles(tmp_path):
    path = tmp_path / "config.toml"
    path.write_text(
        'default = "sim"\n'
        "[backends.sim]\n"
        'device = "aer"\n'
        'method = "stabilizer"\n'
        "[backends.lab]\n"
        'device = "iqm:garnet"\n'
        'token = "env:IQM_TOKEN"\n'
        "[backends.broken]\n"
        'url = "https://example.org"\n'
    )
    return path


@pytest.fixture
def plugin_folder(tmp_path):
    """A folder with a third-party plug-in and two that lack something."""
    folder = tmp_path / "site"
    info = folder / "acme-1.5.dist-info"
    info.mkdir(parents=True)
    (folder / "acme_device.py").write_text(PLUGIN)
    (folder / "acme_broken.py").write_text("import package_that_is_not_there\n")
    (info / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: acme\nVersion: 1.5\nProvides-Extra: acme-needy\n"
        "Requires-Dist: numpy>=1\n"
        "Requires-Dist: package-that-is-not-there>=2; extra == 'acme-needy'\n"
        "Requires-Dist: click>=8; extra == 'acme-needy'\n"
        "Requires-Dist: another-one; extra == 'other'\n"
    )
    (info / "entry_points.txt").write_text(
        "[qdmi_qiskit.devices]\nacme = acme_device:driver\nacme_broken = acme_broken:driver\n"
        "acme_needy = acme_broken:driver\n"
    )
    return folder


@pytest.fixture
def acme(plugin_folder, monkeypatch):
    monkeypatch.syspath_prepend(plugin_folder)
    registry._scan.cache_clear()
    yield plugin_folder
    registry._scan.cache_clear()
    for name in ("acme_device", "acme_broken"):
        sys.modules.pop(name, None)


@pytest.fixture
def recorded(tmp_path):
    """A recorded device with figures on some of its sites."""
    spec = DeviceSpec(
        name="garnet",
        version="7",
        sites=(
            Site(0, "QB1", 35e-6, 1.25e-5, 4.6513e9, 0.011, 0.02),
            Site(1, "QB2", None, 8e-6),
            Site(2, "QB3"),
        ),
        operations=(
            Operation("x", 1),
            Operation("r", 1, ("theta", "phi"), {(k,): Figures(2e-8, 0.999) for k in range(3)}),
            Operation(
                "cz",
                2,
                (),
                {
                    (0, 1): Figures(4e-8, 0.991),
                    (1, 2): Figures(6e-8, 0.95),
                    (0, 2): Figures(4.5e-8, 0.9873),
                },
            ),
            Operation("measure", 1, (), {(k,): Figures(1.5e-6) for k in range(3)}),
        ),
        capabilities=Capabilities(formats=("iqm",), max_shots=20000),
        calibration=Calibration("cal-42", datetime.now(UTC) - timedelta(hours=30)),
        price=Price(0.3, 0.00145, "USD"),
    )
    path = tmp_path / "garnet.json"
    path.write_text(spec_json.dumps(spec))
    return path


# -- help and versions


def test_help_tells_the_exit_codes_and_every_command():
    result = qdmi("--help")
    assert result.exit_code == 0
    for code, word in ((0, "well"), (1, "failed"), (2, "wrong"), (3, "reached"), (4, "install")):
        assert any(
            line.split()[:1] == [str(code)] and word in line for line in result.stdout.splitlines()
        ), code
    assert "130  interrupted" in result.stdout
    for command in ("check", "config", "devices", "run", "show", "version"):
        assert f"\n  {command} " in result.stdout


@pytest.mark.parametrize(
    "arguments", [["--help"], ["version"], ["run", "--help"], ["devices"], ["config", "show"]]
)
def test_what_needs_no_qiskit_does_not_import_it(arguments):
    code = (
        "import sys\nfrom qdmi_qiskit.cli import cli\n"
        f"try: cli({arguments!r})\nexcept SystemExit as end: assert end.code == 0, end.code\n"
        "heavy = ('qiskit', 'qiskit_aer', 'rich', 'qdmi_qiskit.devices.aer')\n"
        "print([name for name in heavy if name in sys.modules], file=sys.stderr)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=300
    )
    assert result.stderr == "[]\n"


def test_version_lists_what_is_installed(acme):
    found = printed(qdmi("version", "--json"))
    assert found["qdmi-qiskit"] == __version__
    assert found["python"] == ".".join(map(str, sys.version_info[:3]))
    assert found["qiskit"] == plugins.version_of("qiskit")
    assert found["qiskit-aer"] == plugins.version_of("qiskit-aer")
    assert found["acme"] == "1.5"
    assert found["click"] == plugins.version_of("click")  # an extra of acme's needs it
    assert "package-that-is-not-there" not in found
    plain = rows(qdmi("version").stdout)
    assert plain["acme"] == ["acme", "1.5"]


# -- devices


def test_devices_lists_schemes_and_what_to_install(acme):
    result = printed(qdmi("devices", "--json"))
    found = {each["scheme"]: each for each in result["schemes"]}
    assert found["aer"]["installed"]
    assert found["acme"] == {
        "scheme": "acme",
        "installed": True,
        "distribution": "acme",
        "missing": [],
        "install": None,
    }
    assert not found["acme_needy"]["installed"]
    assert found["acme_needy"]["missing"] == ["package-that-is-not-there"]
    assert found["acme_needy"]["install"] == "pip install 'acme[acme-needy]'"
    assert result["default"] == "aer"
    assert "acme_device" not in sys.modules
    plain = rows(qdmi("devices").stdout)
    assert plain["aer"] == ["aer", "yes", "qdmi-qiskit"]
    assert plain["acme_needy"][1] == "no: pip install 'acme[acme-needy]'"


def test_devices_lists_profiles_and_what_they_point_to(profiles):
    result = qdmi("--config", profiles, "devices")
    assert result.exit_code == 0
    found = rows(result.stdout)
    assert found["sim"] == ["sim", "aer", f"{profiles} [backends.sim]"]
    assert found["lab"][1] == "iqm:garnet"
    assert "has no device" in found["broken"][1]
    assert f"Default: sim ({profiles} default)" in result.stdout


def test_devices_asks_one_plugin_for_its_names(acme):
    assert qdmi("devices", "--scheme", "acme").stdout == "acme:down\nacme:slow\n"
    assert printed(qdmi("devices", "--scheme", "acme", "--json")) == {
        "scheme": "acme",
        "names": ["acme:down", "acme:slow"],
    }
    names = qdmi("devices", "--scheme", "aer").stdout.splitlines()
    assert names[0] == "aer"
    assert "aer:stabilizer" in names


def test_devices_of_an_unknown_scheme():
    assert "did you mean 'aer'" in error_of(qdmi("devices", "--scheme", "aerr"), 2)


# -- show


def test_show_prints_figures_in_units_with_dashes_for_the_unknown(recorded):
    result = qdmi("show", "aer", "-o", f"noise={recorded}")
    assert result.exit_code == 0, result.output
    found = rows(result.stdout)
    assert found["kind"] == ["kind", "simulator, 3 qubits"]
    assert found["state"] == ["state", "idle"]
    assert found["calibration"][1].startswith("cal-42, ")
    assert found["calibration"][1].endswith("(30.0 hours ago)")
    assert found["price"] == ["price", "-"]  # simulating it costs nothing
    sites = [line.split() for line in result.stdout.splitlines() if " QB" in line]
    assert " ".join(sites[0]) == "0 QB1 35 us 12.5 us 4.6513 GHz 1.1 % 2 %"
    assert " ".join(sites[1]) == "1 QB2 - 8 us - - -"
    assert " ".join(sites[2]) == "2 QB3 - - - - -"
    assert found["cz"] == [
        "cz", "2", "-", "3", "99.1 % / 98.73 % / 95 %", "40 ns / 45 ns / 60 ns",
    ]  # fmt: skip
    assert found["r"][2] == "theta, phi"
    assert found["measure"] == ["measure", "1", "-", "3", "-", "1.5 us / 1.5 us / 1.5 us"]
    assert found["x"] == ["x", "1", "-", "all", "-", "-"]
    assert "can     reproduce outcomes from a seed" in result.stdout


def test_show_says_what_a_device_costs_and_cannot_do(recorded):
    from qdmi_qiskit.cli import describe

    spec = spec_json.load(recorded)
    assert describe._price(spec) == "0.3 USD a task + 0.00145 a shot"
    lines = describe.abilities(spec.capabilities)
    assert lines[0] == "takes   programs as iqm; at most 20000 shots a program; 1 program a job"
    assert "cannot  cancel jobs" in lines
    assert not any(line.startswith("can ") for line in lines)


def test_show_shortens_long_tables_unless_told():
    short, full = qdmi("show", "aer"), qdmi("show", "aer", "--all")
    assert "--all shows them" in short.stdout
    assert "--all" not in full.stdout
    assert len(full.stdout.splitlines()) > len(short.stdout.splitlines()) + 20
    spec = printed(qdmi("show", "aer", "--json"))["spec"]
    for operation in spec["operations"]:
        assert f"\n{operation['name']} " in full.stdout


def test_show_as_json_can_be_opened_again(recorded):
    document = printed(qdmi("show", "aer", "-o", f"noise={recorded}", "--json"))
    assert document["name"] == document["device"] == "aer"
    assert document["num_qubits"] == 3
    assert document["state"]["status"] == "idle"
    spec = spec_json.loads(json.dumps(document["spec"]))
    assert spec.sites == spec_json.load(recorded).sites


def test_show_as_a_spec_is_a_recording(recorded):
    shown = qdmi("show", "aer", "-o", f"noise={recorded}", "--spec")
    assert shown.exit_code == 0
    assert spec_json.loads(shown.stdout).sites == spec_json.load(recorded).sites


def test_show_of_an_unknown_device_names_the_nearest():
    assert "did you mean 'aer'" in error_of(qdmi("show", "aerr"), 2)
    assert "did you mean 'stabilizer'" in error_of(qdmi("show", "aer:stabiliser"), 2)


# -- run


def test_bell_counts_add_up(bell):
    found = printed(qdmi("run", bell, "--shots", 500, "--seed", 7, "--json"))
    assert set(found["counts"]) == {"00", "11"}
    assert sum(found["counts"].values()) == found["shots"] == found["valid_shots"] == 500
    assert min(found["counts"].values()) > 150
    assert (found["circuit"], found["backend"], found["device"]) == ("bell", "aer", "aer")
    assert found["job_id"]
    assert "memory" not in found
    again = printed(qdmi("run", bell, "--shots", 500, "--seed", 7, "--json"))
    assert again["counts"] == found["counts"]
    assert again["job_id"] != found["job_id"]


def test_the_table_has_counts_and_shares(bell):
    result = qdmi("run", bell, "-n", 400, "--seed", 7)
    counts = printed(qdmi("run", bell, "-n", 400, "--seed", 7, "--json"))["counts"]
    lines = result.stdout.splitlines()
    assert lines[0] == "bell on aer: 400 shots"
    assert lines[1].split() == ["meas", "count", "share"]
    shown = [line.split() for line in lines[2:4]]
    assert shown == [[word, str(n), f"{n / 4:.2f}", "%"] for word, n in counts.items()]
    assert int(shown[0][1]) >= int(shown[1][1])
    assert lines[4].startswith("job ")


@pytest.mark.parametrize("level", range(4))
@pytest.mark.parametrize("program", [PERMUTED, PERMUTED_3], ids=["qasm2", "qasm3"])
def test_every_bit_lands_where_the_circuit_says(program, level):
    result = qdmi(
        "run",
        "-",
        "--shots",
        20,
        "--json",
        "--memory",
        "--optimization-level",
        level,
        stdin=program,
    )
    found = printed(result)
    assert found["circuit"] == "stdin"
    assert found["counts"] == {"10 010": 20}
    assert found["memory"] == ["10 010"] * 20
    assert found["registers"] == [["a", 3], ["b", 2]]


def test_registers_are_named_over_their_bits():
    lines = qdmi("run", "-", "--shots", 20, "--memory", stdin=PERMUTED).stdout.splitlines()
    assert lines[1].split() == ["b", "a", "count", "share"]
    assert lines[2].split() == ["10", "010", "20", "100.00", "%"]
    assert lines[4] == "Shots in order"
    assert lines[5:25] == ["10 010"] * 20


def test_qpy_may_hold_several_circuits(tmp_path):
    first, second = QuantumCircuit(2, 2, name="first"), QuantumCircuit(1, 3, name="second")
    first.x(1)
    first.measure([0, 1], [0, 1])
    second.x(0)
    second.measure(0, 2)
    path = tmp_path / "two.qpy"
    with path.open("wb") as file:
        qpy.dump([first, second], file)
    result = qdmi("run", path, "--shots", 10, "--json")
    found = [json.loads(line) for line in result.stdout.splitlines()]
    assert [(each["circuit"], each["counts"]) for each in found] == [
        ("first", {"10": 10}),
        ("second", {"100": 10}),
    ]
    assert found[0]["job_id"] == found[1]["job_id"]
    assert "\n\nsecond on aer: 10 shots\n" in qdmi("run", path, "--shots", 10).stdout


def test_gates_that_old_qiskit_put_into_qelib1_are_read():
    program = 'OPENQASM 2.0;include "qelib1.inc";qreg q[2];creg c[2];x q[0];swap q[0],q[1];'
    program += "rxx(0) q[0],q[1];csx q[0],q[1];measure q->c;"
    assert printed(qdmi("run", "-", "--json", "-n", 9, stdin=program))["counts"] == {"10": 9}


def test_include_is_looked_up_beside_the_file(tmp_path):
    (tmp_path / "mine.inc").write_text("qreg q[2];\ncreg c[2];\n")
    path = tmp_path / "main.qasm"
    path.write_text('OPENQASM 2.0;include "qelib1.inc";include "mine.inc";x q[1];measure q->c;')
    assert printed(qdmi("run", path, "--json", "-n", 9))["counts"] == {"10": 9}


def test_the_profile_and_its_options_are_used(profiles, bell):
    found = printed(qdmi("--config", profiles, "run", bell, "--json"))
    assert (found["backend"], found["device"]) == ("sim", "aer")


def test_what_the_device_lacks_is_refused_by_name(recorded):
    program = BELL.replace("h q[0];", "h q[0]; reset q[0];")
    assert qdmi("run", "-", stdin=program).exit_code == 0
    message = error_of(qdmi("run", "-", "-b", "aer", "-o", f"noise={recorded}", stdin=program), 2)
    assert message.startswith("circuit 'stdin' cannot be compiled for aer: ")
    assert "reset" in message


def test_a_program_that_the_device_refuses_ends_with_exit_code_2(profiles):
    program = BELL.replace("h q[0];", "h q[0]; t q[0]; h q[0];")
    result = process("--config", profiles, "run", "-", input=program)  # on a stabilizer simulator
    assert (result.returncode, result.stdout) == (2, "")
    assert "which is no Clifford gate" in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_options_reach_the_device(bell, recorded):
    found = qdmi("run", bell, "-n", 4000, "--seed", 1, "--json", "-o", f"noise={recorded}")
    assert set(printed(found)["counts"]) == {"00", "01", "10", "11"}
    message = error_of(qdmi("run", bell, "-o", "methd=statevector"), 2)
    assert "did you mean 'method'" in message
    assert error_of(qdmi("run", bell, "-o", "max_memory_mb=-1"), 2)


# -- errors of run


def test_a_file_that_is_not_there(tmp_path):
    message = error_of(qdmi("run", tmp_path / "nope.qasm"), 2)
    assert "nope.qasm" in message
    assert "does not exist" in message


@pytest.mark.parametrize(
    ("content", "code", "words"),
    [
        (BELL.replace("cx", "cxx"), 2, ["stdin:6,0", "'cxx' is not defined"]),
        (BELL.replace("creg meas[2];", "creg meas[2"), 2, ["stdin:5,"]),
        (BELL.replace("OPENQASM 2.0;\n", ""), 2, ["OPENQASM 2.0;", "header"]),
        (BELL.replace("2.0", "4.0"), 2, ["header"]),
        ("/* a *//* b */" * 2000, 2, ["header"]),
        ("", 2, ["header"]),
        (b"\xff\xfe\x00", 2, ["neither QPY nor text"]),
        (b"QISKIT\x0e\x00" + b"1" * 60, 2, ["cannot be read as QPY"]),
        (b"QISKIT", 2, ["cannot be read as QPY"]),
        (BELL.replace("measure q -> meas;", ""), 2, ["measures nothing"]),
        ("OPENQASM 2.0;qreg q[99];creg c[1];measure q[0]->c[0];", 2, ["99", "aer"]),
    ],
)
def test_a_file_that_is_no_circuit_for_the_device(content, code, words):
    message = error_of(qdmi("run", "-", stdin=content), code)
    assert all(word in message for word in words), message
    assert "\x1b" not in message


@pytest.mark.parametrize(
    ("statement", "place"),
    [("foo q[0];", "line 3, column 12"), ("x q[7]", "line 3"), ("if (c[0]) { x q[0]; }", "stdin")],
)
def test_openqasm_3_beyond_the_built_in_reader_says_what_to_install(
    monkeypatch, capfd, statement, place
):
    monkeypatch.setattr(circuits, "find_spec", lambda name: None)
    program = f'OPENQASM 3;\ninclude "stdgates.inc";\nqubit[1] q;{statement}'
    message = error_of(qdmi("run", "-", stdin=program), 4)
    assert place in message
    assert message.endswith("pip install qiskit-qasm3-import")
    assert len(message) < 600
    assert capfd.readouterr() == ("", "")  # the reader prints and panics past Python


def test_the_whole_of_openqasm_3_with_the_package():
    pytest.importorskip("qiskit_qasm3_import")
    program = PERMUTED_3.replace("b[1] =", "if (a[1]) { x q[2]; }\nb[1] =")
    assert printed(qdmi("run", "-", "--json", "-n", 9, stdin=program))["counts"] == {"00 010": 9}
    message = error_of(qdmi("run", "-", stdin=PERMUTED_3.replace("x q", "xx q")), 2)
    assert "line 7" in message


def test_unbound_parameters_are_named(tmp_path):
    from qiskit.circuit import Parameter

    circuit = QuantumCircuit(1, 1, name="sweep")
    circuit.rx(Parameter("alpha"), 0)
    circuit.measure(0, 0)
    with (tmp_path / "sweep.qpy").open("wb") as file:
        qpy.dump(circuit, file)
    assert "unbound parameters: alpha" in error_of(qdmi("run", tmp_path / "sweep.qpy"), 2)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run", "-", "--shot", "x"], "--shot"),
        (["run", "-", "--shots", "0"], "--shots"),
        (["run", "-", "--optimization-level", "4"], "--optimization-level"),
        (["run", "-", "--seed", "-1"], "--seed"),
        (["run", "-", "--nope"], "--nope"),
        (["runn"], "runn"),
        (["run"], "FILE"),
        (["devices", "-o", "a=1"], "--scheme"),
    ],
)
def test_a_wrong_command_line_says_so(arguments, words):
    assert words in error_of(qdmi(*arguments, stdin=BELL), 2)


@pytest.mark.parametrize("option", ["token=hunter2", "hunter2", "=hunter2"])
def test_a_secret_on_the_command_line_is_refused_unseen(bell, option):
    result = qdmi("--debug", "run", bell, "-o", option)
    assert result.exit_code == 2
    assert "hunter2" not in result.output


@pytest.mark.parametrize(
    ("backend", "code", "words"),
    [
        ("acme:down", 3, "cannot reach the device: try again later"),
        ("acme:lost", 3, "the line broke: look for the job at the vendor"),
        ("acme:fail", 1, "the fridge is warm"),
        ("acme:bug", 1, "AttributeError: no attribute (not foreseen; qdmi --debug"),
        ("acme_broken", 4, "pip install 'acme'"),
    ],
)
def test_exit_codes_say_what_to_do(acme, bell, backend, code, words):
    message = error_of(qdmi("run", bell, "--backend", backend), code)
    assert words in message
    assert "\x1b" not in message


def test_debug_shows_the_traceback(acme, bell):
    result = qdmi("--debug", "run", bell, "--backend", "acme:bug")
    assert result.exit_code == 1
    assert "Traceback" in result.stderr
    assert result.stderr.splitlines()[-1].startswith("Error: AttributeError")


# -- config


def test_config_show_says_where_each_value_comes_from(profiles, monkeypatch, tmp_path):
    monkeypatch.setenv("QDMI_SIM_NUM_QUBITS", "5")
    result = qdmi("--config", profiles, "config", "show", "-o", "precision=single")
    assert result.exit_code == 0
    found = rows(result.stdout)
    assert found["name"] == ["name", f"sim ({profiles} default)"]
    assert found["device"] == ["device", f"aer ({profiles} [backends.sim])"]
    assert found["method"] == ["method", "stabilizer", f"{profiles} [backends.sim]"]
    assert found["num_qubits"] == ["num_qubits", "5", "environment QDMI_SIM_NUM_QUBITS"]
    assert found["precision"] == ["precision", "single", "command line"]
    assert found[str(profiles)] == [str(profiles), "read"]
    home = str(tmp_path / "home" / ".config" / "qdmi" / "config.toml")
    assert found[home] == [home, "not there"]


def test_config_show_masks_secrets(profiles, monkeypatch):
    monkeypatch.setenv("IQM_TOKEN", "hunter2")
    for extra in ([], ["--json"]):
        result = qdmi("--debug", "--config", profiles, "config", "show", "lab", *extra)
        assert result.exit_code == 0
        assert "env:IQM_TOKEN ***" in result.stdout
        assert "hunter2" not in result.output
    document = printed(qdmi("--config", profiles, "config", "show", "lab", "--json"))
    assert document["device"] == "iqm:garnet"
    assert document["options"]["token"]["origin"] == f"{profiles} [backends.lab]"
    assert document["files"][0] == {"path": str(profiles), "found": True}


def test_config_show_without_any_configuration():
    result = qdmi("config", "show")
    assert rows(result.stdout)["name"] == ["name", "aer (built-in default)"]
    assert "no options are set" in result.stdout


def test_a_configuration_that_is_not_there_or_not_toml(tmp_path):
    assert "does not exist" in error_of(qdmi("--config", tmp_path / "no", "config", "show"), 2)
    path = tmp_path / "bad.toml"
    path.write_text("default = aer\n")
    assert "bad.toml, line 1, column" in error_of(qdmi("--config", path, "devices"), 2)


# -- check


@pytest.fixture
def two_checks(monkeypatch):
    from qdmi_qiskit import testing
    from qdmi_qiskit.testing import suite

    chosen = {name: suite.CHECKS[name] for name in ("bit_order", "sites_are_numbered_from_zero")}
    monkeypatch.setattr(suite, "CHECKS", chosen)
    monkeypatch.setattr(testing, "CHECKS", chosen)
    return chosen


def test_check_passes_a_good_device(two_checks):
    result = qdmi("check", "aer", "--shots", 16)
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines() == [
        "passed  bit_order",
        "passed  sites_are_numbered_from_zero",
        "2 checks of aer, 0 failed",
    ]


def test_check_fails_a_bad_device_and_says_why(acme, two_checks):
    result = qdmi("check", "acme:fail", "--shots", 16, "--tolerance", 0.1, "--json")
    assert result.exit_code == 1
    document = json.loads(result.stdout)
    assert document["failed"] == 1
    first, second = document["checks"]
    assert (first["name"], first["outcome"]) == ("bit_order", "failed")
    assert "the fridge" in first["message"]
    assert second == {
        "name": "sites_are_numbered_from_zero", "outcome": "passed", "message": "",
    }  # fmt: skip


def test_a_device_that_cannot_be_opened_is_no_failed_check(acme):
    assert "try again later" in error_of(qdmi("check", "acme:down"), 3)


# -- processes


def test_a_pipe_gets_plain_text_even_where_colour_is_liked(bell):
    result = process("run", bell, "--seed", 3, env={**os.environ, "CLICOLOR": "1"})
    assert result.returncode == 0
    assert result.stderr == ""
    assert result.stdout.isascii()
    assert "\x1b" not in result.stdout


@pytest.mark.parametrize("no_color", ["", "1"])
def test_a_terminal_gets_bars_and_no_color_is_obeyed(bell, no_color):
    pty = pytest.importorskip("pty")
    reader, writer = pty.openpty()
    environ = {**os.environ, "TERM": "xterm", "COLUMNS": "100", "NO_COLOR": no_color}
    running = subprocess.Popen(
        [sys.executable, "-m", "qdmi_qiskit.cli", "run", str(bell), "--seed", "3"],
        stdout=writer,
        stderr=subprocess.DEVNULL,
        env=environ,
    )
    os.close(writer)
    text = b""
    try:
        while part := os.read(reader, 4096):
            text += part
    except OSError:  # how Linux says that the other end is closed
        pass
    os.close(reader)
    assert running.wait(300) == 0
    assert "█" in text.decode()
    assert ("\x1b" in text.decode()) is not bool(no_color)


def test_a_reader_that_leaves_early_ends_it_quietly(tmp_path):
    command = f"'{sys.executable}' -m qdmi_qiskit.cli show aer --json --all | head -c 1"
    result = subprocess.run(  # noqa: S602
        command, shell=True, capture_output=True, text=True, timeout=300, check=False
    )
    assert (result.stdout, result.stderr) == ("{", "")


def test_ctrl_c_ends_with_130_and_names_the_job(plugin_folder, bell):
    environ = {**os.environ, "PYTHONPATH": str(plugin_folder)}
    running = subprocess.Popen(
        [sys.executable, "-m", "qdmi_qiskit.cli", "run", str(bell), "--backend", "acme:slow"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environ,
    )
    word, job_id = running.stdout.readline().split()
    assert word == "SENT"
    time.sleep(0.1)
    running.send_signal(signal.SIGINT)
    stdout, stderr = running.communicate(timeout=300)
    assert running.returncode == 130
    assert stdout == ""
    assert stderr == f"the job goes on at acme:slow as {job_id}\ninterrupted\n"


def test_ctrl_c_does_not_wait_for_a_simulation(tmp_path):
    wide = 'OPENQASM 2.0;\ninclude "qelib1.inc";\nqreg q[24];\ncreg c[24];\n'
    wide += "".join(f"h q[{k}];t q[{k}];cx q[{k}],q[{(k + 1) % 24}];\n" for k in range(24)) * 50
    (tmp_path / "wide.qasm").write_text(wide + "measure q->c;\n")
    code = (
        "import sys\nfrom qdmi_qiskit import backend, cli\n"
        "run = backend.QDMIBackend.run\n"
        "def started(*args, **options):\n"
        "    print('SENT', flush=True)\n"
        "    return run(*args, **options)\n"
        "backend.QDMIBackend.run = started\n"
        "sys.argv[1:] = ['run', sys.argv[1], '-O', '0']\n"
        "cli.main()"
    )
    running = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "wide.qasm")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert running.stdout.readline() == "SENT\n"
    time.sleep(1)  # Aer holds Python's lock by now
    running.send_signal(signal.SIGINT)
    stdout, stderr = running.communicate(timeout=25)  # the simulation takes longer
    assert running.returncode == -signal.SIGINT  # 130 to a shell
    assert (stdout, stderr) == ("", "")
