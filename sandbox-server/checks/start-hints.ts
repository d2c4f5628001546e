/** Causes of a container that does not run, told by what the engine or the program says; the first that fits is said. */
const causes: readonly { readonly when: RegExp; readonly hint: string }[] = [
  {
    when: /exec: "\/bin\/(ba)?sh"|exec \/bin\/(ba)?sh: no such file/,
    hint: 'ENTRYPOINT or CMD in shell form runs through /bin/sh, and this image has no shell. Write it in exec form, a JSON array: ENTRYPOINT ["/path"].',
  },
  {
    when: /unable to find user|no matching entries in passwd file/,
    hint: "USER names somebody whom the image's /etc/passwd does not know. Use a number, or a base image that has the user.",
  },
  {
    when: /no command specified/,
    hint: 'The image says nothing about what to run: set ENTRYPOINT in the last stage.',
  },
  {
    when: /exec format error/,
    hint: 'The program is built for another kind of processor, or is a script without "#!".',
  },
  {
    when: /permission denied/,
    hint: 'The program may not be run by this user: look at its mode, and at whose folder it lies in.',
  },
  {
    when: /executable file not found|stat [^\n]*no such file|exec: [^\n]*no such file/,
    hint: 'ENTRYPOINT names a file that is not in the image. Compare it with where COPY --from puts the binary.',
  },
  {
    when: /exec [^\n]*no such file or directory/,
    hint: 'The file is there, but the loader that it asks for is not: it is linked dynamically. Build it with CGO_ENABLED=0, or use a base image with a C library.',
  },
  {
    when: /address already in use|bind: permission denied/,
    hint: 'The program could not listen on its port.',
  },
];

/** Characters from each end of a log in which a cause is looked for: some patterns take time with the square of a line. */
const lookedAt = 8192;

/** Why the program did not start or did not go on, or undefined when the text tells nothing known. */
export function startHint(text: string): string | undefined {
  const ends = text.length <= 2 * lookedAt ? text : `${text.slice(0, lookedAt)}\n${text.slice(-lookedAt)}`;
  return causes.find(({ when }) => when.test(ends))?.hint;
}
