import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { pack } from 'tar-stream';
import { z } from 'zod';
import { originLabel } from './build-equivalent.ts';
import { bootstrapRef } from './catalogue.ts';
import type { Seeder } from './seeder.ts';

/** The label of an image that has the operator's authorities in a layer on top; its value says which. */
export const authoritiesLabel = 'ballast.extra-ca';
const docker = '/usr/bin/docker';
const container = 'ballast-authorities';
/** Changes with what is done to an image. */
const version = 1;

/** Where systems have the bundle that programs read. */
const bundlePaths = [
  'etc/ssl/certs/ca-certificates.crt',
  'etc/ssl/cert.pem',
  'etc/ssl/ca-bundle.pem',
  'etc/pki/tls/certs/ca-bundle.crt',
  'etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem',
  'var/lib/ca-certificates/ca-bundle.pem',
];
/** A folder of authorities, and what tells that the system makes its bundle of it. */
const anchorFolders = [
  { folder: 'usr/local/share/ca-certificates', of: ['usr/bin/dpkg', 'sbin/apk', 'usr/sbin/update-ca-certificates'] },
  { folder: 'etc/pki/ca-trust/source/anchors', of: ['usr/bin/update-ca-trust'] },
];
const certs = 'etc/ssl/certs';
/** Names of our own: what stands before runc in a sandbox with packages sets these variables anew. */
const nodeFile = `${certs}/ballast-extra-ca.pem`;
const bundleLink = `${certs}/ballast-bundle.crt`;
const interesting = [
  ...bundlePaths,
  ...anchorFolders.flatMap(({ of }) => of),
  `${certs}/[0-9a-f]{8}\\.[0-9]+`,
  '(usr/(local/)?bin|nodejs/bin)/(node|nodejs|python3)(\\.[0-9]+)?',
  '.*/bin/keytool',
  '.*/lib/security/cacerts',
].join('|');

/** One file or link of an image, as `tar -tv` lists it. */
export interface Listed {
  readonly type: 'file' | 'link' | 'other';
  readonly path: string;
}

/** One file that is put into an image. */
interface Added {
  readonly name: string;
  readonly content?: string;
  readonly linkTo?: string;
}

export interface AuthoritiesPlan {
  readonly files: readonly Added[];
  readonly environment: Readonly<Record<string, string>>;
  /** Folders with a Java that has a trust store of its own and the tool to change it. */
  readonly javaHomes: readonly string[];
}

/** Read the lines of `tar -tv`. */
export function parseListing(text: string): Listed[] {
  return text.split('\n').flatMap((line) => {
    const [, kind, name] = /^(.)\S+\s+\S+\s+\d+\s+\S+\s+\S+\s+(\S+)/.exec(line) ?? [];
    if (name === undefined) return [];
    const type = kind === '-' || kind === 'h' ? 'file' : kind === 'l' ? 'link' : 'other';
    return [{ type, path: name.replace(/^(\.?\/)+/, '') }];
  });
}

/** Plain files of a listing in which programs look for authorities. */
export function bundlesIn(listing: readonly Listed[]): string[] {
  return bundlePaths.filter((path) => listing.some((one) => one.type === 'file' && one.path === path));
}

const bodyOf = (pem: string): string => pem.replace(/-----[^-]+-----|\s/g, '');

/**
 * What an image lacks of the authorities: nothing where it has no programs that would read them.
 * @param listing of the image: the paths that `interesting` matches.
 * @param bundles text of each of `bundlesIn(listing)`.
 * @param authorities in PEM, with the name that OpenSSL gives each in a folder.
 */
