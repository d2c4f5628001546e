import type { FastifyReply, FastifyRequest } from 'fastify';
import { createdSession, createSession, labResult, resetSession, runChecks, sessionView } from '../protocol/index.ts';
import { newToken } from '../sessions/credentials.ts';
import type { LiveChecks } from '../sessions/live-checks.ts';
import type { Session } from '../sessions/session.ts';
import type { SessionManager } from '../sessions/session-manager.ts';
import { cookieName, isEncrypted, type Guard } from './guard.ts';
import { errorAnswers, noContent, sessionErrors, sessionParameters, sessionSecurity, type App } from './route-kit.ts';

/** The browser comes over TLS, to us or to a proxy before us (its Origin has been checked by then). */
const isSecure = (request: FastifyRequest): boolean =>
  isEncrypted(request.raw) || request.headers.origin?.startsWith('https://') === true;

function setCookie(request: FastifyRequest, reply: FastifyReply, session: Session, token: string): void {
  reply.setCookie(cookieName(session.id), token, {
    path: `/api/sessions/${session.id}`,
    httpOnly: true,
    sameSite: 'strict',
    secure: isSecure(request),
    // Extending a session must not need a new cookie: the server knows when it ends.
    maxAge: 30 * 24 * 3600,
  });
}

/** Cookie with the secret of a browser: files that were kept at a session's end come back to it, and to nobody else. */
const browserCookie = 'ballast_browser';

/** The secret of the browser that asks, a new one if it has none yet; null when it is no browser that asks. */
function browserSecret(request: FastifyRequest): string | null {
  const known = request.cookies[browserCookie];
  if (known !== undefined && /^[\w-]{43}$/.test(known)) return known;
  const { origin, 'sec-fetch-site': site } = request.headers;
  return origin === undefined && site === undefined ? null : newToken();
}

function setBrowserCookie(request: FastifyRequest, reply: FastifyReply, secret: string): void {
  reply.setCookie(browserCookie, secret, {
    path: '/api/sessions',
    httpOnly: true,
    sameSite: 'strict',
    secure: isSecure(request),
    maxAge: 365 * 24 * 3600,
  });
}

/** Routes of sessions: their life and their checks. */
export function sessionRoutes(
  app: App,
  options: {
    readonly manager: SessionManager;
    readonly guard: Guard;
    readonly checks: LiveChecks;
    readonly startsPerMinute: number;
  },
): void {
  const { manager, guard } = options;
  const params = sessionParameters;
  const security = sessionSecurity;

  app.post(
    '/api/sessions',
    {
      config: { rateLimit: { max: options.startsPerMinute, timeWindow: '1 minute' } },
      schema: {
        summary: 'Start a session: a sandbox of its own, with the files of a lab',
        description:
          'Answers at once with state "starting", or 202 with state "queued" and its position when all sandboxes are ' +
          'taken. The token is given out here and never again.',
        tags: ['sessions'],
        body: createSession,
        response: {
          201: createdSession,
          202: createdSession,
          ...errorAnswers(
            'bad_request',
            'forbidden_origin',
            'lab_not_found',
            'rate_limited',
            'capacity',
            'images_missing',
            'disk_full',
            'shutting_down',
          ),
        },
      },
    },
    async (request, reply) => {
      guard.checkPage(request.raw);
      const secret = browserSecret(request);
      const { session, token } = manager.create(request.body.lab, secret);
      setCookie(request, reply, session, token);
      if (secret !== null) setBrowserCookie(request, reply, secret);
      return reply.code(session.status.kind === 'queued' ? 202 : 201).send({ ...session.view(), token });
    },
  );

  app.get(
    '/api/sessions/:id',
    {
      schema: {
        summary: 'How a session stands',
        tags: ['sessions'],
        security,
        params,
        response: { 200: sessionView, ...errorAnswers(...sessionErrors) },
      },
    },
    (request) => guard.authenticate(request.raw, request.params.id, false).view(),
  );

  app.delete(
    '/api/sessions/:id',
    {
      schema: {
        summary: 'End a session, with all that is in its sandbox',
        tags: ['sessions'],
        security,
        params,
        response: { 204: noContent, ...errorAnswers(...sessionErrors, 'engine_failed') },
      },
    },
    async (request, reply) => {
      const session = guard.authenticate(request.raw, request.params.id, true);
      await manager.discard(session);
      reply.clearCookie(cookieName(session.id), { path: `/api/sessions/${session.id}` });
      return reply.code(204).send();
    },
  );

  app.post(
    '/api/sessions/:id/extend',
    {
      schema: {
        summary: 'Put off the end of a session',
        tags: ['sessions'],
        security,
        params,
        response: { 200: sessionView, ...errorAnswers(...sessionErrors) },
      },
    },
    (request) => {
      const session = guard.authenticate(request.raw, request.params.id, true);
      manager.extend(session);
      return session.view();
    },
  );

  app.post(
    '/api/sessions/:id/reset',
    {
      schema: {
        summary: 'Give a session a new sandbox, around the same files or with those of the lab',
        tags: ['sessions'],
        security,
        params,
        body: resetSession,
        response: { 200: sessionView, ...errorAnswers(...sessionErrors, 'session_not_ready') },
      },
    },
    (request) => {
      const session = guard.authenticate(request.raw, request.params.id, true);
      manager.reset(session, request.body.files);
      return session.view();
    },
  );

  app.post(
    '/api/sessions/:id/checks',
    {
      schema: {
        summary: 'Run the checks of the lab, all or some',
        description: 'Answers when all are done; the event socket tells of each as it ends.',
        tags: ['checks'],
        security,
        params,
        body: runChecks.nullish(),
        response: { 200: labResult, ...errorAnswers(...sessionErrors, 'session_not_ready', 'checks_running') },
      },
    },
    async (request) => {
      const session = guard.authenticate(request.raw, request.params.id, true);
      const result = await options.checks.run(session, request.body?.ids);
      // They ran for the learner: the idle clock begins at their end.
      session.touch();
      return result;
    },
  );
}
