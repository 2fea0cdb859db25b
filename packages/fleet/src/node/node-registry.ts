import { apiError, type NodeInventory } from '@clawbernetes/protocol';
import type { FleetCore } from '../fleet-core.ts';
import type { NodePresence, NodeRecord } from '../records.ts';
import { nodeRow } from '../rows.ts';

/** What a node says of itself when it connects; its identity is proven by then. */
export interface NodeRegistration {
  readonly id: string;
  readonly publicKey: string;
  readonly fingerprint: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly agentVersion: string;
  readonly inventory: NodeInventory;
  readonly commands: readonly string[];
  /** Its join token admits it without a person. */
  readonly preApproved: boolean;
}

/** Attempts that one turn calls unknown when many nodes fall silent together. */
const LOST_SIGHT_PER_TURN = 2_000;

/** Admits nodes, and follows their presence and eligibility. */
export class NodeRegistry {
  readonly #core: FleetCore;
  readonly #onOutOfReach: (nodeId: string) => void;

  constructor(core: FleetCore, onOutOfReach: (nodeId: string) => void) {
    this.#core = core;
    this.#onOutOfReach = onOutOfReach;
  }

  /**
   * @throws CodedError `name-taken`, `overloaded`: what speaks against a node before anything is stored of
   * it.
   */
  checkAdmission(id: string, name: string): void {
    this.#refuseTakenName(id, name);
    if (!this.#core.nodes.node(id)) this.#refuseWhenFull();
  }

  /** Stores what a connecting node says of itself. @throws CodedError `name-taken`, `overloaded`. */
  register(registration: NodeRegistration): NodeRecord {
    const { preApproved, ...facts } = registration;
    const before = this.#core.nodes.node(facts.id);
    this.checkAdmission(facts.id, facts.name);
    const approved = (before?.approved ?? false) || preApproved;
    const node: NodeRecord = {
      ...facts,
      approved,
      eligibility: admitted(before?.eligibility, approved),
      joinedAtMs: before?.joinedAtMs ?? this.#core.clock.nowMs(),
    };
    if (JSON.stringify(before) !== JSON.stringify(node)) {
      this.#store(node);
      this.#core.capacityChanged(node.id);
    }
    if (!before) this.#record(node, 'joined', `${node.name} joined (${node.fingerprint}).`);
    if (!approved)
      this.#record(
        node,
        'pending',
        `${node.name} waits for approval: clawbernetes node approve ${node.name}`,
      );
    return node;
  }

  approve(node: NodeRecord): NodeRecord {
    if (node.approved) return node;
    const approved = { ...node, approved: true, eligibility: admitted(node.eligibility, true) };
    this.#store(approved);
    this.#record(approved, 'approved', `${node.name} was approved.`);
    this.#core.capacityChanged(node.id);
    return approved;
  }

  /** It has a new connection, and has yet to show what it runs. */
  connected(nodeId: string): void {
    this.#seen(nodeId, { reconciled: false });
  }

  /** A sign of life over its connection. */
  heard(nodeId: string): void {
    this.#seen(nodeId, { reconciled: this.#core.nodes.presence(nodeId)?.reconciled ?? false });
  }

  /** It has shown what it runs: new work may come if that is nothing that it should not. */
  listed(nodeId: string, { reconciled }: Pick<NodePresence, 'reconciled'>): void {
    this.#seen(nodeId, { reconciled });
  }

  /** Its hardware, or the health of it, is not what it was. */
  changeInventory(nodeId: string, inventory: NodeInventory): void {
    const node = this.#core.nodes.node(nodeId);
    if (!node || JSON.stringify(node.inventory) === JSON.stringify(inventory)) return;
    this.#store({ ...node, inventory });
    const unfit = inventory.gpus.filter((gpu) => gpu.health.state !== 'healthy');
    const faults = unfit.map(
      (gpu) => `GPU ${gpu.index} is ${gpu.health.state}: ${gpu.health.reason ?? 'unknown'}`,
    );
    this.#record(node, 'inventory', [`The hardware of ${node.name} changed.`, ...faults].join(' '));
    this.#core.capacityChanged(nodeId);
  }

  /** Its connection is gone; its lease still runs. */
  disconnected(nodeId: string): void {
    this.#silent(nodeId, 'suspect');
  }

