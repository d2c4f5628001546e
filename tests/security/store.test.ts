import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { openArena, type Arena } from '../helpers/attack.ts';

let arena: Arena;
let intact: string;

/** What the engine says of the image, and what a program in it says of its files. */
const look =
  "docker image inspect -f '{{.Id}} {{.RootFS.Layers}}' debian:trixie-slim && docker run --rm debian:trixie-slim sha256sum /usr/bin/bash /etc/debian_version /usr/bin/perl";

beforeAll(async () => {
  arena = await openArena();
  intact = (await arena.neighbour.bash(look)).stdout;
});
afterAll(async () => {
  await arena[Symbol.asyncDispose]();
});
afterEach(async () => {
  await arena.othersAreWell();
  expect((await arena.neighbour.bash(look)).stdout).toBe(intact);
});

describe('the shared store of base images', () => {
  test('writing, deleting, renaming, chmod and hard links in it', async () => {
    const attempts = `
      layer=$(ls -d $store/docker/overlay2/*/diff/usr/bin | head -1)
      [ -d "$layer" ] && echo "looking at a layer"
      { echo changed > $layer/bash; touch $store/x $layer/x; rm -rf $layer $store/template; mv $store/template $store/gone
      chmod -R 777 $layer; chown -R 0:0 $layer; ln $layer/bash $home/linked; ln -s /tmp $layer/tmp; truncate -s 0 $layer/bash
      cp --reflink=always $layer/bash $home/linked; setfattr -n user.x -v y $layer; } 2> /dev/null
      ls $home/linked 2> /dev/null
      true`;
    const shell = await arena.attacker.bash(`store=/var/lib/ballast/store home=/home/learner; ${attempts}`);
    expect(shell.stdout).toBe('looking at a layer\n');
    const paths = 'store=/host/var/lib/ballast/store home=/host/home/learner';
    expect((await arena.attacker.inContainer(`${paths}; ${attempts}`)).stdout).toBe('looking at a layer\n');
  });

  test('writing through the links of its own engine, and in their place', async () => {
    // Root in the engine's own mount and user namespaces: the learner can enter them.
    const enter = 'nsenter --preserve-credentials --user --mount --target $(pgrep -x dockerd)';
    const attempts = `
      cd ~/.local/share/docker/overlay2
      wrote=0
      for link in */diff; do touch $link/etc/x 2> /dev/null && ! [ -d $link/work ] && [ -L $link ] && wrote=1; done
      ${enter} bash -c 'echo entered as $(id -u); mount -o remount,rw,bind /var/lib/ballast/store; umount /var/lib/ballast/store; touch /var/lib/ballast/store/x; for layer in */diff; do touch $layer/x; echo changed > $layer/usr/bin/bash; done' 2> /dev/null
      # Its own engine now sees a layer of its own making.
      link=$(find . -maxdepth 2 -name diff -type l | head -1); rm $link; mkdir -p $link/usr/bin; echo changed > $link/usr/bin/bash
      echo wrote $wrote`;
    expect((await arena.attacker.bash(attempts)).stdout).toBe('entered as 0\nwrote 0\n');
    expect(
      (await arena.attacker.bash('find /var/lib/ballast/store -maxdepth 5 -name x 2> /dev/null; true')).stdout,
    ).toBe('');
  });

  test('docker rmi, docker tag, docker build --no-cache and docker load under the same name', async () => {
    const seat = await arena.seat();
    const replaced = await seat.bash(
      `
      mkdir evil && cd evil
      printf 'FROM debian:trixie-slim\\nRUN echo evil > /usr/bin/bash; echo evil > /etc/debian_version\\n' > Dockerfile
      docker build -q --no-cache -t debian:trixie-slim . > /dev/null
      docker run --rm debian:trixie-slim cat /etc/debian_version
      docker save -o evil.tar debian:trixie-slim
      docker rmi -f debian:trixie-slim golang:1.24 > /dev/null
      docker load -q -i evil.tar > /dev/null
      docker run --rm debian:trixie-slim cat /etc/debian_version
      docker tag debian:trixie-slim golang:1.24
      docker image prune -af > /dev/null; docker builder prune -af > /dev/null`,
      120_000,
    );
    expect(replaced, replaced.stderr).toMatchObject({ exitCode: 0, stdout: 'evil\nevil\n' });
    // Somebody who comes after that has the intact image as well.
    const fresh = await arena.seat();
    expect((await fresh.bash(look)).stdout).toBe(intact);
  });
});
