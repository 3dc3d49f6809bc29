/** @file What a release would publish: versions by changesets, tarballs by npm, and what stands in its way. */
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { root } from './repository.mjs';

// A dependency of the command line of changesets, which is the one declared here.
const require = createRequire(createRequire(import.meta.url).resolve('@changesets/cli/package.json'));

/**
 * @returns {Promise<{ versions: Map<string, { now: string, next: string }>, lines: { kind: string, text: string, names: string[] }[] }>}
 *   `versions`: by package, of those that get another one; `lines`: what each changeset adds to changelogs
 */
export async function releasePlan() {
  const { default: getReleasePlan } = require('@changesets/get-release-plan');
  const { changesets, releases } = await getReleasePlan(root);
  const versions = new Map(
    releases
      .filter(({ type }) => type !== 'none')
      .map(({ name, oldVersion, newVersion }) => [name, { now: oldVersion, next: newVersion }]),
  );
  return { versions, lines: changesets.map(changelogLine) };
}

const KINDS = ['patch', 'minor', 'major'];

/** The largest change of a changeset, its first paragraph, and the packages that it names. */
export function changelogLine({ summary, releases }) {
  const kind = KINDS[Math.max(...releases.map(({ type }) => KINDS.indexOf(type)))] ?? 'none';
  const [paragraph] = summary.trim().split(/\n\s*\n/);
  return { kind, text: paragraph.replaceAll(/\s*\n\s*/g, ' '), names: releases.map(({ name }) => name).sort() };
}

/**
 * What in the manifests keeps packages from being published with provenance.
 *
 * @param {readonly { folder: string, manifest: Record<string, any> }[]} packages
 * @param {{ repository?: { url?: string } }} rootManifest says where the repository is, once for all
 * @param {readonly string[]} together names of the packages that share a version
 * @returns {string[]}
 */
export function manifestProblems(packages, rootManifest, together) {
  const url = rootManifest.repository?.url;
  const noUrl = 'package.json: has no repository: provenance needs { "type": "git", "url": "git+https://…" } there';
  const licence = read('LICENSE');
  return [
    ...(url === undefined ? [noUrl] : []),
    ...packages.flatMap(({ folder, manifest }) => {
      const { publishConfig = {}, repository = {} } = manifest;
      const where = `${folder}/package.json`;
      return [
        ...(publishConfig.access === 'public' ? [] : [`${where}: publishConfig.access is not public`]),
        ...(publishConfig.provenance === true ? [] : [`${where}: publishConfig.provenance is not true`]),
        ...(url !== undefined && (repository.url !== url || repository.directory !== folder)
          ? [`${where}: repository is not { "type": "git", "url": "${url}", "directory": "${folder}" }`]
          : []),
        ...(together.includes(manifest.name) ? [] : [`.changeset/config.json: fixed lacks ${manifest.name}`]),
        ...(read(`${folder}/LICENSE`) === licence ? [] : [`${folder}/LICENSE: is not a copy of LICENSE`]),
      ];
    }),
  ];
}

/** As a table: names, versions, sizes and files of tarballs. */
export function describeTarballs(packages, versions) {
  const width = Math.max(...packages.map(({ name }) => name.length));
  const kilobytes = (bytes) => `${(bytes / 1000).toFixed(0)} kB`.padStart(8);
  return packages.flatMap(({ name, manifest, packed }) => {
    const next = versions.get(name)?.next ?? manifest.version;
    const version = next === manifest.version ? next : `${manifest.version} -> ${next}`;
    const size = `${kilobytes(packed.size)} packed, ${kilobytes(packed.unpackedSize)} unpacked`;
    const files = packed.files.map(({ path }) => path).filter((path) => !path.endsWith('.map'));
    const maps = packed.files.length - files.length;
    return [
      `${name.padEnd(width)}  ${version}  ${size}`,
      `  ${files.join(' ')}${maps > 0 ? ` and ${maps} source maps` : ''}`,
    ];
  });
}

function read(file) {
  const path = join(root, file);
  return existsSync(path) ? readFileSync(path, 'utf8') : undefined;
}
