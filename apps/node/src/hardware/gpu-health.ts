import { MAX_GPU_FAULTS, type GpuDevice, type GpuFault } from '@clawbernetes/protocol';
import { formatDuration } from '@clawbernetes/kernel';
import type { NvidiaGpu } from './nvidia-query.ts';
import { classifyXid, type XidAction } from './xid.ts';
import type { XidEvent } from './xid-events.ts';

export type GpuHealth = GpuDevice['health'];

/**
 * For how long an Xid that calls for a reset counts, ms. Nothing in the kernel log says that a GPU was reset,
 * so it must end some time: health that is bad for ever is as wrong as health that is never bad.
 */
const RESET_XID_COUNTS_MS = 24 * 3_600_000;

/**
 * Whether work may be placed on an NVIDIA GPU. Pure: `events` are its Xids, `uptimeMs` dates them. A row that
 * waits for remapping only degrades: the memory is already out of use (NVIDIA GPU memory error management);
 * on older GPUs a page that waits for retirement is still in use.
 */
export function nvidiaHealth(gpu: NvidiaGpu, events: readonly XidEvent[], uptimeMs: number): GpuHealth {
  return (
    deviceHealth(gpu) ??
    xidHealth(events, uptimeMs, gpu.recoveryAction === 'None') ??
    memoryHealth(gpu) ?? { state: 'healthy' }
  );
}

function deviceHealth(gpu: NvidiaGpu): GpuHealth | undefined {
  if (gpu.fault !== undefined)
    return unhealthy(`nvidia-smi answers "${gpu.fault}" for it; reset it or reboot the node.`);
  if (gpu.rowRemapFailed === true) return unhealthy('Memory row remapping failed; replace the GPU.');
  if (gpu.retiredPagesPending === true) {
    return unhealthy('A memory page with ECC errors waits for retirement; reset the GPU or reboot the node.');
  }
  const action = gpu.recoveryAction ?? 'None';
  if (/reset|reboot/i.test(action)) return unhealthy(`The driver asks for recovery: ${action}.`);
  return action === 'None' ? undefined : degraded(`The driver asks for recovery: ${action}.`);
}

/**
 * What is wrong with an NVIDIA GPU and still counts, the gravest first: the gateway decides from it. Pure, as
 * `nvidiaHealth`. What only degrades it is no fault: it can go on working.
 */
export function nvidiaFaults(
  gpu: NvidiaGpu,
  events: readonly XidEvent[],
  uptimeMs: number,
): readonly GpuFault[] {
  const device = deviceHealth(gpu);
  const driverIsContent = gpu.recoveryAction === 'None';
  const xids = events.flatMap((event): readonly GpuFault[] => {
    const { meaning, action } = classifyXid(event.xid, event.message);
    const ageMs = event.bootSeconds === undefined ? 0 : Math.max(0, uptimeMs - event.bootSeconds * 1_000);
    if (action === 'ignore' || (ageMs > RESET_XID_COUNTS_MS && RANK[action] < RANK['drain-reboot']))
      return [];
    const recovered = action === 'reset-gpu' && driverIsContent;
    return [
      {
        key: `xid-${event.xid}@${event.bootSeconds ?? 'boot'}`,
        ...{ kind: 'xid', code: event.xid, action: recovered ? 'restart-app' : action },
        message: `Xid ${event.xid}: ${meaning}${recovered ? '; the driver needs no recovery' : ''}.`,
      },
    ];
  });
  const own = device?.state === 'unhealthy' ? [deviceFault(gpu, device.reason ?? '')] : [];
  return distinct([...own, ...xids])
    .toSorted((left, right) => RANK[right.action] - RANK[left.action])
    .slice(0, MAX_GPU_FAULTS);
}

function deviceFault(gpu: NvidiaGpu, message: string): GpuFault {
  if (gpu.fault !== undefined) return { key: 'driver', kind: 'driver', action: 'drain-reboot', message };
  if (gpu.rowRemapFailed === true) return { key: 'ecc-row-remap', kind: 'ecc', action: 'replace', message };
  if (gpu.retiredPagesPending === true)
    return { key: 'ecc-retired-pages', kind: 'ecc', action: 'reset-gpu', message };
  return { key: 'driver-recovery', kind: 'driver', action: 'reset-gpu', message };
}

/** A broken GPU repeats itself: of each Xid the newest. */
function distinct(faults: readonly GpuFault[]): GpuFault[] {
  return [...new Map(faults.map((fault) => [`${fault.kind}-${fault.code ?? fault.key}`, fault])).values()];
}

/** The gravest of the Xids that still count. */
function xidHealth(
  events: readonly XidEvent[],
  uptimeMs: number,
  driverIsContent: boolean,
): GpuHealth | undefined {
  let worst: { readonly rank: number; readonly health: GpuHealth } | undefined;
  for (const event of events) {
    const ageMs = event.bootSeconds === undefined ? 0 : Math.max(0, uptimeMs - event.bootSeconds * 1_000);
    const { meaning, action } = classifyXid(event.xid, event.message);
    const rank = RANK[action];
    const counts = action !== 'reset-gpu' || ageMs <= RESET_XID_COUNTS_MS;
    if (rank === 0 || !counts || (worst && worst.rank > rank)) continue;
    const ago = event.bootSeconds === undefined ? '' : `, ${formatDuration(ageMs)} ago`;
    const reason = `Xid ${event.xid} (${meaning})${ago}; ${ADVICE[action]}.`;
    const recovered = action === 'reset-gpu' && driverIsContent;
    worst = { rank, health: recovered ? degraded(reason) : unhealthy(reason) };
  }
  return worst?.health;
}

function memoryHealth(gpu: NvidiaGpu): GpuHealth | undefined {
  if (gpu.rowRemapPending === true) {
    return degraded('A memory row waits for remapping; reset the GPU when it is free.');
  }
  if ((gpu.eccUncorrected ?? 0) > 0) {
    return degraded(
      `${gpu.eccUncorrected} uncorrected ECC errors since the driver loaded; reset the GPU when it is free.`,
    );
  }
  return undefined;
}

/** 0: says nothing of the GPU itself. */
const RANK: Readonly<Record<XidAction, number>> = {
  ignore: 0,
  'restart-app': 0,
  'reset-gpu': 1,
  'drain-reboot': 2,
  replace: 3,
};

const ADVICE: Readonly<Record<XidAction, string>> = {
  ignore: 'nothing needs to be done',
  'restart-app': 'restart the program',
  'reset-gpu': 'reset the GPU',
  'drain-reboot': 'drain the node and reboot it',
  replace: 'have the hardware looked at',
};

function unhealthy(reason: string): GpuHealth {
  return { state: 'unhealthy', reason };
}

function degraded(reason: string): GpuHealth {
  return { state: 'degraded', reason };
}
