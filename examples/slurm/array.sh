#!/bin/bash
# Independent problems: one array task for each coupling, each with a seed of its own. Failed ones
# alone are run again with: sbatch --array=2,5 array.sh
#SBATCH --partition=quantum
#SBATCH --licenses=aer:1
#SBATCH --array=0-2
#SBATCH --time=00:10:00
#SBATCH --job-name=qdmi-array
#SBATCH --output=coupling-%a.json
couplings=(0.5 1.0 1.5)
exec "${PYTHON:-python3}" "${EXAMPLES:-$SLURM_SUBMIT_DIR}/loop.py" \
  --coupling "${couplings[$SLURM_ARRAY_TASK_ID]}" --seed "$((100 + SLURM_ARRAY_TASK_ID))"
