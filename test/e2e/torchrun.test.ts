// Shows that torchrun needs no option of its own in a gang: its processes on all nodes find each other.
import { spawnSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { RealFleet } from './support/real-fleet.ts';

vi.setConfig({ testTimeout: 300_000, hookTimeout: 60_000 });

/** Debian's, whatever other Python a developer has. */
const TORCHRUN = '/usr/bin/torchrun';
const hasTorch = spawnSync(TORCHRUN, ['--help']).status === 0;
const needsTorch = hasTorch ? '' : ' [skipped: needs PyTorch: apt-get install python3-torch]';

/** Every process adds its number; all must come to the same sum. */
const SUM = `
import sys, torch, torch.distributed as dist
dist.init_process_group("gloo")
sum = torch.tensor([float(dist.get_rank() + 1)])
dist.all_reduce(sum)
with open(sys.argv[1], "a") as file:
    file.write(f"{dist.get_world_size()} processes, sum {int(sum.item())}\\n")
dist.destroy_process_group()
`;
/** With its own defaults torchrun 1.13 fails under Python 3.11, where no flag has a member 0. */
const OUTPUT = { PET_REDIRECTS: '1', PET_TEE: '1' };

let fleet: RealFleet;
beforeAll(async () => {
  if (!hasTorch) return;
  const args = ['--simulate-gpus', '2xH100', '--label', 'address=127.0.0.1'];
  fleet = await RealFleet.open(['alpha', 'beta'].map((name) => ({ name, args })));
  await writeFile(path.join(fleet.work, 'sum.py'), SUM);
});
afterAll(() => (hasTorch ? fleet[Symbol.asyncDispose]() : undefined));

it.skipIf(!hasTorch).each([
  ['of two', { gang: { members: 2 } }],
  // Members that meet at a server are told apart by host and process id: here those are in one namespace.
  ['that may be smaller', { gang: { members: 2, minMembers: 1 }, sandbox: 'off' as const }],
])(`torchrun in a gang %s${needsTorch}`, async (name, spec) => {
  await fleet.untilAllFree();
  const { id } = await fleet.run({
    command: [TORCHRUN, 'sum.py', `${name}.txt`],
    workingDirectory: fleet.work,
    env: { OMP_NUM_THREADS: '1', GLOO_SOCKET_IFNAME: 'lo', ...OUTPUT },
    resources: { gpus: 2 },
    ...spec,
  });
  const { state } = await fleet.client.waitForEnd(id);
  expect(`${state}\n${await fleet.file(`${name}.txt`)}`).toBe(
    `succeeded\n${'4 processes, sum 10\n'.repeat(4)}`,
  );
});
