import { Option } from 'commander';
import { walletOptions } from './wallet-declarations.ts';

/** For every command that signs an order: who, for which ledger, and whether to ask before. */
export function signingOptions(): readonly Option[] {
  return [
    ...walletOptions(),
    new Option('-y, --yes', 'do not ask before anything is moved'),
    new Option('--ledger <id>', 'sign for this ledger only, whatever the gateway says'),
  ];
}

/** Where others may have to sign, too. */
export function saveOption(): Option {
  return new Option('--save <file>', 'write the signed order for others to sign, instead of moving anything');
}
