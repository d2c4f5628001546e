import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { registryOf } from '../../sandbox-server/base-images/catalogue.ts';
import { authoritiesLabel } from '../../sandbox-server/base-images/extra-authorities.ts';
import { pullSource } from '../../sandbox-server/base-images/pull-source.ts';
import type { SandboxShell } from '../../sandbox-server/checks/index.ts';
import { configSchema, loadConfig, type Config } from '../../sandbox-server/config.ts';
import type { Engine } from '../../sandbox-server/engines/engine.ts';
import { readHostSystem } from '../../sandbox-server/setup/host-system.ts';
import { prepareSandboxImage } from '../../sandbox-server/setup/prepare-sandbox-image.ts';
import { prepareStore, type PreparedStore } from '../../sandbox-server/setup/prepare-store.ts';
import { TestAuthority } from '../helpers/authority.ts';
import { openSandbox, removeSandboxes } from '../helpers/clean-room.ts';
import { FaultyProxy } from '../helpers/faulty-proxy.ts';
import { OfficialImages } from '../helpers/official-images.ts';
import { findRegistryServer, openTestNetwork, TestRegistry, type TestNetwork } from '../helpers/registry.ts';
import { prepareBase, type Base } from '../helpers/server.ts';

const folder = mkdtempSync(join(tmpdir(), 'ballast-extra-ca-'));
const registryServer = await findRegistryServer(folder);
if ('missing' in registryServer)
  process.stderr.write(`\n!!! tests of the extra CA are skipped, because ${registryServer.missing}\n\n`);

const host = 'extra-ca-test';
const serverName = 'service.ballast.test';
/** Port of the server that the extra CA vouches for, and of one that a stranger does. */
const [trusted, stranger] = [8443, 9443];
const distroless = (name: string): string => `gcr.io/distroless/${name}-debian13:latest`;
/** Images that the registry serves as official ones, and some that it has not: those are built on what was pulled. */
const groups = [
  {
    name: 'Python and Node.js',
    pulled: ['debian:trixie-slim', 'python:3.13-slim', 'node:20-slim', 'busybox:latest'],
    built: [distroless('python3'), distroless('nodejs20')],
  },
  {
    name: 'Go, Rust and Java',
    pulled: [...['python:3.13-slim', 'golang:1.24', 'rust:1.85-slim', 'eclipse-temurin:21-jdk'], distroless('java21')],
    built: [],
  },
];

const server = `
import http.server, ssl, threading
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        print("asked", self.server.server_port, self.path, flush=True)
        self.send_response(404)
        self.send_header("content-length", "0")
        self.end_headers()
    do_HEAD = do_GET
    def log_message(self, *words): pass
def serve(port):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(f"/certs/{port}.crt", f"/certs/{port}.key")
    server = http.server.ThreadingHTTPServer(("", port), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    print("listening", port, flush=True)
    server.serve_forever()
for port in (${String(trusted)}, ${String(stranger)}):
    threading.Thread(target=serve, args=(port,)).start()
`;
const fetchJava = `
import java.net.URI;
import java.net.http.*;
public class Fetch {
  public static void main(String[] args) throws Exception {
    HttpClient.newHttpClient().send(HttpRequest.newBuilder(URI.create(args[0])).build(), HttpResponse.BodyHandlers.discarding());
  }
}
`;
const fetchPython = 'import sys, urllib.request; urllib.request.urlopen(sys.argv[1])';
const fetchNode = 'fetch(process.argv[1]).catch((error) => { console.error(error.cause); process.exit(1); })';
/** Of each program: image, and what to run in it; {{url}} is where it is to go. */
const clients: readonly (readonly [name: string, ref: string, argv: readonly string[]])[] = [
  ['curl', 'golang:1.24', ['curl', '-sS', '{{url}}']],
  ['git', 'golang:1.24', ['git', 'ls-remote', '{{url}}']],
  [
    'go',
    'golang:1.24',
    [
      'sh',
      '-c',
      'mkdir /tmp/x && cd /tmp/x && go mod init x && GOPROXY="$0" GONOSUMDB="*" go get a.test/b@v1.0.0',
      '{{url}}',
    ],
  ],
  ['python', 'python:3.13-slim', ['python', '-c', fetchPython, '{{url}}']],
  ['pip', 'python:3.13-slim', ['pip', 'download', '--no-deps', '--retries=0', '--index-url={{url}}', 'thing']],
  ['node', 'node:20-slim', ['node', '-e', fetchNode, '{{url}}']],
  ['npm', 'node:20-slim', ['npm', 'view', 'thing', '--registry={{url}}', '--fetch-retries=0']],
  [
    'cargo',
    'rust:1.85-slim',
    [
      'sh',
      '-c',
      'cd /tmp && cargo init --vcs none --name x . && CARGO_REGISTRIES_TEST_INDEX="sparse+$0/" cargo add --registry test b',
      '{{url}}',
    ],
  ],
  [
    'rustup',
    'rust:1.85-slim',
    ['sh', '-c', 'RUSTUP_DIST_SERVER="$0" rustup toolchain install --profile minimal 1.0.0', '{{url}}'],
  ],
  ['java', 'eclipse-temurin:21-jdk', ['java', '/work/Fetch.java', '{{url}}']],
  ['java-distroless', distroless('java21'), ['/work/fetch.jar', '{{url}}']],
  ['python-distroless', distroless('python3'), ['-c', fetchPython, '{{url}}']],
  ['node-distroless', distroless('nodejs20'), ['-e', fetchNode, '{{url}}']],
];

