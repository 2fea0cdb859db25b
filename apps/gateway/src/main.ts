import { errorCode, errorMessage } from '@clawbernetes/kernel';
import { HELP, parseConfig } from './config.ts';
import { openPinoLogger } from './pino-logger.ts';
import { serveGateway } from './serve.ts';
import { VERSION } from './version.ts';

const EXIT_INVALID_ARGUMENTS = 5;

async function main(): Promise<void> {
  const parsed = parseConfig(process.argv.slice(2), process.env);
  if (parsed.kind === 'help') return void process.stdout.write(HELP);
  if (parsed.kind === 'version') return void process.stdout.write(`${VERSION}\n`);
  const logger = openPinoLogger(parsed.config.logLevel);
  if (parsed.config.insecure)
    logger.warn('listening without TLS beyond loopback: tokens can be read on the network');
  const gateway = await serveGateway(parsed.config, logger);
  logger.info('the gateway is listening', { url: gateway.url });
  await new Promise((resolve) => {
    process.once('SIGTERM', resolve);
    process.once('SIGINT', resolve);
  });
  logger.info('the gateway stops');
  await gateway[Symbol.asyncDispose]();
}

main().catch((error: unknown) => {
  process.stderr.write(`claw-gateway: ${errorMessage(error).replaceAll(/\s*\n\s*/g, ' ')}\n`);
  process.exit(errorCode(error) === 'invalid-config' ? EXIT_INVALID_ARGUMENTS : 1);
});
