import type { Random } from '@clawbernetes/kernel';
import { hasEnded, type CommandInput, type WorkloadView } from '@clawbernetes/protocol';
import { GangPolicyModel } from './gang-policy-model.ts';
import { islandOf, numaOf } from './machine-hardware.ts';
import { randomPolicies } from './policy-model.ts';
import type { Simulation } from './simulation.ts';

type Fleet = NonNullable<Simulation['gateway']>['fleet'];
type Member = ReturnType<Fleet['members']>[number];
type Reservation = NonNullable<NonNullable<ReturnType<Fleet['findWorkload']>>['gang']>;

interface KnownGang {
  readonly id: string;
  readonly exitCode: number;
  /** Fewest members with which it may go on. */
  readonly least: number;
  readonly most: number;
  readonly endless: boolean;
  /** The part of a node on which all of it must be. */
  readonly part: PartLevel | undefined;
  mayBeStopped: boolean;
}

type PartLevel = 'nvlink-island' | 'numa';
type Spec = CommandInput<'workload.run'>['spec'];
type Gang = NonNullable<Spec['gang']>;

interface Nearness {
  readonly level: PartLevel;
  readonly mode: 'required' | 'preferred';
  readonly resources: { readonly gpus: number } | { readonly gpuMilli: number };
}

/** In the id of a GPU or of an instance of it. */
const GPU_NUMBER = /-gpu-(\d+)/;
const PART_OF: Readonly<Record<PartLevel, (gpu: number) => number>> = {
  'nvlink-island': islandOf,
  numa: numaOf,
};

/** As fleet.md says, ms: a gang may go on for so long without a member of which nothing is known. */
const GRACE_MS = 60_000;
/** Until those who must stop have been told so, over frames that get lost, and have ended; ms. */
const STOPPED_MS = 120_000;
/** Of what a machine holds; not held there at all is not ready either. */
const NOT_READY: ReadonlySet<string | undefined> = new Set([undefined, 'accepted', 'preparing']);
/** As the fleet knows it: what was forgotten by its machine since is told from it. */
const EARLY: ReadonlySet<string> = new Set(['placed', 'accepted', 'preparing']);
/** Gangs that run or wait at once. */
const MAX_LIVE = 12;

export interface GangRandom {
  readonly random: Random;
  readonly policyRandom: Random;
  readonly levelRandom: Random;
}

/**
 * Submits gangs from the seed, and checks that they begin together, are whole, and are not in parts for long.
 */
export class GangModel {
  readonly #simulation: Simulation;
  readonly #random: Random;
  readonly #policyRandom: Random;
  readonly #levelRandom: Random;
  readonly #live = new Map<string, KnownGang>();
  readonly #policies: GangPolicyModel;
  /** Since when a gang has been in parts; monotonic ms. */
  #partial = new Map<string, number>();
  #made = 0;
  #isQuiet = false;

  /** Random by what it decides: what they are, what they ask for when they end, and which part of a node. */
  constructor(simulation: Simulation, { random, policyRandom, levelRandom }: GangRandom) {
    this.#simulation = simulation;
    this.#random = random;
    this.#policyRandom = policyRandom;
    this.#levelRandom = levelRandom;
    this.#policies = new GangPolicyModel(simulation);
  }

  /** Whether a place may be kept there for one that restarts. */
  mayKeep(nodeId: string): boolean {
    return this.#policies.mayKeep(nodeId);
  }

  async submit(): Promise<void> {
    if (this.#live.size >= MAX_LIVE) return;
    const { input, known } = this.#newGang();
    await this.#simulation.execute('workload.run', input).then(
      ({ id }) => void this.#live.set(id, { id, ...known }),
      () => undefined,
    );
  }

