import { formatDuration } from '@clawbernetes/kernel';
import type { NodeView } from '@clawbernetes/protocol';
import { paintState, type Colours } from './colours.ts';
import { memory, oneLine, percent } from './phrases.ts';

type GpuView = NodeView['gpus'][number];

/** Longest piece of a node's own words. */
const WORDS = 200;

/** `3: NVIDIA H100 80 GiB quarantined (xid): Xid 79: …; needs drain-reboot`. */
export function gpuLine(colours: Colours, gpu: GpuView, nowMs: number): string {
  const simulated = gpu.simulated ? colours.yellow(' simulated') : '';
  const users = gpuUsers(gpu);
  const device = `${gpu.index}: ${gpuName(gpu)} ${memory(gpu.memoryMib)}`;
  const by = users === '' ? '' : ` by ${users}`;
  return `${device} ${gpuState(colours, gpu)}${by}${simulated}${gpuTrouble(colours, gpu, nowMs)}`;
}

/** `NVIDIA H100`, or `MIG 1g.10gb of NVIDIA H100` for an instance. */
export function gpuName({ model, migProfile }: Pick<GpuView, 'model' | 'migProfile'>): string {
  return migProfile === undefined ? oneLine(model) : `MIG ${migProfile} of ${oneLine(model)}`;
}

/** Workloads that have it, with the part of each if it is shared: `train 25 %, test 50 %`. */
export function gpuUsers({ attemptId = '', workloadName = attemptId, shares }: GpuUse): string {
  const sharers = shares?.map(
    (share) => `${share.workloadName ?? share.attemptId} ${percent(share.gpuMilli)}`,
  );
  return sharers?.join(', ') ?? workloadName;
}

type GpuUse = Pick<GpuView, 'attemptId' | 'workloadName' | 'shares'>;

/** `quarantined` and `probation` are one state to the scheduler, and two to a reader. */
export function gpuState(colours: Colours, { state, condition, shares, freeMilli = 0 }: GpuView): string {
  const rest = shares && freeMilli > 0 ? `, ${percent(freeMilli)} free` : '';
  return paintState(colours, condition?.state === 'probation' ? 'probation' : state) + rest;
}

/** What is wrong with it, and until when. */
export function gpuTrouble(colours: Colours, { condition, health }: GpuView, nowMs: number): string {
  const words = oneLine(condition?.message ?? health.reason ?? '', WORDS);
  if (condition?.untilMs !== undefined) {
    const left = formatDuration(Math.max(0, condition.untilMs - nowMs));
    return `: ${words} Back in ${left} if no fault comes.`;
  }
  const needs = condition && condition.action !== 'ignore' ? ` Needs ${condition.action}.` : '';
  if (condition) return ` (${condition.kind}): ${words}${needs}`;
  return health.state === 'healthy' ? '' : ` ${paintState(colours, health.state)} ${words}`;
}
