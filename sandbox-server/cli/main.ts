import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { ballastVersion } from './project.ts';
import { doctor } from './doctor.ts';
import { engineStop } from './engine.ts';
import { grade } from './grade.ts';
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
program.command('setup').description('set up what is missing, and stop').action(setup);
program.command('doctor').description('say what was found on this machine and what is wrong').action(doctor);
program
  .command('grade')
  .description('grade a submission in a fresh sandbox; exit status 0 passed, 1 failed, 2 usage, 3 could not grade')
  .argument('<lab>', 'id of the lab')
  .argument('<dir>', 'folder with the submission')
  .addOption(new Option('--format <format>', 'how to print the result').choices(['text', 'json']).default('text'))
  .action(grade);
program
  .command('verify')
  .description('prove each lab: its starter fails, its solution passes, each wrong case is caught')
  .argument('[labs...]', 'ids of the labs; all without')
  .action(verify);
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
