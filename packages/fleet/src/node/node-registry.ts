import { canonicalJson, present, type Json } from '@clawbernetes/kernel';
import { apiError, type Cause, type NodeInventory } from '@clawbernetes/protocol';
import type { FleetCore } from '../fleet-core.ts';
import type { NodePresence, NodeRecord } from '../records.ts';
import { nodeRow } from '../rows.ts';
import { commitNode, recordNode } from './commit-node.ts';
import { afterSilence, isQuieter, type Connectivity } from './connectivity.ts';
import { afterAct, type Eligibility } from './eligibility.ts';
import type { GpuHealth } from './gpu-health.ts';
import { MassLossGuard, type Freeze } from './mass-loss-guard.ts';

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

/** Admits nodes, and follows their presence and hardware. */
export class NodeRegistry {
  readonly #core: FleetCore;
  readonly #gpus: GpuHealth;
  readonly #guard: MassLossGuard;
  readonly #onOutOfReach: (nodeId: string) => void;
  /**
   * No node is called lost before, on the monotonic clock: after a freeze the rest may be about to return.
   */
  #loseFromMs = -Infinity;
  /** Nodes that hold their lease, counted once a tick. */
  #present: number | undefined;

  constructor(core: FleetCore, gpus: GpuHealth, onOutOfReach: (nodeId: string) => void) {
    this.#core = core;
    this.#gpus = gpus;
    this.#guard = new MassLossGuard({ windowMs: core.options.leaseMs });
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
    const eligibility = admitted(before, { approved, preApproved });
    const { silentSinceMs: _, ...known } = before ?? { joinedAtMs: this.#core.clock.nowMs() };
    const claimed: NodeRecord = { ...known, ...facts, approved, eligibility };
    // Simulated GPUs come and go with the options of the agent, which has just started.
    const expected = before ? this.#gpus.expected(before).filter((gpu) => !gpu.simulated) : [];
    const examined = this.#gpus.examine({ ...claimed, ...inventoryOf(before) }, facts.inventory, expected);
    const node = examined.node;
    if (canonicalText(before) !== canonicalText(node)) commitNode(this.#core, node, ...examined.changes);
    if (!before) this.#record(node, 'joined', `${node.name} joined (${node.fingerprint}).`);
    if (!approved && eligibility !== 'retired')
      this.#record(
        node,
        'pending',
        `${node.name} waits for approval: clawbernetes node approve ${node.name}`,
      );
    return node;
  }

  /** Admits it, also one that was retired. */
  approve(node: NodeRecord): NodeRecord {
    if (node.approved && node.eligibility !== 'retired') return node;
    const eligibility = present(afterAct(node.eligibility, 'approve'), 'the eligibility after an approval');
    const approved = { ...node, approved: true, eligibility };
    const message = `${node.name} was approved.`;
    commitNode(this.#core, approved, { type: 'node.approved', cause: 'user', message });
    // One that is away shows what it has and runs when it is back.
    const here = this.#core.nodes.presence(node.id);
    if (here?.reconciled === true && here.connectivity === 'connected') this.#verified(node.id);
    return present(this.#core.nodes.node(node.id), 'an approved node');
  }

  /** It has a new connection, and has yet to show what it runs. It could say nothing until we let it in. */
  connected(nodeId: string): void {
    this.#seen(nodeId, { reconciled: false }, this.#core.clock.monotonicMs());
  }

  /** A sign of life over its connection; it counts from when it came. */
  heard(nodeId: string): void {
    const reconciled = this.#core.nodes.presence(nodeId)?.reconciled ?? false;
    this.#seen(nodeId, { reconciled }, this.#arrivedMs(nodeId));
  }

  /** It has shown what it runs: new work may come if that is nothing that it should not. */
  listed(nodeId: string, { reconciled }: Pick<NodePresence, 'reconciled'>): void {
    this.#seen(nodeId, { reconciled }, this.#arrivedMs(nodeId));
    if (reconciled) this.#verified(nodeId);
  }

  /** Its hardware, or the health of it, is not what it was. */
  changeInventory(nodeId: string, inventory: NodeInventory): void {
    const node = this.#core.nodes.node(nodeId);
    if (!node || JSON.stringify(node.inventory) === JSON.stringify(inventory)) return;
    const { node: next, changes } = this.#gpus.examine(node, inventory, this.#gpus.expected(node));
    // What is wrong with a GPU is shown of its MIG instances as well.
    const unfit = inventory.gpus.filter((gpu) => !gpu.parentId && gpu.health.state !== 'healthy');
    const faults = unfit.map(
      (gpu) => `GPU ${gpu.index} is ${gpu.health.state}: ${gpu.health.reason ?? 'unknown'}`,
    );
    const message = [`The hardware of ${node.name} changed.`, ...faults].join(' ');
    commitNode(this.#core, next, { type: 'node.inventory', cause: 'system', message }, ...changes);
  }

  /** Its connection is gone; its lease still runs. */
  disconnected(nodeId: string): void {
    this.#silent(nodeId, 'suspect');
  }

  /** Set while so many nodes are silent that our own network is suspected. */
  get freeze(): Freeze | undefined {
    return this.#guard.freeze;
  }

  /** Somebody says that the silent nodes are gone: answers how many were. */
  thaw(): number {
    const silent = this.#guard.thaw();
    if (silent > 0) this.#thawed(`${silent} silent nodes are believed gone.`, 'user', { graceMs: 0 });
    return silent;
  }

  /**
   * Moves nodes on whose silence has grown too long; answers whether there is more to do than fits into one
   * turn's batch of rows.
   */
  tick(): boolean {
    const { nodes, clock, options, workloads } = this.#core;
    this.#present = undefined;
    const mayLose = !this.freeze && clock.monotonicMs() >= this.#loseFromMs;
    let lostSight = 0;
    for (const { id } of nodes.nodes()) {
      if (lostSight >= LOST_SIGHT_PER_TURN) return true;
      const presence = this.#presenceNow(id);
      if (!presence) continue;
      const silenceMs = clock.monotonicMs() - presence.lastSeenMs;
      const next = afterSilence(presence.connectivity, silenceMs, options, { mayLose });
      if (next === presence.connectivity) continue;
      const expires = isQuieter(presence.connectivity, 'disconnected') && !isQuieter(next, 'disconnected');
      if (expires) lostSight += 1 + workloads.liveCount(id);
      if (expires) this.#silent(id, 'disconnected');
      this.#silent(id, next);
    }
    return false;
  }

  #silent(nodeId: string, connectivity: Connectivity): void {
    const { nodes } = this.#core;
    const presence = nodes.presence(nodeId);
    if (!presence || !isQuieter(presence.connectivity, connectivity)) return;
    nodes.setPresence(nodeId, { ...presence, connectivity });
    const node = nodes.node(nodeId);
    if (node) this.#record(node, connectivity, `${node.name} is ${connectivity}: nothing was heard of it.`);
    if (connectivity !== 'disconnected') return;
    if (node) this.#leaseExpired(node);
    this.#onOutOfReach(nodeId);
  }

  /** Only a node that was there before can be part of a mass loss. */
  #leaseExpired(node: NodeRecord): void {
    const { nodes, clock } = this.#core;
    if (node.silentSinceMs !== undefined) return;
    const at = { nowMs: clock.nowMs(), monotonicMs: clock.monotonicMs() };
    nodes.put({ ...node, silentSinceMs: at.nowMs });
    this.#core.writer.write(nodeRow({ ...node, silentSinceMs: at.nowMs }));
    if (!node.approved || node.eligibility === 'retired') return;
    this.#present = this.#present === undefined ? nodes.reachable : this.#present - 1;
    const freeze = this.#guard.silent(node.id, this.#present, at);
    if (!freeze) return;
    this.#core.writer.record({
      namespace: 'default',
      type: 'fleet.frozen',
      subject: 'fleet',
      cause: 'system',
      message:
        `${freeze.silent} of ${freeze.of} nodes fell silent together, so the network of the gateway is suspected: ` +
        'nothing is moved, evicted or called lost until most are back. If they are gone: clawbernetes node thaw',
      facts: { silent: freeze.silent, of: freeze.of },
    });
  }

