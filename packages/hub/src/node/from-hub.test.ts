/** @file Models fetched once, found where Hugging Face's libraries keep them, and used offline. */
import { createHash } from 'node:crypto';
import { lstat, mkdir, readdir, readFile, readlink, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { downloadFileToCacheDir, scanCacheDir } from '@huggingface/hub';
import { answers, etagOf, gitHash, refuse, sha256 } from '../testing/hub-server.js';
import { bytesOf, expectFiles, FETCHED, files, NAME, noise, text, useTinyHub, weights } from '../testing/tiny-hub.js';
import { fromHub, type NodeHubOptions } from './index.js';

const hub = useTinyHub();

describe('fetched once', () => {
  test('the files of a model, and no others; the second time nothing but the commit is asked for', async () => {
    const source = await hub.open();
    await expectFiles(source);
    expect(source.commit).toBe(hub.commit);
    expect(await source.list!('')).toEqual(['config.json', 'model.safetensors', 'vae']);
    expect(await source.has('README.md')).toBe(false);
    expect(hub.server.bodies).toHaveLength(4);
    hub.server.forget();
    await expectFiles(await hub.open());
    expect(hub.server.log).toEqual([`GET hub /api/models/${NAME}/revision/main`]);
  });

  test('of a later commit what has changed; the one before stays', async () => {
    await hub.open();
    hub.server.forget();
    const changed = { ...files, 'config.json': text('{"a": 3}\n') };
    const next = hub.server.commit(NAME, changed);
    await expectFiles(await hub.open(), changed);
    expect(hub.server.bodies).toEqual([`GET hub /${NAME}/resolve/${next}/config.json 0-`]);
    await expectFiles(await hub.open({ revision: hub.commit }));
  });

  test('a commit is never asked for again; a branch by its name', async () => {
    const other = hub.server.commit(NAME, { 'config.json': text('{}') }, 'small');
    await hub.open({ revision: other });
    hub.server.forget();
    await hub.open({ revision: other });
    await hub.open({}, `hf://${NAME}@${other}`);
    expect(hub.server.log).toEqual([]);
    expect((await hub.open({}, `hf://${NAME}@small`)).commit).toBe(other);
    expect((await hub.open({ revision: 'small' })).commit).toBe(other);
  });

  test('a folder of it, and files by patterns', async () => {
    const vae = await hub.open({ subfolder: 'vae' });
    expect(await vae.list!('')).toEqual(['config.json', 'diffusion_pytorch_model.safetensors']);
    await hub.open({}, `hf://${NAME}@main/vae`);
    expect(hub.server.bodies).toHaveLength(2);
    const some = await hub.open({ files: ['README.md', 'opt*'] });
    expect((await bytesOf(some, 'README.md')).equals(files['README.md'])).toBe(true);
    expect(await some.has('optimizer.safetensors')).toBe(true);
    await expect(hub.open({ files: ['none.json'] })).rejects.toThrow(
      /^HUB_FILE: owner\/tiny has no none\.json\n.*it has \.gitattributes, README\.md/,
    );
    await expect(hub.open({ subfolder: 'none' })).rejects.toThrow(/^HUB_FILE: owner\/tiny has no files of a model/);
  });

  test('long lists come in pages', async () => {
    hub.server.pageSize = 2;
    await expectFiles(await hub.open());
    expect(hub.server.log.filter((line) => line.includes('/tree/'))).toHaveLength(4);
  });

  test('calls at once disturb nothing', async () => {
    const sources = await Promise.all(Array.from({ length: 4 }, () => hub.open()));
    for (const source of sources) await expectFiles(source);
    expect((await readdir(join(hub.folder, 'blobs'))).sort()).toEqual(
      FETCHED.map((name) => etagOf(name, files[name])).sort(),
    );
  });
});

/** Every file below a folder: what a link says, or contents. */
async function layout(folder: string): Promise<Record<string, string>> {
  const names = await readdir(folder, { recursive: true });
  const entries = await Promise.all(
    names.map(async (name): Promise<[string, string][]> => {
      const path = join(folder, name);
      const found = await lstat(path);
      if (found.isDirectory()) return [];
      const content = found.isSymbolicLink() ? `-> ${await readlink(path)}` : await readFile(path, 'latin1');
      return [[name, content]];
    }),
  );
  return Object.fromEntries(entries.flat());
}

describe('the cache of Python', () => {
  const linkOf = (name: string) => `${name.includes('/') ? '../' : ''}../../blobs/${etagOf(name, files[name])}`;

  /** Written down from https://huggingface.co/docs/hub/local-cache and, for `trees`, `_tree_cache.py` of huggingface_hub. */
  function expectedLayout(): Record<string, string> {
    const tree = Object.keys(files)
      .sort()
      .map((name) => {
        const { length } = files[name];
        const lfs = sha256(files[name]);
        const pointer = createHash('sha1').update(lfs).digest('hex');
        return name.endsWith('.safetensors')
          ? `  "${name}": {\n   "size": ${length},\n   "blob_id": "${pointer}",\n   "lfs_sha256": "${lfs}",\n   "lfs_size": ${length},\n   "xet_hash": "${sha256(text(name))}"\n  }`
          : `  "${name}": {\n   "size": ${length},\n   "blob_id": "${gitHash(files[name])}"\n  }`;
      });
    return {
      'refs/main': hub.commit,
      [`trees/${hub.commit}.json`]: `{\n "format_version": 1,\n "files": {\n${tree.join(',\n')}\n }\n}`,
      ...Object.fromEntries(
        FETCHED.flatMap((name) => [
          [`blobs/${etagOf(name, files[name])}`, Buffer.from(files[name]).toString('latin1')],
          [`snapshots/${hub.commit}/${name}`, `-> ${linkOf(name)}`],
        ]),
      ),
    };
  }

  test('the layout is theirs, byte for byte', async () => {
    await hub.open();
    expect(await layout(hub.folder)).toEqual(expectedLayout());
  });

  test("Hugging Face's own client reads it, and fetches nothing", async () => {
    await hub.open();
    const [repository] = (await scanCacheDir(hub.cacheDir)).repos.filter(({ id }) => id.name === NAME);
    const [revision] = repository.revisions;
    expect([revision.commitOid, revision.refs]).toEqual([hub.commit, ['main']]);
    hub.server.forget();
    const { cacheDir, commit } = hub;
    const given = { repo: NAME, revision: commit, hubUrl: hub.server.url, cacheDir };
    expect(await downloadFileToCacheDir({ ...given, path: 'model.safetensors' })).toBe(
      join(hub.folder, 'snapshots', commit, 'model.safetensors'),
    );
    expect(hub.server.log).toEqual([]);
  });

  test('what it has fetched is found and used', async () => {
    const quiet = jest.spyOn(console, 'debug').mockImplementation(() => {});
    const { cacheDir } = hub;
    for (const path of ['model.safetensors', 'config.json']) {
      await downloadFileToCacheDir({ repo: NAME, path, hubUrl: hub.server.url, cacheDir });
    }
    quiet.mockRestore();
    hub.server.forget();
    await expectFiles(await hub.open());
    expect(hub.server.bodies.sort()).toEqual([
      `GET cdn /${sha256(files[FETCHED[3]])} 0-`,
      `GET hub /${NAME}/resolve/${hub.commit}/vae/config.json 0-`,
    ]);
  });

  test('what Python has fetched is found offline, though it was never listed', async () => {
    await mkdir(join(hub.folder, 'blobs'), { recursive: true });
    await mkdir(join(hub.folder, 'refs'));
    await writeFile(join(hub.folder, 'refs/main'), hub.commit);
    for (const name of FETCHED) {
      const pointer = join(hub.folder, 'snapshots', hub.commit, name);
      await mkdir(dirname(pointer), { recursive: true });
      await writeFile(join(hub.folder, 'blobs', etagOf(name, files[name])), files[name]);
      await symlink(linkOf(name), pointer);
    }
    await expectFiles(await hub.open({ localFilesOnly: true, verify: true }));
    expect(hub.server.log).toEqual([]);
    await hub.server.close();
    await expectFiles(await hub.open({ revision: hub.commit, retries: 0 }));
  });

  test('files that are here are of use where nothing can be written', async () => {
    await hub.open();
    await rm(join(hub.folder, 'trees'), { recursive: true });
    await rm(join(hub.folder, 'refs'), { recursive: true });
    for (const name of ['trees', 'refs']) await writeFile(join(hub.folder, name), 'in the way');
    await expectFiles(await hub.open());
  });

  test('the places that the environment tells', async () => {
    const options = { endpoint: hub.server.url };
    const snapshot = `models--owner--tiny/snapshots/${hub.commit}`;
    process.env.HF_HOME = join(hub.cacheDir, 'a');
    expect((await fromHub(NAME, options)).folder).toBe(join(hub.cacheDir, 'a/hub', snapshot));
    process.env.HF_HUB_CACHE = join(hub.cacheDir, 'b');
    process.env.HF_ENDPOINT = hub.server.url;
    expect((await fromHub(NAME)).folder).toBe(join(hub.cacheDir, 'b', snapshot));
  });
});

describe('offline', () => {
  test.each([
    ['localFilesOnly', {}, { localFilesOnly: true }],
    ['HF_HUB_OFFLINE', { HF_HUB_OFFLINE: '1' }, {}],
  ] as [string, NodeJS.ProcessEnv, NodeHubOptions][])(
    '%s: what is kept will do, and nothing is asked for',
    async (_, environment, options) => {
      await hub.open();
      hub.server.forget();
      Object.assign(process.env, environment);
      await expectFiles(await hub.open(options));
      await expectFiles(await hub.open({ ...options, revision: hub.commit, verify: true }));
      await expect(hub.open({ ...options, revision: 'small' })).rejects.toThrow(
        /^HUB_OFFLINE: owner\/tiny at small is not kept/,
      );
      await expect(hub.open({ ...options, files: ['README.md'] })).rejects.toThrow(
        /^HUB_OFFLINE: README\.md of owner\/tiny is not kept here/,
      );
      await expect(hub.open(options, 'owner/none')).rejects.toThrow(/^HUB_OFFLINE/);
      expect(hub.server.log).toEqual([]);
    },
  );

  test('where the hub cannot be reached, what is kept will do; what is not is an error of the network', async () => {
    await hub.open();
    await hub.server.close();
    await expectFiles(await hub.open({ retries: 0 }));
    await expect(hub.open({ retries: 0, files: ['README.md'] })).rejects.toThrow(/^HUB_NETWORK: .*ECONNREFUSED/);
    await expect(hub.open({ retries: 0 }, 'owner/none')).rejects.toThrow(/^HUB_NETWORK/);
  });

  test('a branch is where it was as long as a fetch is not whole', async () => {
    await hub.open();
    hub.server.commit(NAME, { ...files, 'model.safetensors': noise(1000, 8) });
    hub.server.fault = answers(
      (response) => refuse(response, 500, ''),
      ({ at }) => at === 'cdn',
    );
    await expect(hub.open({ retries: 0 })).rejects.toThrow(/^HUB_NETWORK/);
    expect((await hub.open({ localFilesOnly: true })).commit).toBe(hub.commit);
  });
});

test('a kept file that is damaged is fetched again when asked to check; one of another length always', async () => {
  await hub.open();
  const blob = join(hub.folder, 'blobs', sha256(weights));
  const damaged = Buffer.from(weights);
  damaged[5] ^= 1;
  await writeFile(blob, damaged);
  await hub.open();
  expect((await readFile(blob)).equals(damaged)).toBe(true);
  await expect(hub.open({ verify: true, localFilesOnly: true })).rejects.toThrow(/^HUB_HASH: owner\/tiny\/model\.saf/);
  await expectFiles(await hub.open({ verify: true }));
  await writeFile(blob, weights.subarray(0, 100));
  await expectFiles(await hub.open());
  await rm(blob);
  await expectFiles(await hub.open());
});
