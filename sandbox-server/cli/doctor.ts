import { join } from 'node:path';
import pc from 'picocolors';
import { checkKinds } from '../checks/kinds/index.ts';
import { loadConfig } from '../config.ts';
import { connectDocker } from '../engines/docker/connect.ts';
import { loadLabs } from '../labs/index.ts';
import { examine, type Finding } from '../setup/examine.ts';
import { readHostSystem } from '../setup/host-system.ts';
import { sandboxImageRef } from '../setup/prepare-sandbox-image.ts';
import { projectRoot } from './project.ts';

const marks = { ok: pc.green('ok  '), warn: pc.yellow('warn'), bad: pc.red('bad ') } as const;

function print(findings: readonly Finding[]): void {
  const width = Math.max(...findings.map(({ title }) => title.length));
  for (const { title, status, detail, hint } of findings) {
    process.stdout.write(`${marks[status]}  ${title.padEnd(width)}  ${detail}\n`);
    if (hint !== undefined && status !== 'ok') process.stdout.write(`${' '.repeat(width + 8)}${pc.dim(hint)}\n`);
  }
}

/** `ballast doctor`: what was found on this machine and what is wrong; exit status 1 when something is. */
export async function doctor(): Promise<void> {
  const config = loadConfig();
  const findings = await examine({
    config,
    host: readHostSystem(),
    connect: () => connectDocker(process.env),
    images: async (engine) => {
      const ref = await sandboxImageRef();
      const stores = await engine.listVolumes({ 'ballast.kind': 'store' });
      const labs = await loadLabs(join(projectRoot, 'labs'), checkKinds());
      return [
        (await engine.findImage(ref)) === null
          ? {
              title: 'Sandbox image',
              status: 'warn',
              detail: 'not built yet',
              hint: '"npm start" or "npx ballast setup" builds it.',
            }
          : { title: 'Sandbox image', status: 'ok', detail: ref },
        stores.length === 0
          ? {
              title: 'Base images',
              status: 'warn',
              detail: 'not obtained yet',
              hint: '"npm start" or "npx ballast setup" obtains them.',
            }
          : { title: 'Base images', status: 'ok', detail: stores.join(', ') },
        { title: 'Labs', status: 'ok', detail: [...labs.keys()].join(', ') },
      ];
    },
  });
  print(findings);
  const bad = findings.filter(({ status }) => status === 'bad').length;
  process.stdout.write(
    bad === 0 ? '\nNothing is wrong.\n' : `\n${String(bad)} thing${bad === 1 ? ' is' : 's are'} wrong.\n`,
  );
  process.exitCode = bad === 0 ? 0 : 1;
}
