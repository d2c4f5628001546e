import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { openArena, systemCall, type Arena } from '../helpers/attack.ts';

let arena: Arena;

beforeAll(async () => {
  arena = await openArena();
});
afterAll(async () => {
  await arena[Symbol.asyncDispose]();
});
afterEach(async () => {
  await arena.othersAreWell();
});

/** What a script prints in the shell, and in a container with all powers. */
async function fromBoth(script: string): Promise<readonly [string, string]> {
  const shell = await arena.attacker.bash(script);
  const container = await arena.attacker.inContainer(script);
  return [shell.stdout, container.stdout];
}

/** Prints those of the files named on its input that can be opened for writing. */
const writable = `perl -e 'while (<STDIN>) { chomp; print "$_\\n" if open my $f, ">>", $_ }'`;

describe('from a shell and from a container with every capability', () => {
  test('--privileged: a container with all devices', async () => {
    const started = await arena.attacker.bash('docker run --rm --privileged debian:trixie-slim id');
    expect(started.exitCode).not.toBe(0);
    expect(started.stdout).toBe('');
  });

  test("the host's file system, through -v /:/host", async () => {
    // Its root is the sandbox's, whose own files belong to no user of the learner's.
    const { stdout } = await arena.attacker.inContainer(
      'ls /host/home; cat /host/etc/shadow /host/proc/1/environ; touch /host/usr/bin/mine /host/root/x && echo WRITTEN',
    );
    expect(stdout).toBe('learner\n');
    expect((await arena.attacker.bash('cat /etc/shadow; touch /usr/bin/mine /root/x && echo WRITTEN')).stdout).toBe('');
  });

  test("the host's devices: disks, memory, kernel log, mknod, --device", async () => {
    const look =
      'find /dev /host/dev -type b 2> /dev/null; ls /dev/mem /dev/kmem /dev/kmsg /dev/port /dev/loop-control /dev/kvm 2> /dev/null';
    expect(await fromBoth(look)).toEqual(['', '']);
    const make = `
      for kind in 'b 8 0' 'b 254 0' 'b 259 0' 'b 7 0' 'c 1 1' 'c 1 11' 'c 10 237'; do
        for dir in /tmp /host/home/learner /dev/shm /home/learner; do mknod $dir/device $kind && echo "MADE $kind"; done
      done 2> /dev/null
      true`;
    expect(await fromBoth(make)).toEqual(['', '']);
    // S_IFBLK | 0600, 8:0, from a user namespace of its own as well.
    const call = systemCall('mknodat', '-100, $path, 060600, 0x800, 0');
    expect((await arena.attacker.bash(`unshare --user --map-root-user bash -c ${quote(call)}`)).stdout).toBe(
      'mknodat EPERM\n',
    );
    const given = await arena.attacker.inContainer('ls /dev/vda', ['--device=/dev/vda', '--device=/dev/sda']);
    expect(given.exitCode).not.toBe(0);
  });

  test('mounts: block devices, fresh sysfs, debugfs, tracefs, a writable store', async () => {
    const attempts = `
      mkdir -p /tmp/m; cd /tmp
      for kind in ext4 xfs btrfs vfat iso9660; do for device in /dev/vda /dev/sda /dev/sda1 /dev/nvme0n1p1 /dev/dm-0; do
        mount -t $kind $device m && echo "MOUNTED $device"
      done; done
      for kind in sysfs debugfs tracefs securityfs configfs pstore bpf efivarfs binfmt_misc; do
        # bpf in a user namespace of its own is empty, and its system call is refused.
        [ $kind = bpf ] || { mount -t $kind x m && ls m && echo "MOUNTED $kind"; }
      done
      for store in /var/lib/ballast/store /host/var/lib/ballast/store; do
        [ -d $store ] && mount -o remount,rw,bind $store && echo "REMOUNTED $store"
      done
      true`;
    const inNamespace = `unshare --user --map-root-user --mount bash -uc ${quote(attempts)} 2> /dev/null`;
    const shell = await arena.attacker.bash(inNamespace);
    const container = await arena.attacker.inContainer(`( ${attempts} ) 2> /dev/null`);
    // binfmt_misc belongs to the user namespace since Linux 6.7: what is registered there is the learner's own.
    const ownHandlers = /^(register|status|MOUNTED binfmt_misc)\n/gm;
    expect([shell, container].map(({ stdout }) => stdout.replace(ownHandlers, ''))).toEqual(['', '']);
  });

  test('/proc and /sys: core_pattern, modprobe, sysrq-trigger, uevent_helper and all the rest', async () => {
    const find = `find /proc/sys /proc/sysrq-trigger /proc/irq /proc/bus /proc/acpi /proc/scsi /sys -type f 2> /dev/null | ${writable}`;
    const [shell, container] = await fromBoth(find);
    // Of the process-id namespace; the kernel still asks for a capability at the write.
    expect(shell).toMatch(/^(\/proc\/sys\/kernel\/ns_last_pid\n)?$/);
    expect((await arena.attacker.bash('echo 1 > /proc/sys/kernel/ns_last_pid')).exitCode).not.toBe(0);
    // What is left is of the container's own network, user and ipc namespaces.
    const foreign = container
      .split('\n')
      .filter(
        (path) =>
          !/^(\/proc\/sys\/(net|user|fs\/mqueue)\/.*|\/proc\/sys\/kernel\/(ns_last_pid|sem|sem_next_id|msg.*|shm.*|auto_msgmni))?$/.test(
            path,
          ),
      );
    expect(foreign).toEqual([]);
  });

  test('kernel memory and log: kcore, kmsg, kallsyms, dmesg', async () => {
    const read =
      'head -c 1 /proc/kcore /proc/kmsg /host/proc/kcore /host/proc/kmsg /dev/kmsg 2> /dev/null; dmesg 2> /dev/null; true';
    expect(await fromBoth(read)).toEqual(['', '']);
    expect(await fromBoth(systemCall('syslog', '3, $buffer, 64, 0, 0'))).toEqual(['syslog EPERM\n', 'syslog EPERM\n']);
    expect(await fromBoth("awk '$1 !~ /^0+$/' /proc/kallsyms | head -c 100")).toEqual(['', '']);
  });

  test.each([
    ['kernel modules', ['init_module', 'finit_module', 'delete_module', 'kexec_load'], 'EPERM'],
    ['bpf, perf_event_open', ['bpf', 'perf_event_open'], 'EPERM'],
    ['io_uring', ['io_uring_setup'], 'EPERM'],
    ['userfaultfd', ['userfaultfd'], 'EPERM'],
    ['keyctl, add_key: keyrings, whose quota all sandboxes share', ['keyctl', 'add_key'], 'ENOSYS'],
    ['open_by_handle_at: files by number, past every mount', ['open_by_handle_at'], 'EPERM'],
    ['accounting, quotas, swap, clock', ['acct', 'quotactl', 'swapon', 'settimeofday'], 'EPERM'],
  ] as const)('%s', async (_attack, names, error) => {
    const expected = names.map((name) => `${name} ${error}\n`).join('');
    expect(await fromBoth(names.map((name) => systemCall(name)).join(''))).toEqual([expected, expected]);
  });

  test('reboot', async () => {
    // LINUX_REBOOT_CMD_RESTART, with its magic numbers. In a process-id namespace of its own it would end that alone.
    const call = systemCall('reboot', '0xfee1dead, 672274793, 0x01234567, 0');
    expect(await fromBoth(call)).toEqual(['reboot EPERM\n', 'reboot EPERM\n']);
  });

  test('processes outside: ptrace, /proc/1, signals, nsenter', async () => {
    const attach = systemCall('ptrace', '16, 1, 0, 0');
    const touch = `
      head -c 1 /proc/1/mem; cat /proc/1/environ; ls /proc/1/root/; kill -9 1 && echo KILLED
      nsenter --target 1 --mount --pid id; nsenter --target 1 --user id
      true`;
    const shell = await arena.attacker.bash(`${attach}{ ${touch} } 2> /dev/null`);
    expect(shell.stdout).toBe('ptrace EPERM\n');
    // Process 1 is root's: it is no process of the learner's.
    const container = await arena.attacker.inContainer(`ps 2> /dev/null; ${attach}{ ${touch} } 2> /dev/null`);
    expect(container.stdout).toBe('ptrace EPERM\n');
    // It sees its own sandbox's processes and no others'.
    const marked = arena.neighbour.bash('exec -a neighbours-secret sleep 3');
    const seen = await fromBoth(
      'cat /proc/[0-9]*/cmdline 2> /dev/null | tr "\\\\0" "\\n" | grep -c "^neighbours-secre[t]$"; true',
    );
    expect(seen).toEqual(['0\n', '0\n']);
    await marked;
  });

  test('cgroups: release_agent, notify_on_release, leaving or raising the own limits', async () => {
    const attempts = `
      mkdir -p /tmp/c; cd /tmp
      for options in '-t cgroup2 c' '-t cgroup -o memory c' '-t cgroup -o rdma c' '-t cgroup -o pids c' '-t cgroup -o none,name=mine c'; do
        mount $options c 2> /dev/null && { find c -type f | ${writable}; mkdir c/child 2> /dev/null && echo MADE; umount c; }
      done
      find /sys/fs/cgroup /host/sys/fs/cgroup -type f 2> /dev/null | ${writable}
      find /sys/fs/cgroup /host/sys/fs/cgroup -type d -exec mkdir {}/child ';' -print 2> /dev/null | head -3
      true`;
    const own = `unshare --user --map-root-user --mount --cgroup bash -uc ${quote(attempts)}`;
    expect((await arena.attacker.bash(own)).stdout.replace(/^\/sys\/fs\/cgroup.*\n/gm, '')).toBe('');
    expect((await arena.attacker.inContainer(attempts)).stdout.replace(/^(\/host)?\/sys\/fs\/cgroup.*\n/gm, '')).toBe(
      '',
    );
    expect(
      (await arena.attacker.bash('find /sys/fs/cgroup -name child -o -name "*release_agent" -writable')).stdout,
    ).toBe('');
  });

  test('setuid: programs of the image, and those that root of a container leaves behind', async () => {
    expect((await arena.attacker.bash('find / -xdev -perm /6000 -type f 2> /dev/null')).stdout).toBe('');
    await arena.attacker.inContainer(
      'cp /bin/bash /host/home/learner/as-root; chmod 6755 /host/home/learner/as-root; cp /bin/bash /host/home/learner/as-other; chown 33 /host/home/learner/as-other; chmod 6755 /host/home/learner/as-other',
    );
    const uids = await arena.attacker.bash(
      'stat -c %u as-root as-other; ./as-root -pc "id -u"; ./as-other -pc "id -u"; rm -f as-root as-other',
    );
    const [rootFile, otherFile, asRoot, asOther] = uids.stdout.split('\n');
    expect([rootFile, asRoot]).toEqual(['1000', '1000']);
    // A subordinate id: nobody on the host.
    expect(Number(otherFile)).toBeGreaterThanOrEqual(100_000);
    expect(asOther).toBe(otherFile);
  });

  test('newuidmap: a map of the real root', async () => {
    const map =
      'unshare --user sleep 5 & pid=$!; sleep 0.2; newuidmap $pid 0 0 1; echo $?; newgidmap $pid 0 0 1; echo $?; kill $pid';
    expect((await arena.attacker.bash(map)).stdout).toBe('1\n1\n');
  });
});

function quote(script: string): string {
  return `'${script.replaceAll("'", `'\\''`)}'`;
}
