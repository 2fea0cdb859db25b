import { join } from 'node:path';
import { rm } from 'node:fs/promises';
import { errorMessage, type Logger } from '@clawbernetes/kernel';
import { SegmentLog, type LogSlice, type LogTail, type OpenSegments } from '@clawbernetes/telemetry';
import type { Changes } from '../changes.ts';

/** Logs held open at once; others are opened again when asked for. */
const MAX_OPEN = 512;

export interface WorkloadLogsOptions {
  readonly folder: string;
  readonly maxLogBytes: number;
}

/** The gateway's copies of attempts' logs, at the positions that they have on their nodes. */
export class WorkloadLogs {
  readonly #deps: { readonly logger: Logger; readonly changes: Changes; readonly segments?: OpenSegments };
  readonly #options: WorkloadLogsOptions;
  /** Least recently used first. */
  readonly #open = new Map<string, SegmentLog>();

  constructor(
    deps: { readonly logger: Logger; readonly changes: Changes; readonly segments?: OpenSegments },
    options: WorkloadLogsOptions,
  ) {
    this.#deps = deps;
    this.#options = options;
  }

  /**
   * Adds what a node sent and answers the end of the copy. @throws CodedError `log-write-failed`,
   * `log-damaged`.
   */
  append(attemptId: string, position: number, records: Uint8Array): number {
    const end = this.#log(attemptId).appendRaw(position, records);
    this.#deps.changes.notify(logKey(attemptId));
    return end;
  }

  end(attemptId: string): number {
    return this.#log(attemptId).end;
  }

  read(attemptId: string, position: number, maxBytes: number): LogSlice {
    return this.#log(attemptId).read(position, maxBytes);
  }

  /** Where the last `lines` lines begin. */
  tail(attemptId: string, lines: number): LogTail {
    return this.#log(attemptId).tail(lines);
  }

  /** Best effort: a folder that stays is removed with its workload's next removal or by hand. */
  remove(attemptIds: readonly string[]): void {
    for (const attemptId of attemptIds) {
      this.#open.get(attemptId)?.close();
      this.#open.delete(attemptId);
      rm(this.#folder(attemptId), { recursive: true, force: true }).catch((error: unknown) =>
        this.#deps.logger.warn('a log could not be removed', { attemptId, error: errorMessage(error) }),
      );
    }
  }

  close(): void {
    for (const log of this.#open.values()) log.close();
    this.#open.clear();
  }

  #log(attemptId: string): SegmentLog {
    const known = this.#open.get(attemptId);
    const log = known ?? this.#openLog(attemptId);
    this.#open.delete(attemptId);
    this.#open.set(attemptId, log);
    this.#closeOldest();
    return log;
  }

  #openLog(attemptId: string): SegmentLog {
    const { segments } = this.#deps;
    const options = { folder: this.#folder(attemptId), maxBytes: this.#options.maxLogBytes };
    return SegmentLog.open(segments ? { segments } : {}, options);
  }

  #closeOldest(): void {
    const oldest = this.#open.size > MAX_OPEN ? this.#open.entries().next().value : undefined;
    if (!oldest) return;
    oldest[1].close();
    this.#open.delete(oldest[0]);
  }

  /** Spread over 256 folders by the random end of the id. */
  #folder(attemptId: string): string {
    return join(this.#options.folder, attemptId.slice(-2), attemptId);
  }
}

export function logKey(attemptId: string): string {
  return `log:${attemptId}`;
}
