export { type EmojiOptions, type EmojiStyle, loadEmoji } from './emoji.js';
export { type FashionMnistOptions, loadFashionMnist } from './fashion-mnist.js';
export { type ImageFolderOptions, loadImageFolder } from './image-folder.js';
export { type LoadImagesOptions, loadImages, type ReadImage, readPng } from './load-images.js';
