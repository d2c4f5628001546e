import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createSandboxImages } from '../../sandbox-server/checks/index.ts';
import type { SandboxShell } from '../../sandbox-server/checks/index.ts';
import type { ImageReader } from '../../sandbox-server/images/image-reader.ts';
import { newSessionId } from '../../sandbox-server/sessions/credentials.ts';
import { readDebianMirror } from '../../sandbox-server/setup/debian-mirror.ts';
import { openSandbox, removeSandboxes } from '../helpers/clean-room.ts';
import { prepareBase } from '../helpers/server.ts';
import type { Base } from '../helpers/server.ts';

// Every kind of check on a real engine, passing and failing. The images are of busybox and shell scripts: nothing here
// compiles, so that the whole file takes a minute or two.

const host = newSessionId();
const mirror = await readDebianMirror();
const home = mkdtempSync(join(tmpdir(), 'ballast-kinds-'));
const labDir = '/home/learner/lab';
let base: Base;
let shell: SandboxShell;
let images: ImageReader;

const debug = 'gcr.io/distroless/static-debian13:debug';
const slim = 'debian:trixie-slim';
const canary = 'canary-7d1f0a9c';

/** A web server that ends well: it handles SIGTERM, waits for all children and writes nothing. */
const goodServer = `#!/busybox/sh
trap 'kill $server; exit 0' TERM
/busybox/httpd -f -p 8080 -h /www &
server=$!
echo ready
while :; do wait $server && exit 1; done
`;

