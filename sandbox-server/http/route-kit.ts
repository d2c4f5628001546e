import type { IncomingMessage, ServerResponse } from 'node:http';
import type { FastifyBaseLogger, FastifyInstance, RawServerDefault } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { errorResponse, errorTable, sessionId, type ErrorCode } from '../protocol/index.ts';

/** The fastify instance as routes see it: schemas are zod's. */
export type App = FastifyInstance<
  RawServerDefault,
  IncomingMessage,
  ServerResponse,
  FastifyBaseLogger,
  ZodTypeProvider
>;

export const sessionParameters = z.object({ id: sessionId });

/** OpenAPI security of the routes of a session. */
export const sessionSecurity = [{ bearer: [] }, { cookie: [] }];

/** An answer without a body. */
export const noContent = { description: 'Done.', properties: z.undefined() };

interface Documented {
  readonly description: string;
  readonly content: { readonly 'application/json': { readonly schema: z.ZodType } };
}

/** Error answers of a route for its schema: one a status, naming its codes. */
export function errorAnswers(...codes: readonly ErrorCode[]): Record<number, Documented> {
  const answers: Record<number, Documented> = {};
  for (const code of [...codes, 'internal'] as const) {
    const { status, message } = errorTable[code];
    const before = answers[status]?.description;
    const line = `\`${code}\`: ${message}`;
    answers[status] = {
      description: before === undefined ? line : `${before}\n\n${line}`,
      content: { 'application/json': { schema: errorResponse } },
    };
  }
  return answers;
}

/** The errors that any route of a session may answer. */
export const sessionErrors = ['bad_request', 'unauthorized', 'forbidden_origin', 'session_not_found'] as const;
