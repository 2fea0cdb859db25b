import { parseKeyName } from '@clawbernetes/identity';

/** Where an id, in hexadecimal, names its signer: after 48 bits of time, 64 bits of his key (see IdScope). */
const [KEY_START, KEY_END] = [12, 28];

/** When an id says that it was made, ms since 1970. */
export function idTimeMs(id: string): number {
  return Number.parseInt(id.slice(0, KEY_START), 16);
}

/** Whether an id is one of those that only the holder of this address may use. */
export function isIdOf(id: string, address: string): boolean {
  const key = Buffer.from(parseKeyName(address)).toString('hex');
  return id.slice(KEY_START, KEY_END) === key.slice(0, KEY_END - KEY_START);
}
