// Shows attempts with a barrier in a real supervisor process: they wait at ready, and begin once released.
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { SocketSupervisor } from '../../src/supervisor/socket-supervisor.ts';
import { launchOf, logText, statusOf, SupervisorBench, untilEnded, untilState } from './bench.ts';

let bench: SupervisorBench;
let supervisor: SocketSupervisor;
beforeAll(async () => {
  bench = new SupervisorBench();
  supervisor = await bench.connect({});
});
afterAll(() => bench[Symbol.asyncDispose]());

it('it waits at ready and prints nothing; released, also twice, it runs once', async () => {
  await supervisor.launch({ ...launchOf('held', 'echo begun'), barrier: true });
  const ready = await untilState(supervisor, 'held', 'ready');
  expect(ready.startedAtMs).toBeUndefined();
  // Another that was launched later has run to its end: this one had the time to begin.
  await supervisor.launch(launchOf('other', 'true'));
  await untilEnded(supervisor, 'other');
  expect(await statusOf(supervisor, 'held')).toMatchObject({ state: 'ready', logEnd: 0 });
  await supervisor.release('held');
  await supervisor.release('held');
  expect(await untilEnded(supervisor, 'held')).toMatchObject({ state: 'exited', exitCode: 0 });
  expect(await logText(supervisor, 'held')).toBe('begun\n');
});

it('it can be stopped there, and never begins', async () => {
  await supervisor.launch({ ...launchOf('stopped', 'echo begun'), barrier: true });
  await untilState(supervisor, 'stopped', 'ready');
  await supervisor.stop('stopped', { graceMs: 1000 });
  const end = await untilEnded(supervisor, 'stopped');
  expect(end).toMatchObject({ state: 'killed', reason: 'stopped', logEnd: 0 });
  expect(end.startedAtMs).toBeUndefined();
});

it('a release that comes first lets it pass; one for others, or nobody, is nothing', async () => {
  const launched = supervisor.launch({ ...launchOf('early', 'echo begun'), barrier: true });
  await launched;
  await supervisor.release('early');
  await supervisor.release('nobody');
  expect(await untilEnded(supervisor, 'early')).toMatchObject({ state: 'exited', exitCode: 0 });
  await supervisor.launch(launchOf('without', 'exit 4'));
  await supervisor.release('without');
  expect(await untilEnded(supervisor, 'without')).toMatchObject({ exitCode: 4 });
});
