// Shows that it works at all.
import { expect, it } from 'vitest';
import { launchOf, logText, SupervisorBench, untilEnded } from './bench.ts';
it('runs', async () => {
  await using bench = new SupervisorBench();
  const s = await bench.connect();
  console.log(await s.launch(launchOf('a1', 'echo hi; echo err >&2; exit 3')));
  console.log(await untilEnded(s, 'a1'), JSON.stringify(await logText(s, 'a1')));
  expect(1).toBe(1);
});
