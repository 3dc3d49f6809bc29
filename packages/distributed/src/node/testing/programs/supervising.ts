/** @file A supervisor, whose options are its argument; tells how the ranks ended. */
import { superviseRanks } from '../../supervise-ranks.js';

const end = await superviseRanks({ ...JSON.parse(process.argv[2]), log: (line) => console.log(`log: ${line}`) });
console.log(`end: ${JSON.stringify(end)}`);
