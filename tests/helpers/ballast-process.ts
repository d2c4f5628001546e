import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { stringify } from 'yaml';
import { projectRoot } from '../../sandbox-server/cli/project.ts';
import { connectDocker } from '../../sandbox-server/engines/docker/connect.ts';
import { readHostId } from '../../sandbox-server/setup/host-id.ts';

/** A server started as a person would start it, on a free port and with a folder of its own. */
export interface BallastProcess extends AsyncDisposable {
  readonly url: string;
  readonly home: string;
  /** Kill it with this signal and start it again in the same folder and on the same port. */
  restart(signal: NodeJS.Signals): Promise<void>;
}

const startTimeoutMs = 120_000;

async function launch(home: string, port: number): Promise<{ child: ChildProcess; url: string }> {
  const child = spawn(process.execPath, ['sandbox-server/cli/main.ts', 'start', '--port', String(port)], {
    cwd: projectRoot,
    env: { ...process.env, BALLAST_HOME: home, BALLAST_CONFIG: join(home, 'ballast.yaml') },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const said: string[] = [];
  const address = new Promise<string>((resolve, reject) => {
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on('line', (line) => {
        said.push(line);
        const match = /http:\/\/127\.0\.0\.1:\d+/.exec(line);
        if (match !== null) resolve(match[0]);
      });
    }
    child.once('exit', (code) => {
      reject(new Error(`ballast start ended with exit code ${String(code)}:\n${said.join('\n')}`));
    });
    setTimeout(() => {
      reject(new Error(`ballast start printed no address:\n${said.join('\n')}`));
    }, startTimeoutMs).unref();
  });
  return { child, url: await address };
}

/** The server keeps its sandboxes for the next start; with its folder gone there is none. */
async function removeSandboxes(home: string): Promise<void> {
  const engine = await connectDocker(process.env);
  for (const { id } of await engine.listSandboxes({ 'ballast.host': readHostId(home) })) await engine.removeSandbox(id);
}

/**
 * Starts `ballast start` and waits for the address that it prints.
 * @param settings what goes into its ballast.yaml
 */
export async function startBallast(settings: object = {}): Promise<BallastProcess> {
  const home = mkdtempSync(join(tmpdir(), 'ballast-e2e-'));
  writeFileSync(join(home, 'ballast.yaml'), stringify(settings));
  let { child, url } = await launch(home, 0);

  const stop = async (signal: NodeJS.Signals): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill(signal);
    await exited;
  };
  return {
    get url() {
      return url;
    },
    home,
    async restart(signal) {
      await stop(signal);
      ({ child, url } = await launch(home, Number(new URL(url).port)));
    },
    async [Symbol.asyncDispose]() {
      await stop('SIGTERM');
      await removeSandboxes(home);
      rmSync(home, { recursive: true, force: true });
    },
  };
}
