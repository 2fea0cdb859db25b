import { pciAddress } from './pci-address.ts';

export type NvidiaFailureCode =
  | 'driver-unreachable'
  | 'driver-mismatch'
  | 'library-missing'
  | 'not-permitted'
  | 'gpu-lost'
  | 'gpu-unreachable'
  | 'no-devices'
  | 'nvml-failed';

export interface NvidiaFailure {
  readonly code: NvidiaFailureCode;
  /** For people: what happened and what to do next. */
  readonly message: string;
  /** Of the GPU that the sentence names. */
  readonly pciAddress?: string | undefined;
}

const HANDLE =
  /Unable to (?:determine|detect) the device handle for GPU ?([0-9a-fA-F:.]{7,16}): ([^\n]{1,120})/;

/** What nvidia-smi complains of, from the sentences that it prints; undefined if none of them is there. */
export function nvidiaFailure(text: string): NvidiaFailure | undefined {
  return handleFailure(text) ?? SENTENCES.find(({ pattern }) => pattern.test(text))?.failure;
}

function handleFailure(text: string): NvidiaFailure | undefined {
  const [, where, why] = HANDLE.exec(text) ?? [];
  if (where === undefined || why === undefined) return undefined;
  const address = pciAddress(where);
  const at = address ?? where;
  return why.includes('GPU is lost')
    ? {
        code: 'gpu-lost',
        pciAddress: address,
        message: `The GPU at ${at} is lost: it no longer answers. Drain this node and reboot it.`,
      }
    : {
        code: 'gpu-unreachable',
        pciAddress: address,
        message: `The driver cannot reach the GPU at ${at} (${why.trim()}). Drain this node and reboot it.`,
      };
}

const SENTENCES: readonly { readonly pattern: RegExp; readonly failure: NvidiaFailure }[] = [
  {
    pattern: /couldn.{1,3}t communicate with the NVIDIA driver/,
    failure: {
      code: 'driver-unreachable',
      message:
        'The NVIDIA kernel driver is not running. Load it (modprobe nvidia); ' +
        'after a kernel update, reinstall the driver.',
    },
  },
  {
    pattern: /Driver\/library version mismatch/i,
    failure: {
      code: 'driver-mismatch',
      message:
        'The loaded NVIDIA driver and its libraries have different versions, as after an upgrade. ' +
        'Reboot this machine, or stop what uses the GPUs and reload the driver.',
    },
  },
  {
    pattern: /couldn.{1,3}t find libnvidia-ml/,
    failure: { code: 'library-missing', message: 'libnvidia-ml is missing. Reinstall the NVIDIA driver.' },
  },
  {
    pattern: /Insufficient Permissions|GPU access blocked by the operating system/,
    failure: {
      code: 'not-permitted',
      message: 'This user may not use the NVIDIA devices. Check the permissions of /dev/nvidia*.',
    },
  },
  {
    pattern: /No devices were found/,
    failure: { code: 'no-devices', message: 'The NVIDIA driver is loaded and sees no GPU.' },
  },
  {
    pattern: /Failed to initialize NVML/,
    failure: {
      code: 'nvml-failed',
      message: 'The NVIDIA management library cannot start. Run nvidia-smi to see why.',
    },
  },
];
