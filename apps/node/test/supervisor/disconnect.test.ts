// Shows that work which may not run without contact ends by itself: politely and then by force, while its
// agent is dead and after a death of its supervisor, and not while there is contact.
import { expect, it } from 'vitest';
import { machineUptimeMs } from '../../src/supervisor/machine-uptime.ts';
import type { Launch } from '../../src/execution/executor.ts';
import { until } from '../../src/testing/until.ts';
import { launchOf, logText, politeProgram, SupervisorBench, untilEnded, untilState } from './bench.ts';
import { marked } from './plain-executors.ts';

const AFTER_MS = 1500;

function stopping(attemptId: string, command: Parameters<typeof launchOf>[1], image?: string): Launch {
  const onDisconnect = { action: 'stop', afterMs: AFTER_MS } as const;
  const spec = { onDisconnect, stopGraceMs: 300, ...(image === undefined ? {} : { image }) };
  return launchOf(attemptId, command, spec, { contactMs: machineUptimeMs() });
}

it('ends politely, or by a kill after the grace, though the agent is dead', async () => {
  await using bench = new SupervisorBench();
  const agent = await bench.agentProcess([
    stopping('polite', politeProgram('cleaned', 0, 9)),
    stopping('stubborn', 'trap "" TERM; echo up; while :; do sleep 0.01; done'),
    launchOf('endless', 'sleep 60'),
  ]);
  const died = new Promise((resolve) => agent.once('exit', resolve));
  agent.kill('SIGKILL');
  await died;
  await until('nothing of both is left', () => ['polite', 'stubborn'].flatMap(marked).length === 0);
  const supervisor = await bench.connect();
  const polite = await untilEnded(supervisor, 'polite');
  expect(polite).toMatchObject({ state: 'killed', reason: 'disconnected', exitCode: 9 });
  expect(polite.message).toContain('had no contact with the gateway for 1.5s');
  expect(polite.limitations.join()).toContain('runs on without contact');
  expect(await logText(supervisor, 'polite')).toContain('cleaned');
  const stubborn = await untilEnded(supervisor, 'stubborn');
  expect(stubborn).toMatchObject({ state: 'killed', reason: 'disconnected', signal: 'SIGKILL' });
  await untilState(supervisor, 'endless', 'running');
});

it('goes on as long as there is contact', async () => {
  await using bench = new SupervisorBench();
  const supervisor = await bench.connect();
  const launchedMs = machineUptimeMs();
  await supervisor.launch(stopping('kept', 'echo up; sleep 60'));
  await until('it has run for three times as long as it may without', async () => {
    await supervisor.contact(supervisor.uptimeMs());
    return machineUptimeMs() - launchedMs > 3 * AFTER_MS;
  });
  await untilState(supervisor, 'kept', 'running');
  expect(await untilEnded(supervisor, 'kept')).toMatchObject({ reason: 'disconnected' });
});

it('counts on from the same contact when another supervisor has taken over', async () => {
  await using bench = new SupervisorBench();
  const supervisor = await bench.connect();
  await supervisor.launch(stopping('survivor', 'sleep 60', 'here'));
  await untilState(supervisor, 'survivor', 'running');
  await supervisor.contact(supervisor.uptimeMs());
  const contactMs = machineUptimeMs();
  process.kill(supervisor.pid ?? 0, 'SIGKILL');
  expect(await untilEnded(supervisor, 'survivor')).toMatchObject({ state: 'killed', reason: 'disconnected' });
  expect(machineUptimeMs() - contactMs).toBeGreaterThanOrEqual(AFTER_MS - 100);
});

it('does not begin when it was ordered too long ago', async () => {
  await using bench = new SupervisorBench();
  const supervisor = await bench.connect();
  const late = { ...stopping('late', 'true'), contactMs: machineUptimeMs() - AFTER_MS };
  await expect(supervisor.launch(late)).rejects.toMatchObject({ code: 'no-contact' });
  expect(await supervisor.list()).toEqual([]);
});
