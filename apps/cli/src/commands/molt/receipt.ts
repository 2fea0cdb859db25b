import { CodedError } from '@clawbernetes/kernel';
import {
  affordableMs,
  checkLedger,
  checkProposal,
  countersignReceipt,
  NO_LOG_ROOT,
  placeOf,
  proposeReceipt,
  receiptJson,
  settlementOf,
  signaturesOf,
  type AgreementView,
  type Receipt,
  type SignedReceipt,
} from '@clawbernetes/sdk/receipts';
import type { Context } from '../../context.ts';
import type { Call } from '../../declare/declaration.ts';
import { cliError } from '../../errors.ts';
import { printAgreement, printAgreements } from './agreement-view.ts';
import { readReceiptFile } from './receipt-file.ts';
import { ReceiptMemory } from './receipt-memory.ts';
import { receiptSentence, receiptText } from './receipt-view.ts';
import { Signer } from './signer.ts';
import type { SigningOptions } from './signing-options.ts';
import { writeNewFile } from './write-new-file.ts';

interface ProposeOptions extends SigningOptions {
  readonly active?: number;
  readonly cpu?: number;
  readonly gpu?: number;
  readonly bytesIn?: bigint;
  readonly bytesOut?: bigint;
  readonly logRoot?: string;
  readonly health: Receipt['health'];
  readonly after?: string;
}

/** The provider’s next receipt, after the newest that he has signed or that was settled. */
export async function propose({ context, operands: [id = ''], options }: Call): Promise<void> {
  const given = options as ProposeOptions;
  const after = given.after === undefined ? undefined : await readReceiptFile(context, given.after);
  const signer = await Signer.open(context, given);
  const agreement = await signer.client.command('molt.agreement', { agreement: id });
  if (agreement.provider !== signer.address)
    throw cliError(
      'not-a-party',
      `Only its provider ${agreement.provider} proposes receipts of agreement ${id}; you are ${signer.address}.`,
    );
  if (agreement.state === 'closed')
    throw new CodedError(`Agreement ${id} is closed; nothing is paid by it any more.`, {
      code: 'agreement-closed',
    });
  const memory = new ReceiptMemory(context);
  const known = after ?? (await memory.newest(id, 'provider'));
  const before = newerOf(known?.receipt, agreement);
  const activeMs = given.active ?? supposedMs(agreement, before?.receipt);
  const { timeMs } = agreement;
  const place = { ledgerId: signer.info.ledgerId, agreement, before, timeMs };
  const usage = {
    meters: metersOf(given, activeMs),
    health: given.health,
    logRoot: given.logRoot ?? NO_LOG_ROOT,
  };
  const facts = { ...place, buyer: agreement.buyer, before: before?.receipt };
  const question = `Sign receipt ${(before?.n ?? 0) + 1} of agreement ${id} as its provider?`;
  const signed = await signer.sign(question, (key) => proposeReceipt(key, place, usage));
  // What the buyer would refuse is not worth sending.
  checkProposal(signed, facts);
  await memory.keep('provider', signed);
  await handOver(context, given.save, signed);
  context.remark(
    `Signed ${receiptSentence(signed, before?.cumulativeAmount)}.\nSend it to the buyer, who runs:\n` +
      `  clawbernetes molt receipt countersign ${given.save ?? '<file>'} --save countersigned.json`,
  );
}

interface CountersignOptions extends SigningOptions {
  readonly maxActive?: number;
  readonly maxAmount?: bigint;
}

/** The buyer checks it against all that he knows, and signs. */
export async function countersign({ context, operands: [file = ''], options }: Call): Promise<void> {
  const given = options as CountersignOptions;
  const proposed = await readReceiptFile(context, file);
  const { receipt } = proposed;
  const signer = await Signer.open(context, given);
  const { ledgerId } = signer.info;
  checkLedger(receipt, ledgerId);
  const agreement = await signer.client.command('molt.agreement', { agreement: receipt.agreement });
  const memory = new ReceiptMemory(context);
  const before = (await memory.newest(receipt.agreement, 'buyer'))?.receipt;
  const { maxActive: maxActiveMs, maxAmount } = given;
  const { timeMs } = agreement;
  const facts = { ledgerId, agreement, buyer: signer.address, before, timeMs, maxActiveMs, maxAmount };
  checkProposal(proposed, facts);
  const known = newerOf(before, agreement);
  const sentence = receiptSentence(proposed, known?.cumulativeAmount);
  const signed = await signer.sign(`Countersign ${sentence}?\n${receiptText(proposed)}`, (key) =>
    countersignReceipt(key, proposed),
  );
  await memory.keep('buyer', signed);
  await handOver(context, given.save, signed);
  context.remark(
    `Countersigned ${sentence}.\nSend it to the provider; either of you can settle it:\n` +
      `  clawbernetes molt receipt settle ${given.save ?? '<file>'}`,
  );
}

