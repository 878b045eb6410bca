#!/bin/bash
# From a login node, no batch script: one allocation for the whole loop. The licence is held while
# the program runs and no longer; Ctrl-C leaves nothing behind.
export QDMI_SLURM_PARTITION=quantum QDMI_SLURM_LICENSES=aer:1 QDMI_SLURM_TIME=00:30:00
exec "${PYTHON:-python3}" "$(dirname "$0")/loop.py" --backend slurm:aer
