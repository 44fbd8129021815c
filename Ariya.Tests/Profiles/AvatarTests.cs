using System.Net;
using System.Net.Http.Headers;
using Ariya.Tests.Distributed;

namespace Ariya.Tests.Profiles;

/// <summary>A person's picture, over HTTP.</summary>
[Collection(RunningAriyaTests.Name)]
public sealed class AvatarTests(RunningAriya ariya)
{
    private const string Path = "/api/v1/account/avatar";

    // One pixel, with a text chunk.
    private static readonly byte[] s_png = Convert.FromBase64String(
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAAEHRFWHRDb21tZW50AGEgc2VjcmV0eS7zqQAAAA1JREFUeJxj+M/A8B8ABQAB/4mZPR0AAAAASUVORK5CYII=");

    [Fact]
    public async Task APictureIsKeptWithoutItsMetadataAndServedAsAPictureAlone()
    {
        var person = await Person.WithAccountAsync(ariya);
        var tokens = await person.SignInAsync();
        using (var none = await SendAsync(HttpMethod.Get, tokens))
        {
            Assert.Equal("not_found", await Person.CodeAsync(none, HttpStatusCode.NotFound));
        }

        using var put = await SendAsync(HttpMethod.Put, tokens, s_png, "text/html");
        Assert.Equal(HttpStatusCode.NoContent, put.StatusCode);
        using var got = await SendAsync(HttpMethod.Get, tokens);
        Assert.Equal(HttpStatusCode.OK, got.StatusCode);
        var picture = await got.Content.ReadAsByteArrayAsync();
        Assert.Equal(s_png.Length - 28, picture.Length);
        Assert.Equal(-1, picture.AsSpan().IndexOf("secret"u8));
        Assert.Equal("image/png", got.Content.Headers.ContentType!.ToString());
        Assert.Equal("nosniff", got.Headers.GetValues("X-Content-Type-Options").Single());
        Assert.Contains("sandbox", got.Headers.GetValues("Content-Security-Policy").Single(), StringComparison.Ordinal);
        Assert.Equal("same-origin", got.Headers.GetValues("Cross-Origin-Resource-Policy").Single());
        Assert.Equal("inline; filename=\"avatar.png\"", got.Content.Headers.GetValues("Content-Disposition").Single());
        Assert.True(got.Headers.CacheControl is { Private: true, NoCache: true });
        Assert.Equal(put.Headers.ETag, got.Headers.ETag);

        using var known = await SendAsync(HttpMethod.Get, tokens, ifNoneMatch: got.Headers.ETag);
        Assert.Equal(HttpStatusCode.NotModified, known.StatusCode);
        Assert.Equal(["account.avatar_changed"], await AuditAsync(person));

        using var deleted = await SendAsync(HttpMethod.Delete, tokens);
        using var deletedAgain = await SendAsync(HttpMethod.Delete, tokens);
        Assert.Equal((HttpStatusCode.NoContent, HttpStatusCode.NoContent), (deleted.StatusCode, deletedAgain.StatusCode));
        using var gone = await SendAsync(HttpMethod.Get, tokens, ifNoneMatch: got.Headers.ETag);
        Assert.Equal(HttpStatusCode.NotFound, gone.StatusCode);
        Assert.Equal(["account.avatar_changed", "account.avatar_removed"], await AuditAsync(person));
    }

    [Fact]
    public async Task WhatIsNoPictureOrTooLargeIsRefusedAndTheOneBeforeStays()
    {
        var person = await Person.WithAccountAsync(ariya);
        var tokens = await person.SignInAsync();
        await SendAsync(HttpMethod.Put, tokens, s_png, "image/png");
        using var html = await SendAsync(HttpMethod.Put, tokens, "<script>alert(1)</script>"u8.ToArray(), "image/png");
        Assert.Equal("validation_failed", await Person.CodeAsync(html, HttpStatusCode.BadRequest));
        Assert.Contains("Use a PNG, JPEG or WebP picture.", await html.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        using var large = await SendAsync(HttpMethod.Put, tokens, new byte[(1024 * 1024) + 1], "image/png");
        Assert.Equal("payload_too_large", await Person.CodeAsync(large, HttpStatusCode.RequestEntityTooLarge));
        using var largest = await SendAsync(HttpMethod.Put, tokens, new byte[1024 * 1024], "image/png");
        Assert.Equal("validation_failed", await Person.CodeAsync(largest, HttpStatusCode.BadRequest));
        using var kept = await SendAsync(HttpMethod.Get, tokens);
        Assert.Equal(HttpStatusCode.OK, kept.StatusCode);
    }

    [Fact]
    [Trait("Promise", "P39")]
    public async Task ARepeatOfAnUploadIsTheUpload()
    {
        var tokens = await (await Person.WithAccountAsync(ariya)).SignInAsync();
        using var first = await SendAsync(HttpMethod.Put, tokens, s_png, "image/png", key: "picture");
        using var again = await SendAsync(HttpMethod.Put, tokens, s_png, "image/png", key: "picture");
        Assert.Equal((HttpStatusCode.NoContent, "true"), (again.StatusCode, again.Headers.GetValues("Idempotent-Replayed").Single()));
        Assert.NotNull(again.Headers.ETag);
        Assert.Equal(first.Headers.ETag, again.Headers.ETag);
    }

    private Task<string[]> AuditAsync(Person person) => ariya.ScalarAsync<string[]>(
        """
        select array_agg(e.kind order by e.at) from audit_events e join accounts a on a.id = e.account_id
        where a.email_canonical = $1 and e.kind like 'account.%'
        """, person.Email)!;

    private async Task<HttpResponseMessage> SendAsync(
        HttpMethod method, Tokens tokens, byte[]? body = null, string? contentType = null, EntityTagHeaderValue? ifNoneMatch = null, string? key = null)
    {
        using var request = new HttpRequestMessage(method, Path);
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", tokens.Access);
        if (body is not null)
        {
            request.Content = new ByteArrayContent(body);
            // As curl does: a body that is too large is refused before it is sent.
            request.Headers.ExpectContinue = true;
            request.Content.Headers.ContentType = new MediaTypeHeaderValue(contentType!);
        }

        if (ifNoneMatch is not null)
        {
            request.Headers.IfNoneMatch.Add(ifNoneMatch);
        }

        if (key is not null)
        {
            request.Headers.Add("Idempotency-Key", key);
        }

        return await ariya.Api.SendAsync(request);
    }
}
