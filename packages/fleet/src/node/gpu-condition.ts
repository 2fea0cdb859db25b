import type { FaultAction, FaultKind, GpuConditionState, GpuDevice, GpuFault } from '@clawbernetes/protocol';

/** Why a GPU is out of use, or which of its faults a person has declared harmless. */
export interface GpuCondition {
  readonly state: GpuConditionState | 'released';
  readonly kind: FaultKind;
  readonly action: FaultAction;
  readonly message: string;
  readonly sinceMs: number;
  /** End of the probation, on the wall clock. */
  readonly untilMs?: number;
  /** Of the faults behind it; of a released one those that no longer count. */
  readonly keys: readonly string[];
  /** As last seen, for one that is missing. */
  readonly device?: GpuDevice;
}

export interface GpuFinding {
  /** As its node shows it; undefined = it no longer does. */
  readonly device: GpuDevice | undefined;
  /** As last seen before. */
  readonly known: GpuDevice;
  readonly faults: readonly GpuFault[];
  /** Whatever looks for such GPUs has answered: what it does not show is not there. */
  readonly certain: boolean;
  /** Of a MIG instance: whether its node shows the GPU of which it is a part. */
  readonly isGpuShown?: boolean;
}

export interface GpuPolicy {
  /** Instead of what a fault itself calls for, by `xid-79` or by kind. */
  readonly actions: Readonly<Record<string, FaultAction>>;
  /** Without a new fault before a GPU gets work again, ms. */
  readonly probationMs: number;
}

/** The first two ask nothing of the GPU itself. */
const GRAVITY: Record<FaultAction, number> = {
  ignore: 0,
  'restart-app': 0,
  'reset-gpu': 1,
  'drain-reboot': 2,
  replace: 3,
};

/**
 * Its faults with the actions of this fleet's policy, the gravest first; those that ask nothing come last.
 */
export function gradeFaults(faults: readonly GpuFault[], { actions }: GpuPolicy): readonly GpuFault[] {
  return faults
    .map((fault) => ({ ...fault, action: override(fault, actions) ?? fault.action }))
    .toSorted((left, right) => GRAVITY[right.action] - GRAVITY[left.action]);
}

function override({ kind, code }: GpuFault, actions: GpuPolicy['actions']): FaultAction | undefined {
  return (code === undefined ? undefined : actions[`${kind}-${code}`]) ?? actions[kind];
}

/** Whether work must not run on a GPU with this fault. */
export function takesOut({ action }: Pick<GpuFault, 'action'>): boolean {
  return GRAVITY[action] > 0;
}

/**
 * The condition of a GPU after its node has shown what it has; undefined = fit for work. Healthy →
 * quarantined by a fault, missing if it is gone; both → probation once it is there without fault, and from
 * there by time (`afterTime`) to healthy, or back by a new fault.
 */
export function afterFinding(
  before: GpuCondition | undefined,
  finding: GpuFinding,
  policy: GpuPolicy,
  nowMs: number,
): GpuCondition | undefined {
  const { device, faults, certain } = finding;
  if (!device) {
    const isKnown = before?.state === 'missing' && (before.kind === 'missing' || !certain);
    return isKnown ? before : missing(finding, policy, nowMs);
  }
  const grave = gradeFaults(faults, policy).filter(takesOut);
  const released = before?.state === 'released' ? before.keys : [];
  const counting = grave.filter(({ key }) => !released.includes(key));
  const [gravest] = counting;
  if (gravest) return quarantined(before, gravest, counting, nowMs);
  if (before?.state === 'quarantined' || before?.state === 'missing')
    return onProbation(before, policy, nowMs);
  if (before?.state !== 'released') return before;
  const still = grave.filter(({ key }) => before.keys.includes(key)).map(({ key }) => key);
  if (still.length === before.keys.length) return before;
  return still.length === 0 ? undefined : { ...before, keys: still };
}

/** Probation ends by itself. */
export function afterTime(before: GpuCondition, nowMs: number): GpuCondition | undefined {
  return before.state === 'probation' && nowMs >= (before.untilMs ?? 0) ? undefined : before;
}

/**
 * A person says that it may be used: its present faults no longer count until they are gone. One that is
 * missing is no longer expected. Undefined = fit for work; 'refused' if there is nothing to release.
 */
export function afterRelease(
  before: GpuCondition | undefined,
  nowMs: number,
): GpuCondition | undefined | 'refused' {
  switch (before?.state) {
    case undefined:
    case 'released':
      return 'refused';
    case 'missing':
    case 'probation':
      return undefined;
    case 'quarantined': {
      const { untilMs: _, ...rest } = before;
      return { ...rest, state: 'released', sinceMs: nowMs };
    }
  }
}

/** Work that holds such a GPU cannot come to a good end there: only where the fault is certain. */
export function movesWork({ state, kind }: GpuCondition): boolean {
  if (state !== 'quarantined' && state !== 'missing') return false;
  return kind === 'xid' || kind === 'ecc' || kind === 'missing';
}

export function isOutOfUse(condition: GpuCondition | undefined): boolean {
  return condition !== undefined && condition.state !== 'released';
}

function quarantined(
  before: GpuCondition | undefined,
  { kind, action, message }: GpuFault,
  faults: readonly GpuFault[],
  nowMs: number,
): GpuCondition {
  const keys = faults.map(({ key }) => key);
  const same = before?.state === 'quarantined';
  if (same && keys.every((key) => before.keys.includes(key)) && keys.length === before.keys.length)
    return before;
  return { state: 'quarantined', kind, action, message, keys, sinceMs: same ? before.sinceMs : nowMs };
}

function missing(finding: GpuFinding, { actions }: GpuPolicy, nowMs: number): GpuCondition {
  const { known, certain, isGpuShown } = finding;
  // Who cuts up a GPU otherwise has broken nothing.
  const isCutAnew = certain && isGpuShown === true;
  return {
    state: 'missing',
    kind: certain ? 'missing' : 'driver',
    action: isCutAnew ? 'ignore' : (actions['missing'] ?? 'drain-reboot'),
    message: whyMissing(finding),
    sinceMs: nowMs,
    keys: [],
    device: known,
  };
}

function whyMissing({ certain, isGpuShown }: GpuFinding): string {
  if (!certain) return 'Its node cannot show it: what looks for such GPUs fails there or does not answer.';
  if (isGpuShown === undefined) return 'Its node no longer shows it.';
  return isGpuShown
    ? 'Its node no longer shows it: its GPU is cut up otherwise now, or not at all.'
    : 'Its node no longer shows it, nor the GPU of which it is a part.';
}

function onProbation(before: GpuCondition, { probationMs }: GpuPolicy, nowMs: number): GpuCondition {
  const { device: _, ...rest } = before;
  return { ...rest, state: 'probation', keys: [], sinceMs: nowMs, untilMs: nowMs + probationMs };
}
