import { posix } from 'node:path';
import type { LayerEntry } from './image-reader.ts';

/** What a program that somebody broke into the container with could be used for. */
export type ExecutableClass = 'shell' | 'package-manager' | 'compiler' | 'interpreter' | 'network-tool';

const version = String.raw`(-?\d+(\.\d+)*)?`;

const names: readonly (readonly [ExecutableClass, RegExp])[] = [
  ['shell', /^(sh|bash|rbash|dash|ash|zsh|ksh|mksh|fish|busybox|toybox)$/],
  [
    'package-manager',
    /^(apt|apt-get|aptitude|dpkg|apk|dnf5?|microdnf|yum|rpm|zypper|pacman|opkg|pip[\d.]*|npm|yarn|pnpm|gem)$/,
  ],
  [
    'compiler',
    // A service may well be called "hello-go": what is shorter than a name of its own counts as a whole.
    /^(.+-)?(gcc|g\+\+|gfortran|gccgo|cc1(plus)?|clang|clang\+\+|tcc|rustc|javac|ghc)(-\d+(\.\d+)*)?$|^(cc|c\+\+|as|ld|go|cargo)$/,
  ],
  ['interpreter', new RegExp(`^(python|perl|ruby|node|nodejs|php|lua|tclsh|gawk|mawk|guile|java)${version}$`)],
  ['network-tool', /^(curl|wget|nc|ncat|netcat|nc\.openbsd|nc\.traditional|socat|telnet|ssh|scp|ftp|nmap|tcpdump)$/],
];

/** A link counts: it is a way to call the program, wherever that lies. */
export function isProgram(entry: LayerEntry): boolean {
  if (entry.type === 'symlink' || entry.type === 'hardlink') return /(^|\/)s?bin\/[^/]+$/.test(entry.path);
  return entry.type === 'file' && (entry.mode & 0o111) !== 0;
}

/** What kind of program an entry is, by its name; undefined for any other program and for what is none. */
export function executableClass(entry: LayerEntry): ExecutableClass | undefined {
  if (!isProgram(entry)) return undefined;
  const name = posix.basename(entry.path);
  return names.find(([, pattern]) => pattern.test(name))?.[0];
}

/** A program that runs as its owner or group, whoever starts it. */
export function isSetuid(entry: LayerEntry): boolean {
  return entry.type === 'file' && (entry.mode & 0o111) !== 0 && (entry.mode & 0o6000) !== 0;
}
