import { apiError, MAX_NODE_LABELS, MAX_TAINTS, type Taint, type TaintEffect } from '@clawbernetes/protocol';
import type { FleetCore } from '../fleet-core.ts';
import type { NodeRecord } from '../records.ts';
import { describeTaint } from '../scheduler/node-constraints.ts';
import { NODE_NAME_LABEL } from '../scheduler/snapshot.ts';
import { endAsLost } from '../workload/end-as-lost.ts';
import { releaseBound } from '../workload/policy/release-bound.ts';
import { commitNode } from './commit-node.ts';
import { afterAct, type EligibilityAct } from './eligibility.ts';

export interface DrainOptions {
  /** After so long what still runs is moved; absent = never, ms. */
  readonly deadlineMs?: number;
  /** Moves from this node at once. */
  readonly maxParallel?: number;
}

const DEFAULT_MAX_PARALLEL = 8;

/** What people do to a node: whether it takes work, its labels and its taints. */
export class NodeAdministration {
  readonly #core: FleetCore;

  constructor(core: FleetCore) {
    this.#core = core;
  }

  /** No new work; what runs there runs on. @throws CodedError `conflict`, as all of these. */
  cordon(node: NodeRecord): NodeRecord {
    return this.#act(node, 'cordon');
  }

  uncordon(node: NodeRecord): NodeRecord {
    return this.#act(node, 'uncordon');
  }

  /** No new work; running work ends by itself, or is moved after the deadline. */
  drain(node: NodeRecord, { deadlineMs, maxParallel = DEFAULT_MAX_PARALLEL }: DrainOptions = {}): NodeRecord {
    const { clock, workloads } = this.#core;
    const drain = {
      maxParallel,
      ...(deadlineMs === undefined ? {} : { deadlineAtMs: clock.nowMs() + deadlineMs }),
    };
    const draining = this.#act(node, 'drain', { drain });
    return workloads.liveCount(node.id) === 0 ? this.#act(draining, 'emptied') : draining;
  }

  /** Its former place in the fleet is given up; its key is remembered. */
  retire(node: NodeRecord): NodeRecord {
    return this.#act(node, 'retire');
  }

