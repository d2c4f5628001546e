import type Docker from 'dockerode';

/** Removes whatever a run has made and not removed itself, by its label. */
export async function sweep(docker: Docker, hostId: string): Promise<void> {
  const filters = JSON.stringify({ label: [`ballast.host=${hostId}`] });
  for (const { Id } of await docker.listContainers({ all: true, filters })) {
    await docker.getContainer(Id).remove({ force: true, v: true });
  }
  for (const { Name } of (await docker.listVolumes({ filters })).Volumes) {
    await docker.getVolume(Name).remove({ force: true });
  }
}
