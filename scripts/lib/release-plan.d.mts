import type { Workspace } from './repository.mjs';

export interface ChangelogLine {
  kind: string;
  text: string;
  names: string[];
}

type Versions = Map<string, { now: string; next: string }>;

export function releasePlan(): Promise<{ versions: Versions; lines: ChangelogLine[] }>;
export function changelogLine(changeset: {
  summary: string;
  releases: readonly { name: string; type: string }[];
}): ChangelogLine;
export function manifestProblems(
  packages: readonly Pick<Workspace, 'folder' | 'manifest'>[],
  rootManifest: { repository?: { url?: string } },
  together: readonly string[],
): string[];
export function describeTarballs(
  packages: readonly {
    name: string;
    manifest: { version: string };
    packed: { size: number; unpackedSize: number; files: readonly { path: string }[] };
  }[],
  versions: Versions,
): string[];
