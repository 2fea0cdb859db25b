import type { Membership, MembershipStore } from '../host.ts';

/** A membership that outlives its agent but not the process. */
export class MemoryMembershipStore implements MembershipStore {
  #membership: Membership | undefined;

  get present(): Membership | undefined {
    return this.#membership;
  }

  load(): Promise<Membership | undefined> {
    return Promise.resolve(this.#membership);
  }

  save(membership: Membership): Promise<void> {
    this.#membership = membership;
    return Promise.resolve();
  }
}
