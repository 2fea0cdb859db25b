import { formatDuration } from '@clawbernetes/kernel';
import type { FleetCore } from '../../fleet-core.ts';
import type { AttemptRecord, GangRecord, WorkloadRecord } from '../../records.ts';
import type { FleetTopology } from '../../scheduler/gang/fleet-topology.ts';
import { isEnded } from '../lifecycle.ts';
import { addMember } from './gang-placer.ts';
import { isGivenUp, lossOf, minMembers, standingOf } from './judge-gang.ts';
import { goesOnWithout, mendOf, type Mend } from './mend-gang.ts';
import { withinLimits } from './within-limits.ts';
import { Stopwatches } from './stopwatches.ts';
import { seatsFor } from './replace-lost.ts';
import { orderRelease, releaseGang, settleGang } from './settle-gang.ts';

export interface GangCareDeps {
  readonly core: FleetCore;
  /** The places of the fleet as it is now. */
  readonly topology: () => FleetTopology;
  /**
   * Whether silence of nodes may be acted on: not while so many are silent that we are the likelier cause.
   */
  readonly mayGiveUp: () => boolean;
}

/** What time alone makes due for gangs: late members, lost members, and room for more. */
export class GangCare {
  readonly #deps: GangCareDeps;
  /** By workload: the version of the nodes with which more members were last looked for in vain. */
  readonly #noRoom = new Map<string, number>();
  readonly #watches: Stopwatches;
  /** Of a member, when it was released again, on the monotonic clock. */
  readonly #releasedAtMs = new WeakMap<AttemptRecord, number>();
  #seatings = 0;

  constructor(deps: GangCareDeps) {
    this.#deps = deps;
    this.#watches = new Stopwatches(deps.core.clock);
  }

