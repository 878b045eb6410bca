"""No dummy secret is in anything that is printed, logged, raised, pickled or left on disk.

A program and the command line do everything once against both services, and against a server that
answers with whatever it was sent; then all of it is searched. That the search finds what there is
to find is tested as well.
"""

from __future__ import annotations

import base64
import gzip
import json
import subprocess
import sys
import threading
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote

import pytest

pytest.importorskip("boto3")
pytest.importorskip("iqm.station_control")

from qdmi_qiskit.testing.braket_service import BraketService
from qdmi_qiskit.testing.braket_service.service import ACCOUNT
from qdmi_qiskit.testing.iqm_server import IQMServer, write_tokens_file
from tests.dummies import KEY, PASSWORD, SESSION, SIGNATURE, files, holding, left_behind

URL = (
    "https://bucket.s3.amazonaws.com/results.json?X-Amz-Algorithm=AWS4-HMAC-SHA256"
    f"&X-Amz-Credential=AKIADUMMY%2F20261121&X-Amz-Security-Token={quote(SESSION, safe='')}"
    f"&X-Amz-Signature={SIGNATURE}&X-Amz-Expires=900"
)


pytestmark = pytest.mark.slow


class Echo(BaseHTTPRequestHandler):
    """Refuses with all that it was sent, and a signed URL."""

    def answer(self):
        length = int(self.headers.get("Content-Length") or 0)
        self.rfile.read(length)
        said = f"refused: {self.path} {dict(self.headers)} see {URL} of account {ACCOUNT}"
        body = json.dumps({"message": said, "error_code": "forbidden"}).encode()
        self.send_response(403)
        self.send_header("Content-Type", "application/json")
        self.send_header("x-amzn-errortype", "AccessDeniedException")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = answer  # noqa: N815

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def echo():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def artefacts(tmp_path_factory, echo):
    """All that a program and the command line print, log and leave behind, and the secrets."""
    base = tmp_path_factory.mktemp("secretive")
    home, out = base / "home", base / "home" / "out"
    out.mkdir(parents=True)
    with IQMServer("garnet", noise=False) as server, BraketService(step=0.0) as service:
        tokens = base / "tokens.json"
        write_tokens_file(tokens, server.tokens.issue())
        spaces = base / "spaces"
        spaces.write_text(f"{PASSWORD}\nX-Other: {PASSWORD}")
        profiles = {
            "iqm-env": {"device": "iqm:garnet", "url": server.url, "token": "env:DUMMY_TOKEN"},
            "iqm-file": {"device": "iqm:garnet", "url": server.url, "tokens_file": str(tokens)},
            "iqm-echo": {"device": "iqm:garnet", "url": echo, "token": "env:DUMMY_TOKEN"},
            "iqm-spaces": {"device": "iqm:garnet", "url": server.url, "token": f"file:{spaces}"},
            "iqm-nowhere": {
                "device": "iqm:garnet",
                "url": "http://127.0.0.1:9",
                "token": "env:DUMMY_TOKEN",
            },
            "braket-here": {"device": "braket:sv1", "poll_interval": 0.05},
            "braket-echo": {
                "device": "braket:arn:aws:braket:::device/quantum-simulator/amazon/sv1",
                "endpoint": echo,
                "cache_seconds": 0,
            },
        }
        lines = []
        for name, options in profiles.items():
            lines += [f"[backends.{name}]"]
            lines += [f"{key} = {json.dumps(value)}" for key, value in options.items()]
        (home / "config.toml").write_text("\n".join(lines))
        (home / "bad.toml").write_text(f'[backends.lab]\ndevice = "iqm"\ntoken = "{PASSWORD}"\n')
        (home / "flip.qasm").write_text(
            'OPENQASM 3.0;\ninclude "stdgates.inc";\nbit[2] c;\nqubit[2] q;\nx q[0];\n'
            "c[0] = measure q[0];\nc[1] = measure q[1];\n"
        )
        environment = {
            **service.environment(),
            "HOME": str(home),
            "XDG_CACHE_HOME": str(home / "cache"),
            "XDG_DATA_HOME": str(home / "data"),
            "QDMI_CONFIG": str(home / "config.toml"),
            "DUMMY_TOKEN": server.token,
            "AWS_SECRET_ACCESS_KEY": KEY,
            "AWS_SESSION_TOKEN": SESSION,
            "OMP_NUM_THREADS": "1",
        }
        for name in ("XDG_CONFIG_HOME", "QDMI_JOURNAL", "QDMI_BACKEND"):
            environment.pop(name, None)
        said = {}

        def ask(label, *command, fine=True):
            done = subprocess.run(
                [sys.executable, *command],
                env=environment,
                cwd=Path(__file__).parents[1],
                capture_output=True,
                timeout=900,
            )
            assert not fine or done.returncode == 0, done.stderr.decode()[-3000:]
            said[f"{label}: stdout"], said[f"{label}: stderr"] = done.stdout, done.stderr

        ask("program", "-m", "tests.secretive", str(out))
        run = str(home / "flip.qasm")
        for name in ("iqm-env", "iqm-file", "braket-here"):
            ask(f"run {name}", "-m", "qdmi_qiskit.cli", "--debug", "run", run, "-b", name)
            ask(
                f"show {name}", "-m", "qdmi_qiskit.cli", "--debug", "config", "show", name, "--json"
            )
            recording = ("record", name, "--output", str(out / f"{name}.json"))
            ask(f"record {name}", "-m", "qdmi_qiskit.cli", "--debug", *recording)
        for name in ("iqm-echo", "braket-echo", "iqm-spaces"):
            command = ("--debug", "run", run, "-b", name)
            ask(f"run {name}", "-m", "qdmi_qiskit.cli", *command, fine=False)
        ask("jobs", "-m", "qdmi_qiskit.cli", "jobs", "--json")
        bad = ("--debug", "--config", str(home / "bad.toml"), "config", "show", "lab")
        ask("bad", "-m", "qdmi_qiskit.cli", *bad, fine=False)
        token = json.loads(tokens.read_text())["access_token"]
        secrets = {"token": server.token, "token of the file": token, "key": KEY}
        secrets |= {"session token": SESSION, "password": PASSWORD, "signature": SIGNATURE}
        for told in (home / "bad.toml", spaces):  # the user's own
            told.unlink()
        written = files(home)
    return home, said, written, secrets


