/** Which user a container of an image starts as. */
export type ImageUser =
  | { readonly found: true; readonly uid: number; readonly name: string }
  /** The name is in no passwd file, or the number is none that a user can have: a container would not even start. */
  | { readonly found: false; readonly name: string };

const maxUid = 2 ** 31 - 1;

/**
 * Resolve the image's USER as the container runtime does: empty is root, a number is a uid, anything else is looked up
 * in the image's own passwd file, where the first line of that name counts. A number there that is missing or none is
 * 0, as the runtime has it: a line that is cut short makes a root, and not a user to be looked for further down.
 * @param user as in the image's configuration: "", "65532", "app:app"
 * @param passwd text of /etc/passwd in the image, if it has one
 */
export function resolveUser(user: string, passwd: string | undefined): ImageUser {
  const [name = ''] = user.split(':');
  if (name === '') return { found: true, uid: 0, name: 'root' };
  const accounts = (passwd ?? '').split('\n').flatMap((line) => {
    // What Go calls white space, which is not quite what trim() does.
    const text = line.replaceAll(/^\p{White_Space}+|\p{White_Space}+$/gu, '');
    const [login = '', , uid = ''] = text.split(':');
    return text === '' ? [] : [{ login, id: toInteger(uid).value }];
  });
  const number = toInteger(name);
  const account = accounts.find(({ login, id }) => (number.valid ? id === number.value : login === name));
  // Of a line in the file not even the range is looked at, and the kernel gets the lower 32 bits.
  if (account !== undefined) return { found: true, uid: Number(BigInt.asUintN(32, account.id)), name: account.login };
  if (!number.valid || number.value < 0n || number.value > maxUid) return { found: false, name };
  return { found: true, uid: Number(number.value), name: '' };
}

/** A number as Go's strconv.Atoi reads it, with what it leaves behind where it fails: 0, or the nearest there is. */
function toInteger(text: string): { readonly value: bigint; readonly valid: boolean } {
  if (!/^[+-]?\d+$/.test(text)) return { value: 0n, valid: false };
  const value = BigInt(text.replace('+', ''));
  const nearest = value > 0n ? 2n ** 63n - 1n : -(2n ** 63n);
  return BigInt.asIntN(64, value) === value ? { value, valid: true } : { value: nearest, valid: false };
}
