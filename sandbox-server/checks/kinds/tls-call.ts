import { randomBytes } from 'node:crypto';
import { pack } from 'tar-stream';
import { z } from 'zod';
import type { ImageContents } from '../../images/image-reader.ts';
import { resolvePath } from '../../images/merged-view.ts';
import { duration } from '../../labs/quantities.ts';
import { BallastError } from '../../protocol/index.ts';
import { caBundles } from '../ca-bundles.ts';
import type { CheckContext, CheckKind } from '../check-kind.ts';
import { dockerCli } from '../docker-cli.ts';
import { lookInFairTime } from '../fair-share.ts';
import { readImageFile } from '../image-file.ts';
import { withLabServer } from '../lab-authority.ts';
import type { LabServer } from '../lab-authority.ts';
import { imageParameter } from '../parameters.ts';
import { lastLines } from '../plain-text.ts';
import { isImageFault } from '../probe-container.ts';
import { startHint } from '../start-hints.ts';

const schema = z
  .strictObject({
    image: imageParameter,
    args: z
      .array(z.string())
      .default([])
      .describe('Arguments, in place of the CMD of the image; {{url}} is what the program is to fetch.'),
    env: z
      .record(z.string().regex(/^[A-Za-z_]\w*$/), z.string())
      .default({})
      .describe('Environment variables with their values; {{url}} is what the program is to fetch.'),
    within: duration.prefault('15s').describe('Time from the start to the call, each time.'),
  })
  .refine(
    ({ args, env }) => [...args, ...Object.values(env)].some((text) => text.includes('{{url}}')),
    'name {{url}} in args or env: the program must learn what to fetch',
  );
type Parameters = z.output<typeof schema>;

const shortMs = 20_000;
const pollMs = 150;
const shownLines = 6;

/** Whether the image's own program speaks TLS as it should: with whom it trusts, and with nobody else. */
export const tlsCall: CheckKind<Parameters> = {
  name: 'tls-call',
  summary:
    'The program of the image calls a server whose authority its bundle has, and refuses one whose authority it lacks.',
  docs: {
    looksAt: `A call over TLS that the image's own program makes to a server with a certificate of an authority made for this check. First with the image as it is: the program must send nothing until it has ended, or its time is up, also when it tries again. Then with the authority added to the image's bundles in a container: the program must send its request. So a bundle that is missing, one that is not used, and verification that is switched off all show.`,
    example: `image: greeter
args: [fetch, '{{url}}']`,
    fails:
      "Says which of the two calls went wrong and how: no connection was made, the program broke it off, or it went on without trust. The hint tells a missing bundle from one that is not looked at and from verification that is switched off, in the words of the program's language, and names the value of SSL_CERT_FILE.",
    limits: `The authority is added to bundles in PEM at the well-known paths, to those of Python's certifi, and to OpenSSL's folder by hash; a Java key store is not. The server speaks HTTP/1.1 on a name that only this container knows. A bundle that the program carries inside of itself counts as missing.`,
  },
  schema,
  timeoutMs: 120_000,
  async run(parameters, context) {
    const { image } = parameters;
    const expected = `The program of ${image} makes a call over TLS to a server whose authority the image trusts, and none to one that nobody vouches for.`;
    const contents = await context.images.read(image, context.signal);
    return withLabServer(context, async (server) => {
      const stranger = await call(parameters, server, [], context);
      if (stranger.seen !== 'refused')
        return { status: 'fail', expected, ...judgeStranger(stranger, parameters, languageOf(contents)) };
      const trusted = await trustedFiles(contents, image, server, context);
      if (trusted.length === 0) {
        const actual =
          'It refuses a server that nobody vouches for, and has no bundle of CA certificates to trust anyone by.';
        return { status: 'fail', expected, actual, hint: noBundleHint };
      }
      await server.forget();
      const friend = await call(parameters, server, trusted, context);
      if (friend.seen === 'request')
        return { status: 'pass', expected, actual: 'It calls the server it can trust, and refuses the other.' };
      const paths = trusted.map(({ path }) => `/${path}`).join(', ');
      return {
        status: 'fail',
        expected,
        actual: `Though the server's authority is in ${paths}, the program did not call it.${said(friend)}`,
        hint: untrustedHint(contents, languageOf(contents)),
      };
    });
  },
};

