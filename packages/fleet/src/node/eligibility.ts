import type { NodeView } from '@clawbernetes/protocol';

export type Eligibility = NodeView['eligibility'];

/**
 * `verified`: it has shown what it has and runs. `emptied`: nothing runs there any more. `abandon`: a person
 * vouches that it is gone.
 */
export const ELIGIBILITY_ACTS = [
  'approve',
  'verified',
  'cordon',
  'uncordon',
  'drain',
  'emptied',
  'retire',
  'abandon',
] as const;
export type EligibilityAct = (typeof ELIGIBILITY_ACTS)[number];

/** What is not listed is refused; what leads to itself is safe to repeat. */
const MOVES: Record<Eligibility, Partial<Record<EligibilityAct, Eligibility>>> = {
  joining: { approve: 'verifying', retire: 'retired', abandon: 'retired' },
  verifying: {
    approve: 'verifying',
    verified: 'schedulable',
    cordon: 'cordoned',
    drain: 'draining',
    abandon: 'retired',
  },
  schedulable: {
    approve: 'schedulable',
    cordon: 'cordoned',
    uncordon: 'schedulable',
    drain: 'draining',
    abandon: 'retired',
  },
  cordoned: {
    approve: 'cordoned',
    cordon: 'cordoned',
    uncordon: 'schedulable',
    drain: 'draining',
    abandon: 'retired',
  },
  draining: {
    approve: 'draining',
    cordon: 'cordoned',
    uncordon: 'schedulable',
    drain: 'draining',
    emptied: 'drained',
    abandon: 'retired',
  },
  drained: {
    approve: 'drained',
    cordon: 'drained',
    uncordon: 'schedulable',
    drain: 'drained',
    emptied: 'drained',
    retire: 'retired',
    abandon: 'retired',
  },
  retired: { approve: 'verifying', retire: 'retired', abandon: 'retired' },
};

/** The eligibility after an act, or undefined if it is not possible in this one. */
export function afterAct(before: Eligibility, act: EligibilityAct): Eligibility | undefined {
  return MOVES[before][act];
}