  #thawed(message: string, cause: Cause, { graceMs }: { readonly graceMs: number }): void {
    this.#loseFromMs = this.#core.clock.monotonicMs() + graceMs;
    this.#core.writer.record({
      namespace: 'default',
      ...{ type: 'fleet.thawed', subject: 'fleet', cause, message },
    });
  }

  #verified(nodeId: string): void {
    const node = this.#core.nodes.node(nodeId);
    const eligibility = node && afterAct(node.eligibility, 'verified');
    if (!node || !eligibility || eligibility === node.eligibility) return;
    const message = `${node.name} is ${eligibility}.`;
    commitNode(
      this.#core,
      { ...node, eligibility },
      { type: `node.${eligibility}`, cause: 'system', message },
    );
  }

  #arrivedMs(nodeId: string): number {
    return this.#core.arrivedMs?.(nodeId) ?? this.#core.clock.monotonicMs();
  }

  /** Of one that seems silent, what has come and waits for its turn counts as well. */
  #presenceNow(nodeId: string): NodePresence | undefined {
    const { nodes, clock, options, arrivedMs } = this.#core;
    const presence = nodes.presence(nodeId);
    if (!presence || clock.monotonicMs() - presence.lastSeenMs < options.suspectAfterMs) return presence;
    const contactMs = arrivedMs?.(nodeId);
    if (contactMs === undefined || contactMs <= presence.lastSeenMs) return presence;
    const now = { ...presence, ...this.#sightAt(contactMs) };
    nodes.setPresence(nodeId, now);
    return now;
  }

  #sightAt(contactMs: number): Pick<NodePresence, 'lastSeenMs' | 'lastSeenAtMs'> {
    const { clock } = this.#core;
    const lastSeenAtMs = Math.floor(clock.nowMs() - (clock.monotonicMs() - contactMs));
    return { lastSeenMs: contactMs, lastSeenAtMs };
  }

  /**
   * Contact never goes back, and what came too long ago leads nowhere: the node has been silent since. @param
   * arrivedMs by the monotonic clock.
   */
  #seen(nodeId: string, { reconciled }: Pick<NodePresence, 'reconciled'>, arrivedMs: number): void {
    const { nodes, clock, options } = this.#core;
    const before = nodes.presence(nodeId);
    const contactMs = Math.max(arrivedMs, before?.lastSeenMs ?? -Infinity);
    const isFresh = !before || clock.monotonicMs() - contactMs < options.suspectAfterMs;
    const connectivity = isFresh ? 'connected' : before.connectivity;
    nodes.setPresence(nodeId, { connectivity, reconciled, ...this.#sightAt(contactMs) });
    const isBack = connectivity === 'connected' && before?.connectivity !== 'connected';
    const isReady = reconciled && before?.reconciled !== true;
    if (!isBack && !isReady) return;
    const node = nodes.node(nodeId);
    if (node && isBack) this.#back(node, options.leaseMs);
    if (node && isReady) this.#record(node, 'reconciled', `${node.name} runs only what it should.`);
    this.#core.capacityChanged(nodeId);
  }

  #back(node: NodeRecord, graceMs: number): void {
    const { silentSinceMs, ...heard } = node;
    if (silentSinceMs !== undefined) {
      this.#core.nodes.put(heard);
      this.#core.writer.write(nodeRow(heard));
    }
    this.#record(heard, 'connected', `${node.name} is connected.`);
    if (this.#guard.back(node.id))
      this.#thawed('Most of the nodes that fell silent together are back.', 'system', { graceMs });
  }

  #record(node: NodeRecord, change: string, message: string): void {
    recordNode(this.#core, node, { type: `node.${change}`, cause: 'system', message });
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

function admitted(
  before: NodeRecord | undefined,
  { approved, preApproved }: { readonly approved: boolean; readonly preApproved: boolean },
): Eligibility {
  const eligibility = before?.eligibility ?? 'joining';
  const returns = eligibility === 'retired' && preApproved;
  return (approved && eligibility === 'joining') || returns
    ? present(afterAct(eligibility, 'approve'), 'the eligibility of an admitted node')
    : eligibility;
}

function inventoryOf(node: NodeRecord | undefined): Partial<Pick<NodeRecord, 'inventory'>> {
  return node ? { inventory: node.inventory } : {};
}

function canonicalText(node: NodeRecord | undefined): string | undefined {
  return node && canonicalJson(JSON.parse(JSON.stringify(node)) as Json);
}
