#!/usr/bin/env node
/**
 * Runs a TypeScript file of this project under the Node that the project brings along, after making sure that the
 * dependencies are installed. Plain JavaScript with nothing but Node's own modules: it must run on Node 20, before
 * anything is installed.
 *
 *   node bin/with-deps.mjs FILE [ARGUMENT…]
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bringDependencies } from './kit-dependencies.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const modules = join(root, 'node_modules');
const marker = join(modules, '.ballast-installed');
const node = join(modules, 'node', 'bin', process.platform === 'win32' ? 'node.exe' : 'node');

/** What the dependencies are installed for: the machine, and a digest of it and of the lock file. */
export function installedFor() {
  const lock = readFileSync(join(root, 'package-lock.json'));
  const machine = `${process.platform} ${process.arch}`;
  return { machine, digest: createHash('sha256').update(lock).update(machine).digest('hex') };
}

/** Of node_modules, what stays on this machine. */
export const neverPacked = ['.ballast-installed', '.cache', '.vite', '.vite-temp', '.astro'];

function installed() {
  return existsSync(node) && existsSync(marker) && readFileSync(marker, 'utf8') === installedFor().digest;
}

function run(command, args, options) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, options);
    child.once('error', reject);
    child.once('exit', (code, signal) => resolve(code ?? 128 + (constants.signals[signal] ?? 0)));
  });
}

async function install() {
  const log = join(mkdtempSync(join(tmpdir(), 'ballast-install-')), 'npm.log');
  const started = Date.now();
  const seconds = () => `${Math.round((Date.now() - started) / 1000)} s`;
  console.error('Installing dependencies (once; about a minute) …');
  const tick = setInterval(() => console.error(`  still installing, ${seconds()} …`), 15_000);
  const out = openSync(log, 'a');
  const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';
  let code;
  try {
    code = await run(npm, ['ci', '--no-audit', '--no-fund'], { cwd: root, stdio: ['ignore', out, out] });
  } catch (error) {
    fail(`npm could not be run: ${error.message}`, 'Install npm (it comes with Node.js), then try again.');
  } finally {
    clearInterval(tick);
    closeSync(out);
  }
  if (code !== 0 || !existsSync(node)) {
    const lines = readFileSync(log, 'utf8').trimEnd().split('\n').slice(-15);
    console.error(lines.join('\n'));
    fail(`npm ci failed (exit code ${code}) after ${seconds()}.`, `The whole log: ${log}`);
  }
  rmSync(dirname(log), { recursive: true });
  writeFileSync(marker, installedFor().digest);
  console.error(`Dependencies installed in ${seconds()}.`);
}

/** With a kit, the dependencies come out of it: there may be no network to install them over. */
async function bring(file) {
  if (file === undefined) fail('No kit is named.', 'Use: node bin/ballast.mjs kit import FILE');
  try {
    await bringDependencies(file, { modules, wanted: installedFor() });
  } catch (error) {
    if (error.hint === undefined) throw error;
    console.error(`\nError (${error.code}): ${error.message}\n  What to do: ${error.hint}`);
    process.exit(1);
  }
  writeFileSync(marker, installedFor().digest);
}

function fail(message, hint) {
  console.error(`\nBallast could not start: ${message}\n  ${hint}`);
  process.exit(1);
}

/**
 * @param {string} file relative to the project's folder
 * @param {string[]} args
 */
export async function runWithDeps(file, args) {
  const major = Number(process.versions.node.split('.')[0]);
  if (major < 20) fail(`Node.js ${process.versions.node} is too old.`, 'Install Node.js 20 or newer.');
  if (!installed()) {
    if (args[0] === 'kit' && args[1] === 'import') await bring(args.slice(2).find((arg) => !arg.startsWith('-')));
    else await install();
  }
  const path = [join(modules, '.bin'), process.env.PATH ?? ''].join(delimiter);
  const child = spawn(node, [join(root, file), ...args], { stdio: 'inherit', env: { ...process.env, PATH: path } });
  // A terminal's Ctrl-C reaches the child by itself; it decides when to end, and we end with it.
  process.on('SIGINT', () => undefined);
  for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.once('error', (error) => fail(error.message, 'Remove node_modules and try again.'));
  child.once('exit', (code, signal) => process.exit(code ?? 128 + (constants.signals[signal] ?? 0)));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [file, ...args] = process.argv.slice(2);
  if (file === undefined) fail('No file to run.', 'Use: node bin/with-deps.mjs FILE [ARGUMENT…]');
  await runWithDeps(file, args);
}
