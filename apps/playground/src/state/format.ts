/** @file Numbers for people. */

export function bytes(count: number): string {
  if (count < 1000) return `${count} B`;
  const units = ['kB', 'MB', 'GB', 'TB'];
  const power = Math.min(units.length, Math.floor(Math.log10(count) / 3));
  return `${rounded(count / 1000 ** power)} ${units[power - 1]}`;
}

export function count(number: number): string {
  if (number < 10_000) return number.toLocaleString('en');
  return number < 1e6 ? `${rounded(number / 1e3)} thousand` : `${rounded(number / 1e6)} million`;
}

export function seconds(amount: number): string {
  if (!Number.isFinite(amount)) return '…';
  if (amount < 1) return `${Math.round(amount * 1000)} ms`;
  if (amount < 90) return `${rounded(amount)} s`;
  const minutes = Math.round(amount / 60);
  return minutes < 90 ? `${minutes} min` : `${rounded(amount / 3600)} h`;
}

export function rounded(number: number): string {
  return number >= 100 ? number.toFixed(0) : number >= 10 ? number.toFixed(1) : number.toFixed(2);
}

/** What may stand in a file's name. */
export function fileName(text: string): string {
  const name = text
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}]+/gu, '-')
    .replaceAll(/^-+|-+$/g, '')
    .slice(0, 60);
  return name === '' ? 'picture' : name;
}
