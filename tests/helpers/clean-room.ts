import { pino } from 'pino';
import { createGateway } from '../../sandbox-server/gateway/index.ts';
import { createEngineShell } from '../../sandbox-server/checks/engine-shell.ts';
import type { SandboxShell } from '../../sandbox-server/checks/index.ts';
import type { GraderOptions } from '../../sandbox-server/grading/index.ts';
import { LayerKnowledge } from '../../sandbox-server/images/layer-memory.ts';
import { newSessionId } from '../../sandbox-server/sessions/credentials.ts';
import { startSandbox } from '../../sandbox-server/sessions/start-sandbox.ts';
import type { Base } from './server.ts';

const knowledge = new LayerKnowledge();

/** What grading needs, of a set-up that tests share. `host` labels the sandboxes that it makes. */
export function graderOf({ engine, prepared, config }: Base, host: string): GraderOptions {
  return {
    engine,
    image: prepared.image,
    storeVolume: prepared.store.volume,
    hostId: host,
    gateway: createGateway(config, pino({ level: 'silent' }), () => prepared.store.registries),
    knowledge,
    limits: config.sandbox,
    startTimeoutMs: config.sandbox.startSeconds * 1000,
  };
}

/**
 * A sandbox as a session has one, with no session to it.
 * @param host labels it: a test removes all of that label at its end
 * @param storeVolume base images that it has; those of the set-up when left out
 */
export async function openSandbox(
  base: Base,
  host: string,
  storeVolume = base.prepared.store.volume,
): Promise<{ readonly id: string; readonly shell: SandboxShell }> {
  const { engine, image, limits, startTimeoutMs } = graderOf(base, host);
  const made = { session: newSessionId(), kind: 'sandbox', host, image, storeVolume, limits } as const;
  const { id } = await startSandbox(
    engine,
    { ...made, network: 'none', hostname: 'lab', env: {} },
    { timeoutMs: startTimeoutMs },
  );
  return { id, shell: createEngineShell(engine, id) };
}

/** Removes every sandbox with this label. */
export async function removeSandboxes({ engine }: Base, host: string): Promise<void> {
  for (const { id } of await engine.listSandboxes({ 'ballast.host': host })) await engine.removeSandbox(id);
}
