/** @file What `trainer plan` prints: tables in Markdown, which a terminal shows well enough. */
import { formatSeconds } from '@transfusion/app-common';
import { BINDING_LIMITS, type Pressure, type RankMemory, type ScalePlan, unbindable } from '@transfusion/training';
import type { PlanResult } from './run-plan.js';

export function planReport(result: PlanResult): string {
  const { parameters, rows, sequenceLength, microBatches, checkpointActivations, needs, plans } = result;
  const last = plans[plans.length - 1];
  const tokens = microBatches * rows * sequenceLength;
  const again = checkpointActivations ? ', blocks computed again in the backward pass' : '';
  return [
    `${count(parameters)} parameters in ${needs.tensors.size} tensors; a step is ${count(tokens)} positions: ${count(microBatches)} micro-batch${microBatches === 1 ? '' : 'es'} of ${rows} x ${count(sequenceLength)}${again}`,
    `a micro-batch: ${amount(needs.flops, 'FLOP')}, ${gigabytes(needs.arenaBytes)} of scratch memory (${gigabytes(result.otherArenaBytes)} ${checkpointActivations ? 'without computing blocks again' : 'with checkpointActivations'})`,
    `assumed of a rank: ${assumptions(result)}`,
    '',
    'Time of a step, and of the run:',
    '',
    table(
      ['ranks', 'micro-batches each', 'compute', 'exchange', 'step', 'step at best', 'positions/s', 'run'],
      plans.map((plan) => timeRow(plan, result.steps)),
    ),
    '',
    'Memory of a device, first rank / any other, and of its host:',
    '',
    table(
      ['ranks', 'parameters', 'gradients', 'moments', 'averages', 'scratch', 'all', 'host, exchange', 'host, saving'],
      plans.map(memoryRow),
    ),
    '',
    'Sent and received by the busiest rank in a step, and the same with DiLoCo:',
    '',
    table(
      [
        'ranks',
        'gradients sent',
        'received',
        'parameters sent',
        'received',
        `DiLoCo, H ${result.innerSteps}: per step`,
        'time per step',
        'memory of a device',
      ],
      plans.filter(({ ranks }) => ranks > 1).map(trafficRow),
    ),
    '',
    `What breaks first with ${last.ranks} ranks:`,
    '',
    table(
      ['', 'need', 'limit', 'share', 'what would help'],
      last.pressures.map((pressure) => pressureRow(pressure)),
    ),
    '',
    'Buffers that devices refuse to bind, by maxStorageBufferBindingSize:',
    '',
    table(
      ['limit', 'refused'],
      BINDING_LIMITS.map((limit) => [binary(limit), refused(result, limit)]),
    ),
  ].join('\n');
}

function assumptions({ machine, exchange }: PlanResult): string {
  return [
    `${amount(machine.flopsPerSecond, 'FLOP/s')} in these kernels`,
    `${gigabytes(machine.deviceBytes)}`,
    `a link of ${gigabytes(machine.linkBytesPerSecond)}/s each way with messages of ${(machine.latencySeconds * 1e6).toFixed(1)} us`,
    `${gigabytes(machine.hostBytesPerSecond)}/s to the host's memory`,
    `gradients of ${exchange} on the way`,
  ].join(', ');
}

function timeRow({ ranks, microBatches, time, tokensPerSecond }: ScalePlan, steps: number): string[] {
  return [
    count(ranks),
    count(microBatches),
    seconds(time.computeSeconds),
    ranks === 1 ? '-' : seconds(time.gradientSeconds + time.parameterSeconds),
    seconds(time.stepSeconds),
    seconds(time.overlappedStepSeconds),
    count(Math.round(tokensPerSecond)),
    duration(steps * time.stepSeconds),
  ];
}

