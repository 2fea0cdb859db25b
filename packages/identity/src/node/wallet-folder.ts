import { readdir, unlink } from 'node:fs/promises';
import path from 'node:path';
import { errorCode, errorMessage, type Clock, type Json, type Random } from '@clawbernetes/kernel';
import type { Argon2Cost } from '../argon2-cost.ts';
import { identityError } from '../errors.ts';
import {
  DEFAULT_COST,
  keystoreText,
  openKeystore,
  parseKeystore,
  sealKeystore,
  type Keystore,
} from '../wallet/keystore.ts';
import {
  decodeSecret,
  encodeSecret,
  isWalletFacts,
  type WalletFacts,
  type WalletSecret,
} from '../wallet/wallet.ts';
import { createPrivateFile, readPrivateFile, replacePrivateFile } from './private-file.ts';

const NAME = /^[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?$/;
const MAX_FILE_BYTES = 1_048_576;
/** More would be no folder of wallets. */
const MAX_WALLETS = 10_000;

export interface WalletFolderDeps {
  readonly clock: Pick<Clock, 'nowMs'>;
  readonly random: Random;
}

/** A wallet of the folder, or why it cannot be read. */
export type ListedWallet =
  | { readonly name: string; readonly facts: WalletFacts }
  | { readonly name: string; readonly problem: { readonly code: string; readonly message: string } };

export interface WalletContent {
  readonly facts: WalletFacts;
  /** For eraseSecret() after use. */
  readonly secret: WalletSecret;
}

export interface UnlockedWallet extends WalletContent {
  /** Names the version that was read, so that replace() overwrites no other. */
  readonly revision: string;
}

/** Wallets as keystore files `<name>.json` of one folder; replaced ones are kept as `<name>.<time>.old`. */
export class WalletFolder {
  readonly #deps: WalletFolderDeps;
  readonly #cost: Argon2Cost;
  readonly folder: string;

  constructor(
    deps: WalletFolderDeps,
    { folder, cost = DEFAULT_COST }: { readonly folder: string; readonly cost?: Argon2Cost },
  ) {
    this.#deps = deps;
    this.#cost = cost;
    this.folder = folder;
  }

  /** @throws CodedError `invalid-key-name`. */
  fileOf(name: string): string {
    if (NAME.test(name)) return path.join(this.folder, `${name}.json`);
    throw identityError(
      'invalid-key-name',
      `"${name}" cannot name a wallet: take 1 to 32 of a–z, 0–9 and "-", with "-" only inside.`,
    );
  }

  /** By name. */
  async list(): Promise<readonly ListedWallet[]> {
    const names = (await this.#files())
      .filter((file) => file.endsWith('.json'))
      .map((file) => file.slice(0, -'.json'.length))
      .filter((name) => NAME.test(name));
    const listed: ListedWallet[] = [];
    for (const name of names.toSorted().slice(0, MAX_WALLETS)) listed.push(await this.#listed(name));
    return listed;
  }

  /** @throws CodedError `keystore-absent` and others that begin with `keystore-`. */
  async read(name: string): Promise<WalletFacts> {
    return (await this.#load(name)).facts;
  }

  /** Whether there is a file of this name, readable or not; what is made never replaces it. */
  async has(name: string): Promise<boolean> {
    return (await this.#files()).includes(path.basename(this.fileOf(name)));
  }

  /** @throws CodedError `keystore-exists` | `weak-passphrase` | `keystore-unreadable`. */
  async create(name: string, { facts, secret }: WalletContent, passphrase: string): Promise<void> {
    const file = this.fileOf(name);
    await createPrivateFile('keystore', file, await this.#seal(facts, secret, passphrase), this.#deps.random);
  }

  /** @throws CodedError `keystore-passphrase` and what read() throws. */
  async unlock(name: string, passphrase: string): Promise<UnlockedWallet> {
    const keystore = await this.#load(name);
    const bytes = await openKeystore(keystore, passphrase);
    try {
      return { facts: keystore.facts, secret: decodeSecret(bytes), revision: keystore.checksum };
    } finally {
      bytes.fill(0);
    }
  }

  /**
   * Writes a new version of what was unlocked; answers where the old one is kept.
   * @throws CodedError `keystore-changed` if somebody else did so meanwhile, and as create() and read().
   */
  async replace(
    name: string,
    { facts, secret, revision }: UnlockedWallet,
    passphrase: string,
  ): Promise<string> {
    const text = await this.#seal(facts, secret, passphrase);
    const { checksum } = await this.#load(name);
    const file = this.fileOf(name);
    if (checksum !== revision) throw changed(name, file);
    const stamp = new Date(this.#deps.clock.nowMs()).toISOString().replaceAll(/[:.]/g, '-');
    const oldFile = path.join(this.folder, `${name}.${stamp}.old`);
    await replacePrivateFile('keystore', file, text, { oldFile, random: this.#deps.random });
    return oldFile;
  }

  /** Old versions of a wallet, and what writers that were killed left of new ones. */
  async oldFiles(name: string): Promise<readonly string[]> {
    this.fileOf(name);
    const files = await this.#files();
    const own = files.filter((file) => file.startsWith(`${name}.`) && /\.(?:old|new)$/.test(file));
    return own.toSorted().map((file) => path.join(this.folder, file));
  }

  /** Deletes old versions, which old passphrases still open. Answers which. */
  async discardOldFiles(name: string): Promise<readonly string[]> {
    const files = await this.oldFiles(name);
    for (const file of files) await unlink(file);
    return files;
  }

  async #seal(facts: WalletFacts, secret: WalletSecret, passphrase: string): Promise<string> {
    const bytes = encodeSecret(secret);
    const { random } = this.#deps;
    try {
      const plain = facts as unknown as Json; // plain data: an interface only lacks the index signature
      return keystoreText(await sealKeystore(bytes, { facts: plain, passphrase, cost: this.#cost, random }));
    } finally {
      bytes.fill(0);
    }
  }

  async #load(name: string): Promise<Keystore & { readonly facts: WalletFacts }> {
    const file = this.fileOf(name);
    const text = await readPrivateFile('keystore', file, MAX_FILE_BYTES);
    if (text === undefined) {
      throw identityError(
        'keystore-absent',
        `There is no wallet "${name}" in ${this.folder}. List those there are with "clawbernetes molt wallet list", ` +
          'or make one with "clawbernetes molt wallet create".',
        { path: file },
      );
    }
    const keystore = parseKeystore(text, file);
    const { facts } = keystore;
    if (isWalletFacts(facts)) return { ...keystore, facts };
    throw identityError('keystore-damaged', `${file} describes no wallet. It was left as it is.`, {
      path: file,
    });
  }

  async #listed(name: string): Promise<ListedWallet> {
    try {
      return { name, facts: await this.read(name) };
    } catch (error) {
      return { name, problem: { code: errorCode(error) ?? 'internal', message: errorMessage(error) } };
    }
  }

  async #files(): Promise<readonly string[]> {
    try {
      return await readdir(this.folder);
    } catch (error) {
      if (errorCode(error) === 'ENOENT') return [];
      throw identityError(
        'keystore-unreadable',
        `The folder of wallets ${this.folder} could not be read: ${errorMessage(error)}`,
        { path: this.folder },
        { cause: error },
      );
    }
  }
}

function changed(name: string, file: string): Error {
  return identityError(
    'keystore-changed',
    `The wallet "${name}" was changed by another program meanwhile; that change was kept. Run this again.`,
    { path: file },
  );
}
