/** What is known of an official image that an equivalent stands in for. */
export interface OfficialImage {
  /** Uncompressed bytes of its layers, as the source gives them: "126 MB". */
  readonly size: string;
  /** Of what it is there for. */
  readonly version: string;
  readonly source: keyof typeof officialSources;
}

/** Where the figures come from. Docker's own table says of each image what `docker inspect` shows, for amd64. */
export const officialSources = {
  'repo-info': 'https://github.com/docker-library/repo-info',
  distroless: 'https://github.com/GoogleContainerTools/distroless',
} as const;

/** By reference; of those that are not here, no source was at hand. */
export const officialImages: Readonly<Record<string, OfficialImage>> = {
  'debian:trixie-slim': { size: '79 MB', version: '13 (24 August 2026)', source: 'repo-info' },
  'debian:trixie': { size: '120 MB', version: '13.7', source: 'repo-info' },
  'busybox:latest': { size: '4.5 MB', version: '1.38.0', source: 'repo-info' },
  'python:3.13-slim': { size: '126 MB', version: '3.13.15', source: 'repo-info' },
  'python:3.13': { size: '1.1 GB', version: '3.13.15', source: 'repo-info' },
  'eclipse-temurin:21-jre': { size: '318 MB', version: '21.0.11', source: 'repo-info' },
  'eclipse-temurin:21-jdk': { size: '475 MB', version: '21.0.11', source: 'repo-info' },
  'maven:3-eclipse-temurin-21': { size: '539 MB', version: '3.9.16, Java 21.0.11', source: 'repo-info' },
  'gcr.io/distroless/static-debian13:latest': { size: 'about 2 MiB', version: 'Debian 13', source: 'distroless' },
};
