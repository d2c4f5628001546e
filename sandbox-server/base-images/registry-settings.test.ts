import { describe, expect, it } from 'vitest';
import { configSchema, loadConfig } from '../config.ts';

const messageOf = (settings: unknown): string =>
  configSchema.safeParse({ registries: { 'docker.io': settings } }).error?.issues[0]?.message ?? 'accepted';

describe('registries', () => {
  it.each([
    { mirror: 'mirror.example' },
    { mirror: 'mirror.example:5000/proxy/hub', insecure: true },
    { mirror: 'http://192.0.2.1:5000/' },
    { mirror: 'https://[2001:db8::1]:5000' },
    { auth: { username: 'me', passwordFile: '/secret' } },
    { auth: { tokenFile: '/secret' }, waitSeconds: 0 },
    { auth: { dockerConfig: '/config.json' } },
  ])('takes %j', (settings) => {
    expect(messageOf(settings)).toBe('accepted');
  });

  it.each(['https://me:secret@mirror.example', 'ftp://mirror.example', 'mirror example', 'mirror?x', ''])(
    'does not take "%s" for a mirror',
    (mirror) => {
      expect(messageOf({ mirror })).toContain('expected host[:port][/prefix]');
    },
  );

  it.each([
    {},
    { username: 'me' },
    { passwordFile: '/secret' },
    { username: 'me', tokenFile: '/secret' },
    { tokenFile: '/secret', dockerConfig: '/config.json' },
  ])('does not take %j for credentials', (auth) => {
    expect(messageOf({ auth })).toContain('give username and passwordFile, or tokenFile, or dockerConfig');
  });

  it('take no secret itself', () => {
    expect(messageOf({ auth: { username: 'me', password: 'secret' } })).toMatch(/unrecognized/i);
  });

  it('take a mirror and the policy from the environment', () => {
    const config = loadConfig({ BALLAST_REGISTRY_MIRROR: 'mirror.example', BALLAST_IMAGES: 'pull' });
    expect(config.images).toBe('pull');
    expect(config.registries['docker.io']).toMatchObject({ mirror: 'mirror.example', insecure: false });
  });
});
