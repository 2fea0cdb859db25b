import {
  closeSync,
  existsSync,
  fstatSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  rmSync,
  statSync,
  truncateSync,
  writevSync,
} from 'node:fs';
import { join } from 'node:path';
import { errorMessage, present } from '@clawbernetes/kernel';
import { telemetryError } from './errors.ts';
import type { Segment, Segments } from './segments.ts';

/** 16 digits hold every safe integer, so names sort as their positions do. */
const NAME = /^(\d{16})\.seg$/;

/** Segments as files of one folder, which exists from the first append on. Only the owner may read them. */
export class FileSegments implements Segments {
  readonly #folder: string;
  #appending: { readonly start: number; readonly descriptor: number } | undefined;

  constructor(folder: string) {
    this.#folder = folder;
  }

  list(): Segment[] {
    if (!existsSync(this.#folder)) return [];
    const starts = readdirSync(this.#folder).flatMap((name) => NAME.exec(name)?.[1] ?? []);
    return starts
      .map(Number)
      .toSorted((left, right) => left - right)
      .map((start) => ({ start, sizeBytes: statSync(this.#path(start)).size }));
  }

  append(start: number, parts: readonly Uint8Array[]): void {
    try {
      writeWhole(this.#descriptorOf(start), parts);
    } catch (error) {
      const why = errorMessage(error);
      throw telemetryError(
        `Output could not be stored in ${this.#folder}: ${why}. Free space or make it writable.`,
        { code: 'log-write-failed', folder: this.#folder },
        error,
      );
    }
  }

  read(start: number, offset: number, length: number): Uint8Array {
    const descriptor = openSync(this.#path(start), 'r');
    try {
      const bytes = Buffer.allocUnsafe(length);
      return bytes.subarray(0, readSync(descriptor, bytes, 0, length, offset));
    } finally {
      closeSync(descriptor);
    }
  }

  truncate(start: number, sizeBytes: number): void {
    truncateSync(this.#path(start), sizeBytes);
  }

  remove(start: number): void {
    if (this.#appending?.start === start) this.close();
    rmSync(this.#path(start), { force: true });
  }

  removeAll(): void {
    this.close();
    rmSync(this.#folder, { force: true, recursive: true });
  }

  close(): void {
    if (this.#appending) closeSync(this.#appending.descriptor);
    this.#appending = undefined;
  }

  #descriptorOf(start: number): number {
    if (this.#appending?.start === start) return this.#appending.descriptor;
    this.close();
    mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
    const descriptor = openSync(this.#path(start), 'a', 0o600);
    this.#appending = { start, descriptor };
    return descriptor;
  }

  #path(start: number): string {
    return join(this.#folder, `${String(start).padStart(16, '0')}.seg`);
  }
}

/**
 * Writes all of `parts`, or leaves the file as it was: a full disk takes the first bytes and refuses the
 * rest.
 */
function writeWhole(descriptor: number, parts: readonly Uint8Array[]): void {
  const total = parts.reduce((sum, part) => sum + part.length, 0);
  const written = writevSync(descriptor, parts);
  if (written === total) return;
  const sizeBefore = fstatSync(descriptor).size - written;
  try {
    writeRest(descriptor, Buffer.concat(parts).subarray(written));
  } catch (error) {
    ftruncateSync(descriptor, sizeBefore);
    throw error;
  }
}

function writeRest(descriptor: number, bytes: Uint8Array): void {
  for (let rest = bytes; rest.length > 0;) {
    const written = writevSync(descriptor, [rest]);
    rest = rest.subarray(present(written || undefined, 'progress of a write'));
  }
}
