"""A site's INI file: which devices which partitions have; and what follows from it for Slurm.

The SPANK plug-in (`spank/`) reads the same file. INI, because a C plug-in reads it in twenty lines.

    [site]
    devices = aer, emerald
    [partition quantum]
    default = aer
    allow = aer, emerald
    [device emerald]
    license = iqm_emerald
    device = iqm:emerald
    url = https://iqm.example.org
    tokens_file = /etc/qdmi/tokens/%u.json
    [account chemistry]
    iqm_emerald = 600                  # minutes of the licence
"""

from __future__ import annotations

import configparser
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from qdmi_qiskit.errors import ConfigError, did_you_mean
from qdmi_qiskit.secret import guarded

_NAME = re.compile(r"[A-Za-z0-9._:+-]{1,64}")
_WORD = re.compile(r"[A-Za-z0-9_-]{1,64}")  # what is syntax in a list of licences is not in it


@dataclass(frozen=True)
class Device:
    """One device of a site.

    Attributes:
        name: What users say.
        license: What a job must hold; None: nothing.
        settings: Every other key, which becomes `QDMI_<NAME>_<KEY>`.
    """

    name: str
    license: str | None = None
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def variables(self) -> dict[str, str]:
        """What a job with this device gets."""
        head = re.sub(r"[^A-Z0-9]", "_", self.name.partition(":")[0].upper())
        found = {
            f"QDMI_{head}_{re.sub(r'[^A-Z0-9]', '_', key.upper())}": value
            for key, value in self.settings.items()
        }
        return {"QDMI_BACKEND": self.name, "QDMI_GRANTED": self.name, **found}


@dataclass(frozen=True)
class Partition:
    """One partition with devices."""

    name: str
    default: str | None
    allow: tuple[str, ...]


@dataclass(frozen=True)
class Site:
    """What the file says.

    Attributes:
        path: The file.
        devices: In its order.
        partitions: In its order.
        accounts: Minutes per licence.
    """

    path: Path
    devices: tuple[Device, ...]
    partitions: tuple[Partition, ...]
    accounts: Mapping[str, Mapping[str, int]]

    @property
    def licenses(self) -> tuple[str, ...]:
        """Each licence once."""
        return tuple(dict.fromkeys(d.license for d in self.devices if d.license))


