import { RETRY_POLICIES, type WorkloadView } from '@clawbernetes/protocol';
import type { Gateway } from '@clawbernetes/gateway';
import type { Simulation } from './simulation.ts';

type Fleet = Gateway['fleet'];
type Member = ReturnType<Fleet['members']>[number];
type WorkloadRecord = NonNullable<ReturnType<Fleet['findWorkload']>>;

interface Seen {
  readonly generation: number;
  /** It was to restart where it was. */
  readonly isForItsPlaces: boolean;
  /** By rank. */
  readonly places: readonly string[];
}

/** From a place that is kept no more to its being looked at, ms. */
const KEPT_MS = 1000;
/** Ends that a node reports for what it did not fail by itself. */
const OF_THE_NODE: ReadonlySet<string | undefined> = new Set([
  'supervisor-lost',
  'node-restarted',
  'disconnected',
  'stopped',
]);

/** Judges how gangs begin anew: where, how often, and whether they ended with something left to try. */
export class GangPolicyModel {
  readonly #simulation: Simulation;
  readonly #seen = new Map<string, Seen>();
  /** By node: until when a place may be kept there; monotonic ms. */
  readonly #keptUntilMs = new Map<string, number>();
  /** Nodes of which places may be kept for as long as nothing changes. */
  readonly #keeping = new Set<string>();

  constructor(simulation: Simulation) {
    this.#simulation = simulation;
  }

  /** Whether a place may be kept there for a gang that restarts. */
  mayKeep(nodeId: string): boolean {
    return this.#simulation.clock.monotonicMs() < (this.#keptUntilMs.get(nodeId) ?? 0);
  }

  forget(id: string): void {
    this.#seen.delete(id);
  }

  /** The gateway died: what it did last may not have been stored. */
  restarted(): void {
    this.#seen.clear();
  }

  /** Begins another look at all of them. */
  look(): void {
    this.#keeping.clear();
  }

  /** Nothing has changed since the look before. */
  keepOn(): void {
    const untilMs = this.#simulation.clock.monotonicMs() + KEPT_MS;
    for (const nodeId of this.#keeping) this.#keptUntilMs.set(nodeId, untilMs);
  }

  check(fleet: Fleet, workload: WorkloadRecord): void {
    const { id, gang, anew, spec } = workload;
    if (!gang) return;
    const members = fleet.members(id);
    const isWaiting = gang.phase === 'released';
    const isForItsPlaces = isWaiting && anew?.policy === 'restart' && anew.anywhere !== true;
    if (isForItsPlaces || (gang.phase === 'releasing' && spec.restart)) this.#keep(members);
    this.#checkPlaces(workload, gang.generation, members);
    const places = members.map(({ nodeId, devices }) => `${nodeId} ${devices.join()}`);
    this.#seen.set(id, { generation: gang.generation, isForItsPlaces, places });
    this.#checkBudgets(fleet.workloadView(workload), gang.generation);
  }

  /** Nothing that it asked for is left, unless something else ended it. */
  checkEnd(view: WorkloadView, members: readonly Member[]): void {
    const { id, state, spec, budgets } = view;
    const left = (policy: 'restart' | 'reschedule'): boolean => {
      const { attempts = 0, spent = 0 } = budgets?.[policy] ?? {};
      return spent < attempts;
    };
    if (members.some(isOfMachine)) return;
    if (state === 'failed' && (left('restart') || left('reschedule')))
      this.#simulation.violate(`the gang ${id} failed with tries left`);
    if (state === 'succeeded' && spec.restart?.on === 'always' && left('restart'))
      this.#simulation.violate(`the gang ${id} always restarts, and ended with tries left`);
  }

  /** Whether it may have ended though no program of it failed. */
  static endedByFault({ spec, budgets }: WorkloadView, members: readonly Member[]): boolean {
    if (spec.exclusive === true && members.some(isUnproven)) return true;
    const { attempts = 0, spent = 0 } = budgets?.replace ?? {};
    return spec.replace !== undefined && spent === attempts && members.some(isOfMachine);
  }

  #keep(members: readonly Member[]): void {
    for (const { nodeId } of members) this.#keeping.add(nodeId);
    this.keepOn();
  }

  /**
   * Every rank where it was; unless it was said that it may be anywhere. It may have grown since, or begun
   * once more.
   */
  #checkPlaces({ id, spec }: WorkloadRecord, generation: number, members: readonly Member[]): void {
    const before = this.#seen.get(id);
    if (!before?.isForItsPlaces || generation !== before.generation + 1) return;
    const places = members.map(({ nodeId, devices }) => `${nodeId} ${devices.join()}`);
    const isElastic = spec.gang?.minMembers !== undefined;
    const grown = places.length - before.places.length;
    const isOfSize = isElastic ? grown >= 0 : grown === 0;
    const isSame = isOfSize && before.places.every((one, at) => one === places[at]);
    if (!isSame && !this.#simulation.rows.letGo.has(id))
      this.#simulation.violate(
        `the gang ${id} restarted on ${places.join('; ')}, it was on ${before.places.join('; ')}`,
      );
  }

  /** One try or move for each reservation after the first, and no policy more often than was asked for. */
  #checkBudgets(
    { id, spec, budgets = {}, moves = 0, preemptions = 0 }: WorkloadView,
    generation: number,
  ): void {
    let begun = moves + preemptions;
    for (const policy of RETRY_POLICIES) {
      const { attempts = 0, spent = 0 } = budgets[policy] ?? {};
      begun += spent;
      if (attempts !== (spec[policy]?.attempts ?? 0) || spent > attempts)
        this.#simulation.violate(`the gang ${id} has spent ${spent} of ${attempts} of ${policy}`);
    }
    if (generation > 1 + begun)
      this.#simulation.violate(`the gang ${id} had ${generation} reservations for ${begun} tries and moves`);
  }
}

function isUnproven({ state, fenced }: Member): boolean {
  return state === 'lost' && fenced !== true;
}

/** Its machine lost or ended it, or is out of reach for so long that it was given up. */
function isOfMachine(member: Member): boolean {
  const isGivenUp = member.evicted?.cause === 'node-loss';
  return isGivenUp || member.state === 'lost' || OF_THE_NODE.has(reasonOf(member));
}

/** Of one that was stopped, nothing. */
function reasonOf({ endReason, evicted }: Member): string | undefined {
  return endReason === 'stopped' && evicted ? undefined : endReason;
}
