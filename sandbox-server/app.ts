import { STATUS_CODES } from 'node:http';
import { join } from 'node:path';
import { fastifyCookie } from '@fastify/cookie';
import rateLimit from '@fastify/rate-limit';
import swagger from '@fastify/swagger';
import fastify, { LogController, type FastifyBaseLogger } from 'fastify';
import {
  jsonSchemaTransform,
  serializerCompiler,
  validatorCompiler,
  type ZodTypeProvider,
} from 'fastify-type-provider-zod';
import type { Logger } from 'pino';
import { createSandboxImages, type RunChecksOptions } from './checks/index.ts';
import type { Config } from './config.ts';
import type { Engine } from './engines/engine.ts';
import type { Gateway } from './gateway/index.ts';
import { toClientError } from './http/errors.ts';
import { fileRoutes } from './http/file-routes.ts';
import { generalRoutes } from './http/general-routes.ts';
import { gradeRoutes } from './http/grade-routes.ts';
import { imageRoutes } from './http/image-routes.ts';
import { metricsRoute } from './http/metrics-route.ts';
import { createGuard } from './http/guard.ts';
import type { App } from './http/route-kit.ts';
import { sessionRoutes } from './http/session-routes.ts';
import { apiHeaders, commonHeaders, siteRoutes } from './http/site.ts';
import { LayerFiles } from './images/layer-files.ts';
import { LayerKnowledge } from './images/layer-memory.ts';
import type { Lab } from './labs/index.ts';
import { createMetrics } from './observability/metrics.ts';
import { BallastError } from './protocol/index.ts';
import { DiskGuard } from './sessions/disk-guard.ts';
import { createLiveChecks } from './sessions/live-checks.ts';
import type { BaseImage, BaseImageStore } from './sessions/list-images.ts';
import type { Session } from './sessions/session.ts';
import { SessionManager } from './sessions/session-manager.ts';
import { createSandboxWatcher, publishImages } from './sessions/watch-sandbox.ts';
import { openDatabase } from './store/open-database.ts';
import { createSavedFilesStore } from './store/saved-files-store.ts';
import { createSessionStore } from './store/session-store.ts';
import { defaultHeartbeatMs } from './ws/connection.ts';
import { handleUpgrades } from './ws/upgrade.ts';

/** What the server needs; nothing of it is looked up elsewhere. */
export interface AppDependencies {
  readonly config: Config;
  readonly engine: Engine;
  /** The way to package registries. Whoever made it closes it after the server. */
  readonly gateway: Gateway;
  /** What set-up made: the sandbox image's reference and the store of base images. */
  readonly prepared: {
    readonly image: string;
    readonly store: BaseImageStore;
  };
  readonly labs: ReadonlyMap<string, Lab>;
  readonly kinds: RunChecksOptions['kinds'];
  /** Folder of the built site; null to serve the API alone. */
  readonly siteDir: string | null;
  /** See createLogger in observability/. */
  readonly logger: Logger;
  /** The label ballast.host of all that this server makes. */
  readonly hostId: string;
  readonly version: string;
  /** How often sockets are asked whether they live, in ms. */
  readonly heartbeatMs?: number;
}

/**
 * Builds the server without listening: opens the database in `config.home`, takes up the sessions of the server
 * before it, reaps what nobody owns. Then `await app.listen({ host, port })`. `await app.close()` takes at most a few
 * seconds: it tells the sockets and leaves the sandboxes running for the next server.
 * @throws BallastError when the engine does not answer
 */
