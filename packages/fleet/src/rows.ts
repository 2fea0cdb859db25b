import type { Row, RowChange } from '@clawbernetes/storage';
import type { AttemptRecord, NodeRecord, WorkloadRecord } from './records.ts';
import type { EventView } from '@clawbernetes/protocol';

/** The specification never changes, so only the first row of a workload carries it. */
export function workloadRow(workload: WorkloadRecord, { first }: { readonly first: boolean }): RowChange {
  const { id, namespace, name, state, spec, ...data } = workload;
  const row = { id, namespace, name, state, data: JSON.stringify(data) };
  return first
    ? { table: 'workload', insert: { ...row, spec: JSON.stringify(spec) } }
    : { table: 'workload', upsert: row };
}

/** Reads workloads; those of one specification have it in common, as most of a fleet's resemble others. */
export function workloadReader(): (row: Row) => WorkloadRecord {
  const specs = new Map<string, WorkloadRecord['spec']>();
  const specOf = (json: string): WorkloadRecord['spec'] => {
    const known = specs.get(json) ?? (JSON.parse(json) as WorkloadRecord['spec']);
    specs.set(json, known);
    return known;
  };
  return (row) => readWorkload(row, specOf(text(row, 'spec')));
}

function readWorkload(row: Row, spec: WorkloadRecord['spec']): WorkloadRecord {
  return {
    id: text(row, 'id'),
    namespace: text(row, 'namespace'),
    name: text(row, 'name'),
    state: text(row, 'state') as WorkloadRecord['state'],
    spec,
    ...(JSON.parse(text(row, 'data')) as Omit<
      WorkloadRecord,
      'id' | 'namespace' | 'name' | 'state' | 'spec'
    >),
  };
}

export function attemptRow(attempt: AttemptRecord, { first }: { readonly first: boolean }): RowChange {
  const { id, workloadId, namespace, state, ...data } = attempt;
  const row = { id, workload_id: workloadId, namespace, state, data: JSON.stringify(data) };
  return first ? { table: 'attempt', insert: row } : { table: 'attempt', upsert: row };
}

export function readAttempt(row: Row): AttemptRecord {
  return {
    id: text(row, 'id'),
    workloadId: text(row, 'workload_id'),
    namespace: text(row, 'namespace'),
    state: text(row, 'state') as AttemptRecord['state'],
    ...(JSON.parse(text(row, 'data')) as Omit<AttemptRecord, 'id' | 'workloadId' | 'namespace' | 'state'>),
  };
}

export function nodeRow(node: NodeRecord): RowChange {
  const { id, name, ...data } = node;
  return { table: 'node', upsert: { id, name, data: JSON.stringify(data) } };
}

export function readNode(row: Row): NodeRecord {
  return {
    id: text(row, 'id'),
    name: text(row, 'name'),
    ...(JSON.parse(text(row, 'data')) as Omit<NodeRecord, 'id' | 'name'>),
  };
}

export function eventRow(event: EventView): RowChange {
  const { sequence, timeMs, namespace, type, subject, cause, message, facts } = event;
  const row = {
    sequence,
    time_ms: timeMs,
    namespace,
    type,
    subject,
    cause,
    message,
    facts: JSON.stringify(facts),
  };
  return { table: 'event', insert: row };
}

export function readEvent(row: Row): EventView {
  return {
    sequence: Number(row['sequence']),
    timeMs: Number(row['time_ms']),
    namespace: text(row, 'namespace'),
    type: text(row, 'type'),
    subject: text(row, 'subject'),
    cause: text(row, 'cause') as EventView['cause'],
    message: text(row, 'message'),
    facts: JSON.parse(text(row, 'facts')) as EventView['facts'],
  };
}

function text(row: Row, column: string): string {
  return String(row[column]);
}
