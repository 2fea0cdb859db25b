import type { CommandOutput, WorkloadView } from '@clawbernetes/protocol';
import { hasEnded } from '@clawbernetes/protocol/workload-state';
import type { Context } from '../context.ts';
import { paintState } from '../output/colours.ts';
import { oneLine, ranFor } from '../output/phrases.ts';
import { renderTable } from '../output/table.ts';

type Inspected = CommandOutput<'workload.inspect'>;
type Attempt = Inspected['attempts'][number];

/** Levels that are not called as they are written. */
const LEVELS: Readonly<Partial<Record<string, string>>> = {
  'nvlink-domain': 'NVLink domain',
  'nvlink-island': 'NVLink island',
  numa: 'NUMA node',
};

/** `3 of 4 members run, within one rack (reservation 2)`. */
export function gangFact({ gang, state }: WorkloadView): string | undefined {
  if (!gang) return undefined;
  const { members, running, ready, succeeded, level, generation, phase } = gang;
  const place = level === 'fleet' ? '' : `, within one ${LEVELS[level] ?? level}`;
  const again = generation > 1 ? ` (reservation ${generation})` : '';
  if (hasEnded(state)) return `${succeeded} of ${members} members succeeded${place}${again}`;
  if (phase === 'gathering') return `${ready} of ${members} members are ready${place}${again}`;
  if (phase === 'released') return `has given up reservation ${generation} and waits for places`;
  const done = succeeded > 0 ? `, ${succeeded} have succeeded` : '';
  return `${running} of ${members} members run${done}${place}${again}`;
}

/** The newest attempt of each rank in the newest reservation, by rank. */
export function membersOf({ gang, attempts }: Inspected): readonly Attempt[] {
  const byRank = new Map<number, Attempt>();
  for (const attempt of attempts) {
    if (attempt.rank === undefined || attempt.generation !== gang?.generation) continue;
    const known = byRank.get(attempt.rank);
    if (!known || known.number < attempt.number) byRank.set(attempt.rank, attempt);
  }
  return [...byRank.values()].toSorted((left, right) => (left.rank ?? 0) - (right.rank ?? 0));
}

export function membersText(
  { terminal: { colours }, clock, columns }: Context,
  members: readonly Attempt[],
): string {
  return renderTable(
    ['RANK', 'NODE', 'STATE', 'GPUS', 'EXIT', 'RAN', 'MESSAGE'],
    members.map((member) => [
      String(member.rank ?? '–'),
      member.nodeName,
      paintState(colours, member.state) +
        (member.unknownSinceMs === undefined ? '' : colours.yellow(' (unknown)')),
      String(member.devices.length),
      String(member.exitCode ?? member.signal ?? member.endReason ?? '–'),
      ranFor(member.startedAtMs, member.finishedAtMs, clock.nowMs()),
      oneLine(member.message ?? member.evicted?.message ?? '', 60),
    ]),
    { columns, dispensable: ['RAN', 'GPUS', 'MESSAGE'] },
  );
}
