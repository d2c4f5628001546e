import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { TestAuthority } from '../tests/helpers/authority.ts';
import { readExtraCa } from './extra-ca.ts';
import { examineExtraCa } from './setup/examine.ts';

const folder = mkdtempSync(join(tmpdir(), 'ballast-extra-ca-'));
const file = (name: string, text: string | Buffer): string => {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
};
afterAll(() => {
  rmSync(folder, { recursive: true });
});

const [one, two] = [new TestAuthority('one'), new TestAuthority('two', 90)];
const dayMs = 24 * 3600 * 1000;

describe('the file that extraCa names', () => {
  it('gives its certificates, each once, and nothing else that is in it', () => {
    const text = `# of the house\r\n${one.certificate}-----BEGIN PRIVATE KEY-----\nMAo=\n-----END PRIVATE KEY-----\n`;
    const { certificates, pem } = readExtraCa(file('both', `${text}${two.certificate}${one.certificate}`));
    expect(certificates.map(({ subject }) => subject)).toEqual(['O=Ballast tests\nCN=one', 'O=Ballast tests\nCN=two']);
    expect(pem).toBe(`${one.certificate}${two.certificate}`);
    expect(readExtraCa(undefined)).toEqual({ certificates: [], pem: '' });
  });

  it.each([
    ['is not there', () => join(folder, 'none'), /cannot be read \(ENOENT\)/],
    ['is a folder', () => folder, /cannot be read \(EISDIR\)/],
    ['is empty', () => file('empty', ''), /holds no certificate in PEM form/],
    ['is binary', () => file('der', Buffer.from([0x30, 0x82, 1, 2, 0xff])), /holds no certificate in PEM form/],
    [
      'has a certificate cut short',
      () => file('cut', one.certificate.replace(/\n.{10}/, '\n')),
      /one of its certificates cannot be understood/,
    ],
  ])('that %s is refused with its name, and doctor says so', (_what, path, reason) => {
    const at = path();
    const wrong = { code: 'config_invalid', message: expect.stringMatching(reason) as string };
    expect(() => readExtraCa(at)).toThrow(expect.objectContaining(wrong) as Error);
    expect(() => readExtraCa(at)).toThrow(at);
    expect(examineExtraCa(at)).toEqual([
      {
        title: 'Extra CA',
        status: 'bad',
        detail: expect.stringMatching(reason) as string,
        hint: expect.stringContaining('PEM file') as string,
      },
    ]);
  });
});

describe('doctor', () => {
  it('shows file, subjects and ends of the authorities, and which will not do', () => {
    const now = Date.now();
    const leaf = one.sign('leaf.test').certificate;
    const path = file('all', `${two.certificate}${one.certificate}${leaf}`);
    const found = examineExtraCa(path, now);
    expect(found[0]).toMatchObject({ status: 'ok', detail: `3 in ${path}` });
    const end = new Date(now + 90 * dayMs).toISOString().slice(0, 7);
    expect(found[1]).toMatchObject({
      status: 'ok',
      detail: expect.stringMatching(`^O=Ballast tests, CN=two, until ${end}`) as string,
    });
    expect(found[2]).toMatchObject({ status: 'warn', detail: expect.stringMatching(/CN=one.* days left$/) as string });
    expect(found[3]).toMatchObject({ status: 'warn', detail: expect.stringContaining('it is no authority') as string });
    expect(examineExtraCa(path, now + 100 * dayMs)[1]).toMatchObject({
      status: 'warn',
      detail: expect.stringContaining('it has expired') as string,
    });
    expect(examineExtraCa(path, now - dayMs)[1]).toMatchObject({
      status: 'warn',
      detail: expect.stringContaining('it is not valid yet') as string,
    });
    expect(examineExtraCa(undefined)).toMatchObject([{ status: 'ok' }]);
  });
});
