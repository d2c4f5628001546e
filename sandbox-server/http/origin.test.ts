import { describe, expect, test } from 'vitest';
import { hostName, isOwnHost, isOwnOrigin } from './origin.ts';

const local = { host: '127.0.0.1', origins: ['https://workshop.example'] };

test.each([
  ['LocalHost:4321', 'localhost'],
  ['[::1]:4321', '::1'],
  ['127.0.0.1', '127.0.0.1'],
  ['a.example.', 'a.example'],
  ['user@a.example', null],
  ['a.example/x', null],
  ['a b', null],
  ['', null],
  [undefined, null],
])('the host name of %j is %j', (header, name) => {
  expect(hostName(header)).toBe(name);
});

describe('a server on loopback', () => {
  test.each(['localhost:4321', '127.0.0.1:4321', '127.8.9.1', '[::1]:80', 'lab.localhost', 'workshop.example'])(
    'is meant by Host %j',
    (header) => {
      expect(isOwnHost(header, local)).toBe(true);
    },
  );
  test.each(['evil.example', 'localhost.evil.example', '127.0.0.1.evil.example', '10.0.0.1', undefined, 'x@localhost'])(
    'is not meant by Host %j',
    (header) => {
      expect(isOwnHost(header, local)).toBe(false);
    },
  );
  test('is so by name and over IPv6 too', () => {
    expect(isOwnHost('evil.example', { host: 'localhost', origins: [] })).toBe(false);
    expect(isOwnHost('evil.example', { host: '::1', origins: [] })).toBe(false);
  });
});

test('a server on the network takes any name, but still a well-formed one', () => {
  expect(isOwnHost('class.example:4321', { host: '0.0.0.0', origins: [] })).toBe(true);
  expect(isOwnHost('a b', { host: '0.0.0.0', origins: [] })).toBe(false);
});

describe('origins', () => {
  const self = { scheme: 'http', host: 'localhost:4321' } as const;
  test.each(['http://localhost:4321', 'https://workshop.example'])('%j is ours', (origin) => {
    expect(isOwnOrigin(origin, self, local)).toBe(true);
  });
  test.each([
    'null',
    '',
    'http://localhost',
    'http://localhost:4322',
    'https://localhost:4321',
    'http://evil.example',
    'http://localhost:4321@evil.example',
    'http://localhost:4321/',
    'https://workshop.example.evil.example',
    'http://workshop.example',
    'file:///x',
  ])('%j is not', (origin) => {
    expect(isOwnOrigin(origin, self, local)).toBe(false);
  });
});
