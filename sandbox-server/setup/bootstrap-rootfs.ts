import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { extract, pack } from 'tar-stream';
import type { Progress } from '../engines/engine.ts';
import { BallastError } from '../protocol/index.ts';
import { acceptsOldReleases, debianSources, readDebianMirror } from './debian-mirror.ts';
import { installDebianPackages } from './install-packages.ts';
import { findProgram, type HostSystem } from './host-system.ts';
import { runProgram } from './run-program.ts';

/** The hook prints it, and the date of the mirror's newest list after it. */
const mirrorDateMark = 'ballast-mirror-date ';
const suite = 'trixie';
const keyring = '/usr/share/keyrings/debian-archive-keyring.gpg';

/** Debian's names of architectures, where they differ from Docker's. */
const debianArchitectures: Readonly<Record<string, string>> = { arm: 'armhf', ppc64le: 'ppc64el', '386': 'i386' };

/** What the "slim" variants of the official images leave out. */
const slim = [
  'path-exclude=/usr/share/doc/*',
  'path-include=/usr/share/doc/*/copyright',
  'path-exclude=/usr/share/man/*',
  'path-exclude=/usr/share/info/*',
  'path-exclude=/usr/share/groff/*',
  'path-exclude=/usr/share/lintian/*',
  'path-exclude=/usr/share/linda/*',
  'path-exclude=/usr/share/locale/*',
  'path-include=/usr/share/locale/locale.alias',
  'force-unsafe-io',
];

/** As in the official images: small lists, no kept downloads, no services started, no traces of this machine. */
const finish = (checkDates: boolean): string => `
set -eu
cat > "$1/etc/apt/apt.conf.d/docker-small" << 'CONF'
Acquire::GzipIndexes "true";
Acquire::Languages "none";
APT::AutoRemove::SuggestsImportant "false";
APT::Keep-Downloaded-Packages "false";
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
${checkDates ? '' : 'Acquire::Check-Valid-Until "false";\nAcquire::Check-Date "false";'}
CONF
printf '#!/bin/sh\\nexit 101\\n' > "$1/usr/sbin/policy-rc.d"
chmod 755 "$1/usr/sbin/policy-rc.d"
if [ -e "$1/etc/apt/sources.list.d/0000debian.sources" ]; then
  mv "$1/etc/apt/sources.list.d/0000debian.sources" "$1/etc/apt/sources.list.d/debian.sources"
fi
rm -f "$1/etc/resolv.conf" "$1/etc/hostname" "$1"/var/cache/apt/*.bin "$1"/var/log/*.log "$1"/var/log/apt/*
rm -f "$1"/etc/passwd- "$1"/etc/group- "$1"/etc/shadow- "$1"/etc/gshadow- "$1"/var/cache/debconf/*-old
rm -f "$1"/var/cache/ldconfig/aux-cache
newest=0
for list in "$1"/var/lib/apt/lists/*InRelease; do
  date=$(date --date "$(sed -n 's/^Date: //p; T; q' "$list")" +%s)
  [ "$date" -le "$newest" ] || newest=$date
done
sed -i -E "s/^([^:]*:[^:]*):[0-9]+:/\\1:$((newest / 86400)):/" "$1/etc/shadow"
echo "${mirrorDateMark}$newest"
`;

/**
 * What making a layer leaves, and tidy takes away: if it were below as well, each layer would have a mark that it is gone,
 * and with the mark the time at which it was made.
 */
const left = /^(?:\.\/)?var\/(?:lib\/apt\/lists\/.+|lib\/dpkg\/[^/]+-old|log\/.*[^/])$/;

/** Files that are newer than the package mirror were made here: they get its date, and the same packages the same tar. */
async function clampDates(from: string, to: string, newest: Date): Promise<void> {
  const entries = extract();
  const packed = pack();
  entries.on('entry', (header, content, next) => {
    if (left.test(header.name)) {
      content.on('end', next).resume();
      return;
    }
    // Whole seconds; of the extended header, what is no date.
    const pax = Object.fromEntries(Object.entries(header.pax ?? {}).filter(([name]) => !/^[amc]time$/.test(name)));
    const seconds = Math.floor(Math.min(Number(header.mtime), newest.getTime()) / 1000);
    const dated = {
      ...header,
      mtime: new Date(seconds * 1000),
      ...(Object.keys(pax).length > 0 ? { pax } : { pax: null }),
    };
    const out = packed.entry(dated, (error) => {
      next(error);
    });
    content.pipe(out);
  });
  entries.on('finish', () => {
    packed.finalize();
  });
  await Promise.all([pipeline(createReadStream(from), entries), pipeline(packed, createWriteStream(to))]);
}

async function installMmdebstrap(host: HostSystem, progress: Progress): Promise<void> {
  if (findProgram('mmdebstrap') !== null && existsSync(keyring)) return;
  if (!host.isRoot || !host.isDebianLike) {
    throw new BallastError('setup_failed', {
      message: 'No image registry answers, and the base images cannot be built on this machine.',
      hint: host.isDebianLike
        ? 'Run "npx ballast setup" as root once, or: sudo apt-get install mmdebstrap debian-archive-keyring.'
        : 'Connect to the network for the first start, or run it on Debian or Ubuntu.',
    });
  }
  progress({ text: 'Installing mmdebstrap with apt-get' });
  await installDebianPackages(['mmdebstrap', 'debian-archive-keyring'], progress);
}

/**
 * A root file system like that of debian:trixie-slim, made from Debian packages; made once, then kept as a file.
 * @param home the server's folder (config.home), where it is kept.
 * @param architecture as Docker spells it.
 * @returns path of an uncompressed tar.
 * @throws BallastError setup_failed where it cannot be made, saying what to do.
 */
export async function bootstrapRootfs(options: {
  home: string;
  host: HostSystem;
  architecture: string;
  progress: Progress;
}): Promise<string> {
  const { home, host, progress } = options;
  const architecture = debianArchitectures[options.architecture] ?? options.architecture;
  const mirror = await readDebianMirror();
  const sources = mirror === null ? null : debianSources(mirror, suite);
  const script = finish(!(await acceptsOldReleases()));
  const digest = createHash('sha256')
    .update(JSON.stringify([slim, script, sources, left.source]))
    .digest('hex')
    .slice(0, 12);
  const folder = join(home, 'rootfs');
  const file = join(folder, `debian-${suite}-${architecture}-${digest}.tar`);
  if (existsSync(file)) return file;

  await installMmdebstrap(host, progress);
  await mkdir(folder, { recursive: true });
  const scratch = await mkdtemp(join(tmpdir(), 'ballast-rootfs-'));
  try {
    const sourcesFile = join(scratch, 'debian.sources');
    if (sources !== null) await writeFile(sourcesFile, sources);
    const made = join(scratch, 'rootfs.tar');
    const partial = `${file}.${String(process.pid)}.partial`;
    try {
      const output = await runProgram(
        'mmdebstrap',
        [
          '--variant=minbase',
          '--format=tar',
          `--architectures=${architecture}`,
          `--keyring=${keyring}`,
          ...slim.map((line) => `--dpkgopt=${line}`),
          `--customize-hook=${script}`,
          suite,
          made,
          ...(sources === null ? [] : [sourcesFile]),
        ],
        { progress, hint: 'A Debian mirror must be reachable; see the lines above.' },
      );
      const [, seconds = ''] = new RegExp(`${mirrorDateMark}(\\d+)`).exec(output) ?? [];
      await clampDates(made, partial, new Date(Number(seconds) * 1000));
      await rename(partial, file);
    } finally {
      await rm(partial, { force: true });
    }
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
  return file;
}
