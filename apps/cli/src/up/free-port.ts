import { createServer } from 'node:net';
import { errorCode } from '@clawbernetes/kernel';
import { cliError } from '../errors.ts';

/**
 * Makes sure that the gateway will get its port, to say in plain words when not. @throws CodedError `port-in-
 * use`.
 */
export async function requireFreePort(host: string, port: number): Promise<void> {
  const server = createServer();
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject).listen(port, host, resolve);
    });
  } catch (cause) {
    throw cliError('port-in-use', problem(host, port, errorCode(cause)), { cause });
  } finally {
    server.close();
  }
}

function problem(host: string, port: number, code: string | undefined): string {
  if (code === 'EADDRINUSE') {
    return `Port ${port} on ${host} is used by another program. Choose another port: clawbernetes up --port ${port + 1}`;
  }
  if (code === 'EACCES')
    return `Port ${port} needs more rights than you have. Choose one above 1023 with --port.`;
  return `The gateway cannot listen on ${host}:${port} (${code ?? 'unknown error'}). Choose others with --host and --port.`;
}