const files: Readonly<Record<string, string>> = {
  'www/index.html': 'hello\n',
  'serve.sh': goodServer,
  'config.txt': 'mode=production\n',
  'secret.env': `TOKEN=${canary}\n`,
  'answers.txt': 'layers: Three.\nsize: 12\n',
  'lint.sh': 'echo "lint: $1"\ngrep -q FIXME "$1" && echo "found FIXME in $1" && exit 1\nexit 0\n',
  'main.txt': 'fine\n',
  'deps.txt': 'one\n',
  'good.Dockerfile': `FROM ${debug}
LABEL org.opencontainers.image.source=https://example.org/greeter
COPY --chmod=755 serve.sh /serve.sh
COPY www /www
COPY config.txt /app/config.txt
EXPOSE 8080
USER 65532
HEALTHCHECK CMD ["/busybox/wget", "-q", "-T", "1", "-O", "/dev/null", "http://127.0.0.1:8080/"]
ENTRYPOINT ["/serve.sh"]
`,
  // The server itself is the first process, so that stopping that one stops it.
  'direct.Dockerfile': 'FROM good\nENTRYPOINT ["/busybox/httpd", "-f", "-p", "8080", "-h", "/www"]\n',
  // A file that was there and is deleted; a health check that always says yes; a shell that ignores SIGTERM and
  // collects nobody; a start that writes to its root.
  'bad.Dockerfile': `FROM ${slim}
ARG TOKEN=${canary}
ENV TOKEN=\${TOKEN}
COPY secret.env /tmp/secret.env
RUN rm /tmp/secret.env
COPY --from=${debug} /busybox/busybox /busybox
HEALTHCHECK CMD ["/busybox", "true"]
EXPOSE 22
ENTRYPOINT ["/bin/sh", "-c", "touch /started && echo ready && exec /busybox sleep 3600"]
`,
  'stages.Dockerfile': `FROM ${slim} AS build
COPY deps.txt /src/
RUN cp /src/deps.txt /src/fetched
COPY main.txt /src/
RUN cp /src/main.txt /out
FROM build AS lint
COPY lint.sh main.txt /lint/
RUN sh /lint/lint.sh /lint/main.txt
FROM scratch
COPY --from=build /out /out
`,
  'unnamed.Dockerfile': `FROM ${slim}
COPY deps.txt /src/
RUN cp /src/deps.txt /src/fetched
COPY main.txt /src/
RUN cp /src/main.txt /out
`,
  'greedy.Dockerfile': `FROM ${slim} AS build
COPY . /src/
RUN cp /src/deps.txt /src/fetched
RUN cp /src/main.txt /out
FROM build AS lint
RUN sh /src/lint.sh /src/main.txt || true
`,
  // It is ready, and ends.
  'brief.Dockerfile': `FROM good\nENTRYPOINT ["/busybox/sh", "-c", "echo ready"]\n`,
  'hasty.Dockerfile': `FROM ${debug}\nENTRYPOINT ["/busybox/sh", "-c", "echo ready; exec /busybox/sleep 2"]\n`,
  // Whatever the service does: three times yes, and then no.
  'tiring.Dockerfile': `FROM good
HEALTHCHECK CMD ["/busybox/sh", "-c", "echo x >> /dev/shm/runs; [ $(wc -l < /dev/shm/runs) -lt 4 ]"]
`,
  // Its check needs more than two seconds, and has no limit of its own.
  'slow.Dockerfile': `FROM good
HEALTHCHECK CMD ["/busybox/sh", "-c", "/busybox/sleep 3; /busybox/wget -q -O /dev/null http://127.0.0.1:8080/"]
`,
  // The list goes, the packages stay; a shell that needs nothing starts what does; a folder with a file in it.
  'hiding.Dockerfile': `FROM ${slim}
COPY --from=${debug} /busybox/busybox /sh
COPY config.txt /app/config.txt/config.txt
RUN rm -rf /var/lib/dpkg
ENTRYPOINT ["/sh", "-c", "/usr/bin/env"]
`,
  'Dockerfile.long': `FROM ${slim} AS build\n${'# nothing\n'.repeat(27_000)}FROM scratch\nCOPY --from=build /x /x\n`,
  'Dockerfile.variable': 'ARG BASE=scratch\nFROM ${BASE}\nCOPY main.txt /\n',
  'listless.Dockerfile': `FROM ${slim} AS bare\nRUN rm -rf /var/lib/dpkg\nFROM scratch\nCOPY --from=bare / /\n`,
  // Programs that make a call over TLS: Debian's apt verifies by OpenSSL's rules, busybox's wget does not at all.
  'calls.Dockerfile': `FROM ${slim}
COPY --from=${debug} /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
ENV SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
ENTRYPOINT ["/usr/lib/apt/apt-helper", "download-file"]
`,
  'calls-elsewhere.Dockerfile': 'FROM calls\nENV SSL_CERT_FILE=/nowhere\n',
  'calls-bare.Dockerfile': 'FROM calls\nRUN rm /etc/ssl/certs/ca-certificates.crt\n',
  'calls-again.Dockerfile': `FROM calls
ENTRYPOINT ["/bin/sh", "-c", "/usr/lib/apt/apt-helper download-file $0 /tmp/x || { sleep 1; /usr/lib/apt/apt-helper -o Acquire::https::Verify-Peer=false download-file $0 /tmp/x; }"]
`,
  'calls-careless.Dockerfile':
    'FROM calls\nENTRYPOINT ["/usr/lib/apt/apt-helper", "-o", "Acquire::https::Verify-Peer=false", "download-file"]\n',
};

beforeAll(async () => {
  base = await prepareBase(home);
  ({ shell } = await openSandbox(base, host));
  images = createSandboxImages(shell);
  for (const [path, text] of Object.entries(files)) {
    await run(['/usr/bin/mkdir', '--parents', `${labDir}/${path.includes('/') ? (path.split('/')[0] ?? '') : ''}`]);
    await run(['/usr/bin/tee', `${labDir}/${path}`], text);
  }
  const named = Object.keys(files).flatMap((path) => /^(.+)\.Dockerfile$/.exec(path)?.[1] ?? []);
  for (const name of named.filter((each) => !['stages', 'greedy'].includes(each)))
    await run(['/usr/bin/docker', 'build', '-q', '-t', name, '-f', `${labDir}/${name}.Dockerfile`, labDir]);
});
afterAll(async () => {
  await removeSandboxes(base, host);
  rmSync(home, { recursive: true, force: true });
});

