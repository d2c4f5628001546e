import { loadConfig } from '../config.ts';
import { stopEngine } from '../setup/install-engine.ts';

/** `ballast engine stop`: end the Docker Engine that set-up had started. */
export async function engineStop(): Promise<void> {
  const stopped = await stopEngine(loadConfig().home);
  process.stdout.write(
    stopped ? 'The Docker Engine that Ballast started has ended.\n' : 'Ballast has started no Docker Engine.\n',
  );
}
