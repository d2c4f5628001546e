import { describe, expect, it } from 'vitest';
import { registriesSaid, type PackageClient } from './built-in-registries.ts';

describe('what package clients print of their registries', () => {
  const said: readonly (readonly [PackageClient, string, readonly string[]])[] = [
    ['go', 'https://proxy.test,direct\nsum.test\n', ['https://proxy.test', 'https://sum.test']],
    ['go', 'https://a.test|https://b.test:8443/go,off\noff\n', ['https://a.test', 'https://b.test:8443/go']],
    ['go', 'off\nsum.test+033de0ae https://mirror.test/sum\n', ['https://mirror.test/sum']],
    [
      'pip',
      '  -i, --index-url <url>  Base URL of the\n   index (default https://pip.test/simple). This',
      ['https://pip.test/simple'],
    ],
    ['npm', 'npm warn something\nhttps://npm.test/\n', ['https://npm.test/']],
    [
      'cargo',
      'Caused by:\n  failed to download from `https://index.test/config.json`\n',
      ['https://index.test/config.json'],
    ],
    [
      'rustup',
      "error: could not download file from 'https://mirror.test/rust/dist/channel-rust-stable.toml.sha256' to '/x'\n",
      ['https://mirror.test/rust'],
    ],
    [
      'maven',
      '[INFO] Downloading from central: https://maven.test/maven2/org/apache/maven/x.xml\n',
      ['https://maven.test/maven2'],
    ],
    ['apt', 'http://deb.test/debian/|main\nhttp://deb.test/debian/|contrib\n', ['http://deb.test/debian/']],
  ];
  it.each(said)('%s: %j', (client, text, urls) => {
    expect(registriesSaid(client, text)).toEqual(urls);
  });

  it.each(['go', 'pip', 'npm', 'cargo', 'rustup', 'maven', 'apt'] as const)(
    '%s that is not there, or says something else',
    (client) => {
      expect(registriesSaid(client, null)).toEqual([]);
      expect(registriesSaid(client, 'command not found\n')).toEqual([]);
    },
  );
});
