import { present } from '@clawbernetes/kernel';
import { Draft } from '../scheduler/draft.ts';
import { membersThatFit } from '../scheduler/fit.ts';
import { allowedCeilings } from '../scheduler/gang/gang-bounds.ts';
import type { FleetTopology } from '../scheduler/gang/fleet-topology.ts';
import { memberOf, type ShapeOfGang } from '../scheduler/gang/member-shape.ts';
import { placeInDraft } from '../scheduler/gang/place-gang.ts';
import type { NodeGroups } from '../scheduler/node-groups.ts';
import type { Placement } from '../scheduler/placement.ts';
import type { PreemptionDomain } from '../scheduler/queues/choose-preemption.ts';
import type { Victim } from '../scheduler/queues/victims.ts';
import { sliced, type Sliced } from '../scheduler/slices.ts';
import { NODE, ROOT } from '../scheduler/topology/topology-tree.ts';
import type { CandidatesOnNodes, Tried } from './candidates-on-nodes.ts';
import type { RoomTrial } from './room-on-node.ts';

/** Nodes with work that might go that are looked at closely: those where least is thrown away. */
const MAX_NODES = 1024;

/** A node, and what it gains if all that may go there does. */
interface Gain {
  readonly number: number;
  readonly victims: readonly Victim[];
  /** More members than now. */
  readonly members: number;
  /** Of all that goes, wherever it runs. */
  readonly gpuHours: number;
}

interface Cost {
  readonly nodeId: string;
  readonly victims: readonly Victim[];
  readonly gpuHours: number;
}

/** Of one node, in looks. */
const LOOKS_PER_COST = 0.5;
const LOOKS_PER_GAIN = 5;

export interface RoomForGangDeps {
  readonly groups: NodeGroups;
  /** As the nodes are now. */
  readonly topology: FleetTopology;
}

/**
 * Of a gang: its domains are those of the levels that it may span, each with the nodes where the fewest
 * GPU-hours make room for a member, as many as it takes. The gang goes wherever it fits once these are free.
 */
export class RoomForGang implements RoomTrial {
  readonly #deps: RoomForGangDeps;
  readonly #tried: Tried;
  readonly #shape: ShapeOfGang;
  readonly #nodes: CandidatesOnNodes;

  constructor(
    deps: RoomForGangDeps,
    tried: Tried & { readonly shape: ShapeOfGang },
    nodes: CandidatesOnNodes,
  ) {
    this.#deps = deps;
    this.#tried = tried;
    this.#shape = tried.shape;
    this.#nodes = nodes;
  }

  *domains(): Sliced<readonly PreemptionDomain[]> {
    const gains = yield* this.#gains();
    const found: (PreemptionDomain & { readonly gpuHours: number })[] = [];
    for (const level of allowedCeilings(this.#shape.gang))
      for (const [domain, nodes] of Map.groupBy(gains, ({ number }) => this.#domainOf(number, level))) {
        const enough = this.#enough(domain, level, nodes);
        if (enough) found.push({ id: `${level}/${domain}`, ...enough });
        yield nodes.length;
      }
    // A lower level is no better than a higher one where it costs more.
    return found.toSorted((one, other) => one.gpuHours - other.gpuHours);
  }

  place(removed: ReadonlySet<string>): readonly Placement[] | undefined {
    if (!this.#nodes.isWithinLimits(removed)) return undefined;
    const { groups, topology } = this.#deps;
    const draft = new Draft(groups);
    const nodeIds = new Set(this.#nodes.attemptsOf(removed).map(({ nodeId }) => nodeId));
    for (const nodeId of nodeIds) {
      const [before, view] = [draft.node(nodeId), this.#nodes.view(nodeId)];
      if (before && view) draft.replace(before, this.#nodes.without(view, removed));
    }
    return placeInDraft(draft, topology, { workloadId: this.#tried.work.id, shape: this.#shape });
  }

  *#gains(): Sliced<readonly Gain[]> {
    const byHours: Cost[] = [];
    yield* sliced(this.#nodes.victims, LOOKS_PER_COST, ([nodeId, victims]) => {
      const gpuHours = victims.reduce((sum, victim) => sum + victim.gpuHours, 0);
      byHours.push({ nodeId, victims, gpuHours });
    });
    byHours.sort((one, other) => one.gpuHours - other.gpuHours);
    const gains: Gain[] = [];
    yield* sliced(byHours.slice(0, MAX_NODES), LOOKS_PER_GAIN, (cost) => {
      const gain = this.#gainOf(cost);
      if (gain) gains.push(gain);
    });
    return gains;
  }

  #gainOf({ nodeId, victims, gpuHours }: Cost): Gain | undefined {
    const { topology } = this.#deps;
    const [view, number] = [this.#nodes.view(nodeId), topology.number(nodeId)];
    if (!view || number === undefined) return undefined;
    const member = memberOf(this.#shape);
    const ids = victims.map(({ unit }) => unit.id);
    const now = topology.capacity(member).room[number] ?? 0;
    const members = membersThatFit(this.#nodes.without(view, ids), member) - now;
    return members > 0 ? { number, victims, members, gpuHours } : undefined;
  }

  #domainOf(number: number, level: number): number {
    return level === NODE ? number : present(this.#deps.topology.tree.path(number)[level], 'a domain');
  }

  /** The cheapest of these nodes that together with what is free hold the gang, by numbers. */
  #enough(
    domain: number,
    level: number,
    nodes: readonly Gain[],
  ): { readonly unitIds: readonly string[]; readonly gpuHours: number } | undefined {
    const { topology } = this.#deps;
    const { tree } = topology;
    const isWide = level === NODE || domain === ROOT || tree.isKnown(domain);
    const { room, members } = topology.capacity(memberOf(this.#shape));
    let missing = this.#shape.gang.members.min - ((level === NODE ? room : members)[domain] ?? 0);
    const units = new Set<string>();
    let gpuHours = 0;
    const cheapest = nodes.toSorted(
      (one, other) => one.gpuHours / one.members - other.gpuHours / other.members,
    );
    for (const { victims, members: gained } of cheapest) {
      if (missing <= 0) break;
      missing -= gained;
      for (const { unit, gpuHours: hours } of victims) {
        if (!units.has(unit.id)) gpuHours += hours;
        units.add(unit.id);
      }
    }
    return isWide && missing <= 0 ? { unitIds: [...units], gpuHours } : undefined;
  }
}
