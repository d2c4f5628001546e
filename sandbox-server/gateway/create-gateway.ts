import type { Logger } from 'pino';
import { Gateway, type ClientSettings } from './gateway.ts';
import { askPackageClients } from './package-clients.ts';
import type { GatewaySettings } from './settings.ts';

const noClients: ClientSettings = {
  registries: [],
  aliases: [],
  environment: {},
  mavenMirror: null,
  oldReleases: false,
};

/** The gateway of this machine: its package clients, its proxy, its authorities. Close it when all is over. */
export function createGateway(
  config: { readonly gateway: GatewaySettings; readonly home: string; readonly extraCa?: string | undefined },
  logger: Logger,
): Gateway {
  const { gateway: settings, home, extraCa } = config;
  return new Gateway({
    settings,
    home,
    extraCa,
    environment: process.env,
    clients: () => (settings.fromClients ? askPackageClients(process.env) : Promise.resolve(noClients)),
    logger,
  });
}
