import type { Logger } from 'pino';
import type { BuiltInRegistry } from '../base-images/built-in-registries.ts';
import { Gateway, type ClientSettings } from './gateway.ts';
import { askPackageClients, registriesOfImages } from './package-clients.ts';
import type { GatewaySettings } from './settings.ts';

const noClients: ClientSettings = {
  registries: [],
  aliases: [],
  environment: {},
  mavenMirror: null,
  oldReleases: false,
};

/**
 * The gateway of this machine: its package clients, its proxy, its authorities. Close it when all is over.
 * @param builtIn registries that the clients in the base images use, for those clients that the machine has not
 */
export function createGateway(
  config: { readonly gateway: GatewaySettings; readonly home: string; readonly extraCa?: string | undefined },
  logger: Logger,
  builtIn: () => readonly BuiltInRegistry[],
): Gateway {
  const { gateway: settings, home, extraCa } = config;
  return new Gateway({
    settings,
    home,
    extraCa,
    environment: process.env,
    clients: () => (settings.fromClients ? askPackageClients(process.env) : Promise.resolve(noClients)),
    further: (machine) => (settings.fromClients ? registriesOfImages(builtIn(), machine) : []),
    logger,
  });
}
