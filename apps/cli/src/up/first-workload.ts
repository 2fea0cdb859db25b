import type { WorkloadSpecInput } from '@clawbernetes/protocol';

const MIB = 128;
const PARTS = 4;

/**
 * Real work that every Debian machine can do: makes a file of random bytes in its private /tmp, part by part,
 * and
 * hashes it. Only a POSIX shell and coreutils are used, which are there in the sandbox, too.
 */
const SCRIPT = `set -eu
file=$(mktemp)
trap 'rm -f "$file"' EXIT
now() { date +%s%N; }
rate() { echo "$(($1 * 1000000000 / ($2 + 1))) MiB/s"; }
echo "writing ${MIB} MiB of random data"
begin=$(now)
part=0
while [ "$part" -lt ${PARTS} ]; do
  head -c ${(MIB / PARTS) * 1_048_576} /dev/urandom >>"$file"
  part=$((part + 1))
  echo "  $((part * ${MIB / PARTS})) of ${MIB} MiB"
done
end=$(now)
echo "written at $(rate ${MIB} $((end - begin)))"
echo "hashing it with SHA-256"
begin=$(now)
hash=$(sha256sum "$file")
end=$(now)
echo "  \${hash%% *}"
echo "hashed at $(rate ${MIB} $((end - begin)))"
`;

export const FIRST_WORKLOAD: WorkloadSpecInput = {
  name: 'first-workload',
  command: ['/bin/sh', '-c', SCRIPT],
  labels: { demo: 'true' },
};
