using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Ariya.Tests.Distributed;

namespace Ariya.Tests.Profiles;

[Collection(RunningAriyaTests.Name)]
public sealed class ProfileTests(RunningAriya ariya)
{
    [Fact]
    public async Task FieldsThatAreSentChangeAndTheOthersStay()
    {
        var (person, access) = await SignedInAsync();
        var changed = await BodyAsync(await PatchAsync(person, access, new { firstName = " Augusta ", locale = "pt-BR" }));
        Assert.Equal("Augusta", (string?)changed["firstName"]);
        Assert.Equal("Hopper", (string?)changed["lastName"]);
        Assert.Equal("pt-BR", (string?)changed["locale"]);
        Assert.Null(changed["vendor"]);
        Assert.Equal(person.Email, (string?)changed["email"]);

        var again = await BodyAsync(await PatchAsync(person, access, new { lastName = "King" }));
        Assert.Equal("Augusta", (string?)again["firstName"]);
        Assert.Equal("King", (string?)again["lastName"]);
        Assert.Equal("pt-BR", (string?)again["locale"]);
    }

    [Fact]
    public async Task WhatWasWrittenIsReadAtOnce()
    {
        var (person, access) = await SignedInAsync();
        for (var round = 0; round < 3; round++)
        {
            await person.GetAccountAsync(access);
            var changed = await PatchAsync(person, access, new { firstName = $"Augusta {round}" });
            var read = await person.GetAccountAsync(access);
            Assert.Equal($"Augusta {round}", (string?)(await BodyAsync(read))["firstName"]);
            Assert.Equal(changed.Headers.ETag, read.Headers.ETag);
        }
    }

    [Fact]
    public async Task ABusinessIsAddedAndThenReplaced()
    {
        var (person, access) = await SignedInAsync();
        foreach (var (businessName, category) in new[] { ("Analytical Engines", "Machines"), ("Difference Engines", "Repairs") })
        {
            await PatchAsync(person, access, new { vendor = new { businessName, category } });
            var vendor = (await BodyAsync(await person.GetAccountAsync(access)))["vendor"]!;
            Assert.Equal(businessName, (string?)vendor["businessName"]);
            Assert.Equal(category, (string?)vendor["category"]);
        }

        await PatchAsync(person, access, new { firstName = "Augusta" });
        Assert.Equal("Difference Engines", (string?)(await person.SignInAsync()).Body["account"]!["vendor"]!["businessName"]);
    }

    [Theory]
    [Trait("Promise", "P02")]
    [Trait("Promise", "P04")]
    [InlineData("""{"firstName":""}""", "firstName")]
    [InlineData("""{"firstName":"Grace\nHopper"}""", "firstName")]
    [InlineData("""{"lastName":"12345678901234567890123456789012345678901234567890123456789012345"}""", "lastName")]
    [InlineData("""{"locale":"not a language"}""", "locale")]
    [InlineData("""{"vendor":{"businessName":"Engines"}}""", "vendor.category")]
    [InlineData("""{"vendor":{"businessName":"","category":"Machines"}}""", "vendor.businessName")]
    [InlineData("""{"email":"other@example.com"}""", "email")]
    [InlineData("""{"roles":["admin"]}""", "roles")]
    [InlineData("""{"emailVerified":false}""", "emailVerified")]
    [InlineData("""{"firstName":7}""", "firstName")]
    public async Task WhatIsNotRightIsNamedAndChangesNothing(string body, string field)
    {
        var (person, access) = await SignedInAsync();
        var answer = await PatchAsync(person, access, JsonNode.Parse(body)!);
        Assert.Equal("validation_failed", await Person.CodeAsync(answer, HttpStatusCode.BadRequest));
        Assert.NotNull(JsonNode.Parse(await answer.Content.ReadAsStringAsync())!["errors"]![field]);
        Assert.Equal(1, await VersionAsync(person));
    }

    [Theory]
    [InlineData("\"1\"", HttpStatusCode.OK)]
    [InlineData("*", HttpStatusCode.OK)]
    [InlineData("\"7\", \"1\"", HttpStatusCode.OK)]
    [InlineData("\"2\"", HttpStatusCode.PreconditionFailed)]
    [InlineData("\"01\"", HttpStatusCode.PreconditionFailed)]
    [InlineData("W/\"1\"", HttpStatusCode.PreconditionFailed)]
    [InlineData("\"what is this\"", HttpStatusCode.PreconditionFailed)]
    [InlineData("1", HttpStatusCode.PreconditionFailed)]
    public async Task AChangeIsMadeOnlyToTheVersionThatIsMeant(string ifMatch, HttpStatusCode expected)
    {
        var (person, access) = await SignedInAsync();
        Assert.Equal("\"1\"", (await person.GetAccountAsync(access)).Headers.ETag!.ToString());
        var answer = await PatchAsync(person, access, new { firstName = "Augusta" }, ifMatch);
        Assert.Equal(expected, answer.StatusCode);
        Assert.Equal(expected == HttpStatusCode.OK ? 2 : 1, await VersionAsync(person));
        if (expected == HttpStatusCode.OK)
        {
            Assert.Equal("\"2\"", answer.Headers.ETag!.ToString());
        }
        else
        {
            Assert.Equal("precondition_failed", await Person.CodeAsync(answer, expected));
        }
    }

    [Fact]
    public async Task OfWritersWhoReadTheSameVersionOneWins()
    {
        var (person, access) = await SignedInAsync();
        var answers = await Task.WhenAll(Enumerable.Range(0, 10).Select(number => person.SendAsync(
            HttpMethod.Patch, "/api/v1/account",
            new { firstName = $"Writer {number}", vendor = new { businessName = $"Shop {number}", category = "Goods" } },
            access, ifMatch: "\"1\"", api: number % 2 == 0 ? ariya.Api : ariya.OtherApi)));
        var won = Assert.Single(answers.Index(), answer => answer.Item.StatusCode == HttpStatusCode.OK).Index;
        Assert.Equal(9, answers.Count(answer => answer.StatusCode == HttpStatusCode.PreconditionFailed));
        var account = (await person.SignInAsync()).Body["account"]!;
        Assert.Equal($"Writer {won}", (string?)account["firstName"]);
        Assert.Equal($"Shop {won}", (string?)account["vendor"]!["businessName"]);
        Assert.Equal(2, await VersionAsync(person));
    }

    [Fact]
    public async Task SigningInAndGuessingDoNotMoveTheVersion()
    {
        var (person, access) = await SignedInAsync();
        await person.LoginAsync("nobody has this password");
        await person.SignInAsync();
        await person.SendAsync(HttpMethod.Post, "/api/v1/account/password",
            new { currentPassword = person.Password, newPassword = "the next sentence nobody else types" }, access);
        Assert.Equal(HttpStatusCode.OK, (await PatchAsync(person, access, new { firstName = "Augusta" }, "\"1\"")).StatusCode);
    }

    private async Task<(Person Person, string Access)> SignedInAsync()
    {
        var person = await Person.WithAccountAsync(ariya);
        return (person, (await person.SignInAsync()).Access);
    }

    private static Task<HttpResponseMessage> PatchAsync(Person person, string access, object body, string? ifMatch = null) =>
        person.SendAsync(HttpMethod.Patch, "/api/v1/account", body, access, ifMatch: ifMatch);

    private static async Task<JsonObject> BodyAsync(HttpResponseMessage answer)
    {
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        return (await answer.Content.ReadFromJsonAsync<JsonObject>())!;
    }

    private Task<int> VersionAsync(Person person) =>
        ariya.ScalarAsync<int>("select version from accounts where email_canonical = $1", person.Email);
}