function memoryRow({ ranks, first, others, exchangeHostBytes, savingHostBytes }: ScalePlan): string[] {
  const both = (part: Exclude<keyof RankMemory, 'rank'>) => {
    const own = gigabytes(first[part]);
    return others === undefined || gigabytes(others[part]) === own ? own : `${own} / ${gigabytes(others[part])}`;
  };
  return [
    count(ranks),
    both('parameterBytes'),
    both('gradientBytes'),
    both('momentBytes'),
    both('averageBytes'),
    both('arenaBytes'),
    both('totalBytes'),
    exchangeHostBytes === 0 ? '-' : gigabytes(exchangeHostBytes),
    gigabytes(savingHostBytes),
  ];
}

function trafficRow({ ranks, traffic: { gradients, parameters }, diloco }: ScalePlan): string[] {
  const bytes = [gradients.sentBytes, gradients.receivedBytes, parameters.sentBytes, parameters.receivedBytes];
  return [
    count(ranks),
    ...bytes.map(gigabytes),
    gigabytes(diloco.bytesPerStep),
    seconds(diloco.secondsPerStep),
    gigabytes(diloco.deviceBytes),
  ];
}

function pressureRow({ what, needed, limit, unit, share, relief }: Pressure): string[] {
  const show = { bytes: gigabytes, elements: count, seconds }[unit];
  const percent = `${(100 * share).toFixed(0)} %`;
  return [what, show(needed), show(limit), share > 1 ? `**${percent}**` : percent, relief];
}

/** Blocks are alike: their tensors are named once. */
function refused({ needs }: PlanResult, limit: number): string {
  const groups = new Map<string, { count: number; bytes: number }>();
  for (const { name, kind, bytes, count } of unbindable(needs.buffers, limit)) {
    const alike = kind === 'parameter' ? name.replace(/\.\d+\./, '.*.') : 'scratch';
    const { count: others = 0, bytes: most = 0 } = groups.get(alike) ?? {};
    groups.set(alike, { count: others + count, bytes: Math.max(most, bytes) });
  }
  if (groups.size === 0) return 'none';
  return [...groups]
    .map(([name, { count: times, bytes }]) => {
      return `${times === 1 ? '' : `${count(times)} x `}${name} of ${name === 'scratch' ? 'up to ' : ''}${binary(bytes)}`;
    })
    .join(', ');
}

function table(head: string[], rows: string[][]): string {
  const widths = head.map((name, column) => Math.max(3, name.length, ...rows.map((row) => row[column].length)));
  const line = (cells: readonly string[]) => `| ${cells.map((cell, i) => cell.padEnd(widths[i])).join(' | ')} |`;
  return [line(head), `|${widths.map((width) => '-'.repeat(width + 2)).join('|')}|`, ...rows.map(line)].join('\n');
}

function count(value: number): string {
  return value.toLocaleString('en');
}

function gigabytes(bytes: number): string {
  const gigabytes = bytes / 1e9;
  if (gigabytes < 0.1) return `${(bytes / 1e6).toFixed(1)} MB`;
  return `${gigabytes < 10 ? gigabytes.toFixed(2) : gigabytes.toFixed(1)} GB`;
}

/** In tera or giga. */
function amount(value: number, unit: string): string {
  return value >= 1e11 ? `${(value / 1e12).toFixed(1)} T${unit}` : `${(value / 1e9).toFixed(1)} G${unit}`;
}

function duration(value: number): string {
  return value >= 3 * 86_400 ? `${(value / 86_400).toFixed(0)} days` : formatSeconds(value);
}

function binary(bytes: number): string {
  return bytes >= 2 ** 30 ? `${+(bytes / 2 ** 30).toFixed(2)} GiB` : `${+(bytes / 2 ** 20).toFixed(1)} MiB`;
}

function seconds(value: number): string {
  if (value >= 3600) return formatSeconds(value);
  if (value >= 100) return `${value.toFixed(0)} s`;
  return value >= 1 ? `${value.toFixed(1)} s` : `${(value * 1e3).toFixed(value < 0.01 ? 2 : 0)} ms`;
}
