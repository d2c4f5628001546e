import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { languageTracks } from '../base-images/tracks.ts';
import { reportFormats } from '../grading/index.ts';
import { byteSize, duration } from '../labs/quantities.ts';
import { bench } from './bench.ts';
import { budget } from './budget.ts';
import { ballastVersion } from './project.ts';
import { cves } from './cves.ts';
import { doctor } from './doctor.ts';
import { engineStop } from './engine.ts';
import { grade } from './grade.ts';
import { kitExport, kitImport } from './kit.ts';
import { measure } from './measure.ts';
import { report } from './report.ts';
import { setup } from './setup.ts';
import { start } from './start.ts';
import { verify } from './verify.ts';

/** Exit statuses of the design: 2 is usage. */
const usageStatus = 2;

function toPort(value: string): number {
  const port = Number(value);
  if (!Number.isInteger(port) || port < 0 || port > 65535) throw new InvalidArgumentError('A port is 0 to 65535.');
  return port;
}

function toCount(value: string): number {
  const count = Number(value);
  if (!Number.isInteger(count) || count < 1 || count > 64) throw new InvalidArgumentError('A number from 1 to 64.');
  return count;
}

/** "5%" as 0.05. */
function toShare(value: string): number {
  const [, number] = /^(\d+(?:\.\d+)?) ?%$/.exec(value) ?? [];
  if (number === undefined) throw new InvalidArgumentError('Write it as "5%".');
  return Number(number) / 100;
}

/** A reader of an option's value that a schema of the labs reads. */
const reading =
  (schema: typeof duration) =>
  (value: string): number => {
    const parsed = schema.safeParse(value);
    if (parsed.success) return parsed.data;
    throw new InvalidArgumentError(parsed.error.issues[0]?.message ?? '');
  };
const toDuration = reading(duration);
const toBytes = reading(byteSize);

// The reader of a pipe may leave early (`ballast doctor | head`): nobody is left to tell.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  process.exit(error.code === 'EPIPE' ? 0 : 1);
});

const program = new Command('ballast')
  .description('A hands-on workshop on shipping small, hard container images.')
  .version(ballastVersion())
  .showHelpAfterError()
  .exitOverride();

program
  .command('start')
  .description('set up what is missing, then serve the workshop')
  .option('--port <number>', 'port to listen on; 0 picks a free one', toPort)
  .option('--host <address>', 'address to listen on')
  .action(start);
program
  .command('setup')
  .description('set up what is missing, and stop')
  .addOption(
    new Option('--track <name...>', 'further base images, kept from now on').choices([...languageTracks, 'all']),
  )
  .option('--lab <id...>', 'the base images of a lab, kept from now on')
  .action(setup);
program.command('doctor').description('say what was found on this machine and what is wrong').action(doctor);
program
  .command('grade')
  .description('grade submissions, each in a fresh sandbox; exit status 0 passed, 1 failed, 2 usage, 3 could not grade')
  .argument('<lab>', 'id of the lab')
  .argument('<submission...>', 'folder, tar or gzipped tar; "-" for a tar on standard input')
  .addOption(new Option('--format <format>', 'how to print the result').choices(reportFormats).default('text'))
  .option('--jobs <number>', 'submissions at the same time', toCount, 1)
  .option('--csv <file>', 'write the scores to a file, a line as each is graded')
  .option('--timeout <time>', 'longest time for one submission, such as 90s or 10m', toDuration, 600_000)
  .option('--memory <size>', "memory of one submission's sandbox, such as 2GiB", toBytes)
  .action(grade);
program
  .command('verify')
  .description('prove each lab: its starter fails, its solution passes, each wrong case is caught')
  .argument('[labs...]', 'ids of the labs; all without')
  .option('--jobs <number>', 'sandboxes at the same time; as many as the machine bears without', toCount)
  .option('--only <cases...>', 'prove these alone: "starter", "solution", names of wrong cases; for one lab')
  .addOption(new Option('--format <format>', 'how to print the proofs').choices(['text', 'json']).default('text'))
  .action(verify);
program
  .command('budget')
  .description(
    'fail when an image has grown too much; exit status 0 within the budget, 1 past it, 2 usage, 3 could not tell',
  )
  .argument('<image>', 'image of the Docker Engine, "./FILE" or "FILE.tar" of "docker save", or "-" for standard input')
  .requiredOption('--baseline <file>', 'what the image weighed; commit it with the sources')
  .option('--max-growth <percent>', 'how much it may grow, such as 5%', toShare, 0.05)
  .option('--update', 'write the baseline anew')
  .action(budget);
const kit = program.command('kit').description('carry all that is set up to a machine without a network');
kit
  .command('export')
  .description('pack the sandbox image, the base images, the site and the dependencies into one file')
  .argument('<file>', 'file to write, such as ballast.kit')
  .action(kitExport);
kit
  .command('import')
  .description('bring what is in such a file to this machine; nothing is fetched')
  .argument('<file>', 'file that "ballast kit export" wrote')
  .action(kitImport);
program
  .command('measure')
  .description('measure what lessons quote, by measurements/recipes.yaml, into measurements/results.json')
  .action(measure);
program
  .command('bench')
  .description('measure this machine: Ballast beside Docker-in-Docker and other web terminals')
  .option('--quick', 'a short run, for a first impression')
  .option('--out <folder>', 'where to write the figures; docs/ without')
  .action(bench);
program
  .command('cves')
  .description(
    "count the CVEs that Debian's updates would fix in an image; exit status 0 counted, 2 usage, 3 could not tell",
  )
  .argument('[image]', 'image of the Docker Engine, "./FILE" or "FILE.tar" of "docker save", or "-" for standard input')
  .addOption(new Option('--format <format>', 'how to print the result').choices(['text', 'json']).default('text'))
  .option('--out <file>', 'write the measurement to a file, as JSON; commit it where a lesson quotes it')
  .option('--fetch <release...>', 'fetch what is looked up of a release of Debian, such as trixie, for later')
  .action(cves);
program
  .command('engine')
  .description('the Docker Engine that set-up started')
  .command('stop')
  .description('end it')
  .action(engineStop);

try {
  await program.parseAsync();
} catch (error) {
  process.exitCode = error instanceof CommanderError ? (error.exitCode === 0 ? 0 : usageStatus) : report(error);
}
