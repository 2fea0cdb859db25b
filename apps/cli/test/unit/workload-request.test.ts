// Shows what the arguments of `run` become: specification, environment, mounts and working directory.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { workloadSpecSchema } from '@clawbernetes/protocol';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { disconnection, mebibytes, milliCores, gpuShare } from '../../src/declare/option-values.ts';
import { shellWords } from '../../src/output/phrases.ts';
import { readEnvironment } from '../../src/run/environment.ts';
import type { RunOptions } from '../../src/run/run-options.ts';
import { workloadRequest } from '../../src/run/workload-request.ts';

const LOCAL = 'http://127.0.0.1:8080';
let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'clawbernetes-request-'));
});
afterAll(() => rm(folder, { recursive: true }));

function request(
  command: readonly string[],
  options: RunOptions = {},
  { image, gatewayUrl = LOCAL }: { readonly image?: string; readonly gatewayUrl?: string } = {},
) {
  const config = { cwd: '/here', env: { MINE: 'yes' }, afterDashes: command };
  return workloadRequest(config, { operands: image === undefined ? [] : [image], options, gatewayUrl });
}

describe('workloadRequest', () => {
  it('leaves out what was not asked for, so that defaults apply', async () => {
    expect(await request(['true'])).toEqual({
      command: ['true'],
      env: {},
      workingDirectory: '/here',
      resources: {},
    });
  });

  it('gives each policy its number of tries, and all the same delays', async () => {
    const options = { restart: 5, restartOn: 'always', replace: 0, retryDelay: 2000 } as const;
    const onDisconnect = disconnection('stop=5m');
    const spec = await request(['true'], { ...options, onDisconnect, exclusive: true });
    expect(spec).toMatchObject({
      restart: { attempts: 5, delayMs: 2000, on: 'always' },
      replace: { attempts: 0, delayMs: 2000 },
      onDisconnect: { action: 'stop', afterMs: 300_000 },
      exclusive: true,
    });
    expect(spec).not.toHaveProperty('reschedule');
    expect(workloadSpecSchema.parse(spec).restart?.maxDelayMs).toBe(300_000);
    for (const lacking of [{ retryDelay: 1 }, { restartOn: 'always', replace: 1 }] as const)
      await expect(request(['true'], lacking)).rejects.toThrow('Say how often');
    expect(disconnection('continue')).toEqual({ action: 'continue' });
    for (const wrong of ['stop', 'stop=', 'pause=5m', 'stop=soon'])
      expect(() => disconnection(wrong)).toThrow(/Write|duration/);
  });

  it('makes a gang of members, and says what goes only with them', async () => {
    const options = { members: 8, minMembers: 6, topology: 'rack', spreadBy: 'power=preferred', maxSkew: 2 };
    const spec = await request(['true'], options);
    expect(workloadSpecSchema.parse(spec)).toMatchObject({
      gang: { members: 8, minMembers: 6, topology: { level: 'rack', mode: 'required' } },
      spread: { by: 'power', mode: 'preferred', maxSkew: 2 },
    });
    expect(await request(['true'], { members: 2, topology: 'site=preferred' })).toMatchObject({
      gang: { members: 2, topology: { level: 'site', mode: 'preferred' } },
    });
    for (const lacking of [{ minMembers: 2 }, { topology: 'rack' }, { spreadBy: 'rack' }])
      await expect(request(['true'], lacking)).rejects.toThrow('--members');
    await expect(request(['true'], { members: 2, maxSkew: 1 })).rejects.toThrow('--spread-by');
    await expect(request(['true'], { members: 2, topology: 'rack=maybe' })).rejects.toThrow('rack=preferred');
  });

  it('takes the caller’s folder only for processes of this machine', async () => {
    expect(await request(['true'], {}, { gatewayUrl: 'https://fleet.example' })).not.toHaveProperty(
      'workingDirectory',
    );
    expect(await request([], {}, { image: 'busybox' })).not.toHaveProperty('workingDirectory');
    expect(await request(['true'], { workdir: 'sub' })).toMatchObject({ workingDirectory: '/here/sub' });
  });

  it('makes a specification that the schema accepts from every option', async () => {
    const spec = await request(['python3', 'train.py'], {
      name: 'train',
      gpuType: ['H100', 'A100'],
      minGpuMemory: 40_960,
      cpus: 1500,
      memory: 2048,
      env: ['A=b=c', 'MINE', 'ABSENT'],
      mount: ['data:/data', '/models:/models:rw'],
      timeout: 1000,
      stopGrace: 0,
      sandbox: 'required',
      network: 'none',
      node: 'gpu-07',
      nodeSelector: { zone: 'a' },
      label: { team: 'x' },
    });
    expect(workloadSpecSchema.parse(spec)).toMatchObject({
      resources: {
        gpus: 1,
        gpuModels: ['H100', 'A100'],
        minGpuMemoryMib: 40_960,
        cpuMilli: 1500,
        memoryMib: 2048,
      },
      env: { A: 'b=c', MINE: 'yes' },
      mounts: [
        { source: '/here/data', target: '/data', readOnly: true },
        { source: '/models', target: '/models', readOnly: false },
      ],
      nodeSelector: { node: 'gpu-07', zone: 'a' },
      stopGraceMs: 0,
    });
  });
});

