import { mkdir, open, readFile, rename } from 'node:fs/promises';
import path from 'node:path';
import { errorCode } from '@clawbernetes/kernel';
import { z } from 'zod';
import { nodeError } from '../errors.ts';
import type { Membership, MembershipStore } from '../host.ts';

const membershipSchema = z.strictObject({
  gatewayId: z.string(),
  gatewayPublicKey: z.string(),
  grant: z.string().optional(),
});

/**
 * The membership in a file: written beside, synced and renamed, so that it is whole whenever the power
 * fails.
 */
export class FileMembershipStore implements MembershipStore {
  readonly #file: string;

  constructor(file: string) {
    this.#file = file;
  }

  /** @throws CodedError `home-unusable` for a file that is not a membership. */
  async load(): Promise<Membership | undefined> {
    let text: string;
    try {
      text = await readFile(this.#file, 'utf8');
    } catch (error) {
      if (errorCode(error) === 'ENOENT') return undefined;
      throw error;
    }
    try {
      const { grant, ...rest } = membershipSchema.parse(JSON.parse(text));
      return grant === undefined ? rest : { ...rest, grant };
    } catch (cause) {
      const remedy = 'Move it away and start the node with a join token to join anew.';
      throw nodeError('home-unusable', `${this.#file} is damaged. ${remedy}`, { cause });
    }
  }

  async save(membership: Membership): Promise<void> {
    await mkdir(path.dirname(this.#file), { recursive: true, mode: 0o700 });
    const draft = `${this.#file}.new`;
    {
      await using handle = await open(draft, 'w', 0o600);
      await handle.writeFile(`${JSON.stringify(membership, null, 2)}\n`);
      await handle.sync();
    }
    await rename(draft, this.#file);
    await using folder = await open(path.dirname(this.#file), 'r');
    await folder.sync();
  }
}
