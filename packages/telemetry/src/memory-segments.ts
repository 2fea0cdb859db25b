import { present } from '@clawbernetes/kernel';
import type { OpenSegments, Segment, Segments } from './segments.ts';

/** Segments in memory, for the simulator and for tests; one map holds one folder's worth. */
export class MemorySegments implements Segments {
  readonly #contents = new Map<number, Uint8Array>();

  list(): Segment[] {
    return [...this.#contents]
      .map(([start, bytes]) => ({ start, sizeBytes: bytes.length }))
      .toSorted((left, right) => left.start - right.start);
  }

  append(start: number, parts: readonly Uint8Array[]): void {
    this.#contents.set(start, concatenate([this.#contents.get(start) ?? new Uint8Array(), ...parts]));
  }

  read(start: number, offset: number, length: number): Uint8Array {
    return this.#of(start).slice(offset, offset + length);
  }

  truncate(start: number, sizeBytes: number): void {
    this.#contents.set(start, this.#of(start).slice(0, sizeBytes));
  }

  remove(start: number): void {
    this.#contents.delete(start);
  }

  removeAll(): void {
    this.#contents.clear();
  }

  close(): void {
    // Memory holds nothing open.
  }

  #of(start: number): Uint8Array {
    return present(this.#contents.get(start), `segment ${start}`);
  }
}

/** A disk in memory: the same folder always gives the same segments, so a reopened log finds its bytes. */
export function memoryDisk(): OpenSegments {
  const folders = new Map<string, MemorySegments>();
  return (folder) => {
    const segments = folders.get(folder) ?? new MemorySegments();
    folders.set(folder, segments);
    return segments;
  };
}

function concatenate(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}