const noBundleHint =
  'Distroless images bring a bundle along; on Debian it is the package ca-certificates. From scratch, COPY --from a stage that has it: /etc/ssl/certs/ca-certificates.crt.';

interface Call {
  readonly seen: 'request' | 'refused' | 'nothing';
  /** Whether the program had ended by itself. */
  readonly ended: boolean;
  /** Last lines that the program printed, or what the engine said when it could not be started. */
  readonly log: string;
}

const said = ({ log }: Call): string => (log === '' ? '' : ` It printed:\n${log}`);

/** What is wrong with how the program took a server that nobody vouches for. */
export function judgeStranger(
  call: Call,
  { within }: Pick<Parameters, 'within'>,
  language: Language | undefined,
): { actual: string; hint: string } {
  if (call.seen === 'request') {
    return {
      actual:
        'The program sent its request to a server whose certificate nobody vouches for: it does not verify, or ignores the result.',
      hint: `Whoever stands between can read and change all that it sends. Take out ${switches[language ?? 'any']}, and put the bundle of CA certificates into the image instead.`,
    };
  }
  return {
    actual: `The program ${call.ended ? 'ended without making a connection' : `made no connection within ${String(within / 1000)} seconds`}.${said(call)}`,
    hint: startHint(call.log) ?? 'It must fetch the address that it is given, as the lab says.',
  };
}

/** Languages whose programs have habits of their own in whom they trust. */
type Language = 'go' | 'python' | 'node' | 'java' | 'curl';

/** What switches verification off. */
const switches: Readonly<Record<Language | 'any', string>> = {
  go: 'InsecureSkipVerify',
  python: 'verify=False, ssl.CERT_NONE or _create_unverified_context',
  node: 'rejectUnauthorized: false, or NODE_TLS_REJECT_UNAUTHORIZED=0',
  java: 'the TrustManager that accepts everybody',
  curl: '--insecure, -k or --no-check-certificate',
  any: 'InsecureSkipVerify, verify=False, --insecure, NODE_TLS_REJECT_UNAUTHORIZED=0 or the like',
};

/** Where programs of a language look for authorities, when not in the bundle of the system. */
const habits: Readonly<Record<Language, string>> = {
  go: 'Go reads the bundle of the system, and SSL_CERT_FILE in its place: let the program not bring authorities of its own (RootCAs, or the package x509roots).',
  python: 'Python reads SSL_CERT_FILE, and requests the bundle of certifi: set REQUESTS_CA_BUNDLE for it.',
  node: 'Node.js has authorities of its own inside: set NODE_EXTRA_CA_CERTS to the bundle, or start it with --use-openssl-ca.',
  java: 'Java keeps authorities in a key store of its own (lib/security/cacerts), to which keytool -importcert adds.',
  curl: 'curl reads CURL_CA_BUNDLE, or the bundle that it was built with.',
};

/** The language of the program that an image starts, as far as its name and the packages of the image tell. */
export function languageOf({
  config: { entrypoint, cmd },
  packages,
}: Pick<ImageContents, 'config' | 'packages'>): Language | undefined {
  const words = [...entrypoint, ...cmd].join(' ');
  const named = /(?:^|[\s/])(python|node|java|curl|wget)[\d.]*(?=\s|$)/.exec(words)?.[1];
  if (named === 'wget') return 'curl';
  if (named !== undefined) return named as Language;
  if (/\b(?:gunicorn|uvicorn|flask)\b/.test(words)) return 'python';
  return packages.some(({ system, path }) => system === 'go' && `/${path}` === entrypoint[0]) ? 'go' : undefined;
}

