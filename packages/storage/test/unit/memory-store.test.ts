// Shows that the simulated disk passes the store suite.
import { seededRandom, systemClock } from '@clawbernetes/kernel';
import { MemoryDisk, openMemoryStore } from '@clawbernetes/storage';
import { storeSuite } from '@clawbernetes/storage/testing';

storeSuite('memory', async () => {
  const disk = new MemoryDisk({ clock: systemClock, random: seededRandom(1) }, { minMs: 0, maxMs: 1 });
  return {
    open: (schema, limits = {}) => openMemoryStore({ clock: systemClock }, disk, { ...limits, schema }),
    [Symbol.asyncDispose]: async () => undefined,
  };
});
