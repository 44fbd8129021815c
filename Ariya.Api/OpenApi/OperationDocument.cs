using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using Ariya.Api.Admin;
using Ariya.Api.Idempotency;
using Ariya.Api.Limits;
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
    private static readonly string[] s_ofAdmins = ["403 forbidden", "403 sign_in_too_old"];
    private static readonly string[] s_ofBodies =
        ["400 validation_failed", "400 malformed_json", "413 payload_too_large", "415 unsupported_media_type"];
    private static readonly string[] s_ofLimited = ["429 rate_limited"];
    private static readonly string[] s_ofIdempotent = ["409 idempotency_in_flight", "422 idempotency_key_reused"];

    private static readonly (string Name, string Meaning)[] s_limitHeaders =
    [
        ("RateLimit-Policy", "The limits of this route: permits (q) in seconds (w). draft-ietf-httpapi-ratelimit-headers."),
        ("RateLimit", "What is left of them (r), and the seconds until there is more (t)."),
        ("X-RateLimit-Limit", "Permits of the limit that has the least left."),
        ("X-RateLimit-Remaining", "What is left of it."),
        ("X-RateLimit-Reset", "When there is more of it, in seconds since 1970."),
    ];
    private static readonly (string Name, string Meaning) s_idempotencyKey = (RequestKeys.Header,
        "1 to 255 visible ASCII characters, new for every request. The same request again with the key within 24 hours gets the same answer, marked Idempotent-Replayed.");

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

        var isLimited = metadata.OfType<Limited>().Any();
        var isIdempotent = metadata.OfType<Idempotent>().Any();
        foreach (var (name, meaning) in known.RequestHeaders.Concat(isIdempotent ? [s_idempotencyKey] : []))
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
        if (known.RequestTypes.Length > 0)
        {
            operation.RequestBody = new OpenApiRequestBody { Required = true, Content = Binary(known.RequestTypes) };
        }

        if (known.SuccessTypes.Length > 0)
        {
            ((OpenApiResponse)operation.Responses["200"]).Content = Binary(known.SuccessTypes);
        }

        var responseHeaders = known.ResponseHeaders.Concat(isLimited ? s_limitHeaders : []).ToList();
        foreach (var success in operation.Responses.Values.OfType<OpenApiResponse>().Where(_ => responseHeaders.Count > 0))
        {
            success.Headers = responseHeaders.ToDictionary(header => header.Name, IOpenApiHeader (header) => Header(header.Meaning));
        }

        string[] problems =
        [
            .. operation.RequestBody is null || known.RequestTypes.Length > 0 ? [] : s_ofBodies, .. isAnonymous ? [] : s_ofSignedIn,
            .. metadata.OfType<AdminsOnly>().Any() ? s_ofAdmins : [], .. known.Problems, .. isIdempotent ? s_ofIdempotent : [],
            .. isLimited ? s_ofLimited : [], .. s_ofEvery,
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

    private static Dictionary<string, OpenApiMediaType> Binary(string[] types) => types.ToDictionary(type => type, _ => new OpenApiMediaType());

    private static OpenApiHeader Header(string meaning, JsonSchemaType type = JsonSchemaType.String) =>
        new() { Description = meaning, Schema = new OpenApiSchema { Type = type } };
}
