"""Makes events of an AsyncAPI document: one that breaks each single rule of its schemas, and some that keep them at their limits.

    contract_corpus.py DOCUMENT.json

Prints a JSON object a line: `type`, `data` (or null for none), `options` of `warren publish`, `field` (what a refusal has to
name, or null where the event has to be taken), and `name` for people. Every event is held to the schema by jsonschema first, so
that it breaks what it is meant to break and nothing else; a rule for which none can be made ends the program.
"""

import copy
import json
import sys

import jsonschema

# What says nothing that a value could break.
SILENT = {"description", "examples", "format", "title", "properties", "$ref"}
# Attributes that `warren publish` writes itself, whatever it is told.
OWN = {
    "specversion", "type", "time", "datacontenttype", "sequence", "correlationid", "causationid", "traceparent", "data",
}
EMAIL = "ada@" + ".".join(["b" * 62] * 4)
LOCALE = "en" + "-abcdefgh" * 4


def resolved(document, schema):
    while "$ref" in schema:
        target = document
        for key in schema["$ref"].removeprefix("#/").split("/"):
            target = target[key]
        schema = target
    return schema


def nodes(document, schema, path=()):
    """Every place of a value with its schema."""
    schema = resolved(document, schema)
    yield path, schema
    for name, part in schema.get("properties", {}).items():
        yield from nodes(document, part, (*path, name))
    if "items" in schema:
        yield from nodes(document, schema["items"], (*path, 0))


def at(value, path):
    for key in path:
        value = value[key]
    return value


def put(value, path, new):
    """A copy of a value with another one at that place."""
    if not path:
        return new
    value = copy.deepcopy(value)
    at(value, path[:-1])[path[-1]] = new
    return value


def without(value, path, name):
    value = copy.deepcopy(value)
    del at(value, path)[name]
    return value


def shown(path):
    return "data" + "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in path)


def breaking(keyword, rule, old):
    """Values that could break a rule, and whether each of them is wanted or the first that does."""
    match keyword:
        case "type":
            wrong = {"string": [None, 1, {}], "integer": [None, "1", 1.5, []], "object": [None, "x", []], "array": [None, "x", {}]}
            return [value for value in wrong[rule if isinstance(rule, str) else rule[0]] if value is not None or "null" not in rule], True
        case "minLength":
            return ["x" * (rule - 1)], True
        case "maxLength":
            return ["x" * (rule + 1), old + ".example" * rule, old + "-example" * rule], False
        case "minimum":
            return [rule - 1, rule - 1_000_000], True
        case "maximum":
            return [rule + 1, 2**63 - 1], True
        case "minItems":
            return [[]], True
        case "maxItems":
            return [old[:1] * (rule + 1)], True
        case "pattern":
            return ["", "a b", "nobody", "a@b@c", "a@b c", "a@b..c", "a@-b", "<a@b>", old + "\u00fc", old + "/"], True
        case "enum":
            return ["XXX", "eur", "EURO", ""], True
    raise SystemExit(f"there is no way to break {keyword}: {rule}")


def keeping(keyword, rule, old, is_subject):
    """Values that keep a rule at its limit, if they keep the others."""
    match keyword:
        case "minLength" | "maxLength":
            # What is the subject too may have so many bytes, not characters.
            return ["x" * rule, EMAIL[:rule], LOCALE[:rule]] + ([] if is_subject else ["\u00fc" * rule])
        case "minimum" | "maximum":
            return [rule]
        case "minItems" | "maxItems":
            return [old[:1] * rule]
        case "enum":
            return [rule[0], rule[-1]]
    return []


def filled(document, schema, value):
    """A value with all its optional fields, from the examples of each."""
    schema = resolved(document, schema)
    for name, part in schema.get("properties", {}).items():
        if name not in value:
            value[name] = copy.deepcopy(resolved(document, part)["examples"][0])
        value[name] = filled(document, part, value[name])
    if "items" in schema:
        return [filled(document, schema["items"], element) for element in value]
    return value


def deducted(value):
    """What an event takes off its total; nothing of it counts before there is a discount."""
    deductions = value.get("deductions") or {}
    return deductions["discount"] + deductions.get("points", 0) if "discount" in deductions else 0


