"""The folder of an experiment: every shard is noted before it is sent, and kept when it ends."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from qiskit.primitives import BitArray, DataBin, PubResult, SamplerPubResult

from qdmi_qiskit.dispatch.shards import Shard, State
from qdmi_qiskit.errors import ConfigError, JobFailedError, QdmiError, SubmitUnknownError
from qdmi_qiskit.provider import QDMIProvider

_SENDING = "sending"


class Folder:
    """Where the shards of one experiment are kept, one JSON and one NPZ file each."""

    def __init__(
        self,
        place: Path,
        digest: str,
        members: Sequence[str],
        provider: QDMIProvider | None = None,
    ) -> None:
        """Open or make it.

        Args:
            place: The folder.
            digest: Of what is to be done; a folder holds one experiment.
            members: Names, by index.
            provider: Finds jobs of earlier attempts; one of the usual configuration if not given.

        Raises:
            ConfigError: The folder holds another experiment.
        """
        self.place, self._members = place, list(members)
        self._provider = provider or QDMIProvider()
        place.mkdir(parents=True, exist_ok=True)
        mark = place / "experiment.json"
        if mark.exists():
            if json.loads(mark.read_text()).get("digest") != digest:
                raise ConfigError(
                    f"{place} holds another experiment: circuits, shots, backends, split or seed "
                    "differ. Name another output folder, or remove this one"
                )
        else:
            self.write("experiment.json", {"digest": digest, "members": self._members})
        (place / "shards").mkdir(exist_ok=True)

    def write(self, name: str, document: Any) -> None:
        """Write JSON, whole or not at all."""
        path = self.place / name
        part = path.with_suffix(path.suffix + ".part")
        with part.open("w") as file:
            json.dump(document, file, indent=2, default=str)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)

    def note(self, event: str, shards: Sequence[Shard]) -> None:
        """Keep what just happened; what `Rules.note` wants."""
        for index, shard in enumerate(shards):
            name = self._name(shard)
            if shard.result is not None:
                self._keep(name, shard.result)
            row = {
                "pub": shard.pub,
                "member": self._members[shard.member],
                "asked": shard.asked,
                "turn": shard.turn,
                "state": _SENDING if event == _SENDING else shard.state.value,
                "moved": shard.moved,
                "obtained": shard.obtained,
                "error": None if shard.error is None else str(shard.error),
                "job_id": shard.job_id,
                "index": index,
                "jobs": list(shard.jobs),
                "metadata": None if shard.result is None else shard.result.metadata,
            }
            self.write(f"shards/{name}.json", row)

    def _name(self, shard: Shard) -> str:
        return f"{shard.turn}-{shard.pub}-{shard.member}-{shard.id}"

    def _keep(self, name: str, result: Any) -> None:
        data, arrays = result.data, {}
        if isinstance(result, SamplerPubResult):
            for register, bits in data.items():
                arrays[f"bits.{register}"] = bits.array
                arrays[f"size.{register}"] = np.array(bits.num_bits)
        else:
            arrays = {"evs": np.asarray(data.evs), "stds": np.asarray(data.stds)}
        path = self.place / "shards" / f"{name}.npz"
        part = path.with_suffix(".part")
        with part.open("wb") as file:
            np.savez_compressed(file, shape=np.array(data.shape, np.int64), **arrays)
        part.replace(path)

    def shards(self, *, resend: bool = False) -> list[Shard]:
        """Return what earlier attempts left, for `DispatchJob(done=)`.

        A job that was sent is asked for its result again, if the journal knows it. What may have
        been sent, and cannot be found, stays UNKNOWN. What failed is left out, so that it is sent
        again; so is what is unknown, with `resend`.
        """
        found = []
        for path in sorted((self.place / "shards").glob("*.json")):
            row = json.loads(path.read_text())
            shard = self._shard(row, path.stem)
            again = shard.state in (State.FAILED, State.CANCELED) and not shard.moved
            unknown = shard.state in (State.UNKNOWN, State.TIMEOUT, State.ABANDONED)
            if again or (unknown and resend and not shard.moved):
                shard.state, shard.error = State.PENDING, None
            found.append(shard)
        return found

    def _shard(self, row: dict[str, Any], name: str) -> Shard:
        names = {state.value: state for state in State}
        shard = Shard(
            row["pub"],
            self._members.index(row["member"]),
            row["asked"],
            row["turn"],
            names.get(row["state"], State.UNKNOWN),
            row["obtained"],
            job_id=row["job_id"],
            jobs=tuple(row["jobs"]),
            moved=row["moved"],
            id=name.rpartition("-")[2],
        )
        if shard.state is State.DONE:
            shard.result = self._result(name, row["metadata"])
        elif row["error"] is not None:
            shard.error = JobFailedError(row["error"], job_id=shard.job_id)
        if not shard.state.final or shard.state in (State.UNKNOWN, State.TIMEOUT):
            self._find(shard, row["index"])
        return shard

    def _find(self, shard: Shard, index: int) -> None:
        """Ask the journal for a job that an earlier process sent."""
        try:
            result = self._provider.job(shard.job_id).result()
        except JobFailedError as error:
            shard.state, shard.error = State.FAILED, error
        except QdmiError as error:
            shard.state = State.UNKNOWN
            shard.error = SubmitUnknownError(
                f"an earlier attempt may have sent this, and it is not found: {error}. With "
                "--resend it is sent again, and perhaps paid twice"
            )
        else:
            shard.state, shard.result = State.DONE, result[index]
            shard.jobs = tuple(result.metadata.get("device_jobs", ()))
            shard.obtained = result[index].metadata.get("shots")

    def _result(self, name: str, metadata: dict[str, Any]) -> Any:
        with np.load(self.place / "shards" / f"{name}.npz") as arrays:
            shape = tuple(arrays["shape"].tolist())
            if "evs" in arrays:
                data = DataBin(evs=arrays["evs"], stds=arrays["stds"], shape=shape)
                return PubResult(data, metadata=metadata)
            registers = {
                key.removeprefix("bits."): BitArray(
                    arrays[key], int(arrays["size." + key.removeprefix("bits.")])
                )
                for key in arrays
                if key.startswith("bits.")
            }
        return SamplerPubResult(DataBin(**registers, shape=shape), metadata=metadata)
