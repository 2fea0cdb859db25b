import type { PackedKind, StateCount } from './packing-scorer.ts';
import { gpusOf, type KindCount } from './demand-mix.ts';

/** A profile for which much more is asked than there is costs no more than this. */
const MAX_PRICE = 4;

/**
 * What a GPU of each profile of nodes is asked for by kinds that cannot go elsewhere, against how much of it
 * is free: work that could run anywhere keeps away from models that others depend on. By profile; 1 where the
 * share of such demand is the share of free GPUs.
 */
export function scarcityPrices(
  mix: readonly KindCount<PackedKind>[],
  states: readonly StateCount[],
): ReadonlyMap<number, number> {
  const free = freeByProfile(states);
  const asked = new Map<number, number>();
  let [total, all] = [0, 0];
  for (const share of free.values()) total += share;
  for (const known of mix) {
    all += gpusOf(known);
    const suited = [...free].filter(([profile]) => known.kind.suits(profile));
    const room = suited.reduce((sum, [, share]) => sum + share, 0);
    if (suited.length === free.size || room === 0) continue;
    for (const [profile, share] of suited)
      asked.set(profile, (asked.get(profile) ?? 0) + (gpusOf(known) * share) / room);
  }
  const price = (profile: number, share: number): number =>
    share === 0 || all === 0 ? 0 : Math.min(MAX_PRICE, ((asked.get(profile) ?? 0) / all) * (total / share));
  return new Map(Array.from(free, ([profile, share]) => [profile, price(profile, share)]));
}

function freeByProfile(states: readonly StateCount[]): ReadonlyMap<number, number> {
  const free = new Map<number, number>();
  for (const { state, nodes } of states) {
    const share = nodes * state.gpus.reduce((sum, gpu) => sum + gpu, 0);
    free.set(state.profile, (free.get(state.profile) ?? 0) + share);
  }
  return free;
}
