"""Which plug-ins there are, and what each lacks: by metadata alone, nothing is imported."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib import metadata

from qdmi_qiskit.registry import GROUP

_REQUIREMENT = re.compile(
    r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)[^;]*;.*\bextra\s*==\s*['\"]([^'\"]+)['\"]"
)

_NOT_NEEDED = {("qdmi-qiskit", "slurm")}
"""Extras with the name of a scheme whose devices open without them (submitit: `executor` alone)."""


@dataclass(frozen=True)
class Plugin:
    """One scheme and the distribution that provides it.

    Attributes:
        scheme: Before the colon of a name.
        distribution: Who provides it.
        extra: The extra of that distribution with the scheme's name, or empty.
        requires: The distributions which that extra names.
    """

    scheme: str
    distribution: str
    extra: str = ""
    requires: tuple[str, ...] = ()

    @property
    def missing(self) -> tuple[str, ...]:
        """Distributions that it needs and that are not installed."""
        return tuple(name for name in self.requires if version_of(name) is None)

    @property
    def install(self) -> str:
        """The command that installs what is missing."""
        what = f"{self.distribution}[{self.extra}]" if self.extra else self.distribution
        return f"pip install '{what}'"


def version_of(distribution: str) -> str | None:
    """Return the version that is installed, if any."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def plugins() -> list[Plugin]:
    """Return every plug-in, sorted by scheme."""
    found = [_plugin(point) for point in metadata.entry_points(group=GROUP)]
    return sorted(set(found), key=lambda plugin: (plugin.scheme, plugin.distribution))


def _plugin(point: metadata.EntryPoint) -> Plugin:
    if point.dist is None:
        return Plugin(point.name, "unknown")
    if (point.dist.name, point.name) in _NOT_NEEDED:
        return Plugin(point.name, point.dist.name)
    extra, requires = "", []
    for line in point.dist.requires or ():
        match = _REQUIREMENT.match(line)
        if match and _normal(match[2]) == _normal(point.name):
            extra = match[2]
            requires.append(match[1])
    return Plugin(point.name, point.dist.name, extra, tuple(requires))


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
