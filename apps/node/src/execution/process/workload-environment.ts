import type { Launch } from '../executor.ts';
import type { GpuAccess } from './gpu-access.ts';

export const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** Found again in /proc by `pidsWithMarker`. */
export function attemptMarker(attemptId: string): string {
  return `CLAWBERNETES_ATTEMPT_ID=${attemptId}`;
}

/**
 * Everything that a workload finds in its environment. The spec may set the basics, not who it is or its
 * GPUs.
 */
export function workloadEnvironment(
  launch: Launch,
  gpus: GpuAccess,
  { path, home }: { readonly path: string; readonly home: string },
): Readonly<Record<string, string>> {
  return {
    PATH: path,
    HOME: home,
    LANG: 'C.UTF-8',
    ...launch.spec.env,
    ...gpus.env,
    CLAWBERNETES_ATTEMPT_ID: launch.attemptId,
    CLAWBERNETES_WORKLOAD_ID: launch.workloadId,
  };
}
