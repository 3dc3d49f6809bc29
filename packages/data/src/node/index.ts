export { type EmojiExample, type EmojiOptions, loadEmojiDataset } from './emoji.js';
