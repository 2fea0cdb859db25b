// Shows that the logs of several members come in the order of their times and in whole lines, whatever pieces
// they are in, and that nothing of them is lost.
import type { Client, LogEntry } from '@clawbernetes/sdk';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { memberLogs } from '../../src/output/member-logs.ts';

type Piece = Pick<LogEntry, 'timeMs'> & { readonly text: string };

/** A client of which only the logs are asked. */
function clientOf(members: readonly (readonly Piece[])[]): Client {
  async function* followLogs(_workload: string, { rank = 0 }: { readonly rank?: number }) {
    let position = 0;
    for (const { timeMs, text } of members[rank] ?? []) {
      await Promise.resolve();
      position += text.length;
      yield { stream: 'stdout' as const, timeMs, bytes: Buffer.from(text), position };
    }
  }
  return { followLogs } as unknown as Client;
}

const pieces = fc.array(fc.constantFrom('a', 'bc\n', '\n', 'd\ne\n', 'f'), { maxLength: 8 });

it('for any pieces', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(pieces, { minLength: 1, maxLength: 4 }),
      fc.boolean(),
      async (texts, follow) => {
        const members = texts.map((all, rank) => all.map((text, at) => ({ text, timeMs: at * 10 + rank })));
        const shown: { rank: number; timeMs: number; text: string }[] = [];
        const ranks = members.map((_, rank) => rank);
        for await (const { rank, timeMs, bytes } of memberLogs(clientOf(members), 'gang', ranks, { follow }))
          shown.push({ rank, timeMs, text: Buffer.from(bytes).toString() });
        for (const [rank, all] of texts.entries()) {
          const own = shown.filter((one) => one.rank === rank);
          expect(own.map(({ text }) => text).join('')).toBe(all.join(''));
          // All but the last end with their line.
          expect(own.slice(0, -1).every(({ text }) => text.endsWith('\n'))).toBe(true);
        }
        if (follow) return;
        const times = shown.map(({ timeMs }) => timeMs);
        const isRest = shown.map(({ text }) => !text.endsWith('\n'));
        const whole = times.filter((_, at) => !isRest[at]);
        expect(whole).toEqual(whole.toSorted((left, right) => left - right));
      },
    ),
    { numRuns: 300 },
  );
});
