/** @file What the hub tells of a model: the commit of a revision, and its files. */
import { z } from 'zod';
import { isCommit } from './address.js';
import { answerError, type HubClient } from './client.js';
import { type ListedFile, listedSchema } from './tree.js';

const MOST_FILES = 100_000;
const infoSchema = z.object({ sha: z.string().refine(isCommit) });

/** The commit that a branch or a tag is at. @throws HubError */
export async function fetchCommit(client: HubClient, model: string, revision: string): Promise<string> {
  const url = client.url(`api/models/${model}/revision/${encodeURIComponent(revision)}`, 'expand=sha');
  return client.persist(model, async () => {
    const { json } = await client.json(url, { model, revision });
    const parsed = infoSchema.safeParse(json);
    if (parsed.success) return parsed.data.sha;
    throw answerError(url.href, 'tells no commit (sha)', parsed.error);
  });
}

/** All files at a commit. @throws HubError */
export async function fetchTree(client: HubClient, model: string, commit: string): Promise<ListedFile[]> {
  const listed: ListedFile[] = [];
  let at: URL | undefined = client.url(`api/models/${model}/tree/${commit}`, 'recursive=true&expand=false');
  while (at) {
    const page: URL = at;
    const { json, next } = await client.persist(model, () => client.json(page, { model, revision: commit }));
    const parsed = z.array(listedSchema).safeParse(json);
    if (!parsed.success) throw answerError(page.href, 'lists no files', parsed.error);
    listed.push(...parsed.data);
    if (listed.length > MOST_FILES) throw answerError(page.href, `lists more than ${MOST_FILES} files`);
    if (next && parsed.data.length === 0) throw answerError(page.href, 'lists nothing, and goes on');
    at = next;
  }
  const unnamed = listed.find(({ type, oid, size }) => type === 'file' && (oid === undefined || size === undefined));
  if (unnamed) throw answerError(client.endpoint.origin, `tells no hash or size of ${JSON.stringify(unnamed.path)}`);
  return listed;
}
