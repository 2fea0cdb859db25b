/** Cost of argon2id (RFC 9106). */
export interface Argon2Cost {
  readonly memoryKib: number;
  readonly passes: number;
  /** Degree of parallelism. */
  readonly lanes: number;
}