  /**
   * Moves nodes on whose silence has grown too long; answers whether there is more to do than fits into one
   * turn's batch of rows.
   */
  tick(): boolean {
    const { nodes, clock, options, workloads } = this.#core;
    let lostSight = 0;
    for (const { id } of nodes.nodes()) {
      this.settleDrain(id);
      if (lostSight >= LOST_SIGHT_PER_TURN) return true;
      const presence = nodes.presence(id);
      if (!presence) continue;
      const silenceMs = clock.monotonicMs() - presence.lastSeenMs;
      if (silenceMs >= options.leaseMs && SILENCE[presence.connectivity] < SILENCE.disconnected)
        lostSight += 1 + workloads.liveCount(id);
      if (silenceMs >= options.leaseMs) this.#silent(id, 'disconnected');
      else if (silenceMs >= options.suspectAfterMs) this.#silent(id, 'suspect');
      if (silenceMs >= options.lostAfterMs) this.#silent(id, 'lost');
    }
    return false;
  }

  /** No new work; running work ends by itself. */
  drain(node: NodeRecord): NodeRecord {
    const empty = this.#core.workloads.liveCount(node.id) === 0;
    return this.#setEligibility(node, empty ? 'drained' : 'draining');
  }

  undrain(node: NodeRecord): NodeRecord {
    return this.#setEligibility(node, node.approved ? 'schedulable' : 'joining');
  }

  /** A draining node whose last attempt has ended is drained. */
  settleDrain(nodeId: string): void {
    const node = this.#core.nodes.node(nodeId);
    if (node?.eligibility === 'draining' && this.#core.workloads.liveCount(nodeId) === 0) this.drain(node);
  }

  #setEligibility(node: NodeRecord, eligibility: NodeRecord['eligibility']): NodeRecord {
    if (node.eligibility === eligibility) return node;
    const next = { ...node, eligibility };
    this.#store(next);
    this.#record(next, eligibility, `${node.name} is ${eligibility}.`);
    this.#core.capacityChanged(node.id);
    return next;
  }

  #silent(nodeId: string, connectivity: NodePresence['connectivity']): void {
    const { nodes } = this.#core;
    const presence = nodes.presence(nodeId);
    if (!presence || SILENCE[presence.connectivity] >= SILENCE[connectivity]) return;
    nodes.setPresence(nodeId, { ...presence, connectivity });
    const node = nodes.node(nodeId);
    if (node) this.#record(node, connectivity, `${node.name} is ${connectivity}: nothing was heard of it.`);
    if (connectivity === 'disconnected') this.#onOutOfReach(nodeId);
  }

  #seen(nodeId: string, { reconciled }: Pick<NodePresence, 'reconciled'>): void {
    const { nodes, clock } = this.#core;
    const before = nodes.presence(nodeId);
    const seen = { lastSeenMs: clock.monotonicMs(), lastSeenAtMs: clock.nowMs() };
    nodes.setPresence(nodeId, { connectivity: 'connected', reconciled, ...seen });
    const node = nodes.node(nodeId);
    const isBack = before?.connectivity !== 'connected';
    const isReady = reconciled && before?.reconciled !== true;
    if (node && isBack) this.#record(node, 'connected', `${node.name} is connected.`);
    if (node && isReady) this.#record(node, 'reconciled', `${node.name} runs only what it should.`);
    if (isBack || isReady) this.#core.capacityChanged(nodeId);
  }

  #store(node: NodeRecord): void {
    this.#core.nodes.put(node);
    this.#core.writer.write(nodeRow(node));
  }

  #record(node: NodeRecord, change: string, message: string): void {
    this.#core.writer.record({
      namespace: 'default',
      type: `node.${change}`,
      subject: node.id,
      cause: change === 'approved' || change === 'draining' || change === 'schedulable' ? 'user' : 'system',
      message,
      facts: { name: node.name },
    });
  }

  #refuseTakenName(id: string, name: string): void {
    const holder = this.#core.nodes.named(name);
    if (!holder || holder.id === id) return;
    throw apiError(
      'name-taken',
      `Another node with a different key is called "${name}" (${holder.fingerprint}); start this one with another --name.`,
    );
  }

  #refuseWhenFull(): void {
    const count = this.#core.nodes.size;
    if (count >= this.#core.options.maxNodes)
      throw apiError('overloaded', `The fleet has its limit of ${count} nodes.`);
  }
}

const SILENCE: Record<NodePresence['connectivity'], number> = {
  connected: 0,
  suspect: 1,
  disconnected: 2,
  lost: 3,
};

function admitted(
  before: NodeRecord['eligibility'] | undefined,
  approved: boolean,
): NodeRecord['eligibility'] {
  if (!approved) return 'joining';
  return before === undefined || before === 'joining' ? 'schedulable' : before;
}
