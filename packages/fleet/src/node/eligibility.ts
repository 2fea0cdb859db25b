import type { NodeView } from '@clawbernetes/protocol';

export type Eligibility = NodeView['eligibility'];

/** `verified`: it has shown what it has and runs. `emptied`: nothing runs there any more. */
export const ELIGIBILITY_ACTS = [
  'approve',
  'verified',
  'cordon',
  'uncordon',
  'drain',
  'emptied',
  'retire',
] as const;
export type EligibilityAct = (typeof ELIGIBILITY_ACTS)[number];

/** What is not listed is refused; what leads to itself is safe to repeat. */
const MOVES: Record<Eligibility, Partial<Record<EligibilityAct, Eligibility>>> = {
  joining: { approve: 'verifying', retire: 'retired' },
  verifying: { approve: 'verifying', verified: 'schedulable', cordon: 'cordoned', drain: 'draining' },
  schedulable: { approve: 'schedulable', cordon: 'cordoned', uncordon: 'schedulable', drain: 'draining' },
  cordoned: { approve: 'cordoned', cordon: 'cordoned', uncordon: 'schedulable', drain: 'draining' },
  draining: {
    approve: 'draining',
    cordon: 'cordoned',
    uncordon: 'schedulable',
    drain: 'draining',
    emptied: 'drained',
  },
  drained: {
    approve: 'drained',
    cordon: 'drained',
    uncordon: 'schedulable',
    drain: 'drained',
    emptied: 'drained',
    retire: 'retired',
  },
  retired: { approve: 'verifying', retire: 'retired' },
};

/** The eligibility after an act, or undefined if it is not possible in this one. */
export function afterAct(before: Eligibility, act: EligibilityAct): Eligibility | undefined {
  return MOVES[before][act];
}