def read(path: Path | str) -> Site:
    """Return what a file says.

    Raises:
        ConfigError: It cannot be read, or names what is not there; says where.
    """
    path = Path(path)
    parser = configparser.ConfigParser(interpolation=None, inline_comment_prefixes=(" #", " ;"))
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    try:
        parser.read_string(path.read_text(encoding="utf-8"), str(path))
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}; wanted a site's INI file") from error
    except (configparser.Error, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is no INI file: {' '.join(str(error).split())}") from error
    devices, partitions, accounts = list[Device](), list[Partition](), {}
    for section in parser.sections():
        kind, _, name = section.partition(" ")
        values, where = dict(parser[section]), f"{path} [{section}]"
        if kind != "site" and not _NAME.fullmatch(name):
            raise ConfigError(f"{where}: wanted '{kind} NAME', of letters, digits and '._:+-'")
        if kind == "device":
            devices.append(_device(name, values, where))
        elif kind == "partition":
            allow = _list(values.get("allow", ""))
            partitions.append(Partition(name, values.get("default"), allow))
        elif kind == "account":
            accounts[name] = {key: _minutes(key, text, where) for key, text in values.items()}
        elif kind != "site":
            kinds = ("site", "device", "partition", "account")
            raise ConfigError(f"{where}: unknown section{did_you_mean(kind, kinds)}")
    site = Site(path, tuple(devices), tuple(partitions), accounts)
    _check(site, _list(parser.get("site", "devices", fallback="")))
    return site


def _device(name: str, values: dict[str, str], where: str) -> Device:
    needed = values.pop("license", None)
    if needed is not None and not _WORD.fullmatch(needed):
        raise ConfigError(
            f"{where}: license={needed!r}; wanted letters, digits, '_' and '-': ':,@*|' are syntax"
        )
    for key, value in values.items():
        guarded(key, value, where)  # a literal token is refused
    return Device(name, needed, values)


def _minutes(key: str, text: str, where: str) -> int:
    if not text.isdigit():
        raise ConfigError(f"{where}: {key}={text!r}; wanted minutes")
    return int(text)


def _list(text: str) -> tuple[str, ...]:
    return tuple(word for word in re.split(r"[\s,]+", text) if word)


def _check(site: Site, listed: tuple[str, ...]) -> None:
    known = {device.name for device in site.devices}
    for name in listed:
        if name not in known:
            raise ConfigError(
                f"{site.path}: devices names {name!r}, and there is no [device {name}]"
            )
    for name in known - set(listed):
        raise ConfigError(f"{site.path}: [device {name}] is not in 'devices' of [site]")
    for partition in site.partitions:
        where = f"{site.path} [partition {partition.name}]"
        for name in partition.allow:
            if name not in known:
                raise ConfigError(f"{where} allows {name!r}{did_you_mean(name, known)}")
        if partition.default is not None and partition.default not in partition.allow:
            raise ConfigError(f"{where}: the default {partition.default!r} is not allowed there")


def slurm_conf(site: Site) -> str:
    """Return lines for slurm.conf."""
    licenses = ",".join(f"{name}:1" for name in site.licenses)
    lines = [
        f"Licenses={licenses}" if licenses else "# no device needs a licence",
        "JobSubmitPlugins=lua        # job_submit.lua lies beside slurm.conf",
        "# Quotas and fair share need slurmdbd; without 'safe' a job over its budget starts.",
        "AccountingStorageTRES=" + ",".join(f"license/{name}" for name in site.licenses),
        "AccountingStorageEnforce=associations,limits,qos,safe",
    ]
    for partition in site.partitions:
        by_name = {device.name: device for device in site.devices}
        needed = [by_name[name].license for name in partition.allow]
        weights = ",".join(f"license/{name}=100" for name in dict.fromkeys(needed) if name)
        lines.append(
            f"PartitionName={partition.name} Nodes=... MaxTime=60 DefaultTime=10 State=UP"
            + (f" TRESBillingWeights=CPU=0.1,{weights}" if weights else "")
        )
    return "\n".join(lines) + "\n"


def plugstack(site: Site) -> str:
    """Return the line for plugstack.conf."""
    return f"optional /usr/lib/slurm/qdmi_spank.so config={site.path.absolute()}\n"


def job_submit(site: Site) -> str:
    """Return job_submit.lua: refuses before anything queues, and adds licences."""
    partitions = ",\n".join(
        f"  [{_lua(p.name)}] = {{ default = {_lua(p.default or '')}, allow = {{ "
        + ", ".join(f"[{_lua(name)}] = true" for name in p.allow)
        + " } }"
        for p in site.partitions
    )
    licenses = ", ".join(f"[{_lua(d.name)}] = {_lua(d.license)}" for d in site.devices if d.license)
    return _LUA.replace("@PARTITIONS@", partitions).replace("@LICENSES@", licenses)


def _lua(text: str) -> str:
    return f'"{text}"'  # of characters that need no escape: checked when it was read


_LUA = """\
-- Beside slurm.conf, with JobSubmitPlugins=lua. Made by `qdmi slurm render`.
local partitions = {
@PARTITIONS@
}
local licenses = { @LICENSES@ }
local option = "^_SLURM_SPANK_OPTION_qdmi_qdmi_device=(.*)$"

local function asked(job)
  for i = 0, (job.spank_job_env_size or 0) - 1 do
    local name = string.match(job.spank_job_env[i] or "", option)
    if name then return name end
  end
end

local function holds(list, name)
  for word in string.gmatch(list or "", "[^,]+") do
    if string.match(word, "^[^:@*]+") == name then return true end
  end
  return false
end

function slurm_job_submit(job, _, _)
  local name, here = asked(job), partitions[job.partition or ""]
  if not here then
    if name then
      slurm.log_user("qdmi: partition '%s' has no QDMI devices; use one that has, or drop "
        .. "--qdmi-device", job.partition or "(default)")
      return slurm.ERROR
    end
    return slurm.SUCCESS
  end
  name = name or here.default
  if name == "" then return slurm.SUCCESS end
  if not here.allow[name] then
    slurm.log_user("qdmi: device '%s' is not allowed in partition %s", name, job.partition)
    return slurm.ERROR
  end
  local needed = licenses[name]
  if needed and not holds(job.licenses, needed) then
    local held = job.licenses
    if held == nil or held == "" then job.licenses = needed .. ":1"
    else job.licenses = held .. "," .. needed .. ":1" end
  end
  return slurm.SUCCESS
end

function slurm_job_modify(_, _, _, _) return slurm.SUCCESS end

return slurm.SUCCESS
"""


def task_prolog(site: Site) -> str:
    """Return a TaskProlog, for sites that take no SPANK plug-in: the user says `QDMI_BACKEND`."""
    lines = ["#!/bin/sh", "# TaskProlog of slurm.conf. Made by `qdmi slurm render`."]
    lines.append('case "$SLURM_JOB_PARTITION" in')
    for partition in site.partitions:
        allowed = " ".join(partition.allow)
        lines.append(f"  {partition.name}) default={partition.default or ''} allow='{allowed}' ;;")
    lines += [
        "  *) exit 0 ;;",
        "esac",
        "name=${QDMI_BACKEND:-$default}",
        '[ -n "$name" ] || exit 0',
        'case " $allow " in',
        '  *" $name "*) ;;',
        "  *) echo \"print qdmi: device '$name' is not allowed in partition $SLURM_JOB_PARTITION\"",
        "     exit 1 ;;",
        "esac",
        'case "$name" in',
    ]
    for device in site.devices:
        lines.append(f"  {device.name})")
        for key, value in device.variables.items():
            text = shlex.quote(f"export {key}={value}")
            lines.append(f"    printf '%s\\n' {text} | sed \"s/%u/$(id -u)/\"")
        lines.append("    ;;")
    return "\n".join([*lines, "esac", "exit 0"]) + "\n"


def quotas(site: Site) -> str:
    """Return commands that give accounts their minutes."""
    lines = ["#!/bin/sh", "# Minutes of each licence, for each account; needs slurmdbd."]
    for account, minutes in site.accounts.items():
        text = ",".join(f"license/{name}={number}" for name, number in minutes.items())
        lines.append(f"sacctmgr -i modify account {account} set GrpTRESMins={text}")
    lines.append("sshare -a -o Account,User,FairShare,RawUsage")
    return "\n".join(lines) + "\n"


PARTS = {
    "slurm.conf": slurm_conf,
    "plugstack.conf": plugstack,
    "job_submit.lua": job_submit,
    "task_prolog": task_prolog,
    "quotas": quotas,
}
"""What can be printed, by the file that it is for."""
