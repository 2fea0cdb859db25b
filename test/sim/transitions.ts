/** `from → to` of one state machine: legal ones that a run should see. */
export type Edge = `${string} → ${string}`;

export const MACHINES = [
  'attempt',
  'contact',
  'workload',
  'connectivity',
  'eligibility',
  'gpu',
  'freeze',
] as const;
export type Machine = (typeof MACHINES)[number];

/** From each state to those after the colon; `new` = not there before. */
function edges(...lines: readonly string[]): readonly Edge[] {
  return lines.flatMap((line) => {
    const [from = '', followers = ''] = line.split(': ');
    return followers.split(' ').map((to): Edge => `${from} → ${to}`);
  });
}

/**
 * What fleet.md's state machines allow, written down apart from the code that it judges: what is seen and not
 * listed is a violation, what is listed and never seen over the seeds of CI fails them.
 */
export const LEGAL: Readonly<Record<Machine, readonly Edge[]>> = {
  attempt: edges(
    'new: placed',
    'placed: accepted preparing ready running stopping exited killed lost',
    'accepted: preparing ready running stopping exited killed lost',
    'preparing: ready running stopping exited killed lost',
    'ready: running stopping exited killed lost',
    'running: stopping exited killed lost',
    'stopping: exited killed lost',
  ),
  contact: edges('known: unknown', 'unknown: known ended'),
  workload: edges(
    'new: queued reserved cancelled',
    'queued: reserved cancelled',
    'reserved: queued preparing starting running stopping preempting succeeded failed cancelled',
    'preparing: queued reserved starting running stopping preempting succeeded failed cancelled',
    'starting: running degraded stopping preempting queued reserved succeeded failed cancelled',
    'running: queued reserved degraded stopping preempting succeeded failed cancelled',
    'degraded: queued reserved starting running stopping succeeded failed cancelled',
    'stopping: queued reserved succeeded failed cancelled',
    'preempting: queued reserved stopping succeeded failed cancelled',
  ),
  connectivity: edges(
    'new: connected',
    'connected: suspect',
    'suspect: connected disconnected',
    'disconnected: connected lost',
    'lost: connected',
  ),
  eligibility: edges(
    'new: joining verifying',
    'joining: verifying retired',
    'verifying: schedulable cordoned draining retired',
    'schedulable: cordoned draining retired',
    'cordoned: schedulable draining retired',
    'draining: cordoned schedulable drained retired',
    'drained: schedulable retired',
    'retired: verifying',
  ),
  gpu: edges(
    'healthy: quarantined missing',
    'quarantined: probation missing released',
    'released: healthy quarantined missing',
    'missing: probation quarantined healthy',
    'probation: healthy quarantined missing',
  ),
  freeze: edges('free: frozen', 'frozen: free'),
};

/** States that the types know and nothing brings about yet, with the reason. */
export const UNREACHED: readonly {
  readonly machine: Machine;
  readonly state: string;
  readonly because: string;
}[] = [
  { machine: 'attempt', state: 'offered', because: 'an attempt stays placed until its node answers' },
  {
    machine: 'workload',
    state: 'submitted',
    because: 'a workload is queued in the transaction that takes it in',
  },
  { machine: 'workload', state: 'held', because: 'nothing is held yet' },
  { machine: 'workload', state: 'rejected', because: 'what cannot be taken is refused before it is stored' },
];

