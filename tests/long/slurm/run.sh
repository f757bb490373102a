#!/bin/bash
# Starts a SLURM cluster of one node on this machine and runs folds on it; the result must be that of a
# serial run, digest for digest. Needs root and the Debian packages slurmctld, slurmd and munge:
#   apt-get install slurmctld slurmd munge && tests/long/slurm/run.sh
# Not a part of `make test`. Everything is kept in a temporary folder and stopped at the end.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
python=${PYTHON:-$here/../../../.venv/bin/python}
for tool in munged slurmctld slurmd sbatch; do
    command -v $tool >/dev/null || { echo "run.sh: $tool is missing: apt-get install slurmctld slurmd munge" >&2; exit 1; }
done
[ "$(id -u)" = 0 ] || { echo "run.sh: must be run as root, as slurmd is" >&2; exit 1; }

work=$(mktemp -d /tmp/memaa-slurm-XXXXXX)
started=()
stop() {
    code=$?
    for pid in "${started[@]}"; do kill "$pid" 2>/dev/null || true; done
    wait 2>/dev/null || true
    if [ $code = 0 ]; then rm -rf "$work"; else echo "logs: $work" >&2; fi
}
trap stop EXIT

# munge: the cluster's shared secret
mkdir -m 700 "$work/munge"
dd if=/dev/urandom of="$work/munge/key" bs=1024 count=1 status=none
chmod 400 "$work/munge/key"
munged --foreground --force --key-file="$work/munge/key" --socket="$work/munge.socket" \
    --pid-file="$work/munge/pid" --seed-file="$work/munge/seed" --log-file="$work/munge/log" 2> /dev/null &
started+=($!)

cat > "$work/slurm.conf" <<CONF
ClusterName=memaa
SlurmctldHost=$(hostname -s)(127.0.0.1)
SlurmctldPort=26817
SlurmdPort=26818
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$work/munge.socket
CryptoType=crypto/munge
StateSaveLocation=$work/state
SlurmdSpoolDir=$work/spool
SlurmctldPidFile=$work/slurmctld.pid
SlurmdPidFile=$work/slurmd.pid
SlurmctldLogFile=$work/slurmctld.log
SlurmdLogFile=$work/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
NodeName=$(hostname -s) NodeAddr=127.0.0.1 CPUs=$(nproc) RealMemory=4000 State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=01:00:00 State=UP
CONF
mkdir "$work/state" "$work/spool" "$work/jobs"
export SLURM_CONF=$work/slurm.conf
slurmctld -D -f "$SLURM_CONF" > /dev/null 2>&1 & started+=($!)
slurmd -D -f "$SLURM_CONF" > /dev/null 2>&1 & started+=($!)

for _ in $(seq 60); do
    if sinfo -h -o %T 2>/dev/null | grep -q idle; then break; fi
    sleep 1
done
sinfo

export DASK_CONFIG=$here OMP_NUM_THREADS=1 MEMAA_CACHE=$work/cache
cd "$work/jobs"
"$python" "$here/compare.py"
