import type { Engine, SandboxSpec, TerminalExec } from '../engines/engine.ts';
import { openUnpacker, type Unpacker } from './start-files.ts';
import { startSandbox, type StartOptions } from './start-sandbox.ts';
import { openSpareView } from './terminals.ts';

/** Programs that wait in a sandbox for its session: to start one takes longer than all that it then does. */
export interface Outfit {
  /** Waits for the files of a lab. */
  readonly unpacker: Unpacker;
  /** Waits to become the first terminal's view. */
  readonly view: TerminalExec;
}

export interface OutfittedSandbox extends Outfit {
  /** The engine's id of it. */
  readonly id: string;
}

async function openOutfit(engine: Engine, id: string): Promise<Outfit> {
  const [unpacker, view] = await Promise.all([openUnpacker(engine, id), openSpareView(engine, id)]);
  return { unpacker, view };
}

/** Ends what nobody will use. */
export function dropOutfit({ unpacker, view }: Outfit): void {
  unpacker.destroy();
  view.destroy();
}

/**
 * Start a sandbox for a session; its outfit is started while its engine is.
 * @throws as `startSandbox` does, and what the engine says of the outfit, after removing the sandbox
 */
export async function startOutfitted(
  engine: Engine,
  spec: SandboxSpec,
  options: StartOptions,
): Promise<OutfittedSandbox> {
  const created = Promise.withResolvers<string>();
  const opening = created.promise.then((id) => openOutfit(engine, id));
  // A sandbox that fails tells why by itself.
  opening.catch(() => undefined);
  const starting = startSandbox(engine, spec, { ...options, onCreated: created.resolve });
  const { id } = await starting.catch((error: unknown) => {
    void opening.then(dropOutfit, () => undefined);
    throw error;
  });
  try {
    return { id, ...(await opening) };
  } catch (error) {
    await engine.removeSandbox(id, { keepData: options.keepData ?? false });
    throw error;
  }
}
