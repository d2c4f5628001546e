import { z } from 'zod';
import type { ImageReader } from '../images/image-reader.ts';
import { toXray } from '../images/xray.ts';
import type { Lab } from '../labs/index.ts';
import { BallastError, imageList, imageXray, type ImageXray } from '../protocol/index.ts';
import { listImages, type BaseImage } from '../sessions/list-images.ts';
import type { Guard } from './guard.ts';
import { errorAnswers, sessionErrors, sessionParameters, sessionSecurity, type App } from './route-kit.ts';

const suffix = '/xray';
const xrayParameters = sessionParameters.extend({
  '*': z
    .string()
    .max(512)
    .describe('Reference of the image, its slashes encoded or not, then "/xray": "debian:trixie-slim/xray".'),
});
/** As engines take them: a name with a tag or a digest, or an id. An option of `docker` is none. */
const reference = /^[a-z0-9][\w.-]*(:\d+)?(\/[\w.-]+)*(:[\w][\w.-]{0,127})?(@sha256:[0-9a-f]{64})?$/;

/** Images in a session's sandbox: the list, and one opened up. */
export function imageRoutes(
  app: App,
  { guard, baseImages }: { readonly guard: Guard; readonly baseImages: () => readonly BaseImage[] },
): void {
  const security = sessionSecurity;
  const errors = [...sessionErrors, 'session_not_ready', 'sandbox_failed'] as const;

  app.get(
    '/api/sessions/:id/images',
    {
      schema: {
        summary: 'Images in the sandbox',
        tags: ['images'],
        security,
        params: sessionParameters,
        response: { 200: imageList, ...errorAnswers(...errors) },
      },
    },
    async (request) => {
      const sandbox = guard.authenticate(request.raw, request.params.id, false).use();
      return { images: await listImages(sandbox.shell, baseImages(), sandbox.signal) };
    },
  );

  app.get(
    '/api/sessions/:id/images/*',
    {
      schema: {
        summary: 'An image opened up: layers, packages, programs, secrets, wasted bytes',
        description: 'The path is /api/sessions/{id}/images/{ref}/xray.',
        tags: ['images'],
        security,
        params: xrayParameters,
        response: {
          200: imageXray,
          ...errorAnswers(...errors, 'not_found', 'image_not_found', 'image_unreadable', 'too_large', 'engine_failed'),
        },
      },
    },
    async (request) => {
      const session = guard.authenticate(request.raw, request.params.id, false);
      const sandbox = session.use();
      const path = request.params['*'];
      if (!path.endsWith(suffix)) throw new BallastError('not_found');
      const ref = path.slice(0, -suffix.length);
      if (!reference.test(ref)) {
        throw new BallastError('bad_request', {
          message: 'This is no reference of an image.',
          hint: 'GET /api/sessions/:id/images lists the images of the sandbox.',
        });
      }
      return openUp(sandbox.images, ref, session.lab, sandbox.signal);
    },
  );
}

/** What a person wants to know of an image, with the secrets of its lab that are in it. */
async function openUp(images: ImageReader, ref: string, lab: Lab, signal: AbortSignal): Promise<ImageXray> {
  const xray = toXray(await images.read(ref, signal));
  const canaries = lab.checks.flatMap(({ kind, with: parameters }) =>
    kind === 'no-secret' ? canariesOf(parameters) : [],
  );
  if (canaries.length === 0) return { ...xray, secrets: [] };
  const found = await images.search(ref, [...new Set(canaries)], signal);
  const secrets = found.map(({ where, index, path, hidden }) => ({
    where,
    index,
    // The instruction of a step in the history may well be the secret.
    path: where === 'layer' ? path : '',
    hidden,
  }));
  return { ...xray, secrets };
}

const withCanaries = z.looseObject({ canaries: z.array(z.string()) });
const canariesOf = (parameters: unknown): readonly string[] => withCanaries.safeParse(parameters).data?.canaries ?? [];
