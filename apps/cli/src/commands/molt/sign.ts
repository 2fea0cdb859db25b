import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { errorMessage, formatDuration, type Json } from '@clawbernetes/kernel';
import type { SignedOrder } from '@clawbernetes/sdk';
import type { Context } from '../../context.ts';
import type { Call } from '../../declare/declaration.ts';
import { cliError } from '../../errors.ts';
import { oneLine } from '../../output/phrases.ts';
import { moltText } from './molt-amount.ts';
import { remarkNext } from './next-steps.ts';
import { rateText } from './rate.ts';
import { Signer } from './signer.ts';
import type { SigningOptions } from './signing-options.ts';

/** Of a file that somebody else has made. */
const MAX_CHARACTERS = 131_072;

/** Adds a signature to an order that needs several, and has it carried out. */
export async function signSaved({ context, operands: [file = ''], options }: Call): Promise<void> {
  const order = await readOrder(context, file);
  const signer = await Signer.open(context, options as SigningOptions);
  if (!(await signer.carryOut(questionAbout(order, signer.address), order))) return;
  await context.print({ type: order.type, body: order.body, done: true }, () => `${order.type}: done.`);
  const about = thingOf(order);
  if (about !== undefined) remarkNext(context, ['See it with:', `molt ${about}`]);
}

/** How to see what it was about. */
function thingOf({ body }: SignedOrder): string | undefined {
  for (const name of ['agreement', 'escrow']) {
    const id = body[name];
    if (typeof id === 'string' && /^[0-9a-f]{32}$/.test(id)) return `${name} show ${id}`;
  }
  return undefined;
}

/** All that the order says, since somebody else has written it. */
function questionAbout({ type, body, signatures }: SignedOrder, address: string): string {
  const fields = Object.entries(body).map(([name, value]) => `${oneLine(name)}: ${fieldText(name, value)}`);
  const before = signatures.map(({ signer }) => oneLine(signer)).join(', ') || 'nobody';
  const lines = [oneLine(type), ...fields, `signed so far by ${before}`];
  return [`Sign this order as ${address}?`, ...lines].join('\n  ');
}

/** As people read it, where it is what the name says; the ledger refuses what is not. */
function fieldText(name: string, value: Json | undefined): string {
  if (name === 'rate' && isWhole(value)) return rateText(value);
  if (AMOUNTS.has(name) && isWhole(value)) return moltText(value);
  if (name === 'windowMs' && typeof value === 'number') return formatDuration(value);
  if (/^(deadline|until)Ms$/.test(name) && typeof value === 'number' && Math.abs(value) < MAX_DATE_MS)
    return new Date(value).toISOString();
  return oneLine(typeof value === 'string' ? value : JSON.stringify(value), 100);
}

const AMOUNTS: ReadonlySet<string> = new Set([
  'amount',
  'slashable',
  'toBuyer',
  'toProvider',
  'slash',
  'each',
  'total',
]);
/** What a Date can hold. */
const MAX_DATE_MS = 8.64e15;

function isWhole(value: Json | undefined): value is string {
  return typeof value === 'string' && /^\d{1,40}$/.test(value);
}

async function readOrder(context: Context, file: string): Promise<SignedOrder> {
  const target = path.resolve(context.config.cwd, file);
  try {
    const text = await readFile(target, 'utf8');
    const read: unknown = text.length > MAX_CHARACTERS ? undefined : JSON.parse(text);
    if (isOrder(read)) return read;
  } catch (cause) {
    const message = `${target} could not be read as an order (${errorMessage(cause)}). Name the file that --save wrote.`;
    throw cliError('file-unreadable', message, { cause });
  }
  throw cliError('file-unreadable', `${target} is no order. Name the file that --save wrote.`);
}

/** As far as it is shown here; the ledger checks all of it. */
function isOrder(read: unknown): read is SignedOrder {
  if (typeof read !== 'object' || read === null) return false;
  const { type, body, signatures } = read as Partial<SignedOrder>;
  if (typeof type !== 'string' || typeof body !== 'object' || !Array.isArray(signatures)) return false;
  const all: readonly { readonly signer?: unknown }[] = signatures;
  return all.every(({ signer }) => typeof signer === 'string');
}
