import { expect, it } from 'vitest';
import { makeContents } from '../../tests/helpers/contents.ts';
import { debianPackages, debianRelease } from './debian-packages.ts';

it.each([
  ['PRETTY_NAME="Debian GNU/Linux 13 (trixie)"\nVERSION_CODENAME=trixie\nID=debian\n', 'trixie'],
  ['ID="debian"\nVERSION_CODENAME="bookworm"\n', 'bookworm'],
  // As in distroless images.
  ['PRETTY_NAME="Distroless"\nID="debian"\nVERSION_ID="13"\nVERSION="Debian GNU/Linux 13 (trixie)"\n', 'trixie'],
  ['ID=ubuntu\nVERSION_CODENAME=noble\n', null],
  ['ID=debian\nVERSION_CODENAME=../../x\n', null],
  ['ID=debian\n', null],
  ['', null],
])('tells the release of a Debian image, and of no other: %j', (osRelease, release) => {
  expect(debianRelease(osRelease)).toBe(release);
});

it("calls architectures by Debian's names", () => {
  expect(debianPackages(makeContents([], { architecture: 'arm' })).architecture).toBe('armhf');
  expect(debianPackages(makeContents([], { architecture: 'wasm' })).architecture).toBeNull();
});
