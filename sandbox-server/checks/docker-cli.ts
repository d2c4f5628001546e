/** The client inside the sandbox, by absolute path: a learner may put another `docker` first in PATH. */
export const dockerCli = '/usr/bin/docker';
