import { seededRandom } from '@clawbernetes/kernel';

/** How often each fault strikes, per simulated hour. */
export const FAULT_RATES = {
  'gateway-crash': 3,
  'crash-before-commit': 2,
  'crash-during-commit': 2,
  'crash-after-commit': 2,
  'agent-crash': 5,
  'crash-around-launch': 3,
  'crash-around-stop': 2,
  'crash-around-forget': 3,
  'supervisor-crash': 4,
  'connection-cut': 5,
  'half-open': 4,
  'lossy-link': 4,
  'reordered-frames': 4,
  'late-frames': 4,
  'slow-network': 3,
  partition: 4,
  'flapping-node': 3,
  'mass-loss': 1.5,
  'slow-disk': 3,
  'disk-full': 1,
  'clock-jump': 4,
  'clock-skew': 3,
  xid: 5,
  'gpu-missing': 4,
  'gpu-hot': 3,
  'gpu-release': 8,
  'pull-failures': 4,
  cordon: 4,
  drain: 5,
  taint: 3,
  retire: 2,
  'forced-retire': 3,
  'forced-stop': 3,
  'config-edits': 4,
  'quota-edits': 4,
  burst: 6,
} as const;
export type Fault = keyof typeof FAULT_RATES;
export const FAULTS = Object.keys(FAULT_RATES) as Fault[];

/**
 * One fault of a run. Its number in the plan of its seed names it, so that a run can be made of some of them.
 */
export interface PlannedFault {
  readonly index: number;
  readonly fault: Fault;
  readonly atMs: number;
  /** Of the choices within it. */
  readonly seed: number;
}

export interface FaultPlan {
  readonly seed: number;
  readonly nodes: number;
  readonly hours: number;
  /** Of faults and requests: 1 = as the rates say, less is calmer. */
  readonly pace: number;
  readonly faults: readonly PlannedFault[];
}

const HOUR_MS = 3_600_000;
/** Keeps the plan apart from what else follows from the seed. */
const PLAN_SALT = 0x5eed;

/**
 * Everything that will break, in the order of time: the same for the same seed and pace, whatever the length.
 */
export function planFaults(seed: number, nodes: number, hours: number, pace = 1): FaultPlan {
  const random = seededRandom(seed ^ PLAN_SALT);
  const total = Object.values(FAULT_RATES).reduce((sum, rate) => sum + rate, 0);
  const faults: PlannedFault[] = [];
  for (let atMs = 0; ;) {
    atMs += (-Math.log(1 - random.fraction()) * HOUR_MS) / (total * pace);
    if (atMs >= hours * HOUR_MS) return { seed, nodes, hours, pace, faults };
    const fault = draw(random.fraction() * total);
    faults.push({ index: faults.length, fault, atMs, seed: Math.floor(random.fraction() * 2 ** 31) });
  }
}

function draw(at: number): Fault {
  let left = at;
  for (const fault of FAULTS) {
    left -= FAULT_RATES[fault];
    if (left < 0) return fault;
  }
  return 'connection-cut';
}

export function noFaults(): Record<Fault, number> {
  return Object.fromEntries(FAULTS.map((fault) => [fault, 0])) as Record<Fault, number>;
}
