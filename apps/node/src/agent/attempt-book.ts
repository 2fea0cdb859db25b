import { createHash } from 'node:crypto';
import { assert } from '@clawbernetes/kernel';
import { attemptsDigestText, isTerminal, type AttemptStatus } from '@clawbernetes/protocol';

/** Forgotten attempts that are remembered by id, so that a late order to start one does not run it again. */
const MAX_FORGOTTEN = 8192;

interface Entry {
  status: AttemptStatus;
  /** Newest revision that the gateway has stored; 0 = none. */
  ackedRevision: number;
  /** End of the gateway's copy of the log. */
  logAcked: number;
  /** When the present revision was sent on this connection, monotonic ms. */
  sentAtMs: number | undefined;
  /** Refused before the supervisor took it. */
  readonly refused: boolean;
}

export interface SettledAttempt {
  readonly attemptId: string;
  readonly supervised: boolean;
}

/**
 * What this node knows of its attempts and what the gateway has confirmed of that: mirror of the supervisor
 * and outbox of statuses in one. Of several statuses of an attempt only the newest is kept, and a terminal
 * one is never replaced, so it is bounded by the number of attempts and loses no end.
 */
export class AttemptBook {
  readonly #entries = new Map<string, Entry>();
  readonly #unsent = new Set<string>();
  readonly #settled = new Set<string>();
  readonly #forgotten = new Set<string>();
  #digest: Uint8Array | undefined;

  get size(): number {
    return this.#entries.size;
  }

  get hasUnsent(): boolean {
    return this.#unsent.size > 0;
  }

  get(attemptId: string): AttemptStatus | undefined {
    return this.#entries.get(attemptId)?.status;
  }

  wasForgotten(attemptId: string): boolean {
    return this.#forgotten.has(attemptId);
  }

  all(): AttemptStatus[] {
    return Array.from(this.#entries.values(), ({ status }) => status);
  }

  /**
   * Takes a status; answers false for one that says nothing new: older, repeated, after the end, or
   * forgotten.
   */
  observe(status: AttemptStatus, { refused = false }: { readonly refused?: boolean } = {}): boolean {
    const { attemptId } = status;
    if (this.#forgotten.has(attemptId)) return false;
    const known = this.#entries.get(attemptId);
    if (known && (known.status.revision >= status.revision || isTerminal(known.status.state))) return false;
    this.#entries.set(attemptId, {
      status,
      ackedRevision: known?.ackedRevision ?? 0,
      logAcked: known?.logAcked ?? 0,
      sentAtMs: undefined,
      refused,
    });
    this.#unsent.add(attemptId);
    if (!known) this.#digest = undefined;
    return true;
  }

  /** Up to `limit` statuses that the gateway has not been sent on this connection. */
  takeUnsent(limit: number, nowMs: number): AttemptStatus[] {
    const taken: AttemptStatus[] = [];
    for (const attemptId of this.#unsent) {
      if (taken.length >= limit) break;
      this.#unsent.delete(attemptId);
      const entry = this.#entries.get(attemptId);
      if (!entry) continue;
      entry.sentAtMs = nowMs;
      taken.push(entry.status);
    }
    return taken;
  }

  /** Marks one status to be sent again: the gateway asked about it. */
  resend(attemptId: string): void {
    if (this.#entries.has(attemptId)) this.#unsent.add(attemptId);
  }

  /**
   * Marks everything unconfirmed that was not sent after `sinceMs`; without it, all of it: a new connection.
   */
  resendUnconfirmed(sinceMs = Infinity): void {
    for (const [attemptId, entry] of this.#entries) {
      const confirmed = entry.ackedRevision >= entry.status.revision;
      if (!confirmed && (entry.sentAtMs ?? -Infinity) <= sinceMs) this.#unsent.add(attemptId);
    }
  }

  /** The gateway has stored this revision and what came before it. */
  confirm(attemptId: string, revision: number): void {
    const entry = this.#entries.get(attemptId);
    if (!entry || revision <= entry.ackedRevision) return;
    // Never more than was said: a number from outside must not confirm what comes later.
    entry.ackedRevision = Math.min(revision, entry.status.revision);
    if (hasConfirmedEnd(entry)) this.#digest = undefined;
    this.#settleIfDone(attemptId, entry);
  }

  /** The gateway's copy of the log reaches `position`. */
  confirmLog(attemptId: string, position: number): void {
    const entry = this.#entries.get(attemptId);
    if (!entry || position <= entry.logAcked) return;
    entry.logAcked = position;
    this.#settleIfDone(attemptId, entry);
  }

  /**
   * Takes out the attempts whose end and whole log the gateway has confirmed.
   * Those that the supervisor holds are to be forgotten there as well.
   */
  takeSettled(): SettledAttempt[] {
    const taken: SettledAttempt[] = [];
    for (const attemptId of this.#settled) {
      const entry = this.#entries.get(attemptId);
      assert(entry !== undefined && hasConfirmedEnd(entry), 'only a confirmed end is forgotten');
      this.#entries.delete(attemptId);
      this.#unsent.delete(attemptId);
      this.#rememberForgotten(attemptId);
      taken.push({ attemptId, supervised: !entry.refused });
    }
    this.#settled.clear();
    return taken;
  }

  /** SHA-256 over the attempts that the gateway has not told this node to forget. */
  digest(): Uint8Array {
    this.#digest ??= createHash('sha256').update(this.#digestText()).digest();
    return this.#digest;
  }

  #digestText(): string {
    const open = [...this.#entries.values()].filter((entry) => !hasConfirmedEnd(entry));
    return attemptsDigestText(open.map(({ status }) => status));
  }

  #settleIfDone(attemptId: string, entry: Entry): void {
    if (hasConfirmedEnd(entry) && entry.logAcked >= entry.status.logEnd) this.#settled.add(attemptId);
  }

  #rememberForgotten(attemptId: string): void {
    this.#forgotten.add(attemptId);
    if (this.#forgotten.size <= MAX_FORGOTTEN) return;
    for (const oldest of this.#forgotten) {
      this.#forgotten.delete(oldest);
      break;
    }
  }
}

function hasConfirmedEnd({ status, ackedRevision }: Entry): boolean {
  return isTerminal(status.state) && ackedRevision >= status.revision;
}
