// Shows how engines' frames, facts and words are understood, other engines than the installed one included.
import fc from 'fast-check';
import { CodedError } from '@clawbernetes/kernel';
import { workloadSpecSchema } from '@clawbernetes/protocol';
import { describe, expect, it } from 'vitest';
import { containerExit } from '../../../src/execution/container/container-exit.ts';
import { containerState } from '../../../src/execution/container/container-state.ts';
import { containerSpec } from '../../../src/execution/container/container-spec.ts';
import { type EngineFacts, engineFacts } from '../../../src/execution/container/engine.ts';
import { EngineReply } from '../../../src/execution/container/engine-reply.ts';
import { engineSockets } from '../../../src/execution/container/engine-socket.ts';
import { gpuRequests } from '../../../src/execution/container/gpu-requests.ts';
import { OutputFrames } from '../../../src/execution/container/output-frames.ts';
import { startFailure } from '../../../src/execution/container/start-failure.ts';

const facts = (overrides: Partial<EngineFacts> = {}): EngineFacts => ({
  flavour: 'docker',
  name: 'Docker 28.2.2',
  apiVersion: '1.50',
  limitations: [],
  runtimes: ['runc'],
  cdi: false,
  cdiDevices: [],
  ...overrides,
});
const launch = (overrides: Record<string, unknown> = {}, devices: readonly string[] = []) => ({
  attemptId: 'attempt-1',
  workloadId: 'workload-1',
  namespace: 'default',
  epoch: { term: 1, counter: 1 },
  spec: workloadSpecSchema.parse({ image: 'busybox', command: ['train'], ...overrides }),
  devices,
});

describe('OutputFrames', () => {
  it('are the same however the stream is cut', () => {
    const frame = fc.record({ stream: fc.constantFrom(1, 2), payload: fc.uint8Array({ maxLength: 40 }) });
    fc.assert(
      fc.property(
        fc.array(frame, { maxLength: 10 }),
        fc.array(fc.integer({ min: 1, max: 50 })),
        (frames, cuts) => {
          const bytes = Buffer.concat(
            frames.map(({ stream, payload }) =>
              Buffer.concat([Buffer.from([stream, 0, 0, 0, 0, 0, 0, payload.length]), payload]),
            ),
          );
          const reader = new OutputFrames();
          const read = [];
          let offset = 0;
          for (const cut of [...cuts, bytes.length]) {
            read.push(...reader.push(bytes.subarray(offset, offset + cut)));
            offset += cut;
          }
          const expected = frames.map(({ stream, payload }) => [
            stream === 1 ? 'stdout' : 'stderr',
            [...payload],
          ]);
          expect(read.map(({ stream, payload }) => [stream, [...payload]])).toEqual(expected);
        },
      ),
    );
  });

  it('refuse what is no such stream', () => {
    expect(() => new OutputFrames().push(Buffer.from('HTTP/1.1 200 OK'))).toThrow(/not in its own format/);
  });
});

describe('where engines listen', () => {
  it('what somebody named is the only place', () => {
    const environment = { DOCKER_HOST: 'unix:///a.sock', XDG_RUNTIME_DIR: '/run/user/1000' };
    expect(engineSockets({ socketPath: 'unix:///b.sock', environment })).toEqual(['/b.sock']);
    expect(engineSockets({ environment })).toEqual(['/a.sock']);
  });

  it('without that, the usual ones', () => {
    const environment = { XDG_RUNTIME_DIR: '/run/user/1000' };
    expect(engineSockets({ environment })).toContain('/run/user/1000/podman/podman.sock');
    expect(engineSockets({ environment })[0]).toBe('/var/run/docker.sock');
  });
});

describe('engineFacts', () => {
  it('knows Podman, and what a host cannot enforce', () => {
    const version = new EngineReply({ Version: '4.9.3', Components: [{ Name: 'Podman Engine' }] });
    const info = new EngineReply({ SwapLimit: false, MemoryLimit: true, Runtimes: { crun: {} } });
    const podman = engineFacts(version, info, '1.41');
    expect(podman).toMatchObject({ flavour: 'podman', name: 'Podman 4.9.3', runtimes: ['crun'], cdi: false });
    expect(podman.limitations[0]).toContain('swap');
  });
});

