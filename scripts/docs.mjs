/**
 * @file `npm run docs`: the documentation site in `docs/site`: the guides, and the interface of every package, by TypeDoc. A
 * warning is an error, and so is a link that leads nowhere.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { Application, Comment, Converter, OptionDefaults, ReflectionKind } from 'typedoc';
import { guideNames, guidesFolder } from './lib/guides.mjs';
import { publishedPackages, root } from './lib/repository.mjs';
import { brokenLinks } from './lib/site-links.mjs';
import { stage } from './lib/stage.mjs';

const site = join(root, 'docs/site');
const entries = new Map(
  publishedPackages().flatMap(({ path, manifest }) =>
    Object.entries(manifest.exports).flatMap(([key, target]) => {
      const source = target['@transfusion/source'];
      return source === undefined ? [] : [[resolve(path, source), manifest.name + key.slice(1)]];
    }),
  ),
);

const app = await Application.bootstrap({
  name: 'Transfusion in TypeScript',
  entryPoints: [...entries.keys()],
  projectDocuments: guideNames().map((name) => join(guidesFolder, name)),
  readme: join(guidesFolder, 'README.md'),
  out: site,
  tsconfig: join(root, 'tsconfig.json'),
  // `npm run typecheck` checks types.
  skipErrorChecking: true,
  excludeInternal: true,
  excludePrivate: true,
  disableSources: true,
  githubPages: false,
  // Types that only packages' insides name are shown in place.
  validation: { notExported: false, invalidLink: true, invalidPath: true, rewrittenLink: true, notDocumented: false },
  includeHierarchySummary: false,
  // What a file is about: it goes to the page of a package, and elsewhere belongs to no declaration.
  blockTags: [...OptionDefaults.blockTags, '@file'],
  excludeTags: ['@file'],
  treatWarningsAsErrors: true,
  logLevel: 'Warn',
});
// By the names with which they are imported.
app.converter.on(Converter.EVENT_CREATE_DECLARATION, (context, reflection) => {
  if (!reflection.kindOf(ReflectionKind.Module)) return;
  const file = context.project.getSymbolIdFromReflection(reflection)?.fileName;
  const name = file === undefined ? undefined : entries.get(file.toString());
  if (name === undefined) return;
  reflection.name = name;
  const [, about] = /@file (?:@\S+: )?([\s\S]*?)\s*\*\//.exec(readFileSync(file.toString(), 'utf8')) ?? [];
  if (!about) return;
  const text = about.replaceAll(/\s*\n \*\s*/g, ' ');
  reflection.comment = new Comment([{ kind: 'text', text: text[0].toUpperCase() + text.slice(1) }]);
});

const project = await stage('reading the sources', () => app.convert());
if (project) {
  for (const guide of project.documents ?? []) guide.name = titleOf(guide);
  app.validate(project);
  await stage('writing the site', () => app.generateDocs(project, site));
}
const problems = existsSync(site) ? brokenLinks(site) : [];
for (const problem of problems) console.error(problem);
if (!project || app.logger.hasErrors() || app.logger.hasWarnings() || problems.length > 0) process.exitCode = 1;
else console.log(`Open ${relative(root, join(site, 'index.html'))}.`);

/** The first heading. */
function titleOf({ name }) {
  return /^# (.+)$/m.exec(readFileSync(join(guidesFolder, `${name}.md`), 'utf8'))[1];
}
