"""How the loopback server breaks on demand, begins and ends."""

import gzip
import http.client
import json
import os
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

import pytest

from qdmi_qiskit.errors import ConfigError
from qdmi_qiskit.testing.iqm_server import IQMServer, rehearse
from tests.iqm.server_asker import ONE, Asker

MODULE = "qdmi_qiskit.testing.iqm_server"
pytest_plugins = [f"{MODULE}.fixtures"]


@pytest.mark.parametrize("after", [0.25, None])
def test_throttle_says_how_long_if_asked_to(ask, after):
    ask.server.inject("throttle", times=2, retry_after=after)
    for _ in range(2):
        with pytest.raises(urllib.error.HTTPError) as info:
            ask.get("quantum-computers")
        with info.value as error:
            assert error.code == 429
            assert error.headers["Retry-After"] == (None if after is None else "0.25")
    answer = ask.raw("GET", "api/v1/quantum-computers")
    assert answer.headers["RateLimit-Limit"] == "2000"
    assert answer.headers["RateLimit-Remaining"] == "1997"


@pytest.mark.parametrize("kind", ["error", "throttle", "drop_before"])
def test_refused_submission_makes_no_job(ask, kind):
    ask.server.inject_submit(kind)
    with pytest.raises((urllib.error.HTTPError, OSError, http.client.HTTPException)) as info:
        ask.submit(ONE)
    if isinstance(info.value, urllib.error.HTTPError):
        info.value.close()
    assert ask.server.jobs_created == 0
    ask.run(ONE)
    assert (ask.server.posts, ask.server.jobs_created) == (2, 1)


@pytest.mark.parametrize("kind", ["drop_after", "truncate", "garbage"])
def test_lost_answer_leaves_a_job(ask, kind):
    ask.server.inject_submit(kind)
    with pytest.raises((OSError, http.client.HTTPException, ValueError)):
        ask.submit(ONE, query="?tag=lost")
    (job,) = ask.server.jobs
    assert job.tag == "lost"
    assert ask.wait(job.id)["status"] == "completed"


def test_faults_hit_what_they_are_meant_for(ask):
    ask.server.inject("error", method="GET", path="/limits$", skip=1, status=502, times=-1)
    ask.get("quantum-computers/garnet/health")
    ask.get("quantum-computers/garnet/limits")
    for _ in range(3):
        assert ask.refused("GET", "quantum-computers/garnet/limits")[0] == 502
    ask.server.clear_faults()
    ask.get("quantum-computers/garnet/limits")
    hit = [seen.fault for seen in ask.server.log.requests]
    assert hit == [None, None, "error", "error", "error", None]


def test_slow_answer_is_slower_than_a_short_timeout(ask):
    ask.server.inject("slow", seconds=2.0)
    request = urllib.request.Request(  # noqa: S310
        f"{ask.server.url}/api/v1/about", headers={"Authorization": f"Bearer {ask.token}"}
    )
    with pytest.raises(TimeoutError):
        urllib.request.urlopen(request, timeout=0.1)  # noqa: S310


def test_a_job_fails_on_demand(ask):
    ask.server.fail_next_job("the fridge is warm", "internal_error")
    assert ask.failure(ONE) == "the fridge is warm"
    ask.run(ONE)


def test_jobs_outlive_a_restart_and_connections_do_not(ask):
    ask.server.pause()
    job = ask.submit(ONE)
    url, port = ask.server.url, int(ask.server.url.rpartition(":")[2])
    line = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    headers = {"Authorization": f"Bearer {ask.token}"}
    line.request("GET", "/api/v1/about", headers=headers)
    line.getresponse().read()
    restart = threading.Thread(target=ask.server.restart, kwargs={"down": 0.3})
    restart.start()

    def ask_until_cut():
        for _ in range(10_000):
            line.request("GET", "/api/v1/about", headers=headers)
            line.getresponse().read()

    with pytest.raises((OSError, http.client.HTTPException)):
        ask_until_cut()
    line.close()
    restart.join()
    assert ask.server.url == url
    ask.server.resume()
    assert ask.wait(job)["status"] == "completed"


def test_connections_are_kept_and_long_answers_compressed(ask):
    ask.server.log.clear()
    port = int(ask.server.url.rpartition(":")[2])
    line = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    headers = {"authorization": f"Bearer {ask.token}", "Accept-Encoding": "gzip"}
    for _ in range(3):
        line.request("GET", "/api/v1/calibration-sets/garnet/default/metrics", headers=headers)
        answer = line.getresponse()
        assert answer.headers["Content-Encoding"] == "gzip"
        assert json.loads(gzip.decompress(answer.read()))["observations"]
    line.close()
    assert ask.server.log.connections == 1
    assert len(ask.server.log.requests) == 3


def test_server_ends_by_itself_and_twice():
    with IQMServer("deneb", lifetime=0.2) as server:
        deadline = time.monotonic() + 100
        while server.running and time.monotonic() < deadline:
            time.sleep(0.02)
        with pytest.raises(OSError, match="refused"):
            Asker(server).get("about")
    server.close()
    with pytest.raises(ConfigError, match="nothing to restart"):
        server.restart()


def test_wrong_names_are_refused():
    with pytest.raises(ConfigError, match="did you mean 'garnet'"):
        IQMServer("garnit")
    with pytest.raises(ConfigError, match="did you mean 'noise'"):
        IQMServer(nois=False)
    server = IQMServer("garnet", "deneb")
    with pytest.raises(ConfigError, match="no fault"):
        server.inject("flood")
    with pytest.raises(ConfigError, match="not started"):
        _ = server.jobs_created
    with pytest.raises(ConfigError, match="no quantum computer"):
        server.environment()


def test_fixture_is_a_running_server(iqm_server):
    assert Asker(iqm_server).get("quantum-computers/deneb/health")["healthy"] is True
    assert iqm_server.behaviour.noise


def test_rehearsal_gives_an_environment():
    with rehearse("deneb", noise=False) as environment:
        assert environment["IQM_QUANTUM_COMPUTER"] == "deneb"
        assert environment["IQM_SERVER_URL"].startswith("http://127.0.0.1:")
        assert environment["IQM_TOKEN"]


def test_a_command_is_rehearsed():
    script = (
        "import os, urllib.request as u;"
        "r = u.Request(os.environ['IQM_SERVER_URL'] + '/api/v1/quantum-computers',"
        " headers={'Authorization': 'Bearer ' + os.environ['IQM_TOKEN']});"
        "print(u.urlopen(r).read().decode()); raise SystemExit(3)"
    )
    ran = subprocess.run(
        [sys.executable, "-m", MODULE, "sirius", "--exact", "--", sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env=os.environ,
    )
    assert ran.returncode == 3, ran.stderr
    assert '"alias":"sirius"' in ran.stdout