  /**
   * A person vouches that a node out of reach is gone for good: what ran there is lost, and begins anew
   * elsewhere where that was asked for. Should it come back, what it still runs is stopped.
   */
  abandon(node: NodeRecord): NodeRecord {
    const { nodes, workloads } = this.#core;
    const connectivity = nodes.presence(node.id)?.connectivity;
    if (connectivity === 'connected' || connectivity === 'suspect') throw stillThere(node, connectivity);
    const retired = this.#act(node, 'abandon');
    const message = `${node.name} was given up by force as gone for good.`;
    for (const attempt of workloads.liveOn(node.id))
      endAsLost(this.#core, attempt, { cause: 'user', message });
    return retired;
  }

  /** A draining node whose last attempt has ended is drained. */
  settleDrain(nodeId: string): void {
    const node = this.#core.nodes.node(nodeId);
    if (node?.eligibility === 'draining' && this.#core.workloads.liveCount(nodeId) === 0)
      this.#act(node, 'emptied');
  }

  label(
    node: NodeRecord,
    change: { readonly set: Readonly<Record<string, string>>; readonly remove: readonly string[] },
  ): NodeRecord {
    const given = { ...node.givenLabels };
    for (const label of [...change.remove, ...Object.keys(change.set)]) refuseOwnName(label);
    for (const label of change.remove) {
      if (!Object.hasOwn(given, label)) throw unknownLabel(node, label);
      delete given[label];
    }
    const givenLabels = { ...given, ...change.set };
    const count = Object.keys(givenLabels).length;
    if (count > MAX_NODE_LABELS)
      throw apiError(
        'conflict',
        `${node.name} would have ${count} labels; ${MAX_NODE_LABELS} is the limit. Remove some first.`,
      );
    const labels = Object.entries(givenLabels).map(([label, value]) => `${label}=${value}`);
    const message = `${node.name} was labelled: ${labels.join(', ') || 'no labels of people any more'}.`;
    return commitNode(
      this.#core,
      { ...node, givenLabels },
      { type: 'node.labelled', cause: 'user', message },
    );
  }

  /** A taint is known by its key and effect: added again it has the new value. */
  taint(
    node: NodeRecord,
    change: {
      readonly add: readonly Taint[];
      readonly remove: readonly { readonly key: string; readonly effect?: TaintEffect | undefined }[];
    },
  ): NodeRecord {
    let taints = node.taints ?? [];
    for (const { key, effect } of change.remove) {
      const kept = taints.filter((one) => one.key !== key || (effect !== undefined && one.effect !== effect));
      if (kept.length === taints.length) throw unknownTaint(node, key, effect);
      taints = kept;
    }
    for (const taint of change.add)
      taints = [...taints.filter((one) => one.key !== taint.key || one.effect !== taint.effect), taint];
    if (taints.length > MAX_TAINTS)
      throw apiError(
        'conflict',
        `${node.name} would have ${taints.length} taints; ${MAX_TAINTS} is the limit. Remove some first.`,
      );
    const message = `${node.name} has the taints ${taints.map(describeTaint).join(', ') || 'none'}.`;
    const committed = commitNode(
      this.#core,
      { ...node, taints },
      { type: 'node.tainted', cause: 'user', message },
    );
    releaseBound(this.#core, node.id);
    return committed;
  }

  #act(node: NodeRecord, act: EligibilityAct, more: Pick<NodeRecord, 'drain'> = {}): NodeRecord {
    const eligibility = afterAct(node.eligibility, act);
    if (eligibility === undefined) throw impossible(node, act);
    const changed = eligibility !== node.eligibility || more.drain !== undefined;
    if (!changed) return node;
    const { drain: _, ...rest } = node;
    const next: NodeRecord = { ...rest, eligibility, ...(eligibility === 'draining' ? more : {}) };
    const cause = act === 'emptied' ? 'system' : 'user';
    const message = `${node.name} is ${eligibility}.`;
    const committed = commitNode(this.#core, next, { type: `node.${eligibility}`, cause, message });
    releaseBound(this.#core, node.id);
    return committed;
  }
}

function stillThere({ name }: NodeRecord, connectivity: string): Error {
  const message =
    `${name} is ${connectivity}, so it cannot be given up as gone. Drain it: ` +
    `clawbernetes node drain --deadline 0s ${name}, then clawbernetes node retire ${name}`;
  return apiError('conflict', message);
}

const HELP: Partial<Record<NodeRecord['eligibility'], string>> = {
  joining: 'Approve it first: clawbernetes node approve',
  retired: 'Admit it anew first: clawbernetes node approve',
  schedulable: 'Drain it first: clawbernetes node drain',
  cordoned: 'Drain it first: clawbernetes node drain',
  verifying: 'Drain it first: clawbernetes node drain',
  draining:
    'Wait until its work has ended, give a deadline (node drain --deadline 0s), or if it is gone for good: ' +
    'clawbernetes node retire --force',
};

function impossible(node: NodeRecord, act: EligibilityAct): Error {
  const help = HELP[node.eligibility] ?? 'See clawbernetes node info';
  const message = `${node.name} is ${node.eligibility}, so it cannot be given the order ${act}. ${help} ${node.name}`;
  return apiError('conflict', message);
}

function refuseOwnName(label: string): void {
  if (label !== NODE_NAME_LABEL) return;
  throw apiError('conflict', `"${NODE_NAME_LABEL}" is always the name of the node; choose another label.`);
}

function unknownLabel(node: NodeRecord, label: string): Error {
  const message = Object.hasOwn(node.labels, label)
    ? `The label ${label} comes from ${node.name} itself: remove it from its configuration, or set another value.`
    : `${node.name} has no label ${label}; clawbernetes node info ${node.name} shows those that it has.`;
  return apiError('conflict', message);
}

function unknownTaint(node: NodeRecord, key: string, effect: TaintEffect | undefined): Error {
  const what = effect === undefined ? key : `${key}:${effect}`;
  const have = (node.taints ?? []).map(describeTaint).join(', ') || 'none';
  return apiError('conflict', `${node.name} has no taint ${what}; it has: ${have}.`);
}
