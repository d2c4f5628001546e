import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { PassThrough, Readable } from 'node:stream';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import type { Logger } from 'pino';
import { z } from 'zod';
import type { RunChecksOptions } from '../checks/index.ts';
import type { Config } from '../config.ts';
import { gradeMany } from '../grading/index.ts';
import type { GraderOptions } from '../grading/index.ts';
import { readSubmissionTar } from '../grading/submission.ts';
import type { Lab } from '../labs/index.ts';
import { BallastError, labId, labResult } from '../protocol/index.ts';
import { requireImages } from '../sessions/lab-list.ts';
import type { BaseImage } from '../sessions/list-images.ts';
import { bearerToken } from './guard.ts';
import { createTurns } from './turns.ts';
import { errorAnswers, type App } from './route-kit.ts';

const digest = (text: string): Buffer => createHash('sha256').update(text).digest();

/** @throws BallastError unauthorized unless the request carries the token; not_found where grading is switched off */
function checkToken(request: IncomingMessage, token: string | undefined): void {
  if (token === undefined) {
    throw new BallastError('not_found', {
      message: 'This server grades no submissions.',
      hint: 'Set "grading.token" in the configuration (or BALLAST_GRADER_TOKEN) to have it grade.',
    });
  }
  if (timingSafeEqual(digest(bearerToken(request) ?? ''), digest(token))) return;
  throw new BallastError('unauthorized', {
    message: 'This needs the grader token.',
    hint: 'Send "Authorization: Bearer <token>" with the "grading.token" of the configuration.',
  });
}

/** The body as a stream of its own: to destroy the request would take the connection along, and the answer with it. */
function apart(body: Readable): Readable {
  const own = new PassThrough();
  body.once('error', (error) => own.destroy(error));
  body.once('close', () => {
    if (!body.readableEnded) own.destroy(new BallastError('bad_request', { message: 'The submission was cut off.' }));
  });
  return body.pipe(own);
}

/** POST /api/grade: a submission as a tar, its result as the answer. */
export function gradeRoutes(
  app: App,
  options: {
    readonly config: Config['grading'];
    readonly labs: ReadonlyMap<string, Lab>;
    /** Asked each time: set-up may add to them while the server runs. */
    readonly baseImages: () => readonly BaseImage[];
    readonly kinds: RunChecksOptions['kinds'];
    readonly grader: Omit<GraderOptions, 'signal'>;
    readonly logger: Logger;
  },
): void {
  const { config, labs, baseImages, kinds, grader, logger } = options;
  const turns = createTurns(config.jobs, config.queue);
  const closing = new AbortController();
  app.addHook('preClose', (done) => {
    closing.abort(new BallastError('shutting_down'));
    done();
  });

  void app.register((plain, _options, done) => {
    const scope = plain.withTypeProvider<ZodTypeProvider>();
    // The body is read by the grader, which has limits of its own; the token comes before the first byte of it.
    scope.addContentTypeParser(
      ['application/x-tar', 'application/gzip', 'application/x-gzip', 'application/octet-stream'],
      (_request, payload, parsed) => {
        parsed(null, payload);
      },
    );
    scope.post(
      '/api/grade',
      {
        onRequest: (request, _reply, next) => {
          checkToken(request.raw, config.token);
          next();
        },
        schema: {
          summary: 'Grade a submission: rebuild it in a fresh sandbox and judge what comes of it',
          description:
            'The body is a tar of the lab folder, gzipped or not, of type application/x-tar, application/gzip or ' +
            'application/octet-stream. Answers when all is judged, which takes minutes. Only where the configuration ' +
            'sets "grading.token".',
          tags: ['grading'],
          security: [{ bearer: [] }],
          querystring: z.object({ lab: labId }),
          response: {
            200: labResult,
            ...errorAnswers(
              'bad_request',
              'bad_path',
              'unauthorized',
              'not_found',
              'lab_not_found',
              'too_large',
              'capacity',
              'images_missing',
              'grade_failed',
              'sandbox_failed',
              'shutting_down',
            ),
          },
        },
      },
      async (request, reply) => {
        const lab = labs.get(request.query.lab);
        if (lab === undefined) throw new BallastError('lab_not_found');
        requireImages(lab, baseImages());
        if (!(request.body instanceof Readable)) {
          throw new BallastError('bad_request', {
            message: 'The body must be a tar.',
            hint: 'Send it with "Content-Type: application/x-tar".',
          });
        }
        // The place first: a body that would only be thrown away again is not read.
        using place = turns.enter();
        const gone = new AbortController();
        // Of the answer and not of the connection, which goes on to the next request.
        reply.raw.once('close', () => {
          gone.abort(new BallastError('shutting_down', { message: 'The caller has gone.' }));
        });
        const signal = AbortSignal.any([gone.signal, closing.signal]);
        const files = await readSubmissionTar(apart(request.body));
        await place.turn(signal);
        const [graded] = await gradeMany(lab, [{ name: request.id, open: () => ({ files }) }], {
          ...grader,
          kinds,
          signal,
          jobs: 1,
          timeoutMs: config.seconds * 1000,
          onError: (name, errorId, error) => {
            logger.warn({ err: error, errorId, submission: name, lab: lab.id }, 'a submission could not be graded');
          },
        });
        if (graded?.result != null) return graded.result;
        const { message, hint = '', errorId = '' } = graded?.refusal ?? {};
        const detail = message === undefined ? {} : { message: `${message} (${errorId})`, hint };
        throw new BallastError('grade_failed', detail);
      },
    );
    done();
  });
}
