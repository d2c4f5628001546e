import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import type { AddressInfo } from 'node:net';
import picocolors from 'picocolors';
import { buildApp } from './app.ts';
import { checkKinds } from './checks/kinds/index.ts';
import { hasColors } from './colors.ts';
import type { Config } from './config.ts';
import { createGateway } from './gateway/index.ts';
import type { Lab } from './labs/index.ts';
import { createLogger } from './observability/logger.ts';
import type { Prepared } from './setup/prepare.ts';
import { createCveCounter } from './vulnerabilities/count-cves.ts';

/** All that the server is made of, once set-up is done. */
export interface ServeOptions {
  readonly config: Config;
  readonly hostId: string;
  readonly version: string;
  readonly labs: ReadonlyMap<string, Lab>;
  readonly prepared: Prepared;
}

/** Resolves with the first signal that asks us to stop; a second one ends the process at once. */
function stopSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      process.once(signal, () => {
        process.once(signal, () => process.exit(1));
        resolve(signal);
      });
    }
  });
}

/** An address of "::1" goes into brackets in a URL (RFC 3986). */
function toUrl({ address, port, family }: AddressInfo): string {
  return `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`;
}

/**
 * Listens and serves until SIGINT, SIGTERM or SIGHUP. Sandboxes stay for the next start: nobody's work is lost.
 * @throws when the address cannot be listened on, or the engine does not answer
 */
export async function serve({ config, hostId, version, labs, prepared }: ServeOptions): Promise<void> {
  // A person at a terminal wants the address, not a log; a service manager wants the log.
  const logFile = process.stderr.isTTY ? join(config.home, 'server.log') : null;
  const logger = createLogger(
    config.logLevel,
    logFile === null ? process.stderr : createWriteStream(logFile, { flags: 'a' }),
  );
  const { engine, image, store, siteDir } = prepared;
  const stopped = stopSignal();
  const gateway = createGateway(config, logger, () => store.registries);
  // Asking the package clients takes seconds: not while the first learner waits.
  if ([...labs.values()].some(({ network }) => network === 'packages')) gateway.prepare();
  const app = await buildApp({
    config,
    engine,
    gateway,
    prepared: { image, store },
    labs,
    kinds: checkKinds(createCveCounter(config.home)),
    siteDir,
    logger,
    hostId,
    version,
  });
  try {
    await app.listen({ host: config.host, port: config.port });
  } catch (error) {
    await app.close();
    throw error;
  }
  const urls = app
    .addresses()
    .filter((address) => typeof address !== 'string')
    .map(toUrl);
  const pc = picocolors.createColors(hasColors(process.stdout));
  process.stdout.write(`\n${pc.bold('Ballast')} is ready: ${urls.map((url) => pc.cyan(url)).join('  ')}\n`);
  process.stdout.write(pc.dim(`Ctrl-C stops it.${logFile === null ? '' : ` Log: ${logFile}`}\n`));
  const signal = await stopped;
  process.stdout.write(`\nStopping (${signal}) …\n`);
  await app.close();
  await gateway.close();
  process.stdout.write('Stopped. Running sandboxes are kept for the next start.\n');
}
