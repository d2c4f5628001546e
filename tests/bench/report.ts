import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { format, resolveConfig } from 'prettier';
import { formatSize, toMarkdown, toText } from './format.ts';
import { plotEcho, plotStarts } from './plot.ts';
import { benchResults, type BenchResults } from './results.ts';
import { crowdTable, sandboxTable, startTable, terminalTable } from './tables.ts';

function toPage(results: BenchResults): string {
  const { machine, images, powers, comparedAt, missing, wetty, quick } = results;
  return `<!-- Written by "npx ballast bench". -->

# Beside the usual way

All figures on this page were measured in one run of \`npx ballast bench\`${quick ? ' `--quick`' : ''} on ${results.at.slice(0, 10)}, each way taking turns
with the others. Figures are medians; in brackets, the least and the most that was measured. [bench.json](bench.json)
has more of them.

- Machine: ${machine.processor}, ${String(machine.cores)} cores, ${formatSize(machine.memory)} of memory, Linux ${machine.kernel}, Docker Engine
  ${machine.engine} (${machine.storageDriver}, control groups version ${machine.cgroups}); load average before: ${machine.loadBefore.toFixed(1)}.
- Base images: ${String(images.refs.length)} (${formatSize(images.tarBytes)} as a tar): ${images.refs.map((ref) => `\`${ref}\``).join(', ')}.
- The usual way: the same engine, out of the same image, as root in a container (${powers}; no seccomp profile),
  its data on a volume, as other workshops give it to each learner. It has its base images once it has loaded them
  from a tar, or pulled them from a registry on the same machine.

## Until there is a prompt

A prompt at which all base images are there. Ballast's time begins with the request over HTTP and ends with the prompt on
its WebSocket; the other's begins with the start of its container and ends with the prompt of a \`docker exec\`.

${toMarkdown(startTable(results))}

![Time to a prompt, as bars](images/bench-starts.svg)

The usual way could have a pool too. Each place in it would take the disk and the memory below.

## What a sandbox takes

The build is the solution of the lab \`${results.lab}\`. Memory is what the control group is charged with, less file cache; as
PSS, pages shared with other processes count in part.

${toMarkdown(sandboxTable(results))}

## The terminal

A shell in one sandbox, typed in while ${String(comparedAt)} are open and two more build without a pause; "quiet" is with nothing
else going on. The bare way is the engine's own API, without the \`docker\` program.

${toMarkdown(terminalTable(results))}

![Share of keys echoed within a time](images/bench-echo.svg)

## From one sandbox to many

Those that are missing are asked for all at once. Then keys are typed in one of them while two more build.

${toMarkdown(crowdTable(results))}

## Not measured

${missing.length === 0 ? `Nothing was left out${wetty === null ? '' : `; wetty was version ${wetty}`}.` : missing.map((text) => `- ${text}`).join('\n')}
`;
}

/** Writes bench.json, bench.md and the plots into `folder`, and the tables to standard output. */
export async function writeReport(results: BenchResults, folder: string): Promise<void> {
  const checked = benchResults.parse(results);
  mkdirSync(join(folder, 'images'), { recursive: true });
  const page = join(folder, 'bench.md');
  const options = await resolveConfig(page);
  const write = async (file: string, text: string): Promise<void> => {
    writeFileSync(file, await format(text, { ...options, filepath: file }));
  };
  await write(join(folder, 'bench.json'), JSON.stringify(checked));
  await write(page, toPage(checked));
  writeFileSync(join(folder, 'images/bench-starts.svg'), plotStarts(checked));
  writeFileSync(join(folder, 'images/bench-echo.svg'), plotEcho(checked));
  const tables = [startTable, sandboxTable, terminalTable, crowdTable].map((table) => toText(table(checked)));
  process.stdout.write(`${tables.join('\n\n')}\n`);
  for (const text of checked.missing) process.stdout.write(`Not measured: ${text}\n`);
  process.stderr.write(`Written: ${page}, with its figures and plots beside it.\n`);
}
