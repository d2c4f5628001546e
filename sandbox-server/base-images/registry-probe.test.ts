import { describe, expect, it } from 'vitest';
import { parseAnswer, parseChallenge } from './registry-probe.ts';

describe('parseAnswer', () => {
  it('gives status, headers by their names in small letters, and body', () => {
    const { status, headers, body } = parseAnswer('HTTP/1.1 200 OK\r\nContent-Type: a/b\r\n\r\n{"token":"x"}\n\nmore');
    expect(status).toBe(200);
    expect(headers.get('content-type')).toBe('a/b');
    expect(body).toBe('{"token":"x"}\n\nmore');
  });

  it("passes over a proxy's answer", () => {
    const text = 'HTTP/1.1 200 Connection established\r\n\r\nHTTP/2 429 \r\nretry-after: 3\r\n\r\n';
    expect(parseAnswer(text)).toMatchObject({ status: 429, body: '' });
    expect(parseAnswer(text).headers.get('retry-after')).toBe('3');
  });

  it('gives status 0 for what is no answer', () => {
    expect(parseAnswer('')).toMatchObject({ status: 0, body: '' });
  });
});

describe('parseChallenge', () => {
  it('reads where a token is to be had', () => {
    const { scheme, parameters } = parseChallenge(
      'Bearer realm="https://auth.example/token",service="registry",scope="repository:a/b:pull,push"',
    );
    expect(scheme).toBe('bearer');
    expect(Object.fromEntries(parameters)).toEqual({
      realm: 'https://auth.example/token',
      service: 'registry',
      scope: 'repository:a/b:pull,push',
    });
    expect(parseChallenge('Basic realm="x"').scheme).toBe('basic');
    expect(parseChallenge('').scheme).toBe('');
  });
});