export function planAuthorities(
  listing: readonly Listed[],
  bundles: Readonly<Record<string, string>>,
  authorities: readonly { readonly pem: string; readonly hash: string }[],
): AuthoritiesPlan {
  const has = (path: string): boolean => listing.some((one) => one.path === path);
  const hasProgram = (name: RegExp): boolean => listing.some(({ path }) => name.test(path));
  const files: Added[] = [];
  for (const [path, text] of Object.entries(bundles)) {
    const known = new Set((text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []).map(bodyOf));
    const lacking = authorities.filter(({ pem }) => !known.has(bodyOf(pem)));
    const end = text === '' || text.endsWith('\n') ? '' : '\n';
    if (lacking.length > 0)
      files.push({ name: path, content: `${text}${end}${lacking.map(({ pem }) => pem).join('')}` });
  }
  const anchors = anchorFolders.find(({ of }) => of.some(has))?.folder;
  if (anchors !== undefined)
    authorities.forEach(({ pem }, at) => {
      files.push({ name: `${anchors}/ballast-extra-${String(at + 1)}.crt`, content: pem });
    });
  const taken = new Set(listing.map(({ path }) => path));
  // As update-ca-certificates would: for programs that look up an authority by its name.
  if (anchors === anchorFolders[0]?.folder && hasProgram(/^etc\/ssl\/certs\/[0-9a-f]{8}\.\d+$/))
    authorities.forEach(({ hash }, at) => {
      const file = `ballast-extra-${String(at + 1)}`;
      files.push({ name: `${certs}/${file}.pem`, linkTo: `/${anchors}/${file}.crt` });
      let number = 0;
      while (taken.has(`${certs}/${hash}.${String(number)}`)) number += 1;
      taken.add(`${certs}/${hash}.${String(number)}`);
      files.push({ name: `${certs}/${hash}.${String(number)}`, linkTo: `${file}.pem` });
    });

  const environment: Record<string, string> = {};
  // Its makers' Node.js has a bundle of its own, compiled in.
  if (hasProgram(/bin\/(node|nodejs)$/)) {
    files.push({ name: nodeFile, content: authorities.map(({ pem }) => pem).join('') });
    environment['NODE_EXTRA_CA_CERTS'] = `/${nodeFile}`;
  }
  // pip before 24.2, and requests, have one in a package.
  const [bundle] = Object.keys(bundles);
  if (bundle !== undefined && hasProgram(/bin\/python3(\.\d+)?$/)) {
    files.push({ name: bundleLink, linkTo: `/${bundle}` });
    environment['PIP_CERT'] = `/${bundleLink}`;
    environment['REQUESTS_CA_BUNDLE'] = `/${bundleLink}`;
  }
  const javaHomes = listing
    .map(({ path }) => path.replace(/\/lib\/security\/cacerts$/, ''))
    .filter((home, at) => home !== listing[at]?.path && has(`${home}/bin/keytool`));
  return { files, environment, javaHomes };
}

const inspected = z.tuple([
  z.object({
    Created: z.string(),
    Config: z.object({
      User: z
        .string()
        .regex(/^[\w.:-]*$/)
        .nullish(),
      Labels: z.record(z.string(), z.string()).nullish(),
    }),
  }),
]);
type Inspected = z.infer<typeof inspected>[0];

async function tarOf(files: readonly Added[], date: Date): Promise<Buffer> {
  const archive = pack();
  for (const { name, content, linkTo } of files) {
    if (linkTo === undefined) archive.entry({ name, mode: 0o644, mtime: date }, content ?? '');
    else archive.entry({ name, type: 'symlink', linkname: linkTo, mtime: date });
  }
  archive.finalize();
  return buffer(Readable.from(archive as AsyncIterable<Buffer>, { objectMode: false }));
}

/** Puts the operator's authorities into images that no recipe of ours has made: those that were pulled. */
export class ExtraAuthorities {
  readonly #seeder: Seeder;
  readonly #pems: readonly string[];
  readonly #fingerprint: string;
  #hashes: readonly string[] | undefined;

  /** @param extraCa PEM text of the authorities, or empty. */
  constructor(seeder: Seeder, extraCa: string) {
    this.#seeder = seeder;
    this.#pems = extraCa.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----\n?/g) ?? [];
    this.#fingerprint = createHash('sha256')
      .update(`${String(version)} ${extraCa}`)
      .digest('hex')
      .slice(0, 16);
  }

