"""What follows from a site's INI file for the files of its Slurm. Pure text; changes nothing."""

from __future__ import annotations

import shlex

from qdmi_qiskit.devices.slurm.site import Site


def slurm_conf(site: Site) -> str:
    """Return lines for slurm.conf."""
    licenses = ",".join(f"{name}:1" for name in site.licenses)
    lines = [
        f"Licenses={licenses}" if licenses else "# no device needs a licence",
        "JobSubmitPlugins=lua        # job_submit.lua lies beside slurm.conf",
        "# Quotas and fair share need slurmdbd; without 'safe' a job over its budget starts.",
        "AccountingStorageTRES=" + ",".join(f"license/{name}" for name in site.licenses),
        "AccountingStorageEnforce=associations,limits,qos,safe",
        "PriorityType=priority/multifactor   # without it usage is not counted, and sshare shows 0",
        "PriorityWeightFairshare=10000",
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
