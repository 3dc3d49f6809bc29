/** @file Everything that the packages publish for every platform, as one script: `packages` by name. */
import * as checkpoint from '@transfusion/checkpoint';
import * as core from '@transfusion/core';
import * as data from '@transfusion/data';
import * as hub from '@transfusion/hub';
import * as losses from '@transfusion/losses';
import * as nn from '@transfusion/nn';
import * as sampler from '@transfusion/sampler';
import * as schedulers from '@transfusion/schedulers';
import * as tensor from '@transfusion/tensor';
import * as tokenizer from '@transfusion/tokenizer';
import * as training from '@transfusion/training';
import * as transformer from '@transfusion/transformer';
import * as vae from '@transfusion/vae';
import * as wasm from '@transfusion/wasm';
import * as webgpu from '@transfusion/webgpu';

const packages = {
  ...{
    core,
    training,
    tensor,
    wasm,
    webgpu,
    nn,
    tokenizer,
    vae,
    transformer,
    losses,
    schedulers,
    sampler,
    data,
    checkpoint,
    hub,
  },
};

export type PublishedPackages = typeof packages;
Object.assign(globalThis, { packages });
