/** How the equivalents of a repository differ from its official images, in words for the docs: by the start of a reference. */
const differences: Readonly<Record<string, string>> = {
  'debian:trixie-slim': 'Made by mmdebstrap from the same packages with the same exclusions.',
  'debian:trixie': 'On top of `debian:trixie-slim` (its layer is shared) instead of one layer.',
  'golang:': 'Go and gcc from Debian. No Mercurial, Subversion, OpenSSH client.',
  'busybox:': "Debian's static busybox; the official one is linked against its own glibc and has a few more applets.",
  'python:':
    "Debian's Python moved to /usr/local, with pip in site-packages. No setuptools; no Tk; no ImageMagick, database clients or their headers in the full image.",
  'node:':
    "Debian's Node.js and npm (npm 9, the official image has 10), linked from /usr/local; shared libraries instead of bundled ones. No yarn. The full image lacks the database clients and image libraries.",
  'rust:':
    "Debian's rustup with the toolchain that the official image has, from the same place. On Debian 13, the official one on 12.",
  'eclipse-temurin:':
    "Debian's OpenJDK 21 without graphics, on Debian instead of Ubuntu; with jmods in the development kit, so jlink works, but without the binutils that its `--strip-debug` wants: say `--strip-java-debug-attributes`.",
  'maven:': "Debian's Maven 3.9 on the development kit above; on Debian instead of Ubuntu.",
  'gcr.io/distroless/static-debian13:':
    "The same packages and files. `:debug` has Debian's busybox (1.37); its shell is started by /busybox/sh as in the official one.",
  'gcr.io/distroless/base-debian13:': 'The same packages.',
  'gcr.io/distroless/cc-debian13:': 'The same packages.',
  'gcr.io/distroless/python3-debian13:': 'The same packages, without a linker cache.',
  'gcr.io/distroless/nodejs20-debian13:':
    "Debian's Node.js with shared libraries instead of the makers' own build. The official one is no longer updated (Node.js 20 reached its end in April 2026).",
  'gcr.io/distroless/java21-debian13:':
    "Debian's OpenJDK 21 in /usr/lib/jvm/java-21-openjdk-* instead of Temurin; has OpenSSL and libgomp besides.",
};

/** What is said of a reference; empty where nothing is. */
export function differenceOf(ref: string): string {
  return Object.entries(differences).find(([start]) => ref.startsWith(start))?.[1] ?? '';
}
