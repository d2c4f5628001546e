import { describe, expect, it } from 'vitest';
import { chooseMirror, debianSources } from './debian-mirror.ts';

const lines = (...sources: readonly string[]): string => sources.join('\n');

describe('chooseMirror', () => {
  it("takes the host's mirror and its security mirror", () => {
    const output = lines(
      'http://mirror.example/debian/|bookworm|main',
      'http://mirror.example/debian/|bookworm-updates|main',
      'http://mirror.example/security/|bookworm-security|main',
      'http://mirror.example/debian/|bookworm|contrib',
    );
    expect(chooseMirror(output, 'bookworm')).toEqual({
      main: 'http://mirror.example/debian',
      security: 'http://mirror.example/security',
    });
  });

  it("is not misled by third parties that use Debian's suite names", () => {
    const output = lines(
      'https://vendor.example/apt/|bookworm|main',
      'https://packages.example/|cloud-sdk-bookworm|main',
      'http://mirror.example/pub/linux|stable|main',
      'http://mirror.example/pub/linux|stable-updates|main',
    );
    expect(chooseMirror(output, 'bookworm')).toEqual({ main: 'http://mirror.example/pub/linux', security: null });
  });

  it('finds a mirror without updates by its path', () => {
    expect(chooseMirror('http://mirror.example/debian|trixie|main', 'trixie')?.main).toBe(
      'http://mirror.example/debian',
    );
  });

  it('is null when there is none, and for what is not fetched by http', () => {
    expect(chooseMirror('', 'bookworm')).toBeNull();
    expect(chooseMirror('cdrom:[Debian]/|bookworm|main', 'bookworm')).toBeNull();
  });
});

describe('debianSources', () => {
  it('has the suite, its updates and its security updates', () => {
    const text = debianSources({ main: 'http://m.example/debian', security: 'http://m.example/security' }, 'trixie');
    expect(text).toContain('URIs: http://m.example/debian\nSuites: trixie trixie-updates\n');
    expect(text).toContain('URIs: http://m.example/security\nSuites: trixie-security\n');
    expect(debianSources({ main: 'http://m.example/debian', security: null }, 'trixie')).not.toContain('security');
  });
});
