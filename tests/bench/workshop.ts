import { setTimeout as delay } from 'node:timers/promises';
import type { Engine } from '../../sandbox-server/engines/engine.ts';
import { createdSession } from '../../sandbox-server/protocol/index.ts';
import { readHostId } from '../../sandbox-server/setup/host-id.ts';
import { startBallast, type BallastProcess } from '../helpers/ballast-process.ts';
import type { TestSession } from '../helpers/server.ts';
import { untilReady } from '../helpers/socket.ts';
import { openBallastLine, untilShown } from './lines.ts';

/** What one start came to, in ms since it was asked for. */
export interface StartTimes {
  readonly promptMs: number;
  /** All base images had been listed in the shell. */
  readonly listedMs: number;
}

/** A server as `ballast start` starts it, in a process and a folder of its own. */
export class Workshop implements AsyncDisposable {
  readonly #process: BallastProcess;
  readonly #engine: Engine;
  readonly #lab: string;
  readonly hostId: string;
  readonly port: number;

  private constructor(process: BallastProcess, engine: Engine, lab: string) {
    this.#process = process;
    this.#engine = engine;
    this.#lab = lab;
    this.hostId = readHostId(process.home);
    this.port = Number(new URL(process.url).port);
  }

  /** @param pool sandboxes that wait in its pool */
  static async start(engine: Engine, lab: string, pool: number): Promise<Workshop> {
    const process = await startBallast({
      logLevel: 'warn',
      session: { max: 100, startsPerMinute: 10_000 },
      pool: { size: pool, maxLoadPerCore: 1000 },
      admission: { maxLoadPerCore: 1000 },
    });
    return new Workshop(process, engine, lab);
  }

  get url(): string {
    return this.#process.url;
  }

  async #ask(method: string, path: string, token?: string, body?: object): Promise<Response> {
    const response = await fetch(`${this.url}${path}`, {
      method,
      headers: {
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    if (!response.ok) throw new Error(`${method} ${path}: ${String(response.status)} ${await response.text()}`);
    return response;
  }

  /** A session whose sandbox is ready. */
  async open(): Promise<TestSession> {
    const answer = await this.#ask('POST', '/api/sessions', undefined, { lab: this.#lab });
    const { token, ...created } = createdSession.parse(await answer.json());
    const session = { id: created.id, token, created, setCookie: '' };
    await untilReady(this, session);
    return session;
  }

  async close({ id, token }: TestSession): Promise<void> {
    await this.#ask('DELETE', `/api/sessions/${id}`, token);
  }

  /** Asks for a session and waits for its prompt, then for all base images to be listed at it. */
  async timeStart(refs: readonly string[]): Promise<{ readonly session: TestSession; readonly times: StartTimes }> {
    const asked = performance.now();
    const session = await this.open();
    const line = await openBallastLine(this.url, session, 'main');
    await untilShown(line, /\$ $/);
    const prompted = performance.now();
    line.send(`${listImages}\r`);
    await untilShown(line, listedText(refs));
    const times = { promptMs: prompted - asked, listedMs: performance.now() - asked };
    await line.close();
    return { session, times };
  }

  /** The engine's id of the sandbox of a session that did not come from the pool. */
  async containerOf({ id }: TestSession): Promise<string> {
    const all = await this.#engine.listSandboxes({ 'ballast.host': this.hostId, 'ballast.session': id });
    const found = all[0];
    if (found === undefined) throw new Error('The session has no sandbox of its own.');
    return found.id;
  }

  /** Waits until a sandbox waits in the pool. */
  async untilPooled(): Promise<void> {
    const until = performance.now() + 60_000;
    for (;;) {
      const metrics = await (await this.#ask('GET', '/metrics')).text();
      if (/^ballast_pool_ready [1-9]/m.test(metrics)) return;
      if (performance.now() > until) throw new Error('No sandbox came into the pool.');
      await delay(100);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process[Symbol.asyncDispose]();
  }
}

/** Typed at a prompt: the names of all images, sorted, on one line. */
export const listImages = `echo listed: $(docker images --format '{{.Repository}}:{{.Tag}}' | LC_ALL=C sort)`;

/** What that prints, once it has been wrapped to the width of the terminal or not. */
export function listedText(refs: readonly string[]): RegExp {
  const names = [...refs].sort().map((ref) => ref.replace(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`));
  return new RegExp(String.raw`listed: ${names.join(String.raw`\s+`)}\s`);
}
