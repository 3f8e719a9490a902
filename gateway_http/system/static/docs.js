"use strict";

// Everything is built with textContent: nothing of the document is ever parsed as HTML.
function el(name, attributes, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) node.setAttribute(key, value);
  for (const child of children.flat()) if (child !== null && child !== undefined) node.append(child);
  return node;
}

// `code`, **bold** and plain text.
function inline(text) {
  return text.split(/(`[^`]+`|\*\*[^*]+\*\*)/).map((part) => {
    if (part.startsWith("`") && part.length > 2) return el("code", {}, part.slice(1, -1));
    if (part.startsWith("**") && part.length > 4) return el("strong", {}, part.slice(2, -2));
    return part;
  });
}

// Paragraphs, `- ` lists and tables: the Markdown that the document uses.
function markdown(text) {
  return (text || "").split(/\n{2,}/).map((block) => {
    const lines = block.split("\n");
    if (lines[0].startsWith("| ")) return table(lines);
    if (lines.every((line) => line.startsWith("- "))) return el("ul", {}, lines.map((line) => el("li", {}, inline(line.slice(2)))));
    return el("p", {}, inline(lines.join(" ")));
  });
}

function table(lines) {
  const cells = (line) => line.slice(1, line.lastIndexOf("|")).split("|").map((cell) => cell.trim());
  const [head, , ...rows] = lines;
  return el("div", { class: "table-wrap" }, el("table", {},
    el("thead", {}, el("tr", {}, cells(head).map((cell) => el("th", { scope: "col" }, inline(cell))))),
    el("tbody", {}, rows.map((row) => el("tr", {}, cells(row).map((cell) => el("td", {}, inline(cell))))))));
}

function resolve(spec, schema) {
  if (!schema || !schema.$ref) return schema || {};
  const found = schema.$ref.slice(2).split("/").reduce((node, key) => node && node[key], spec) || {};
  return { ...found, ...Object.fromEntries(Object.entries(schema).filter(([key]) => key !== "$ref")) };
}

function typeName(spec, schema) {
  if (schema.$ref) return schema.$ref.split("/").pop();
  const nullable = (schema.anyOf || []).some((part) => part.type === "null");
  const parts = (schema.anyOf || [schema]).filter((part) => part.type !== "null");
  const names = parts.map((part) => {
    if (part.$ref) return part.$ref.split("/").pop();
    if (part.enum) return part.enum.map((value) => `"${value}"`).join(" | ");
    if (part.type === "array") return `array of ${typeName(spec, part.items || {})}`;
    const format = part.format || schema.format;
    return [part.type].flat().join(" | ") + (format ? ` (${format})` : "");
  });
  return names.join(" | ") + (nullable ? " | null" : "");
}

function bounds(schema) {
  const words = [];
  if (schema.minLength !== undefined && schema.maxLength !== undefined) words.push(`${schema.minLength} to ${schema.maxLength} characters`);
  if (schema.maxItems !== undefined) words.push(`at most ${schema.maxItems}`);
  if (schema.minimum !== undefined && schema.maximum !== undefined) words.push(`${schema.minimum} to ${schema.maximum}`);
  return words.length ? `, ${words.join(", ")}` : "";
}

function fieldTable(rows) {
  return el("div", { class: "table-wrap" }, el("table", {},
    el("thead", {}, el("tr", {}, ["Field", "Type", "Meaning"].map((title) => el("th", { scope: "col" }, title)))),
    el("tbody", {}, rows.map((row) => el("tr", {},
      el("td", {}, el("code", { class: "name" }, row.name), row.required ? el("span", { class: "required" }, "required") : null),
      el("td", { class: "type" }, row.type),
      el("td", {}, inline(row.description || "")))))));
}

function schemaFields(spec, schema) {
  const shape = resolve(spec, schema);
  return Object.entries(shape.properties || {}).map(([name, field]) => ({
    name,
    type: typeName(spec, field) + bounds(field),
    required: (shape.required || []).includes(name),
    description: field.description,
  }));
}

function highlighted(text) {
  const code = el("code", {});
  const token = /("(?:\\.|[^"\\])*")(\s*:)?|\b(true|false|null)\b|(-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)/g;
  let at = 0;
  for (const match of text.matchAll(token)) {
    code.append(text.slice(at, match.index));
    const kind = match[1] ? (match[2] ? "k" : "s") : match[3] ? "w" : "n";
    code.append(el("span", { class: kind }, match[1] || match[3] || match[4]), match[2] || "");
    at = match.index + match[0].length;
  }
  code.append(text.slice(at));
  return code;
}

function figure(caption, content, text) {
  const button = el("button", { type: "button", class: "copy" }, "Copy");
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = "Copied";
    } catch {
      button.textContent = "Select and copy by hand";
    }
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  });
  return el("figure", { class: "figure" }, el("figcaption", {}, caption), el("pre", { tabindex: "0" }, content), button);
}

// camelCase example names read as words.
const words = (name) => name.replace(/([a-z])([A-Z])/g, (_, a, b) => `${a} ${b.toLowerCase()}`);

function json(caption, value) {
  const text = JSON.stringify(value, null, 2).replace(/("(?:pricePerSms|costPerUnit|totalCost|saving)": -?\d+)(?=[,\n])/g, "$1.0");
  return figure(caption, highlighted(text), text);
}

