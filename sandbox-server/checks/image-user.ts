/** Which user a container of an image starts as. */
export type ImageUser =
  | { readonly found: true; readonly uid: number; readonly name: string }
  /** The name is in no passwd file: a container would not even start. */
  | { readonly found: false; readonly name: string };

/**
 * Resolve the image's USER as the container runtime does: empty is root, digits are a uid, anything else is
 * looked up in the image's own passwd file.
 * @param user as in the image's configuration: "", "65532", "app:app"
 * @param passwd text of /etc/passwd in the image, if it has one
 */
export function resolveUser(user: string, passwd: string | undefined): ImageUser {
  const [name = ''] = user.split(':');
  if (name === '') return { found: true, uid: 0, name: 'root' };
  const accounts = (passwd ?? '').split('\n').flatMap((line) => {
    const [login, , uid] = line.split(':');
    return login !== undefined && uid !== undefined && /^\d+$/.test(uid) ? [{ login, uid: Number(uid) }] : [];
  });
  if (/^\d+$/.test(name)) {
    const uid = Number(name);
    return { found: true, uid, name: accounts.find((account) => account.uid === uid)?.login ?? '' };
  }
  const account = accounts.find(({ login }) => login === name);
  return account === undefined ? { found: false, name } : { found: true, uid: account.uid, name };
}