const [house, other] = [new TestAuthority('house'), new TestAuthority('stranger')];
/** Made by the first part for both. */
let sandboxImage: { readonly engine: Engine; readonly ref: string } | null = null;
afterAll(async () => {
  await sandboxImage?.engine.removeImage(sandboxImage.ref);
  rmSync(folder, { recursive: true, force: true });
});

interface ImageConfig {
  readonly Env: readonly string[];
  readonly Labels: Readonly<Record<string, string>> | null;
}

describe.skipIf('missing' in registryServer).each(groups)('an extra CA: $name', ({ pulled, built }) => {
  const refs = [...pulled, ...built];
  const usesJava = refs.includes('eclipse-temurin:21-jdk');
  let plain: Base;
  let base: Base;
  let registry: TestRegistry;
  let network: TestNetwork;
  let proxy: FaultyProxy;
  let store: PreparedStore;
  let shell: SandboxShell;
  let address: string;

  const config = (): Config => {
    const passwordFile = join(folder, 'password');
    writeFileSync(passwordFile, registry.password);
    const auth = { username: registry.username, passwordFile };
    const mirror = (name: string): string => `http://${proxy.host}/${name.replaceAll('.', '-')}`;
    const registries = Object.fromEntries(refs.map(registryOf).map((name) => [name, { mirror: mirror(name), auth }]));
    const home = join(folder, 'home');
    return configSchema.parse({ ...plain.config, home, images: 'auto', registries, extraCa: join(folder, 'ca.pem') });
  };
  const docker = async (...args: readonly string[]): Promise<string> => {
    const { exitCode, stdout, stderr } = await shell.run(['/usr/bin/docker', ...args], { timeoutMs: 300_000 });
    expect(exitCode, stderr).toBe(0);
    return stdout;
  };
  const configOf = async (from: SandboxShell, ref: string): Promise<ImageConfig> => {
    const inspect = ['/usr/bin/docker', 'image', 'inspect', '--format', '{{json .Config}}', ref];
    return JSON.parse((await from.run(inspect)).stdout) as ImageConfig;
  };
  const put = async (name: string, text: string): Promise<void> => {
    await shell.run(['/usr/bin/install', '-D', '-m', '644', '/dev/stdin', `/home/learner/${name}`], { stdin: text });
  };

  beforeAll(async () => {
    plain = await prepareBase(loadConfig().home, refs);
    registry = await TestRegistry.start('path' in registryServer ? registryServer.path : '');
    network = await openTestNetwork(host);
    proxy = await FaultyProxy.start(network.gateway, registry.port);
    writeFileSync(join(folder, 'ca.pem'), house.certificate);

    const { id, shell: plainShell } = await openSandbox(plain, host);
    const official = new OfficialImages(registry, folder);
    for (const ref of pulled) {
      const save = await plain.engine.exec(id, { argv: ['/usr/bin/docker', 'save', ref] });
      save.stdin.end();
      save.stderr.resume();
      const { pullRef } = pullSource(ref, config().registries);
      const colon = pullRef.lastIndexOf(':');
      await official.push(save.stdout, pullRef.slice(pullRef.indexOf('/') + 1, colon), pullRef.slice(colon + 1));
    }

    const progress = (): void => undefined;
    const options = { config: config(), host: readHostSystem(), progress };
    const { image } = await prepareSandboxImage(plain.engine, options);
    sandboxImage = { engine: plain.engine, ref: image };
    expect(image).toMatch(new RegExp(`^${plain.prepared.image}-[0-9a-f]{8}$`));
    store = await prepareStore(plain.engine, { image, refs, host, config: config(), progress });
    base = { ...plain, prepared: { image, store } };
    ({ shell } = await openSandbox(base, host));
    for (const ref of pulled) {
      const [before, after] = [await configOf(plainShell, ref), await configOf(shell, ref)];
      const ours = /^(NODE_EXTRA_CA_CERTS|PIP_CERT|REQUESTS_CA_BUNDLE)=\/etc\/ssl\/certs\/ballast-/;
      expect({ ...after, Env: after.Env.filter((one) => !ours.test(one)), Labels: null }).toEqual({
        ...before,
        Labels: null,
      });
      expect(after.Labels?.[authoritiesLabel], ref).toMatch(/^[0-9a-f]{16}$/);
      expect(after.Labels).not.toHaveProperty('ballast.origin');
    }

    for (const [port, authority] of [
      [trusted, house],
      [stranger, other],
    ] as const) {
      const signed = authority.sign(serverName);
      await put(`certs/${String(port)}.crt`, signed.certificate);
      await put(`certs/${String(port)}.key`, signed.key);
    }
    await put('work/Fetch.java', fetchJava);
    const mounts = ['-v', '/home/learner/certs:/certs:ro', '-p', `${String(trusted)}:${String(trusted)}`];
    await docker('run', '-d', '--name=server', ...mounts, 'python:3.13-slim', 'python', '-c', server);
    address = (
      await docker('inspect', '--format', '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}', 'server')
    ).trim();
    await vi.waitUntil(async () => (await docker('logs', 'server')).split('listening').length === 3, {
      timeout: 60_000,
    });
    if (usesJava) {
      const script =
        'javac -d /work/classes /work/Fetch.java && jar --create --file=/work/fetch.jar --main-class=Fetch -C /work/classes .';
      const compile = ['sh', '-c', script];
      await docker('run', '--rm', '-v', '/home/learner/work:/work', 'eclipse-temurin:21-jdk', ...compile);
    }
  }, 1_800_000);

  afterAll(async () => {
    const { engine } = plain;
    await removeSandboxes(plain, host);
    for (const volume of await engine.listVolumes({ 'ballast.host': host })) await engine.removeVolume(volume);
    await proxy[Symbol.asyncDispose]();
    await registry[Symbol.asyncDispose]();
    await network[Symbol.asyncDispose]();
  });

  it('is in images that were pulled, which stay official, and in those built beside them', () => {
    const origins = Object.fromEntries(store.images.map(({ ref, origin }) => [ref, origin]));
    expect(origins).toEqual({
      ...Object.fromEntries(pulled.map((ref) => [ref, 'official'])),
      ...Object.fromEntries(built.map((ref) => [ref, 'equivalent'])),
    });
  });

  it.each(clients.filter(([, ref]) => refs.includes(ref)))(
    '%s trusts a server that it vouches for, and no other',
    async (name, ref, argv) => {
      for (const port of [trusted, stranger]) {
        const url = `https://${serverName}:${String(port)}/${name}`;
        const given = argv.map((word) => word.replace('{{url}}', url));
        const options = ['--rm', `--add-host=${serverName}:${address}`, '-v', '/home/learner/work:/work:ro'];
        const { stderr } = await shell.run(['/usr/bin/docker', 'run', ...options, ref, ...given], {
          timeoutMs: 300_000,
        });
        const asked = (await docker('logs', 'server')).includes(`asked ${String(port)} /${name}`);
        expect(asked, stderr).toBe(port === trusted);
      }
    },
  );

  it('is trusted by the programs of the sandbox itself', async () => {
    for (const [options, expected] of [
      [[], 0],
      [['--capath', '/nowhere', '--cacert', '/home/learner/certs/9443.crt'], 60],
    ] as const) {
      const resolve = `${serverName}:${String(trusted)}:127.0.0.1`;
      const url = `https://${serverName}:${String(trusted)}/shell`;
      const argv = ['/usr/bin/curl', '-sS', ...options, '--resolve', resolve, url];
      expect(await shell.run(argv)).toMatchObject({ exitCode: expected });
    }
  });
});