async function run(argv: readonly string[], stdin?: string): Promise<string> {
  const result = await shell.run(argv, { timeoutMs: 120_000, ...(stdin === undefined ? {} : { stdin }) });
  expect(result, argv.join(' ')).toMatchObject({ exitCode: 0 });
  return result.stdout;
}

/** Judges as a lab does, the parameters written as in lab.yaml. */
async function judge(kind: string, parameters: Readonly<Record<string, unknown>>) {
  const found = base.kinds.get(kind);
  if (found === undefined) throw new Error(`There is no kind ${kind}.`);
  const context = { shell, images, labDir, mode: 'live', signal: AbortSignal.timeout(found.timeoutMs) } as const;
  const verdict = await found.run(parameters, context);
  return { ...verdict, hint: 'hint' in verdict ? (verdict.hint ?? '') : '' };
}

type Case = readonly [kind: string, parameters: Readonly<Record<string, unknown>>, actual: RegExp];

describe('what is in an image', () => {
  it.each<Case>([
    ['image-size', { image: 'good', ratio: { to: slim, max: 0.5 } }, /layers/],
    ['image-size', { image: 'good', growth: { over: debug, maxPercent: 1 } }, /layers/],
    [
      'image-has',
      { image: 'good', paths: ['www/index.html', 'busybox/sh'], tools: ['shell'], packages: ['tzdata'] },
      /All of it/,
    ],
    ['image-lacks', { image: 'good', tools: ['package-manager', 'interpreter', 'setuid'], packages: ['bash'] }, /None/],
    ['no-secret', { image: 'good', canaries: [canary] }, /None/],
    ['package-count', { image: 'good', max: 20, fewerThan: slim }, /dpkg \d+/],
    ['static-binary', { image: 'good', path: '/busybox/sh' }, /no loader/],
    ['time-zone-data', { image: 'good' }, /zoneinfo/],
    ['file-content', { image: 'good', path: '/app/config.txt', equals: 'mode=production' }, /It does/],
    ['file-content', { image: 'bad', path: '/etc/os-release', contains: ['trixie'], lacks: ['alpine'] }, /It does/],
    ['ca-certificates', { image: 'good' }, /ca-certificates\.crt has \d\d+ valid/],
    ['labels', { image: 'good', labels: { 'org.opencontainers.image.source': '*' } }, /It has/],
    ['exposed-ports', { image: 'good', ports: ['8080/tcp'] }, /8080/],
    ['quiz-answer', { question: 'layers', accept: ['three', '3'] }, /Three/],
  ])('%s passes: %o', async (kind, parameters, actual) => {
    expect(await judge(kind, parameters)).toMatchObject({
      status: 'pass',
      actual: expect.stringMatching(actual) as string,
    });
  });

  it.each<Case>([
    ['image-size', { image: 'bad', ratio: { to: slim, max: 1 } }, /MB in \d+ layers/],
    ['image-has', { image: 'bad', paths: ['tmp/secret.env'] }, /\/tmp\/secret\.env/],
    ['image-lacks', { image: 'bad', tools: ['package-manager'] }, /\/usr\/bin\/apt/],
    ['image-lacks', { image: 'bad', packages: ['bash'] }, /bash 5[^ ]* in \/var\/lib\/dpkg\/status/],
    ['no-secret', { image: 'bad', canaries: [canary] }, /\/tmp\/secret\.env, in layer 2 of 4 \(COPY\); deleted later/],
    ['package-count', { image: 'bad', max: 20 }, /dpkg \d\d/],
    ['static-binary', { image: 'bad' }, /\/usr\/bin\/dash is linked dynamically: it asks for the loader \/lib/],
    ['time-zone-data', { image: 'bad', zones: ['Mars/Olympus'] }, /Mars|zoneinfo/],
    ['file-content', { image: 'good', path: '/app/config.txt', lacks: ['production'] }, /"production"/],
    ['file-content', { image: 'good', path: '/app/nothing', contains: ['x'] }, /no file \/app\/nothing/],
    ['ca-certificates', { image: 'bad' }, /There is no bundle/],
    ['labels', { image: 'bad', labels: { 'org.opencontainers.image.source': '*' } }, /is not there/],
    ['exposed-ports', { image: 'bad', ports: [] }, /22\/tcp/],
    ['quiz-answer', { question: 'size', accept: ['13'] }, /"12"/],
    ['package-count', { image: 'hiding', max: 20 }, /Of these \d\d are in a list that a later layer deletes/],
    ['package-count', { image: 'listless', max: 20 }, /no list of packages/],
    ['static-binary', { image: 'hiding' }, /\/usr\/bin\/env is linked dynamically: .*, glibc's/],
    ['file-content', { image: 'hiding', path: '/app/config.txt', contains: ['mode'] }, /is a folder in the image/],
  ])('%s fails: %o', async (kind, parameters, actual) => {
    const verdict = await judge(kind, parameters);
    expect(verdict).toMatchObject({ status: 'fail', actual: expect.stringMatching(actual) as string });
    expect(verdict.hint).not.toBe('');
    expect(JSON.stringify(verdict)).not.toContain(canary);
  });

  it('finds the secret in the config and in the history too', async () => {
    const found = await images.search('bad', [canary]);
    expect(new Set(found.map(({ where }) => where))).toEqual(new Set(['layer', 'config', 'history']));
  });
});

describe.skipIf(mirror === null)('CVEs, by the mirror of Debian that the apt of this host knows', () => {
  it('counts those of a distroless image, and of one whose list was deleted', async () => {
    expect(await judge('cve-count', { image: 'good', noMoreThan: slim })).toMatchObject({
      status: 'pass',
      actual: expect.stringMatching(/^It has \d+, by Debian's packages of \d{4}-/) as string,
    });
    expect(await judge('cve-count', { image: 'good', fewerThan: 'good' })).toMatchObject({ status: 'fail' });
    expect(await judge('cve-count', { image: 'listless', max: 10_000 })).toMatchObject({
      status: 'fail',
      actual: expect.stringMatching(/has a C library .* and no list of packages/) as string,
    });
  });
});

describe('what a container of an image does', () => {
  const orphan = (sh: string): string[] => [sh, '-c', '/busybox sleep 0.1 & exit 0'];
  it.each<Case>([
    ['healthcheck', { image: 'direct' }, /turned healthy, unhealthy when the service was stopped, and healthy when/],
    // A shell is process 1, and the server a child of it.
    ['healthcheck', { image: 'good' }, /turned healthy, unhealthy when the service was stopped, and healthy when/],
    ['healthcheck', { image: 'slow' }, /turned healthy, unhealthy when the service was stopped, and healthy when/],
    ['healthcheck', { image: 'direct', noticesFailure: false, noticesAbsence: true }, /turned healthy/],
    ['runs-hardened', { image: 'good', port: 8080 }, /It does, \d+\.\d seconds after its start/],
    ['runs-hardened', { image: 'good', port: 8080, path: '/missing', status: 404 }, /It does/],
    ['stops-in-time', { image: 'good', port: 8080 }, /exit code 0/],
    [
      'no-zombies',
      { image: 'good', port: 8080, watch: '1500ms', exec: ['/busybox/sh', '-c', '/busybox/sleep 0.1 & exit 0'] },
      /None did\. Process 1 is/,
    ],
    [
      'command-output',
      { image: 'good', entrypoint: '/busybox/echo', args: ['a b', '$HOME'], equals: 'a b $HOME' },
      /It does/,
    ],
    ['tls-call', { image: 'calls', args: ['{{url}}', '/tmp/x'] }, /refuses the other/],
    [
      'serves-http',
      { image: 'good', port: 8080, requests: [{ path: '/', body: 'hello', headers: { 'Content-Type': 'text/html' } }] },
      /every request/,
    ],
  ])('%s passes: %o', async (kind, parameters, actual) => {
    expect(await judge(kind, parameters)).toMatchObject({
      status: 'pass',
      actual: expect.stringMatching(actual) as string,
    });
  });

  it.each<Case>([
    ['healthcheck', { image: 'bad' }, /"\/busybox true" still says healthy/],
    [
      'healthcheck',
      { image: 'bad', noticesFailure: false, noticesAbsence: true },
      /"\/busybox true" says yes in a container where the service does not run/,
    ],
    ['healthcheck', { image: debug }, /declares none/],
    ['healthcheck', { image: 'tiring', healthyWithin: '5s' }, /is still unhealthy 5 seconds after it went on/],
    ['healthcheck', { image: 'brief' }, /ended by itself with exit code 0/],
    ['runs-hardened', { image: 'bad', log: 'ready' }, /Read-only file system|Permission denied/],
    ['runs-hardened', { image: 'good', port: 8080, path: '/missing', readyWithin: '2s' }, /still answered with 404/],
    ['stops-in-time', { image: 'brief', log: 'ready' }, /It became ready, and then: The container ended by itself/],
    [
      'no-zombies',
      { image: 'hasty', log: 'ready', watch: '4s' },
      /It became ready, and then: The container ended by itself/,
    ],
    ['no-zombies', { image: 'good', port: 8080, exec: ['/nope'] }, /\/nope could not be run in the container/],
    ['no-zombies', { image: 'good', port: 8080, exec: ['/busybox/sh', '-c', 'exit 3'] }, /ended with exit code 3/],
    ['no-zombies', { image: 'good', port: 8080, requests: ['/missing'] }, /GET \/missing answered 404/],
    ['tls-call', { image: 'calls-again', args: ['{{url}}'] }, /nobody vouches for: it does not verify/],
    ['stops-in-time', { image: 'bad', log: 'ready', within: '2s' }, /still running 2 seconds after SIGTERM/],
    [
      'no-zombies',
      { image: 'bad', log: 'ready', exec: orphan('/bin/sh') },
      /One zombie stays: .*Process 1 is (busybox|sleep)/,
    ],
    ['command-output', { image: 'good', entrypoint: '/busybox/false' }, /exit code 1/],
    ['command-output', { image: 'good', entrypoint: '/nope' }, /exit code 127/],
    [
      'command-output',
      { image: 'good', entrypoint: '/busybox/sleep', args: ['60'], within: '2s' },
      /still running after 2 seconds/,
    ],
    [
      'tls-call',
      { image: 'calls-elsewhere', args: ['{{url}}', '/tmp/x'] },
      /is in \/etc\/ssl\/.*, the program did not/,
    ],
    ['tls-call', { image: 'calls-bare', args: ['{{url}}', '/tmp/x'] }, /has no bundle/],
    ['tls-call', { image: 'calls-careless', args: ['{{url}}', '/tmp/x'] }, /nobody vouches for: it does not verify/],
    ['tls-call', { image: debug, args: ['-c', 'wget -O /tmp/x {{url}}'] }, /nobody vouches for: it does not verify/],
    ['tls-call', { image: debug, args: ['-c', 'echo {{url}}'] }, /ended without making a connection/],
    [
      'serves-http',
      { image: 'good', port: 8080, requests: [{ path: '/', headers: { 'X-Frame-Options': 'DENY' } }] },
      /without the header X-Frame-Options/,
    ],
  ])('%s fails: %o', async (kind, parameters, actual) => {
    const verdict = await judge(kind, parameters);
    expect(verdict).toMatchObject({ status: 'fail', actual: expect.stringMatching(actual) as string });
    expect(verdict.hint).not.toBe('');
  });

  it('leaves no container behind', async () => {
    expect(await run(['/usr/bin/docker', 'ps', '--all', '--quiet'])).toBe('');
    // It was told to end, and may be about to. The brackets keep what runs pgrep from being found.
    await expect
      .poll(() => shell.run(['/usr/bin/pgrep', '--full', '[o]penssl s_server']))
      .toMatchObject({ stdout: '' });
  });
});

describe('how an image is built', () => {
  const well = { dockerfile: 'stages.Dockerfile' };
  const greedy = { dockerfile: 'greedy.Dockerfile' };
  const append = '# {{nonce}}\n';
  const broken = { target: 'lint', replace: 'main.txt', text: 'FIXME {{nonce}}\n', says: 'found FIXME' };
  it.each<Case>([
    [
      'stages',
      { ...well, min: 3, named: ['build', 'lint'], copies: [{ from: 'build', path: 'out' }], finalFrom: ['scratch'] },
      /3 stages/,
    ],
    ['stages', { dockerfile: 'Dockerfile.variable', finalFrom: ['scratch'] }, /1 stage/],
    ['stage-fails', { ...well, ...broken }, /RUN sh \/lint\/lint\.sh .*fails/],
    [
      'cache',
      { ...well, change: 'main.txt', append, cached: ['deps.txt'], runs: ['COPY main.txt', 'cp /src/main.txt'] },
      /2 of 5 steps|came from the cache/,
    ],
    // The stage alone, where it has a name: BuildKit takes no number for a target.
    ...['stages.Dockerfile', 'unnamed.Dockerfile'].map((dockerfile): Case => [
      'cache',
      { dockerfile, change: 'main.txt', append, cached: ['cp /src/deps.txt'], runs: ['cp /src/main.txt'] },
      /2 of 4 steps/,
    ]),
    [
      'cache',
      {
        ...well,
        change: 'main.txt',
        append,
        runs: ['COPY main.txt', 'cp /src/main.txt', '--from=build'],
        exactly: true,
      },
      /came from the cache/,
    ],
  ])('%s passes: %o', async (kind, parameters, actual) => {
    expect(await judge(kind, parameters)).toMatchObject({
      status: 'pass',
      actual: expect.stringMatching(actual) as string,
    });
  });

  it.each<Case>([
    ['stages', { ...greedy, finalFrom: ['scratch'] }, /from debian:trixie-slim/],
    ['stage-fails', { ...greedy, ...broken }, /still builds/],
    ['stage-fails', { ...well, ...broken, target: 'build' }, /still builds/],
    [
      'cache',
      { ...greedy, target: 'build', change: 'main.txt', append, cached: ['cp /src/deps.txt'] },
      /RUN cp \/src\/deps\.txt.* ran anew/,
    ],
    [
      'cache',
      { ...well, change: 'main.txt', append, runs: ['COPY main.txt', 'cp /src/main.txt'], exactly: true },
      /COPY --from=build .* ran anew/,
    ],
    [
      'cache',
      { ...well, target: 'build', change: 'lint.sh', append, runs: ['cp /src/deps.txt'] },
      /still came from the cache/,
    ],
    ['cache', { ...well, change: 'main.txt', append, cached: ['npm ci'] }, /No step has "npm ci"/],
  ])('%s fails: %o', async (kind, parameters, actual) => {
    const verdict = await judge(kind, parameters);
    expect(verdict).toMatchObject({ status: 'fail', actual: expect.stringMatching(actual) as string });
    expect(verdict.hint).not.toBe('');
  });

  it('names the COPY of another stage with which it began that a step ran anew', async () => {
    const verdict = await judge('cache', { ...well, change: 'main.txt', append, cached: ['--from=build'] });
    expect(verdict.hint).toContain('"COPY main.txt /src/" takes main.txt along');
    expect(verdict.hint).toContain('all that builds on the stage "build"');
  });

  it('does not judge the beginning of a Dockerfile that is too long', async () => {
    const long = { dockerfile: 'Dockerfile.long', max: 1 };
    await expect(judge('stages', long)).rejects.toThrow('Dockerfile.long is longer than 256 KiB.');
  });

  it("leaves the learner's files as they were", async () => {
    for (const [path, text] of Object.entries(files))
      expect(await run(['/usr/bin/cat', `${labDir}/${path}`])).toBe(text);
    expect(await run(['/usr/bin/find', '/tmp', '-maxdepth', '1', '-name', 'ballast-check.*'])).toBe('');
  });
});
