import { CALENDAR_MUTATIONS } from './calendar-mutations.ts';
import { CONTACT_MUTATIONS } from './contact-mutations.ts';
import { LIMIT_MUTATIONS } from './limit-mutations.ts';
import { MIG_MUTATIONS } from './mig-mutations.ts';
import type { Mutation } from './mutation.ts';
import { PART_MUTATIONS } from './part-mutations.ts';

const FLEET = 'packages/fleet/src';
const GATEWAY = 'apps/gateway/src';
const AGENT = 'apps/node/src/agent';

/** Defects of the kinds that orchestrators have had, each one small. */
export const MUTATIONS: readonly Mutation[] = [
  {
    name: 'dropped wait for durability',
    file: `${FLEET}/fleet-writer.ts`,
    find: '    await this.#stored;\n    if (events',
    replace: '    if (events',
  },
  {
    name: 'an order to start leaves before its attempt is stored',
    file: `${FLEET}/workload/placer.ts`,
    find: "    orderNode(this.#core, nodeId, { kind: 'start', attempt, workload });",
    replace:
      "    this.#core.listeners.order(nodeId, { kind: 'start', attempt, workload });\n    void orderNode;",
  },
  {
    name: 'a report is acknowledged before it is stored',
    file: `${FLEET}/workload/attempt-reports.ts`,
    find: "orderNode(this.#core, nodeId, { kind: 'acknowledge', revisions });",
    replace: "this.#core.listeners.order(nodeId, { kind: 'acknowledge', revisions });",
  },
  {
    name: 'an answer does not wait for the store',
    file: `${GATEWAY}/commands/command-router.ts`,
    find: '    await this.#fleet.durable();\n',
    replace: '',
  },
  {
    name: 'epochs begin anew with each gateway',
    file: `${FLEET}/fleet.ts`,
    find: 'nextEpoch: () => ({ term: store.term,',
    replace: 'nextEpoch: () => ({ term: 1,',
  },
  {
    name: 'event numbers leave a gap after a restart',
    file: `${FLEET}/load-fleet.ts`,
    find: 'lastSequence: last,',
    replace: 'lastSequence: last + 1,',
  },
  {
    name: 'double release: silence frees what runs',
    file: `${FLEET}/workload/attempt-reports.ts`,
    find: 'const unknown = { ...attempt, unknownSinceMs: this.#core.clock.nowMs() };',
    replace:
      "const unknown = { ...attempt, state: 'lost' as const, unknownSinceMs: this.#core.clock.nowMs() };",
  },
  {
    name: 'unknown treated as free',
    file: `${FLEET}/workload/workload-table.ts`,
    find: 'if (isEnded(attempt.state)) live.delete(attempt.id);',
    replace: 'if (isEnded(attempt.state) || attempt.unknownSinceMs !== undefined) live.delete(attempt.id);',
  },
  {
    name: 'a polite stop gives up what is out of reach',
    file: `${FLEET}/workload/workload-intake.ts`,
    find: 'if (force && this.#isOutOfReach(attempt))',
    replace: 'if (this.#isOutOfReach(attempt))',
  },
  {
    name: 'lost wake-up: an end frees nothing for others',
    file: `${FLEET}/workload/attempt-reports.ts`,
    find: '    if (isEnded(next.state)) this.#core.capacityChanged(nodeId);\n',
    replace: '',
  },
  {
    name: 'lost wake-up: a node that is back gets nothing',
    file: `${FLEET}/node/node-registry.ts`,
    find: 'runs only what it should.`);\n    this.#core.capacityChanged(nodeId);\n',
    replace: 'runs only what it should.`);\n',
  },
  {
    name: 'forgotten re-offer',
    file: `${FLEET}/workload/attempt-reports.ts`,
    find: '      orderStart(this.#core, attempt, workload);\n      return;',
    replace: '      return;',
    test: 'packages/fleet/test/unit/fleet.test.ts',
  },
  {
    name: 'an offer that may be on its way is called lost once it is stopped',
    file: `${FLEET}/workload/attempt-reports.ts`,
    find: '    if (neverAccepted) return orderStop(this.#core, attempt, workload);\n',
    replace: '',
    test: 'packages/fleet/test/unit/bounds.test.ts',
  },
  {
    name: 'stale digest accepted',
    file: `${GATEWAY}/sessions/node-session.ts`,
    find: 'if (!this.#digest().equals(heartbeat.attemptsDigest)) return this.askForAttempts();',
    replace: 'if (heartbeat.attemptsDigest.length === 0) return this.askForAttempts();',
  },
  {
    name: 'an overtaken list counts',
    file: `${GATEWAY}/sessions/node-session.ts`,
    find: '    if (!isNewest) return this.askForAttempts();\n',
    replace: '',
    seed: 24,
  },
  {
    name: 'what a closed connection still says counts',
    file: `${GATEWAY}/sessions/node-connection.ts`,
    find: '    if (this.#closing) return;\n    try {',
    replace: '    try {',
  },
  {
    name: 'lease ignored',
    file: `${FLEET}/node/connectivity.ts`,
    find: "  if (silenceMs >= leaseMs) return 'disconnected';\n",
    replace: '  void leaseMs;\n',
  },
  {
    name: 'silence is not suspect',
    file: `${FLEET}/node/connectivity.ts`,
    find: "return silenceMs >= suspectAfterMs ? 'suspect' : 'connected';",
    replace: "return silenceMs >= suspectAfterMs * 2 ? 'suspect' : 'connected';",
  },
  {
    name: 'terminal overwritten',
    file: `${FLEET}/workload/lifecycle.ts`,
    find: 'if (isEnded(attempt.state) || status.revision <= attempt.revision) return undefined;',
    replace: 'if (status.revision <= attempt.revision) return undefined;',
  },
  {
    name: 'a stop is forgotten while its node is away',
    file: `${FLEET}/workload/attempt-reports.ts`,
    find: '    if (workload.stopRequested || attempt.evicted) orderStop(this.#core, attempt, workload);\n',
    replace: '    void orderStop;\n',
  },
  {
    name: 'what a node runs against our will goes on',
    file: `${FLEET}/workload/attempt-reports.ts`,
    find: '    for (const status of unwanted) this.#stopUnwanted(nodeId, status);\n',
    replace: '    void this.#stopUnwanted;\n',
  },
  {
    name: 'a node gets work before it has shown what it runs',
    file: `${FLEET}/node/snapshot-node.ts`,
    find: "  if (presence?.reconciled !== true) return 'reconnecting';\n",
    replace: '',
  },
  {
    name: 'drain ignored',
    file: `${FLEET}/node/snapshot-node.ts`,
    find: "return node.eligibility === 'schedulable' ? undefined : node.eligibility;",
    replace:
      "return node.eligibility === 'schedulable' || node.eligibility === 'draining' ? undefined : node.eligibility;",
  },
  {
    name: 'the deadline of a drain passes unnoticed',
    file: `${FLEET}/node/clearance.ts`,
    find: 'return clock.monotonicMs() >= deadline.monotonicMs;',
    replace: 'return clock.monotonicMs() >= deadline.monotonicMs + 3_600_000;',
  },
  {
    name: 'a drain never ends',
    file: `${FLEET}/node/node-administration.ts`,
    find: "if (node?.eligibility === 'draining' && this.#core.workloads.liveCount(nodeId) === 0)",
    replace: "if (node?.eligibility === 'draining' && this.#core.workloads.liveCount(nodeId) < 0)",
  },
  {
    name: 'guard ignored: work is moved during a freeze',
    file: `${FLEET}/fleet.ts`,
    find: '{ mayMove: () => this.registry.freeze === undefined }',
    replace: '{ mayMove: () => true }',
    // Work must be due to be moved just then, which few seeds show.
    test: 'packages/fleet/test/unit/gpu-faults.test.ts',
  },
  {
    name: 'guard ignored: nodes are called lost during a freeze',
    file: `${FLEET}/node/node-registry.ts`,
    find: 'const mayLose = !this.freeze && clock',
    replace: 'const mayLose = clock',
  },
  {
    name: 'guard asleep',
    file: `${FLEET}/node/mass-loss-guard.ts`,
    find: 'if (this.#recent.size <= Math.max(FEW, SHARE * of)) return undefined;',
    replace: 'if (this.#recent.size <= Math.max(FEW, of)) return undefined;',
  },
  {
    name: 'quarantined GPUs are given out',
    file: `${FLEET}/node/snapshot-node.ts`,
    find: 'usable: !isOutOfUse(conditionOf(node, gpu)) && !sliced',
    replace: 'usable: !sliced',
  },
  {
    name: 'work stays on broken GPUs',
    file: `${FLEET}/node/gpu-condition.ts`,
    find: "return kind === 'xid' || kind === 'ecc' || kind === 'missing';",
    replace: "return kind === 'ecc';",
  },
  {
    name: 'no probation',
    file: `${FLEET}/node/gpu-condition.ts`,
    find: '    return onProbation(before, policy, nowMs);',
    replace: '    return (void onProbation, void policy, void nowMs, undefined);',
  },
  {
    name: 'probation for ever',
    file: `${FLEET}/node/gpu-health.ts`,
    find: '    if (!node.gpuConditions) return;\n    const nowMs',
    replace: '    if (!node.gpuConditions || node.id) return;\n    const nowMs',
  },
  {
    name: 'moved work is not queued again',
    file: `${FLEET}/workload/settle-workload.ts`,
    find: "  if (after?.step === 'begin') wait(core, next);\n",
    replace: '',
  },
  {
    name: 'moved work is forgotten over a restart',
    file: `${FLEET}/load-fleet.ts`,
    find: 'return latest === undefined || workload.waitsAfter === latest.number;',
    replace: 'return latest === undefined;',
  },
  {
    name: 'cancelled work stays in the queue',
    file: `${FLEET}/workload/settle-workload.ts`,
    find: '    waitNoMore(core, workload.id);\n',
    replace: '',
  },
  {
    name: 'exclusive work takes any loss for an end',
    file: `${FLEET}/workload/policy/next-step.ts`,
    find: "(state === 'lost' && fenced === true)",
    replace: "(state === 'lost' || fenced === true)",
    test: 'packages/fleet/test/unit/next-step.test.ts',
  },
  {
    name: 'a fence passes before its node must have stopped the work',
    file: `${FLEET}/workload/policy/fence.ts`,
    find: 'return Math.ceil((afterMs + stopGraceMs) * CLOCK_RATE) + KILL_MARGIN_MS;',
    replace: 'return Math.ceil((afterMs * CLOCK_RATE) / 4) + 0 * (stopGraceMs + KILL_MARGIN_MS);',
  },
  {
    name: 'a restart spends nothing',
    file: `${FLEET}/workload/policy/next-step.ts`,
    find: '[policy]: { spent: before.spent + 1, inARow }',
    replace: '[policy]: { spent: before.spent, inARow }',
  },
  {
    name: 'what waits for its delay never begins',
    file: `${FLEET}/fleet.ts`,
    find: 'if (workload) beginToWait(this.#core, workload);',
    replace: 'void workload, void beginToWait;',
  },
  {
    name: 'a supervisor lets work run on without contact',
    file: 'apps/node/src/supervisor/contact-watch.ts',
    find: 'else if (this.#watched.delete(attemptId)) this.#deps.expired(attemptId);',
    replace: 'else this.#watched.delete(attemptId);',
  },
  {
    name: 'a change of a node is not stored',
    file: `${FLEET}/node/commit-node.ts`,
    find: '  core.writer.write(nodeRow(node));\n',
    replace: '  void nodeRow;\n',
  },
  {
    name: 'an eviction is not stored',
    file: `${FLEET}/workload/evict.ts`,
    find: '  core.writer.writeAttempt(evicted);\n',
    replace: '',
  },
  {
    name: 'a configuration entry is not stored',
    file: `${FLEET}/config/config-entries.ts`,
    find: '    this.#deps.writer.write(insertion(namespace, entry));\n',
    replace: '    void insertion;\n',
  },
  {
    name: 'the same request makes a second workload',
    file: `${FLEET}/workload/workload-intake.ts`,
    find: '    if (!known) return undefined;\n    if (canonicalJson',
    replace: '    if (!known || known.attempts > 0) return undefined;\n    if (canonicalJson',
  },
  {
    name: 'an agent forgets an attempt whose log was not taken',
    file: `${AGENT}/attempt-book.ts`,
    find: 'if (hasConfirmedEnd(entry) && entry.logAcked >= entry.status.logEnd)',
    replace: 'if (hasConfirmedEnd(entry))',
  },
  {
    name: 'an agent believes every acknowledgement',
    file: `${AGENT}/attempt-book.ts`,
    find: 'return isTerminal(status.state) && ackedRevision >= status.revision;',
    replace: 'return isTerminal(status.state) && ackedRevision > 0;',
  },
  {
    name: 'an agent that hears nothing keeps its connection',
    file: `${AGENT}/session.ts`,
    find: "() => link.fail('the gateway stopped answering heartbeats')",
    replace: '() => undefined',
    // In the simulator a dead link is cut after a while, as keep-alives do.
    test: 'apps/node/test/agent/connection-faults.test.ts',
  },
  {
    name: 'an agent does not say again what was not confirmed',
    file: `${AGENT}/attempt-book.ts`,
    find: 'if (!confirmed && (entry.sentAtMs ?? -Infinity) <= sinceMs)',
    replace: 'if (sinceMs === -Infinity && !confirmed)',
    test: 'apps/node/test/agent/attempt-book.test.ts',
  },
  {
    name: 'of a GPU that is shared only the newest share counts',
    file: `${FLEET}/node/snapshot-node.ts`,
    find: 'held.set(device, (held.get(device) ?? 0) + gpuMilli);',
    replace: 'held.set(device, gpuMilli);',
  },
  {
    name: 'work starts beyond the limit of its queue',
    file: `${FLEET}/scheduler/queues/queue-plan-order.ts`,
    find: '    if (stop) return stop;\n    for (const { name } of tree',
    replace: '    void stop;\n    for (const { name } of tree',
  },
  {
    name: 'a gang begins with its first member that is ready',
    file: `${FLEET}/workload/gang/judge-gang.ts`,
    find: 'const isReady = standings.every(',
    replace: 'const isReady = standings.some(',
  },
  {
    name: 'a gang goes on in parts',
    file: `${FLEET}/workload/gang/gang-care.ts`,
    find: 'if (gone.length > 0) return this.#replace(',
    replace: 'if (gone.length < 0) return this.#replace(',
    test: 'packages/fleet/test/unit/gang/gang-life.test.ts',
  },
  {
    name: 'a gang that gives up its places leaves its first member running',
    file: `${FLEET}/workload/gang/settle-gang.ts`,
    find: 'if (isEnded(member.state)) continue;',
    replace: 'if (isEnded(member.state) || member.rank === 0) continue;',
    test: 'packages/fleet/test/unit/gang/gang-life.test.ts',
  },
  {
    name: 'a gang that restarts spends nothing',
    file: `${FLEET}/workload/gang/next-gang-step.ts`,
    find: 'return { ...step, tries };',
    replace: 'void tries;\n  return step;',
  },
  {
    name: 'an exclusive gang begins anew while a silent member may still run',
    file: `${FLEET}/workload/gang/judge-gang.ts`,
    find: "workload.spec.exclusive !== true && standingOf(member) === 'gone'",
    replace: "standingOf(member) === 'gone'",
    test: 'packages/fleet/test/unit/gang/gang-policies.test.ts',
  },
  {
    name: 'a rank of an exclusive gang is taken by another while the first may still run',
    file: `${FLEET}/workload/gang/mend-gang.ts`,
    find: 'if (workload.spec.exclusive === true && !isProvenEnded(member)) return false;',
    replace: '',
    test: 'packages/fleet/test/unit/gang/next-gang-step.test.ts',
  },
  {
    name: 'the places of a gang that restarts are given away meanwhile',
    file: `${FLEET}/queues/restart-places.ts`,
    find: '    this.#holds.keep(...kept);\n',
    replace: '',
    test: 'packages/fleet/test/unit/gang/gang-policies.test.ts',
  },
  {
    name: 'a place is kept with a GPU that is out of use',
    file: `${FLEET}/queues/queue-planner.ts`,
    find: 'return schedulable && devices.every(',
    replace: 'return schedulable || devices.every(',
    test: 'packages/fleet/test/queues/backfill.test.ts',
  },
  ...PART_MUTATIONS,
  ...CONTACT_MUTATIONS,
  ...CALENDAR_MUTATIONS,
  ...MIG_MUTATIONS,
  ...LIMIT_MUTATIONS,
];
