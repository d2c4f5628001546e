import type { IncomingHttpHeaders } from 'node:http';
import { z } from 'zod';
import { BallastError, fileList, fileVersionHeader, maxFileBytes } from '../protocol/index.ts';
import { listFiles, readFile, removeFile, writeFile, type FileCondition } from '../sessions/sandbox-files.ts';
import type { Guard } from './guard.ts';
import { errorAnswers, noContent, sessionErrors, sessionParameters, sessionSecurity, type App } from './route-kit.ts';

const fileParameters = sessionParameters.extend({ '*': z.string().describe('Path relative to the lab folder.') });
const bytes = z.unknown();
const toEtag = (version: string): string => `"${version}"`;

/** What the conditional headers ask for. @throws BallastError bad_request */
export function fileCondition(headers: IncomingHttpHeaders): FileCondition {
  const match = headers['if-match'];
  const noneMatch = headers['if-none-match'];
  if (noneMatch !== undefined) {
    if (noneMatch.trim() === '*' && match === undefined) return 'new';
    throw new BallastError('bad_request', { message: 'If-None-Match takes only "*" here, and not with If-Match.' });
  }
  if (match === undefined) return 'any';
  const version = /^\s*"([0-9a-f]{64})"\s*$/.exec(match)?.[1];
  if (version === undefined)
    throw new BallastError('bad_request', { message: 'If-Match is not an ETag that we gave.' });
  return { version };
}

/** The files API. Bodies are the raw bytes. */
export function fileRoutes(root: App, { guard }: { readonly guard: Guard }): void {
  // Own scope: here every body is bytes, whatever its type says.
  void root.register((scope, _options, done) => {
    const app: App = scope.withTypeProvider();
    app.removeAllContentTypeParsers();
    app.addContentTypeParser('*', { parseAs: 'buffer', bodyLimit: maxFileBytes }, (_request, body, parsed) => {
      parsed(null, body);
    });
    const params = fileParameters;
    const security = sessionSecurity;
    const errors = [...sessionErrors, 'session_not_ready', 'bad_path', 'sandbox_failed'] as const;

    app.get(
      '/api/sessions/:id/files',
      {
        schema: {
          summary: 'Files of the lab folder',
          tags: ['files'],
          security,
          params: sessionParameters,
          response: { 200: fileList, ...errorAnswers(...sessionErrors, 'session_not_ready', 'sandbox_failed') },
        },
      },
      (request) => listFiles(guard.authenticate(request.raw, request.params.id, false).use()),
    );

    app.get(
      '/api/sessions/:id/files/*',
      {
        schema: {
          summary: 'Read a file',
          tags: ['files'],
          security,
          params,
          response: {
            200: {
              description: 'The bytes; ETag has the version.',
              content: { 'application/octet-stream': { schema: bytes } },
            },
            ...errorAnswers(...errors, 'file_not_found', 'too_large'),
          },
        },
      },
      async (request, reply) => {
        const sandbox = guard.authenticate(request.raw, request.params.id, false).use();
        const file = await readFile(sandbox, request.params['*']);
        // A learner's bytes at our own origin: never to be taken for a page of ours.
        return reply
          .type('application/octet-stream')
          .header('content-disposition', 'attachment')
          .header(fileVersionHeader, toEtag(file.version))
          .send(file.bytes);
      },
    );

    app.put(
      '/api/sessions/:id/files/*',
      {
        schema: {
          summary: 'Write a file, whole or not at all',
          tags: ['files'],
          security,
          params,
          consumes: ['application/octet-stream'],
          body: bytes,
          response: {
            204: { ...noContent, description: 'Written; ETag has the new version.' },
            ...errorAnswers(...errors, 'file_changed', 'too_large', 'disk_full'),
          },
        },
      },
      async (request, reply) => {
        const sandbox = guard.authenticate(request.raw, request.params.id, true).use();
        const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
        const version = await writeFile(sandbox, request.params['*'], body, fileCondition(request.headers));
        return reply.code(204).header(fileVersionHeader, toEtag(version)).send();
      },
    );

    app.delete(
      '/api/sessions/:id/files/*',
      {
        schema: {
          summary: 'Remove a file',
          tags: ['files'],
          security,
          params,
          response: { 204: noContent, ...errorAnswers(...errors, 'file_not_found', 'file_changed') },
        },
      },
      async (request, reply) => {
        const sandbox = guard.authenticate(request.raw, request.params.id, true).use();
        await removeFile(sandbox, request.params['*'], fileCondition(request.headers));
        return reply.code(204).send();
      },
    );
    done();
  });
}
