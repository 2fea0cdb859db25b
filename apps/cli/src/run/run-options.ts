import type { WorkloadSpecInput } from '@clawbernetes/protocol';
import type { GlobalOptions } from '../context.ts';

/** What the options of `run` become; see workload-declarations.ts. */
export interface RunOptions extends GlobalOptions {
  readonly detach?: boolean;
  readonly quiet?: boolean;
  readonly name?: string;
  readonly gpus?: number;
  readonly gpuType?: readonly string[];
  readonly gpuShare?: number;
  readonly mig?: string;
  readonly nvlink?: 'required' | 'preferred';
  readonly minGpuMemory?: number;
  readonly cpus?: number;
  readonly memory?: number;
  readonly env?: readonly string[];
  readonly envFile?: string;
  readonly workdir?: string;
  readonly mount?: readonly string[];
  readonly queue?: string;
  readonly priority?: number;
  readonly timeout?: number;
  readonly stopGrace?: number;
  readonly sandbox?: 'required' | 'preferred' | 'off';
  readonly network?: 'host' | 'none';
  readonly members?: number;
  readonly minMembers?: number;
  readonly topology?: string;
  readonly spreadBy?: string;
  readonly maxSkew?: number;
  readonly node?: string;
  readonly nodeSelector?: Readonly<Record<string, string>>;
  readonly tolerate?: readonly string[];
  readonly label?: Readonly<Record<string, string>>;
  readonly restart?: number;
  readonly restartOn?: 'failure' | 'always';
  readonly reschedule?: number;
  readonly replace?: number;
  readonly retryDelay?: number;
  readonly retryMaxDelay?: number;
  readonly onDisconnect?: NonNullable<WorkloadSpecInput['onDisconnect']>;
  readonly exclusive?: boolean;
}
