using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Http.Json;
using Microsoft.AspNetCore.OpenApi;
using Microsoft.Extensions.Options;
using Microsoft.OpenApi;

namespace Ariya.Api.OpenApi;

/// <summary>Writes into each operation what <see cref="Operations"/> says of it, and the refusals that its kind of endpoint has.</summary>
internal sealed class OperationDocument(IOptions<JsonOptions> json) : IOpenApiOperationTransformer
{
    private static readonly string[] s_ofEvery = ["500 internal", "503 unavailable"];
    private static readonly string[] s_ofSignedIn = ["401 unauthenticated"];
    private static readonly string[] s_ofBodies =
        ["400 validation_failed", "400 malformed_json", "413 payload_too_large", "415 unsupported_media_type"];

    private readonly JsonSerializerOptions _json =
        new(json.Value.SerializerOptions) { DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull };

    public Task TransformAsync(OpenApiOperation operation, OpenApiOperationTransformerContext context, CancellationToken cancellationToken)
    {
        var metadata = context.Description.ActionDescriptor.EndpointMetadata;
        var known = Operations.ByEndpoint.GetValueOrDefault(operation.OperationId ?? "") ?? new Operation();
        var isAnonymous = metadata.OfType<IAllowAnonymous>().Any();
        if (!isAnonymous)
        {
            var bearer = new OpenApiSecuritySchemeReference(ApiDocument.Bearer, context.Document);
            operation.Security = [new OpenApiSecurityRequirement { [bearer] = [] }];
        }

        if (operation.RequestBody?.Content?.Values.FirstOrDefault() is { } body && known.Examples.Length > 0)
        {
            body.Examples = known.Examples.ToDictionary(example => example.Name, IOpenApiExample (example) =>
                new OpenApiExample { Value = JsonSerializer.SerializeToNode(example.Body, example.Body.GetType(), _json) });
        }

        foreach (var (name, meaning) in known.RequestHeaders)
        {
            (operation.Parameters ??= []).Add(new OpenApiParameter
            {
                Name = name,
                In = ParameterLocation.Header,
                Description = meaning,
                Schema = new OpenApiSchema { Type = JsonSchemaType.String },
            });
        }

        operation.Responses ??= [];
        foreach (var success in operation.Responses.Values.OfType<OpenApiResponse>().Where(_ => known.ResponseHeaders.Length > 0))
        {
            success.Headers = known.ResponseHeaders.ToDictionary(header => header.Name, IOpenApiHeader (header) => Header(header.Meaning));
        }

        string[] problems =
        [
            .. operation.RequestBody is null ? [] : s_ofBodies, .. isAnonymous ? [] : s_ofSignedIn, .. known.Problems, .. s_ofEvery,
        ];
        foreach (var byStatus in problems.GroupBy(problem => problem[..3]).Where(group => !operation.Responses.ContainsKey(group.Key)))
        {
            operation.Responses[byStatus.Key] = Refusal(byStatus.Key, [.. byStatus.Select(problem => problem[4..])], context.Document!);
        }

        var inOrder = operation.Responses.OrderBy(response => response.Key, StringComparer.Ordinal).ToList();
        operation.Responses.Clear();
        inOrder.ForEach(response => operation.Responses.Add(response.Key, response.Value));

        return Task.CompletedTask;
    }

    private static OpenApiResponse Refusal(string status, string[] codes, OpenApiDocument document) => new()
    {
        Description = string.Join(", ", codes),
        Headers = status is "429" or "503"
            ? new Dictionary<string, IOpenApiHeader>
            {
                ["Retry-After"] = Header("Seconds to wait before the next try.", JsonSchemaType.Integer),
            }
            : null,
        Content = new Dictionary<string, OpenApiMediaType>
        {
            ["application/problem+json"] = new()
            {
                Schema = new OpenApiSchema
                {
                    AllOf = [new OpenApiSchemaReference(ApiDocument.Problem, document)],
                    Properties = new Dictionary<string, IOpenApiSchema>
                    {
                        ["code"] = new OpenApiSchema { Enum = [.. codes.Select(JsonNode (code) => JsonValue.Create(code))] },
                    },
                },
            },
        },
    };

    private static OpenApiHeader Header(string meaning, JsonSchemaType type = JsonSchemaType.String) =>
        new() { Description = meaning, Schema = new OpenApiSchema { Type = type } };
}
