import { join } from 'node:path';
import picocolors from 'picocolors';
import { checkKinds } from '../checks/kinds/index.ts';
import { hasColors } from '../colors.ts';
import { loadConfig, type Config } from '../config.ts';
import { createGateway } from '../gateway/index.ts';
import { connectDocker } from '../engines/docker/connect.ts';
import { loadLabs } from '../labs/index.ts';
import { examine, examineExtraCa, type Finding } from '../setup/examine.ts';
import { createLogger } from '../observability/logger.ts';
import { readHostSystem } from '../setup/host-system.ts';
import { recordedRegistries } from '../setup/store-record.ts';
import { sandboxImageRef } from '../setup/prepare-sandbox-image.ts';
import { projectRoot } from './project.ts';

const pc = picocolors.createColors(hasColors(process.stdout));
const marks = { ok: pc.green('ok  '), warn: pc.yellow('warn'), bad: pc.red('bad ') } as const;

function print(findings: readonly Finding[]): void {
  const width = Math.max(...findings.map(({ title }) => title.length));
  for (const { title, status, detail, hint } of findings) {
    process.stdout.write(`${marks[status]}  ${title.padEnd(width)}  ${detail}\n`);
    if (hint !== undefined && status !== 'ok') process.stdout.write(`${' '.repeat(width + 8)}${pc.dim(hint)}\n`);
  }
}

/** What labs with packages could fetch from. */
async function examineGateway(config: Config): Promise<readonly Finding[]> {
  const title = 'Package registry';
  if (!config.gateway.enabled) return [{ title, status: 'ok', detail: 'the package gateway is switched off' }];
  const gateway = createGateway(config, createLogger('silent', process.stderr), () => recordedRegistries(config.home));
  try {
    const probed = await gateway.probe();
    if (probed.length === 0) {
      const hint = 'Labs that fetch packages need one: "gateway.allow" in ballast.yaml.';
      return [{ title, status: 'warn', detail: 'no package client here names one', hint }];
    }
    return probed.map(({ registry: { host, port, from }, failure }): Finding => {
      const place = `${host}${port === null ? '' : `:${String(port)}`} (${from})`;
      if (failure === null) return { title, status: 'ok', detail: `${place} answers` };
      const hint = 'Labs that fetch its packages will not work now; all others do.';
      return { title, status: 'warn', detail: `${place}: ${failure}`, hint };
    });
  } finally {
    await gateway.close();
  }
}

/** `ballast doctor`: what was found on this machine and what is wrong; exit status 1 when something is. */
export async function doctor(): Promise<void> {
  const config = loadConfig();
  // A file of authorities that cannot be read is one of the findings, not the end of them.
  const isReadable = examineExtraCa(config.extraCa).every(({ status }) => status !== 'bad');
  const usable: Config = isReadable ? config : { ...config, extraCa: undefined };
  const findings = await examine({
    config,
    host: readHostSystem(),
    connect: () => connectDocker(process.env),
    images: async (engine) => {
      const ref = await sandboxImageRef(usable);
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
  print([...findings, ...(await examineGateway(usable))]);
  const bad = findings.filter(({ status }) => status === 'bad').length;
  process.stdout.write(
    bad === 0 ? '\nNothing is wrong.\n' : `\n${String(bad)} thing${bad === 1 ? ' is' : 's are'} wrong.\n`,
  );
  process.exitCode = bad === 0 ? 0 : 1;
}
