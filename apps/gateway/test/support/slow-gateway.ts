import { silentLogger, systemClock, systemRandom } from '@clawbernetes/kernel';
import { generateKeyPair } from '@clawbernetes/identity';
import { MemoryDisk, openMemoryStore } from '@clawbernetes/storage';
import { memoryDisk } from '@clawbernetes/telemetry';
import { onTestFinished } from 'vitest';
import { DEFAULT_GATEWAY_OPTIONS } from '../../src/gateway-options.ts';
import { openGateway } from '../../src/gateway.ts';
import { hashToken } from '../../src/http/api-context.ts';
import { openHttpServer } from '../../src/http/http-server.ts';
import { ApiClient } from './api-client.ts';
import { GatedClock } from './gated-clock.ts';

const TOKEN = 'a-token-for-this-test';

export interface SlowGateway {
  readonly disk: MemoryDisk;
  /** The disk's: while it is held, nothing is committed. */
  readonly diskClock: GatedClock;
  readonly api: ApiClient;
  readonly nodeUrl: string;
}

/** A gateway with real sockets on a disk whose commits take as long as a test wants, or never come. */
export async function startSlowGateway(): Promise<SlowGateway> {
  const base = { clock: systemClock, random: systemRandom, logger: silentLogger };
  const diskClock = new GatedClock();
  const disk = new MemoryDisk({ ...base, clock: diskClock }, { minMs: 0, maxMs: 0 });
  const host = {
    ...base,
    key: generateKeyPair(),
    openStore: (schema: Parameters<typeof openMemoryStore>[2]['schema']) =>
      openMemoryStore(base, disk, { schema }),
    storage: 'a simulated disk',
    segments: memoryDisk(),
  };
  const options = { ...DEFAULT_GATEWAY_OPTIONS, url: '', logFolder: 'logs' };
  const gateway = await openGateway(host, options);
  const server = await openHttpServer(
    { ...base, ownerTokenHash: hashToken(TOKEN), gateway: () => gateway },
    { ...options, host: '127.0.0.1', port: 0 },
  );
  onTestFinished(async () => {
    await server[Symbol.asyncDispose]();
    disk.crash();
    await gateway[Symbol.asyncDispose]();
  });
  const nodeUrl = `${server.url.replace('http', 'ws')}/node`;
  return { disk, diskClock, api: new ApiClient(server.url, TOKEN), nodeUrl };
}
