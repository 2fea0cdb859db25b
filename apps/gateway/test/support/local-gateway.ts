import { silentLogger, type Logger } from '@clawbernetes/kernel';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
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
  stop(): Promise<void>;
}

export interface RestartableGateway extends LocalGateway {
  /** Stops it and starts another on the same home. */
  restart(): Promise<RestartableGateway>;
}

/** The production gateway in this process: real port, real files. Ends with the test. */
export async function startGateway(
  options: ServeOptions = {},
  { home, logger = silentLogger, args }: { home?: string; logger?: Logger; args?: readonly string[] } = {},
): Promise<RestartableGateway> {
  const gateway = await serve(home ?? (await tempFolder()), options, logger, args);
  onTestFinished(gateway.stop);
  return {
    ...gateway,
    async restart() {
      await gateway.stop();
      return startGateway(options, { home: gateway.home, logger, ...(args && { args }) });
    },
  };
}

/** One for all tests of a file; a given home outlives it. */
export async function openForFile(
  options: ServeOptions = {},
  given?: string,
): Promise<{ gateway: LocalGateway; close: () => Promise<void> }> {
  const home = given ?? (await mkdtemp(join(tmpdir(), 'claw-gateway-')));
  const gateway = await serve(home, options, silentLogger);
  const close = async (): Promise<void> => {
    await gateway.stop();
    if (given === undefined) await rm(home, { recursive: true });
  };
  return { gateway, close };
}

async function serve(
  home: string,
  options: ServeOptions,
  logger: Logger,
  args: readonly string[] = [],
): Promise<LocalGateway> {
  const parsed = parseConfig(['--home', home, '--port', '0', ...args], {});
  if (parsed.kind !== 'run') throw new Error('these arguments run a gateway');
  const running = await serveGateway(parsed.config, logger, options);
  let stopped: Promise<void> | undefined;
  const token = (await readFile(join(home, 'gateway', 'owner.token'), 'utf8')).trim();
  return {
    home,
    api: new ApiClient(running.url, token),
    nodeUrl: `${running.url.replace('http', 'ws')}/node`,
    stop: () => (stopped ??= Promise.resolve(running[Symbol.asyncDispose]())),
  };
}
