export const guidesFolder: string;
export function guideNames(): string[];
export function guideCode(name: string, mark: 'ts' | 'ts page'): string;
