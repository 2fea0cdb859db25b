import type { Row, RowChange } from '@clawbernetes/storage';

export interface JoinTokenRecord {
  readonly id: string;
  /** Hex of SHA-256 of the secret: the secret itself is shown once and never stored. */
  readonly secretHash: string;
  /** The node that redeems it needs no approval. */
  readonly approve: boolean;
  readonly expiresAtMs: number;
}

export function joinTokenRow(token: JoinTokenRecord): RowChange {
  const { id, secretHash, approve, expiresAtMs } = token;
  const row = { id, secret_hash: secretHash, approve: approve ? 1 : 0, expires_at_ms: expiresAtMs };
  return { table: 'join_token', insert: row };
}

export function readJoinToken(row: Row): JoinTokenRecord {
  return {
    id: String(row['id']),
    secretHash: String(row['secret_hash']),
    approve: Number(row['approve']) === 1,
    expiresAtMs: Number(row['expires_at_ms']),
  };
}
