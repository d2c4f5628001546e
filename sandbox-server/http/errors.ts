import { randomBytes } from 'node:crypto';
import type { FastifyError } from 'fastify';
import { hasZodFastifySchemaValidationErrors } from 'fastify-type-provider-zod';
import type { Logger } from 'pino';
import { BallastError } from '../protocol/index.ts';

function fromFastify(error: FastifyError): BallastError | null {
  if (hasZodFastifySchemaValidationErrors(error)) {
    const problems = error.validation.map(({ instancePath, message }) =>
      `${instancePath === '' ? (error.validationContext ?? 'request') : instancePath.slice(1)}: ${message ?? 'not valid'}`.slice(
        0,
        200,
      ),
    );
    return new BallastError('bad_request', {
      message: `The request is not valid: ${problems.slice(0, 5).join('; ')}.`,
    });
  }
  const status = error.statusCode ?? 500;
  if (status === 413) return new BallastError('too_large');
  if (status === 429) return new BallastError('rate_limited');
  // Fastify's own words for a 4xx speak of the request alone.
  if (status >= 400 && status < 500) return new BallastError('bad_request', { message: error.message });
  return null;
}

/**
 * What to answer to an error: our own as it is, the framework's in our words, and for a bug of ours an id under
 * which the log tells the rest. Errors of the server's side are logged here.
 */
export function toClientError(error: unknown, logger: Logger): BallastError {
  if (error instanceof BallastError) {
    if (error.status >= 500 && error.code !== 'capacity') logger.warn({ err: error }, error.message);
    return error;
  }
  const known = error instanceof Error ? fromFastify(error as FastifyError) : null;
  if (known !== null) return known;
  const id = randomBytes(6).toString('hex');
  logger.error({ err: error, errorId: id }, 'internal error');
  return new BallastError('internal', { hint: `Try again. If it stays, report it with the error id ${id}.` });
}
