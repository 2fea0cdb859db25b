import { Option } from 'commander';
import { orderId } from './molt-values.ts';
import { positiveNumber } from './option-values.ts';
import { walletOption } from './wallet-declarations.ts';

/** For a list of what an owner takes part in. */
export function listOptions(): readonly Option[] {
  return [
    walletOption(),
    new Option('--limit <n>', 'how many').argParser(positiveNumber).default(50),
    new Option('--cursor <id>', 'go on after this one, as a longer list says').argParser(orderId),
  ];
}
