import { createServer } from 'node:net';
import { loadConfig } from '../config.ts';
import { serve } from '../main.ts';
import { BallastError } from '../protocol/index.ts';
import { prepareFor } from './prepare-for.ts';
import { ballastVersion } from './project.ts';

/** Told before minutes of set-up, not after them. */
async function assertPortFree(host: string, port: number): Promise<void> {
  if (port === 0) return;
  const probe = createServer();
  await new Promise<void>((resolve, reject) => {
    probe.once('error', reject);
    probe.listen(port, host, resolve);
  }).catch((cause: unknown) => {
    throw toListenError(cause, host, port);
  });
  await new Promise((resolve) => probe.close(resolve));
}

function toListenError(cause: unknown, host: string, port: number): unknown {
  const { code } = cause as NodeJS.ErrnoException;
  if (code === 'EADDRINUSE') {
    return new BallastError('port_in_use', {
      message: `Port ${String(port)} on ${host} is already in use.`,
      hint: `Is Ballast running already? Otherwise choose another: npm start -- --port ${String(port + 1)}`,
      cause,
    });
  }
  if (code === 'EACCES' || code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND') {
    return new BallastError('config_invalid', {
      message: `Cannot listen on ${host}, port ${String(port)} (${code}).`,
      hint: 'Choose another with --host and --port; ports below 1024 need root.',
      cause,
    });
  }
  return cause;
}

/** `ballast start`: set up what is missing, then serve until a signal. */
export async function start(options: { port?: number; host?: string }): Promise<void> {
  const overrides = { host: options.host, port: options.port };
  const { host, port } = loadConfig(process.env, overrides);
  await assertPortFree(host, port);
  const environment = await prepareFor({ withSite: true, overrides });
  await serve({ ...environment, version: ballastVersion() }).catch((error: unknown) => {
    throw toListenError(error, host, port);
  });
}
