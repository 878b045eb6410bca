#!/bin/bash
# A job that was given a device by the site (SPANK, TaskProlog, or `export QDMI_BACKEND=` here):
# the program names none. Without job_submit.lua add the licence: -L aer:1
#SBATCH --partition=quantum
#SBATCH --time=00:10:00
#SBATCH --job-name=qdmi-in-job
# With the SPANK plug-in, another than the partition's default:  #SBATCH --qdmi-device=emerald
export OMP_NUM_THREADS="${SLURM_CPUS_PER_TASK:-${SLURM_CPUS_ON_NODE:-1}}"
exec "${PYTHON:-python3}" "${EXAMPLES:-$SLURM_SUBMIT_DIR}/loop.py"
