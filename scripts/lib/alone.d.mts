export function installAlone(options: {
  from: string;
  folder: string;
  names: readonly string[];
  without?: readonly string[];
}): string[];