/** Needs no wallet: both have signed. */
export async function settle({ context, operands: files }: Call): Promise<void> {
  const receipts = await eachInTurn(files, (file) => readReceiptFile(context, file));
  for (const { receipt, buyerSignature } of receipts) {
    if (buyerSignature === undefined)
      throw new CodedError(
        `The buyer has not signed receipt ${receipt.n} of agreement ${receipt.agreement}. ` +
          'He runs: clawbernetes molt receipt countersign <file>',
        { code: 'signature-missing' },
      );
  }
  const client = await context.client();
  const { ledgerId } = await client.command('ledger.info', {});
  for (const { receipt } of receipts) checkLedger(receipt, ledgerId);
  const { result, says } = await client.order(settlementOf(receipts));
  if (result !== 'ok') throw new CodedError(says, { code: result });
  const agreements = await eachInTurn(receipts, ({ receipt: { agreement } }) =>
    client.command('molt.agreement', { agreement }),
  );
  const [only] = agreements;
  if (only && agreements.length === 1) await printAgreement(context, only);
  else await printAgreements(context, agreements);
}

/** What a file says and whose signatures hold; asks nobody. */
export async function show({ context, operands: [file = ''] }: Call): Promise<number> {
  const signed = await readReceiptFile(context, file);
  const signatures = signaturesOf(signed);
  await context.print({ ...receiptJson(signed), signatures }, () => receiptText(signed));
  return signatures.provider === 'forged' || signatures.buyer === 'forged' ? FORGED : 0;
}

/** Exit code for a signature that does not hold, as where a ledger refuses it. */
const FORGED = 3;

interface Known {
  readonly n: number;
  readonly hash: string;
  readonly cumulativeAmount: bigint;
  /** Absent where only the ledger knows it. */
  readonly receipt?: Receipt;
}

/** Of what was signed here and what was settled. */
function newerOf(signed: Receipt | undefined, { last }: AgreementView): Known | undefined {
  if (signed && signed.n >= (last?.n ?? 0)) {
    return { ...placeOf(signed), cumulativeAmount: signed.cumulativeAmount, receipt: signed };
  }
  return last && { ...last, cumulativeAmount: BigInt(last.cumulativeAmount) };
}

/** As long as it could have been active since the receipt before; no longer than the funds last. */
function supposedMs(agreement: AgreementView, before: Receipt | undefined): number {
  if (!before) return agreement.activeMs;
  const mostMs = affordableMs(BigInt(agreement.rate), BigInt(agreement.funded));
  const sinceMs = Math.max(0, agreement.timeMs - before.timeMs);
  return Math.max(before.meters.activeMs, Math.min(mostMs, before.meters.activeMs + sinceMs));
}

function metersOf({ cpu, gpu, bytesIn, bytesOut }: ProposeOptions, activeMs: number): Receipt['meters'] {
  const inMs = (ms: number | undefined): bigint | undefined => (ms === undefined ? undefined : BigInt(ms));
  return { activeMs, cpuMs: inMs(cpu), gpuMs: inMs(gpu), bytesIn, bytesOut };
}

/** On stdout, or to a file of its own. */
async function handOver(context: Context, save: string | undefined, signed: SignedReceipt): Promise<void> {
  const value = receiptJson(signed);
  if (save === undefined) context.terminal.stdout.write(`${JSON.stringify(value, undefined, 2)}\n`);
  else await writeNewFile(context, save, value);
}

async function eachInTurn<In, Out>(items: readonly In[], work: (item: In) => Promise<Out>): Promise<Out[]> {
  const all: Out[] = [];
  for (const item of items) all.push(await work(item));
  return all;
}
