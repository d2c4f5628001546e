import { describe, expect, it } from 'vitest';
import { contextOf, file, makeContents } from '../../../tests/helpers/contents.ts';
import type { LayerEntry } from '../../images/image-reader.ts';
import { staticBinary } from './static-binary.ts';

const image = 'greeter';
const holding = (text: string): string => expect.stringContaining(text) as string;
const link = (path: string, linkTarget: string): LayerEntry => file(path, 0, { type: 'symlink', linkTarget });

describe('static-binary', () => {
  const elf = (linkage: 'static' | 'dynamic', interpreter = ''): Partial<LayerEntry> => ({
    elf: { linkage, interpreter },
  });
  const contents = (config: Parameters<typeof makeContents>[1]) =>
    makeContents(
      [
        {
          entries: [
            file('greeter', 9, elf('static')),
            file('usr/bin/dyn', 9, elf('dynamic', '/lib64/ld.so')),
            file('script'),
            link('bin', 'usr/bin'),
            file('hard', 0, { type: 'hardlink', linkTarget: 'greeter' }),
            file('busybox/busybox', 9, elf('static')),
            link('busybox/sh', 'busybox'),
            link('busybox/env', 'busybox'),
            link('busybox/httpd', '/busybox/busybox'),
            file('tini', 9, elf('static')),
            file('go-dyn', 9, elf('dynamic', '/lib64/ld-linux-x86-64.so.2')),
            file('musl', 9, elf('dynamic', '/lib/ld-musl-x86_64.so.1')),
            file('lib/ld-musl-x86_64.so.1', 9, elf('static')),
            file('usr/bin/dash', 9, elf('dynamic', '/lib64/ld.so')),
            link('usr/bin/sh', 'dash'),
          ],
          packages: [{ system: 'go', name: 'stdlib', version: '1.0', path: 'go-dyn' }],
        },
      ],
      config,
    );
  it.each([
    [{ entrypoint: ['/greeter'] }, undefined, 'pass', '/greeter needs no loader'],
    [{ entrypoint: ['./greeter'] }, undefined, 'pass', '/greeter'],
    [{ cmd: ['dyn'] }, undefined, 'fail', '/usr/bin/dyn is linked dynamically: it asks for the loader /lib64/ld.so'],
    [{ cmd: ['dyn'], env: ['PATH=/nope'] }, undefined, 'fail', 'There is no dyn'],
    [{}, undefined, 'fail', 'nothing about what to run'],
    [{ entrypoint: ['/greeter'] }, '/bin/dyn', 'fail', 'dynamically'],
    [{}, '/script', 'fail', 'no ELF program'],
    [{}, '/hard', 'pass', '/greeter'],
    // A shell is not what is judged, or not alone.
    [{ entrypoint: ['/busybox/sh', '-c', '/usr/bin/dyn'] }, undefined, 'fail', '/usr/bin/dyn is linked dynamically'],
    [{ entrypoint: ['/busybox/sh', '-c', 'A=b exec dyn -x'] }, undefined, 'fail', '/usr/bin/dyn is linked dynamically'],
    [{ entrypoint: ['/busybox/sh', '-ec'], cmd: [' /usr/bin/dyn x'] }, undefined, 'fail', '/usr/bin/dyn is linked'],
    [{ entrypoint: ['/busybox/sh', '-c', 'PATH=/x greeter'] }, undefined, 'fail', 'cannot be told from'],
    [{ entrypoint: ['/busybox/busybox', 'sh', '-c', '/usr/bin/dyn'] }, undefined, 'fail', '/usr/bin/dyn is linked'],
    [{ entrypoint: ['/busybox/sh', '-c', '/greeter'] }, undefined, 'pass', '/busybox/busybox and /greeter need no'],
    [{ entrypoint: ['/busybox/sh', '-c', '/usr/bin/d$X'] }, undefined, 'fail', 'cannot be told from "/usr/bin/d$X"'],
    [{ entrypoint: ['/busybox/sh', '-c', '/greeter; /dyn'] }, undefined, 'fail', 'cannot be told from'],
    [{ entrypoint: ['/busybox/sh', '-c', `/usr/bin/d''yn`] }, undefined, 'fail', 'cannot be told from'],
    [{ entrypoint: ['/busybox/sh', '-c', ''] }, undefined, 'fail', 'cannot be told from ""'],
    [{ entrypoint: ['/busybox/sh', '/script'] }, undefined, 'fail', 'It starts /script with the shell /busybox/sh'],
    [{ entrypoint: ['/busybox/sh'] }, undefined, 'fail', 'It starts the shell /busybox/sh'],
    [{ entrypoint: ['/busybox/sh', '-c', '/nowhere'] }, undefined, 'fail', 'There is no /nowhere'],
    [{ entrypoint: ['/busybox/sh', '-c', '/script'] }, undefined, 'fail', '/script is no ELF program'],
    [{ entrypoint: ['/busybox/httpd', '-f', '-h', '/etc'] }, undefined, 'pass', '/busybox/busybox needs'],
    [{ entrypoint: ['/busybox/env', 'A=b', 'dyn'] }, undefined, 'fail', '/usr/bin/dyn is linked dynamically'],
    [{ entrypoint: ['/tini', '--'], cmd: ['/usr/bin/dyn'] }, undefined, 'fail', '/usr/bin/dyn is linked dynamically'],
    [{ entrypoint: ['/tini', '--', '/busybox/sh', '-c', 'dyn'] }, undefined, 'fail', '/usr/bin/dyn is linked'],
    [{ entrypoint: ['/greeter'], cmd: ['/usr/bin/dyn'] }, undefined, 'fail', '/usr/bin/dyn is linked dynamically'],
    [{ entrypoint: ['/greeter'], cmd: ['--config=/usr/bin/dyn', 'dyn'] }, undefined, 'pass', '/greeter needs no'],
    [{ entrypoint: ['/bin/sh', '-c', '/greeter'] }, undefined, 'fail', '/usr/bin/dash is linked dynamically'],
    [{}, '/musl', 'fail', "asks for the loader /lib/ld-musl-x86_64.so.1, musl's."],
    [
      {},
      '/go-dyn',
      'fail',
      "asks for the loader /lib64/ld-linux-x86-64.so.2, glibc's, which the image does not have: it would not start.",
    ],
  ])('%o %s: %s', async (config, path, status, actual) => {
    const parameters = path === undefined ? { image } : { image, path };
    expect(await staticBinary.run(parameters, contextOf(contents(config)))).toMatchObject({
      status,
      actual: holding(actual),
    });
  });

  it.each([
    ['/go-dyn', 'It was built by Go 1.0 with cgo: build it with CGO_ENABLED=0.'],
    ['/musl', 'In C link it with -static; in Rust'],
    ['/bin/sh', 'It is a shell.'],
  ])('says of %s how to make it static', async (path, hint) => {
    expect(await staticBinary.run({ image, path }, contextOf(contents({})))).toMatchObject({ hint: holding(hint) });
  });
});