def test_the_search_finds_what_there_is():
    secret = {"it": SESSION}
    for text in (SESSION, json.dumps({"a": SESSION}), quote(SESSION, safe=""), f"x{SESSION}y"):
        for content in (text.encode(), zlib.compress(text.encode()), gzip.compress(text.encode())):
            assert holding({"a": b"before" + content + b"after"}, secret), (text, content)
        for shift in range(3):
            assert holding({"a": base64.b64encode(b"y" * shift + SESSION.encode())}, secret)
    assert not holding({"a": b"nothing here"}, secret)


def test_a_secret_that_a_test_leaves_behind_is_seen(tmp_path):
    place = tmp_path / "a" / "runs.sqlite"
    place.parent.mkdir()
    place.write_bytes(b"SQLite" + zlib.compress(b"see loopback.eyJleHAi"))
    assert [found[:2] for found in left_behind(tmp_path)] == [
        ("a/runs.sqlite", "token of the IQM server")
    ]
    place.unlink()
    (tmp_path / "tokens.json").write_text("loopback.eyJleHAi")
    assert left_behind(tmp_path) == []


def test_enough_was_done_to_be_searched(artefacts):
    _, said, written, _ = artefacts
    log = said["program: stderr"].decode()
    for logger in ("botocore", "urllib3", "qdmi_qiskit"):
        assert f"DEBUG:{logger}" in log, logger
    assert "refused: " in said["program: stdout"].decode()
    assert log.count("it failed") >= 9
    kinds = (".sqlite", "-wal", "-error.pickle", "x-result.pickle", "-spec.pickle", "-spec.json")
    for kind in (*kinds, "iqm-env.json", "cache/"):
        assert any(kind in name for name in written), (kind, list(written))
    assert any(b"SQLite" in content[:16] for content in written.values())


def test_no_secret_is_said(artefacts):
    _, said, _, secrets = artefacts
    assert holding(said, secrets) == []


def test_no_secret_is_left_behind(artefacts):
    _, _, written, secrets = artefacts
    assert holding(written, secrets) == []


def test_only_the_owner_reads_what_is_left(artefacts):
    home, _, written, _ = artefacts
    sensitive = [name for name in written if name.startswith(("data/", "cache/"))]
    assert len(sensitive) > 1
    for name in sensitive:
        assert (home / name).stat().st_mode & 0o077 == 0, name
        assert (home / name).parent.stat().st_mode & 0o077 == 0, name


def test_no_account_is_said(artefacts):
    """Ids of tasks, which have the account in them, are for those who ask for ids."""
    _, said, _, _ = artefacts
    assert ACCOUNT.encode() not in said["run braket-echo: stderr"]
