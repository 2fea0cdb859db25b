import type { GlobalOptions } from '../context.ts';

export interface UpOptions extends GlobalOptions {
  readonly demo?: boolean;
  readonly once?: boolean;
  readonly port?: number;
  readonly host?: string;
  readonly insecure?: boolean;
  readonly name?: string;
  readonly simulateGpus?: string;
}

export const DEFAULT_PORT = 8080;
export const DEFAULT_HOST = '127.0.0.1';
