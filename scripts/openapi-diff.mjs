// What scripts/openapi-diff.sh does with documents: "fetch URL", "same COMMITTED BUILT", "breaking OLD NEW".
// Breaking is what a client that was written against the old document trips over: an operation, an answer or a member of an answer is gone or
// may be missing, a member of a request is gone or newly required, a type or a parameter changed.
import { readFile } from "node:fs/promises";

const [command, ...rest] = process.argv.slice(2);
const read = async (path) => JSON.parse(await readFile(path, "utf8"));
const METHODS = ["get", "put", "post", "delete", "patch", "head", "options"];

if (command === "fetch") {
  const answer = await fetch(rest[0]);
  if (!answer.ok) {
    throw new Error(`${rest[0]} answered ${answer.status}`);
  }
  process.stdout.write(`${(await answer.text()).replaceAll("\r\n", "\n").trimEnd()}\n`);
} else if (command === "same") {
  const [committed, built] = await Promise.all(rest.map((path) => readFile(path, "utf8")));
  if (committed !== built) {
    console.error(`${rest[0]} is not what the build serves. If the change is meant, run: UPDATE_OPENAPI=1 dotnet test Ariya.Tests --filter OpenApiTests`);
    process.exit(1);
  }
  console.log(`${rest[0]} is what the build serves.`);
} else if (command === "breaking") {
  const breaks = compare(await read(rest[0]), await read(rest[1]));
  for (const line of breaks) {
    console.log(`breaking: ${line}`);
  }
  console.log(`${breaks.length} breaking change(s).`);
  process.exit(breaks.length > 0 && process.env.ALLOW_BREAKING !== "1" ? 1 : 0);
} else {
  console.error("usage: openapi-diff.mjs fetch URL | same COMMITTED BUILT | breaking OLD NEW");
  process.exit(2);
}

function compare(before, after) {
  const breaks = new Set();
  const resolve = (document, schema) => {
    const name = schema?.$ref?.split("/").pop();
    return name ? document.components.schemas[name] : (schema ?? {});
  };
  const types = (schema) => [schema.type ?? (schema.properties ? "object" : "any")].flat().map(String);

  // isRequest: what may be sent can only grow; what is answered can only grow too, but may not lose what was always there.
  function schemas(where, oldSchema, newSchema, isRequest, seen = new Set()) {
    const key = `${oldSchema?.$ref} ${newSchema?.$ref}`;
    if (oldSchema?.$ref && newSchema?.$ref) {
      if (seen.has(key)) {
        return;
      }
      seen = new Set(seen).add(key);
    }

    const a = resolve(before, oldSchema);
    const b = resolve(after, newSchema);
    const [had, has] = [types(a), types(b)];
    const lost = (isRequest ? had : has).filter((type) => !(isRequest ? has : had).includes(type));
    if (lost.length > 0 && !had.includes("any") && !has.includes("any")) {
      breaks.add(`${where} was ${had.join(" or ")} and is ${has.join(" or ")}`);
    }

    const values = isRequest ? (a.enum ?? []).filter((value) => b.enum && !b.enum.includes(value)) : [];
    if (values.length > 0) {
      breaks.add(`${where} does not take ${values.join(", ")} any more`);
    }

    const [required, isRequired] = [a.required ?? [], b.required ?? []];
    for (const name of isRequest ? isRequired.filter((name) => !required.includes(name)) : required.filter((name) => !isRequired.includes(name))) {
      if (isRequest || b.properties?.[name]) {
        breaks.add(`${where}.${name} ${isRequest ? "is required now" : "may be missing now"}`);
      }
    }
    for (const [name, member] of Object.entries(a.properties ?? {})) {
      if (b.properties?.[name]) {
        schemas(`${where}.${name}`, member, b.properties[name], isRequest, seen);
      } else {
        breaks.add(`${where}.${name} is gone`);
      }
    }
    if (a.items) {
      schemas(`${where}[]`, a.items, b.items, isRequest, seen);
    }
    for (const part of ["oneOf", "anyOf", "allOf"]) {
      (a[part] ?? []).forEach((member, index) => schemas(`${where}`, member, (b[part] ?? [])[index] ?? newSchema, isRequest, seen));
    }
  }

  function contents(where, oldContent, newContent, isRequest) {
    for (const [type, content] of Object.entries(oldContent ?? {})) {
      if (newContent?.[type]) {
        schemas(where, content.schema, newContent[type].schema, isRequest);
      } else {
        breaks.add(`${where} as ${type} is gone`);
      }
    }
  }

  for (const [path, item] of Object.entries(before.paths)) {
    for (const method of METHODS.filter((name) => item[name])) {
      const name = `${method.toUpperCase()} ${path}`;
      const [a, b] = [item[method], after.paths[path]?.[method]];
      if (!b) {
        breaks.add(`${name} is gone`);
        continue;
      }

      const parameter = (list, of) => (list ?? []).find((other) => other.name === of.name && other.in === of.in);
      for (const of of b.parameters ?? []) {
        if (of.required && !parameter(a.parameters, of)?.required) {
          breaks.add(`${name} requires the ${of.in} parameter ${of.name} now`);
        }
      }
      for (const of of a.parameters ?? []) {
        if (!parameter(b.parameters, of)) {
          breaks.add(`${name} does not know the ${of.in} parameter ${of.name} any more`);
        }
      }
      if (b.requestBody?.required && !a.requestBody?.required) {
        breaks.add(`${name} requires a body now`);
      }
      contents(`${name}: body`, a.requestBody?.content, b.requestBody?.content, true);
      for (const [status, answer] of Object.entries(a.responses ?? {}).filter(([status]) => status[0] === "2")) {
        if (b.responses?.[status]) {
          contents(`${name}: ${status}`, answer.content, b.responses[status].content, false);
        } else {
          breaks.add(`${name} does not answer ${status} any more`);
        }
      }
    }
  }
  return [...breaks];
}
