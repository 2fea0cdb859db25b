import { access } from 'node:fs/promises';
import type { Call } from '../declare/declaration.ts';
import { cliError } from '../errors.ts';
import { findGateway, tokenFile } from '../find-gateway.ts';
import type { GlobalOptions } from '../context.ts';

/**
 * Explains with the token's place, not the token: what is printed or put into arguments is read by others.
 */
export async function explainToken({ context, options }: Call): Promise<void> {
  const { config } = context;
  const { url } = await findGateway(config, (options as GlobalOptions).gateway);
  const file = tokenFile(config);
  const fromEnvironment = config.token !== undefined;
  if (!fromEnvironment) await requireFile(file);
  const source = fromEnvironment ? 'printenv CLAWBERNETES_TOKEN' : `cat ${quoted(file)}`;
  const header = `printf 'Authorization: Bearer %s\\n' "$(${source})"`;
  const curl = `${header} | curl -sS -H @- --json '{}' ${url}/api/commands/fleet.status`;
  await context.print(
    { url, ...(fromEnvironment ? { variable: 'CLAWBERNETES_TOKEN' } : { file }), curl },
    () =>
      [
        `The token is in ${fromEnvironment ? 'the environment variable CLAWBERNETES_TOKEN' : file}.`,
        'With it you are the owner of this gateway: keep it to yourself. Through a pipe it stays out of the process list:',
        '',
        `  ${curl}`,
        '',
        `The API is described at ${url}/api/openapi.json.`,
      ].join('\n'),
  );
}

async function requireFile(file: string): Promise<void> {
  try {
    await access(file);
  } catch (cause) {
    throw cliError(
      'not-started',
      `There is no token at ${file} yet. Start a gateway with "clawbernetes up".`,
      { cause },
    );
  }
}

function quoted(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}