describe('GPUs', () => {
  const nvidia = {
    id: 'GPU-8f2c2d3e-1111-2222-3333-444455556666',
    index: 1,
    vendor: 'nvidia',
    simulated: false,
  } as const;
  const amd = { id: '0000:03:00.0', index: 0, vendor: 'amd', simulated: false } as const;

  it("go by id to NVIDIA's runtime", () => {
    expect(gpuRequests([nvidia.id], facts({ runtimes: ['runc', 'nvidia'] }), [nvidia])).toEqual([
      { Driver: 'nvidia', DeviceIDs: [nvidia.id], Capabilities: [['gpu']] },
    ]);
  });

  it('go by CDI name elsewhere, by the one that the engine knows', () => {
    const cdi = facts({ cdi: true });
    expect(gpuRequests([nvidia.id], cdi, [nvidia])[0]?.DeviceIDs).toEqual(['nvidia.com/gpu=1']);
    const known = facts({ cdi: true, cdiDevices: [`nvidia.com/gpu=${nvidia.id}`] });
    expect(gpuRequests([nvidia.id], known, [])[0]?.DeviceIDs).toEqual([`nvidia.com/gpu=${nvidia.id}`]);
    expect(gpuRequests([amd.id], cdi, [amd])[0]?.DeviceIDs).toEqual(['amd.com/gpu=0']);
  });

  it('are never silently missing', () => {
    expect(() => gpuRequests([nvidia.id], facts(), [nvidia])).toThrow(/NVIDIA Container Toolkit/);
    expect(() => gpuRequests([nvidia.id], facts({ flavour: 'podman', cdi: true }), [nvidia])).toThrow(
      /Podman/,
    );
    expect(() => gpuRequests(['GPU-7'], facts({ cdi: true }), [nvidia])).toThrow(/not one of this node's/);
    expect(() => gpuRequests(['MIG-8f2c2d3e-1'], facts({ cdi: true }), [])).toThrow(/knows no device/);
  });

  it('are known from the launch, as are the user and the limits from the policy', () => {
    const order = { ...launch({}, [amd.id]), gpus: [nvidia, amd] };
    const policy = { owner: 'o', maxProcesses: 10, user: '65534:65533' };
    const spec = new EngineReply(containerSpec(order, facts({ cdi: true }), policy));
    const requests = spec.at('HostConfig', 'DeviceRequests').items();
    expect(requests[0]?.at('DeviceIDs').items()[0]?.text()).toBe('amd.com/gpu=0');
    expect(spec.at('User').text()).toBe('65534:65533');
    expect(() => containerSpec(order, facts(), policy)).toThrow(/AMD Container Toolkit/);
  });

  it('that are simulated are not asked for, and nothing is visible that was not granted', () => {
    const policy = { owner: 'o', maxProcesses: 10 };
    const spec = new EngineReply(
      containerSpec(launch({ env: { NVIDIA_VISIBLE_DEVICES: 'all' } }, ['sim-gpu-0']), facts(), policy),
    );
    expect(spec.at('HostConfig', 'DeviceRequests').items()).toEqual([]);
    const env = spec
      .at('Env')
      .items()
      .map((item) => item.text());
    expect(env).toContain('NVIDIA_VISIBLE_DEVICES=void');
    expect(env).not.toContain('NVIDIA_VISIBLE_DEVICES=all');
  });
});

describe('startFailure', () => {
  const refused = (said: string, status = 400): CodedError =>
    new CodedError('refused', { code: 'engine-refused', status, said });
  const cases = [
    ['exec: "train": executable file not found in $PATH: unknown', 'command-not-found'],
    [
      'runc create failed: unable to start container process: exec: "/x": stat /x: no such file or directory',
      'command-not-found',
    ],
    [
      'crun: executable file `train` not found in $PATH: No such file or directory: OCI runtime error',
      'command-not-found',
    ],
    ['No command specified', 'command-not-found'],
    [
      'unable to start container process: exec: "/etc/passwd": permission denied: unknown',
      'command-not-executable',
    ],
    ['exec /train: exec format error', 'command-not-executable'],
    ['invalid mount config for type "bind": bind source path does not exist: /data', 'launch-failed'],
    ['No such image: busybox:latest', 'image-not-found'],
  ] as const;
  for (const [said, code] of cases) {
    it(`"${said.slice(0, 60)}" is ${code}`, () => {
      expect(startFailure(launch(), refused(said)).code).toBe(code);
    });
  }

  it('an engine that is gone is told as such', () => {
    const gone = new CodedError('connect ENOENT', { code: 'engine-unreachable' });
    expect(startFailure(launch(), gone).code).toBe('executor-unavailable');
  });
});

describe('containerExit', () => {
  const state = (exitCode: number, oom = false) =>
    containerState(
      new EngineReply({
        State: { Status: 'exited', ExitCode: exitCode, OOMKilled: oom, FinishedAt: '2026-01-01T00:00:00.5Z' },
        HostConfig: { Memory: 32 * 1024 * 1024 },
      }),
    );
  const context = { stopReason: undefined, nowMs: 0 };

  it('codes and signals', () => {
    expect(containerExit(state(3), context)).toEqual({ exitCode: 3, finishedAtMs: 1767225600500 });
    expect(containerExit(state(143), context)).toMatchObject({ signal: 'SIGTERM' });
    expect(containerExit(state(255), context)).toMatchObject({ exitCode: 255 });
    expect(containerExit(state(128), context)).toMatchObject({ exitCode: 128 });
  });

  it('memory', () => {
    expect(containerExit(state(137, true), context)).toMatchObject({
      signal: 'SIGKILL',
      reason: 'out-of-memory',
      message: expect.stringContaining('32.0 MiB'),
    });
    expect(containerExit(state(5, true), context).reason).toBeUndefined();
  });
});
