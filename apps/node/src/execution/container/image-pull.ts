import { CodedError, type Clock, type Logger } from '@clawbernetes/kernel';
import type { Engine } from './engine.ts';
import { engineWords, refusalStatus } from './engine-client.ts';
import { EngineReply } from './engine-reply.ts';

/** A pull that says nothing for so long has lost its registry. */
const STALL_MS = 300_000;
const MAX_LINE_CHARACTERS = 1024 * 1024;
/** The tag must be named: without one, engines fetch all of them. */
const TAGGED = /@[a-z0-9]+:[0-9a-f]+$|:[\w][\w.-]{0,127}$/;

export interface ImagePullDeps {
  readonly engine: Engine;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * Makes `image` present. Engines join pulls of the same image, so attempts need not.
 * @throws CodedError `image-not-found` with the engine's words and a remedy, `executor-unavailable`, or
 * `aborted`.
 */
export async function ensureImage(
  deps: ImagePullDeps,
  image: string,
  options: { signal?: AbortSignal },
): Promise<void> {
  const { engine, logger } = deps;
  try {
    if (await engine.imageIsPresent(image, options)) return;
    logger.info('Pulling an image', { image });
    await pull(deps, image, options);
    logger.info('Pulled an image', { image });
  } catch (error) {
    if (options.signal?.aborted)
      throw new CodedError(`Fetching the image ${image} was aborted.`, { code: 'aborted' });
    throw pullFailure(image, error, engine.facts.name);
  }
}

async function pull(
  { engine, clock }: ImagePullDeps,
  image: string,
  { signal }: { signal?: AbortSignal },
): Promise<void> {
  const stalled = new AbortController();
  let timer = clock.after(STALL_MS, () => stalled.abort());
  const signals = AbortSignal.any([stalled.signal, ...(signal ? [signal] : [])]);
  let rest = '';
  try {
    const response = await engine.pull(TAGGED.test(image) ? image : `${image}:latest`, { signal: signals });
    for await (const chunk of response.setEncoding('utf8') as AsyncIterable<string>) {
      timer.cancel();
      timer = clock.after(STALL_MS, () => stalled.abort());
      const lines = (rest + chunk).split('\n');
      rest = lines.pop()?.slice(0, MAX_LINE_CHARACTERS) ?? '';
      lines.forEach(throwIfError);
    }
    throwIfError(rest);
  } finally {
    timer.cancel();
  }
}

function throwIfError(line: string): void {
  if (line.trim() === '') return;
  const said = new EngineReply(JSON.parse(line)).at('error').text();
  if (said !== undefined) throw new CodedError(said, { code: 'engine-refused', status: 500, said });
}

function pullFailure(image: string, error: unknown, engineName: string): CodedError {
  const said = engineWords(error);
  if (refusalStatus(error) === undefined) {
    return new CodedError(
      `${engineName} did not answer while it fetched ${image}: ${said}`,
      { code: 'executor-unavailable' },
      { cause: error },
    );
  }
  const reason = said.trim().replace(/\.$/, '');
  return new CodedError(
    `The image ${image} is not on this node and could not be fetched: ${reason}. ${remedy(said, image)}`,
    { code: 'image-not-found' },
    { cause: error },
  );
}

function remedy(said: string, image: string): string {
  if (/denied|unauthorized|authentication|\b40[13]\b/i.test(said)) {
    return `Check the name; if it is private, log in or pull it on the node first (docker pull ${image}).`;
  }
  if (/no such host|dial tcp|timeout|connection refused|network|TLS|certificate|lookup|EOF/i.test(said)) {
    return 'The registry cannot be reached from this node: check its network, or use `docker load` there.';
  }
  return 'Check its name and tag, and that it is built for this machine.';
}
