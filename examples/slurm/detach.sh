#!/bin/bash
# Submit, log out, fetch another day: prints the id, then what `qdmi result ID` says once it is
# there. A job that is requeued goes on where it was, and sends nothing twice.
set -euo pipefail
export QDMI_SLURM_PARTITION=quantum QDMI_SLURM_LICENSES=aer:1 QDMI_SLURM_TIME=00:30:00
id="$("${QDMI:-qdmi}" submit "$(dirname "$0")/../bell.qasm" --backend slurm:aer --shots 1000)"
echo "job $id" >&2
"${QDMI:-qdmi}" wait "$id" >&2
"${QDMI:-qdmi}" result "$id" --json