function curl(spec, method, path, operation) {
  const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;
  const filled = path.replace(/\{(\w+)\}/g, (_, name) => {
    const parameter = operation.parameters.find((one) => one.name === name);
    return (parameter && parameter.example) || name;
  });
  const query = operation.parameters.filter((one) => one.in === "query" && one.required)
    .map((one) => `${one.name}=${one.schema.enum ? one.schema.enum.find((value) => value === "DirectCustomer") || one.schema.enum[0] : "user123"}`);
  const url = location.origin + filled + (query.length ? `?${query.join("&")}` : "");
  const lines = [`curl -sS ${method === "get" ? "" : `-X ${method.toUpperCase()} `}${quoted(url)}`];
  const security = operation.security || [];
  if (security.length && security.every((one) => Object.keys(one).length)) lines.push('-H "Authorization: Bearer $TUKUPAY_KEY"');
  const body = operation.requestBody;
  if (body && body.required) {
    const example = Object.values(body.content["application/json"].examples)[0].value;
    lines.push(`-H 'Content-Type: application/json'`, `-d ${quoted(JSON.stringify(example, null, 2))}`);
  }
  const text = lines.join(" \\\n  ");
  return figure("Try it", el("code", {}, text), text);
}

function answer(spec, status, response) {
  const [mediaType, content] = Object.entries(response.content || {})[0] || ["", {}];
  const inside = el("div", { class: "inside" });
  const [first, ...more] = (response.description || "").split("\n\n");
  inside.append(...markdown(more.join("\n\n")));
  const headers = Object.keys(response.headers || {});
  if (headers.length) inside.append(el("p", { class: "note" }, "Headers: ", headers.map((name, index) => [index ? ", " : "", el("code", {}, name)]).flat()));
  const fields = schemaFields(spec, (content.schema || {}).items || content.schema);
  const examples = Object.entries(content.examples || {});
  inside.append(...examples.slice(0, 2).map(([name, example]) => json(words(name), example.value)));
  if (fields.length && status < 400) inside.append(fieldTable(fields));
  return el("details", {},
    el("summary", {}, el("span", { class: `code s${status[0]}` }, status), el("span", {}, inline(first)), el("span", { class: "type" }, mediaType)),
    inside);
}

function route(spec, method, path, operation) {
  const parameters = operation.parameters.map((one) => resolve(spec, one));
  const own = { ...operation, parameters };
  const left = el("div", {}, markdown(operation.description));
  const shown = parameters.filter((one) => one.name !== "X-Request-Id");
  if (shown.length) {
    left.append(el("h4", {}, "Parameters"), fieldTable(shown.map((one) => ({
      name: one.name, required: one.required, description: one.description, type: `${one.in}, ${typeName(spec, one.schema)}${bounds(one.schema)}`,
    }))));
  }
  const right = el("div", {}, curl(spec, method, path, own));
  if (operation.requestBody) {
    const content = operation.requestBody.content["application/json"];
    const fields = schemaFields(spec, content.schema);
    left.append(el("h4", {}, "Body"), fields.length ? fieldTable(fields) : el("p", { class: "note" }, "None, or an empty object."));
    right.append(...Object.entries(content.examples).slice(1).map(([name, example]) => json(`Another body: ${words(name)}`, example.value)));
  }
  right.append(el("h4", {}, "Answers"), el("div", { class: "answers" },
    Object.entries(operation.responses).map(([status, response]) => answer(spec, status, response))));
  return el("section", { class: "route", id: operation.operationId, "aria-label": operation.summary },
    el("header", {}, el("span", { class: `method ${method}` }, method), el("code", { class: "path" }, path), el("h3", {}, operation.summary)),
    el("div", { class: "columns" }, left, right));
}

function render(spec) {
  const nav = document.getElementById("nav");
  const main = document.getElementById("main");
  const operations = Object.entries(spec.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, operation })));
  nav.append(el("p", { class: "brand" }, spec.info.title), el("p", { class: "version" }, `REST API ${spec.info.version} · `, el("a", { href: "/openapi.json" }, "openapi.json")));
  const [intro, ...rest] = spec.info.description.split("Errors are RFC 9457");
  main.replaceChildren(el("h1", {}, `${spec.info.title} REST API`), ...markdown(intro));
  for (const tag of spec.tags) {
    const ofTag = operations.filter(({ operation }) => operation.tags.includes(tag.name));
    nav.append(el("h2", {}, tag.name), el("ul", {}, ofTag.map(({ method, operation }) => el("li", {},
      el("a", { href: `#${operation.operationId}` }, el("span", { class: `method ${method}` }, method), operation.summary)))));
    main.append(el("h2", { class: "tag" }, tag.name), el("p", {}, tag.description));
    main.append(...ofTag.map(({ method, path, operation }) => route(spec, method, path, operation)));
  }
  nav.append(el("h2", {}, "Reference"), el("ul", {}, el("li", {}, el("a", { href: "#errors" }, "Errors"))));
  main.append(el("h2", { class: "tag", id: "errors" }, "Errors"), ...markdown(`Errors are RFC 9457${rest.join("Errors are RFC 9457")}`));
  if (location.hash) document.getElementById(location.hash.slice(1))?.scrollIntoView();
}

render(JSON.parse(document.getElementById("openapi").textContent));