  /** Stops one that would never end; when all faults are over, any. */
  async finishOne(): Promise<void> {
    const gang = this.#live.values().find(({ endless, mayBeStopped }) => endless && !mayBeStopped);
    if (!gang) return;
    gang.mayBeStopped = true;
    await this.#simulation.execute('workload.stop', { workload: gang.id, force: false }).catch(() => {
      gang.mayBeStopped = false;
    });
  }

  /** A person empties this machine by force. */
  mayBeStopped(machine: string): void {
    const fleet = this.#simulation.gateway?.fleet;
    const node = fleet?.nodes().find(({ name }) => name === machine);
    for (const { workloadId } of node ? (fleet?.liveAttempts(node.id) ?? []) : []) {
      const gang = this.#live.get(workloadId);
      if (gang) gang.mayBeStopped = true;
    }
  }

  /** From now on others may stop what they know nothing of. */
  quieten(): void {
    this.#isQuiet = true;
  }

  /** @param isFresh whether anything but the time has changed since the look before. */
  check({ isFresh }: { readonly isFresh: boolean }): void {
    const { gateway, clock } = this.#simulation;
    // Time alone makes nothing wrong but with those that are in parts.
    if (gateway && !isFresh && this.#partial.size === 0) return this.#policies.keepOn();
    const before = this.#partial;
    this.#partial = new Map();
    if (!gateway) return this.#policies.restarted();
    this.#policies.look();
    for (const gang of [...this.#live.values()]) {
      const workload = gateway.fleet.findWorkload(gang.id);
      // One that was not stored when its gateway died was not acknowledged either.
      if (!workload) this.#simulation.violate(`the gang ${gang.id} was acknowledged and is gone`);
      else if (hasEnded(workload.state))
        this.#ended(gateway.fleet, gang, gateway.fleet.workloadView(workload));
      else {
        this.#policies.check(gateway.fleet, workload);
        this.#checkOne(gateway.fleet, gang, { before, nowMs: clock.monotonicMs() });
      }
    }
  }

  checkQuiet(): void {
    for (const { id } of this.#live.values()) {
      const state = this.#simulation.gateway?.fleet.findWorkload(id)?.state;
      if (state === undefined || !hasEnded(state))
        this.#simulation.violate(`the gang ${id} never ended: ${state}`);
    }
  }

  #newGang(): {
    readonly input: CommandInput<'workload.run'>;
    readonly known: Omit<KnownGang, 'id'>;
  } {
    this.#made += 1;
    const idempotencyKey = `sim-gang-${this.#made}`;
    const random = this.#random;
    const chance = (of: number): boolean => random.fraction() < of;
    const most = 2 + Math.floor(random.fraction() * 3);
    const least = chance(0.3) ? Math.max(1, most - 1 - Math.floor(random.fraction() * 2)) : most;
    const endless = chance(0.2);
    const exitCode = chance(0.2) ? 3 : 0;
    const env = {
      VIRTUAL_MS: endless ? 'Infinity' : String(Math.floor(1 + random.fraction() ** 3 * 200_000)),
      VIRTUAL_EXIT: String(exitCode),
      ...(chance(0.3) ? { VIRTUAL_PULL_MS: String(Math.floor(random.fraction() * 8000)) } : {}),
      ...(chance(0.1) ? { VIRTUAL_STUBBORN: '1' } : {}),
    };
    const spread = { by: 'node', maxSkew: 1, mode: 'preferred' as const };
    const spec = {
      command: ['virtual'],
      env,
      resources: { gpus: Math.floor(random.fraction() * 3) },
      gang: { members: most, ...(least < most ? { minMembers: least } : {}) },
      // Else most would be on one node, and nothing would part them.
      ...(chance(0.8) ? { spread } : {}),
      ...this.#policiesOf(endless),
    };
    const near = this.#nearness(spec.gang);
    const part = near?.mode === 'required' ? near.level : undefined;
    const known = { exitCode, least, most, endless, part, mayBeStopped: false };
    return { input: { spec: near ? onOnePart(spec, near) : spec, idempotencyKey }, known };
  }

  /** Some ask for one part of a node, and for so little that as many as must be there fit on it. */
  #nearness({ members, minMembers = members }: Gang): Nearness | undefined {
    const chance = (of: number): boolean => this.#levelRandom.fraction() < of;
    const [isAsked, isRequired, isNuma, isShare] = [chance(0.3), chance(0.7), chance(0.5), chance(0.5)];
    if (!isAsked) return undefined;
    return {
      level: isNuma ? 'numa' : 'nvlink-island',
      mode: isRequired ? 'required' : 'preferred',
      resources: isShare || minMembers > 2 ? { gpuMilli: 400 } : { gpus: 1 },
    };
  }

  #policiesOf(endless: boolean): ReturnType<typeof randomPolicies> & { readonly network?: 'none' } {
    const random = this.#policyRandom;
    const policies = random.fraction() < 0.7 ? randomPolicies(random, { endless, times: 2.5 }) : {};
    return random.fraction() < 0.1 ? { ...policies, network: 'none' } : policies;
  }

  #checkOne(
    fleet: Fleet,
    gang: KnownGang,
    { before, nowMs }: { readonly before: ReadonlyMap<string, number>; readonly nowMs: number },
  ): void {
    const { id } = gang;
    const members = fleet.members(id);
    const reservation = fleet.findWorkload(id)?.gang;
    if (!reservation || reservation.phase === 'released') return;
    this.#checkRanks(gang, members);
    this.#checkBarrier(fleet, gang, reservation);
    this.#checkPart(gang, members);
    const isLive = (one: Member): boolean =>
      one.finishedAtMs === undefined && one.unknownSinceMs === undefined && !one.evicted;
    const live = members.filter(isLive).length;
    const done = members.filter(({ state, exitCode }) => state === 'exited' && exitCode === 0).length;
    const known = members.filter((one) => one.finishedAtMs === undefined && one.unknownSinceMs === undefined);
    const isPartial =
      reservation.phase === 'running'
        ? live > 0 && live + done < gang.least
        : reservation.phase === 'releasing' && known.length > 0;
    if (!isPartial || fleet.freeze) return;
    const sinceMs = Math.max(before.get(id) ?? nowMs, this.#simulation.gatewaySinceMs);
    this.#partial.set(id, sinceMs);
    const withinMs = GRACE_MS + STOPPED_MS;
    if (nowMs - sinceMs > withinMs)
      this.#simulation.violate(`the gang ${id} is partly running for ${nowMs - sinceMs} ms`);
  }

  #checkRanks({ id, least, most }: KnownGang, members: readonly Member[]): void {
    const ranks = members.map(({ rank }) => rank);
    const isComplete = ranks.every((rank, at) => rank === at);
    if (!isComplete || ranks.length < least || ranks.length > most)
      this.#simulation.violate(`the gang ${id} of ${least} to ${most} has the ranks ${ranks.join(', ')}`);
  }

  /**
   * By what the machines do, whatever the fleet believes. Of those with whom the reservation was made: who
   * joined later waits for nobody. Even rank 0 may have joined later, where members do not meet.
   */
  #checkBarrier(fleet: Fleet, { id }: KnownGang, { generation, size }: Reservation): void {
    const first = fleet
      .attempts(id)
      .filter((one) => one.generation === generation)
      .slice(0, size);
    const states = first.map((member) => this.#stateOf(fleet, member));
    if (!states.includes('running')) return;
    for (const [at, member] of first.entries())
      if (NOT_READY.has(states[at]) && EARLY.has(member.state))
        this.#simulation.violate(`the gang ${id} runs before its member ${member.id} is ready`);
  }

  /** All that hold something do so on one part of one node. */
  #checkPart({ id, part }: KnownGang, members: readonly Member[]): void {
    if (part === undefined) return;
    const live = members.filter((one) => one.finishedAtMs === undefined);
    const places = new Set(
      live.flatMap(({ nodeId, devices }) =>
        devices.map((device) => `${nodeId} ${PART_OF[part](Number(GPU_NUMBER.exec(device)?.[1]))}`),
      ),
    );
    if (places.size > 1)
      this.#simulation.violate(`the gang ${id} must be on one ${part}, and is on ${[...places].join(', ')}`);
  }

  #stateOf(fleet: Fleet, { id, nodeId }: Member): string | undefined {
    const name = fleet.findNode(nodeId)?.name;
    return this.#simulation.machines.find((one) => one.name === name)?.supervisor.stateOf(id);
  }

  #ended(fleet: Fleet, { id, exitCode, least, mayBeStopped }: KnownGang, view: WorkloadView): void {
    this.#live.delete(id);
    this.#policies.forget(id);
    const { state } = view;
    const members = fleet.members(id);
    const done = members.filter((one) => one.state === 'exited' && one.exitCode === 0).length;
    if (state === 'succeeded' && (exitCode !== 0 || done < least))
      this.#simulation.violate(`the gang ${id} succeeded with ${done} of ${least} members`);
    if (state === 'cancelled' && !mayBeStopped && !this.#isQuiet)
      this.#simulation.violate(`the gang ${id} was cancelled, and nobody asked for it`);
    const isExplained =
      mayBeStopped ||
      members.some((one) => one.endReason === 'launch-failed') ||
      GangPolicyModel.endedByFault(view, members);
    if (state === 'failed' && exitCode === 0 && !isExplained)
      this.#simulation.violate(`the gang ${id} failed, and none of its members did`);
    if (!mayBeStopped) this.#policies.checkEnd(view, members);
  }
}

/** What spreads by node is not near. */
function onOnePart(
  { spread: _, ...spec }: Spec & { readonly gang: Gang },
  { level, mode, resources }: Nearness,
): Spec {
  return { ...spec, resources, gang: { ...spec.gang, topology: { level, mode } } };
}
