import { describe, expect, it } from 'vitest';
import { BallastError } from '../../sandbox-server/protocol/index.ts';
import type { SaveCondition } from './api.ts';
import { FileDocument, type SaveState } from './file-document.ts';

/** A file kept in memory that obeys conditions as the server does. */
class MemoryFile {
  text: string | undefined;
  revision = 1;
  broken = false;

  constructor(text: string) {
    this.text = text;
  }

  set(text: string | undefined): void {
    this.text = text;
    this.revision += 1;
  }

  read(): Promise<{ text: string; version: string }> {
    if (this.text === undefined) return Promise.reject(new BallastError('file_not_found'));
    return Promise.resolve({ text: this.text, version: String(this.revision) });
  }

  write(text: string, condition: SaveCondition): Promise<string> {
    if (this.broken) return Promise.reject(new BallastError('disk_full'));
    if (typeof condition === 'object' && condition.version !== String(this.revision)) {
      return Promise.reject(new BallastError('file_changed'));
    }
    this.set(text);
    return Promise.resolve(String(this.revision));
  }
}

const open = (file: MemoryFile): { document: FileDocument; shown: string[]; states: SaveState['kind'][] } => {
  const shown: string[] = [];
  const states: SaveState['kind'][] = [];
  const document = new FileDocument({
    text: file.text ?? '',
    version: String(file.revision),
    delayMs: 5,
    read: () => file.read(),
    write: (text, condition) => file.write(text, condition),
    onReplace: (text) => shown.push(text),
  });
  document.save.subscribe((state) => states.push(state.kind));
  return { document, shown, states };
};

const until = (document: FileDocument, kind: SaveState['kind']): Promise<void> =>
  new Promise((resolve) => {
    document.save.subscribe((state) => {
      if (state.kind === kind) resolve();
    });
  });

describe('FileDocument', () => {
  it('saves by itself after a pause in typing, once', async () => {
    const file = new MemoryFile('a');
    const { document, states } = open(file);
    document.edit('ab');
    document.edit('abc');
    await until(document, 'saved');
    expect(file.text).toBe('abc');
    expect(file.revision).toBe(2);
    expect(states).toEqual(['saved', 'unsaved', 'unsaved', 'saving', 'saved']);
  });

  it('shows at once what the terminal wrote', async () => {
    const file = new MemoryFile('a');
    const { document, shown } = open(file);
    file.set('from the terminal');
    await document.changedOutside();
    expect(shown).toEqual(['from the terminal']);
    document.edit('from the terminal, edited');
    await document.flush();
    expect(file.text).toBe('from the terminal, edited');
  });

  it('does not mistake its own save for a change outside', async () => {
    const { document, shown } = open(new MemoryFile('a'));
    document.edit('b');
    const saved = document.flush();
    const told = document.changedOutside();
    await Promise.all([saved, told]);
    expect(shown).toEqual([]);
    expect(document.save.value.kind).toBe('saved');
  });

  it('overwrites nothing that it has not seen: reload takes theirs', async () => {
    const file = new MemoryFile('a');
    const { document, shown } = open(file);
    document.edit('mine');
    file.set('theirs');
    await document.flush();
    expect(document.save.value.kind).toBe('conflict');
    document.edit('mine, more');
    await document.flush();
    expect(file.text).toBe('theirs');
    await document.resolve('reload');
    expect(shown).toEqual(['theirs']);
    expect(document.save.value.kind).toBe('saved');
  });

  it('overwrites when told to keep mine', async () => {
    const file = new MemoryFile('a');
    const { document } = open(file);
    document.edit('mine');
    file.set('theirs');
    await document.changedOutside();
    expect(document.save.value.kind).toBe('conflict');
    await document.resolve('keep');
    expect(file.text).toBe('mine');
    expect(document.save.value.kind).toBe('saved');
  });

  it('says when a save failed and saves again on the next edit', async () => {
    const file = new MemoryFile('a');
    const { document } = open(file);
    file.broken = true;
    document.edit('b');
    await document.flush();
    expect(document.save.value).toMatchObject({ kind: 'failed', message: 'The disk is full.' });
    file.broken = false;
    document.edit('bc');
    await document.flush();
    expect(file.text).toBe('bc');
  });

  it('says when the file is deleted, and notices when an editor only replaced it', async () => {
    const file = new MemoryFile('a');
    const { document, shown } = open(file);
    file.set(undefined);
    await document.changedOutside();
    expect(document.save.value.kind).toBe('deleted');
    file.set('a2');
    await document.changedOutside();
    expect(document.save.value.kind).toBe('saved');
    expect(shown).toEqual(['a2']);
  });
});
