import type { Launch } from '../execution/executor.ts';
import type { ContactWatch } from './contact-watch.ts';
import { supervisorError } from './supervisor-error.ts';
import type { SupervisorState } from './supervisor-state.ts';

export interface LaunchConditions {
  readonly isStopping: boolean;
  readonly state: SupervisorState;
  readonly contacts: ContactWatch;
  readonly maxAttempts: number;
}

/** What speaks against an attempt that is not known yet. @throws CodedError as `Supervisor.launch` says. */
export function refuseUnfit(
  launch: Launch,
  { isStopping, state, contacts, maxAttempts }: LaunchConditions,
): void {
  const { attemptId, workloadId, epoch } = launch;
  if (isStopping) {
    throw supervisorError('supervisor-stopping', "The node's supervisor is stopping; try again in a moment.");
  }
  if (!contacts.mayBegin(launch)) {
    throw supervisorError(
      'no-contact',
      `Attempt ${attemptId} may not run without contact to the gateway, which was last heard of too long ago.`,
    );
  }
  if (state.isStale(workloadId, epoch)) {
    const text = `${epoch.term}.${epoch.counter}`;
    throw supervisorError(
      'stale-epoch',
      `Attempt ${attemptId} of workload ${workloadId} has epoch ${text}; a newer one was launched here already.`,
    );
  }
  if (state.wasForgotten(attemptId)) {
    throw supervisorError('stale-epoch', `Attempt ${attemptId} has ended here before and was forgotten.`);
  }
  if (state.size >= maxAttempts) {
    throw supervisorError(
      'too-many-attempts',
      `This node keeps ${maxAttempts} attempts and takes no more before ended ones are forgotten.`,
    );
  }
}
