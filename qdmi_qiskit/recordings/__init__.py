"""Recorded devices: files of `spec_json`, and three that come with the package.

The packaged ones are synthetic, made by `recordings.synthetic`:

* `grid20`: 20 qubits on a grid, one of whose couplers is out of order.
* `star6`: six qubits around a resonator. Two qubits meet by MOVE, CZ, MOVE, and the recording
  carries the whole of that as one `cz`, as `iqm:` reports stars: a product of fidelities, a sum of
  durations. CZs that share a MOVE are charged for two each, so a replay is never too good.
* `lattice107`: a lattice of nine by twelve with a gap, so that names and indices differ.
"""

from __future__ import annotations

import math
from importlib import resources
from pathlib import Path

from qdmi_qiskit import spec_json
from qdmi_qiskit.errors import ConfigError, did_you_mean
from qdmi_qiskit.model import DeviceSpec

NAMES = ("grid20", "lattice107", "star6")
"""Packaged recordings."""

_PREFIX = "replay:"


def load(name: Path | str) -> DeviceSpec:
    """Return a recorded device.

    Args:
        name: A packaged name, else the path of a file, `~` being the home directory; with or
            without `replay:` before it.

    Raises:
        ConfigError: There is neither, or the file is no recording; names the field.
    """
    text = str(name).removeprefix(_PREFIX)
    if text in NAMES:
        packaged = resources.files(__package__) / f"{text}.json"
        return spec_json.loads(packaged.read_text(encoding="utf-8"))
    if not text:
        raise ConfigError(f"no recording named: wanted {', '.join(NAMES)} or the path of a file")
    path = Path(text)
    if text.startswith("~"):
        try:
            path = path.expanduser()
        except RuntimeError as error:
            raise ConfigError(f"{text}: {error}; wanted the path of a recording") from error
    if path.name == text and "." not in text and not path.exists():
        raise ConfigError(
            f"there is no packaged recording and no file {text!r}{did_you_mean(text, NAMES)}"
        )
    try:
        return checked(spec_json.load(path))
    except ConfigError as error:
        where = "" if str(path) in str(error) else f"{path}: "
        raise ConfigError(f"{where}{error}") from error


def checked(spec: DeviceSpec) -> DeviceSpec:
    """Return a spec whose figures can be simulated.

    Raises:
        ConfigError: A probability is none, or a time is negative; names the field.
    """
    for k, site in enumerate(spec.sites):
        for name in ("t1", "t2"):
            _check(f"sites[{k}].{name}", getattr(site, name), "more than 0 s", least=5e-324)
        for name in ("prob_meas1_prep0", "prob_meas0_prep1"):
            _check(f"sites[{k}].{name}", getattr(site, name), "0 to 1", most=1.0)
    for k, operation in enumerate(spec.operations):
        for j, figures in enumerate((operation.sites or {}).values()):
            where = f"operations[{k}].sites[{j}]"
            _check(f"{where}.fidelity", figures.fidelity, "0 to 1", most=1.0)
            _check(f"{where}.duration", figures.duration, "0 s or more")
    return spec


def _check(
    where: str, value: float | None, wanted: str, *, least: float = 0.0, most: float = math.inf
) -> None:
    if value is not None and not least <= value <= most:
        raise ConfigError(f"{where}: got {value!r}; wanted {wanted}, or null for unknown")
