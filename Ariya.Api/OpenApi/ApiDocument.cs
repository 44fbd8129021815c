using Microsoft.AspNetCore.OpenApi;
using Microsoft.OpenApi;

namespace Ariya.Api.OpenApi;

/// <summary><c>/openapi/v1.json</c>: made from the endpoints and their comments when it is first asked for, then kept.</summary>
internal sealed class ApiDocument([FromKeyedServices(ApiDocument.Version)] IOpenApiDocumentProvider provider)
{
    public const string Version = "v1";
    public const string Path = "/openapi/v1.json";
    public const string Bearer = "bearer";
    public const string Problem = "Problem";

    private readonly Lazy<Task<string>> _text = new(async () =>
        await (await provider.GetOpenApiDocumentAsync()).SerializeAsJsonAsync(OpenApiSpecVersion.OpenApi3_1));

    public static async Task<IResult> HandleAsync(ApiDocument document, HttpContext http)
    {
        http.Response.Headers.CacheControl = "public, max-age=300";
        return Results.Text(await document._text.Value, "application/json; charset=utf-8");
    }
}

internal static class ApiDocuments
{
    public static void AddApiDocument(this IHostApplicationBuilder builder)
    {
        builder.Services.AddSingleton<ApiDocument>();
        builder.Services.AddOpenApi(ApiDocument.Version, options =>
        {
            options.AddOperationTransformer<OperationDocument>();
            options.AddSchemaTransformer((schema, context, _) =>
            {
                RequireMembers(schema, context.JsonTypeInfo.Type);
                return Task.CompletedTask;
            });
            options.AddDocumentTransformer((document, _, _) =>
            {
                Describe(document);
                return Task.CompletedTask;
            });
        });
    }

    /// <summary>Gives the endpoints of a group the status and body of success that <see cref="Operations"/> names.</summary>
    public static RouteGroupBuilder WithOperations(this RouteGroupBuilder group)
    {
        ((IEndpointConventionBuilder)group).Finally(endpoint =>
        {
            var name = endpoint.Metadata.OfType<IEndpointNameMetadata>().LastOrDefault()?.EndpointName;
            if (name is not null && Operations.ByEndpoint.TryGetValue(name, out var operation) && operation.Success is { } success)
            {
                endpoint.Metadata.Add(success.Body is null
                    ? new ProducesResponseTypeMetadata(success.Status, typeof(void))
                    : new ProducesResponseTypeMetadata(success.Status, success.Body, ["application/json"]));
            }
        });
        return group;
    }

    // Records bind members that are missing as null, and the handlers say what is wrong with that: the types alone do not.
    private static void RequireMembers(OpenApiSchema schema, Type type)
    {
        // Unknown members are refused in requests; an answer may get new ones at any time.
        schema.AdditionalPropertiesAllowed = !Operations.RequiredMembers.TryGetValue(type, out var required);
        if (required is null)
        {
            return;
        }

        schema.Required = required.ToHashSet();
        foreach (var member in required)
        {
            if (schema.Properties?[member] is OpenApiSchema { Type: { } kind } property)
            {
                property.Type = kind & ~JsonSchemaType.Null;
            }
        }
    }

    private static void Describe(OpenApiDocument document)
    {
        document.Info = new OpenApiInfo
        {
            Title = "Ariya",
            Version = ApiDocument.Version,
            Description = "Accounts: registration, verification, sign-in, sessions, password reset. "
                + "Every refusal is application/problem+json with a stable `code`.",
        };
        document.Servers = [];
        var components = document.Components ??= new OpenApiComponents();
        components.SecuritySchemes = new Dictionary<string, IOpenApiSecurityScheme>
        {
            [ApiDocument.Bearer] = new OpenApiSecurityScheme
            {
                Type = SecuritySchemeType.Http,
                Scheme = "bearer",
                BearerFormat = "JWT",
                Description = "The accessToken of a sign-in or refresh.",
            },
        };
        (components.Schemas ??= new Dictionary<string, IOpenApiSchema>())[ApiDocument.Problem] = ProblemSchema();
        foreach (var operation in document.Paths.Values.SelectMany(path => path.Operations ?? []).Select(entry => entry.Value))
        {
            Summarise(operation);
        }
    }

    // The request's comment says what the endpoint is for, the handler's what to know about it; a list is described by its answer.
    private static void Summarise(OpenApiOperation operation)
    {
        var body = operation.RequestBody?.Content?.Values.FirstOrDefault()?.Schema?.Description;
        var answer = operation.Responses?.Where(response => response.Key.StartsWith('2')).Select(response => response.Value.Content)
            .FirstOrDefault(content => content?.Count > 0)?.Values.First().Schema?.Description;
        if (body is not null)
        {
            operation.Description = operation.Summary;
            operation.Summary = body;
        }

        operation.Summary = (operation.Summary ?? answer)?.ReplaceLineEndings(" ");
        operation.Description = operation.Description?.ReplaceLineEndings(" ");
    }

    private static OpenApiSchema ProblemSchema() => new()
    {
        Type = JsonSchemaType.Object,
        Description = "A refusal (RFC 9457).",
        Required = new HashSet<string> { "type", "title", "status", "code", "traceId" },
        Properties = new Dictionary<string, IOpenApiSchema>
        {
            ["type"] = Text("urn:ariya:problem: and the code."),
            ["title"] = Text("The name of the status."),
            ["status"] = new OpenApiSchema { Type = JsonSchemaType.Integer },
            ["detail"] = Text("For people; may change."),
            ["code"] = Text("For programs; stable."),
            ["traceId"] = Text("Finds the request in traces and logs."),
            ["errors"] = new OpenApiSchema
            {
                Type = JsonSchemaType.Object,
                Description = "What is wrong, by member of the body.",
                AdditionalProperties = new OpenApiSchema
                {
                    Type = JsonSchemaType.Array,
                    Items = new OpenApiSchema { Type = JsonSchemaType.String },
                },
            },
        },
    };

    private static OpenApiSchema Text(string description) => new() { Type = JsonSchemaType.String, Description = description };
}
