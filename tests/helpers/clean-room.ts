import { pino } from 'pino';
import { createGateway } from '../../sandbox-server/gateway/index.ts';
import type { GraderOptions } from '../../sandbox-server/grading/index.ts';
import type { Base } from './server.ts';

/** What grading needs, of a set-up that tests share. `host` labels the sandboxes that it makes. */
export function graderOf({ engine, prepared, config }: Base, host: string): GraderOptions {
  return {
    engine,
    image: prepared.image,
    storeVolume: prepared.store.volume,
    hostId: host,
    gateway: createGateway(config, pino({ level: 'silent' })),
    limits: config.sandbox,
    startTimeoutMs: config.sandbox.startSeconds * 1000,
  };
}
