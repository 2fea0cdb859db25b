import type { FleetLook } from './fleet-look.ts';
import type { Simulation } from './simulation.ts';
import type { VirtualLink } from './virtual-network.ts';

/** Silence until a node is suspect, and until its lease is over, with a tick of 1 s on top; ms. */
const SUSPECT_MS = 21_000;
const EXPIRED_MS = 31_000;
/** A node of which something came since then is not suspect, whether or not that had its turn; ms. */
const HEARD_MS = 19_000;

/** A session that was well when it was looked at. */
interface Well {
  readonly link: VirtualLink;
  readonly arrivedMs: number;
}

/** Silent nodes are found out in time, and nobody is called silent of whom something has come. */
export class SilenceModel {
  readonly #simulation: Simulation;
  /** By node, at the look before. */
  #well: ReadonlyMap<string, Well> = new Map();

  constructor(simulation: Simulation) {
    this.#simulation = simulation;
  }

  check({ fleet, nodes }: FleetLook): void {
    const before = this.#well;
    const well = new Map<string, Well>();
    for (const node of nodes) {
      const { connectivity } = fleet.nodeSummary(node);
      const link = this.#simulation.network.session(node.name);
      const arrivedMs = link?.gatewayEnd.arrivedMs;
      if (connectivity !== 'connected') this.#checkHeard(node.name, connectivity, link, before);
      else if (link && arrivedMs !== undefined) well.set(node.name, { link, arrivedMs });
      this.#checkSilent(node.name, connectivity);
    }
    this.#well = well;
  }

  /** It was connected, and is not over the same session. */
  #checkHeard(
    name: string,
    connectivity: string,
    link: VirtualLink | undefined,
    before: ReadonlyMap<string, Well>,
  ): void {
    const well = before.get(name);
    if (!well || well.link !== link) return;
    const sinceMs = this.#simulation.clock.monotonicMs() - well.arrivedMs;
    if (sinceMs < HEARD_MS)
      this.#simulation.violate(`${name} is ${connectivity}, and something came ${sinceMs} ms ago`);
  }

  #checkSilent(name: string, connectivity: string): void {
    const { clock, heardAtMs, gatewaySinceMs } = this.#simulation;
    const silentMs = clock.monotonicMs() - Math.max(heardAtMs.get(name) ?? 0, gatewaySinceMs);
    if (silentMs <= SUSPECT_MS) return;
    const late = connectivity === 'connected' || (connectivity === 'suspect' && silentMs > EXPIRED_MS);
    if (late) this.#simulation.violate(`${name} is still ${connectivity} after ${silentMs} ms of silence`);
  }
}
