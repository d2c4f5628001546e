import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createGateway } from '../../sandbox-server/gateway/index.ts';
import { gradeSubmission } from '../../sandbox-server/grading/index.ts';
import type { Lab } from '../../sandbox-server/labs/index.ts';
import { graderOf } from '../helpers/clean-room.ts';
import { openPackagesServer, type PackagesSeat } from '../helpers/gateway.ts';
import { aptBuild, goBuild } from '../helpers/package-builds.ts';
import { prepareBase, type Base } from '../helpers/server.ts';

const home = mkdtempSync(join(tmpdir(), 'ballast-test-home-'));
let base: Base;
let opened: Awaited<ReturnType<typeof openPackagesServer>>;
let first: PackagesSeat;

beforeAll(async () => {
  base = await prepareBase(home);
  opened = await openPackagesServer(base);
  first = await opened.seat();
});

afterAll(async () => {
  await opened.close();
  rmSync(home, { recursive: true, force: true });
});

const answers = (): Readonly<Record<string, number>> => opened.server.gateway.counters.answers;

describe('a build in a lab with packages', () => {
  it('go: fetches a module, and the next session has it from the cache', { timeout: 600_000 }, async () => {
    const built = await first.build(goBuild.files);
    expect(built.output).toContain(goBuild.prints);
    expect(built.exitCode, built.output).toBe(0);
    const { fetched = 0 } = answers();
    expect(fetched).toBeGreaterThan(0);

    const second = await opened.seat();
    const again = await second.build(goBuild.files);
    expect(again.exitCode, again.output).toBe(0);
    expect(answers()).toMatchObject({ fetched });
    expect(answers()['stored']).toBeGreaterThan(0);
  });

  it('apt: installs a package', { timeout: 600_000 }, async () => {
    const built = await first.build(aptBuild.files, 'installed');
    expect(built.output).toContain(aptBuild.prints);
    expect(built.exitCode, built.output).toBe(0);
  });

  it('leaves nothing of the gateway in the image', { timeout: 600_000 }, async () => {
    const said = await first.bash(`
      docker image inspect --format '{{json .Config}}' built
      docker history --no-trunc --format '{{.CreatedBy}} {{.Size}}' built`);
    expect(said.stdout).toContain('/app');
    expect(said.stdout).not.toMatch(/proxy=|dev\/ballast|192\.0\.2|_CERT/i);
    // What the step added, in the folders that containers are given, as the image has them without any of it.
    const files = await first.bash(`
      id=$(docker create built) && docker export $id | tar -t | grep -E '^(dev|run|proc|sys)/.' | sort; docker rm $id > /dev/null`);
    const given = await first.bash(`
      id=$(docker create golang:1.24) && docker export $id | tar -t | grep -E '^(dev|run|proc|sys)/.' | sort; docker rm $id > /dev/null`);
    expect(files.stdout).toBe(given.stdout);
  });

  it('go: from the shell, in a container', { timeout: 600_000 }, async () => {
    const said = await first.bash(`cd "$(dirname "$(ls -t ~/build-*/go.mod | head -1)")" &&
      docker run --rm -v "$PWD:/src" -w /src golang:1.24 go mod download -x`);
    expect(said, said.stderr).toMatchObject({ exitCode: 0 });
  });

  it('go: in a container that runs already', { timeout: 600_000 }, async () => {
    const said = await first.bash(`cd "$(dirname "$(ls -t ~/build-*/go.mod | head -1)")" &&
      docker run -d --name runs -v "$PWD:/src" -w /src golang:1.24 sleep infinity > /dev/null &&
      docker exec -e MINE=kept runs sh -c 'env && go mod download -x'; status=$?; docker rm -f runs > /dev/null; exit $status`);
    expect(said, said.stderr).toMatchObject({ exitCode: 0 });
    expect(said.stdout).toMatch(/^SSL_CERT_FILE=\/dev\/ballast\/ca.crt$/m);
    expect(said.stdout).toMatch(/^MINE=kept$/m);
  });

  it('an image without certificates has none where it runs', async () => {
    const said = await first.bash(
      `docker run --rm debian:trixie-slim sh -c 'env'; docker run --rm golang:1.24 sh -c 'env'`,
    );
    const [slim = '', whole = ''] = said.stdout
      .split(/(?=^HOSTNAME=.*)/m)
      .filter((part) => part.startsWith('HOSTNAME'));
    expect(said.exitCode, said.stderr).toBe(0);
    expect(`${slim}${whole}`.match(/^SSL_CERT_FILE=/gm)?.length).toBe(1);
  });
});

it('a submission that fetches packages is graded in the clean room', { timeout: 600_000 }, async () => {
  const folder = mkdtempSync(join(home, 'submission-'));
  for (const [name, content] of Object.entries(goBuild.files)) writeFileSync(join(folder, name), content);
  const [model] = base.labs.values();
  const check = model!.checks.find(({ kind }) => kind === 'image-built')!;
  const checks = [{ ...check, with: { image: 'fetched' }, needs: [] }];
  const lab: Lab = { ...model!, network: 'packages', protected: [], checks };
  const gateway = createGateway(
    { ...base.config, home },
    pino({ level: 'silent' }),
    () => base.prepared.store.registries,
  );
  try {
    const options = { ...graderOf(base, opened.server.hostId), gateway, kinds: base.kinds };
    const result = await gradeSubmission(lab, { dir: folder }, options);
    expect(result, JSON.stringify(result)).toMatchObject({ outcome: 'passed' });
  } finally {
    await gateway.close();
  }
});
