/** The trace hash that a simulation printed last: `trace <hex>` or `trace hash: <hex>`. */
export function traceHash(output: string): string | undefined {
  return [...output.matchAll(/\btrace(?:[ -]?hash)?\W+([0-9a-f]{8,64})\b/gi)].at(-1)?.[1];
}
