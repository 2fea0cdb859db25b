export interface Segment {
  /** Position in the log of its first byte. */
  readonly start: number;
  readonly sizeBytes: number;
}

/**
 * The stored segments of one log: files, or the simulator's memory. A segment exists from its first append
 * on.
 */
export interface Segments {
  /** In order of position. */
  list(): Segment[];
  /**
   * Adds `parts` to the end of the segment `start`, all or nothing.
   * @throws CodedError `log-write-failed`, for example when the disk is full.
   */
  append(start: number, parts: readonly Uint8Array[]): void;
  /** May answer less than `length` at the end of the segment. */
  read(start: number, offset: number, length: number): Uint8Array;
  truncate(start: number, sizeBytes: number): void;
  remove(start: number): void;
  removeAll(): void;
  /** Gives back what is held for appending; a later append takes it again. */
  close(): void;
}

export type OpenSegments = (folder: string) => Segments;
