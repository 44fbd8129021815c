using System.Text.Json.Nodes;

namespace Ariya.Tests.Contract;

/// <summary>What <c>docs/openapi.json</c> says of a body, as far as the product says anything: types, members, and which must be there.</summary>
internal sealed class ApiSchema(JsonNode document)
{
    /// <summary>What is wrong with a value, by its path; nothing when it is as documented.</summary>
    public IEnumerable<string> Faults(JsonNode? value, JsonNode schema, string path = "$")
    {
        if ((string?)schema["$ref"] is { } reference)
        {
            return Faults(value, Resolve(reference), path);
        }

        if (schema["oneOf"] is JsonArray choices)
        {
            return choices.Any(choice => !Faults(value, choice!, path).Any()) ? [] : [$"{path} is none of what it may be"];
        }

        if (schema["type"] is { } type && !Names(type).Contains(NameOf(value)) && !(NameOf(value) == "integer" && Names(type).Contains("number")))
        {
            return [$"{path} is {NameOf(value)} instead of {string.Join(" or ", Names(type))}"];
        }

        return value switch
        {
            JsonObject members => FaultsOfMembers(members, schema, path),
            JsonArray items => items.SelectMany((item, index) => Faults(item, schema["items"]!, $"{path}[{index}]")),
            _ => [],
        };
    }

    private IEnumerable<string> FaultsOfMembers(JsonObject members, JsonNode schema, string path)
    {
        if (schema["additionalProperties"] is JsonObject any)
        {
            return members.SelectMany(member => Faults(member.Value, any, $"{path}.{member.Key}"));
        }

        var known = schema["properties"]!.AsObject();
        var required = schema["required"]?.AsArray().Select(name => (string)name!) ?? [];
        return
        [
            .. required.Where(name => !members.ContainsKey(name)).Select(name => $"{path}.{name} is missing"),
            .. members.Where(member => !known.ContainsKey(member.Key)).Select(member => $"{path}.{member.Key} is not documented"),
            .. members.Where(member => known.ContainsKey(member.Key)).SelectMany(member => Faults(member.Value, known[member.Key]!, $"{path}.{member.Key}")),
        ];
    }

    // "#/components/schemas/Name"
    private JsonNode Resolve(string reference) => reference.Split('/').Skip(1).Aggregate(document, (node, step) => node[step]!);

    private static IEnumerable<string> Names(JsonNode type) => type is JsonArray names ? names.Select(name => (string)name!) : [(string)type!];

    private static string NameOf(JsonNode? value) => value?.GetValueKind() switch
    {
        null or System.Text.Json.JsonValueKind.Null => "null",
        System.Text.Json.JsonValueKind.Object => "object",
        System.Text.Json.JsonValueKind.Array => "array",
        System.Text.Json.JsonValueKind.String => "string",
        System.Text.Json.JsonValueKind.Number => value.ToJsonString().Contains('.', StringComparison.Ordinal) ? "number" : "integer",
        _ => "boolean",
    };
}
