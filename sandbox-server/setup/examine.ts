import { accessSync, constants, existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { availableParallelism, freemem, totalmem } from 'node:os';
import type { Config } from '../config.ts';
import type { Engine } from '../engines/engine.ts';
import { readExtraCa, type ExtraCa } from '../extra-ca.ts';
import { BallastError } from '../protocol/index.ts';
import { freeBytes, type HostSystem } from './host-system.ts';

/** One thing that doctor looked at. `bad` keeps Ballast from working, `warn` may. */
export interface Finding {
  readonly title: string;
  readonly status: 'ok' | 'warn' | 'bad';
  readonly detail: string;
  readonly hint?: string;
}

const gigabytes = (bytes: number): string => `${(bytes / 1e9).toFixed(1)} GB`;

/** Ubuntu 23.10 and newer keep user namespaces from programs without an AppArmor profile of their own. */
const userNamespaceSwitches: readonly { file: string; bad: string; what: string }[] = [
  {
    file: '/proc/sys/user/max_user_namespaces',
    bad: '0',
    what: 'user namespaces are switched off (user.max_user_namespaces = 0)',
  },
  {
    file: '/proc/sys/kernel/unprivileged_userns_clone',
    bad: '0',
    what: 'unprivileged user namespaces are switched off (kernel.unprivileged_userns_clone = 0)',
  },
  {
    file: '/proc/sys/kernel/apparmor_restrict_unprivileged_userns',
    bad: '1',
    what: 'AppArmor restricts user namespaces (kernel.apparmor_restrict_unprivileged_userns = 1)',
  },
];

function examineKernel(host: HostSystem): Finding[] {
  if (host.platform !== 'linux') return [];
  const findings: Finding[] = [];
  for (const { file, bad, what } of userNamespaceSwitches) {
    if (existsSync(file) && readFileSync(file, 'utf8').trim() === bad) {
      findings.push({
        title: 'User namespaces',
        status: 'bad',
        detail: what,
        hint: 'A sandbox runs a rootless engine and needs them: change that setting with sysctl, as root.',
      });
    }
  }
  if (findings.length === 0) findings.push({ title: 'User namespaces', status: 'ok', detail: 'allowed' });
  for (const device of ['/dev/net/tun', '/dev/fuse']) {
    findings.push(
      existsSync(device)
        ? { title: device, status: 'ok', detail: 'there' }
        : {
            title: device,
            status: 'bad',
            detail: 'missing',
            hint: `Load its kernel module: modprobe ${device.endsWith('tun') ? 'tun' : 'fuse'}`,
          },
    );
  }
  return findings;
}

async function examineDisk(folder: string, title: string): Promise<Finding> {
  try {
    const free = await freeBytes(folder);
    const detail = `${gigabytes(free)} free for ${folder}`;
    if (free < 1e9) return { title, status: 'bad', detail, hint: 'Free some space: sandboxes and builds need it.' };
    if (free < 10e9)
      return { title, status: 'warn', detail, hint: 'Enough for a few sandboxes; a class wants 10 GB and more.' };
    return { title, status: 'ok', detail };
  } catch {
    return { title, status: 'warn', detail: `cannot look at ${folder} from here (a remote engine?)` };
  }
}

const dayMs = 24 * 3600 * 1000;
/** An authority that ends sooner is told of. */
const soonDays = 30;

/** Each of the operator's further authorities; or why there is none. @param now in ms since 1970 */
export function examineExtraCa(file: string | undefined, now = Date.now()): Finding[] {
  const title = 'Extra CA';
  if (file === undefined) return [{ title, status: 'ok', detail: 'none set (BALLAST_EXTRA_CA)' }];
  let certificates: ExtraCa['certificates'];
  try {
    ({ certificates } = readExtraCa(file));
  } catch (error) {
    if (!(error instanceof BallastError)) throw error;
    return [{ title, status: 'bad', detail: `${error.code}: ${error.message}`, hint: error.hint }];
  }
  const shown = (text: string): string => text.replace(/\p{Cc}+/gu, ', ');
  return [
    { title, status: 'ok', detail: `${String(certificates.length)} in ${file}` },
    ...certificates.map((certificate): Finding => {
      const { subject, ca, validToDate, validFromDate } = certificate;
      const day = validToDate.toISOString().slice(0, 10);
      const finding = { title: '', detail: `${shown(subject)}, until ${day}` };
      const days = (validToDate.getTime() - now) / dayMs;
      const warn = (what: string, hint: string): Finding => ({
        title: '',
        status: 'warn',
        detail: `${finding.detail}: ${what}`,
        hint,
      });
      if (days < 0) return warn('it has expired', 'Nothing trusts it any more: ask for its successor.');
      if (validFromDate.getTime() > now) return warn('it is not valid yet', 'Look at the clock of this machine.');
      if (!ca) return warn('it is no authority', 'Name the certificate of the authority that signed it.');
      if (days < soonDays) return warn(`${String(Math.floor(days))} days left`, 'Ask for its successor.');
      return { ...finding, status: 'ok' };
    }),
  ];
}

async function examinePort(config: Config): Promise<Finding> {
  const title = 'Port';
  const detail = `${config.host}, port ${String(config.port)}`;
  const probe = createServer();
  try {
    await new Promise<void>((resolve, reject) => {
      probe.once('error', reject);
      probe.listen(config.port, config.host, resolve);
    });
    await new Promise((resolve) => probe.close(resolve));
    return { title, status: 'ok', detail: `${detail} is free` };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return {
      title,
      status: 'warn',
      detail: `${detail}: ${code ?? String(error)}`,
      hint: 'Ballast may be running already; or choose another port.',
    };
  }
}

function examineHome(config: Config): Finding {
  let folder = config.home;
  while (!existsSync(folder)) folder = folder.slice(0, folder.lastIndexOf('/')) || '/';
  try {
    accessSync(folder, constants.W_OK);
    return { title: 'Own folder', status: 'ok', detail: config.home };
  } catch {
    return {
      title: 'Own folder',
      status: 'bad',
      detail: `${config.home} cannot be written`,
      hint: 'Set BALLAST_HOME to a folder of yours.',
    };
  }
}

async function examineEngine(
  connect: () => Promise<Engine>,
  host: HostSystem,
): Promise<{ findings: Finding[]; engine: Engine | null }> {
  try {
    const engine = await connect();
    const info = await engine.info();
    const findings: Finding[] = [
      {
        title: 'Docker Engine',
        status: 'ok',
        detail: `${info.version} (API ${info.apiVersion}), ${info.architecture}, storage ${info.storageDriver}, cgroup v${info.cgroupVersion}`,
      },
    ];
    if (!info.securityOptions.some((option) => option.includes('seccomp'))) {
      findings.push({
        title: 'Seccomp',
        status: 'bad',
        detail: 'the engine has no seccomp',
        hint: 'Sandboxes are not safe without: use a kernel and an engine with seccomp.',
      });
    }
    return { findings, engine };
  } catch (error) {
    if (!(error instanceof BallastError)) throw error;
    // Set-up installs none where somebody has said which one to use.
    const named = (process.env['DOCKER_HOST'] ?? '') !== '';
    const installs = error.code === 'engine_missing' && !named && host.isRoot && host.isDebianLike;
    const hint = installs ? '"npm start" installs and starts one.' : error.hint;
    return {
      findings: [{ title: 'Docker Engine', status: installs ? 'warn' : 'bad', detail: error.message, hint }],
      engine: null,
    };
  }
}

/**
 * Looks at all that Ballast needs of a machine; changes nothing.
 * @param connect tries to reach an engine
 * @param images names the sandbox image and store that set-up would make, and whether they are there
 */
export async function examine(options: {
  config: Config;
  host: HostSystem;
  connect: () => Promise<Engine>;
  images: (engine: Engine) => Promise<readonly Finding[]>;
}): Promise<readonly Finding[]> {
  const { config, host } = options;
  const { findings, engine } = await examineEngine(options.connect, host);
  const memory = `${String(availableParallelism())} cores, ${gigabytes(totalmem())} memory (${gigabytes(freemem())} free)`;
  const perSandbox = config.sandbox.memoryBytes;
  return [
    {
      title: 'System',
      status: 'ok',
      detail: `${host.name}, Node.js ${process.versions.node}, ${host.isRoot ? 'root' : 'not root'}`,
    },
    freemem() < perSandbox
      ? { title: 'Machine', status: 'warn', detail: memory, hint: `A sandbox may use up to ${gigabytes(perSandbox)}.` }
      : { title: 'Machine', status: 'ok', detail: memory },
    ...findings,
    ...examineKernel(host),
    ...(engine === null ? [] : await options.images(engine)),
    ...(engine === null ? [] : [await examineDisk((await engine.info()).rootDir, 'Disk of the engine')]),
    await examineDisk(config.home, 'Disk of Ballast'),
    examineHome(config),
    ...examineExtraCa(config.extraCa),
    await examinePort(config),
  ];
}
