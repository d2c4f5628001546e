import { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import type { RegistryCredentials } from '../engines/engine.ts';
import { BallastError } from '../protocol/index.ts';
import { dockerConfig, readCredentials } from './credentials.ts';
import { classifyPullText, concernsRegistry, type PullFailure } from './pull-failure.ts';
import { Patience, pullPatiently } from './pull-patience.ts';
import { pullSource, type PullSource } from './pull-source.ts';
import { RegistryProbe } from './registry-probe.ts';
import type { Registries } from './registry-settings.ts';
import type { Seeder } from './seeder.ts';

/** In memory: what is written here is on no disk and in no volume. */
const secretDir = '/dev/shm/ballast-pull';
const engineConfig = '/home/learner/.config/docker/daemon.json';
const systemCa = '/etc/ssl/certs/ca-certificates.crt';
const caFile = '/dev/shm/ballast-ca.crt';
const reloadMs = 10_000;
const reloadPollMs = 50;

type Report = (text: string) => void;

/** Pulls images into the seeder's engine, from where the configuration says. */
export class ImagePuller {
  readonly #seeder: Seeder;
  readonly #registries: Registries;
  readonly #extraCa: string;
  readonly #patience = new Map<string, Patience>();
  /** Registries that need not be asked again, with the reason. */
  readonly #givenUp = new Map<string, PullFailure>();
  #probe: Promise<RegistryProbe> | undefined;

  /** @param extraCa PEM text of further authorities, or empty. */
  constructor(seeder: Seeder, registries: Registries, extraCa: string) {
    this.#seeder = seeder;
    this.#registries = registries;
    this.#extraCa = extraCa;
  }

  /** Where `pull` pulls a reference from. */
  source(ref: string): PullSource {
    return pullSource(ref, this.#registries);
  }

  /**
   * Have an image in the seeder's engine under its reference. Credentials are there only for as long as it takes.
   * @returns null when it is there, else why not.
   * @throws BallastError config_invalid for credentials that cannot be read.
   */
  async pull(ref: string, report: Report): Promise<PullFailure | null> {
    const source = this.source(ref);
    const known = this.#givenUp.get(source.host);
    if (known !== undefined) return known;
    const credentials = await readCredentials(source);
    const probe = await (this.#probe ??= this.#prepare());
    const patience = this.#patience.get(source.host) ?? new Patience(source.waitSeconds);
    this.#patience.set(source.host, patience);
    const failure = await pullPatiently(
      async () => (await probe.ask(source, credentials)) ?? (await this.#fetch(source, credentials, report)),
      { patience, host: source.host, report },
    );
    if (failure !== null && concernsRegistry(failure)) this.#givenUp.set(source.host, failure);
    return failure;
  }

  /** Tells the seeder's engine and its curl whom to trust. */
  async #prepare(): Promise<RegistryProbe> {
    const seeder = this.#seeder;
    await seeder.run(['/bin/sh', '-c', 'cat "$1" - > "$2"', 'sh', systemCa, caFile], {
      stdin: Readable.from([Buffer.from(`\n${this.#extraCa}`)]),
    });
    const hosts = Object.entries(this.#registries)
      .map(([registry]) => this.source(`${registry}/any:any`))
      .filter(({ insecure }) => insecure)
      .map(({ host }) => host);
    if (hosts.length > 0) await this.#allowInsecure(hosts);
    return new RegistryProbe(seeder, caFile);
  }

  async #allowInsecure(hosts: readonly string[]): Promise<void> {
    const script = 'mkdir -p "${1%/*}" && cat > "$1" && kill -HUP "$(cat "$XDG_RUNTIME_DIR/docker.pid")"';
    const config = JSON.stringify({ 'insecure-registries': hosts });
    await this.#seeder.run(['/bin/sh', '-c', script, 'sh', engineConfig], {
      stdin: Readable.from([Buffer.from(config)]),
    });
    // The engine reads it some time after the signal, and says so nowhere but here.
    const deadline = Date.now() + reloadMs;
    const show = ['/usr/bin/docker', 'info', '--format', '{{json .RegistryConfig.IndexConfigs}}'];
    for (;;) {
      const known = await this.#seeder.run(show);
      if (hosts.every((host) => known.includes(JSON.stringify(host)))) return;
      if (Date.now() > deadline)
        throw new BallastError('setup_failed', { message: "The seeder's engine did not take its new configuration." });
      await delay(reloadPollMs);
    }
  }

  async #fetch(
    source: PullSource,
    credentials: RegistryCredentials | undefined,
    report: Report,
  ): Promise<PullFailure | null> {
    const { ref, pullRef } = source;
    const seeder = this.#seeder;
    try {
      if (credentials !== undefined) {
        await seeder.run(['/bin/sh', '-c', 'umask 077 && mkdir -p "$1" && cat > "$1/config.json"', 'sh', secretDir], {
          stdin: Readable.from([Buffer.from(dockerConfig(source, credentials))]),
        });
      }
      const { exitCode, lastLines } = await seeder.try(['/usr/bin/docker', 'pull', pullRef], {
        env: { DOCKER_CONFIG: secretDir },
        onLine: report,
      });
      if (exitCode !== 0) return classifyPullText(lastLines);
    } finally {
      await seeder.run(['/bin/rm', '-rf', secretDir]);
    }
    if (pullRef !== ref) {
      await seeder.run(['/usr/bin/docker', 'tag', pullRef, ref]);
      await seeder.run(['/usr/bin/docker', 'rmi', '--no-prune', pullRef]);
    }
    return null;
  }
}