/** Legal, but too rare to be demanded of a few seeds; shown by a test instead. */
export const RARE: readonly { readonly key: string; readonly because: string }[] = [
  {
    key: 'workload: preparing → cancelled',
    because: 'a stop by force must meet the moment of preparing on a node out of sight (fleet.test.ts)',
  },
  {
    key: 'workload: new → cancelled',
    because: 'it must be stopped in the very turn that took it in (first-turn.test.ts)',
  },
  ...(['reserved', 'preparing', 'starting', 'degraded'] as const).map((from) => ({
    key: `workload: ${from} → preempting`,
    because: 'what makes room has run for a while, so nearly always it runs still (preemption.test.ts)',
  })),
  ...(['stopping', 'succeeded', 'failed', 'cancelled', 'reserved'] as const).map((to) => ({
    key: `workload: preempting → ${to}`,
    because: 'a person, or a good end, must come in between while it is being stopped (preemption.test.ts)',
  })),
  ...(['verifying', 'cordoned', 'draining'] as const).map((from) => ({
    key: `eligibility: ${from} → retired`,
    because: 'a node must be out of reach in that state when a person gives it up (node-axes.test.ts)',
  })),
  ...(['accepted → killed', 'placed → stopping', 'placed → ready'] as const).map((edge) => ({
    key: `attempt: ${edge}`,
    because: 'all reports of what was between must be lost on the way (lifecycle.test.ts)',
  })),
  {
    key: 'gpu: quarantined → missing',
    because: 'a broken card must fall off the bus just before its agent looks again (node-axes.test.ts)',
  },
  {
    key: 'gpu: released → quarantined',
    because: 'a second fault must come right after a person released the first',
  },
  { key: 'attempt: ready → exited', because: 'a program must end within the report of its beginning' },
  { key: 'attempt: ready → killed', because: 'one that is let begin must fail to start at once' },
  { key: 'attempt: ready → lost', because: 'a supervisor must die while the others of a gang get ready' },
  { key: 'workload: reserved → starting', because: 'all members of a gang must become ready in one report' },
  {
    key: 'workload: preparing → reserved',
    because:
      'a gang must lose a member before it has begun, and have other places at once (gang-life.test.ts)',
  },
  { key: 'workload: starting → degraded', because: 'a node must fall silent while a gang is let begin' },
  { key: 'workload: starting → stopping', because: 'a gang must be stopped while it is let begin' },
  { key: 'workload: starting → queued', because: 'a gang must lose all its members while it is let begin' },
  { key: 'workload: starting → reserved', because: 'the same, and have other places at once' },
  {
    key: 'workload: starting → succeeded',
    because: 'all members of a gang must begin and end within one report',
  },
  {
    key: 'workload: starting → failed',
    because: 'all members of a gang must begin and fail within one report',
  },
  {
    key: 'workload: starting → cancelled',
    because: 'all members of a gang must be given up by force while it is let begin',
  },
  {
    key: 'workload: running → reserved',
    because: 'all members of a gang must end with their supervisor, and have other places at once',
  },
  {
    key: 'workload: degraded → starting',
    because: 'a node must be away while a gang is let begin, and come back',
  },
  {
    key: 'workload: degraded → failed',
    because: 'the last member of a gang must fail after another was given up',
  },
  {
    key: 'workload: degraded → cancelled',
    because: 'a gang must be given up by force while a member is out of reach (gang-life.test.ts)',
  },
  {
    key: 'workload: degraded → queued',
    because: 'a gang must lose its last members, and have no other places',
  },
  {
    key: 'workload: degraded → succeeded',
    because: 'an elastic gang must end well without one of its members (gang-chaos.test.ts)',
  },
  {
    key: 'workload: degraded → reserved',
    because: 'a gang must lose its last members, and have other places at once',
  },
];

export type TransitionCounts = Record<string, number>;

/** Counts what happened, and names what should not have. */
export class Transitions {
  readonly counts: TransitionCounts = {};

  /** Answers whether the machine may do that. */
  see(machine: Machine, from: string, to: string): boolean {
    const edge: Edge = `${from} → ${to}`;
    const key = `${machine}: ${edge}`;
    this.counts[key] = (this.counts[key] ?? 0) + 1;
    return LEGAL[machine].includes(edge);
  }
}

export function missingTransitions(counts: TransitionCounts): readonly string[] {
  const wanted = MACHINES.flatMap((machine) => LEGAL[machine].map((edge) => `${machine}: ${edge}`));
  return wanted.filter((key) => !counts[key] && RARE.every((rare) => rare.key !== key));
}
