/** @file Why a file is not tried: by its name. */

const REASONS: [names: RegExp, reason: string][] = [
  [/\.parquet$/i, 'a Parquet file is not looked into: give it as a shard, or save the pictures in it as files'],
  [
    /\.(zip|tar|tgz|gz|bz2|xz|7z|rar)$/i,
    'an archive is not looked into: unpack it, or give it as a shard where it is a tar archive',
  ],
  [/\.(mp4|m4v|mov|mkv|webm|avi|mpe?g)$/i, 'a film: save its pictures as files'],
];

/** Of a file in a folder of pictures that is neither a picture nor a caption. */
export function reasonLeftOut(name: string): string {
  return REASONS.find(([names]) => names.test(name))?.[1] ?? 'it is no picture, by its name';
}

/** The files' kinds with their numbers, as "4 .txt, 1 .parquet", the most frequent first; at most five. */
export function countKinds(names: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const name of names) {
    const kind = /\.[^./]{1,12}$/.exec(name)?.[0].toLowerCase() ?? 'without extension';
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  const sorted = [...counts].sort(([, a], [, b]) => b - a);
  const more = sorted.length > 5 ? [`${sorted.length - 5} more kinds`] : [];
  return [...sorted.slice(0, 5).map(([kind, count]) => `${count} ${kind}`), ...more].join(', ');
}
