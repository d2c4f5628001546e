import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createSandboxImages } from '../../sandbox-server/checks/index.ts';
import type { SandboxShell } from '../../sandbox-server/checks/index.ts';
import { newSessionId } from '../../sandbox-server/sessions/credentials.ts';
import { openSandbox, removeSandboxes } from '../helpers/clean-room.ts';
import { prepareBase } from '../helpers/server.ts';
import type { Base } from '../helpers/server.ts';

// Hints are made from the words of BuildKit and of the programs that steps run: here they say them themselves.

const host = newSessionId();
const home = mkdtempSync(join(tmpdir(), 'ballast-build-hints-'));
const labDir = '/home/learner/lab';
let base: Base;
let shell: SandboxShell;

beforeAll(async () => {
  base = await prepareBase(home);
  ({ shell } = await openSandbox(base, host));
  await run(['/usr/bin/mkdir', '--parents', `${labDir}/conf`]);
  await run(['/usr/bin/tee', `${labDir}/conf/app.txt`], 'x');
  await run(['/usr/bin/tee', `${labDir}/.dockerignore`], '*.md\n/conf/\n');
});
afterAll(async () => {
  await removeSandboxes(base, host);
  rmSync(home, { recursive: true, force: true });
});

async function run(argv: readonly string[], stdin?: string): Promise<void> {
  const result = await shell.run(argv, { timeoutMs: 60_000, ...(stdin === undefined ? {} : { stdin }) });
  expect(result, argv.join(' ')).toMatchObject({ exitCode: 0 });
}

const slim = 'FROM debian:trixie-slim';

it.each([
  [`${slim}\nCOPY conf/app.txt /\n`, 'The line "/conf/" of .dockerignore leaves conf out'],
  [`${slim}\nCOPY NOTES.md /\n`, 'The line "*.md" of .dockerignore leaves NOTES.md out'],
  [`${slim}\nCOPY nowhere.txt /\n`, 'There is no nowhere.txt in the build context'],
  [`${slim} AS build\n${slim}\nCOPY --from=build /out/app /app\n`, 'There is no /out/app in "build"'],
  [`${slim} AS tools\nRUN cmake --build .\nFROM tools\n`, 'is not in the image of the stage "tools"'],
  [`${slim}\nUSER 65532:65532\nRUN mkdir /data\n`, 'the user "65532:65532", who may not do that with /data'],
  [
    'FROM golang:1.24\nWORKDIR /src\nWORKDIR app\nRUN go build .\n',
    'Go looks for go.mod in /src/app, where WORKDIR has the step run',
  ],
  [`${slim}\nRUN exit 3\n`, '"RUN exit 3" ended with 3.'],
  ['FROM nowhere:1\n', '"nowhere:1" is neither in this sandbox nor a stage'],
])('says of %j what would help', async (dockerfile, hint) => {
  await run(['/usr/bin/tee', `${labDir}/Dockerfile`], dockerfile);
  expect(await judge({ image: 'x' })).toMatchObject({ status: 'fail', hint: expect.stringContaining(hint) as string });
});

it('names the Dockerfile that is not there', async () => {
  expect(await judge({ image: 'x', dockerfile: 'Dockerfile.naive' })).toMatchObject({
    hint: expect.stringContaining('There must be a file called Dockerfile.naive') as string,
  });
});

function judge(parameters: object) {
  const images = createSandboxImages(shell);
  const context = { shell, images, labDir, mode: 'clean-room', signal: AbortSignal.timeout(170_000) } as const;
  return base.kinds.get('image-built')?.run(parameters, context);
}