  /**
   * Have them in an image: in a layer on top of it, under the same reference, with a label that says so. Once done, it is
   * not done again. Equivalents have them from debian:trixie-slim, which they are made of.
   * @throws BallastError setup_failed, disk_full.
   */
  async addTo(ref: string, report: (text: string) => void): Promise<void> {
    if (this.#pems.length === 0) return;
    const [image] = inspected.parse(JSON.parse(await this.#seeder.run([docker, 'image', 'inspect', ref])));
    const labels = image.Config.Labels ?? {};
    if (labels[authoritiesLabel] === this.#fingerprint) return;
    if (labels[originLabel] === 'equivalent' && ref !== bootstrapRef) return;
    report(`Adding the authorities of extraCa to ${ref}`);
    await this.#build(ref, image, await this.#look(ref));
  }

  async #look(ref: string): Promise<AuthoritiesPlan> {
    const seeder = this.#seeder;
    // One that an ended set-up has left.
    await seeder.try([docker, 'rm', '--force', container]);
    await seeder.run([docker, 'create', '--name', container, '--network=none', ref, 'nothing']);
    try {
      const list = `docker export "$1" | tar -tv | { grep -E " (${interesting})( -> .*| link to .*)?$" || true; }`;
      const listing = parseListing(await seeder.run(['/bin/bash', '-o', 'pipefail', '-c', list, 'sh', container]));
      const bundles: Record<string, string> = {};
      for (const path of bundlesIn(listing)) {
        const read = 'docker cp "$1" - | tar -xO';
        bundles[path] = await seeder.run(['/bin/bash', '-o', 'pipefail', '-c', read, 'sh', `${container}:/${path}`]);
      }
      const hashes = (this.#hashes ??= await this.#askHashes());
      return planAuthorities(
        listing,
        bundles,
        this.#pems.map((pem, at) => ({ pem, hash: hashes[at] ?? '' })),
      );
    } finally {
      await seeder.run([docker, 'rm', '--force', container]);
    }
  }

  async #askHashes(): Promise<string[]> {
    const hashes: string[] = [];
    for (const pem of this.#pems) {
      const stdin = Readable.from([Buffer.from(pem)]);
      hashes.push((await this.#seeder.run(['/usr/bin/openssl', 'x509', '-noout', '-hash'], { stdin })).trim());
    }
    return hashes;
  }

  async #build(ref: string, image: Inspected, { files, environment, javaHomes }: AuthoritiesPlan): Promise<void> {
    const user = image.Config.User ?? '';
    const isRoot = ['', '0', 'root'].includes(user);
    // Some makers date their images before there were computers.
    const created = new Date(Math.max(0, Date.parse(image.Created)));
    const tool = (home: string, at: number): string =>
      JSON.stringify([
        ...[
          `/${home}/bin/keytool`,
          '-J-XX:-UsePerfData',
          '-importcert',
          '-noprompt',
          '-cacerts',
          '-storepass',
          'changeit',
        ],
        ...['-alias', `ballast-extra-${String(at)}`, '-file', `/run/ballast/${String(at)}.crt`],
      ]);
    const java = javaHomes.flatMap((home) =>
      this.#pems.map(
        (_, at) => `RUN --network=none --mount=type=bind,source=certificates,target=/run/ballast ${tool(home, at + 1)}`,
      ),
    );
    const dockerfile = [
      'ARG BASE',
      'FROM ${BASE}',
      ...(files.length === 0 ? [] : ['ADD authorities.tar /']),
      ...(java.length === 0 || isRoot ? java : ['USER 0:0', ...java, `USER ${user}`]),
      ...Object.entries(environment).map(([name, value]) => `ENV ${name}=${value}`),
      '',
    ].join('\n');
    const context = pack();
    context.entry({ name: 'Dockerfile' }, dockerfile);
    context.entry({ name: 'authorities.tar' }, await tarOf(files, created));
    this.#pems.forEach((pem, at) => {
      context.entry({ name: `certificates/${String(at + 1)}.crt` }, pem);
    });
    context.finalize();
    const date = Math.floor(created.getTime() / 1000);
    await this.#seeder.run(
      [
        ...[docker, 'build', '--progress=plain', `--build-arg=BASE=${ref}`],
        ...[`--build-arg=SOURCE_DATE_EPOCH=${String(date)}`, `--label=${authoritiesLabel}=${this.#fingerprint}`],
        ...[`--tag=${ref}`, '-'],
      ],
      { stdin: Readable.from(context as AsyncIterable<Buffer>, { objectMode: false }) },
    );
  }
}
