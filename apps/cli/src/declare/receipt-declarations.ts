import { Option, type Command } from 'commander';
import { declare, type Runtime } from './declaration.ts';
import { byteCount, moltAmount, sha256 } from './molt-values.ts';
import { duration, oneOf } from './option-values.ts';
import { signingOptions } from './signing-options.ts';

/** By hand or by programs of the parties; a market exchanges receipts while a job runs. */
export function declareReceiptCommands(receipt: Command, runtime: Runtime): void {
  declareProposal(receipt, runtime);
  declare(receipt, runtime, {
    usage: 'countersign <file>',
    summary: 'check a proposed receipt and sign it, as the buyer; "-" reads stdin',
    options: [
      new Option('--max-active <duration>', 'refuse more active time than you measured').argParser(duration),
      new Option('--max-amount <molt>', 'refuse more than this in all').argParser(moltAmount),
      ...signingOptions(),
      toFile(),
    ],
    examples: [
      'molt receipt countersign receipt.json > countersigned.json',
      'molt receipt countersign receipt.json --max-active 50m --save countersigned.json',
    ],
    load: async () => (await import('../commands/molt/receipt.ts')).countersign,
  });
  declare(receipt, runtime, {
    usage: 'settle <files...>',
    summary: 'pay what countersigned receipts add; either party, without a passphrase',
    examples: ['molt receipt settle countersigned.json', 'molt receipt settle job-1.json job-2.json'],
    load: async () => (await import('../commands/molt/receipt.ts')).settle,
  });
  declare(receipt, runtime, {
    usage: 'show <file>',
    summary: 'what a receipt says and who has signed it; asks no gateway',
    examples: ['molt receipt show receipt.json'],
    load: async () => (await import('../commands/molt/receipt.ts')).show,
  });
}

function declareProposal(receipt: Command, runtime: Runtime): void {
  declare(receipt, runtime, {
    usage: 'propose <agreement>',
    summary: 'say what was used so far, as the provider',
    options: [
      new Option(
        '--active <duration>',
        'active time in all (default: all of it since the last receipt)',
      ).argParser(duration),
      new Option('--cpu <duration>', 'CPU time in all').argParser(duration),
      new Option('--gpu <duration>', 'GPU time in all').argParser(duration),
      new Option('--bytes-in <n>', 'received in all').argParser(byteCount),
      new Option('--bytes-out <n>', 'sent in all').argParser(byteCount),
      new Option('--log-root <sha256>', 'hash of the log so far').argParser(sha256),
      new Option('--health <state>', 'ok, degraded or failed')
        .argParser(oneOf('ok', 'degraded', 'failed'))
        .default('ok'),
      new Option('--after <file>', 'follow this receipt, instead of the newest that is known here'),
      ...signingOptions(),
      toFile(),
    ],
    examples: [
      'molt receipt propose 019a8f… > receipt.json',
      'molt receipt propose 019a8f… --active 50m --gpu 47m --save receipt.json',
    ],
    load: async () => (await import('../commands/molt/receipt.ts')).propose,
  });
}

function toFile(): Option {
  return new Option('--save <file>', 'write it to this new file instead of stdout');
}
