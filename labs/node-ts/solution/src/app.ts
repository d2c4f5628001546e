import { fastify, type FastifyInstance } from 'fastify';
import { find, lighterThan } from './containers.js';

const query = {
  type: 'object',
  properties: { maxKg: { type: 'integer', minimum: 0, default: 40_000 } },
} as const;

/** The routes of the service. Fastify judges what is asked by the schemas, before our code sees it. */
export function buildApp(): FastifyInstance {
  const app = fastify({ logger: process.env['LOG'] === 'yes' });

  app.get('/healthz', () => 'ok\n');

  app.get<{ Querystring: { maxKg: number } }>('/containers', { schema: { querystring: query } }, ({ query: { maxKg } }) =>
    lighterThan(maxKg),
  );

  app.get<{ Params: { id: string } }>('/containers/:id', ({ params: { id } }, reply) => {
    const container = find(id);
    return container ?? reply.code(404).send({ error: `No container ${id} is on the quay.` });
  });

  return app;
}
