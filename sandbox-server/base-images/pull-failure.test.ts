import { describe, expect, it } from 'vitest';
import { configSchema } from '../config.ts';
import { classifyPullText, classifyStatus, fallsBack, pullError, retryAfterSeconds } from './pull-failure.ts';
import { pullSource } from './pull-source.ts';

const { registries } = configSchema.parse({
  registries: { 'docker.io': { mirror: 'mirror.example', auth: { tokenFile: '/secret' } } },
});
const official = pullSource('gcr.io/a/b:1', registries);
const mirrored = pullSource('golang:1.24', registries);

describe('classifyPullText', () => {
  it.each([
    ['write /var/lib/docker/tmp/x: no space left on device', 'disk-full'],
    ['toomanyrequests: You have reached your pull rate limit.', 'rate-limited'],
    ['Get "https://m/v2/": http: server gave HTTP response to HTTPS client', 'plain-http'],
    ['Get "https://m/v2/": x509: certificate signed by unknown authority', 'untrusted'],
    ['tls: failed to verify certificate: x509: certificate has expired', 'untrusted'],
    ['Head "https://m/v2/a/manifests/1": unauthorized: authentication required', 'denied'],
    ['Head "http://m/v2/a/manifests/1": no basic auth credentials', 'denied'],
    ['received unexpected HTTP status: 403 Forbidden', 'denied'],
    ["pull access denied for a, repository does not exist or may require 'docker login'", 'denied'],
    ['manifest for m/a:1 not found: manifest unknown: manifest unknown', 'missing'],
    ['no matching manifest for linux/arm64/v8 in the manifest list entries', 'missing'],
    ['Get "https://m/v2/": dial tcp: lookup m: no such host', 'unreachable'],
    ['Get "http://m/v2/": dial tcp 192.0.2.1:80: connect: connection refused', 'unreachable'],
    ['net/http: request canceled while waiting for connection (Client.Timeout exceeded)', 'unreachable'],
    ['unexpected EOF', 'cut'],
    ['read tcp 192.0.2.1:80: read: connection reset by peer', 'cut'],
    ['received unexpected HTTP status: 502 Bad Gateway', 'unavailable'],
    ['something else', 'failed'],
  ])('takes "%s" for %s', (text, kind) => {
    expect(classifyPullText(text).kind).toBe(kind);
  });

  it('keeps control characters out of messages', () => {
    expect(classifyPullText('a\u001b[2J\nb').detail).toBe('a [2J b');
  });
});

describe('classifyStatus', () => {
  it.each([
    [200, undefined, null],
    [307, undefined, null],
    [401, undefined, { kind: 'denied' }],
    [404, undefined, { kind: 'missing' }],
    [429, '7', { kind: 'rate-limited', retryAfterSeconds: 7 }],
    [503, undefined, { kind: 'unavailable' }],
    [0, undefined, { kind: 'failed' }],
    [400, undefined, { kind: 'failed' }],
  ])('of %i', (status, retryAfter, failure) => {
    const found = classifyStatus(status, retryAfter);
    if (failure === null) expect(found).toBeNull();
    else expect(found).toMatchObject(failure);
  });
});

describe('retryAfterSeconds', () => {
  it.each([
    ['120', 120],
    ['Sat, 21 Nov 2026 00:01:30 GMT', 90],
    ['Sat, 21 Nov 2026 00:00:00 GMT', 0],
    ['soon', undefined],
    [undefined, undefined],
  ])('of "%s" is %s', (header, seconds) => {
    expect(retryAfterSeconds(header, Date.parse('2026-11-21T00:00:00Z'))).toBe(seconds);
  });
});

describe('pullError', () => {
  it('names who was asked, what for, and what to do', () => {
    expect(pullError({ kind: 'missing', detail: 'it answered with HTTP status 404' }, mirrored)).toMatchObject({
      code: 'images_missing',
      message:
        'golang:1.24 cannot be pulled. mirror.example does not have golang:1.24 (it answered with HTTP status 404).',
      hint: 'Copy it to the mirror as mirror.example/library/golang:1.24, or correct registries.docker.io.mirror.',
    });
  });
});

describe('fallsBack', () => {
  it.each([
    ['auto', 'unreachable', official, true],
    ['auto', 'denied', official, true],
    ['auto', 'denied', mirrored, false],
    ['auto', 'missing', mirrored, true],
    ['auto', 'disk-full', official, false],
    ['pull', 'missing', official, false],
  ] as const)('with %s when %s', (policy, kind, source, expected) => {
    expect(fallsBack(policy, { kind, detail: '' }, source)).toBe(expected);
  });
});
