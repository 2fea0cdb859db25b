import { silentLogger, type Logger } from '@clawbernetes/kernel';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { parseConfig } from '../../src/config.ts';
import { serveGateway, type ServeOptions } from '../../src/serve.ts';
import { ApiClient } from './api-client.ts';
import { tempFolder } from './temp-folder.ts';

export interface LocalGateway {
  readonly home: string;
  readonly api: ApiClient;
  readonly nodeUrl: string;
  /** Stops it and starts another on the same home. */
  restart(): Promise<LocalGateway>;
  stop(): Promise<void>;
}

/** The production gateway in this process: real port, real files. Ends with the test. */
export async function startGateway(
  options: ServeOptions = {},
  { home, logger = silentLogger }: { home?: string; logger?: Logger } = {},
): Promise<LocalGateway> {
  const folder = home ?? (await tempFolder());
  const parsed = parseConfig(['--home', folder, '--port', '0'], {});
  if (parsed.kind !== 'run') throw new Error('these arguments run a gateway');
  const running = await serveGateway(parsed.config, logger, options);
  let stopped: Promise<void> | undefined;
  const stop = (): Promise<void> => (stopped ??= running[Symbol.asyncDispose]().then(() => undefined));
  onTestFinished(stop);
  const token = (await readFile(join(folder, 'gateway', 'owner.token'), 'utf8')).trim();
  return {
    home: folder,
    api: new ApiClient(running.url, token),
    nodeUrl: `${running.url.replace('http', 'ws')}/node`,
    stop,
    async restart() {
      await stop();
      return startGateway(options, { home: folder, logger });
    },
  };
}
