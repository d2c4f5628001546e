import type { X509Certificate } from 'node:crypto';
import { pack } from 'tar-stream';
import { buffer } from 'node:stream/consumers';
import { Readable } from 'node:stream';
import { javaTrustStore } from './trust-store.ts';

/** Where builds and containers find the relay: an address kept for documentation (RFC 5737), so that no network has it. */
export const relayAddress = '192.0.2.1';
export const relayPort = 3128;
/** Where containers find what they are given: in memory, so that it leaves nothing in an image. */
const given = '/dev/ballast';
const shellGiven = '/run/user/1000/gateway/given';
const trustStorePassword = 'changeit';

/** Not through the gateway: programs and containers of the sandbox itself. */
const noProxy = 'localhost,127.0.0.1,::1,10.0.0.0/8,172.16.0.0/12,192.168.0.0/16';

export interface SandboxFilesOptions {
  /** Whom programs are to trust: the gateway's own authority, and the operator's further ones. */
  readonly authorities: readonly X509Certificate[];
  /** What says to a package client which registry to use, where that is not its own default. */
  readonly environment: Readonly<Record<string, string>>;
  /** Mirror of Maven's central repository, where it is not the default. */
  readonly mavenMirror: string | null;
  /** The machine's apt accepts lists of packages past their date: a frozen mirror. */
  readonly oldReleases: boolean;
}

const escapeXml = (text: string): string =>
  text.replace(/[&<>"']/g, (character) => `&#${String(character.charCodeAt(0))};`);

/** Maven reads no proxy from the environment. These are global settings: a learner's own come after them. */
function mavenSettings(host: string, mirror: string | null): string {
  const proxy = (protocol: string): string =>
    `<proxy><id>${protocol}</id><active>true</active><protocol>${protocol}</protocol><host>${host}</host>` +
    `<port>${String(relayPort)}</port><nonProxyHosts>localhost|127.*|172.*|10.*|192.168.*</nonProxyHosts></proxy>`;
  const mirrors =
    mirror === null
      ? ''
      : `<mirrors><mirror><id>ballast</id><mirrorOf>central</mirrorOf><url>${escapeXml(mirror)}</url></mirror></mirrors>`;
  return `<settings>${mirrors}<proxies>${proxy('https')}${proxy('http')}</proxies></settings>\n`;
}

/** Variables that a program has anyway, and those for programs that read a system's bundle of authorities. */
function variables(
  folder: string,
  environment: Readonly<Record<string, string>>,
): { readonly always: Record<string, string>; readonly withBundle: Record<string, string> } {
  const ca = `${folder}/ca.crt`;
  const trustStore = `-Djavax.net.ssl.trustStore=${folder}/truststore.jks -Djavax.net.ssl.trustStorePassword=${trustStorePassword}`;
  return {
    always: {
      PIP_CERT: ca,
      REQUESTS_CA_BUNDLE: ca,
      NODE_EXTRA_CA_CERTS: ca,
      CARGO_HTTP_CAINFO: ca,
      MAVEN_OPTS: trustStore,
      MAVEN_ARGS: `-gs ${folder}/settings.xml`,
      APT_CONFIG: `${folder}/apt.conf`,
      // It sends the list of packages to the registry, and data goes nowhere from here.
      npm_config_audit: 'false',
      ...environment,
    },
    withBundle: { SSL_CERT_FILE: ca, CURL_CA_BUNDLE: ca, GIT_SSL_CAINFO: ca },
  };
}

const lines = (values: Readonly<Record<string, string>>, prefix = '', quote = (text: string): string => text): string =>
  Object.entries(values)
    .map(([name, value]) => `${prefix}${name}=${quote(value)}\n`)
    .join('');

const shellQuote = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

/** A tar of what `use-gateway` in the sandbox unpacks. */
export async function sandboxFiles(options: SandboxFilesOptions): Promise<Buffer> {
  const { authorities, environment, mavenMirror, oldReleases } = options;
  const proxy = (host: string): string => `http://${host}:${String(relayPort)}`;
  const containers = variables(given, environment);
  const shell = variables(shellGiven, environment);
  const forShell = Object.fromEntries(
    ['http_proxy', 'https_proxy', 'HTTP_PROXY', 'HTTPS_PROXY'].map((name) => [name, proxy('127.0.0.1')]),
  );
  const aptConfig = [
    `Acquire::https::CAInfo "${given}/ca.crt";`,
    ...(oldReleases ? ['Acquire::Check-Valid-Until "false";'] : []),
    '',
  ].join('\n');
  const proxies = { httpProxy: proxy(relayAddress), httpsProxy: proxy(relayAddress), noProxy };
  const files: Record<string, string | Buffer> = {
    'given/ca.crt': authorities.map((one) => one.toString()).join(''),
    'given/truststore.jks': javaTrustStore(
      authorities.map(({ raw }) => raw),
      trustStorePassword,
    ),
    'given/settings.xml': mavenSettings(relayAddress, mavenMirror),
    'given/apt.conf': aptConfig,
    'always.env': lines(containers.always),
    'with-bundle.env': lines(containers.withBundle),
    'proxies.json': JSON.stringify({ default: proxies }),
    environment: lines(
      { ...forShell, no_proxy: noProxy, NO_PROXY: noProxy, ...shell.always, ...shell.withBundle },
      'export ',
      shellQuote,
    ),
  };
  const tar = pack();
  for (const [name, content] of Object.entries(files)) tar.entry({ name, mode: 0o644 }, content);
  tar.finalize();
  return buffer(Readable.from(tar as AsyncIterable<Buffer>, { objectMode: false }));
}
