import { once } from 'node:events';
import { PassThrough, type Duplex } from 'node:stream';
import { beforeEach, expect, test } from 'vitest';
import { RelayChannels } from './relay-channels.ts';

let toServer: PassThrough;
let sent: string;
let stream: Duplex;

function frame(type: string, id: number, payload = ''): Buffer {
  const header = Buffer.alloc(9);
  header.write(type, 0, 'latin1');
  header.writeUInt32BE(id, 1);
  header.writeUInt32BE(Buffer.byteLength(payload), 5);
  return Buffer.concat([header, Buffer.from(payload)]);
}

/** Types of the frames that went to the sandbox. */
function types(): string {
  const bytes = Buffer.from(sent, 'latin1');
  let found = '';
  for (let at = 0; at < bytes.length; at += 9 + bytes.readUInt32BE(at + 5))
    found += String.fromCharCode(bytes[at] ?? 0);
  return found;
}

beforeEach(async () => {
  toServer = new PassThrough();
  sent = '';
  const stdin = new PassThrough();
  stdin.on('data', (chunk: Buffer) => (sent += chunk.toString('latin1')));
  const opened = Promise.withResolvers<Duplex>();
  new RelayChannels({ stdin, stdout: toServer }, { maxStreams: 1, onStream: opened.resolve });
  toServer.write(frame('o', 1));
  stream = await opened.promise;
});

async function answerAndHangUp(): Promise<void> {
  stream.end('the whole answer');
  await once(stream, 'finish');
  stream.destroy();
  await once(stream, 'close');
}

test('an answer that was sent whole is not cut off by hanging up', async () => {
  await answerAndHangUp();
  expect(types()).toBe('de');
});

test('its place is free again once the program has hung up', async () => {
  await answerAndHangUp();
  toServer.write(frame('e', 1));
  toServer.write(frame('o', 2));
  await expect.poll(() => toServer.readableLength).toBe(0);
  expect(toServer.destroyed).toBe(false);
});

test('an answer that failed half-way is cut off at once', async () => {
  stream.write('half of the');
  stream.destroy();
  await once(stream, 'close');
  expect(types()).toBe('dc');
});
