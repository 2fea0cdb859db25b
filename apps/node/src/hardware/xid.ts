import type { FaultAction } from '@clawbernetes/protocol';

export type XidAction = FaultAction;

export interface XidClass {
  readonly meaning: string;
  readonly action: XidAction;
}

/**
 * The Xids that matter to placement, with the "immediate action" of NVIDIA's catalog
 * (docs.nvidia.com/deploy/xid-errors/analyzing-xid-catalog.html). Where the catalog names a procedure, its
 * usual end is taken: 48 and 74 end in a reset; 45 is a consequence of another Xid; 61 is from the list for
 * older GPUs.
 */
const CATALOG: Readonly<Record<number, XidClass>> = {
  8: { meaning: 'the GPU stopped processing', action: 'restart-app' },
  13: { meaning: 'graphics engine exception', action: 'restart-app' },
  31: { meaning: 'GPU memory page fault', action: 'restart-app' },
  32: { meaning: 'invalid or corrupted push buffer stream', action: 'restart-app' },
  43: { meaning: 'the GPU stopped processing a program', action: 'ignore' },
  44: { meaning: 'graphics engine fault during context switch', action: 'ignore' },
  45: { meaning: 'clean-up after an earlier error', action: 'ignore' },
  46: { meaning: 'the GPU stopped processing', action: 'reset-gpu' },
  48: { meaning: 'double bit ECC error', action: 'reset-gpu' },
  54: { meaning: 'auxiliary power is not connected', action: 'replace' },
  61: { meaning: 'internal microcontroller breakpoint', action: 'reset-gpu' },
  62: { meaning: 'internal microcontroller halt', action: 'reset-gpu' },
  63: { meaning: 'memory row or page marked for repair', action: 'ignore' },
  64: { meaning: 'memory repair could not be recorded', action: 'reset-gpu' },
  74: { meaning: 'NVLink error', action: 'reset-gpu' },
  79: { meaning: 'the GPU has fallen off the bus', action: 'drain-reboot' },
  92: { meaning: 'high rate of single bit ECC errors', action: 'ignore' },
  94: { meaning: 'contained memory error', action: 'restart-app' },
  95: { meaning: 'uncontained memory error', action: 'reset-gpu' },
  109: { meaning: 'context switch timeout', action: 'reset-gpu' },
  110: { meaning: 'security fault', action: 'reset-gpu' },
  119: { meaning: 'the GPU system processor did not answer in time', action: 'reset-gpu' },
  120: { meaning: 'GPU system processor error', action: 'reset-gpu' },
  136: { meaning: 'NVLink training failed', action: 'reset-gpu' },
  140: { meaning: 'unrecovered ECC error', action: 'reset-gpu' },
  143: { meaning: 'GPU initialisation error', action: 'reset-gpu' },
  151: { meaning: 'key rotation error', action: 'drain-reboot' },
  155: { meaning: 'NVLink error found by software', action: 'reset-gpu' },
  156: { meaning: 'part of the GPU was retired', action: 'reset-gpu' },
  157: { meaning: 'part of the GPU could not be retired', action: 'replace' },
  158: { meaning: 'fatal GPU timeout', action: 'reset-gpu' },
};

/** NVLink 5 errors say in their text whether they are fatal. */
const NVLINK5 = { first: 144, last: 150 };
/** "GPU recovery action changed from … to 0x1 (GPU Reset Required)". */
const RECOVERY_ACTION_CHANGED = 154;

/** `message` is the text after the number: some Xids tell there how bad they are. */
export function classifyXid(xid: number, message: string): XidClass {
  if (xid >= NVLINK5.first && xid <= NVLINK5.last) {
    return { meaning: 'NVLink error', action: /\bFatal\b/.test(message) ? 'reset-gpu' : 'ignore' };
  }
  if (xid === RECOVERY_ACTION_CHANGED) return recoveryAction(message);
  return CATALOG[xid] ?? { meaning: 'an error that is not in our catalogue', action: 'ignore' };
}

function recoveryAction(message: string): XidClass {
  const wanted = message.slice(message.lastIndexOf(' to ') + 1);
  if (/reboot/i.test(wanted)) return { meaning: 'the driver asks for a reboot', action: 'drain-reboot' };
  if (/reset/i.test(wanted)) return { meaning: 'the driver asks for a GPU reset', action: 'reset-gpu' };
  return { meaning: 'the driver needs nothing further', action: 'ignore' };
}
