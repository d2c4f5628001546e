const newline = 0x0a;

/**
 * Makes the scrollback of a shell into bytes for a fresh screen: lines end in CR LF, colours are reset at the end, and
 * `rows - 1` newlines push the last of it above the screen, where the redraw that follows cannot overwrite it.
 * @param text what tmux's capture-pane printed
 * @param rows height of the client's screen
 * @param maxBytes of older lines no more than this is kept, by whole lines
 */
export function toReplay(text: string, rows: number, maxBytes: number): Buffer {
  let bytes: Buffer = Buffer.from(text.endsWith('\n') || text === '' ? text : `${text}\n`);
  if (bytes.length > maxBytes) {
    const cut = bytes.subarray(bytes.length - maxBytes);
    bytes = cut.subarray(cut.indexOf(newline) + 1);
  }
  if (bytes.length === 0) return bytes;
  const lines = bytes.toString('utf8').replaceAll('\n', '\r\n');
  return Buffer.from(`${lines}\u001b[0m${'\r\n'.repeat(Math.max(0, rows - 1))}`);
}
