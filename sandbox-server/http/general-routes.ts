import type { Engine } from '../engines/engine.ts';
import type { Lab } from '../labs/index.ts';
import { health, labList, type Health } from '../protocol/index.ts';
import { summarizeLab } from '../sessions/lab-list.ts';
import type { BaseImage } from '../sessions/list-images.ts';
import type { SessionManager } from '../sessions/session-manager.ts';
import { errorAnswers, type App } from './route-kit.ts';

const engineWaitMs = 2000;
/** Health is asked by anybody, as often as they like: the engine is asked this often. */
const engineFreshMs = 5000;

function createEngineProbe(engine: Engine): () => Promise<Health['engine']> {
  let last: { readonly at: number; readonly answer: Promise<Health['engine']> } | undefined;
  const ask = async (): Promise<Health['engine']> => {
    const late = Promise.withResolvers<null>();
    const timer = setTimeout(() => {
      late.resolve(null);
    }, engineWaitMs);
    const info = await Promise.race([engine.info().catch(() => null), late.promise]);
    clearTimeout(timer);
    return { reachable: info !== null, version: info?.version ?? null };
  };
  return () => {
    if (last === undefined || performance.now() - last.at > engineFreshMs)
      last = { at: performance.now(), answer: ask() };
    return last.answer;
  };
}

/** GET /api/health and GET /api/labs. */
export function generalRoutes(
  app: App,
  options: {
    readonly engine: Engine;
    readonly manager: SessionManager;
    readonly labs: ReadonlyMap<string, Lab>;
    readonly baseImages: () => readonly BaseImage[];
    readonly version: string;
  },
): void {
  const probe = createEngineProbe(options.engine);
  // Not the process's: that counts set-up as well.
  const began = performance.now();

  app.get(
    '/api/health',
    {
      schema: {
        summary: 'How the server is',
        tags: ['server'],
        response: { 200: health, ...errorAnswers('forbidden_origin') },
      },
    },
    async () => {
      const engine = await probe();
      return {
        status: engine.reachable ? ('ok' as const) : ('degraded' as const),
        version: options.version,
        uptimeSeconds: Math.round((performance.now() - began) / 1000),
        engine,
        sessions: options.manager.active,
      };
    },
  );

  app.get(
    '/api/labs',
    {
      schema: {
        summary: 'All labs',
        tags: ['labs'],
        response: { 200: labList, ...errorAnswers('forbidden_origin') },
      },
    },
    () => ({ labs: [...options.labs.values()].map((lab) => summarizeLab(lab, options.baseImages())) }),
  );
}