/** Why a program does not trust whom the bundle of its image vouches for. */
export function untrustedHint(
  { config, merged }: Pick<ImageContents, 'config' | 'merged'>,
  language: Language | undefined,
): string {
  const named = config.env.find((line) => line.startsWith('SSL_CERT_FILE='))?.slice('SSL_CERT_FILE='.length);
  const there = named !== undefined && resolvePath(merged, named.replace(/^\//, '')) !== undefined;
  const variable =
    named === undefined
      ? 'SSL_CERT_FILE is not set.'
      : `SSL_CERT_FILE is ${named}, ${there ? 'which is there' : 'where there is no file'}.`;
  const habit =
    language === undefined
      ? 'It looks for authorities somewhere else, or in a bundle of its own: let it use the one of the system.'
      : habits[language];
  return `${variable} ${habit}`;
}

interface AddedFile {
  readonly path: string;
  readonly text: string;
}

/** The places where the image keeps whom it trusts, with the server's authority added. */
async function trustedFiles(
  { merged, config }: Pick<ImageContents, 'merged' | 'config'>,
  image: string,
  { authority }: LabServer,
  context: CheckContext,
): Promise<AddedFile[]> {
  const named = config.env.flatMap((line) =>
    line.startsWith('SSL_CERT_FILE=/') ? [line.slice('SSL_CERT_FILE=/'.length)] : [],
  );
  const python = [...merged.keys()].filter((path) => path.endsWith('/certifi/cacert.pem'));
  const paths = new Set([...caBundles, ...named, ...python].flatMap((path) => resolvePath(merged, path) ?? []));
  const files: AddedFile[] = [];
  for (const path of paths) {
    const text = await readImageFile(context, image, `/${path}`);
    if (text !== null) files.push({ path, text: `${text.trimEnd()}\n${authority.pem}` });
  }
  // OpenSSL finds an authority in a folder by the hash of its name.
  if ([...merged.keys()].some((path) => /^etc\/ssl\/certs\/[0-9a-f]{8}\.\d$/.test(path)))
    files.push({ path: `etc/ssl/certs/${authority.hash}.0`, text: authority.pem });
  return files;
}

/** Run the image once, with some files of it replaced, until it has sent its request, has ended or is late. */
async function call(
  { image, args, env, within }: Parameters,
  server: LabServer,
  files: readonly AddedFile[],
  context: CheckContext,
): Promise<Call> {
  const name = `ballast-check-${randomBytes(6).toString('hex')}`;
  const { shell, signal } = context;
  const docker = (argv: readonly string[], stdin?: Buffer) =>
    shell.run([dockerCli, ...argv], { timeoutMs: shortMs, signal, ...(stdin === undefined ? {} : { stdin }) });
  const withUrl = (text: string): string => text.replaceAll('{{url}}', server.url);
  const must = async (argv: readonly string[], stdin?: Buffer): Promise<string> => {
    const answer = await docker(argv, stdin);
    if (answer.exitCode === 0) return answer.stdout.trim();
    throw new BallastError('engine_failed', { message: lastLines(answer.stderr, 2) });
  };
  try {
    await must([
      'create',
      '--name',
      name,
      '--label',
      'ballast.check=true',
      '--add-host',
      `${server.host.name}:${server.host.address}`,
      ...Object.entries(env).map(([key, value]) => `--env=${key}=${withUrl(value)}`),
      '--',
      image,
      ...args.map(withUrl),
    ]);
    if (files.length > 0) await must(['cp', '--', '-', `${name}:/`], await tarOf(files));
    const started = await docker(['start', '--', name]);
    if (started.exitCode !== 0) {
      if (!isImageFault(started.stderr))
        throw new BallastError('engine_failed', { message: lastLines(started.stderr, 2) });
      return { seen: 'nothing', ended: true, log: lastLines(started.stderr, shownLines) };
    }
    let last: Pick<Call, 'seen' | 'ended'> = { seen: 'nothing', ended: false };
    // A handshake that was broken off settles nothing: the program may try again without verifying, and often does.
    await lookInFairTime(context, { limitMs: within, pollMs }, async () => {
      const running = (await must(['container', 'inspect', '--format', '{{.State.Running}}', '--', name])) === 'true';
      // Asked after the state: what an ended program has sent is in the log by then.
      last = { seen: await server.seen(), ended: !running };
      return last.seen === 'request' || last.ended ? last : undefined;
    });
    const output = await docker(['logs', '--tail', '20', '--', name]);
    return { ...last, log: lastLines(`${output.stdout}${output.stderr}`, shownLines) };
  } finally {
    // Not under the check's signal: what was started is removed even when the check's time is up.
    await shell.run([dockerCli, 'rm', '--force', '--volumes', '--', name], { timeoutMs: shortMs });
  }
}

async function tarOf(files: readonly AddedFile[]): Promise<Buffer> {
  const archive = pack();
  for (const { path, text } of files) archive.entry({ name: path, mode: 0o644 }, text);
  archive.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of archive as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks);
}
