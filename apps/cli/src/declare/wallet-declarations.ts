import { InvalidArgumentError, Option, type Command } from 'commander';
import { declare, type Runtime } from './declaration.ts';
import { wholeNumber } from './option-values.ts';

export function declareWalletCommands(wallet: Command, runtime: Runtime): void {
  declareNewWallets(wallet, runtime);
  declareWalletViews(wallet, runtime);
  declareWalletSecrets(wallet, runtime);
}

/** For every command that signs: which wallet, and where its passphrase comes from if nobody is asked. */
export function walletOptions(): readonly Option[] {
  return [walletOption(), ...passphraseOptions()];
}

/** For a command that only asks which wallet. */
export function walletOption(): Option {
  return new Option('-w, --wallet <name>', 'name of the wallet').default('main');
}

function passphraseOptions(which = 'passphrase'): readonly Option[] {
  const words = which.replace('-', ' ');
  return [
    new Option(`--${which}-file <file>`, `${words} from the first line of this file`),
    new Option(`--${which}-fd <n>`, `${words} from this file descriptor, such as 0 or 3`).argParser(
      wholeNumber,
    ),
  ];
}

function declareNewWallets(wallet: Command, runtime: Runtime): void {
  declare(wallet, runtime, {
    usage: 'create',
    summary: 'a new wallet; shows once what recovers it',
    options: [
      ...walletOptions(),
      new Option('--words <count>', 'length of the recovery phrase: 12 or 24')
        .argParser(wordCount)
        .default(24),
      new Option('--shares <m-of-n>', 'SLIP-39 shares instead of a phrase, such as 2-of-3').argParser(
        shareGroup,
      ),
    ],
    examples: [
      'molt wallet create',
      'molt wallet create --shares 2-of-3',
      'molt wallet create --wallet agent-1 --passphrase-file ~/.agent-passphrase -f json',
    ],
    load: async () => (await import('../commands/molt/wallet-create.ts')).createWallet,
  });
  declare(wallet, runtime, {
    usage: 'import <file>',
    summary: 'a key file of the Solana CLI; "-" reads stdin',
    options: walletOptions(),
    examples: ['molt wallet import ~/.config/solana/id.json', 'molt wallet import key.json --wallet trading'],
    load: async () => (await import('../commands/molt/wallet-import.ts')).importWallet,
  });
  declare(wallet, runtime, {
    usage: 'recover',
    summary: 'a wallet from its BIP-39 phrase or its SLIP-39 shares',
    options: [
      ...walletOptions(),
      new Option('--from <file>', 'the phrase, or one share per line, instead of asking; "-" reads stdin'),
      new Option('--pathless', 'the key of "solana-keygen new" without a derivation path'),
    ],
    examples: ['molt wallet recover', 'molt wallet recover --from shares.txt --wallet restored'],
    load: async () => (await import('../commands/molt/wallet-recover.ts')).recoverWallet,
  });
}

function declareWalletViews(wallet: Command, runtime: Runtime): void {
  declare(wallet, runtime, {
    usage: 'list',
    summary: 'the wallets of this machine; needs no passphrase',
    examples: ['molt wallet list', 'molt wallet list -f json'],
    load: async () => (await import('../commands/molt/wallet-list.ts')).listWallets,
  });
  declare(wallet, runtime, {
    usage: 'show',
    summary: 'address, PeerId and did:key of a wallet; needs no passphrase',
    options: [walletOption(), new Option('--did-document', 'the DID document instead, as JSON')],
    examples: [
      'molt wallet show',
      'molt wallet show --wallet trading -f json',
      'molt wallet show --did-document',
    ],
    load: async () => (await import('../commands/molt/wallet-show.ts')).showWallet,
  });
}

function declareWalletSecrets(wallet: Command, runtime: Runtime): void {
  declare(wallet, runtime, {
    usage: 'export [file]',
    summary: 'the key as a new file that the Solana CLI reads, mode 0600',
    options: [
      ...walletOptions(),
      new Option('--key <index>', 'this key, such as one that a rotation retired').argParser(wholeNumber),
      new Option('--print-private-key', 'print it instead, for everyone who sees this terminal'),
    ],
    examples: ['molt wallet export id.json', 'molt wallet export old.json --key 0'],
    load: async () => (await import('../commands/molt/wallet-export.ts')).exportWallet,
  });
  declare(wallet, runtime, {
    usage: 'rotate',
    summary: 'a new passphrase, the next key, or both; what was is kept until --discard-old',
    options: [
      ...walletOptions(),
      new Option('--new-passphrase', 'ask for a new passphrase'),
      ...passphraseOptions('new-passphrase'),
      new Option('--next-key', 'sign with the next key of the same phrase'),
      new Option('--discard-old', 'forget retired keys and delete old versions of the file'),
    ],
    examples: [
      'molt wallet rotate --new-passphrase',
      'molt wallet rotate --next-key',
      'molt wallet rotate --discard-old',
    ],
    load: async () => (await import('../commands/molt/wallet-rotate.ts')).rotateWallet,
  });
}

function wordCount(text: string): 12 | 24 {
  if (text === '12') return 12;
  if (text === '24') return 24;
  throw new InvalidArgumentError('Write 12 or 24.');
}

function shareGroup(text: string): { readonly threshold: number; readonly count: number } {
  const [, needed, all] = /^(\d{1,2})-of-(\d{1,2})$/.exec(text) ?? [];
  const [threshold, count] = [Number(needed), Number(all)];
  if (threshold >= 2 && threshold <= count && count <= 16) return { threshold, count };
  throw new InvalidArgumentError('Write how many of how many are needed, such as 2-of-3, up to 16.');
}
