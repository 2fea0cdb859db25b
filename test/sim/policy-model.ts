import type { Random } from '@clawbernetes/kernel';
import { RETRY_POLICIES, type CommandInput, type NodeView, type WorkloadView } from '@clawbernetes/protocol';
import type { Gateway } from '@clawbernetes/gateway';
import type { Simulation } from './simulation.ts';

type Fleet = Gateway['fleet'];
type Spec = CommandInput<'workload.run'>['spec'];
type Policies = Pick<Spec, 'restart' | 'reschedule' | 'replace' | 'onDisconnect' | 'exclusive'>;

/** Short, so that all of them pass before a run is over; ms. */
const MAX_DELAY_MS = 30_000;
/** From the end of a delay to its being seen: a look, and the store; ms. */
const BEGIN_MS = 5000;
/** The least that a fleet takes, its lease, and up to so much more; ms. */
const LEASE_MS = 30_000;
const MORE_MS = 60_000;

/**
 * What a workload asks for: mostly nothing. One without an end is there when contact is lost. @param times as
 * likely.
 */
export function randomPolicies(
  random: Random,
  { endless, times = 1 }: { readonly endless: boolean; readonly times?: number },
): Policies {
  const chance = (of: number): boolean => random.fraction() < of * times;
  const limits = () => ({
    attempts: 1 + Math.floor(random.fraction() * 2),
    delayMs: Math.floor(random.fraction() ** 2 * 20_000),
    maxDelayMs: MAX_DELAY_MS,
  });
  const on = chance(0.15) ? ('always' as const) : ('failure' as const);
  const afterMs = LEASE_MS + Math.floor(random.fraction() * MORE_MS);
  return {
    ...(chance(0.15) ? { restart: { ...limits(), on } } : {}),
    ...(chance(0.08) ? { reschedule: limits() } : {}),
    ...(chance(0.2) ? { replace: limits() } : {}),
    ...(chance(endless ? 0.5 : 0.2) ? { onDisconnect: { action: 'stop' as const, afterMs } } : {}),
    ...(chance(0.2) ? { exclusive: true } : {}),
  };
}

/** Judges what the fleet makes of restarts, other nodes, exclusive work and work that may not run alone. */
export class PolicyModel {
  readonly #simulation: Simulation;
  /** Since when each waits for its delay, by workload and attempt; monotonic ms. */
  #delayed = new Map<string, number>();

  constructor(simulation: Simulation) {
    this.#simulation = simulation;
  }

  /** By what runs on the machines themselves, whatever the fleet believes. */
  checkExclusive(): void {
    const launches = this.#simulation.machines.flatMap(({ supervisor }) => supervisor.liveLaunches());
    const exclusive = launches.filter(({ spec }) => spec.exclusive);
    for (const [id, live] of Map.groupBy(exclusive, ({ workloadId }) => workloadId)) {
      // Of a gang each member is one.
      const ranks = new Set(live.map(({ spec }) => spec.env['CLAWBERNETES_RANK'])).size;
      if (ranks < live.length)
        this.#simulation.violate(`${id} is exclusive and runs ${live.length} times at once`);
      const epochs = new Set(live.map(({ epoch }) => `${epoch.term}.${epoch.counter}`));
      if (epochs.size > 1) this.#simulation.violate(`${id} is exclusive and lives in ${epochs.size} epochs`);
    }
  }

  /** Whether it waits for its delay; nobody waits longer than that. */
  isDelayed(fleet: Fleet, id: string, before: ReadonlyMap<string, number>): boolean {
    const workload = fleet.findWorkload(id);
    if (!workload?.anew || fleet.workloadView(workload).waiting?.reason !== 'delayed') return false;
    const nowMs = this.#simulation.clock.monotonicMs();
    const key = `${id} after ${workload.waitsAfter}`;
    const sinceMs = Math.max(before.get(key) ?? nowMs, this.#simulation.gatewaySinceMs);
    this.#delayed.set(key, sinceMs);
    if (nowMs - sinceMs > workload.anew.delayMs + BEGIN_MS)
      this.#simulation.violate(`${key} waits for ${nowMs - sinceMs} ms, longer than its delay`);
    return true;
  }

  /** Whether none was seen to wait for its delay. */
  get isAtRest(): boolean {
    return this.#delayed.size === 0;
  }

  /** Begins another look; answers what the last one saw. */
  look(): ReadonlyMap<string, number> {
    const before = this.#delayed;
    this.#delayed = new Map();
    return before;
  }

  /** Of these nodes, those where a workload that waits may begin. */
  static placesFor(fleet: Fleet, id: string, nodes: readonly NodeView[]): readonly NodeView[] {
    const { anew } = fleet.findWorkload(id) ?? {};
    if (!anew || anew.anywhere) return nodes;
    if (anew.policy === 'restart') return nodes.filter((node) => node.id === anew.formerNodeId);
    return anew.policy === 'reschedule' ? nodes.filter((node) => node.id !== anew.formerNodeId) : nodes;
  }

  /** How often it may have been begun, by the budgets that it has spent. */
  checkTries({ id, spec, budgets = {}, attempt, moves = 0 }: WorkloadView): void {
    let spent = moves;
    for (const policy of RETRY_POLICIES) {
      const { attempts = 0, spent: tries = 0 } = budgets[policy] ?? {};
      spent += tries;
      if (attempts !== (spec[policy]?.attempts ?? 0) || tries > attempts)
        this.#simulation.violate(`${id} has spent ${tries} of ${attempts} of ${policy}`);
    }
    if ((attempt?.number ?? 1) > 1 + spent) this.#simulation.violate(`${id} was started again`);
  }

  /** One that failed by itself, or always begins anew, has nothing left to try. */
  checkUsedUp({ id, state, spec, budgets }: WorkloadView): void {
    const isOver = state === 'succeeded' && spec.restart?.on !== 'always';
    const left = (['restart', 'reschedule'] as const).filter((policy) => {
      const { attempts = 0, spent = 0 } = budgets?.[policy] ?? {};
      return spent < attempts && !(state === 'succeeded' && policy === 'reschedule');
    });
    if (!isOver && left.length > 0) this.#simulation.violate(`${id} ${state} with ${left.join()} left`);
  }

  /** It ended with its node or for want of contact, and could not be replaced. */
  static endedWithItsNode({ attempt, spec, budgets }: WorkloadView): boolean {
    const stops = spec.onDisconnect?.action === 'stop';
    const isOut = stops && (attempt?.endReason === 'disconnected' || attempt?.fenced === true);
    const isUnproven = spec.exclusive === true && attempt?.state === 'lost' && !attempt.fenced;
    const { attempts = 0, spent = 0 } = budgets?.replace ?? {};
    return isUnproven || (isOut && spent === attempts);
  }
}
