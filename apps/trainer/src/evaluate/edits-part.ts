/** @file Part `edits`: are held-out emoji drawn in the style that an instruction asks for. */
import { type EmojiEdit, imageOf } from '@transfusion/data';
import { type AskedEdit, type DocumentExample, type EditScores, scoreEdits, spread } from '@transfusion/training';
import { editGrid } from '../report/edit-grid.js';
import { editCards, section } from '../report/evaluation-cards.js';
import type { ScoreInput } from '../report/evaluation-file.js';
import { type Examination, withBar } from './examination.js';
import { besides, datasetWords, type PartResult } from './part.js';

const SHOWN = 16;
const IN_PICTURE = 32;

type KindOfEdit = 'composition' | 'new' | 'heldOut';
const WORDS: Record<KindOfEdit, string> = {
  composition: 'held out, composition',
  new: 'held out, new',
  heldOut: 'held out',
};

export async function editsPart(examination: Examination): Promise<PartResult | string> {
  const { sampler, seed, image, terminal, count } = examination;
  const kinds = askedEdits(examination);
  if (kinds.length === 0) {
    return 'there is no held-out document of an emoji in another style (data.dataset=emoji-edits or emoji-all)';
  }
  const scored: { kind: KindOfEdit; edits: AskedEdit[]; scores: EditScores }[] = [];
  for (const { kind, edits: all } of kinds) {
    const edits = spread(all, count);
    const scores = await withBar(terminal, `edit ${WORDS[kind]}`, (update) =>
      scoreEdits(sampler, edits, {
        ...image,
        ...{ seed, signal: terminal.signal },
        onStep: ({ step, steps }) => update(step, steps),
      }),
    );
    scored.push({ kind, edits, scores });
  }
  const shown = scored.map(({ kind, edits, scores: { edited } }) => {
    const each = edits.map(({ pictures, given, asked, instruction }, i) => ({
      ...{ given: imageOf(pictures[given]), drawn: edited[i].image, result: imageOf(pictures[asked]) },
      ...{ instruction, isRight: edited[i].nearest === asked },
    }));
    return { kind, each };
  });
  return {
    scores: scored.map(({ kind, edits, scores }): ScoreInput => {
      const beside = besides(['chance', scores.chance], ['given back unchanged', scores.unchanged]);
      const base = { dataset: datasetWords(examination), split: WORDS[kind], count: edits.length, beside };
      const name = 'edits drawn in the style asked for (by pixels)';
      return { ...base, task: 'image-to-image', name, value: scores.right, better: 'higher' };
    }),
    html: section(
      'Edits',
      'The picture given, what the model draws of it and the instruction, and the picture that was asked for. Right: the drawing is nearer to that than to the same emoji in any other style.',
      shown.map(({ kind, each }) => ({ title: WORDS[kind], html: editCards(spread(each, SHOWN)) })),
    ),
    leftOut: [],
    details: shown.map(({ kind, each }) => {
      return { kind, edits: each.map(({ instruction, isRight }) => ({ instruction, isRight })) };
    }),
    pictures: Object.fromEntries(
      shown.map(({ kind, each }) => [
        kind === 'new' ? 'edits-new.png' : 'edits.png',
        editGrid(spread(each, IN_PICTURE)),
      ]),
    ),
  };
}

/** Changes of style of held-out emoji that every style draws, by what is held out of them. */
function askedEdits({ sets, session: { tokenizer } }: Examination): { kind: KindOfEdit; edits: AskedEdit[] }[] {
  const asked = sets.documents.heldOut.flatMap((document: DocumentExample & Pick<EmojiEdit, 'styles'>) => {
    const { styles, parts, heldOutAs: kind = 'heldOut' as const } = document;
    const text = parts.find((part) => part.kind === 'text');
    if (!styles || text?.kind !== 'text') return [];
    return [{ kind, edit: { ...styles, instruction: tokenizer.decode(text.ids) } }];
  });
  const most = asked.reduce((styles, { edit }) => Math.max(styles, edit.pictures.length), 0);
  const complete = asked.filter(({ edit }) => edit.pictures.length === most);
  const kinds = (['composition', 'new', 'heldOut'] as const).map((kind) => ({
    kind,
    edits: complete.flatMap((one) => (one.kind === kind ? [one.edit] : [])),
  }));
  return kinds.filter(({ edits }) => edits.length > 0);
}
