// Shows the OpenAPI document. Everything is set as text, so nothing in the document can act as markup.

const METHODS = ["get", "post", "put", "patch", "delete"];

function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

function resolved(spec, schema) {
  let found = schema ?? {};
  while (found.$ref) {
    found = found.$ref.slice(2).split("/").reduce((at, key) => at[key], spec);
  }
  return found;
}

function typeOf(spec, schema) {
  if (schema?.$ref) {
    const target = resolved(spec, schema);
    return target.enum ? target.enum.join(" | ") : schema.$ref.split("/").pop();
  }
  if (schema?.anyOf) {
    return [...new Set(schema.anyOf.map((each) => typeOf(spec, each)))].join(" | ");
  }
  if (schema?.const !== undefined) {
    return JSON.stringify(schema.const);
  }
  if (schema?.enum) {
    return schema.enum.map((each) => JSON.stringify(each)).join(" | ");
  }
  if (schema?.type === "array") {
    return `list of ${typeOf(spec, schema.items)}`;
  }
  return schema?.type ?? "anything";
}

function table(rows) {
  const cells = (row) => row.map((cell) => element("td", {}, cell));
  return element("table", {}, ...rows.map((row) => element("tr", {}, ...cells(row))));
}

function fieldTable(spec, schema) {
  const required = new Set(schema.required ?? []);
  const rows = Object.entries(schema.properties ?? {}).map(([name, field]) => [
    element("code", { textContent: name + (required.has(name) ? " *" : "") }),
    element("code", { textContent: typeOf(spec, field) }),
    field.description ?? "",
  ]);
  return table(rows);
}

function parameterTable(spec, parameters) {
  const rows = parameters.map((each) => [
    element("code", { textContent: each.name + (each.required ? " *" : "") }),
    each.in,
    element("code", { textContent: typeOf(spec, each.schema) }),
    each.description ?? "",
  ]);
  return table(rows);
}

function bodyPart(spec, body) {
  const wanted = body.content["application/json"].schema;
  const schema = resolved(spec, wanted.anyOf ? wanted.anyOf[0] : wanted);
  const parts = [element("h3", { textContent: "Body" }), fieldTable(spec, schema)];
  for (const example of schema.examples ?? []) {
    parts.push(element("pre", { textContent: JSON.stringify(example, null, 2) }));
  }
  return parts;
}

function answerTable(spec, responses) {
  const rows = Object.entries(responses).map(([status, answer]) => {
    const [kind, content] = Object.entries(answer.content ?? {})[0] ?? [];
    const words = kind === "application/json" ? typeOf(spec, content.schema) : (kind ?? "");
    return [status, element("code", { textContent: words }), answer.description ?? ""];
  });
  return table(rows);
}

function call(spec, path, method, operation) {
  const parts = [element("p", { textContent: operation.description ?? "" })];
  if (operation.parameters) {
    parts.push(element("h3", { textContent: "Parameters" }), parameterTable(spec, operation.parameters));
  }
  if (operation.requestBody) {
    parts.push(...bodyPart(spec, operation.requestBody));
  }
  parts.push(element("h3", { textContent: "Answers" }), answerTable(spec, operation.responses));
  const title = element(
    "summary",
    {},
    element("span", { className: "method", textContent: method }),
    element("code", { textContent: path }),
    " ",
    element("span", { className: "words", textContent: operation.summary ?? "" }),
  );
  return element("details", { id: operation.operationId }, title, ...parts);
}

function calls(spec) {
  return Object.entries(spec.paths).flatMap(([path, item]) =>
    METHODS.filter((method) => item[method]).map((method) => call(spec, path, method, item[method])),
  );
}

function filterBy(list, words) {
  for (const each of list) {
    each.hidden = !each.textContent.toLowerCase().includes(words.toLowerCase());
  }
}

async function show() {
  const main = document.getElementById("calls");
  const answer = await fetch("/openapi.json");
  if (!answer.ok) {
    main.textContent = `The document cannot be read: ${answer.status} ${answer.statusText}`;
    return;
  }
  const spec = await answer.json();
  document.getElementById("summary").textContent = `${spec.info.summary} Version ${spec.info.version}.`;
  const list = calls(spec);
  main.replaceChildren(...list);
  const filter = document.getElementById("filter");
  filter.addEventListener("input", () => filterBy(list, filter.value));
  const chosen = document.getElementById(location.hash.slice(1));
  if (chosen) {
    chosen.open = true;
    chosen.scrollIntoView();
  }
}

await show();
