/**
 * Which package may import which; ARCHITECTURE.md gives the reasons. A package of a layer may import every
 * package of the layers above it in this list, and none of its own layer.
 */
const LAYERS: readonly (readonly string[])[] = [
  ['kernel'],
  ['protocol', 'storage', 'identity', 'compute'],
  ['security', 'telemetry', 'mesh', 'ledger', 'trust', 'p2p', 'fleet', 'relay'],
];

/** The top layer names what it may import of the third; the first two are open to it. */
const TOP: Readonly<Record<string, readonly string[]>> = {
  // Of both only what runs in browsers: telemetry's record codec, the ledger's forms of orders and receipts.
  sdk: ['telemetry', 'ledger'],
  market: ['ledger', 'trust'],
  solana: ['ledger'],
  governance: ['ledger', 'trust'],
  agents: ['market', 'sdk'],
};

/** These run in browsers too, so nothing of Node may be imported in their sources but below `src/node/`. */
export const BROWSER_SAFE: readonly string[] = ['kernel', 'protocol', 'identity', 'sdk'];

/** Packages that the package `noun` may import; undefined if the table does not know it. */
export function allowedImports(noun: string): readonly string[] | undefined {
  const named = TOP[noun];
  if (named) return [...LAYERS.slice(0, 2).flat(), ...named];
  const layer = LAYERS.findIndex((nouns) => nouns.includes(noun));
  return layer < 0 ? undefined : LAYERS.slice(0, layer).flat();
}
