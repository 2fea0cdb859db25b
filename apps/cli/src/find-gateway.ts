import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { errorCode } from '@clawbernetes/kernel';
import type { CliConfig } from './config.ts';
import { invalidArguments } from './errors.ts';

export interface Endpoint {
  readonly url: string;
  readonly pid: number;
  readonly startedAtMs: number;
}

export const DEFAULT_GATEWAY_URL = 'http://127.0.0.1:8080';

type Home = Pick<CliConfig, 'home'>;

export function tokenFile({ home }: Home): string {
  return path.join(home, 'gateway', 'owner.token');
}

export function endpointFile({ home }: Home): string {
  return path.join(home, 'gateway', 'endpoint.json');
}

/** What the gateway of this home last wrote; it may have ended since. */
export async function readEndpoint(home: Home): Promise<Endpoint | undefined> {
  const text = await readIfThere(endpointFile(home));
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text) as Endpoint;
  } catch {
    return undefined; // half written: the gateway is just starting
  }
}

/**
 * Address and token of the gateway to talk to: the flag, then CLAWBERNETES_GATEWAY, then the gateway of this
 * home. The
 * owner's token file is only ever shown to this machine or to the gateway that wrote it.
 */
export async function findGateway(
  config: CliConfig,
  flag: string | undefined,
): Promise<{ readonly url: string; readonly token: string | undefined }> {
  const own = (await readEndpoint(config))?.url;
  const url = checkUrl(flag ?? config.gatewayUrl ?? own ?? DEFAULT_GATEWAY_URL);
  if (config.token !== undefined) return { url, token: config.token };
  const trusted = url === own || isLoopback(url);
  return { url, token: trusted ? (await readIfThere(tokenFile(config)))?.trim() : undefined };
}

export function isLoopback(url: string): boolean {
  const { hostname } = new URL(url);
  return hostname === 'localhost' || hostname === '[::1]' || /^127(\.\d+){3}$/.test(hostname);
}

function checkUrl(text: string): string {
  const url = URL.parse(/^https?:\/\//.test(text) ? text : `http://${text}`);
  if (url === null) {
    throw invalidArguments(
      `"${text}" is not the address of a gateway; write it like ${DEFAULT_GATEWAY_URL}.`,
    );
  }
  return url.href.replace(/\/+$/, '');
}

async function readIfThere(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}
