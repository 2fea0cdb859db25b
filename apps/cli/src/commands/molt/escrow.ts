import type { Json } from '@clawbernetes/kernel';
import type { Context } from '../../context.ts';
import type { Call } from '../../declare/declaration.ts';
import { invalidArguments } from '../../errors.ts';
import { printEscrow } from './escrow-view.ts';
import { moltText } from './molt-amount.ts';
import { remarkNext } from './next-steps.ts';
import { Signer } from './signer.ts';
import type { SigningOptions } from './signing-options.ts';
import { readAddress } from './wallet-address.ts';

interface CreateOptions extends SigningOptions {
  readonly provider: string;
  readonly amount: bigint;
  readonly release: 'single' | 'both' | 'arbiters' | 'time-lock';
  readonly releaser?: string;
  readonly arbiter?: readonly string[];
  readonly threshold?: number;
  readonly deadline?: number;
  readonly onDeadline: 'release' | 'refund';
  readonly terms?: string;
  readonly fund: boolean;
  readonly id?: string;
}

/** Makes and funds it, as the buyer. */
export async function createEscrow({ context, options }: Call): Promise<void> {
  const given = options as CreateOptions;
  const provider = readAddress(given.provider);
  const arbiters = arbitersOf(given);
  const signer = await Signer.open(context, given);
  const { address: buyer, info } = signer;
  const escrow = given.id ?? signer.newId();
  const { release, releaser, onDeadline, deadline, terms, amount } = given;
  const body = {
    escrow,
    buyer,
    provider,
    amount: String(amount),
    release,
    releaser: release === 'single' ? readAddress(releaser ?? buyer) : undefined,
    arbiters,
    deadlineMs: deadline === undefined ? undefined : info.timeMs + deadline,
    onDeadline,
    termsHash: terms,
  };
  const orders = [
    { type: 'escrow-create', body },
    ...(given.fund ? [{ type: 'escrow-fund', body: { escrow } }] : []),
  ];
  if (given.save !== undefined && given.fund)
    throw invalidArguments('--save goes with --no-fund: an escrow is funded once it is there.');
  const question = `Lock ${moltText(amount)} of ${buyer} for ${provider}, in escrow ${escrow}?`;
  if (!(await signer.carryOut(question, ...orders))) return;
  await printAfter(context, signer, escrow);
  remarkNext(context, ...(given.fund ? whenFunded(escrow) : whenMade(escrow)));
}

type Steps = readonly (readonly [why: string, command: string])[];

function whenMade(escrow: string): Steps {
  return [['It expires unless it is funded within an hour:', `molt escrow fund ${escrow}`]];
}

function whenFunded(escrow: string): Steps {
  return [
    ['Pay it when the work is done:', `molt escrow release ${escrow}`],
    [
      'or by the time used, once the provider has signed as well:',
      `molt agreement open ${escrow} --rate 1.5/h --save open.json`,
    ],
  ];
}

export async function showEscrow({ context, operands: [escrow = ''] }: Call): Promise<void> {
  const client = await context.client();
  await printEscrow(context, await client.command('molt.escrow', { escrow }));
}

interface PartOptions extends SigningOptions {
  readonly amount?: bigint;
}

export async function fundEscrow(call: Call): Promise<void> {
  const [escrow = ''] = call.operands;
  await change(call, 'escrow-fund', { escrow }, `Lock the funds of escrow ${escrow}?`);
}

export async function completeEscrow(call: Call): Promise<void> {
  const [escrow = ''] = call.operands;
  const { result } = call.options as SigningOptions & { readonly result?: string };
  const question = `Say that the work of escrow ${escrow} is done?`;
  await change(call, 'escrow-complete', { escrow, resultHash: result }, question);
}

export async function releaseEscrow(call: Call): Promise<void> {
  const [escrow = ''] = call.operands;
  const { amount } = call.options as PartOptions;
  const what = amount === undefined ? 'all that is locked' : moltText(amount);
  const question = `Release ${what} in escrow ${escrow} to its provider? It can be disputed for 24 hours.`;
  await change(call, 'escrow-release', { escrow, amount: text(amount) }, question);
}

export async function refundEscrow(call: Call): Promise<void> {
  const [escrow = ''] = call.operands;
  const question = `Give all that is locked in escrow ${escrow} back to its buyer?`;
  await change(call, 'escrow-refund', { escrow }, question);
}

export async function disputeEscrow(call: Call): Promise<void> {
  const [escrow = ''] = call.operands;
  const { amount, reason } = call.options as PartOptions & { readonly reason: string };
  const what = amount === undefined ? 'all of' : `${moltText(amount)} of`;
  const question = `Dispute ${what} escrow ${escrow}? A deposit is taken; what you do not win of it is lost.`;
  await change(call, 'escrow-dispute', { escrow, amount: text(amount), reason }, question);
}

interface ResolveOptions extends SigningOptions {
  readonly toBuyer: bigint;
  readonly toProvider: bigint;
  readonly slash?: bigint;
  readonly slashTo: 'buyer' | 'treasury';
}

export async function resolveEscrow(call: Call): Promise<void> {
  const [escrow = ''] = call.operands;
  const { toBuyer, toProvider, slash, slashTo } = call.options as ResolveOptions;
  const split = `${moltText(toBuyer)} to the buyer, ${moltText(toProvider)} to the provider`;
  const body = {
    escrow,
    toBuyer: String(toBuyer),
    toProvider: String(toProvider),
    ...(slash !== undefined && { slash: String(slash), slashTo }),
  };
  await change(call, 'escrow-resolve', body, `Resolve the dispute of escrow ${escrow}: ${split}?`);
}

async function change(
  { context, options }: Call,
  type: string,
  body: { readonly escrow: string; readonly [field: string]: Json | undefined },
  question: string,
): Promise<void> {
  const signer = await Signer.open(context, options as SigningOptions);
  if (await signer.carryOut(question, { type, body })) await printAfter(context, signer, body.escrow);
}

async function printAfter(context: Context, { client }: Signer, escrow: string): Promise<void> {
  await printEscrow(context, await client.command('molt.escrow', { escrow }));
}

function arbitersOf({ arbiter, threshold }: CreateOptions): Json | undefined {
  if (!arbiter) return undefined;
  const keys = arbiter.map(readAddress);
  return { keys, threshold: threshold ?? Math.floor(keys.length / 2) + 1 };
}

function text(amount: bigint | undefined): string | undefined {
  return amount === undefined ? undefined : String(amount);
}