describe('GPUs', () => {
  it.each([
    [
      { gpuShare: 250, gpuType: ['H100'] },
      { gpus: 0, gpuMilli: 250, gpuModels: ['H100'] },
    ],
    [{ mig: '1g.10gb' }, { gpus: 1, migProfile: '1g.10gb' }],
    [
      { gpus: 2, mig: '1g.10gb' },
      { gpus: 2, migProfile: '1g.10gb' },
    ],
    [
      { gpus: 4, nvlink: 'required' as const },
      { gpus: 4, nvlink: 'required' },
    ],
  ])('%j asks for %j', async (options, resources) => {
    const spec = workloadSpecSchema.parse(await request(['true'], options));
    expect(spec.resources).toMatchObject(resources);
  });
});

describe('values', () => {
  it.each([
    ['512', 512],
    ['512m', 512],
    ['2g', 2048],
    ['1.5GiB', 1536],
    ['2048k', 2],
    ['1t', 1_048_576],
  ])('memory %s is %i MiB', (text, mib) => {
    expect(mebibytes(text)).toBe(mib);
  });

  it.each([
    ['250m', 250],
    ['0.25', 250],
    ['33.3%', 333],
    ['1m', 1],
    ['99.9%', 999],
  ])('%s of a GPU is %i thousandths', (text, milli) => {
    expect(gpuShare(text)).toBe(milli);
  });

  it.each(['0', '1', '1000m', '2', '100%', '-1', 'half', ''])('%s is no share of a GPU', (text) => {
    expect(() => gpuShare(text)).toThrow(/250m, 0\.25 or 25%/);
  });

  it('cores become thousandths', () => {
    expect(milliCores('0.5')).toBe(500);
    expect(() => milliCores('half')).toThrow(/0\.5 or 2/);
  });

  it('an environment file gives way to options and skips comments', async () => {
    const file = path.join(folder, 'env');
    await writeFile(file, '# no\n\nA=file\r\nB=x=y\nMINE\n');
    const caller = { MINE: 'mine' };
    expect(await readEnvironment({ pairs: ['A=option'], file, caller })).toEqual({
      A: 'option',
      B: 'x=y',
      MINE: 'mine',
    });
    await expect(readEnvironment({ pairs: [], file: `${file}.none`, caller })).rejects.toMatchObject({
      code: 'invalid-arguments',
    });
  });
});

describe('shellWords', () => {
  it('a shell reads back what was written', async () => {
    const { execFileSync } = await import('node:child_process');
    const words = fc.array(
      fc.string({ minLength: 1 }).map((text) => text.replaceAll('\0', '')),
      { minLength: 1, maxLength: 4 },
    );
    fc.assert(
      fc.property(words, (list) => {
        const script = `for word in ${shellWords(list)}; do printf '%s\\0' "$word"; done`;
        expect(execFileSync('sh', ['-c', script]).toString()).toBe(list.map((word) => `${word}\0`).join(''));
      }),
      { numRuns: 25 },
    );
  });
});
