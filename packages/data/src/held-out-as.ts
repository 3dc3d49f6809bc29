/** @file What is asked of a picture or a document that is held out. */

/** Something never seen, or things that were seen apart. */
export type HeldOutAs = 'new' | 'composition';
