/** What a terminal's view lets its pane do with it. */
export interface TerminalHandle {
  focus(): void;
  /** Sends keys as if they were pressed. */
  type(keys: string): void;
  /** Gives false when nothing was copied. */
  copy(): Promise<boolean>;
  /** Gives false when the browser does not let us read the clipboard. */
  paste(): Promise<boolean>;
  /** Whether `run` can do its work: false until the screen is there. */
  opened(): boolean;
  /** Types code and presses Enter, once there is a shell at its prompt; rejects when there is none in time. */
  run(code: string): Promise<void>;
  /** Ends the shell itself; rejects when it has not ended in time. */
  endShell(): Promise<void>;
}
