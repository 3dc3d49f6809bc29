import { identifyText } from './foreign-text.js';

test.each([
  ['version https://git-lfs.github.com/spec/v1\noid sha256:af07\n', /^a Git LFS pointer/, /git lfs pull/],
  ['<!DOCTYPE html><html>', /^a web page$/, /\/resolve\//],
  ['\n  <html lang="en">', /^a web page$/, /\/resolve\//],
  ['<?xml version="1.0"?>', /^a web page$/, /\/resolve\//],
])('%j', (text, is, fix) => {
  expect(identifyText(text)).toEqual({ is: expect.stringMatching(is), fix: expect.stringMatching(fix) });
});

test.each([[''], ['{"a": "<html>"}'], ['<s>'], ['version: 2'], [' version https://git-lfs']])(
  '%j is neither',
  (text) => {
    expect(identifyText(text)).toBeUndefined();
  },
);
