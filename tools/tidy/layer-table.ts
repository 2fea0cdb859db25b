/**
 * Which package may import which; ARCHITECTURE.md gives the reasons. A package of a layer may import every
 * package of the layers above it in this list, and none of its own layer.
 */
const LAYERS: readonly (readonly string[])[] = [
  ['kernel'],
  ['protocol', 'storage', 'identity', 'compute'],
  ['security', 'telemetry', 'mesh', 'ledger', 'trust', 'p2p', 'fleet', 'relay'],
];

/** What some may import besides: packages of the top layer, which is not listed above, and the ledger. */
const BESIDES: Readonly<Record<string, readonly string[]>> = {
  ledger: ['orders'],
  market: ['ledger', 'orders', 'trust'],
  solana: ['ledger', 'orders'],
  governance: ['ledger', 'orders', 'trust'],
  agents: ['market', 'sdk'],
};

/** What is installed for browsers brings no storage with it: all that these may import. */
const NARROW: Readonly<Record<string, readonly string[]>> = {
  orders: ['kernel', 'identity'],
  // Of telemetry only the codec of log records, which runs in browsers.
  sdk: ['kernel', 'identity', 'protocol', 'telemetry', 'orders'],
};

/** These run in browsers too, so nothing of Node may be imported in their sources but below `src/node/`. */
export const BROWSER_SAFE: readonly string[] = ['kernel', 'protocol', 'identity', 'orders', 'sdk'];

/** Packages that the package `noun` may import; undefined if the table does not know it. */
export function allowedImports(noun: string): readonly string[] | undefined {
  const named = NARROW[noun];
  if (named) return named;
  const layer = LAYERS.findIndex((nouns) => nouns.includes(noun));
  const besides = BESIDES[noun];
  if (layer < 0 && !besides) return undefined;
  const above = layer < 0 ? LAYERS.slice(0, 2) : LAYERS.slice(0, layer);
  return [...above.flat(), ...(besides ?? [])];
}
