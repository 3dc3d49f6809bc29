export { type LoadDocumentsOptions, loadDocuments } from './documents.js';
export { type EmojiOptions, type EmojiStyle, loadEmoji } from './emoji.js';
export { type FashionMnistOptions, loadFashionMnist } from './fashion-mnist.js';
export { type ImageFolderOptions, loadImageFolder } from './image-folder.js';
export { readImageSize } from './image-size.js';
export { type LoadImagesOptions, loadImages, type ReadImage } from './load-images.js';
export { decodeFittedImage, readFittedImage, readImage } from './read-image.js';
export { type LoadTextsOptions, loadTexts } from './texts.js';
export { type LoadWordnetOptions, loadWordnet } from './wordnet.js';
