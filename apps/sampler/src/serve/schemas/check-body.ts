/** @file A request's body against its schema; what does not fit in the words of OpenAI's API. */
import { nearestName } from '@transfusion/core';
import { z } from 'zod';
import { ApiError } from '../api-error.js';

type Issue = z.core.$ZodIssue;

/** Known fields of OpenAI's API that cannot be had here, whatever their value. */
const UNSUPPORTED: Record<string, string> = {
  previous_response_id: 'this server keeps no answers; send the whole conversation as input',
  conversation: 'this server keeps no conversations; send all of it as input',
  context_management: 'this server keeps no conversations',
  audio: 'models here have no audio',
  prediction: 'models here predict everything themselves',
  web_search_options: 'this server fetches nothing',
};

/**
 * The body with its defaults. Null is as good as nothing, as in OpenAI's API.
 *
 * @throws ApiError 400, naming the first field that does not fit
 */
export function checkBody<Schema extends z.ZodType>(schema: Schema, body: unknown): z.output<Schema> {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw new ApiError({ status: 400, message: 'Invalid body: expected a JSON object.', code: 'invalid_type' });
  }
  const given = withoutNulls(body);
  const parsed = schema.safeParse(given);
  if (parsed.success) return parsed.data;
  throw issueError(parsed.error.issues[0], given, schema);
}

function withoutNulls(body: object): Record<string, unknown> {
  return Object.fromEntries(Object.entries(body).filter(([, value]) => value !== null));
}

function issueError(given: Issue, body: unknown, schema: z.ZodType): ApiError {
  const issue = deepest(given);
  const at = issue.path.map(String);
  const value = issue.path.reduce<unknown>((part, key) => (part as Record<PropertyKey, unknown>)?.[key], body);
  const param = pathText(at);
  const refuse = (message: string, code: string, about = param) =>
    new ApiError({ status: 400, message, code, param: about === '' ? null : about });
  if (issue.code === 'unrecognized_keys') {
    const name = shown(issue.keys[0]);
    const about = pathText([...at, name]);
    const why = at.length === 0 ? UNSUPPORTED[name] : undefined;
    if (why) return refuse(`Unsupported parameter: '${name}': ${why}.`, 'unsupported_parameter', name);
    const known = at.length === 0 && schema instanceof z.ZodObject ? Object.keys(schema.shape) : [];
    const near = nearestName(name, known);
    return refuse(
      `Unknown parameter: '${about}'.${near ? ` Did you mean '${near}'?` : ''}`,
      'unknown_parameter',
      about,
    );
  }
  if (value === undefined && issue.code !== 'custom') {
    return refuse(`Missing required parameter: '${param}'.`, 'missing_required_parameter');
  }
  switch (issue.code) {
    case 'invalid_type':
      return refuse(
        `Invalid type for '${param}': expected ${issue.expected}, but got ${kindOf(value)} instead.`,
        'invalid_type',
      );
    case 'too_small':
    case 'too_big':
      return refuse(...outside(issue, param, value));
    case 'invalid_value': {
      const values = issue.values.map((each) => (typeof each === 'string' ? `'${each}'` : String(each)));
      const fits =
        values.length === 1 ? `Only ${values[0]} is` : `Supported values are: ${values.join(', ')}, which are`;
      return refuse(`Invalid value for '${param}': ${shownValue(value)}. ${fits} supported here.`, 'invalid_value');
    }
    default:
      return refuse(`Invalid '${param}': ${issue.message}.`, 'invalid_value');
  }
}

/** Of alternatives the one that was meant: whose problem lies deepest, not already in its kind. */
function deepest(issue: Issue): Issue {
  if (issue.code !== 'invalid_union') return issue;
  const inner = issue.errors.map(([first]) => first).filter((each) => each !== undefined);
  const found = inner.map(deepest).sort((a, b) => b.path.length - a.path.length)[0];
  return found ? { ...found, path: [...issue.path, ...found.path] } : issue;
}

type Bound = Extract<Issue, { code: 'too_small' | 'too_big' }>;

/** Message and code. */
function outside(issue: Bound, param: string, value: unknown): [string, string] {
  const isSmall = issue.code === 'too_small';
  const bound = issue.code === 'too_small' ? issue.minimum : issue.maximum;
  const kind =
    { string: 'string', array: 'array', number: 'decimal', int: 'integer' }[issue.origin as string] ?? 'value';
  if (kind === 'string' || kind === 'array') {
    const length = (value as { length: number }).length;
    const what = isSmall ? `${kind} too short` : `${kind} too long`;
    const unit = kind === 'string' ? 'characters' : 'elements';
    return [
      `Invalid '${param}': ${what}. Expected at ${isSmall ? 'least' : 'most'} ${bound} ${unit}, but got ${length} instead.`,
      `${kind}_${isSmall ? 'below_min' : 'above_max'}_length`,
    ];
  }
  const sign = `${isSmall ? '>' : '<'}${issue.inclusive === false ? '' : '='}`;
  const name = Number.isInteger(value) && Number.isInteger(Number(bound)) ? 'integer' : kind;
  return [
    `Invalid '${param}': ${name} ${isSmall ? 'below minimum' : 'above maximum'} value. Expected a value ${sign} ${bound}, but got ${value} instead.`,
    `${name}_${isSmall ? 'below_min' : 'above_max'}_value`,
  ];
}

/** As in `messages[0].content`. */
function pathText(path: readonly string[]): string {
  return path.map((key, i) => (/^\d+$/.test(key) ? `[${key}]` : `${i > 0 ? '.' : ''}${shown(key)}`)).join('');
}

function shown(text: string): string {
  return text.length > 64 ? `${text.slice(0, 61)}...` : text;
}

function shownValue(value: unknown): string {
  return typeof value === 'string' ? `'${shown(value)}'` : typeof value === 'object' ? kindOf(value) : String(value);
}

function kindOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'an array';
  if (typeof value === 'number') return Number.isInteger(value) ? 'an integer' : 'a decimal';
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}
