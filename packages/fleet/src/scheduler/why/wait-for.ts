import type { SnapshotNode } from '../snapshot.ts';
import { withoutHolders, type Holder } from './holder.ts';
import { obstaclesOf } from './obstacle.ts';
import type { Situation } from './situation.ts';

/** Holders of a node that are looked at; more are not waited for. */
const MAX_HOLDERS = 256;

/**
 * The fewest workloads, soonest ended, whose end leaves enough free on the node; undefined if no end of any
 * does.
 */
export function holdersToWaitFor(
  situation: Situation,
): { readonly ended: readonly Holder[]; readonly node: SnapshotNode } | undefined {
  const soonest = situation.holders.toSorted(byEnd).slice(0, MAX_HOLDERS);
  const isEnough = (ended: readonly Holder[]): boolean => leavesRoom(situation, ended);
  const one = soonest.find((holder) => isEnough([holder]));
  const ended = one ? [one] : fewest(soonest, isEnough);
  return ended && { ended, node: withoutHolders(situation.node, ended) };
}

function leavesRoom({ node, shape }: Situation, ended: readonly Holder[]): boolean {
  return obstaclesOf(withoutHolders(node, ended), shape).every(({ code }) => !code.endsWith('-in-use'));
}

/** All up to the first that suffices, less those that make no difference. */
function fewest(
  soonest: readonly Holder[],
  isEnough: (ended: readonly Holder[]) => boolean,
): readonly Holder[] | undefined {
  const needed = soonest.findIndex((_, index) => isEnough(soonest.slice(0, index + 1)));
  if (needed < 0) return undefined;
  let ended = soonest.slice(0, needed + 1);
  for (const holder of ended) {
    const others = ended.filter((one) => one !== holder);
    if (isEnough(others)) ended = others;
  }
  return ended;
}

function byEnd(left: Holder, right: Holder): number {
  const [sooner = Infinity, later = Infinity] = [left.endsAtMs, right.endsAtMs];
  if (sooner !== later) return sooner - later;
  return left.workloadId < right.workloadId ? -1 : 1;
}
