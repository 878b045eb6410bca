"""A real Slurm on this machine, for as long as a test or a rehearsal needs one.

    with Cluster() as cluster:
        QDMIProvider(environ=cluster.environ) ...

Everything lies in one folder and belongs to the present user, root or not; nothing in `/etc`,
`/run` or `/var` is touched, and every daemon listens on 127.0.0.1 alone. From nothing to idle
nodes takes half a second. It needs Debian's packages `munge slurmctld slurmd slurm-client`.
(Source: Slurm 22.05; what each line is for was found by leaving it out.)
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from random import SystemRandom
from typing import Self

from qdmi_qiskit.errors import UnavailableError

DAEMONS = ("munged", "slurmctld", "slurmd")
CLIENTS = ("srun", "sbatch", "squeue", "scancel", "scontrol", "sinfo")
PACKAGES = "munge slurmctld slurmd slurm-client"
_PLACES = (*os.environ.get("PATH", "").split(os.pathsep), "/usr/sbin", "/sbin")

_CONF = """\
ClusterName=qdmi
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge/munge.sock
CredType=cred/munge
MpiDefault=none
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool/%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.%n.pid
SlurmctldLogFile={folder}/log/slurmctld.log
SlurmdLogFile={folder}/log/slurmd.%n.log
PlugStackConfig={folder}/plugstack.conf
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/filetxt
JobCompLoc={folder}/log/jobcomp.log
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=0,sched_min_interval=0,sched_interval=1,bf_interval=1
ReturnToService=2
SlurmdParameters=config_overrides
KillWait=2
MinJobAge=3600
Licenses={licenses}
{extra}
{nodes}
PartitionName=classical Nodes=n[1-{count}] Default=YES MaxTime=60 State=UP OverSubscribe=FORCE:4
PartitionName=quantum   Nodes=n[1-{count}]             MaxTime=60 State=UP OverSubscribe=FORCE:4
"""


def found(program: str) -> str | None:
    """Return where a program of Slurm or munge lies, if it is installed."""
    return shutil.which(program, path=os.pathsep.join(_PLACES))


def lacking() -> str:
    """Return why no cluster can run here; empty if one can."""
    missing = [program for program in (*DAEMONS, *CLIENTS) if found(program) is None]
    if missing:
        return f"{', '.join(missing)} not found: apt-get install {PACKAGES}"
    host = _host()
    try:
        address = socket.gethostbyname(host)
    except OSError:
        address = "nothing"
    if not address.startswith("127."):
        return (
            f"{host} is {address} here, and Slurm would listen there: put '127.0.0.1 {host}' "
            "first into /etc/hosts"
        )
    return ""


class Cluster:
    """Slurm with a few nodes, all of them this machine.

    Attributes:
        folder: Where everything lies: `slurm.conf`, `log/`, `state/`, `spool/`.
        conf: The path of `slurm.conf`.
    """

    def __init__(
        self,
        *,
        nodes: int = 2,
        cpus: int = 4,
        licenses: str = "aer:2,iqm_emerald:1",
        extra: Sequence[str] = (),
    ) -> None:
        """Write the configuration; nothing runs yet.

        Args:
            nodes: How many.
            cpus: Of each node, whatever the machine has.
            licenses: As in `Licenses=`.
            extra: Further lines of `slurm.conf`.
        """
        # Not below a test's own folder: munge wants every parent open, and socket paths short.
        self.folder = Path(tempfile.mkdtemp(prefix="qdmi-slurm-", dir="/tmp"))
        self.folder.chmod(0o755)
        self.conf = self.folder / "slurm.conf"
        self._nodes = nodes
        for name in ("munge", "state", "spool", "log", *(f"spool/n{k + 1}" for k in range(nodes))):
            (self.folder / name).mkdir(mode=0o755)
        key = self.folder / "munge" / "munge.key"
        key.touch(0o600)
        key.write_bytes(os.urandom(1024))
        host, ports = _host(), _free_ports(nodes + 1)
        lines = [
            f"NodeName=n{k + 1} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs={cpus} "
            "State=UNKNOWN"
            for k, port in enumerate(ports[1:])
        ]
        self._write(
            "slurm.conf",
            _CONF.format(
                host=host,
                port=ports[0],
                user=_user(),
                folder=self.folder,
                licenses=licenses,
                extra="\n".join(extra),
                nodes="\n".join(lines),
                count=nodes,
            ),
        )
        self._write("plugstack.conf", "")
        self._write("cgroup.conf", "CgroupPlugin=cgroup/v1\n")  # loaded though nothing uses it

    @property
    def environ(self) -> dict[str, str]:
        """What a process needs to find this cluster: the present environment and `SLURM_CONF`."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("SLURM_", "SBATCH_"))}
        return kept | {"SLURM_CONF": str(self.conf)}

    def start(self) -> None:
        """Start the daemons, and wait until every node is idle.

        Raises:
            UnavailableError: They do not come up; carries the end of their logs.
        """
        if reason := lacking():
            raise UnavailableError(f"no Slurm here: {reason}")
        munge = self.folder / "munge"
        paths = [f"--{name}-file={munge}/munge.{name}" for name in ("key", "pid", "log", "seed")]
        self._begin(["munged", *paths, f"--socket={munge}/munge.sock"])
        self._begin(["slurmctld", "-f", str(self.conf)])
        for k in range(self._nodes):
            self._begin(["slurmd", "-f", str(self.conf), "-N", f"n{k + 1}"])
        end = time.monotonic() + 120
        while self.states().count("idle") < self._nodes:
            if time.monotonic() > end:
                logs = "\n".join(_tail(path) for path in sorted((self.folder / "log").iterdir()))
                self.stop()
                raise UnavailableError(f"Slurm does not come up on this machine:\n{logs}")
            time.sleep(0.05)

    def stop(self) -> None:
        """End the jobs and the daemons, and remove the folder."""
        with suppress(subprocess.TimeoutExpired):
            self.run("scancel", "--user", _user(), timeout=5)
        pids = [*self.folder.glob("slurmd.*.pid"), self.folder / "slurmctld.pid"]
        _end([*pids, self.folder / "munge" / "munge.pid"])
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    def run(
        self, program: str, *arguments: str, timeout: float = 120.0, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a client of Slurm on this cluster, and return what it said.

        Args:
            program: Such as `"squeue"`.
            arguments: Of the program.
            timeout: Seconds after which it is killed.
            variables: Added to its environment.
        """
        return subprocess.run(  # noqa: S603 - Slurm's own clients
            [found(program) or program, *arguments],
            env=self.environ | variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def states(self) -> list[str]:
        """Return the state of every node, in Slurm's words."""
        return self.run("sinfo", "-h", "-p", "classical", "-N", "-o", "%T").stdout.split()

    def jobs(self, *states: str) -> list[str]:
        """Return the ids of the jobs that are in one of the states; pending or running if none."""
        chosen = ",".join(states or ("PENDING", "CONFIGURING", "RUNNING", "COMPLETING"))
        return self.run("squeue", "-h", "-t", chosen, "-o", "%A").stdout.split()

    def licenses(self) -> Mapping[str, int]:
        """Return how many of each licence are in use."""
        lines = self.run("scontrol", "-o", "show", "licenses").stdout.splitlines()
        rows = [dict(pair.split("=", 1) for pair in line.split() if "=" in pair) for line in lines]
        return {row["LicenseName"]: int(row["Used"]) for row in rows if "LicenseName" in row}

    def plugstack(self, *lines: str) -> None:
        """Say which SPANK plug-ins there are; read again for every step."""
        self._write("plugstack.conf", "".join(f"{line}\n" for line in lines))

    def reconfigure(self, *lines: str) -> None:
        """Add lines to `slurm.conf`, and have the daemons read it."""
        self._write("slurm.conf", self.conf.read_text() + "".join(f"{line}\n" for line in lines))
        self.run("scontrol", "reconfigure")

    def _begin(self, command: Sequence[str]) -> None:
        ran = self.run(*command)
        if ran.returncode:
            said = (ran.stderr or ran.stdout).strip()
            self.stop()
            raise UnavailableError(f"{command[0]} does not start: {said}")

    def _write(self, name: str, text: str) -> None:
        path = self.folder / name
        path.write_text(text)
        path.chmod(0o644)


def _user() -> str:
    return pwd.getpwuid(os.getuid()).pw_name  # not what the environment says


def _host() -> str:
    return socket.gethostname().partition(".")[0]


def _free_ports(count: int) -> list[int]:
    """Return ports that are free now, of those that no system gives away by itself."""
    found: list[int] = []
    for port in SystemRandom().sample(range(10_000, 32_000), 1000):
        with socket.socket() as holder, suppress(OSError):
            holder.bind(("127.0.0.1", port))
            found.append(port)
        if len(found) == count:
            return found
    raise UnavailableError("no Slurm here: of 1000 ports on 127.0.0.1 hardly one is free")


def _tail(path: Path) -> str:
    return "\n".join(path.read_text(errors="replace").splitlines()[-8:])


def _end(files: Sequence[Path]) -> None:
    """End the daemons whose process ids are in files; those that take their time are killed."""
    pids = []
    for path in files:
        with suppress(OSError, ValueError):
            pids.append(int(path.read_text()))
    for number in (signal.SIGTERM, signal.SIGKILL):
        for pid in filter(_lives, pids):
            with suppress(OSError):
                os.kill(pid, number)
        end = time.monotonic() + 1
        while any(map(_lives, pids)) and time.monotonic() < end:
            time.sleep(0.02)


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
