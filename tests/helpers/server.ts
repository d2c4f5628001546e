import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino, type Logger } from 'pino';
import { buildApp, type AppDependencies } from '../../sandbox-server/app.ts';
import { checkKinds } from '../../sandbox-server/checks/index.ts';
import { configSchema, loadConfig, type Config } from '../../sandbox-server/config.ts';
import { connectDocker } from '../../sandbox-server/engines/docker/connect.ts';
import { createGateway, type Gateway } from '../../sandbox-server/gateway/index.ts';
import { loadLabs } from '../../sandbox-server/labs/index.ts';
import { createdSession, sessionView, type SessionView } from '../../sandbox-server/protocol/index.ts';
import { reapLeftovers } from '../../sandbox-server/sessions/reap-leftovers.ts';
import { wantedImages } from '../../sandbox-server/setup/chosen-images.ts';
import { readHostSystem } from '../../sandbox-server/setup/host-system.ts';
import { prepareSandboxImage } from '../../sandbox-server/setup/prepare-sandbox-image.ts';
import { prepareStore, type PreparedStore } from '../../sandbox-server/setup/prepare-store.ts';
import { removeUnusedStores } from '../../sandbox-server/setup/unused-stores.ts';
import { createCveCounter } from '../../sandbox-server/vulnerabilities/count-cves.ts';

const labsFolder = new URL('../../labs', import.meta.url).pathname;

/** What set-up makes, made once and shared by all servers of a test file. */
export type Base = Pick<AppDependencies, 'engine' | 'labs' | 'kinds'> & {
  readonly prepared: { readonly image: string; readonly store: PreparedStore };
  readonly config: Config;
};

/**
 * Set-up as `npm start` does it for the core labs, without a site; quick when it has been done before.
 * @param further images beyond the core set.
 */
export async function prepareBase(home: string, further: readonly string[] = []): Promise<Base> {
  const { images, registries, extraCa } = loadConfig();
  const config = configSchema.parse({ home, logLevel: 'silent', images, registries, extraCa });
  const engine = await connectDocker(process.env);
  const kinds = checkKinds(createCveCounter(home));
  const labs = await loadLabs(labsFolder, kinds);
  const progress = (): void => undefined;
  const { image } = await prepareSandboxImage(engine, { config, host: readHostSystem(), progress });
  const refs = [...wantedImages({ tracks: [], refs: [] }), ...further];
  const host = 'tests';
  const store = await prepareStore(engine, { image, refs, host, config, progress });
  if (store.obtained.length > 0) await removeUnusedStores(engine, { host, home, current: store.volume });
  return { engine, prepared: { image, store }, labs, kinds, config };
}

/** A session that a test made. */
export interface TestSession {
  readonly id: string;
  readonly token: string;
  readonly created: SessionView;
  readonly setCookie: string;
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly bytes: Buffer;
  /** The body as JSON; undefined when it is none. */
  readonly json: unknown;
  /** The code, when it is an error in our form. */
  readonly code: string | undefined;
}

export interface AskOptions {
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
  readonly token?: string;
}

/** A server of ours, listening on a free port of 127.0.0.1, with a home and a host id of its own. */
export class TestServer implements AsyncDisposable {
  readonly #base: Base;
  readonly #options: TestServerOptions;
  readonly home: string;
  readonly hostId = randomBytes(8).toString('hex');
  #app: Awaited<ReturnType<typeof buildApp>> | null = null;
  #port = 0;
  #gateway: Gateway | null = null;

  constructor(base: Base, options: TestServerOptions = {}) {
    this.#base = base;
    this.#options = options;
    this.home = mkdtempSync(join(tmpdir(), 'ballast-test-'));
  }

  get port(): number {
    return this.#port;
  }

  /** The package gateway of the running server. */
  get gateway(): Gateway {
    if (this.#gateway === null) throw new Error('The server has not been started.');
    return this.#gateway;
  }

  get origin(): string {
    return `http://127.0.0.1:${String(this.#port)}`;
  }

  /** Starts it, or starts it again as after the end of its process. */
  async start(): Promise<void> {
    const {
      session = {},
      sandbox = {},
      disk = {},
      pool = {},
      admission = {},
      gateway = {},
      ...options
    } = this.#options;
    const defaults = this.#base.config;
    const config: Config = {
      ...defaults,
      home: this.home,
      session: { ...defaults.session, ...session },
      sandbox: { ...defaults.sandbox, ...sandbox },
      gateway: { ...defaults.gateway, ...gateway },
      disk: { ...defaults.disk, ...disk },
      // Only what a test asks for: sandboxes that come by themselves would disturb those that count them.
      pool: { size: 0, maxLoadPerCore: Infinity, ...pool },
      // Other tests load the machine too.
      admission: { ...defaults.admission, maxLoadPerCore: Infinity, ...admission },
    };
    const logger: Logger = options.logger ?? pino({ level: 'silent' });
    this.#gateway = createGateway(config, logger, () => this.#base.prepared.store.registries);
    this.#app = await buildApp({
      ...this.#base,
      gateway: this.#gateway,
      siteDir: null,
      ...options,
      config,
      logger,
      hostId: this.hostId,
      version: '0.0.0-test',
    });
    await this.#app.listen({ host: '127.0.0.1', port: this.#port });
    this.#port = (this.#app.server.address() as AddressInfo).port;
  }

  async stop(): Promise<void> {
    await this.#app?.close();
    await this.#gateway?.close();
    this.#app = null;
  }

  /** Sends exactly this path: unlike fetch it does not tidy "..". */
  async ask(method: string, path: string, { headers = {}, body, token }: AskOptions = {}): Promise<Answer> {
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    const authorization = token === undefined ? {} : { authorization: `Bearer ${token}` };
    const type = typeof body === 'string' ? { 'content-type': 'application/json' } : {};
    const request = httpRequest(
      { host: '127.0.0.1', port: this.#port, method, path, headers: { ...type, ...authorization, ...headers } },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          const bytes = Buffer.concat(chunks);
          let json: unknown;
          try {
            json = JSON.parse(bytes.toString('utf8'));
          } catch {
            json = undefined;
          }
          const code = (json as { error?: { code?: string } } | null | undefined)?.error?.code;
          resolve({ status: response.statusCode ?? 0, headers: response.headers, bytes, json, code });
        });
      },
    );
    request.on('error', reject);
    request.end(body);
    return promise;
  }

  async createSession(lab = 'multi-stage-go'): Promise<TestSession> {
    const answer = await this.ask('POST', '/api/sessions', { body: JSON.stringify({ lab }) });
    const { token, ...created } = createdSession.parse(answer.json);
    return { id: created.id, token, created, setCookie: answer.headers['set-cookie']?.[0] ?? '' };
  }

  async session({ id, token }: TestSession): Promise<SessionView> {
    return sessionView.parse((await this.ask('GET', `/api/sessions/${id}`, { token })).json);
  }

  /** Reaps all that this server made, and its home. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    await reapLeftovers(this.#base.engine, this.hostId, { keep: () => false, logger: pino({ level: 'silent' }) });
    rmSync(this.home, { recursive: true, force: true });
  }
}

export interface TestServerOptions {
  readonly session?: Partial<Config['session']>;
  readonly pool?: Partial<Config['pool']>;
  readonly admission?: Partial<Config['admission']>;
  readonly sandbox?: Partial<Config['sandbox']>;
  readonly disk?: Partial<Config['disk']>;
  readonly gateway?: Partial<Config['gateway']>;
  readonly labs?: AppDependencies['labs'];
  readonly siteDir?: string;
  readonly heartbeatMs?: number;
  readonly logger?: Logger;
}