  /** To be called often; does what is due, and is safe to repeat. */
  run(): void {
    const { workloads } = this.#deps.core;
    this.#seatings = MAX_SEATINGS;
    const ids = new Set(workloads.gangs());
    for (const id of ids) {
      const workload = workloads.workload(id);
      if (workload?.gang) this.#care(workload, workload.gang);
    }
    this.#watches.next();
    for (const id of this.#noRoom.keys()) if (!ids.has(id)) this.#noRoom.delete(id);
  }

  #care(workload: WorkloadRecord, gang: GangRecord): void {
    switch (gang.phase) {
      case 'gathering':
        // Nothing has begun, so the others need not hold their places for one that may never come.
        if (this.#giveUp(workload)) return this.#settle(workload.id);
        return this.#gather(workload, gang);
      case 'running':
        return this.#sustain(workload, gang);
      case 'releasing':
        if (this.#giveUp(workload)) this.#settle(workload.id);
        return;
      case 'released':
        return;
    }
  }

  /** Nothing is held for ever by one that cannot get ready. */
  #gather(workload: WorkloadRecord, gang: GangRecord): void {
    const { core } = this.#deps;
    const { gangReadyMs } = core.options;
    if (this.#watches.elapsedMs(`${workload.id}/${gang.generation}`) < gangReadyMs) return;
    const late = core.workloads.members(workload.id).filter((member) => standingOf(member) !== 'ready');
    const ranks = late.map(({ rank = 0 }) => rank);
    const named = ranks.length > NAMED ? `${ranks.slice(0, NAMED).join(', ')} and others` : ranks.join(', ');
    releaseGang(core, workload, {
      ...{ next: 'queue', cause: 'limit' },
      message: `rank ${named} was not ready within ${formatDuration(gangReadyMs)}`,
    });
  }

  #sustain(workload: WorkloadRecord, gang: GangRecord): void {
    const { core } = this.#deps;
    this.#repeatReleases(workload.id, gang);
    if (this.#giveUp(workload)) this.#settle(workload.id);
    const current = core.workloads.workload(workload.id);
    if (current?.gang?.phase !== 'running') return;
    const members = core.workloads.members(workload.id);
    const standings = members.map(standingOf);
    const gone = members.filter((_, index) => standings[index] === 'gone');
    const isWaiting = standings.some((standing) => standing === 'unknown' || standing === 'leaving');
    const hasDone = standings.includes('done');
    if (gone.length > 0) return this.#replace(current, gone, { hasDone, isWaiting });
    if (!hasDone && !isWaiting) this.#grow(current, members);
  }

  /** A release that was lost on its way. */
  #repeatReleases(workloadId: string, gang: GangRecord): void {
    const { core } = this.#deps;
    const { offerAgainAfterMs } = core.options;
    if (this.#watches.elapsedMs(`${workloadId}/${gang.generation} runs`) < offerAgainAfterMs) return;
    for (const member of core.workloads.members(workloadId)) {
      const isHeld = member.state === 'ready' && !member.evicted && member.unknownSinceMs === undefined;
      if (isHeld) this.#releaseAgain(member);
    }
  }

  #releaseAgain(member: AttemptRecord): void {
    const { clock, options } = this.#deps.core;
    const lastMs = this.#releasedAtMs.get(member);
    if (lastMs !== undefined && clock.monotonicMs() - lastMs < options.offerAgainAfterMs) return;
    this.#releasedAtMs.set(member, clock.monotonicMs());
    orderRelease(this.#deps.core, member);
  }

  /** Members that were out of reach for all of the grace; answers whether there are any. */
  #giveUp({ id, name, spec }: WorkloadRecord): boolean {
    const { core, mayGiveUp } = this.#deps;
    const after = spec.exclusive ? 'Nothing takes its place before its end is proven.' : '';
    // One that is out of reach as a whole goes on there, as other work does.
    const isInReach = core.workloads
      .members(id)
      .some((member) => member.unknownSinceMs === undefined || isEnded(member.state));
    if (!isInReach || !mayGiveUp()) return false;
    let any = false;
    for (const member of core.workloads.members(id)) {
      if (isEnded(member.state) || member.unknownSinceMs === undefined || isGivenUp(member)) continue;
      if (this.#watches.elapsedMs(member.id) < core.options.gangGraceMs) continue;
      any = true;
      const node = core.nodes.node(member.nodeId)?.name ?? member.nodeId;
      const message = `${node} was out of reach for more than ${formatDuration(core.options.gangGraceMs)}.`;
      const gone = `The member of rank ${member.rank ?? 0} of ${name} is given up: ${message}`;
      const givenUp: AttemptRecord = { ...member, evicted: { cause: 'node-loss', message } };
      core.workloads.putAttempt(givenUp);
      core.writer.writeAttempt(givenUp);
      core.writer.record({
        namespace: member.namespace,
        type: 'attempt.given-up',
        subject: id,
        cause: 'node-loss',
        message: `${gone} It is stopped if it comes back. ${after}`.trimEnd(),
        facts: { attempt: member.id, node: member.nodeId, number: member.number },
      });
    }
    return any;
  }

  #replace(
    workload: WorkloadRecord,
    gone: readonly AttemptRecord[],
    { hasDone, isWaiting }: { readonly hasDone: boolean; readonly isWaiting: boolean },
  ): void {
    const { core } = this.#deps;
    const members = core.workloads.members(workload.id);
    const left = members.length - gone.length;
    const now = { nowMs: core.clock.nowMs(), graceMs: core.options.gangGraceMs };
    const mend = mendOf(workload, gone, { ...now, members: members.length });
    // Nor can a member join what is nearly over.
    const canJoin = !hasDone && left > 0 && mend !== undefined;
    // Where it was not looked for yet, nobody knows that there is no place.
    if (canJoin && this.#seat(workload, mend) !== 'no-room') return;
    const goesOn = left >= minMembers(workload) && gone.every((member) => goesOnWithout(workload, member));
    if (goesOn || (isWaiting && left >= minMembers(workload))) return;
    releaseGang(core, workload, lossOf(gone[0]));
  }

  /** Surplus members, while nobody else asks for a place. */
  #grow(workload: WorkloadRecord, members: readonly AttemptRecord[]): void {
    const most = workload.spec.gang?.members ?? members.length;
    if (members.length >= most || this.#deps.core.pending.isTrying) return;
    // What has lost members goes first.
    if (this.#seatings <= MAX_SEATINGS / 2) return;
    this.#seat(workload, { ranks: [members.length], spent: {} });
  }

  /** Places for all of its ranks; `later` if too many others were looked for in this round. */
  #seat(workload: WorkloadRecord, { ranks, spent }: Mend): 'seated' | 'no-room' | 'later' {
    const { core, topology } = this.#deps;
    const { version } = core.nodes;
    if (this.#noRoom.get(workload.id) === version) return 'no-room';
    if (this.#seatings === 0) return 'later';
    this.#seatings -= 1;
    const { gang } = workload;
    const living = core.workloads.members(workload.id).filter((member) => standingOf(member) === 'running');
    const places = gang && living.length > 0 && seatsFor(core, topology(), { workload, gang, living, ranks });
    if (!places || !withinLimits(core, workload, places)) {
      this.#noRoom.set(workload.id, version);
      return 'no-room';
    }
    let current: WorkloadRecord = { ...workload, ...spent };
    for (const placement of places) current = addMember(core, current, placement);
    settleGang(core, current, 'scheduler');
    return 'seated';
  }

  #settle(workloadId: string): void {
    const { core } = this.#deps;
    const workload = core.workloads.workload(workloadId);
    if (workload) settleGang(core, workload, 'node-loss');
  }
}

/** Gangs for which places are looked for at once, so that many of them cannot hold the event loop. */
const MAX_SEATINGS = 20;
/** Ranks that are named; the others are not. */
const NAMED = 3;
