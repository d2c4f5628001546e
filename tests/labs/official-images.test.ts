import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { registryOf, withTag } from '../../sandbox-server/base-images/catalogue.ts';
import { pullSource } from '../../sandbox-server/base-images/pull-source.ts';
import { Seeder } from '../../sandbox-server/base-images/seeder.ts';
import { checkKinds } from '../../sandbox-server/checks/index.ts';
import { configSchema } from '../../sandbox-server/config.ts';
import { formatProof, verifyLab } from '../../sandbox-server/grading/index.ts';
import { loadLabs } from '../../sandbox-server/labs/index.ts';
import { prepareStore, type PreparedStore } from '../../sandbox-server/setup/prepare-store.ts';
import { graderOf, openSandbox, removeSandboxes } from '../helpers/clean-room.ts';
import { FaultyProxy } from '../helpers/faulty-proxy.ts';
import { OfficialImages } from '../helpers/official-images.ts';
import { findRegistryServer, openTestNetwork, TestRegistry, type TestNetwork } from '../helpers/registry.ts';
import { prepareBase, type Base } from '../helpers/server.ts';

const folder = mkdtempSync(join(tmpdir(), 'ballast-official-'));
const server = await findRegistryServer(folder);
if ('missing' in server)
  process.stderr.write(`\n!!! tests of labs on official images are skipped, because ${server.missing}\n\n`);

const labs = await loadLabs(fileURLToPath(new URL('../../labs', import.meta.url)), checkKinds());
const refs = [...new Set([...labs.values()].flatMap((lab) => lab.images.map(withTag)))];
const host = 'official-test';

describe.skipIf('missing' in server)('labs on official images from a registry', () => {
  let base: Base;
  let registry: TestRegistry;
  let network: TestNetwork;
  let proxy: FaultyProxy;
  let store: PreparedStore;

  beforeAll(async () => {
    base = await prepareBase(join(folder, 'home'), refs);
    registry = await TestRegistry.start('path' in server ? server.path : '');
    network = await openTestNetwork(host);
    proxy = await FaultyProxy.start(network.gateway, registry.port);
  });
  afterAll(async () => {
    const { engine } = base;
    await removeSandboxes(base, host);
    for (const volume of await engine.listVolumes({ 'ballast.host': host })) await engine.removeVolume(volume);
    await proxy[Symbol.asyncDispose]();
    await registry[Symbol.asyncDispose]();
    await network[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  });

  it('fill a store: every image is pulled, none is an equivalent', async () => {
    const passwordFile = join(folder, 'password');
    writeFileSync(passwordFile, registry.password);
    const auth = { username: registry.username, passwordFile };
    const mirror = (name: string): string => `http://${proxy.host}/${name.replaceAll('.', '-')}`;
    const registries = Object.fromEntries(refs.map(registryOf).map((name) => [name, { mirror: mirror(name), auth }]));
    const config = configSchema.parse({ ...base.config, home: join(folder, 'home'), images: 'pull', registries });

    const { id } = await openSandbox(base, host);
    const official = new OfficialImages(registry, folder);
    for (const ref of refs) {
      const save = await base.engine.exec(id, { argv: ['/usr/bin/docker', 'save', ref] });
      save.stdin.end();
      save.stderr.resume();
      const { pullRef } = pullSource(ref, config.registries);
      const colon = pullRef.lastIndexOf(':');
      await official.push(save.stdout, pullRef.slice(pullRef.indexOf('/') + 1, colon), pullRef.slice(colon + 1));
    }
    await base.engine.removeSandbox(id);

    store = await prepareStore(base.engine, {
      image: base.prepared.image,
      refs,
      host,
      config,
      progress: () => undefined,
    });
    expect(store.volume).not.toBe(base.prepared.store.volume);
    expect(store.images.map(({ ref, origin }) => `${ref} ${origin}`).sort()).toEqual(
      refs.map((ref) => `${ref} official`).sort(),
    );
    const using = await openSandbox(base, host, store.volume);
    const inspected = await new Seeder(base.engine, using.id).run(['/usr/bin/docker', 'image', 'inspect', ...refs]);
    expect(inspected).not.toContain('ballast.');
    for (const { RootFS } of JSON.parse(inspected) as { RootFS: { Layers: string[] } }[])
      expect(RootFS.Layers.length).toBeGreaterThan(1);
    await base.engine.removeSandbox(using.id);
  });

  it.each([...labs.values()])('carry $id: its starter fails, its solution passes', async (lab) => {
    const grader = { ...graderOf(base, host), storeVolume: store.volume, kinds: base.kinds };
    const proofs = await verifyLab(lab, { ...grader, only: ['starter', 'solution'] });
    expect(proofs.map(({ subject }) => subject)).toEqual(['starter', 'solution']);
    const broken = proofs.filter(({ problem }) => problem !== '');
    expect(broken.map((proof) => formatProof(proof, { color: false }))).toEqual([]);
  });
});
