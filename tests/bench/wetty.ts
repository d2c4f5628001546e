import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { runProgram } from '../../sandbox-server/setup/run-program.ts';
import { freePort } from '../helpers/registry.ts';
import { terminalSize, type Line, type LineKind } from './lines.ts';

const version = '3.2.0';
const startMs = 30_000;

/** What we use of socket.io-client, which comes with wetty. */
interface WettySocket {
  on(event: string, listener: (data: string) => void): void;
  emit(event: string, data: unknown): void;
  close(): void;
}
const socketModule = z.custom<{ readonly io: (url: string, options: object) => WettySocket }>(
  (value) => typeof value === 'function' && 'io' in value,
);

/** A wetty that gives everybody who comes a shell in one container. */
export interface Wetty extends AsyncDisposable {
  readonly version: string;
  readonly kind: LineKind;
}

/** The package is installed for this run alone, and with it compiled: it is no dependency of ours. */
async function install(folder: string): Promise<void> {
  // npm asks before it runs a package's own script; node-pty is made by one.
  const manifest = { private: true, dependencies: { wetty: version }, allowScripts: { 'node-pty': true } };
  writeFileSync(join(folder, 'package.json'), JSON.stringify(manifest));
  await runProgram('npm', ['install', '--no-audit', '--no-fund'], { cwd: folder });
  await runProgram(process.execPath, ['-e', 'require("node-pty")'], { cwd: folder });
}

/**
 * Installs wetty into `folder` and serves a shell in a container with it, by way of `docker exec -it`.
 * @returns why not, where it cannot be had
 */
export async function startWetty(folder: string, containerId: string): Promise<Wetty | { readonly missing: string }> {
  if (process.getuid?.() !== 0) return { missing: 'wetty runs a command of its own only when it is started by root' };
  try {
    await install(folder);
  } catch (error) {
    return { missing: `wetty could not be installed: ${(error as Error).message.slice(-400)}` };
  }
  // Before there is a process to end.
  const { io } = socketModule.parse(createRequire(join(folder, 'package.json'))('socket.io-client'));
  const port = await freePort();
  const command = `docker exec -it -u learner -w /home/learner -e TERM=xterm-256color ${containerId} /bin/bash`;
  const main = join(folder, 'node_modules/wetty/build/main.js');
  const options = [
    '--port',
    String(port),
    '--host',
    '127.0.0.1',
    '--base',
    '/wetty/',
    '--ssh-host',
    'localhost',
    '--command',
    command,
  ];
  const child = spawn(process.execPath, [main, ...options], {
    stdio: 'ignore',
    env: { ...process.env, NODE_ENV: 'production' },
  });
  const url = `http://127.0.0.1:${String(port)}`;
  const until = performance.now() + startMs;
  for (;;) {
    if (child.exitCode !== null) return { missing: `wetty ended at once, with exit code ${String(child.exitCode)}` };
    if (
      await fetch(`${url}/wetty`).then(
        ({ ok }) => ok,
        () => false,
      )
    )
      break;
    if (performance.now() > until) {
      child.kill();
      return { missing: 'wetty does not answer' };
    }
    await delay(100);
  }
  return {
    version,
    kind: { name: 'wetty', open: () => openWettyLine(io, url) },
    async [Symbol.asyncDispose]() {
      if (child.exitCode !== null) return;
      const ended = once(child, 'exit');
      child.kill();
      await ended;
    },
  };
}

async function openWettyLine(io: (url: string, options: object) => WettySocket, url: string): Promise<Line> {
  const socket = io(url, { path: '/wetty/socket.io', transports: ['websocket'], forceNew: true, reconnection: false });
  const ready = Promise.withResolvers<undefined>();
  const ended = Promise.withResolvers<undefined>();
  let uncommitted = 0;
  const line: Line = {
    send(keys) {
      socket.emit('input', keys);
    },
    onBytes: () => undefined,
    async close() {
      // "docker exec" ends and leaves its shell running, unless the shell ends first.
      socket.emit('input', '\u0015exit\r');
      await Promise.race([ended.promise, delay(2000)]);
      socket.close();
    },
  };
  socket.on('login', () => {
    ready.resolve(undefined);
  });
  socket.on('logout', () => {
    ended.resolve(undefined);
  });
  socket.on('connect_error', () => {
    ready.reject(new Error('wetty refuses the connection'));
  });
  socket.on('data', (data) => {
    // Its own page commits what it has drawn, in these portions.
    uncommitted += data.length;
    if (uncommitted >= 262_144) {
      socket.emit('commit', uncommitted);
      uncommitted = 0;
    }
    line.onBytes(Buffer.from(data, 'utf8'));
  });
  await ready.promise;
  socket.emit('resize', terminalSize);
  return line;
}