def covered(message, value, path):
    """The event with a total that its deductions do not exceed, where the message asks for that; what is at the path stays."""
    within = message.get("x-deductions-within")
    if within is None or within not in value or deducted(value) <= value[within]["amount"]:
        return value
    if path[0] == "deductions":
        value = put(value, ("deductions",), {path[1]: at(value, path)})
        return put(value, (within, "amount"), max(deducted(value), value[within]["amount"]))
    return without(value, (), "deductions")


def corpus(document, message, seen):
    kind, source = message["name"], None
    for part in message["payload"]["allOf"]:
        properties = resolved(document, part).get("properties", {})
        source = properties.get("source", {}).get("const", source)
        data = properties["data"] if "$ref" in properties.get("data", {}) else None
    resolver = jsonschema.RefResolver("", document)
    validator = jsonschema.Draft7Validator(data, resolver=resolver)

    def faults(value):
        return [(tuple(error.absolute_path), error.validator) for error in validator.iter_errors(value)]

    def case(name, value, field, options=()):
        return {"name": f"{kind}: {name}", "type": kind, "data": value, "field": field, "options": list(options)}

    for example in message["examples"]:
        payload = example["payload"]
        whole = jsonschema.Draft7Validator(message["payload"], resolver=resolver)
        whole.validate(payload)
        options = [f"--{name}={payload[name]}" for name in ("id", "source", "subject")]
        yield case(f"the example {example['name']}", payload["data"], None, options)

    sample = filled(document, data, copy.deepcopy(message["examples"][0]["payload"]["data"]))
    assert faults(sample) == [], faults(sample)

    for path, schema in nodes(document, data):
        old = at(sample, path)
        for keyword, rule in schema.items():
            if keyword in SILENT or keyword == "items":
                continue
            if keyword == "required":
                for name in rule:
                    value = without(sample, path, name)
                    assert faults(value) == [(path, "required")]
                    yield case(f"without {shown(path)}.{name}", value, f"{shown(path)}.{name}")
                continue
            candidates, all_of_them = breaking(keyword, rule, old)
            # `null` is how a case says that it has no data at all.
            candidates = [new for new in candidates if path or new is not None]
            values = [put(sample, path, new) for new in candidates]
            # A value of another type is none of an enumeration either: that is one rule in two words.
            wanted = {keyword, "enum"} if keyword == "type" else {keyword}
            broken = [
                value for value in values
                if (found := faults(value)) and (path, keyword) in found and {(path, word) for word in wanted} >= set(found)
            ]
            if not broken:
                raise SystemExit(f"{kind}: nothing breaks {shown(path)} {keyword} {rule} alone")
            # A schema that several events share is broken in every way once, and in one way for each event.
            is_new = id(schema) not in seen
            for value in broken if all_of_them and is_new else broken[:1]:
                yield case(f"{shown(path)} breaks {keyword}", value, shown(path))
            for new in keeping(keyword, rule, old, path in {("orderID",), ("chargeID",)}):
                value = covered(message, put(sample, path, new), path)
                if not faults(value):
                    yield case(f"{shown(path)} just keeps {keyword}", value, None)

    if within := message.get("x-deductions-within"):
        value = put(sample, (within, "amount"), deducted(sample))
        yield case("all that there is to pay is deducted", value, None)
        value = put(sample, (within, "amount"), deducted(sample) - 1)
        yield case("more is deducted than there is to pay", value, "data.deductions")

    seen.update(id(schema) for _, schema in nodes(document, data))

    envelope = document["components"]["schemas"]["Envelope"]["properties"]
    for name, schema in envelope.items():
        if name in OWN:
            continue
        for keyword, rule in resolved(document, schema).items():
            if keyword in SILENT or keyword == "type":
                continue
            for value in breaking(keyword, rule, "x")[0][:1]:
                yield case(f"{name} breaks {keyword}", None, name, [f"--{name}={value}"])
    yield case("another source", sample, "source", [f"--source={source}/elsewhere"])


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        document = json.load(file)
    seen = set()
    for message in document["components"]["messages"].values():
        for case in corpus(document, message, seen):
            print(json.dumps(case))


main()
