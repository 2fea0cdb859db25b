import { Option, type Command } from 'commander';
import { declare, declareGroup, type Runtime } from './declaration.ts';
import { moltAmountOrZero, orderId } from './molt-values.ts';

export function declareLedgerCommands(program: Command, runtime: Runtime): void {
  const ledger = declareGroup(program, 'ledger', 'the ledger of the gateway');
  declare(ledger, runtime, {
    usage: 'status',
    summary: 'its id, network, size and rules',
    examples: ['ledger status', 'ledger status -f json'],
    load: async () => (await import('../commands/ledger/ledger.ts')).showLedger,
  });
  declare(ledger, runtime, {
    usage: 'audit',
    summary: 'recompute every balance from the journal; ends with 1 if anything differs',
    examples: ['ledger audit', 'ledger audit -f json'],
    load: async () => (await import('../commands/ledger/ledger.ts')).auditLedger,
  });
  declarePayouts(ledger, runtime);
  declareCouncil(ledger, runtime);
}

/** The gateway signs as operator of its ledger; its owner says what. */
function declarePayouts(ledger: Command, runtime: Runtime): void {
  declare(ledger, runtime, {
    usage: 'withdrawals',
    summary: 'what has to be sent out, or to be confirmed',
    examples: ['ledger withdrawals -f json'],
    load: async () => (await import('../commands/ledger/operate.ts')).listWithdrawals,
  });
  declare(ledger, runtime, {
    usage: 'report <withdrawal> <status>',
    summary: 'say what became of a withdrawal outside: sent, confirmed or failed',
    options: [new Option('--reference <text>', 'such as the signature of the transaction'), yesOption()],
    examples: [
      'ledger report 019a8f… sent --reference 5Kd…',
      'ledger report 019a8f… confirmed',
      'ledger report 019a8f… failed',
    ],
    load: async () => (await import('../commands/ledger/operate.ts')).reportWithdrawal,
  });
  declare(ledger, runtime, {
    usage: 'deposit <address> <amount>',
    summary: 'book tokens that came in from outside',
    options: [
      new Option('--reference <text>', 'what brought them, such as a transaction').makeOptionMandatory(),
      new Option('--id <id>', 'id of the deposit: the same one is booked once').argParser(orderId),
      yesOption(),
    ],
    examples: ['ledger deposit 9xQe… 250 --reference 5Kd…'],
    load: async () => (await import('../commands/ledger/operate.ts')).takeDeposit,
  });
}

/** The gateway signs as the council of its ledger. */
function declareCouncil(ledger: Command, runtime: Runtime): void {
  declare(ledger, runtime, {
    usage: 'resolve <escrow>',
    summary: 'split what is contested, where the parties named no arbiters',
    options: [
      new Option('--to-buyer <molt>', 'of what is contested')
        .argParser(moltAmountOrZero)
        .makeOptionMandatory(),
      new Option('--to-provider <molt>', 'the rest of it').argParser(moltAmountOrZero).makeOptionMandatory(),
      yesOption(),
    ],
    examples: ['ledger resolve 019a8f… --to-buyer 3 --to-provider 2'],
    load: async () => (await import('../commands/ledger/operate.ts')).resolveAsCouncil,
  });
  declare(ledger, runtime, {
    usage: 'slash <address> <amount>',
    summary: 'take stake of who has broken the rules',
    options: [new Option('--reason <text>', 'which rule').makeOptionMandatory(), yesOption()],
    examples: ['ledger slash 9xQe… 100 --reason "evidence was forged"'],
    load: async () => (await import('../commands/ledger/operate.ts')).slashStake,
  });
}

function yesOption(): Option {
  return new Option('-y, --yes', 'do not ask before');
}
