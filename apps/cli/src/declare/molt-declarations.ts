import type { Command } from 'commander';
import { declareAgreementCommands } from './agreement-declarations.ts';
import { declareGroup, type Runtime } from './declaration.ts';
import { declareEscrowCommands } from './escrow-declarations.ts';
import { declareHistoryCommands } from './history-declarations.ts';
import { declareMoneyCommands } from './money-declarations.ts';
import { declareReceiptCommands } from './receipt-declarations.ts';
import { declareStakeCommands } from './stake-declarations.ts';
import { declareWalletCommands } from './wallet-declarations.ts';

/** The compute market MOLT; each group of its commands has a file of declarations beside this. */
export function declareMoltCommands(program: Command, runtime: Runtime): void {
  const molt = declareGroup(program, 'molt', 'the compute market: keys, and what they own');
  declareWalletCommands(declareGroup(molt, 'wallet', 'keys of this machine, under a passphrase'), runtime);
  declareMoneyCommands(molt, runtime);
  declareHistoryCommands(molt, runtime);
  declareEscrowCommands(declareGroup(molt, 'escrow', 'tokens that are locked for a job'), runtime);
  const agreements = declareGroup(molt, 'agreement', 'leases that an escrow pays for by the time used');
  declareAgreementCommands(agreements, runtime);
  const receipts = declareGroup(molt, 'receipt', 'what was used, as provider and buyer sign it');
  declareReceiptCommands(receipts, runtime);
  declareStakeCommands(declareGroup(molt, 'stake', 'tokens that vouch for a provider'), runtime);
}
