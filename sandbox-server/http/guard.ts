import type { IncomingMessage } from 'node:http';
import type { TLSSocket } from 'node:tls';
import { fastifyCookie } from '@fastify/cookie';
import { BallastError } from '../protocol/index.ts';
import type { Session } from '../sessions/session.ts';
import type { SessionManager } from '../sessions/session-manager.ts';
import { isOwnHost, isOwnOrigin, type OriginPolicy } from './origin.ts';

/** Decides who may do what, for requests and WebSocket upgrades alike. */
export interface Guard {
  /** @throws BallastError forbidden_origin when the Host header is not one of ours */
  checkHost(request: IncomingMessage): void;
  /** For what changes something and carries no token. @throws BallastError forbidden_origin */
  checkPage(request: IncomingMessage): void;
  /**
   * The session that the request's token or cookie opens.
   * @param changes whether the request changes something or opens a socket: then a cookie alone will not do, the
   *   Origin must be ours too
   * @throws BallastError unauthorized, session_not_found, forbidden_origin
   */
  authenticate(request: IncomingMessage, sessionId: string, changes: boolean): Session;
}

/** Name of the cookie with a session's token. */
export const cookieName = (sessionId: string): string => `ballast_${sessionId}`;

/** Whether the request came over TLS as far as we can see. */
export const isEncrypted = (request: IncomingMessage): boolean =>
  (request.socket as Partial<TLSSocket>).encrypted === true;

/** The token in the Authorization header, or null. */
export function bearerToken(request: IncomingMessage): string | null {
  return /^Bearer +([\w~+/.-]+=*)$/i.exec(request.headers.authorization ?? '')?.[1] ?? null;
}

export function createGuard(manager: SessionManager, policy: OriginPolicy): Guard {
  const hasOwnOrigin = (request: IncomingMessage): boolean => {
    const { origin, host } = request.headers;
    return (
      origin !== undefined && isOwnOrigin(origin, { scheme: isEncrypted(request) ? 'https' : 'http', host }, policy)
    );
  };

  return {
    checkHost(request) {
      if (isOwnHost(request.headers.host, policy)) return;
      throw new BallastError('forbidden_origin', {
        message: 'This server is not known under that name.',
        hint: 'Open it as http://localhost with its port, or add the origin to "origins" in the configuration.',
      });
    },

    checkPage(request) {
      const { origin } = request.headers;
      // Browsers that send no Origin say Sec-Fetch-Site; what sends neither is no browser and holds no cookie.
      const site = request.headers['sec-fetch-site'];
      const foreign =
        origin === undefined ? site !== undefined && site !== 'same-origin' && site !== 'none' : !hasOwnOrigin(request);
      if (foreign) throw new BallastError('forbidden_origin');
    },

    authenticate(request, sessionId, changes) {
      const bearer = bearerToken(request);
      if (changes && !hasOwnOrigin(request) && (bearer === null || request.headers.origin !== undefined)) {
        throw new BallastError('forbidden_origin');
      }
      const token = bearer ?? fastifyCookie.parse(request.headers.cookie ?? '')[cookieName(sessionId)];
      if (token === undefined || token === '') throw new BallastError('unauthorized');
      return manager.authenticate(sessionId, token);
    },
  };
}
