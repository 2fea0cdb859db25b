import {
  workloadSpecSchema,
  type CommandOutput,
  type EventView,
  type WorkloadState,
  type WorkloadView,
} from '@clawbernetes/protocol';

export function cannedWorkload(state: WorkloadState, facts: Partial<WorkloadView> = {}): WorkloadView {
  return {
    id: 'wl-1',
    name: 'greeting',
    namespace: 'default',
    state,
    spec: workloadSpecSchema.parse({ command: ['echo', 'hi'] }),
    simulated: false,
    submittedAtMs: 1_700_000_000_000,
    ...facts,
  };
}

export function cannedInspection(state: WorkloadState): CommandOutput<'workload.inspect'> {
  return { ...cannedWorkload(state), attempts: [], events: [] };
}

export function cannedEvent(sequence: number): EventView {
  return {
    sequence,
    timeMs: 1_700_000_000_000 + sequence,
    namespace: 'default',
    type: 'workload.queued',
    subject: 'wl-1',
    cause: 'user',
    message: `event ${sequence}`,
    facts: {},
  };
}
