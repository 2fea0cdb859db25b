// Shows what a process with a share of a GPU, or with a MIG instance, is given, and that it is told how far
// the share is enforced: by NVIDIA MPS where its control daemon runs, else not at all.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { workloadSpecSchema } from '@clawbernetes/protocol';
import { afterEach, expect, test } from 'vitest';
import type { Launch } from '../../src/execution/executor.ts';
import { gpuAccess } from '../../src/execution/process/gpu-access.ts';
import { gpuShare, SHARE_NOT_ENFORCED } from '../../src/execution/process/gpu-share.ts';

const GPU = 'GPU-7ce23cd8-5c91-34a1-9e1b-28bd1419ce90';
const MIG = 'MIG-c7384736-a75d-5afc-978f-d2f1294409fd';
const OLD_MIG = `MIG-${GPU}/1/0`;

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0).toReversed()) cleanup();
});

function launch(devices: readonly string[], resources: object, env: Record<string, string> = {}): Launch {
  return {
    ...{ attemptId: 'at-1', workloadId: 'wl-1', namespace: 'default', epoch: { term: 1, counter: 1 } },
    spec: workloadSpecSchema.parse({ command: ['true'], resources, env }),
    devices,
    gpus: devices.map((id) => ({ id, index: 0, vendor: 'nvidia', simulated: false, memoryMib: 81_559 })),
  };
}

function folder(): string {
  const made = mkdtempSync(path.join(tmpdir(), 'mps-'));
  cleanups.push(() => rmSync(made, { recursive: true }));
  return made;
}

/** A process that is called like NVIDIA's control daemon, and the folder that names it. */
async function fakeDaemon(): Promise<string> {
  const pipes = folder();
  const program = path.join(pipes, 'nvidia-cuda-mps-control');
  copyFileSync('/bin/sleep', program);
  const daemon = spawn(program, ['600']);
  cleanups.push(() => daemon.kill('SIGKILL'));
  await once(daemon, 'spawn');
  writeFileSync(path.join(pipes, 'nvidia-cuda-mps-control.pid'), `${daemon.pid}\n`);
  return pipes;
}

test('whole GPUs come without limits', () => {
  expect(gpuShare(launch([GPU], { gpus: 1 }))).toEqual({ env: {}, limitations: [] });
});

test('a share without MPS is said not to be enforced', () => {
  const env = { CUDA_MPS_PIPE_DIRECTORY: folder() };
  expect(gpuShare(launch([GPU], { gpuMilli: 250 }, env))).toEqual({
    env: {},
    limitations: [SHARE_NOT_ENFORCED],
  });
});

test('a share under MPS sets its part of threads and memory', async () => {
  const env = { CUDA_MPS_PIPE_DIRECTORY: await fakeDaemon() };
  const share = gpuShare(launch([GPU], { gpuMilli: 250 }, env));
  expect(share.env).toMatchObject({
    CUDA_MPS_ACTIVE_THREAD_PERCENTAGE: '25',
    CUDA_MPS_PINNED_DEVICE_MEM_LIMIT: '0=20389M',
  });
  expect(share.limitations.join()).toContain('MPS (25 % of the threads, 20389 MiB)');
  // A simulated GPU, and one of another vendor, knows no MPS.
  expect(gpuShare(launch(['sim-gpu-0'], { gpuMilli: 250 }, env)).limitations).toEqual([SHARE_NOT_ENFORCED]);
});

test('a daemon that has died enforces nothing', () => {
  const pipes = folder();
  // This very process, which is no daemon of NVIDIA's.
  writeFileSync(path.join(pipes, 'nvidia-cuda-mps-control.pid'), `${process.pid}`);
  const env = { CUDA_MPS_PIPE_DIRECTORY: pipes };
  expect(gpuShare(launch([GPU], { gpuMilli: 1 }, env)).env).toEqual({});
});

test.each([
  ['a share', GPU, { gpuMilli: 250 }],
  ['a MIG instance', MIG, { gpus: 1, migProfile: '1g.10gb' }],
  ['a MIG instance of an older driver', OLD_MIG, { gpus: 1, migProfile: '1g.10gb' }],
])('%s shows the one device', (_, id, resources) => {
  expect(gpuAccess(launch([id], resources)).env).toEqual({
    CUDA_VISIBLE_DEVICES: id,
    NVIDIA_VISIBLE_DEVICES: id,
    ROCR_VISIBLE_DEVICES: '',
  });
});
