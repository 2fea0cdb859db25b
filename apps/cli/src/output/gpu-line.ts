import { formatDuration } from '@clawbernetes/kernel';
import type { NodeView } from '@clawbernetes/protocol';
import { paintState, type Colours } from './colours.ts';
import { memory, oneLine } from './phrases.ts';

type GpuView = NodeView['gpus'][number];

/** Longest piece of a node's own words. */
const WORDS = 200;

/** `3: NVIDIA H100 80 GiB quarantined (xid): Xid 79: …; needs drain-reboot`. */
export function gpuLine(colours: Colours, gpu: GpuView, nowMs: number): string {
  const simulated = gpu.simulated ? colours.yellow(' simulated') : '';
  const user = gpu.attemptId === undefined ? '' : ` by ${gpu.attemptId}`;
  const device = `${gpu.index}: ${oneLine(gpu.model)} ${memory(gpu.memoryMib)}`;
  return `${device} ${gpuState(colours, gpu)}${user}${simulated}${gpuTrouble(colours, gpu, nowMs)}`;
}

/** `quarantined` and `probation` are one state to the scheduler, and two to a reader. */
export function gpuState(colours: Colours, { state, condition }: GpuView): string {
  return paintState(colours, condition?.state === 'probation' ? 'probation' : state);
}

/** What is wrong with it, and until when. */
export function gpuTrouble(colours: Colours, { condition, health }: GpuView, nowMs: number): string {
  const words = oneLine(condition?.message ?? health.reason ?? '', WORDS);
  if (condition?.untilMs !== undefined) {
    const left = formatDuration(Math.max(0, condition.untilMs - nowMs));
    return `: ${words} Back in ${left} if no fault comes.`;
  }
  if (condition) return ` (${condition.kind}): ${words} Needs ${condition.action}.`;
  return health.state === 'healthy' ? '' : ` ${paintState(colours, health.state)} ${words}`;
}
