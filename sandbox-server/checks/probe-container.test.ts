import { expect, it } from 'vitest';
import { isImageFault } from './probe-container.ts';

const oci = (cause: string): string =>
  `docker: Error response from daemon: failed to create task for container: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: ${cause}: unknown\n\nRun 'docker run --help' for more information`;

it.each([
  oci('error during container init: exec: "/nope": stat /nope: no such file or directory'),
  oci('exec: "/data": permission denied'),
  oci('exec: "serve": executable file not found in $PATH'),
  oci('exec: "/": is a directory'),
  oci('chdir to cwd ("/private") set in config.json failed: permission denied'),
  // What an image calls its program says nothing of the machine.
  oci('exec: "/no space left on device": stat /no space left on device: no such file or directory'),
  'docker: Error response from daemon: No command specified: no command specified',
  'docker: Error response from daemon: unable to find user nobody2: no matching entries in passwd file',
  'OCI runtime exec failed: exec failed: unable to start container process: exec: "/busybox": stat /busybox: no such file or directory: unknown',
])('is the fault of the image: %s', (error) => {
  expect(isImageFault(error)).toBe(true);
});

it.each([
  oci('error mounting "proc" to rootfs at "/proc": mount: permission denied'),
  oci('unable to apply cgroup configuration: mkdir /sys/fs/cgroup/x: no space left on device'),
  oci('error during container init: open /dev/null: permission denied'),
  'docker: Error response from daemon: mkdir /home/learner/.local/share/docker/overlay2/x: no space left on device',
  'docker: Cannot connect to the Docker daemon at unix:///run/user/1000/docker.sock. Is the docker daemon running?',
  'docker: permission denied while trying to connect to the Docker daemon socket at unix:///run/user/1000/docker.sock: dial unix /run/user/1000/docker.sock: connect: permission denied',
  'docker: error during connect: dial unix /run/user/1000/docker.sock: connect: no such file or directory',
  'docker: Error response from daemon: failed to start shim: start failed: exec: "containerd-shim-runc-v2": executable file not found in $PATH: unknown',
])('is not: %s', (error) => {
  expect(isImageFault(error)).toBe(false);
});
