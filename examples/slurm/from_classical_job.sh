#!/bin/bash
# A classical job that calls a quantum device now and then: `slurm:` takes an allocation of its own
# in the quantum partition, and gives it back when it is idle; this job keeps its nodes.
#SBATCH --partition=classical
#SBATCH --time=00:10:00
#SBATCH --job-name=qdmi-hybrid
export QDMI_SLURM_PARTITION=quantum QDMI_SLURM_LICENSES=aer:1 QDMI_SLURM_TIME=00:10:00
exec "${PYTHON:-python3}" "${EXAMPLES:-$SLURM_SUBMIT_DIR}/loop.py" --backend slurm:aer
