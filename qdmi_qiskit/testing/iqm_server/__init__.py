"""An IQM Server on the loopback interface: the real wire, a simulated machine, faults on demand.

    from qdmi_qiskit.testing.iqm_server import IQMServer

    with IQMServer("garnet", noise=False) as server:
        client = IQMClient.from_url(server.url, quantum_computer="garnet", token=server.token)

or, for a program that finds its server by `IQM_SERVER_URL`, `IQM_TOKEN`, `IQM_QUANTUM_COMPUTER`,

    with rehearse("garnet") as environment:
        subprocess.run(command, env=os.environ | environment)

or, in pytest, `pytest_plugins = ["qdmi_qiskit.testing.iqm_server.fixtures"]` and a test with the
argument `iqm_server`; or, in a shell, `python -m qdmi_qiskit.testing.iqm_server garnet -- COMMAND`.

The machines are `garnet` (20 qubits, a square lattice), `garnet-dead` (the same without QB11),
`deneb` (6 qubits around a resonator) and `sirius` (16, one of which cannot be moved). Several
can be had on one server: `IQMServer("garnet", "deneb")`.

What can be turned meanwhile is in `server.behaviour` (`noise`, `key_order`, `max_shots`, ...);
`server.recalibrate()` puts a new calibration set into use; `server.inject("throttle", times=2,
retry_after=0.1)` and the like break things; `server.restart()` cuts all connections and keeps the
jobs; `server.pause()` keeps jobs waiting; `server.fail_next_job()` speaks for itself.
`server.jobs_created`, `server.posts` and `server.log` tell what a client did.

What the real server refuses at once is refused at once, with its status and `error_code`: shape
and types of the body, unknown fields, sizes, tokens, timeslots. What its station finds later is
accepted and fails as a job: gates, arguments, loci, keys, MOVEs, durations.

Not here: pulse jobs, QIR, channel properties, a list of jobs (the real API has none either).
Dynamical decoupling and active reset are checked and change nothing; qubits relax in gates and in
`delay`, not while they merely wait.
"""

from qdmi_qiskit.testing.iqm_server.behaviour import Behaviour
from qdmi_qiskit.testing.iqm_server.chips import NAMES
from qdmi_qiskit.testing.iqm_server.faults import Fault
from qdmi_qiskit.testing.iqm_server.server import IQMServer, rehearse
from qdmi_qiskit.testing.iqm_server.tokens import write_tokens_file

__all__ = ["NAMES", "Behaviour", "Fault", "IQMServer", "rehearse", "write_tokens_file"]
