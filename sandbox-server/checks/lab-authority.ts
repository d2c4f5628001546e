import { randomBytes } from 'node:crypto';
import { BallastError } from '../protocol/index.ts';
import type { CheckContext } from './check-kind.ts';

/** A server over TLS inside the sandbox, with a certificate of an authority that exists for one check only. */
export interface LabServer {
  /** What a program is to fetch; nobody else knows the path. */
  readonly url: string;
  /** Name in `url`, and the address that it must resolve to in a container on the engine's default network. */
  readonly host: { readonly name: string; readonly address: string };
  /** Certificate of the authority, in PEM, and the name that OpenSSL gives it in a folder of authorities. */
  readonly authority: { readonly pem: string; readonly hash: string };
  /** What has come of calls so far: the request itself, connections that were broken off, or nothing. */
  seen(): Promise<'request' | 'refused' | 'nothing'>;
  /** Forget what was seen. */
  forget(): Promise<void>;
}

const name = 'service.ballast.test';
const shortMs = 20_000;
/** The server ends by itself, whatever becomes of us. */
const lifeSeconds = 150;

/**
 * Makes an authority and a certificate, and serves one file from the engine's network: only programs in containers and
 * those that enter the engine's namespaces get there. Constant text: what varies are the arguments.
 */
const startScript = `
set -eu
dir=$1 name=$2 path=$3 life=$4
cd -- "$dir"
key='-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes'
openssl req -x509 $key -days 2 -subj '/CN=Ballast check authority' -keyout ca.key -out ca.crt \\
  -addext keyUsage=critical,keyCertSign 2> /dev/null
openssl req $key -subj "/CN=$name" -keyout server.key -out server.csr 2> /dev/null
printf 'subjectAltName=DNS:%s\\nextendedKeyUsage=serverAuth\\n' "$name" > extensions
openssl x509 -req -in server.csr -CA ca.crt -CAkey ca.key -days 2 -extfile extensions -out server.crt 2> /dev/null
mkdir www && echo ok > "www/$path" && : > log
address=$(/usr/bin/docker network inspect --format '{{(index .IPAM.Config 0).Gateway}}' bridge)
engine=$(cat "$XDG_RUNTIME_DIR/docker.pid")
for port in $(shuf --input-range=20000-60000 --head-count=5); do
  setsid timeout "$life" nsenter --user --net --preserve-credentials --target "$engine" -- \\
    sh -c 'cd www && exec stdbuf -oL openssl s_server -accept "$1" -cert ../server.crt -key ../server.key -WWW' sh \\
    "$address:$port" >> log 2>&1 < /dev/null &
  server=$!
  while kill -0 "$server" 2> /dev/null; do
    if grep -q ^ACCEPT log; then
      echo "$server" "$address" "$port" "$(openssl x509 -in ca.crt -noout -hash)"
      cat ca.crt
      exit 0
    fi
    sleep 0.05
  done
done
cat log >&2
exit 1
`;

/** Have such a server, and end it whatever happens. @throws BallastError sandbox_failed when it does not start */
export async function withLabServer<Result>(
  context: CheckContext,
  use: (server: LabServer) => Promise<Result>,
): Promise<Result> {
  const { shell, signal } = context;
  const run = async (argv: readonly string[]): Promise<string> => {
    const result = await shell.run(argv, { timeoutMs: shortMs, signal });
    if (result.exitCode === 0) return result.stdout;
    throw new BallastError('sandbox_failed', { message: `${argv[0] ?? ''} failed: ${result.stderr.trim()}` });
  };
  const path = randomBytes(8).toString('hex');
  const dir = (await run(['/usr/bin/mktemp', '--directory', '--tmpdir', 'ballast-check.XXXXXXXX'])).trim();
  let pid = '';
  try {
    const started = await run(['/bin/bash', '-c', startScript, 'bash', dir, name, path, String(lifeSeconds)]);
    const [, server = '', address = '', port = '', hash = '', pem = ''] =
      /^(\d+) (\S+) (\d+) ([0-9a-f]+)\n([^]*)$/.exec(started) ?? [];
    pid = server;
    return await use({
      url: `https://${name}:${port}/${path}`,
      host: { name, address },
      authority: { pem, hash },
      async seen() {
        const log = await run(['/usr/bin/cat', '--', `${dir}/log`]);
        return readServerLog(log, path);
      },
      async forget() {
        await run(['/usr/bin/truncate', '--size=0', '--', `${dir}/log`]);
      },
    });
  } finally {
    // Not under the check's signal: what was started ends even when the check's time is up.
    if (pid !== '') await shell.run(['/usr/bin/kill', '--', `-${pid}`], { timeoutMs: shortMs });
    await shell.run(['/usr/bin/rm', '--recursive', '--force', '--', dir], { timeoutMs: shortMs });
  }
}

/** What OpenSSL's test server printed: "FILE:name" for a request that came through, "ERROR" for a broken handshake. */
export function readServerLog(log: string, path: string): 'request' | 'refused' | 'nothing' {
  if (log.split('\n').some((line) => line.trim() === `FILE:${path}`)) return 'request';
  return /^ERROR$|:error:|alert/m.test(log) ? 'refused' : 'nothing';
}
