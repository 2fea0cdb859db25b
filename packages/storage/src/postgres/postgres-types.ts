import type { CustomTypesConfig } from 'pg';
import type { SqlValue } from '../row.ts';

/** Parsers by type OID (pg_type.dat), so that answers look as SQLite gives them. */
const PARSERS: Readonly<Record<number, (text: string) => SqlValue>> = {
  16: (text) => (text === 't' ? 1 : 0), // bool
  17: (text) => new Uint8Array(Buffer.from(text.slice(2), 'hex')), // bytea, \x…
  20: parseInteger, // int8
  21: Number, // int2
  23: Number, // int4
  700: Number, // float4
  701: Number, // float8
  1700: (text) => (/^-?\d+$/.test(text) ? parseInteger(text) : Number(text)), // numeric: sums and averages
};
const asText = (text: string): SqlValue => text;

export const postgresTypes: CustomTypesConfig = {
  getTypeParser: (oid: number) => PARSERS[oid] ?? asText,
};

function parseInteger(text: string): number | bigint {
  const number = Number(text);
  return Number.isSafeInteger(number) ? number : BigInt(text);
}
