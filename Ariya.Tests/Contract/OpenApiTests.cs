using System.Text.Json.Nodes;

namespace Ariya.Tests.Contract;

public sealed class OpenApiTests(ApiHost api) : IClassFixture<ApiHost>
{
    private const string CommittedFile = "docs/openapi.json";
    private const string Update = "UPDATE_OPENAPI=1 dotnet test Ariya.Tests --filter OpenApiTests";

    [Fact]
    public async Task TheDocumentInTheRepositoryIsTheOneTheApiServes()
    {
        var served = await ServedAsync();
        if (Environment.GetEnvironmentVariable("UPDATE_OPENAPI") == "1")
        {
            await File.WriteAllTextAsync(CheckoutFile.PathOf(CommittedFile), served);
        }

        Assert.True(
            served == CheckoutFile.Read(CommittedFile),
            $"{CommittedFile} is not what the API serves. If the change is meant, run: {Update}");
    }

    [Fact]
    [Trait("Promise", "P01")]
    public async Task EveryOperationIsNamedAndSaysWhatItAnswers()
    {
        var document = JsonNode.Parse(await ServedAsync())!;
        Assert.StartsWith("3.1", (string?)document["openapi"], StringComparison.Ordinal);
        Assert.Null(document["servers"]);
        var operations = document["paths"]!.AsObject().SelectMany(path => path.Value!.AsObject()).Select(entry => entry.Value!).ToList();
        Assert.NotEmpty(operations);
        Assert.All(operations, operation =>
        {
            var name = (string?)operation["operationId"];
            Assert.False(string.IsNullOrEmpty(name));
            Assert.False(string.IsNullOrEmpty((string?)operation["summary"]), $"{name} has no summary");
            var responses = operation["responses"]!.AsObject().ToDictionary(response => response.Key, response => response.Value!);
            Assert.Single(responses.Keys, status => status[0] == '2');
            var refusals = responses.Where(response => response.Key[0] is '4' or '5').Select(response => response.Value["content"]!);
            Assert.All(refusals.Where(content => content["application/json"] is null), content => Assert.NotEmpty(CodesOf(content)));
        });
    }

    [Fact]
    public async Task EveryRefusalInTheDocumentIsInTheCatalogue()
    {
        var document = JsonNode.Parse(await ServedAsync())!;
        var refusals =
            from path in document["paths"]!.AsObject()
            from operation in path.Value!.AsObject()
            from response in operation.Value!["responses"]!.AsObject()
            from code in CodesOf(response.Value!["content"])
            select (response.Key, (string)code!);
        Assert.Subset(ErrorCatalogue.InCode().Select(refusal => (refusal.Status, refusal.Code)).ToHashSet(), refusals.ToHashSet());
    }

    private static JsonArray CodesOf(JsonNode? content) =>
        content?["application/problem+json"]?["schema"]!["properties"]!["code"]!["enum"]!.AsArray() ?? [];

    private async Task<string> ServedAsync()
    {
        using var answer = await api.SendAsync(HttpMethod.Get, "/openapi/v1.json", signedIn: false);
        return (await answer.Content.ReadAsStringAsync()).ReplaceLineEndings("\n").TrimEnd() + "\n";
    }
}
