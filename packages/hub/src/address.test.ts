import { isHubAddress, parseHubAddress } from './index.js';

test.each([
  ['hf://owner/name', { name: 'owner/name', revision: 'main', subfolder: '' }],
  ['HF://owner/name/', { name: 'owner/name', revision: 'main', subfolder: '' }],
  ['hf://owner/name@v1.0', { name: 'owner/name', revision: 'v1.0', subfolder: '' }],
  ['hf://owner/name@refs%2Fpr%2F1', { name: 'owner/name', revision: 'refs/pr/1', subfolder: '' }],
  ['hf://owner/name@main/vae', { name: 'owner/name', revision: 'main', subfolder: 'vae' }],
  ['hf://owner/name/a/b', { name: 'owner/name', revision: 'main', subfolder: 'a/b' }],
  ['owner/na.me_1-2@main', { name: 'owner/na.me_1-2', revision: 'main', subfolder: '' }],
  ['gpt2', { name: 'gpt2', revision: 'main', subfolder: '' }],
])('%s', (text, address) => expect(parseHubAddress(text)).toEqual(address));

/** What `validate_repo_id` of huggingface_hub refuses, too. */
test.each([
  'hf://',
  'hf://a--b/c',
  'hf://a..b/c',
  'hf://-a/b',
  'hf://a/b-',
  'hf://a/.b',
  'hf://a/b.git',
  `hf://a/${'b'.repeat(96)}`,
])('%s is none', (text) => expect(() => parseHubAddress(text)).toThrow(/^HUB_OPTIONS/));

test('what is meant as an address', () => {
  expect(['hf://a/b', 'HF://a/b', 'hf:/a', 'a/b', '/hf://a'].map(isHubAddress)).toEqual([
    true,
    true,
    false,
    false,
    false,
  ]);
});