export async function buildApp(dependencies: AppDependencies): Promise<App> {
  const { config, engine, gateway, prepared, labs, logger } = dependencies;
  // Set-up may add to them while the server runs.
  const baseImages = (): readonly BaseImage[] => prepared.store.images;
  const { rootDir: dataDir } = await engine.info();

  // Fastify's own type for it, or the app's type would name pino's.
  const loggerInstance: FastifyBaseLogger = logger;
  const app: App = fastify({
    loggerInstance,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: 64 * 1024,
    // A request must be there within this; it says nothing of how long an answer may take.
    requestTimeout: 30_000,
    connectionTimeout: 0,
    http: { headersTimeout: 15_000, connectionsCheckingInterval: 5000, maxHeaderSize: 16 * 1024 },
    forceCloseConnections: 'idle',
    // While it closes, the routes answer as ever: they know why a session cannot be started, in the form of our errors.
    return503OnClosing: false,
    routerOptions: { maxParamLength: 2048, ignoreDuplicateSlashes: false },
    frameworkErrors(error, _request, reply) {
      const told = toClientError(error, logger);
      // Its reply is typed by nobody's schema: the raw one takes any status.
      reply.hijack();
      reply.raw.writeHead(told.status, { ...commonHeaders, ...apiHeaders, 'content-type': 'application/json' });
      reply.raw.end(JSON.stringify({ error: told.toBody() }));
    },
    clientErrorHandler(error, socket) {
      if (error.code === 'ECONNRESET' || !socket.writable) return;
      const status = error.code === 'HPE_HEADER_OVERFLOW' ? 431 : error.code === 'ERR_HTTP_REQUEST_TIMEOUT' ? 408 : 400;
      const body = JSON.stringify({ error: new BallastError(status === 431 ? 'too_large' : 'bad_request').toBody() });
      socket.end(
        `HTTP/1.1 ${String(status)} ${STATUS_CODES[status] ?? ''}\r\nConnection: close\r\n` +
          `Content-Type: application/json; charset=utf-8\r\nContent-Length: ${String(Buffer.byteLength(body))}\r\n\r\n${body}`,
      );
    },
  }).withTypeProvider<ZodTypeProvider>();

  const database = openDatabase(join(config.home, 'ballast.db'), (keptAs, reason) => {
    logger.error({ keptAs, reason }, 'the database could not be read: it was kept aside and a new one begun');
  });
  const knowledge = new LayerKnowledge(new LayerFiles(join(config.home, 'layers')));
  const checks = createLiveChecks({
    kinds: dependencies.kinds,
    logger,
    onCheck: (status) => {
      metrics.checkDone(status);
    },
  });
  const watching = {
    engine,
    baseImages,
    logger,
    onImages: (session: Session) => void checks.imagesChanged(session),
  };
  const metrics = createMetrics({
    states: () => [...manager.sessions].map(({ status }) => status.kind),
    pooled: () => manager.pooled,
    terminals: () => [...manager.sessions].flatMap(({ views }) => [...views.values()]).reduce((sum, n) => sum + n, 0),
  });
  const manager = new SessionManager({
    config,
    engine,
    gateway,
    store: createSessionStore(database),
    savedFiles: { store: createSavedFilesStore(database), folder: join(config.home, 'saved-files') },
    dataDir,
    prepared,
    labs,
    hostId: dependencies.hostId,
    logger,
    onWatched: createSandboxWatcher(watching),
    openImages: (shell) => createSandboxImages(shell, knowledge),
    onStarted: metrics.sessionStarted,
  });
  const guard = createGuard(manager, config);
  const diskGuard = new DiskGuard({
    engine,
    config,
    sessions: () => manager.sessions,
    halt: (...args) => manager.halt(...args),
    logger,
  });

  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  app.removeContentTypeParser('text/plain');
  app.setErrorHandler((error, _request, reply) => {
    const told = toClientError(error, logger);
    return reply.code(told.status).headers(apiHeaders).send({ error: told.toBody() });
  });
  app.addHook('onRequest', async (request, reply) => {
    reply.headers(commonHeaders);
    if (request.url.startsWith('/api/')) reply.headers(apiHeaders);
    guard.checkHost(request.raw);
    return Promise.resolve();
  });
  app.addHook('onResponse', (request, reply, done) => {
    const { method, routeOptions, ip } = request;
    const ms = Math.round(reply.elapsedTime);
    // The route, not the address: no file names and no stray strings of a client in the log.
    logger.debug({ method, route: routeOptions.url ?? 'none', status: reply.statusCode, ms, ip }, 'request');
    done();
  });

  await app.register(fastifyCookie);
  await app.register(rateLimit, { global: false, errorResponseBuilder: () => new BallastError('rate_limited') });
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Ballast',
        description:
          'Sessions with a sandbox, its files, checks and images. Every error is {error: {code, message, hint}}.',
        version: dependencies.version,
      },
      components: {
        securitySchemes: {
          bearer: { type: 'http', scheme: 'bearer', description: 'The token that starting a session gave.' },
          cookie: {
            type: 'apiKey',
            in: 'cookie',
            name: 'ballast_<session id>',
            description: 'The same, for browsers.',
          },
        },
      },
    },
    transform: jsonSchemaTransform,
  });

  generalRoutes(app, { engine, manager, labs, baseImages, version: dependencies.version });
  imageRoutes(app, { guard, baseImages });
  sessionRoutes(app, {
    manager,
    guard,
    checks,
    startsPerMinute: config.session.startsPerMinute,
  });
  fileRoutes(app, { guard });
  gradeRoutes(app, {
    config: config.grading,
    labs,
    baseImages,
    kinds: dependencies.kinds,
    grader: {
      engine,
      gateway,
      knowledge,
      image: prepared.image,
      storeVolume: prepared.store.volume,
      hostId: dependencies.hostId,
      limits: config.sandbox,
      startTimeoutMs: config.sandbox.startSeconds * 1000,
    },
    logger,
  });
  metricsRoute(app, { metrics, token: config.metrics.token });
  app.get('/api/openapi.json', { schema: { hide: true } }, () => app.swagger());
  siteRoutes(app, dependencies.siteDir);

  const sockets = handleUpgrades({
    server: app.server,
    guard,
    engine,
    heartbeatMs: dependencies.heartbeatMs ?? defaultHeartbeatMs,
    onTerminalBytes: metrics.terminalBytes,
    logger,
    publishImages: (session) => void publishImages(session, session.use(), watching),
  });
  app.addHook('preClose', async () => {
    diskGuard.stop();
    // Terminals hear of the end from their session, event sockets from the upgrade handler.
    const stopped = manager.stop();
    await sockets.close();
    await stopped;
  });
  app.addHook('onClose', () => {
    database.close();
  });

  try {
    await manager.resume();
    await app.ready();
    void diskGuard.run();
  } catch (error) {
    await app.close();
    throw error;
  }
  return app;
}
