/** @file Retrieval of pictures by pictures or texts: in the features of a network, or pixel by pixel. */
import { type CaptionedImage, type RgbImage, squaredError } from '@transfusion/data';
import { checkAlike, checkFeatures, dot, type Features, unitRows } from '../features.js';
import type { RetrievalScores } from '../retrieval.js';
import { type PlacesOptions, placesAmong } from './places-among.js';

type Looking<Name extends string> = Pick<PlacesOptions<Name>, 'among' | 'right'>;

/** `placesAmong` by the cosine of features. @throws as that, and as `retrieval` */
export function placesByFeatures<Name extends string>(
  options: Looking<Name> & { queries: Features; candidates: Features },
): Record<Name, RetrievalScores> {
  const { queries, candidates, among, right } = options;
  checkFeatures('placesByFeatures: queries', queries);
  checkFeatures('placesByFeatures: candidates', candidates);
  checkAlike('placesByFeatures', queries, candidates);
  const [from, to] = [
    unitRows('placesByFeatures: queries', queries),
    unitRows('placesByFeatures: candidates', candidates),
  ];
  const distance = (query: number, candidate: number) => -dot(from, query, to, candidate);
  return placesAmong({ queries: queries.count, among, right, distance });
}

/** `placesAmong` by squared error. A picture of another size is infinitely far. @throws as that */
export function placesByPixels<Name extends string>(
  options: Looking<Name> & {
    queries: readonly RgbImage[];
    candidates: readonly Pick<CaptionedImage, 'width' | 'height' | 'pixels'>[];
  },
): Record<Name, RetrievalScores> {
  const { queries, candidates, among, right } = options;
  const distance = (query: number, candidate: number, limit: number) =>
    squaredError(queries[query], candidates[candidate], limit);
  return placesAmong({ queries: queries.length, among, right, distance });
}
